from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptscan import neighbours
from promptscan.cells import Cells, cells_for, update_cells
from promptscan.errors import StoreError, UsageError
from promptscan.graph import Graph, GraphDelta
from promptscan.neighbours import extend_graph, measure
from promptscan.vectors import Vectors
from tests.arrays import as_vectors, clustered


def full_graph(vectors: Vectors, *, k: int = 8, cells: int | None = None, **options: object) -> Graph:
    delta = extend_graph(vectors, None, cells=update_cells(vectors, cells=cells), k=k, **options)  # type: ignore[arg-type]
    return Graph.of([delta], k=k)


def truth(vectors: Vectors, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours and chords by one plain sort of all distances."""
    rows = vectors.range(0, vectors.n)
    chords = np.sqrt(np.square(rows[:, None] - rows[None]).sum(axis=2))
    np.fill_diagonal(chords, np.inf)
    chords[~rows.any(axis=1)] = np.inf
    chords[:, ~rows.any(axis=1)] = np.inf
    order = np.lexsort((np.broadcast_to(np.arange(len(rows)), chords.shape), chords), axis=-1)[:, :k]
    nearest = np.take_along_axis(chords, order, axis=1)
    return np.where(np.isfinite(nearest), order, -1), nearest


@given(n=st.integers(0, 60), k=st.integers(1, 9), seed=st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_one_cell_gives_the_exact_graph(n: int, k: int, seed: int):
    vectors = as_vectors(clustered(n, 6, groups=3, seed=seed), parts=2)
    graph = full_graph(vectors, k=k)
    rows, chords = truth(vectors, k)
    width = rows.shape[1] if n else 0
    np.testing.assert_allclose(graph.distances[:, :width], chords, atol=1e-6)
    assert (graph.neighbours[:, width:] == -1).all()
    assert np.mean(graph.neighbours[:, :width] == rows) > 0.99 if n else True


def test_many_cells_find_nearly_all_neighbours():
    vectors = as_vectors(clustered(6000, 32, groups=60), parts=3)
    quality = measure(full_graph(vectors, k=16, cells=80), vectors, sample=400)
    assert quality.intersection >= 0.95
    assert quality.close >= 0.999
    assert quality.close_pairs > 100


def test_measure_sees_what_is_missing():
    vectors = as_vectors(clustered(3000, 32, groups=30))
    poor = full_graph(vectors, k=16, cells=60, probes=1)
    assert measure(poor, vectors, sample=300).intersection < 0.9
    assert measure(full_graph(vectors, k=16), vectors, sample=300).intersection == 1.0


@pytest.mark.parametrize("cells", [1, 40])
def test_extending_day_by_day_gives_the_graph_of_all_rows(cells: int):
    vectors = as_vectors(clustered(3000, 32, groups=30))
    whole = update_cells(vectors, cells=cells)
    deltas: list[GraphDelta] = []
    for n in (1500, 2200, 2230, 3000):
        part = Vectors([vectors.parts[0][:n]])
        old = Graph.of(deltas, k=8) if deltas else None
        known = Cells(whole.centroids, whole.assignment[:n], 3000)
        deltas.append(extend_graph(part, old, cells=known, k=8))
    graph = Graph.of(deltas, k=8)
    wanted = Graph.of([extend_graph(vectors, None, cells=whole, k=8)], k=8)
    if cells == 1:
        np.testing.assert_array_equal(graph.neighbours, wanted.neighbours)
        np.testing.assert_array_equal(graph.distances, wanted.distances)
    assert measure(graph, vectors).intersection >= measure(wanted, vectors).intersection - 0.01


def test_a_delta_holds_only_what_is_new():
    vectors = as_vectors(clustered(400, 16))
    old = Vectors([vectors.parts[0][:390]])
    first = extend_graph(old, None, cells=update_cells(old), k=5)
    second = extend_graph(vectors, Graph.of([first], k=5), cells=update_cells(vectors), k=5)
    assert (second.first_row, len(second.indptr), len(second.indices)) == (390, 11, 50)
    assert second.reverse_source.max() < 390
    assert second.reverse_target.min() >= 390
    kth = Graph.of([first], k=5).distances[second.reverse_source, -1]
    assert (second.reverse_distance < kth).all()
    nothing = extend_graph(vectors, Graph.of([first, second], k=5), cells=update_cells(vectors), k=5)
    assert (len(nothing.indptr), len(nothing.reverse_source)) == (1, 0)


def test_the_graph_does_not_depend_on_the_number_of_threads():
    vectors = as_vectors(clustered(2000, 32))
    one, three = (full_graph(vectors, cells=25, threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(one.neighbours, three.neighbours)
    np.testing.assert_array_equal(one.distances, three.distances)


def test_zero_rows_have_no_neighbours_and_are_nobodys():
    rows = clustered(300, 16)
    rows[[0, 77, 299]] = 0
    for cells in (1, 12):
        graph = full_graph(as_vectors(rows), k=4, cells=cells)
        assert (graph.neighbours[[0, 77, 299]] == -1).all()
        assert np.isinf(graph.distances[[0, 77, 299]]).all()
        assert not np.isin(graph.neighbours, [0, 77, 299]).any()


def test_no_text_is_its_own_neighbour_and_edges_are_ordered():
    graph = full_graph(as_vectors(clustered(500, 16)), cells=10)
    source, target, distance = graph.edges()
    assert (source != target).all()
    assert (np.lexsort((target, distance, source)) == np.arange(len(source))).all()
    assert distance.dtype == np.float32


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_fewer_texts_than_k(n: int):
    graph = full_graph(as_vectors(clustered(n, 8)), k=16)
    assert graph.neighbours.shape == (n, 16)
    assert (graph.neighbours >= 0).sum() == n * (n - 1)


def test_all_rows_zero():
    graph = full_graph(as_vectors(np.zeros((5, 8), np.float32)))
    assert (graph.neighbours == -1).all()


def test_copies_are_at_distance_zero_and_go_by_row():
    rows = np.repeat(clustered(3, 16), 10, axis=0)
    graph = full_graph(as_vectors(rows), k=4)
    assert (graph.distances == 0).all()
    np.testing.assert_array_equal(graph.neighbours[0], [1, 2, 3, 4])
    np.testing.assert_array_equal(graph.neighbours[25], [20, 21, 22, 23])


def test_a_cell_of_copies_is_bounded_and_stays_connected(monkeypatch: pytest.MonkeyPatch):
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    monkeypatch.setattr(neighbours, "_MAX_MEMBERS", 64)
    monkeypatch.setattr(neighbours, "_MAX_QUERIES", 100)
    rows = np.concatenate([np.repeat(clustered(1, 16), 1000, axis=0), clustered(500, 16, seed=1)])
    graph = full_graph(as_vectors(rows), k=4, cells=10)
    assert (graph.distances[:1000] == 0).all()
    source, target, _ = graph.edges()
    copies = (source < 1000) & (target < 1000)
    matrix = coo_array((np.ones(copies.sum()), (source[copies], target[copies])), shape=(1000, 1000))
    assert connected_components(matrix, directed=False)[0] == 1


def test_a_stopped_build_is_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(neighbours, "_UNIT_ROWS", 100)
    vectors = as_vectors(clustered(700, 16))
    cells = update_cells(vectors, cells=8)
    done: list[int] = []

    class StoppedError(Exception):
        pass

    def stop_in_the_middle(rows: int, of: int) -> None:
        done.append(rows)
        if rows > of // 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        extend_graph(vectors, None, cells=cells, scratch=tmp_path, progress=stop_in_the_middle)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    resumed = extend_graph(vectors, None, cells=cells, scratch=tmp_path)
    assert len(written) == len(done) < len(list(tmp_path.iterdir()))
    assert all(path.stat().st_mtime_ns == time for path, time in written.items())
    fresh = extend_graph(vectors, None, cells=cells)
    np.testing.assert_array_equal(resumed.indices, fresh.indices)
    np.testing.assert_array_equal(resumed.distances, fresh.distances)


def test_units_of_other_vectors_are_not_taken_up(tmp_path: Path):
    for seed in (1, 2):
        vectors = as_vectors(clustered(300, 16, seed=seed))
        extend_graph(vectors, None, cells=update_cells(vectors), scratch=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_cells_are_kept_until_the_rows_have_doubled(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("promptscan.cells.BRUTE_FORCE_ROWS", 100)
    vectors = as_vectors(clustered(2500, 16))
    small = update_cells(Vectors([vectors.parts[0][:1000]]))
    grown = update_cells(Vectors([vectors.parts[0][:2000]]), small)
    assert (small.trained_n, grown.trained_n) == (1000, 1000)
    np.testing.assert_array_equal(grown.centroids, small.centroids)
    np.testing.assert_array_equal(grown.assignment[:1000], small.assignment)
    assert update_cells(vectors, grown).trained_n == 2500
    with pytest.raises(UsageError, match="never taken away"):
        update_cells(Vectors([vectors.parts[0][:999]]), small)


def test_a_crowded_cell_is_split():
    rng = np.random.default_rng(0)
    crowd = clustered(1, 16) + 0.02 * rng.standard_normal((4000, 16))
    rows = np.concatenate([crowd, clustered(1000, 16, noise=1.0)]).astype(np.float32)
    sizes = np.bincount(update_cells(as_vectors(rows), cells=50).assignment)
    assert sizes.max() < 4000 / 3


def test_every_row_is_in_its_nearest_cell():
    vectors = as_vectors(clustered(800, 16))
    cells = update_cells(vectors, cells=20)
    nearest = (vectors.range(0, 800) @ cells.centroids.T).argmax(axis=1)
    assert (nearest == cells.assignment).mean() > 0.999
    members, starts = cells.members()
    assert (cells.assignment[members[starts[3] : starts[4]]] == 3).all()
    assert cells_for(20_000) == 1
    assert cells_for(1_000_000) == 1000


def test_graph_parts_that_do_not_fit_are_refused():
    vectors = as_vectors(clustered(50, 8))
    delta = extend_graph(vectors, None, cells=update_cells(vectors), k=4)
    with pytest.raises(StoreError, match="wanted 50"):
        Graph.of([delta, delta], k=4)
    with pytest.raises(UsageError, match="50 vectors"):
        extend_graph(vectors, None, cells=update_cells(as_vectors(clustered(40, 8))), k=4)
