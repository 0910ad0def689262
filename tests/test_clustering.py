from __future__ import annotations

import hdbscan
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptscan.cells import update_cells
from promptscan.clustering import Clustering, CondensedTree, cluster_graph
from promptscan.errors import UsageError
from promptscan.graph import Graph
from promptscan.neighbours import extend_graph
from promptscan.vectors import unit
from tests.arrays import as_vectors, clustered

Rows = np.ndarray


def complete(rows: Rows, k: int | None = None) -> Graph:
    """The graph with all other rows (or the k nearest) as neighbours, from float64 distances."""
    chords = np.sqrt(np.square(rows[:, None].astype(float) - rows[None]).sum(axis=2))
    np.fill_diagonal(chords, np.inf)
    order = np.argsort(chords, axis=1, kind="stable")[:, : len(rows) - 1 if k is None else k]
    return Graph(order.astype(np.int32), np.take_along_axis(chords, order, axis=1))  # type: ignore[arg-type]


def built(rows: Rows, k: int = 10) -> Graph:
    vectors = as_vectors(rows.astype(np.float32))
    return Graph.of([extend_graph(vectors, None, cells=update_cells(vectors), k=k)], k=k)


def partition(labels: Rows) -> Rows:
    """bool (n, n): which rows share a cluster; a noise row shares none, not even with itself."""
    return (labels[:, None] == labels[None]) & (labels >= 0)[:, None]


def at_a_border(tree: CondensedTree) -> Rows:
    """bool (n,): rows that reach several clusters at one distance. They are in none; HDBSCAN puts them into either."""
    n = int((tree.sizes == 1).sum())
    splits = {(p, lam) for p, c, lam in zip(tree.parent, tree.child, tree.lambdas, strict=True) if c > n}
    border = np.zeros(n, dtype=bool)
    border[
        [c for p, c, lam in zip(tree.parent, tree.child, tree.lambdas, strict=True) if c < n and (p, lam) in splits]
    ] = True
    return border


