"""Anchored groups: texts that share a passage, however little of them it is.

A frame around long slots is a small share of its texts, so comparing two of them says nothing. But its fingerprints stand in all
of them: the fingerprints that many texts have are its anchors, and those which the same texts have are one passage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.fingerprint import Fingerprints, mixed

ANCHORED = 8
"""Texts a passage must stand in."""

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Anchors:
    """Passages that several texts share, those that explain most letters first.

    Attributes:
        indptr: passage i stands in texts[indptr[i]:indptr[i + 1]]. int64 (c + 1,).
        texts: ascending within a passage. int64 (t,).
        length: fingerprints of each passage; one for some eight letters. int64 (c,).
    """

    indptr: Int64
    texts: Int64
    length: Int64

    def groups(self, taken: NDArray[np.bool_]) -> Iterator[Int64]:
        """Yield the texts of one passage after another that are not taken when it is its turn, if they are still enough.

        Args:
            taken: bool (last text + 1,), looked at for every passage anew.
        """
        for start, stop in zip(self.indptr[:-1].tolist(), self.indptr[1:].tolist(), strict=True):
            texts = self.texts[start:stop]
            free = texts[~taken[texts]]
            if len(free) >= ANCHORED:
                yield free


def find_anchors(fingerprints: Fingerprints) -> Anchors:
    """Find the passages that at least 8 texts share.

    Args:
        fingerprints: of the texts, each hash once a text.

    Returns:
        Passages by (texts x fingerprints descending, lowest hash). Hashes that exactly the same texts have are one passage:
        inside a passage winnowing chooses the same hashes wherever it stands. What two passages have in common are texts,
        never hashes.
    """
    order = np.lexsort((fingerprints.texts, fingerprints.hashes))
    hashes, texts = fingerprints.hashes[order], fingerprints.texts[order]
    starts = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]][: len(hashes)])
    counts = np.diff(np.r_[starts, len(hashes)])
    many = counts >= ANCHORED
    starts, counts = starts[many], counts[many]
    if not len(starts):
        return Anchors(np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))
    inside = np.repeat(starts - np.r_[0, np.cumsum(counts)[:-1]], counts) + np.arange(counts.sum())
    signature = np.add.reduceat(mixed(texts[inside].astype(np.uint64)), np.r_[0, np.cumsum(counts)[:-1]])
    _, first, length = np.unique(
        np.stack([signature, counts.astype(np.uint64)], 1), axis=0, return_index=True, return_counts=True
    )
    best = np.lexsort((first, -(counts[first] * length)))
    first, length = first[best], length[best]
    indptr = np.r_[0, np.cumsum(counts[first])]
    places = np.repeat(starts[first] - indptr[:-1], counts[first]) + np.arange(indptr[-1])
    return Anchors(indptr.astype(np.int64), texts[places].astype(np.int64), length.astype(np.int64))
