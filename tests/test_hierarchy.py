"""The hierarchy of families: where each stands in the condensed tree, and the outline that a person reads."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from promptscan.clustering import CAP, cluster_graph
from promptscan.graph import Graph
from promptscan.hierarchy import ROOT, ClusterTree, family_nodes, place_families, read_tree, smallest_holding
from promptscan.membership import find_all
from promptscan.outline import Outline, outline
from promptscan.rules import FamilyRules
from promptscan.vectors import unit
from tests.arrays import clustered
from tests.test_membership import graph_of, nothing

Int64 = NDArray[np.int64]


def nested_rows(seed: int = 0) -> NDArray[np.float32]:
    """Groups of groups: five loose ones of six tight ones each, smaller than what a row has neighbours, and noise."""
    rng = np.random.default_rng(seed)
    loose = np.repeat(unit(rng.standard_normal((5, 24))), 6, axis=0)
    tight = unit(loose + 0.3 * rng.standard_normal(loose.shape) / np.sqrt(24))
    rows = np.repeat(tight, 8, axis=0)
    rows = rows + 0.12 * rng.standard_normal(rows.shape) / np.sqrt(24)
    return unit(np.concatenate([rows, rng.standard_normal((60, 24))]).astype(np.float32))


def tree_of(rows: NDArray[np.float32], **options: float) -> tuple[ClusterTree, Int64]:
    clustering = cluster_graph(graph_of(rows), min_samples=4, **options)  # type: ignore[arg-type]
    return read_tree(clustering), clustering.labels.astype(np.int64)


def rows_of(tree: ClusterTree) -> list[set[int]]:
    """The rows of each cluster, found by climbing from each row."""
    inside: list[set[int]] = [set() for _ in tree.parent]
    for row, node in enumerate(tree.rows.tolist()):
        at = node
        while at != ROOT:
            inside[at].add(row)
            at = int(tree.parent[at])
    return inside


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cap", [CAP, None])
def test_clusters_hold_as_many_rows_as_they_say(seed: int, cap: float | None):
    tree, labels = tree_of(nested_rows(seed), cap=cap)  # type: ignore[arg-type]
    inside = rows_of(tree)
    assert len(tree.parent) > 5
    assert [len(rows) for rows in inside] == tree.size.tolist()
    assert (tree.parent < np.arange(len(tree.parent))).all()
    below = tree.parent != ROOT
    assert (tree.birth[below] <= tree.birth[tree.parent[below]]).all()
    for label, node in enumerate(tree.selected.tolist()):
        assert inside[node] == set(np.flatnonzero(labels == label).tolist())
    for node, (first, last) in enumerate(zip(tree.first.tolist(), tree.last.tolist(), strict=True)):
        held = {other for other in range(len(inside)) if first <= tree.first[other] <= last}
        assert held == {other for other in range(len(inside)) if inside[other] <= inside[node] and inside[other]}


@given(st.integers(0, 4), st.integers(1, 9), st.integers(0, 1000))
def test_the_smallest_cluster_that_holds_a_group_is_found(seed: int, groups: int, draw: int):
    tree, _ = KNOWN[seed % len(KNOWN)]
    rng = np.random.default_rng(draw)
    mine = rng.integers(-1, groups, len(tree.rows))
    near = np.argsort(tree.rows, kind="stable")  # so that groups are not only spread at random
    mine[near[10:60]] = 0
    sizes = np.bincount(mine[mine >= 0], minlength=groups)
    found, held = smallest_holding(tree, mine, sizes // 2 + 1)
    for group in range(groups):
        members = set(np.flatnonzero(mine == group).tolist())
        enough = [node for node, rows in enumerate(INSIDE[seed % len(KNOWN)]) if 2 * len(rows & members) > len(members)]
        best = min(enough, key=lambda node: tree.size[node], default=ROOT)
        assert found[group] == best
        assert held[group] == (len(INSIDE[seed % len(KNOWN)][best] & members) if best != ROOT else 0)


KNOWN = [tree_of(nested_rows(seed)) for seed in range(2)]
INSIDE = [rows_of(tree) for tree, _ in KNOWN]


def test_clusters_that_are_families_stand_where_they_were_selected():
    tree, labels = KNOWN[0]
    place, is_cluster = place_families(tree, labels, len(tree.selected))
    assert place.tolist() == tree.selected.tolist()
    assert is_cluster.all()


def test_a_family_of_two_clusters_stands_above_both_and_a_small_one_below_its_cluster():
    tree, labels = KNOWN[0]
    a, b = next(
        (a, b)
        for a in range(len(tree.selected))
        for b in range(a)
        if tree.parent[tree.selected[a]] == tree.parent[tree.selected[b]] != ROOT
    )
    mine = np.where((labels == a) | (labels == b), 0, -1)
    mine[np.flatnonzero(labels == a)[:2]] = 1
    mine[np.flatnonzero(labels == b)[:2]] = -1
    mine[np.flatnonzero(tree.rows == ROOT)[:3]] = 2
    place, is_cluster = place_families(tree, mine, 3)
    assert place.tolist() == [tree.parent[tree.selected[a]], tree.selected[a], ROOT]
    assert is_cluster.tolist()[1:] == [False, False]
    nodes = family_nodes(tree, mine, ["F-1", "F-2", "F-3"]).to_pylist()
    assert Counter(row["family_id"] for row in nodes if row["family_id"]) == {"F-1": 1, "F-2": 1, "F-3": 1}
    own = {row["family_id"]: row for row in nodes[len(tree.parent) :]}
    assert (own["F-2"]["parent"], own["F-2"]["birth"], own["F-2"]["size"]) == (tree.selected[a], None, 2)
    assert (own["F-3"]["parent"], own["F-3"]["size"]) == (None, 3)


def test_no_clusters_and_no_families():
    empty = Graph(np.empty((0, 10), np.int32), np.empty((0, 10), np.float32))
    tree = find_all(empty, nothing(0), FamilyRules(5, 4, 20)).tree
    assert tree is not None
    assert family_nodes(tree, nothing(0), []).num_rows == 0
    tree, _ = tree_of(clustered(50, noise=1.0))
    lone = nothing(50)
    lone[7] = 0
    assert family_nodes(tree, lone, ["F-9"]).to_pylist()[-1]["family_id"] == "F-9"


def node(number: int, parent: int | None, birth: float | None, size: int, family: int | None = None) -> dict[str, Any]:
    name = None if family is None else f"F-{family}"
    return {
        "node": number, "parent": parent, "birth": birth, "size": size, "family_id": name, "n_texts": size, "label": name and f"label of {name}",
    }  # fmt: skip


CHAIN = [
    node(0, None, 0.5, 100),
    node(1, 0, 0.4, 80), node(2, 0, 0.4, 10, 1),
    node(3, 1, 0.3, 60), node(4, 1, 0.3, 15, 2),
    node(5, 3, 0.2, 30, 3), node(6, 3, 0.2, 20, 4),
    node(7, None, 0.5, 9, 5),
]  # fmt: skip
SPLIT = [
    node(0, None, 0.5, 100),
    node(1, 0, 0.4, 50), node(2, 0, 0.4, 40), node(3, 0, 0.4, 8, 1),
    node(4, 1, 0.3, 20, 2), node(5, 1, 0.3, 30, 3),
    node(6, 2, 0.35, 20, 4), node(7, 2, 0.35, 15), node(8, 7, None, 5, 5),
]  # fmt: skip


class TestOutline:
    """Families under clusters, as `families --depth` shows them."""

    def test_a_chain_that_loses_one_family_at_a_time_is_one_cluster(self):
        found = outline(CHAIN)
        assert {name: (one.level, one.distance, one.size, one.n_families) for name, one in found.clusters.items()} == {
            0: (1, 0.4, 100, 4)
        }
        assert found.clusters[0].label == "label of F-3"
        assert found.places == {"F-1": (0,), "F-2": (0,), "F-3": (0,), "F-4": (0,), "F-5": ()}
        assert found.joined == {"F-1": 0.4, "F-2": 0.3, "F-3": 0.2, "F-4": 0.2, "F-5": None}

    def test_parts_with_several_families_each_are_the_next_level(self):
        found = outline(SPLIT)
        assert {name: (one.parent, one.level, one.n_families) for name, one in found.clusters.items()} == {
            0: (None, 1, 5),
            1: (0, 2, 2),
            2: (0, 2, 2),
        }
        assert found.places == {"F-1": (0,), "F-2": (0, 1), "F-3": (0, 1), "F-4": (0, 2), "F-5": (0, 2)}

    def test_a_family_that_is_a_cluster_holds_those_that_stand_in_it(self):
        found = outline([node(0, None, 0.5, 30, 1), node(1, 0, None, 6, 2)])
        assert found.places == {"F-1": (0,), "F-2": (0,)}
        assert (found.clusters[0].distance, found.joined["F-2"]) == (0.5, 0.5)

    def test_nothing(self):
        assert outline([]) == Outline({}, {}, {})
        assert outline([node(0, None, 0.5, 30)]) == Outline({}, {}, {})

    @given(st.lists(st.tuples(st.integers(-1, 30), st.booleans()), max_size=30))
    def test_every_family_has_one_place_and_clusters_count_theirs(self, drawn: list[tuple[int, bool]]):
        rows = [
            node(
                number, parent if -1 < parent < number else None, 0.5 / (number + 1), 9, number if has_family else None
            )
            for number, (parent, has_family) in enumerate(drawn)
        ]
        found = outline(rows)
        families = [row["family_id"] for row in rows if row["family_id"]]
        assert sorted(found.places) == sorted(found.joined) == sorted(families)
        for number, cluster in found.clusters.items():
            inside = [name for name, path in found.places.items() if number in path]
            assert len(inside) == cluster.n_families >= 2
            above = found.clusters.get(cluster.parent) if cluster.parent is not None else None
            assert cluster.level == (above.level + 1 if above else 1)
        for path in found.places.values():
            assert [found.clusters[number].parent for number in path] == [None, *path[:-1]][: len(path)]