def of_groups(sizes: list[int], *, d: int = 16, spread: float = 0.05, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    centres = np.repeat(unit(rng.standard_normal((len(sizes), d))), sizes, axis=0)
    return unit(centres + spread * rng.standard_normal(centres.shape) / np.sqrt(d))


def integer_grid(seed: int) -> Rows:
    """Rows with very many equal distances: corners of a small lattice, before scaling."""
    rng = np.random.default_rng(seed)
    return unit(rng.integers(0, 3, size=(150, 4)) * 2 - 1 + 0.0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("min_cluster_size", "min_samples"), [(5, 5), (8, 4), (15, 10)])
def test_labels_equal_hdbscan_wherever_row_order_does_not_decide(seed: int, min_cluster_size: int, min_samples: int):
    rows = clustered(400, 8, groups=6, seed=seed).astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    result = cluster_graph(
        complete(rows), min_cluster_size=min_cluster_size, min_samples=min_samples, floor=1e-9, cap=None
    )
    ours, tree = partition(result.labels), result.tree
    always, never = np.ones_like(ours), np.ones_like(ours)
    rng = np.random.default_rng(seed)
    for _ in range(
        12
    ):  # ties at split distances are broken by row order there: only what survives shuffles is an answer
        order = rng.permutation(len(rows))
        labels = np.empty(len(rows), dtype=int)
        labels[order] = (
            hdbscan.HDBSCAN(
                min_cluster_size=min_cluster_size, min_samples=min_samples, metric="euclidean", algorithm="prims_kdtree"
            )
            .fit(rows[order])
            .labels_
        )
        always &= partition(labels)
        never &= ~partition(labels)
    inner = ~at_a_border(tree)
    assert ours[np.ix_(inner, inner)][always[np.ix_(inner, inner)]].all()
    assert not ours[never].any()
    assert inner.mean() > 0.97
    assert (always | never).mean() > 0.9
    assert always.sum() > 1000


@given(seed=st.integers(0, 10_000), tied=st.booleans(), cap=st.sampled_from([None, 0.5, 0.9]))
@settings(max_examples=30, deadline=None)
def test_the_partition_does_not_depend_on_the_order_of_the_rows(seed: int, tied: bool, cap: float | None):
    rows = integer_grid(seed) if tied else clustered(150, 4, groups=5, seed=seed).astype(float)
    order = np.random.default_rng(seed).permutation(len(rows))
    options = {"min_cluster_size": 4, "min_samples": 3, "floor": 1e-3, "cap": cap}
    first = cluster_graph(complete(rows), **options)  # type: ignore[arg-type]
    shuffled = cluster_graph(complete(rows[order]), **options)  # type: ignore[arg-type]
    np.testing.assert_array_equal(partition(first.labels)[np.ix_(order, order)], partition(shuffled.labels))
    np.testing.assert_allclose(first.probabilities[order], shuffled.probabilities, rtol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_rebuilding_the_graph_from_shuffled_vectors_gives_the_same_partition(seed: int):
    rows = clustered(600, 16, groups=12, seed=seed)
    rows = np.concatenate([rows, np.repeat(rows[:20], 3, axis=0)])  # with copies
    order = np.random.default_rng(seed).permutation(len(rows))
    first, shuffled = (cluster_graph(built(r), cap=1.0).labels for r in (rows, rows[order]))
    np.testing.assert_array_equal(partition(first)[np.ix_(order, order)], partition(shuffled))
    assert first.max() >= 5


def test_labels_are_numbered_by_smallest_row():
    labels = cluster_graph(built(of_groups([30, 20, 40])[::-1])).labels
    _, first = np.unique(labels[labels >= 0], return_index=True)
    assert (np.diff(first) > 0).all()
    assert labels.dtype == np.int32


def test_no_rows():
    result = cluster_graph(Graph(np.empty((0, 16), np.int32), np.empty((0, 16), np.float32)))
    assert len(result.labels) == len(result.probabilities) == len(result.exemplar_rows) == len(result.tree.child) == 0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_fewer_rows_than_a_cluster_are_noise(n: int):
    result = cluster_graph(built(of_groups([n])), min_cluster_size=4)
    assert (result.labels == -1).all()
    assert (result.probabilities == 0).all()


def test_all_noise():
    rows = np.eye(60)  # all at the same distance, beyond the cap
    result = cluster_graph(complete(rows), cap=1.0)
    assert (result.labels == -1).all()
    assert len(result.exemplar_rows) == 0


def test_one_dense_component_is_one_cluster_under_a_cap_and_none_without():
    graph = built(of_groups([60]))
    capped = cluster_graph(graph, cap=1.0, floor=0.3)
    assert (capped.labels == 0).all()
    assert (capped.probabilities == 1).all()
    assert (cluster_graph(graph, cap=None, floor=0.3).labels == -1).all()


def test_two_far_blobs_are_two_clusters_with_and_without_a_cap():
    graph = built(of_groups([40, 50]))
    for cap in (None, 0.8):
        labels = cluster_graph(graph, cap=cap).labels
        assert (np.bincount(labels + 1)[1:] >= [36, 45]).all()
        assert set(labels[:40]) <= {0, -1}
        assert set(labels[40:]) <= {1, -1}


def test_identical_vectors_are_one_cluster_of_certain_members():
    result = cluster_graph(built(np.repeat(of_groups([1]), 300, axis=0)))
    assert (result.labels == 0).all()
    assert (result.probabilities == 1).all()
    assert np.isfinite(result.tree.lambdas).all()


def test_a_cluster_of_half_the_rows():
    rows = np.concatenate([of_groups([500]), clustered(500, 16, noise=1.0, seed=3)])
    labels = cluster_graph(built(rows), floor=0.1).labels
    assert (labels[:500] == 0).mean() > 0.95
    assert (labels[500:] == 0).sum() == 0


def test_ten_thousand_isolated_components():
    count, size = 10_000, 8
    chord = np.random.default_rng(0).uniform(0.1, 0.2, (count, size, size))
    chord = np.maximum(chord, chord.transpose(0, 2, 1))
    chord[:, np.arange(size), np.arange(size)] = np.inf
    order = np.argsort(chord, axis=2)[:, :, :-1]
    distances = np.take_along_axis(chord, order, axis=2).reshape(-1, size - 1).astype(np.float32)
    neighbours = (order + size * np.arange(count)[:, None, None]).reshape(-1, size - 1).astype(np.int32)
    result = cluster_graph(Graph(neighbours, distances), floor=0.3, min_cluster_size=size)
    np.testing.assert_array_equal(result.labels, np.repeat(np.arange(count), size))


def test_a_row_without_neighbours_is_noise_and_harms_nobody():
    rows = of_groups([30, 30])
    rows[[4, 50]] = 0
    labels = cluster_graph(built(rows)).labels
    assert (labels[[4, 50]] == -1).all()
    assert labels.max() == 1


def test_edges_count_in_both_directions():
    rows = of_groups([25, 25], spread=0.3)
    graph = built(rows, k=6)
    one_way = graph.neighbours.copy(), graph.distances.copy()
    for row in range(50):  # keep an edge in the direction from the larger row only
        keep = graph.neighbours[row] < row
        one_way[0][row] = np.append(graph.neighbours[row][keep], np.full(6 - keep.sum(), -1))
        one_way[1][row] = np.append(graph.distances[row][keep], np.full(6 - keep.sum(), np.inf))
    both = graph.neighbours[graph.neighbours[:, 0]]
    assert both.shape == (50, 6)
    labels = cluster_graph(Graph(*one_way), min_samples=1).labels
    assert labels[0] >= 0
    assert labels.max() >= 1


def test_nothing_beyond_the_cap_is_linked():
    rows = of_groups([30, 30], spread=0.4)
    result = cluster_graph(built(rows), cap=0.1, floor=0.01)
    assert (result.labels == -1).all()


def exemplars(result: Clustering, label: int) -> Rows:
    return result.exemplar_rows[result.exemplar_indptr[label] : result.exemplar_indptr[label + 1]]


def test_exemplars_are_certain_members_of_every_cluster():
    result = cluster_graph(built(clustered(800, 16, groups=10)), cap=1.0)
    assert result.labels.max() >= 5
    assert len(result.exemplar_indptr) == result.labels.max() + 2
    for label in range(result.labels.max() + 1):
        chosen = exemplars(result, label)
        assert len(chosen) > 0
        assert (result.labels[chosen] == label).all()
        assert (result.probabilities[chosen] == 1).all()


@pytest.mark.parametrize("cap", [None, 0.9])
def test_the_tree_holds_every_row_once_and_sizes_add_up(cap: float | None):
    rows = clustered(500, 8, groups=6)
    tree = cluster_graph(complete(rows), cap=cap, floor=1e-6).tree
    n = len(rows)
    np.testing.assert_array_equal(np.sort(tree.child[tree.child < n]), np.arange(n))
    assert len(np.unique(tree.child)) == len(tree.child)
    inside = {n: 0}
    for parent, child, size in sorted(zip(tree.parent.tolist(), tree.child.tolist(), tree.sizes.tolist(), strict=True)):
        inside[parent] = inside.get(parent, 0) + size
        assert (child < n) == (size == 1)
    assert inside[n] == n
    for child, size in zip(tree.child.tolist(), tree.sizes.tolist(), strict=True):
        assert child < n or inside[child] == size
    birth = dict(zip(tree.child.tolist(), tree.lambdas.tolist(), strict=True))
    assert all(birth[p] <= lam for p, lam in zip(tree.parent.tolist(), tree.lambdas.tolist(), strict=True) if p != n)


@pytest.mark.parametrize(
    "options",
    [{"min_cluster_size": 1}, {"min_samples": 0}, {"min_samples": 11}, {"floor": 0.0}, {"floor": 0.9, "cap": 0.8}],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, float]):
    with pytest.raises(UsageError, match="wanted"):
        cluster_graph(built(of_groups([30])), **options)  # type: ignore[arg-type]
