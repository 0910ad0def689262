"""Tiles: blocks of texts compared with blocks of others by one matrix product, of which only what is near is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from promptscan.vectors import Float32, Int64

Pairs = tuple[Int64, Int64, Float32]
"""Row in the first block, row in the second, squared distance (0..4, off by less than `CANCELLED`); any order."""

CANCELLED = 2e-5  # squared distances of float32 unit rows are off by less than this: they come from a difference
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
    import faiss

    step = max(1, _TILE // max(1, len(b)))
    for first in range(0, len(a), step):
        part = slice(first, first + step)
        squares = faiss.pairwise_distances(a[part], b)
        row, other, found = _within(squares, a_limits[part], k)
        other_row, own, back = _within(squares.T, b_limits, k)
        yield (row + first, other, found), (other_row, own + first, back)


def joined(parts: Sequence[Pairs]) -> Pairs:
    """Put pairs of several blocks together."""
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    first, second, squares = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return first, second, squares


def _within(squares: Float32, limits: Float32, k: int) -> Pairs:
    """Pairs within the limits of the rows, of a row that has more than k the nearest k."""
    near = squares <= limits[:, None]
    crowded = np.flatnonzero(np.count_nonzero(near, axis=1) > k)
    nearest = np.argpartition(squares[crowded], k - 1, axis=1)[:, :k] if len(crowded) else np.empty((0, k), np.int64)
    near[crowded] = False
    if near.flags.c_contiguous:  # much faster than `numpy.nonzero` where few are
        row, column = np.divmod(np.flatnonzero(near.ravel()), max(1, near.shape[1]))
    else:
        column, row = np.divmod(np.flatnonzero(near.T.ravel()), max(1, near.shape[0]))
    row, column = np.concatenate([row, np.repeat(crowded, k)]), np.concatenate([column, nearest.ravel()])
    return row, column, squares[row, column]
