"""Hierarchy: the looser clusters that families lie in, kept from the condensed tree of a whole clustering.

A family is a union of clusters and templates, so it need not be a cluster. It stands at the selected cluster that holds more
than half of its texts, else at the smallest cluster that does, else at the root; and it is that cluster if more than half of the
cluster's texts are its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.clustering import Clustering, Float64
from promptscan.vectors import Int64

ROOT = -1


@dataclass(frozen=True, slots=True)
class ClusterTree:
    """The clusters of a condensed tree; parents come before their children.

    Attributes:
        parent: int64 (c,), the cluster above, `ROOT` for none.
        birth: float64 (c,), chord below which it is apart from the rest of its parent.
        size: int64 (c,), rows in it.
        selected: int64 (labels,), the cluster that each label is.
        rows: int64 (n,), the smallest cluster that each row is ever in, `ROOT` for none.
        first: int64 (c,), place of each cluster in a walk that comes to parents first.
        last: int64 (c,), place of the last cluster below it, or its own.
    """

    parent: Int64
    birth: Float64
    size: Int64
    selected: Int64
    rows: Int64
    first: Int64
    last: Int64


def read_tree(clustering: Clustering) -> ClusterTree:
    """Take the clusters out of a condensed tree."""
    tree, n = clustering.tree, len(clustering.labels)
    below, points = tree.child > n, tree.child < n
    order = np.argsort(tree.child[below], kind="stable")
    parent = tree.parent[below][order].astype(np.int64) - (n + 1)
    rows = np.full(n, ROOT, dtype=np.int64)
    rows[tree.child[points]] = tree.parent[points].astype(np.int64) - (n + 1)
    birth, size = 1 / tree.lambdas[below][order], tree.sizes[below][order].astype(np.int64)
    unlabelled = ClusterTree(parent, birth, size, np.empty(0, dtype=np.int64), rows, *_walk(parent))
    labels = clustering.labels.astype(np.int64)
    return replace(unlabelled, selected=smallest_holding(unlabelled, labels, np.bincount(labels[labels >= 0]))[0])


def _walk(parent: Int64) -> tuple[Int64, Int64]:
    """Return `first` and `last` of a `ClusterTree`; each step needs those before, so these are plain loops over clusters."""
    above, count = parent.tolist(), len(parent)
    below = [1] * (count + 1)  # the last one is the root's, which -1 reads
    for cluster in range(count - 1, -1, -1):
        below[above[cluster]] += below[cluster]
    free = [0] * (count + 1)
    first = [0] * count
    for cluster in range(count):
        first[cluster] = free[above[cluster]]
        free[above[cluster]] += below[cluster]
        free[cluster] = first[cluster] + 1
    started = np.asarray(first, dtype=np.int64)
    return started, started + np.asarray(below[:count], dtype=np.int64) - 1


def smallest_holding(tree: ClusterTree, groups: Int64, need: Int64) -> tuple[Int64, Int64]:
    """Find the smallest cluster with enough rows of each group.

    Args:
        tree: clusters.
        groups: int64 (n,), group of each row from 0, -1 for none.
        need: int64 (groups,), how many rows are enough: more than half of the group's, so that there is one such cluster at most
            on each level, and one smallest.

    Returns:
        int64 (groups,), the cluster, `ROOT` for none; and how many of the group's rows it has, 0 for none.
    """
    member = (groups >= 0) & (tree.rows != ROOT)
    count = len(need)
    width = len(tree.parent) + 1
    keys = np.sort(groups[member] * width + tree.first[tree.rows[member]])
    starts = np.searchsorted(keys, np.arange(count + 1) * width)
    clusters, held = np.full(count, ROOT, dtype=np.int64), np.zeros(count, dtype=np.int64)
    active = np.flatnonzero(np.diff(starts) >= need)
    by_place = np.argsort(tree.first)
    middle = keys[starts[active] + need[active] - 1] - active * width  # every run of `need` of the sorted rows has it
    at = by_place[middle]
    while len(active):
        low = np.searchsorted(keys, active * width + tree.first[at])
        inside = np.searchsorted(keys, active * width + tree.last[at], side="right") - low
        enough = inside >= need[active]
        clusters[active[enough]], held[active[enough]] = at[enough], inside[enough]
        active, at = active[~enough], tree.parent[at[~enough]]
        active, at = active[at != ROOT], at[at != ROOT]
    return clusters, held


def place_families(tree: ClusterTree, labels: Int64, families: int) -> tuple[Int64, NDArray[np.bool_]]:
    """Find where each family stands.

    Args:
        tree: clusters.
        labels: int64 (n,), family of each row, -1 for none.
        families: how many there are.

    Returns:
        int64 (families,), its cluster, `ROOT` for none; and bool (families,), whether the family is that cluster.
    """
    sizes = np.bincount(labels[labels >= 0], minlength=families)
    place, _ = smallest_holding(tree, labels, sizes // 2 + 1)
    chosen = tree.selected[np.argsort(tree.first[tree.selected])]
    if len(chosen):
        at = tree.first[place]
        nearest = chosen[np.maximum(np.searchsorted(tree.first[chosen], at, side="right") - 1, 0)]
        within = (place != ROOT) & (tree.first[nearest] <= at) & (at <= tree.last[nearest])
        place = np.where(within, nearest, place)
    standing = np.append(place, ROOT)[labels]
    below = (standing != ROOT) & (tree.rows != ROOT) & (labels >= 0)
    at = tree.first[tree.rows[below]]
    inside = (tree.first[standing[below]] <= at) & (at <= tree.last[standing[below]])
    held = np.bincount(labels[below][inside], minlength=families)
    return place, (place != ROOT) & (2 * held > tree.size[place])


def family_nodes(tree: ClusterTree, labels: Int64, names: Sequence[str]) -> pa.Table:
    """Write clusters and families as rows of the base table `family_nodes`; names are those of the labels, in order.

    A family that is no cluster has a row of its own, without a birth, below the cluster where it stands.
    """
    count = len(tree.parent)
    if not count:
        place, is_cluster = np.full(len(names), ROOT, dtype=np.int64), np.zeros(len(names), dtype=bool)
    else:
        place, is_cluster = place_families(tree, labels, len(names))
    of_cluster = np.full(count, ROOT, dtype=np.int64)
    of_cluster[place[is_cluster]] = np.flatnonzero(is_cluster)
    apart = np.flatnonzero(~is_cluster)
    sizes = np.bincount(labels[labels >= 0], minlength=len(names))
    parent, family = np.concatenate([tree.parent, place[apart]]), np.concatenate([of_cluster, apart])
    births = np.concatenate([tree.birth, np.full(len(apart), np.nan)])
    return pa.table(
        {
            "node": pa.array(np.arange(count + len(apart))),
            "parent": pa.array(parent, mask=parent == ROOT),
            "birth": pa.array(births, mask=np.isnan(births)),
            "size": pa.array(np.concatenate([tree.size, sizes[apart]]).astype(np.int64)),
            "family_id": pa.array(list(names), pa.string()).take(pa.array(family, mask=family == ROOT)),
        }
    )
