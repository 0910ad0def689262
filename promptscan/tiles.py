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
NOWHERE = -1.0  # a limit that no squared distance is within
_TILE = 1 << 20  # distances computed at once: what is looked at next is still in the cache


def pairs_within(a: Float32, b: Float32, a_limits: Float32, b_limits: Float32, k: int) -> Iterator[tuple[Pairs, Pairs]]:
    """Find the pairs within the limit of the one or of the other row.

    Args:
        a: float32 (m, d), unit norm.
        b: float32 (p, d), unit norm.
        a_limits: float32 (m,), squared distances; pairs at or below it matter to the row of `a`. Infinite: the nearest k.
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
    boundless = np.isinf(limits) & (squares.shape[1] > k)
    near = squares <= np.where(boundless, np.float32(NOWHERE), limits)[:, None]
    if near.flags.c_contiguous:  # much faster than `numpy.nonzero` where few are
        row, column = np.divmod(np.flatnonzero(near.ravel()), max(1, near.shape[1]))
    else:
        column, row = np.divmod(np.flatnonzero(near.T.ravel()), max(1, near.shape[0]))
    crowded = boundless | (np.bincount(row, minlength=len(limits)) > k)
    if crowded.any():
        few, many = ~crowded[row], np.flatnonzero(crowded)
        row = np.concatenate([row[few], np.repeat(many, k)])
        column = np.concatenate([column[few], _nearest(squares[many], k).ravel()])
    return row, column, squares[row, column]


def _nearest(squares: Float32, k: int) -> Int64:
    """Return the columns of the k least of each row, of equal ones the first: int64 (m, k), in any order."""
    columns = np.argpartition(squares, k - 1, axis=1)[:, :k]
    worst = np.take_along_axis(squares, columns, axis=1).max(axis=1, keepdims=True)
    tied = np.flatnonzero((squares <= worst).sum(axis=1) > k)
    if len(tied):  # copies: which of them are taken must not be chance
        some, last = squares[tied], worst[tied]
        equal = some == last
        spare = k - (some < last).sum(axis=1, keepdims=True)
        columns[tied] = np.nonzero((some < last) | (equal & (np.cumsum(equal, axis=1) <= spare)))[1].reshape(-1, k)
    return columns
