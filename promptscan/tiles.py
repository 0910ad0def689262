"""Tiles: blocks of texts compared with blocks of others by one matrix product, of which only what is near is looked at.

The product is torch's where torch is loaded, as it is after many texts were embedded: three times as fast as that of FAISS.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from promptscan.vectors import Float32, Int64

Pairs = tuple[Int64, Int64, Float32]
"""Row in the first block, row in the second, squared distance (0..4, off by less than `CANCELLED`); any order."""

CANCELLED = 2e-5  # squared distances of float32 unit rows are off by less than this: they come from a difference
_HALVED = (
    0.0065  # cosines of bfloat16 rows are off by at most 2 / 2^9 for their roundings and 1 / 2^9 for that of the result
)
_PAIRS = 1 << 13  # distances computed at once: their differences are 8 MB
_TILE = 1 << 20  # distances computed at once: what is looked at next is still in the cache


def nearest_pairs(a: Float32, b: Float32, k: int) -> Pairs:
    """The k nearest rows of `b` to each row of `a`: float32 (m, d) and (p, d), unit norm."""
    import faiss

    squares, found = faiss.knn(a, b, min(k, len(b)))
    row, column = np.nonzero(found >= 0)
    return row, found[row, column], squares[row, column]


def pairs_within(a: Float32, b: Float32, a_limits: Float32, b_limits: Float32, k: int) -> Iterator[tuple[Pairs, Pairs]]:
    """Find the pairs within the limit of the one or of the other row.

    Args:
        a: float32 (m, d), unit norm.
        b: float32 (p, d), unit norm.
        a_limits: float32 (m,), squared distances; pairs at or below it matter to the row of `a`.
        b_limits: float32 (p,), likewise for the rows of `b`.
        k: pairs that matter to a row at most.

    Yields:
        Block by block of `a`, what matters to its rows (row of a, row of b), and what matters to rows of `b` (row of b, row
        of a); of a row that has more than k within its limit the k nearest.
    """
    step = max(1, _TILE // max(1, len(b)))
    for first in range(0, len(a), step):
        part = slice(first, first + step)
        squares = _squares(a[part], b)
        row, other, found = _within(squares, a_limits[part], k)
        other_row, own, back = _within(squares.T, b_limits, k)
        yield (row + first, other, found), (other_row, own + first, back)


def joined(parts: Sequence[Pairs]) -> Pairs:
    """Put pairs of several blocks together."""
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    first, second, squares = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return first, second, squares


def _squares(a: Float32, b: Float32) -> Float32:
    """Squared distances of all rows, float32 (m, p)."""
    torch: Any = sys.modules.get("torch")
    if torch is None:  # FAISS is slower, but not as slow as loading torch
        import faiss

        return np.asarray(faiss.pairwise_distances(a, b), np.float32)
    left, right = (torch.from_numpy(np.ascontiguousarray(rows)) for rows in (a, b))
    return np.asarray(torch.addmm(torch.full((1,), 2.0), left, right.T, alpha=-2).numpy(), np.float32)


def _within(squares: Float32, limits: Float32, k: int) -> Pairs:
    """Pairs within the limits of the rows, of a row that has more than k the nearest k."""
    near = squares <= limits[:, None]
    if near.flags.c_contiguous:  # much faster than `numpy.nonzero` where few are
        row, column = np.divmod(np.flatnonzero(near.ravel()), max(1, near.shape[1]))
    else:
        column, row = np.divmod(np.flatnonzero(near.T.ravel()), max(1, near.shape[0]))
    crowded = np.bincount(row, minlength=len(limits)) > k
    if crowded.any():
        few, many = ~crowded[row], np.flatnonzero(crowded)
        nearest = np.argpartition(squares[many], k - 1, axis=1)[:, :k]
        row = np.concatenate([row[few], np.repeat(many, k)])
        column = np.concatenate([column[few], nearest.ravel()])
    return row, column, squares[row, column]
