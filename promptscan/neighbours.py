"""Neighbours: the k nearest texts of every text, extended by new texts at the cost of the new texts.

A self-join over cells (`cells.py`): each new text is compared exactly, by matrix products (`tiles.py`), with all members of
the cells nearest to it. The same products tell which old texts gained a nearer neighbour.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from promptscan.cells import Cells
from promptscan.errors import UsageError
from promptscan.exact import exact_search
from promptscan.graph import Graph, GraphDelta, Int32, nearest
from promptscan.tiles import CANCELLED, NOWHERE, Pairs, joined, pairs_within
from promptscan.vectors import Float32, Int64, Vectors

K = 16
PROBES = 32
_SLACK = 4  # candidates kept beyond k until their distances are exact
_MAX_QUERIES = 16_384
_EXACT_ROWS = 4096
_MAX_MEMBERS = 32_768  # of a cell that k-means could not split, a text sees at most twice this many
_UNIT_ROWS = 131_072
_NOTHING = np.iinfo(np.int64).max
_MAX_CANDIDATES = 8_000_000  # held before they are cut to the best of each text
_BLOCK = 65_536


@dataclass(frozen=True, slots=True)
class GraphQuality:
    """How good a graph is, measured on sampled texts against exact search; ties count as found.

    Attributes:
        intersection: share of the true k nearest neighbours that the graph has.
        close: share of those with cosine >= 0.9 that it has; 1 when there is none.
        close_pairs: how many true pairs with cosine >= 0.9 the sample held.
        sample: number of texts.
    """

    intersection: float
    close: float
    close_pairs: int
    sample: int


def extend_graph(
    vectors: Vectors,
    old: Graph | None,
    *,
    cells: Cells,
    k: int = K,
    probes: int = PROBES,
    threads: int | None = None,
    scratch: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> GraphDelta:
    """Find the neighbours of the texts that are not in the graph yet.

    Args:
        vectors: all rows; the texts of `old` come first.
        old: the graph so far, or None to build all of it.
        cells: `update_cells` of these vectors.
        k: neighbours per text.
        probes: cells each new text is compared with.
        threads: worker threads, by default one per core; the result does not depend on it.
        scratch: folder for the results of finished units; a run that was stopped takes them up again. The caller
            deletes it when the delta is stored.
        progress: called with (new texts done, new texts).

    Returns:
        The delta; `Graph.of` adds it to the earlier ones. A text with a zero vector has no neighbours.
    """
    first_row = 0 if old is None else old.n
    if first_row > vectors.n or len(cells.assignment) != vectors.n or (old is not None and old.k != k):
        raise UsageError(
            f"graph of {first_row} and cells of {len(cells.assignment)} rows for {vectors.n} vectors, k = {k}"
        )
    parts = [(np.empty((0, k), np.int32), np.empty((0, k), np.float32), *_no_reverse())]
    step = max(_UNIT_ROWS, -(-(vectors.n - first_row) // 8))
    join = _Join(vectors, cells, old, k=k, probes=probes, threads=threads or len(os.sched_getaffinity(0)))
    name = _unit_name(vectors, cells, first_row, k, probes)
    for start in range(first_row, vectors.n, step):
        stop = min(start + step, vectors.n)
        file = None if scratch is None else scratch / f"neighbours-{name}-{start}-{stop}.npz"
        parts.append(_load(file) or _save(file, join.unit(start, stop)))
        if progress is not None:
            progress(stop - first_row, vectors.n - first_row)
    rows, chords = (np.concatenate(arrays) for arrays in zip(*(part[:2] for part in parts), strict=True))
    source, target, distance = _best_reverse([part[2:] for part in parts], k)
    known = rows >= 0
    indptr = np.concatenate([[0], np.cumsum(known.sum(axis=1))]).astype(np.int64)
    return GraphDelta(first_row, indptr, rows[known], chords[known], source, target, distance)


def measure(graph: Graph, vectors: Vectors, *, sample: int = 500, seed: int = 0) -> GraphQuality:
    """Compare sampled texts of the graph with exact search."""
    rows = vectors.sample(sample, seed=seed)
    rows = rows[vectors.take(rows).any(axis=1)]
    if not len(rows):
        return GraphQuality(1.0, 1.0, 0, 0)
    hits = exact_search(vectors.take(rows), graph.k + 1, vectors)
    others = np.where((hits.rows == rows[:, None]) | (hits.rows < 0), -np.inf, hits.scores)
    others = -np.sort(-others, axis=1)[:, : graph.k]
    true = np.where(np.isfinite(others), np.sqrt(np.maximum(0, 2 - 2 * others)), np.inf)
    kth = np.where(np.isfinite(true), true, -np.inf).max(axis=1, keepdims=True)
    wanted = np.isfinite(true).sum(axis=1)
    near = np.minimum((graph.distances[rows] <= kth + 1e-3).sum(axis=1), wanted)
    chord = float(np.sqrt(2 - 2 * 0.9))
    wanted_close = (true <= chord).sum(axis=1)
    close = np.minimum((graph.distances[rows] <= chord + 1e-3).sum(axis=1), wanted_close)
    total = int(wanted_close.sum())
    return GraphQuality(
        float(near.sum() / max(1, wanted.sum())), float(close.sum() / total) if total else 1.0, total, len(rows)
    )


_Reverse = tuple[Int32, Int32, Float32]
_Unit = tuple[Int32, Float32, Int32, Int32, Float32]
_Candidates = tuple[
    Int64, Int64
]  # new texts, numbered from the first of a unit, and keys: bits of the squared distance, row


class _Join:
    """The self-join of one run: what all its units share."""

    def __init__(self, vectors: Vectors, cells: Cells, old: Graph | None, *, k: int, probes: int, threads: int) -> None:
        self.vectors, self.cells, self.old, self.k, self.probes = vectors, cells, old, k, probes
        self.threads = threads
        self.first_row = 0 if old is None else old.n
        self.members, self.starts = cells.members()
        self.kept = k + _SLACK

    def unit(self, start: int, stop: int) -> _Unit:
        """Neighbours of the new texts start..stop-1, and the old texts they are near to.

        Their own cells are searched first: what is farther than the candidates from there is not looked at in the others.
        """
        best = np.full((stop - start, self.kept), _NOTHING, dtype=np.int64)
        texts = self.vectors.range(start, stop)
        reverse = [_no_reverse()]
        probed = self._probed(start, stop)
        with ThreadPoolExecutor(self.threads, initializer=_one_thread_each) as pool:
            for cells in (probed[:, :1], probed[:, 1:]):
                comparisons = self._comparisons(cells, start)
                found: list[_Candidates] = []
                while batch := list(islice(comparisons, 8 * self.threads)):
                    for candidates, gained in pool.map(partial(self._compare, best, texts, start), batch):
                        found.append(candidates)
                        reverse.append(gained)
                    if sum(len(texts) for texts, _ in found) > _MAX_CANDIDATES:
                        best, found = _merge(best, found, self.kept), []
                    if sum(len(part[0]) for part in reverse) > _MAX_CANDIDATES:
                        reverse = [_best_reverse(reverse, self.k)]
                best = _merge(best, found, self.kept)
            exact = list(pool.map(lambda first: self._exact(best, start, first), range(0, len(best), _EXACT_ROWS)))
        indices, chords = (np.concatenate(arrays) for arrays in zip(*exact, strict=True))
        return (indices, chords, *_best_reverse(reverse, self.k))

    def _probed(self, start: int, stop: int) -> Int32:
        """The cells that new texts are compared with, int32 (m, 1 + probes): their own, then the others; -1 for none."""
        nearest = [
            self.cells.probe(self.vectors.range(first, min(first + _BLOCK, stop)), self.probes)
            for first in range(start, stop, _BLOCK)
        ]
        others, own = np.concatenate(nearest), self.cells.assignment[start:stop, None]
        return np.concatenate([own, np.where((others == own) | (own < 0), np.int32(-1), others)], axis=1)

    def _comparisons(self, probed: Int32, start: int) -> Iterator[tuple[Int64, Int64]]:
        """Which texts meet which members, cell by cell; rows sorted.

        A cell past the bound (copies of one vector) is met in its first part, and by its own texts in theirs: all of
        them stay connected and nothing grows with the square of the copies.
        """
        flat = probed.ravel()
        order = np.argsort(flat, kind="stable")
        bounds = np.searchsorted(flat[order], np.arange(len(self.cells.centroids) + 1))
        for cell in np.flatnonzero(np.diff(bounds) * np.diff(self.starts)).tolist():
            queries = order[bounds[cell] : bounds[cell + 1]] // probed.shape[1] + start
            members = self.members[self.starts[cell] : self.starts[cell + 1]]
            parts = range(0, len(members), _MAX_MEMBERS)
            own = np.searchsorted(members, queries[self.cells.assignment[queries] == cell]) if len(parts) > 1 else None
            for first in parts:
                rows = (
                    queries if own is None or not first else members[own[own // _MAX_MEMBERS == first // _MAX_MEMBERS]]
                )
                for i in range(0, len(rows), _MAX_QUERIES):
                    yield rows[i : i + _MAX_QUERIES], members[first : first + _MAX_MEMBERS]

    def _compare(
        self, best: Int64, texts: Float32, start: int, comparison: tuple[Int64, Int64]
    ) -> tuple[_Candidates, _Reverse]:
        """Candidates of each text that may be among its best, and the old members that gained a neighbour."""
        rows, members = comparison
        near, others = texts[rows - start], self.vectors.take(members)
        limits, theirs = _squares(best[rows - start, -1]) + CANCELLED, self._limits(members)
        found, gained = [], []
        if (limits >= 0).any() or (theirs >= 0).any():
            for ours, back in pairs_within(near, others, limits, theirs, self.kept + 1):
                found.append(ours)
                gained.append(back)
        text, member, squares = joined(found)
        target = members[member]
        other = target != rows[text]
        far = np.maximum(np.float32(0), squares)  # bits of non-negative floats sort like integers
        keys = (far.view(np.int32).astype(np.int64) << 32) | target
        candidates = (rows[text] - start)[other], keys[other]
        return candidates, self._gained(joined(gained), near, rows, others, members)

    def _limits(self, members: Int64) -> Float32:
        """Squared distance of each old member's k-th neighbour; `NOWHERE` for new members."""
        limits = np.full(len(members), NOWHERE, dtype=np.float32)
        if self.old is not None:
            was = members < self.first_row
            limits[was] = self.old.distances[members[was], -1] ** 2 + CANCELLED
        return limits

    def _gained(self, pairs: Pairs, near: Float32, rows: Int64, others: Float32, members: Int64) -> _Reverse:
        """Pairs of an old member and a new text that is nearer than the member's k-th neighbour."""
        if self.old is None or not len(pairs[0]):
            return _no_reverse()
        member, text, _ = pairs
        chords = _chords(others[member], near[text])
        nearer = chords < self.old.distances[members[member], -1]
        return members[member[nearer]].astype(np.int32), rows[text[nearer]].astype(np.int32), chords[nearer]

    def _exact(self, best: Int64, start: int, first: int) -> tuple[Int32, Float32]:
        """The k nearest of the candidates by exact distance: it depends on the two vectors only, ties go by row."""
        keys = best[first : first + _EXACT_ROWS]
        known = keys != _NOTHING
        candidates = np.where(known, keys & 0xFFFFFFFF, -1)
        chords = np.full(keys.shape, np.inf, dtype=np.float32)
        texts = self.vectors.range(start + first, start + first + len(keys))
        chords[known] = _chords(texts[np.nonzero(known)[0]], self.vectors.take(candidates[known]))
        return nearest(candidates, chords, self.k)


