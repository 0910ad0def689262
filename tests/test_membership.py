"""New texts go to known families first; what is left is clustered, and nothing known moves."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from promptscan.assign import assign
from promptscan.cells import update_cells
from promptscan.clustering import CAP
from promptscan.graph import Graph
from promptscan.membership import Groupings, Membership, find_all, find_new
from promptscan.neighbours import extend_graph
from promptscan.regions import GROWTH, find_regions, grown_rows
from promptscan.rules import FamilyRules
from promptscan.vectors import unit
from tests.arrays import as_vectors

Int64 = NDArray[np.int64]
RULES = FamilyRules(min_family_size=5, min_samples=4, min_copies=20)


def graph_of(rows: NDArray[np.float32]) -> Graph:
    vectors = as_vectors(rows)
    return Graph.of([extend_graph(vectors, None, cells=update_cells(vectors), k=10)], k=10)


def around(centre: int, count: int, *, spread: float = 0.2, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed + 1000 * centre)
    middle = unit(np.random.default_rng(centre).standard_normal((1, 32)))
    return unit(middle + spread * rng.standard_normal((count, 32)) / np.sqrt(32))


def stale_rows(graph: Graph, probes: Int64, first_new: int) -> NDArray[np.bool_]:
    return grown_rows(find_regions(graph, probes), first_new)


def nothing(n: int) -> Int64:
    return np.full(n, -1, dtype=np.int64)


def known(rows: NDArray[np.float32], n: int) -> Membership:
    """The families of the first rows, with the others, up to n, as noise."""
    found = find_all(graph_of(rows), nothing(len(rows)), RULES)
    more = n - len(rows)
    return Membership(
        np.concatenate([found.labels, nothing(more)]),
        np.concatenate([found.probabilities, np.zeros(more)]),
        np.concatenate([found.reach, np.zeros(more, np.float32)]),
        found.with_template,
    )


def extended(
    old: NDArray[np.float32], new: NDArray[np.float32], templates: Int64 | None = None, probes: Int64 | None = None
) -> Membership:
    rows = np.concatenate([old, new])
    n = len(rows)
    templates = nothing(n) if templates is None else templates
    groups = Groupings(templates, nothing(n), templates if probes is None else probes)
    return find_new(
        graph_of(rows),
        known(old, n),
        groups,
        RULES,
        first_new=len(old),
        stale=stale_rows(graph_of(rows), groups.probes, len(old)),
    )


TWO = np.concatenate([around(1, 30), around(2, 30)])


def test_what_is_like_a_family_joins_it_and_nothing_known_moves():
    before = known(TWO, 60).labels
    found = extended(TWO, np.concatenate([around(1, 10, seed=1), around(2, 5, seed=1)]))
    assert found.families == before.max() + 1 == 2
    assert (found.labels[:60] == before)[before >= 0].all()
    joined = found.labels[60:]
    assert set(joined[:10].tolist()) <= {before[0], -1}
    assert set(joined[10:].tolist()) <= {before[30], -1}
    assert (joined >= 0).mean() > 0.5
    assert ((found.probabilities > 0) == (found.labels >= 0)).all()


def test_what_is_like_nothing_known_becomes_a_family_of_its_own():
    found = extended(TWO, around(3, 12))
    assert found.families == 3
    assert (found.labels[60:] == 2).sum() >= 10
    assert not found.with_template.any()


def test_a_follower_is_no_looser_than_what_it_follows():
    rows = np.concatenate([TWO, around(1, 40, spread=0.9, seed=5)])
    before = known(TWO, len(rows))
    found = assign(
        graph_of(rows), before.labels, before.reach, (), first_new=60, min_samples=RULES.min_samples, cap=CAP
    )
    loosest = before.reach.max()
    assert (found.reach <= loosest).all()
    assert (found.labels[60:] < 0).any()


def test_old_noise_waits_until_new_texts_lead_to_it():
    old = np.concatenate([TWO, around(3, 4)])
    assert (known(old, 64).labels[60:] == -1).all()
    found = extended(old, around(3, 4, seed=1))
    assert found.families == 3
    assert (found.labels[60:] == 2).sum() >= 7
    alone = extended(old, around(4, 4))
    assert (alone.labels[60:] == -1).all()


@pytest.mark.parametrize(("in_family", "follows"), [(30, True), (12, False)])
def test_texts_follow_their_template_into_the_family_that_most_of_it_is_in(in_family: int, follows: bool):
    far = np.concatenate([around(centre, 1) for centre in range(10, 14)])
    old = np.concatenate([TWO, far[:2]])
    templates = nothing(64)
    templates[:in_family] = templates[62:] = 0
    templates[30 : 30 + 30 - in_family] = 0
    found = extended(old, far[2:], templates)
    first = found.labels[0] if follows else found.labels[30]
    assert (found.labels[62:] == first).all()
    assert found.with_template[first]


def test_a_halo_of_a_known_family_is_no_family():
    halo = around(1, 30, spread=0.55, seed=9)
    found = extended(TWO, halo)
    assert found.families == 2


def partition(labels: Int64) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == family).tolist()) for family in np.unique(labels[labels >= 0])}


@pytest.mark.parametrize("seed", range(5))
def test_what_has_grown_is_what_it_would_be_at_once(seed: int):
    rng = np.random.default_rng(seed)
    rows = np.concatenate([around(centre, 40, spread=spread) for centre, spread in ((1, 0.2), (2, 0.5), (3, 0.8))])
    rows = np.concatenate([rows, around(1, 40, spread=0.7, seed=1), around(4, 40, spread=2.0)])
    rows = rows[rng.permutation(len(rows))]
    templates = np.where(rng.random(len(rows)) < 0.2, rng.integers(3, size=len(rows)), -1)
    n = 120
    at_once = find_all(graph_of(rows), templates, RULES)
    before = find_all(graph_of(rows[:n]), templates[:n], RULES)
    padded = Membership(
        np.concatenate([before.labels, nothing(len(rows) - n)]),
        np.concatenate([before.probabilities, np.zeros(len(rows) - n)]),
        np.concatenate([before.reach, np.zeros(len(rows) - n, np.float32)]),
        before.with_template,
    )
    stale = stale_rows(graph_of(rows), templates, n)
    groups = Groupings(templates, nothing(len(rows)), templates)
    found = find_new(graph_of(rows), padded, groups, RULES, first_new=n, stale=stale)
    assert stale.mean() > 0.5
    assert partition(np.where(stale, found.labels, -1)) == partition(np.where(stale, at_once.labels, -1))
    assert np.allclose(found.probabilities[stale], at_once.probabilities[stale])
    assert sorted(set(found.labels.tolist()) - {-1}) == list(range(found.families))


def test_a_family_whose_region_hardly_grew_is_left_as_it_was():
    old = np.concatenate([around(1, 32), around(2, 30)])  # 32 and 33 lie between the same powers of 1.05
    rows = np.concatenate([old, around(1, 1, spread=0.1, seed=1)])
    assert not stale_rows(graph_of(rows), nothing(63), 62).any()
    before = known(old, 63)
    found = extended(old, rows[62:])
    assert (found.labels[:62] == before.labels[:62]).all()
    assert (found.reach[:62] == before.reach[:62]).all()
    assert found.labels[62] == before.labels[0]


def test_one_text_after_another_costs_a_region_few_clusterings():
    rows = around(1, 120, spread=0.1)
    graphs = [graph_of(rows[:n]) for n in range(20, 121)]
    times = sum(bool(stale_rows(graph, nothing(graph.n), graph.n - 1).any()) for graph in graphs)
    assert times == pytest.approx(np.log(120 / 20) / np.log(GROWTH), abs=2)


def test_templates_join_regions_and_distance_parts_them():
    rows = np.concatenate([TWO, around(2, 6, seed=1)])
    stale = stale_rows(graph_of(rows), nothing(66), 60)
    assert stale[30:].all()
    assert not stale[:30].any()
    templates = nothing(66)
    templates[[0, 65]] = 0
    assert stale_rows(graph_of(rows), templates, 60).all()


def test_nothing_and_no_new_texts():
    found = extended(TWO, TWO[:0])
    assert (found.labels == known(TWO, 60).labels).all()
    empty = find_all(Graph(np.empty((0, 10), np.int32), np.empty((0, 10), np.float32)), nothing(0), RULES)
    assert (len(empty.labels), empty.families) == (0, 0)
