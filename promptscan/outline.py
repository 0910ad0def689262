"""Outline: families under the looser clusters that hold several of them, out of the view `family_tree`.

The tree of clusters is condensed once more, now counted in families: where a cluster comes apart, only parts with at least two
families are clusters of the next level; a part with one family is that family leaving. So a chain that loses one family at a
time is one cluster, and levels are those at which groups of families part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FEWEST = 2  # families of a cluster that is shown


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that holds several families.

    Attributes:
        node: its node of `family_tree`, the smallest with all its families.
        parent: node of the cluster that it is a part of, None at the top.
        level: 1 at the top.
        distance: chord at which its families come apart; below it they are linked.
        size: clean texts in it at the last clustering of all texts, those of no family too.
        n_families: families in it, at any level.
        label: of its largest family.
    """

    node: int
    parent: int | None
    level: int
    distance: float | None
    size: int
    n_families: int
    label: str | None


@dataclass(frozen=True, slots=True)
class Outline:
    """Clusters of families.

    Attributes:
        clusters: by node, those above before those below.
        places: nodes of the clusters that each family is in, from the top; no node for a family that is in none.
        joined: chord at which each family meets another one, None for a family that meets none.
    """

    clusters: dict[int, Cluster]
    places: dict[str, tuple[int, ...]]
    joined: dict[str, float | None]


def outline(rows: Sequence[Mapping[str, Any]]) -> Outline:
    """Arrange families.

    Args:
        rows: of the view `family_tree` in the order of their nodes, with `label` and `n_texts` of the family.
    """
    tree = _Tree(rows)
    found = Outline({}, {}, {})
    waiting: list[tuple[int, tuple[int, ...], bool]] = [(node, (), True) for node in reversed(tree.tops)]
    while waiting:
        node, path, new = waiting.pop()
        parts = [child for child in tree.below[node] if tree.families[child]]
        own = tree.row[node]["family_id"]
        if tree.families[node] < FEWEST:
            _leave(found, tree, node, path, None)
            continue
        if len(parts) == 1 and own is None:  # nothing of interest parts here
            waiting.append((parts[0], path, new))
            continue
        distance = tree.apart(node)
        if new:
            found.clusters[node] = tree.cluster(node, path, distance)
            path = (*path, node)
        if own is not None:
            found.places[own], found.joined[own] = path, distance
        large = [child for child in parts if tree.families[child] >= FEWEST]
        for child in parts:
            if tree.families[child] < FEWEST:
                _leave(found, tree, child, path, distance)
        waiting += [(child, path, len(large) > 1) for child in reversed(large)]
    return found


def _leave(found: Outline, tree: _Tree, node: int, path: tuple[int, ...], distance: float | None) -> None:
    """Place the one family below a node."""
    family = tree.largest[node]["family_id"]
    found.places[family], found.joined[family] = path, distance


class _Tree:
    """The rows by node, with what is below each.

    Attributes:
        row: by node.
        tops: nodes without a parent that have families.
        below: nodes directly below each.
        families: number of families at or below each node.
        largest: row of the largest family at or below each node that has one.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.row = {row["node"]: row for row in rows}
        self.below: dict[int, list[int]] = defaultdict(list)
        self.families: dict[int, int] = defaultdict(int)
        self.largest: dict[int, Mapping[str, Any]] = {}
        for row in reversed(rows):  # children have higher numbers than their parents
            node, parent = row["node"], row["parent"]
            if row["family_id"] is not None:
                self.families[node] += 1
                self._compare(node, row)
            if parent is not None and self.families[node]:
                self.families[parent] += self.families[node]
                self._compare(parent, self.largest[node])
                self.below[parent].append(node)
        for nodes in self.below.values():
            nodes.reverse()
        self.tops = [row["node"] for row in rows if row["parent"] is None and self.families[row["node"]]]

    def _compare(self, node: int, row: Mapping[str, Any]) -> None:
        if node not in self.largest or (row["n_texts"] or 0) >= (self.largest[node]["n_texts"] or 0):
            self.largest[node] = row

    def apart(self, node: int) -> float | None:
        """Return the chord at which a node comes apart, else that at which it is apart itself."""
        births = [self.row[child]["birth"] for child in self.below[node] if self.row[child]["birth"] is not None]
        distance: float | None = max(births, default=self.row[node]["birth"])
        return distance

    def cluster(self, node: int, path: tuple[int, ...], distance: float | None) -> Cluster:
        """Describe a node as a cluster below those of a path."""
        return Cluster(
            node,
            path[-1] if path else None,
            len(path) + 1,
            distance,
            self.row[node]["size"],
            self.families[node],
            self.largest[node]["label"],
        )