def _one_thread_each() -> None:
    """Give the calling worker thread a FAISS, and torch, of its own: small products gain nothing from more threads inside."""
    import faiss

    faiss.omp_set_num_threads(1)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def _squares(keys: Int64) -> Float32:
    """The squared distances in keys; inf for nothing."""
    squares = (keys >> 32).astype(np.int32).view(np.float32)
    return np.where(keys == _NOTHING, np.float32(np.inf), squares)


def _merge(best: Int64, found: Sequence[_Candidates], kept: int) -> Int64:
    """Put candidates beside the best so far, and keep the best of both: int64 (m, kept), sorted."""
    if not found:
        return best
    text, keys = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    order = np.lexsort((keys, text))
    text, keys = text[order], keys[order]
    place = np.arange(len(text)) - np.searchsorted(text, text)
    near = place < kept
    both = np.full((len(best), 2 * kept), _NOTHING, dtype=np.int64)
    both[:, :kept] = best
    both[text[near], kept + place[near]] = keys[near]
    both.sort(axis=1)
    return both[:, :kept]


def _chords(a: Float32, b: Float32) -> Float32:
    """float32 (m,): distances between unit rows, exact where 2 - 2 cos would cancel."""
    difference = a - b
    squares: Float32 = np.einsum("ij,ij->i", difference, difference)
    return np.sqrt(squares)


