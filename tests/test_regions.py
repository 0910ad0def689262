"""Regions: grown by new texts they are those of the whole graph, or larger where a link was displaced, and never smaller."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from promptscan.cells import update_cells
from promptscan.graph import Graph
from promptscan.neighbours import extend_graph
from promptscan.regions import GROWTH, LARGE, LARGE_GROWTH, find_regions, grown_rows
from promptscan.vectors import Int64, Vectors, unit


def graph_of(rows: np.ndarray[tuple[int, int], np.dtype[np.float32]], k: int = 4) -> Graph:
    vectors = Vectors([rows.astype(np.float16)])
    return Graph.of([extend_graph(vectors, None, cells=update_cells(vectors), k=k)], k=k)


def same(a: Int64, b: Int64) -> bool:
    """Tell whether two numberings part the rows alike."""
    pairs = np.unique(np.stack([a, b], axis=1), axis=0)
    return len(pairs) == len(np.unique(a)) == len(np.unique(b))


def clouds(seed: int, each: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    rng = np.random.default_rng(seed)
    rows = [rng.standard_normal((1, 16)) + 0.3 * rng.standard_normal((each, 16)) for _ in range(8)]
    return unit(rng.permutation(np.concatenate(rows)))


@pytest.mark.parametrize("seed", range(6))
def test_extended_regions_hold_those_of_the_whole_graph(seed: int):
    rows = clouds(seed, 12)
    rng = np.random.default_rng(seed)
    probes = np.where(rng.random(len(rows)) < 0.1, rng.integers(4, size=len(rows)), -1)
    parts = [20, 50, 51, len(rows)]
    regions = None
    for stop in parts:
        graph = graph_of(rows[:stop])
        regions = find_regions(graph, probes[:stop], regions)
        whole = find_regions(graph, probes[:stop])
        assert all(len(np.unique(regions[whole == region])) == 1 for region in np.unique(whole))
    assert regions is not None
    assert len(regions) == len(rows)


def test_without_displaced_links_extending_and_finding_are_the_same():
    rows = clouds(3, 12)
    probes = np.full(len(rows), -1, np.int64)
    k = len(rows)  # every link is kept
    before = find_regions(graph_of(rows[:60], k), probes[:60])
    whole = graph_of(rows, k)
    assert same(find_regions(whole, probes, before), find_regions(whole, probes))


def test_a_large_region_is_grown_less_often():
    def times(first: int, last: int) -> int:
        sizes = np.arange(first, last + 1, max(1, first // 500))
        regions = [np.zeros(size, np.int32) for size in sizes.tolist()]
        return sum(
            bool(grown_rows(now, len(before)).any()) for before, now in pairwise(regions)
        )

    assert times(1_000, 2_000) == pytest.approx(np.log(2) / np.log(GROWTH), abs=1)
    assert times(LARGE, 2 * LARGE) == pytest.approx(np.log(2) / np.log(LARGE_GROWTH), abs=1)


def test_nothing_and_nothing_new():
    empty = Graph(np.empty((0, 4), np.int32), np.empty((0, 4), np.float32))
    assert len(find_regions(empty, np.empty(0, np.int64))) == 0
    graph = graph_of(clouds(0, 4))
    probes = np.full(graph.n, -1, np.int64)
    known = find_regions(graph, probes)
    assert same(find_regions(graph, probes, known), known)
    assert not grown_rows(known, graph.n).any()
