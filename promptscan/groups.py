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

EXACT = 50
"""Distinct texts of a group up to which all its pairs are compared: the medoid and the worst pair are exact."""

SAMPLE = 32
"""Texts of a larger group that its medoid is chosen from and by; of 32 there are 496 pairs, of 50 there would be 1,225."""

FAR = 16
"""Members of a larger group, those least like its medoid, that are compared with each other for the worst pair."""

NONE = -1

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
        medoids: text of each group with the highest total similarity to its texts, or to a sample of more than 50
            distinct ones; ties to the lowest id. int64 (g,).
        worst: score of the pair of members that are least alike. Exact up to 50 distinct texts. In a larger group the
            lowest score of: every member with the medoid; the pairs of the sample; the pairs of the 16 members that are
            least like the medoid. Its true worst pair may be worse. float32 (g,).
    """

    labels: Int64
    medoids: Int64
    worst: Float32


@dataclass(slots=True)
class _Forest:
    """Components while they grow.

    Attributes:
        root: of each text, the text that stands for its component; of copies, kept up to date for the first. int64 (n,).
        size: texts of the component that a root stands for. int64 (n,).
        scratch: room for a number per text, `NONE` between uses. int64 (n,).
    """

    root: Int64
    size: Int64
    scratch: Int64


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
    chosen = (edges.score >= np.float32(min_score)) & (edges.kind != Relation.COPY) & (edges.a != edges.b)
    pairs, score = np.stack([edges.a[chosen], edges.b[chosen]], axis=1), edges.score[chosen]
    active = np.flatnonzero(copies == np.arange(n))
    while len(pairs):
        pairs, score = _between(forest, pairs, score)
        active = _concerned(forest, pairs, active)
        pairs, score = _join(forest, pairs, score, compare, floor, active)
    forest.root[:] = forest.root[copies]
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
    return _Forest(root, size, np.full(n, NONE, np.int64))


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


def _concerned(forest: _Forest, pairs: Int64, active: Int64) -> Int64:
    """Return the texts of components that pairs are left of: late rounds are many and concern few."""
    concerned = forest.scratch
    concerned[pairs] = 1
    active = active[concerned[forest.root[active]] == 1]
    concerned[pairs] = NONE
    return active


def _join(
    forest: _Forest, pairs: Int64, score: Float32, compare: Compare, floor: float, active: Int64
) -> tuple[Int64, Float32]:
    """Join components along their best pairs where every text verifies; return the pairs that are left to try."""
    if not len(pairs):
        return pairs, score
    order = np.lexsort((pairs[:, 1], -forest.size[pairs[:, 1]], -score, pairs[:, 0]))
    first = np.ones(len(order), bool)
    first[1:] = pairs[order[1:], 0] != pairs[order[:-1], 0]
    best = pairs[order[first]]  # one pair per component that may join another
    joins = forest.scratch
    joins[best[:, 0]] = best[:, 1]
    # whoever is joined to stays where it is this time, so that every text is verified against the root it ends up with
    joins[_stay(best)] = NONE
    tried = joins[pairs[:, 0]] == pairs[:, 1]
    to = joins[forest.root[active]]
    members, to = active[to != NONE], to[to != NONE]
    failed = members[compare(members, to) < np.float32(floor)]
    joins[forest.root[failed]] = NONE
    joined = best[joins[best[:, 0]] != NONE]
    np.add.at(forest.size, joined[:, 1], forest.size[joined[:, 0]])
    to = joins[forest.root[active]]
    forest.root[active[to != NONE]] = to[to != NONE]
    joins[best[:, 0]] = NONE
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
    near = compare(distinct, medoids[group])
    fails = _lowest(near, group, len(medoids)) < np.float32(floor)
    again = fails[group]
    medoids = np.where(fails, roots, medoids)
    near[again] = compare(distinct[again], medoids[group[again]])
    worst = np.minimum(_lowest(near, group, len(medoids)), sampled)
    return Groups(labels, medoids, np.minimum(worst, _worst_of_far(distinct, group, near, len(medoids), compare)))


def _lowest(scores: Float32, group: Int64, n: int) -> Float32:
    """Return the lowest score of each group, 1 where there is none."""
    lowest = np.ones(n, np.float32)
    np.minimum.at(lowest, group, scores)
    return lowest


def _worst_of_far(members: Int64, group: Int64, near: Float32, n: int, compare: Compare) -> Float32:
    """Return the lowest score among the members of each sampled group that are farthest from its medoid, 1 for others."""
    sizes = np.bincount(group, minlength=n)
    begins = (np.cumsum(sizes) - sizes)[sizes > EXACT]
    order = np.lexsort((members, near, group))
    first, second = (members[order[(begins[:, None] + side).ravel()]] for side in _pairs(FAR))
    which = np.repeat(np.flatnonzero(sizes > EXACT), _pairs(FAR).shape[1])
    return _lowest(compare(first, second), which, n)


def find_medoids(members: Int64, bounds: Int64, weight: Int64, compare: Compare) -> tuple[Int64, Float32]:
    """Choose the text that stands for each group.

    Args:
        members: text ids, group after group, ascending in each. int64 (m,).
        bounds: where each group begins in `members`, and m; no group is empty. int64 (g + 1,).
        weight: how often each was sent, or 1. int64 (m,).
        compare: scores pairs of them.

    Returns:
        For each group the member with the highest total similarity to all members, of more than 50 to a sample of 32
        (itself of the sample); ties to the lowest id. int64 (g,). And the lowest score of those pairs, 1 for a single
        member. float32 (g,).
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
    return members[kept[best]], _lowest(scores, group[first], len(sizes))


def _sample(start: int, stop: int, weight: Int64) -> Int64:
    """Return rows of a group: its most copied texts, and others spread over the ids."""
    if stop - start <= EXACT:
        return np.arange(start, stop)
    common = start + np.argsort(-weight[start:stop], kind="stable")[: SAMPLE // 2]
    spread = np.linspace(start, stop - 1, SAMPLE - SAMPLE // 2).round().astype(np.int64)
    return np.unique(np.concatenate([common, spread]))


@cache
def _pairs(size: int) -> Int64:
    """Return all pairs of `size` things. int64 (2, size (size - 1) / 2)."""
    return np.stack(np.triu_indices(size, 1)).astype(np.int64)
