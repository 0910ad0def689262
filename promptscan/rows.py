"""Which vectors a store holds, and what each row stands for.

The vectors of clean texts are numbered like the clean texts. The index holds, segment by segment, those and then the
vectors of the segment's chunks (windows of long texts), so that adding a segment only appends rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.store import Files
from promptscan.vectors import Vectors


@dataclass(frozen=True, slots=True)
class IndexedRows:
    """The rows of the index.

    Attributes:
        vectors: float16 (r, d), unit norm or zero.
        clean_ids: int64 (r,), the clean text that a row is, or is a chunk of.
        first_rows: int64 (n,), the row of each clean text's own vector.
    """

    vectors: Vectors
    clean_ids: NDArray[np.int64]
    first_rows: NDArray[np.int64]


def text_vectors(files: Files) -> Vectors:
    """Open the vectors of all clean texts: row = clean id."""
    segments = files.manifest.of_kind("vectors")
    return Vectors.open([files.verified(s.file("vectors.npy")) for s in segments], dimension=_dimension(files))


def indexed_rows(files: Files) -> IndexedRows:
    """Open all rows of the index in their order."""
    paths, owners, firsts = [], [], []
    first_clean = row = 0
    for segment in files.manifest.of_kind("vectors"):
        paths += [files.verified(segment.file("vectors.npy")), files.verified(segment.file("chunks.npy"))]
        own = np.arange(first_clean, first_clean + int(segment.meta["n"]), dtype=np.int64)
        chunks = np.load(files.verified(segment.file("chunk_cleans.npy")), allow_pickle=False)
        owners += [own, chunks]
        firsts.append(row + own - first_clean)
        first_clean, row = first_clean + len(own), row + len(own) + len(chunks)
    nothing = np.zeros(0, dtype=np.int64)
    vectors = Vectors.open(paths, dimension=_dimension(files))
    return IndexedRows(vectors, np.concatenate([nothing, *owners]), np.concatenate([nothing, *firsts]))


def _dimension(files: Files) -> int:
    return files.manifest.encoder.dim if files.manifest.encoder else 1
