"""Assign first: new texts go to the families that are there; the rest waits, and is what has to be clustered.

A text belongs to the family that its template or its duplicates are in, else to that of the text it reaches nearest under mutual
reachability, if that is no farther than that text itself is joined to its cluster. HDBSCAN's `approximate_predict` (McInnes,
Healy, Astels 2017, JOSS 2:11) allows the distance at which the cluster parts from the rest, which lets a loose cluster
grow at its fringe with every day; here a follower is in as deep as the one it follows, so no cluster gets looser.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.clustering import FLOOR
from promptscan.graph import Graph
from promptscan.vectors import Float32, Int64

MAJORITY = 0.5  # share of a group's known texts that a family must hold for the group's other texts to follow


@dataclass(frozen=True, slots=True)
class Assigned:
    """Families of all texts after assignment, and what is left.

    Attributes:
        labels: int64 (n,), family of each text, -1 for none.
        reach: float32 (n,), chord at which the text is joined to its cluster, and within which others follow it; 0 for none.
        probabilities: float32 (n,), 0..1, of the texts assigned now; 0 for the others.
        waiting: int64 (w,), sorted: new texts without a family, and the older ones without that they lead to.
    """

    labels: Int64
    reach: Float32
    probabilities: Float32
    waiting: Int64


def assign(
    graph: Graph,
    labels: Int64,
    reach: Float32,
    groups: tuple[Int64, ...],
    *,
    first_new: int,
    min_samples: int,
    cap: float,
    settled: NDArray[np.bool_] | None = None,
) -> Assigned:
    """Assign new texts to known families.

    Args:
        graph: neighbours of all texts, old and new.
        labels: int64 (n,), families of the old texts, -1 for none and for new ones.
        reach: float32 (n,), see `Assigned`.
        groups: numberings of the texts, int64 (n,) each, -1 for none, whose members belong together: templates, duplicate groups;
            the first that leads to a family counts.
        first_new: first new row.
        min_samples: as in `cluster_graph`.
        cap: chord beyond which nothing is linked.
        settled: bool (n,), texts that are in the right place, a family or none: they are not assigned and do not wait.

    Returns:
        Labels that extend the old ones; no text changes its family.
    """
    labels, reach = labels.copy(), reach.copy()
    settled = np.zeros(graph.n, bool) if settled is None else settled
    probabilities = np.zeros(graph.n, np.float32)
    for numbers in groups:
        follows = followed(numbers, labels, (labels < 0) & ~settled)
        took = np.flatnonzero((labels < 0) & (follows >= 0) & ~settled)
        labels[took] = follows[took]
        probabilities[took] = 1.0
    waiting = _led_to(graph, (labels < 0) & ~settled, first_new, cap)
    core = graph.distances[:, min(min_samples, graph.k) - 1]
    while len(waiting):
        joined = _reached(graph, waiting, labels, reach, core)
        if not len(joined.rows):
            break
        labels[joined.rows] = labels[joined.through]
        reach[joined.rows] = joined.distance
        probabilities[joined.rows] = np.minimum(1, FLOOR / joined.distance)
        waiting = waiting[labels[waiting] < 0]
    return Assigned(labels, reach, probabilities, waiting)


def followed(numbers: Int64, labels: Int64, asking: NDArray[np.bool_] | None = None) -> Int64:
    """Return the label that most labelled texts of each text's group have, -1 for none. int64 (n,).

    Only the groups of texts that are `asking` are looked at; for others the answer is -1.
    """
    follows = np.full(len(numbers), -1, np.int64)
    asked = np.zeros(int(numbers.max(initial=-1)) + 2, bool)
    asked[numbers if asking is None else numbers[asking]] = True
    asked[-1] = False  # read by -1, no group
    known = np.flatnonzero(asked[numbers] & (labels >= 0))
    if not len(known):
        return follows
    width = int(labels.max()) + 1
    codes, counts = np.unique(numbers[known] * width + labels[known], return_counts=True)
    groups, families = np.divmod(codes, width)
    order = np.lexsort((families, -counts, groups))
    group, first = np.unique(groups[order], return_index=True)
    whole = np.bincount(groups, counts)[group]
    of_group = np.full(len(asked), -1, np.int64)
    of_group[group] = np.where(counts[order][first] >= MAJORITY * whole, families[order[first]], -1)
    follows[:] = of_group[numbers]
    return follows


def _led_to(graph: Graph, free: NDArray[np.bool_], first_new: int, cap: float) -> Int64:
    """Return the free rows that are new, or that free rows lead to from a new one."""
    found = np.zeros(graph.n, bool)
    front = first_new + np.flatnonzero(free[first_new:])
    while len(front):
        found[front] = True
        near = np.unique(graph.neighbours[front][graph.distances[front] <= cap]).astype(np.int64)
        front = near[(near >= 0) & ~found[near] & free[near]]
    return np.flatnonzero(found)


@dataclass(frozen=True, slots=True)
class _Joined:
    """Rows that reach a family: through which row, and how far away."""

    rows: Int64
    through: Int64
    distance: Float32


def _reached(graph: Graph, waiting: Int64, labels: Int64, reach: Float32, core: Float32) -> _Joined:
    """Return the waiting rows that have a text of a family within that text's reach; nearest, ties to the lowest row."""
    near, chord = graph.neighbours[waiting].astype(np.int64), graph.distances[waiting]
    distance = np.maximum(np.maximum(np.maximum(chord, core[near]), core[waiting][:, None]), np.float32(FLOOR))
    within = (near >= 0) & (labels[near] >= 0) & (distance <= reach[near])
    distance = np.where(within, distance, np.inf)
    place = np.lexsort((near, distance), axis=-1)[:, :1]
    through, best = np.take_along_axis(near, place, 1)[:, 0], np.take_along_axis(distance, place, 1)[:, 0]
    hit = np.isfinite(best)
    return _Joined(waiting[hit], through[hit], best[hit].astype(np.float32))