def _best_reverse(parts: Sequence[_Reverse], k: int) -> _Reverse:
    """The k nearest new texts of each old one, by (source, distance, target)."""
    source, target, distance = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.lexsort((target, distance, source))
    source, target, distance = source[order], target[order], distance[order]
    _, start, count = np.unique(source, return_index=True, return_counts=True)
    kept = np.arange(len(source)) - np.repeat(start, count) < k
    return source[kept], target[kept], distance[kept]


def _no_reverse() -> _Reverse:
    return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32)


def _unit_name(vectors: Vectors, cells: Cells, first_row: int, k: int, probes: int) -> str:
    """Changes with everything a unit's result depends on (the vectors through their assignment and the centroids)."""
    digest = hashlib.blake2b(f"{vectors.n} {vectors.d} {first_row} {k} {probes}".encode(), digest_size=8)
    digest.update(np.ascontiguousarray(cells.centroids).data)
    digest.update(np.ascontiguousarray(cells.assignment).data)
    return digest.hexdigest()


def _load(file: Path | None) -> _Unit | None:
    if file is None or not file.exists():
        return None
    with np.load(file, allow_pickle=False) as arrays:
        unit: _Unit = tuple(arrays[f"arr_{i}"] for i in range(5))
    return unit


def _save(file: Path | None, unit: _Unit) -> _Unit:
    """Write a unit whole or not at all."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".tmp")
        with temporary.open("wb") as out:
            np.savez(out, *unit)
        temporary.replace(file)
    return unit
