"""Cells: a partition of the vectors around centroids, so that neighbours are looked for nearby only.

Centroids come from k-means on a seeded sample and are kept between runs; new rows are assigned to them. They are trained
anew when the rows have doubled since the last training, which keeps the cost of training proportional to the rows added.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptscan.errors import UsageError
from promptscan.vectors import Float32, Int64, Vectors, unit

BRUTE_FORCE_ROWS = 20_000  # up to here there is one cell: exact search
RETRAIN_FACTOR = 2.0
_TRAINING_ROWS_PER_CELL = 50
_HUGE = 8  # a cell with more than this many times the mean is split
_BLOCK = 65_536


@dataclass(frozen=True, slots=True)
class Cells:
    """A partition of the rows; plain arrays, ready to be stored.

    Attributes:
        centroids: float32 (c, d), unit norm.
        assignment: int32 (n,), the cell of each row; -1 for a zero row, which is in no cell.
        trained_n: number of rows when the centroids were trained.
    """

    centroids: Float32
    assignment: NDArray[np.int32]
    trained_n: int

    def probe(self, rows: Float32, probes: int) -> NDArray[np.int32]:
        """The nearest cells of unit rows, nearest first: int32 (m, min(probes, c))."""
        return _nearest(rows, self.centroids, min(probes, len(self.centroids)))

    def members(self) -> tuple[Int64, Int64]:
        """All rows by (cell, row), int64, and where each cell starts in them, int64 (c + 1,)."""
        order = np.argsort(self.assignment, kind="stable").astype(np.int64)
        starts = np.searchsorted(self.assignment[order], np.arange(len(self.centroids) + 1)).astype(np.int64)
        return order, starts


def update_cells(vectors: Vectors, previous: Cells | None = None, *, seed: int = 0, cells: int | None = None) -> Cells:
    """Assign every row to a cell: new rows to the known centroids, or all rows to new ones when these are outgrown.

    Args:
        vectors: all rows; the rows of `previous` come first.
        previous: the cells of an earlier run.
        seed: for the training sample and k-means.
        cells: how many cells to train; by default as many as `cells_for` says.
    """
    n = vectors.n
    if previous is not None and len(previous.assignment) > n:
        raise UsageError(f"cells of {len(previous.assignment)} rows given for {n} vectors; rows are never taken away")
    wanted = cells_for(n) if cells is None else cells
    if previous is not None and n <= max(RETRAIN_FACTOR * previous.trained_n, BRUTE_FORCE_ROWS):
        added = _assign(vectors, previous.centroids, start=len(previous.assignment))
        return Cells(previous.centroids, np.concatenate([previous.assignment, added]), previous.trained_n)
    centroids = _train(vectors, vectors.sample(wanted * _TRAINING_ROWS_PER_CELL, seed=seed), wanted, seed)
    assignment = _assign(vectors, centroids)
    for _ in range(2):  # crowded regions get more centroids; what cannot be split is bounded when it is searched
        more = _split_huge(
            vectors, assignment, len(centroids), max(_HUGE * n // wanted, 2 * _TRAINING_ROWS_PER_CELL), seed
        )
        if not len(more):
            break
        centroids = np.concatenate([centroids, more])
        assignment = _assign(vectors, centroids)
    used, assignment = _drop_empty(assignment)
    return Cells(centroids[used], assignment, n)


def cells_for(n: int) -> int:
    """Number of cells for n rows: one up to `BRUTE_FORCE_ROWS`, then about sqrt(n).

    More and smaller cells do not cost less per query (selection dominates the products) and lose more at their borders.
    """
    return 1 if n <= BRUTE_FORCE_ROWS else round(math.sqrt(n))


def _train(vectors: Vectors, sample: Int64, cells: int, seed: int) -> Float32:
    rows = vectors.take(sample)
    rows = rows[rows.any(axis=1)]
    if cells == 1 or len(rows) <= cells:
        return unit(rows.mean(axis=0, keepdims=True)) if len(rows) else np.zeros((1, vectors.d), dtype=np.float32)
    import faiss

    kmeans: Any = faiss.Kmeans(
        vectors.d,
        cells,
        niter=10,
        seed=seed + 1,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=_TRAINING_ROWS_PER_CELL,
    )
    kmeans.train(rows)
    return unit(kmeans.centroids)


def _assign(vectors: Vectors, centroids: Float32, *, start: int = 0) -> NDArray[np.int32]:
    assignment = np.full(vectors.n - start, -1, dtype=np.int32)
    for first, block in vectors.blocks(_BLOCK, start=start):
        known = block.any(axis=1)
        found = _nearest(block, centroids, 1)[:, 0] if len(centroids) > 1 else np.zeros(len(block), dtype=np.int32)
        assignment[first - start : first - start + len(block)] = np.where(known, found, -1)
    return assignment


def _nearest(rows: Float32, centroids: Float32, k: int) -> NDArray[np.int32]:
    import faiss

    if not len(rows):
        return np.empty((0, k), dtype=np.int32)
    _, cells = faiss.knn(rows, centroids, k, metric=faiss.METRIC_INNER_PRODUCT)
    return np.asarray(cells, dtype=np.int32)


def _split_huge(vectors: Vectors, assignment: NDArray[np.int32], cells: int, limit: int, seed: int) -> Float32:
    """New centroids inside the cells that have more than `limit` rows: float32 (m, d)."""
    sizes = np.bincount(assignment[assignment >= 0], minlength=cells)
    more = [np.empty((0, vectors.d), dtype=np.float32)]
    for cell in np.flatnonzero(sizes > limit) if cells > 1 else ():
        parts = max(2, round(4 * sizes[cell] / limit))
        members = np.flatnonzero(assignment == cell)
        chosen = np.random.default_rng(seed).permutation(members)[: parts * _TRAINING_ROWS_PER_CELL]
        if (
            np.ptp(vectors.take(members[:: max(1, len(members) // 64)]), axis=0).max() > 1e-3
        ):  # not copies of one vector
            more.append(_train(vectors, np.sort(chosen), parts, seed))
    return np.concatenate(more)


def _drop_empty(assignment: NDArray[np.int32]) -> tuple[Int64, NDArray[np.int32]]:
    used = np.unique(assignment[assignment >= 0]).astype(np.int64)
    if not len(used):
        return np.zeros(1, dtype=np.int64), assignment
    return used, np.where(assignment >= 0, np.searchsorted(used, assignment), -1).astype(np.int32)
