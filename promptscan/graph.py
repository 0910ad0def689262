"""The k-nearest-neighbour graph of the texts: what is stored of it, and how its parts become one graph.

A day adds a `GraphDelta`: neighbours of the new texts, and the old texts that gained a nearer neighbour. Nothing stored
is rewritten; `Graph.of` lays the deltas over each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from promptscan.errors import StoreError
from promptscan.vectors import Float32, Int64

Int32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class GraphDelta:
    """What new texts add to the graph; plain arrays, ready to be stored.

    Attributes:
        first_row: row of the first new text.
        indptr: int64 (m + 1,); the neighbours of new text `first_row + i` are at indptr[i]..indptr[i + 1] - 1.
        indices: int32 (nnz,), neighbour rows, by (distance, row) within a text.
        distances: float32 (nnz,), chord, 0..2.
        reverse_source: int32 (r,), old rows that have a new text nearer than their k-th neighbour; sorted.
        reverse_target: int32 (r,), that new text.
        reverse_distance: float32 (r,), chord, 0..2.
    """

    first_row: int
    indptr: Int64
    indices: Int32
    distances: Float32
    reverse_source: Int32
    reverse_target: Int32
    reverse_distance: Float32


@dataclass(frozen=True, slots=True)
class Graph:
    """The nearest neighbours of every text; no text is its own neighbour.

    Attributes:
        neighbours: int32 (n, k), by (distance, row); -1 where a text has fewer than k.
        distances: float32 (n, k), chord sqrt(2 - 2 cos), 0..2; inf where there is no neighbour.
    """

    neighbours: Int32
    distances: Float32

    @property
    def n(self) -> int:
        """Number of texts."""
        return len(self.neighbours)

    @property
    def k(self) -> int:
        """Most neighbours a text can have."""
        return int(self.neighbours.shape[1])

    @classmethod
    def of(cls, deltas: Sequence[GraphDelta], *, k: int) -> Self:
        """Lay deltas over each other, oldest first.

        Raises:
            StoreError: the deltas do not follow on each other.
        """
        nothing = cls(np.empty((0, k), dtype=np.int32), np.empty((0, k), dtype=np.float32))
        return nothing.extended(deltas)

    def extended(self, deltas: Sequence[GraphDelta]) -> Self:
        """Lay deltas over this graph, oldest first; this one stays as it is.

        Raises:
            StoreError: the deltas do not follow on each other.
        """
        n = self.n + sum(len(delta.indptr) - 1 for delta in deltas)
        neighbours = np.full((n, self.k), -1, dtype=np.int32)
        distances = np.full((n, self.k), np.inf, dtype=np.float32)
        neighbours[: self.n], distances[: self.n] = self.neighbours, self.distances
        stop = self.n
        for delta in deltas:
            first, stop = stop, stop + len(delta.indptr) - 1
            if delta.first_row != first:
                raise StoreError(
                    f"a graph delta starts at row {delta.first_row}, wanted {first}; build the graph again"
                )
            _lay_new(neighbours[first:stop], distances[first:stop], delta)
            lay_over(neighbours, distances, delta.reverse_source, delta.reverse_target, delta.reverse_distance)
        return type(self)(neighbours, distances)

    def among(self, rows: Int64) -> Self:
        """Return the graph of some rows, sorted, numbered from 0; edges that lead out of them are left out."""
        local = np.full(self.n + 1, -1, dtype=np.int32)  # the last one is read by -1, no neighbour
        local[rows] = np.arange(len(rows), dtype=np.int32)
        neighbours = local[self.neighbours[rows]]
        distances = np.where(neighbours >= 0, self.distances[rows], np.float32(np.inf))
        order = np.argsort(neighbours < 0, axis=1, kind="stable")
        return type(self)(np.take_along_axis(neighbours, order, 1), np.take_along_axis(distances, order, 1))

    def unlinked(self) -> Self:
        """Return a graph of the same texts in which none is near another."""
        return type(self)(np.full_like(self.neighbours, -1), np.full_like(self.distances, np.inf))

    def edges(self) -> tuple[Int32, Int32, Float32]:
        """Directed edges as (source int32, target int32, distance float32), by source, then (distance, target)."""
        source, column = np.nonzero(self.neighbours >= 0)
        return source.astype(np.int32), self.neighbours[source, column], self.distances[source, column]


def _lay_new(neighbours: Int32, distances: Float32, delta: GraphDelta) -> None:
    """Put the neighbours of a delta's new texts into their rows, in place."""
    k, counts = neighbours.shape[1], np.diff(delta.indptr)
    if (counts == k).all():  # nearly always: they lie there as they are wanted
        neighbours[:], distances[:] = delta.indices.reshape(-1, k), delta.distances.reshape(-1, k)
        return
    rows = np.repeat(np.arange(len(counts)), counts)
    columns = np.arange(len(rows)) - np.repeat(delta.indptr[:-1], counts)
    near = columns < k
    neighbours[rows[near], columns[near]] = delta.indices[near]
    distances[rows[near], columns[near]] = delta.distances[near]


def lay_over(neighbours: Int32, distances: Float32, source: Int32, target: Int32, distance: Float32) -> None:
    """Merge further edges into the rows they start from, in place, keeping the k nearest of each row.

    Args:
        neighbours: int32 (n, k), changed.
        distances: float32 (n, k), changed.
        source: int32 (r,), sorted.
        target: int32 (r,), not yet a neighbour of its source.
        distance: float32 (r,), chord.
    """
    sources, starts, counts = np.unique(source, return_index=True, return_counts=True)
    if not len(sources):
        return
    k, widest = neighbours.shape[1], int(counts.max())
    step = max(1, (32 << 20) // (k + widest))
    for first in range(0, len(sources), step):
        part = slice(first, first + step)
        rows, begin, many = sources[part], starts[part], counts[part]
        targets = np.full((len(rows), k + widest), -1, dtype=np.int32)
        chords = np.full((len(rows), k + widest), np.inf, dtype=np.float32)
        targets[:, :k], chords[:, :k] = neighbours[rows], distances[rows]
        place = np.repeat(np.arange(len(rows)), many)
        column = np.arange(int(many.sum())) - np.repeat(np.cumsum(many) - many, many)
        edge = np.repeat(begin, many) + column
        targets[place, k + column] = target[edge]
        chords[place, k + column] = distance[edge]
        neighbours[rows], distances[rows] = nearest(targets, chords, k)


def nearest(targets: NDArray[np.integer], chords: Float32, k: int) -> tuple[Int32, Float32]:
    """The k nearest of each row's candidates, by (distance, row); int32 (m, k) and float32 (m, k)."""
    order = np.lexsort((targets, chords), axis=-1)[:, :k]
    return np.take_along_axis(targets, order, axis=1).astype(np.int32), np.take_along_axis(chords, order, axis=1)
