"""Clean texts by number: mapped from files as they lie, so that reading some costs what these are, not what all are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from promptscan.errors import StoreError
from promptscan.store import Files

FILE = "clean_texts.arrow"  # beside cleans.parquet: the same texts, uncompressed
BATCH = 8_192  # texts that are found by one step of a search

Int64 = NDArray[np.int64]


class CleanTexts:
    """The clean texts of a generation or a draft.

    Args:
        files: where they are; digests are checked first.
    """

    def __init__(self, files: Files) -> None:
        parts: list[pa.Array] = []
        for segment in files.manifest.of_kind("cleans"):
            if segment.has(FILE):
                parts += _mapped(files.verified(segment.file(FILE)))
            else:  # of an earlier promptscan
                table = pq.read_table(files.verified(segment.file("cleans.parquet")), columns=["clean"])
                parts += table["clean"].cast(pa.large_string()).chunks
        self._texts = pa.chunked_array(parts, pa.large_string())

    def take(self, cleans: Int64) -> list[str]:
        """Return the texts of clean ids, int64 (n,), in their order."""
        return list(self.array(cleans).to_pylist())

    def array(self, cleans: Int64) -> pa.Array:
        """Return the texts of clean ids, int64 (n,), as large_string (n,)."""
        cleans = np.asarray(cleans, dtype=np.int64)
        order = np.argsort(cleans, kind="stable")  # neighbours in the file are read together
        found = self._texts.take(pa.array(cleans[order]))
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        whole = found.combine_chunks() if found.num_chunks != 1 else found.chunk(0)
        return whole if (order[1:] > order[:-1]).all() else whole.take(pa.array(back))


def save_clean_texts(parquet: Path, path: Path) -> None:
    """Write the clean texts of a segment's `cleans.parquet`, which is in the order of their ids, once more."""
    schema = pa.schema([("clean", pa.large_string())])
    source = pq.ParquetFile(parquet)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as out:
        for batch in source.iter_batches(BATCH, columns=["clean"]):
            out.write_batch(pa.record_batch([batch["clean"].cast(pa.large_string())], schema=schema))


def _mapped(path: Path) -> list[pa.Array]:
    """Map one file's texts; nothing is read yet."""
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"{path.name}: not a readable file of texts ({str(error)[:80]}); run fsck") from None
    return list(table["clean"].chunks)
