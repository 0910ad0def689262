"""Duplicate groups: copies and light edits of each other, never joined through a chain or over a bridge.

Components of an edge list are no groups: one wrong pair, or one text that is half of each, joins 100,000 texts with another
100,000, and in a star of copies every edge is a bridge, so cutting bridges splits what belongs together. Here copies come
first (being equal is transitive). Then components join along their best edges, the smaller into the larger, and only if
every text of the smaller verifies against the text that stands for the larger. So at every moment every member is near its
group's representative, whatever edges led there. A text is verified again only when its side is the smaller one: at most
log2(n) times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from promptscan.errors import UsageError
from promptscan.verify import Edges, Relation

SAMPLE = 50
"""Texts of a group that its medoid is chosen from and by."""

_BATCH = 1024  # groups whose medoids are chosen at a time, at most 1.3 million pairs

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Compare = Callable[[Int64, Int64], Float32]
"""Scores pairs of text ids, 0..1, such as `verify.similarity`; symmetric."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Duplicate groups, numbered from 0 by their lowest text id.

    Attributes:
        labels: group of each text, -1 for a text that is alone. int64 (n,).
        medoids: text of each group with the highest total similarity to a sample of it, ties to the lowest id.
            int64 (g,).
        worst: lowest score of all members with their medoid and of the pairs of that sample. float32 (g,).
    """

    labels: Int64
    medoids: Int64
    worst: Float32


@dataclass(slots=True)
class _Forest:
    """Components while they grow.

    Attributes:
        root: of each text, the text that stands for its component. int64 (n,).
        size: texts of the component that a root stands for. int64 (n,).
    """

    root: Int64
    size: Int64


def duplicate_groups(n: int, edges: Edges, compare: Compare, *, min_score: float, floor: float | None = None) -> Groups:
    """Group texts.

    Args:
        n: number of texts.
        edges: verified pairs, the same in any order. Copies always join; others of any kind from `min_score` on, so
            leave out kinds that do not make duplicates (`Edges.at_least`).
        compare: scores any pair of texts.
        min_score: lowest score of an edge that may join, 0..1.
        floor: lowest score of a member with its group's medoid, by default `min_score`.

    Returns:
        The groups; cost is about that of one comparison per edge and text.
    """
    floor = min_score if floor is None else floor
    if not 0 <= floor <= 1 or not 0 <= min_score <= 1:
        raise UsageError(f"scores {min_score} and {floor}: wanted 0 to 1")
    forest = _copies(n, edges)
    copies = forest.root.copy()
    distinct = np.flatnonzero(copies == np.arange(n))
    chosen = (edges.score >= np.float32(min_score)) & (edges.kind != Relation.COPY) & (edges.a != edges.b)
    pairs, score = np.stack([edges.a[chosen], edges.b[chosen]], axis=1), edges.score[chosen]
    while len(pairs):
        pairs, score = _between(forest, pairs, score)
        pairs, score = _join(forest, pairs, score, compare, floor, distinct)
    return _describe(forest, copies, compare, floor)


def _copies(n: int, edges: Edges) -> _Forest:
    """Return the components of equal texts, each with its lowest text id as root."""
    same = edges.kind == Relation.COPY
    graph = coo_array((np.ones(same.sum(), np.int8), (edges.a[same], edges.b[same])), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    _, lowest, sizes = np.unique(component, return_index=True, return_counts=True)
    root = lowest[component].astype(np.int64)
    size = np.zeros(n, np.int64)
    size[lowest] = sizes
    return _Forest(root, size)


def _between(forest: _Forest, pairs: Int64, score: Float32) -> tuple[Int64, Float32]:
    """Return the pairs that lead from one component to another, as (smaller, larger) roots, best per two components."""
    roots = forest.root[pairs]
    # the smaller side joins the larger one; of equal size, the one with the higher id joins
    size = forest.size[roots]
    swap = (size[:, 0] > size[:, 1]) | ((size[:, 0] == size[:, 1]) & (roots[:, 0] < roots[:, 1]))
    roots[swap] = roots[swap][:, ::-1]
    order = np.lexsort((-score, roots[:, 1], roots[:, 0]))
    roots, score = roots[order], score[order]
    new = np.ones(len(roots), bool)
    new[1:] = (roots[1:] != roots[:-1]).any(axis=1)
    new &= roots[:, 0] != roots[:, 1]
    return roots[new], score[new]


def _join(
    forest: _Forest, pairs: Int64, score: Float32, compare: Compare, floor: float, distinct: Int64
) -> tuple[Int64, Float32]:
    """Join components along their best pairs where every text verifies; return the pairs that are left to try."""
    if not len(pairs):
        return pairs, score
    order = np.lexsort((pairs[:, 1], -forest.size[pairs[:, 1]], -score, pairs[:, 0]))
    first = np.ones(len(order), bool)
    first[1:] = pairs[order[1:], 0] != pairs[order[:-1], 0]
    best = order[first]  # one pair per component that may join another
    joins = np.full(len(forest.root), -1, np.int64)
    joins[pairs[best, 0]] = pairs[best, 1]
    # whoever is joined to stays where it is this time, so that every text is verified against the root it ends up with
    hubs = np.zeros(len(forest.root), bool)
    hubs[_stay(pairs[best])] = True
    joins[hubs] = -1
    tried = joins[pairs[:, 0]] == pairs[:, 1]
    to = joins[forest.root[distinct]]
    members, to = distinct[to >= 0], to[to >= 0]
    failed = members[compare(members, to) < np.float32(floor)]
    joins[forest.root[failed]] = -1
    joined = np.flatnonzero(joins >= 0)
    np.add.at(forest.size, joins[joined], forest.size[joined])
    forest.root[:] = np.where(joins[forest.root] >= 0, joins[forest.root], forest.root)
    return pairs[~tried], score[~tried]


def _stay(pairs: Int64) -> Int64:
    """Return the components that others join and that must therefore not join another themselves.

    Following best pairs leads from smaller to larger components, so the end of each path stays; along a path every
    second one does.
    """
    following = dict(zip(pairs[:, 0].tolist(), pairs[:, 1].tolist(), strict=True))
    stays: dict[int, bool] = {}
    for begin in sorted(following):
        path = [begin]
        while path[-1] in following and path[-1] not in stays:
            path.append(following[path[-1]])
        stays.setdefault(path[-1], True)
        for one in reversed(path[:-1]):
            if one not in stays:
                stays[one] = not stays[following[one]]
    return np.array(sorted(one for one, stay in stays.items() if stay), np.int64)


def _describe(forest: _Forest, copies: Int64, compare: Compare, floor: float) -> Groups:
    """Number the groups, find their medoids, and verify every member against them."""
    roots, lowest, inverse, sizes = np.unique(forest.root, return_index=True, return_inverse=True, return_counts=True)
    real = np.flatnonzero(sizes > 1)
    real = real[np.argsort(lowest[real])]
    number = np.full(len(roots), -1, np.int64)
    number[real] = np.arange(len(real))
    labels = number[inverse]
    weight = np.bincount(copies, minlength=len(copies))
    distinct = np.flatnonzero((weight > 0) & (labels >= 0))
    distinct = distinct[np.argsort(labels[distinct], kind="stable")]
    bounds = np.searchsorted(labels[distinct], np.arange(len(real) + 1))
    medoids, sampled = find_medoids(distinct, bounds, weight[distinct], compare)
    return _verified(labels, distinct, medoids, roots[real], sampled, compare, floor)


def _verified(
    labels: Int64, distinct: Int64, medoids: Int64, roots: Int64, sampled: Float32, compare: Compare, floor: float
) -> Groups:
    """Keep a medoid only if every member verifies against it; the root is one that they do verify against."""
    group = labels[distinct]
    to_medoid = np.ones(len(medoids), np.float32)
    np.minimum.at(to_medoid, group, compare(distinct, medoids[group]))
    fails = to_medoid < np.float32(floor)
    again = distinct[fails[group]]
    medoids = np.where(fails, roots, medoids)
    to_medoid[fails] = 1
    np.minimum.at(to_medoid, labels[again], compare(again, medoids[labels[again]]))
    return Groups(labels, medoids, np.minimum(to_medoid, sampled))


def find_medoids(members: Int64, bounds: Int64, weight: Int64, compare: Compare) -> tuple[Int64, Float32]:
    """Choose the text that stands for each group.

    Args:
        members: text ids, group after group, ascending in each. int64 (m,).
        bounds: where each group begins in `members`, and m; no group is empty. int64 (g + 1,).
        weight: how often each was sent, or 1. int64 (m,).
        compare: scores pairs of them.

    Returns:
        For each group the member with the highest total similarity to a sample of 50 (itself of the sample, ties to the
        lowest id), int64 (g,); and the lowest score in the sample, 1 for a single member. float32 (g,).
    """
    found = [
        _medoids(members, bounds[start : start + _BATCH + 1], weight, compare)
        for start in range(0, len(bounds) - 1, _BATCH)
    ]
    medoids = np.concatenate([np.empty(0, np.int64), *(some for some, _ in found)])
    return medoids, np.concatenate([np.empty(0, np.float32), *(lowest for _, lowest in found)])


def _medoids(members: Int64, bounds: Int64, weight: Int64, compare: Compare) -> tuple[Int64, Float32]:
    """Choose the medoids of some groups with one call of `compare`."""
    samples = [_sample(start, stop, weight) for start, stop in pairwise(bounds.tolist())]
    sizes = np.array([len(sample) for sample in samples])
    begins = np.cumsum(sizes) - sizes
    kept = np.concatenate(samples)
    pairs = [_pairs(size) + begin for size, begin in zip(sizes.tolist(), begins.tolist(), strict=True)]
    first, second = np.concatenate(pairs, axis=1)
    scores = compare(members[kept[first]], members[kept[second]])
    total = weight[kept].astype(np.float64)
    np.add.at(total, first, scores * weight[kept[second]].astype(np.float64))
    np.add.at(total, second, scores * weight[kept[first]].astype(np.float64))
    group = np.repeat(np.arange(len(sizes)), sizes)
    best = np.lexsort((kept, -total, group))[begins]
    lowest = np.ones(len(sizes), np.float32)
    np.minimum.at(lowest, group[first], scores)
    return members[kept[best]], lowest


def _sample(start: int, stop: int, weight: Int64) -> Int64:
    """Return rows of a group: its most copied texts, and others spread over the ids."""
    if stop - start <= SAMPLE:
        return np.arange(start, stop)
    common = start + np.argsort(-weight[start:stop], kind="stable")[: SAMPLE // 2]
    spread = np.linspace(start, stop - 1, SAMPLE - SAMPLE // 2).round().astype(np.int64)
    return np.unique(np.concatenate([common, spread]))


@cache
def _pairs(size: int) -> Int64:
    """Return all pairs of `size` things. int64 (2, size (size - 1) / 2)."""
    return np.stack(np.triu_indices(size, 1)).astype(np.int64)
