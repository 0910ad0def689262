from __future__ import annotations

import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from promptscan.errors import StoreError, UsageError
from promptscan.exact import exact_search, range_search, rerank
from promptscan.index import FLAT_LIMIT, VectorIndex, build_index, choose_recipe, measure_recall, tune
from promptscan.vectors import Vectors
from tests.arrays import as_vectors, clustered

RECIPES = Path(__file__).parent.parent / "indexes" / "recipes"


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return as_vectors(clustered(4000, 32), parts=3)


@pytest.fixture(scope="module", params=["flat", "ivf-rabitq"])
def index(request: pytest.FixtureRequest, vectors: Vectors) -> VectorIndex:
    built = build_index(vectors, flat_limit=10_000 if request.param == "flat" else 100)
    assert built.settings.recipe == request.param
    return tune(built, vectors, target=0.97, sample=100)[0]


def truth(queries: np.ndarray, k: int, vectors: Vectors, allowed: np.ndarray | None = None) -> np.ndarray:
    """Rows by (score descending, row ascending), from one plain sort of all scores."""
    scores = np.einsum("qd,nd->qn", queries, vectors.range(0, vectors.n))
    if allowed is not None:
        scores[:, np.setdiff1d(np.arange(vectors.n), allowed)] = -np.inf
    return np.lexsort((np.broadcast_to(np.arange(vectors.n), scores.shape), -scores), axis=-1)[:, :k]


def test_search_finds_what_a_full_sort_finds(index: VectorIndex, vectors: Vectors):
    queries = vectors.take(vectors.sample(100, seed=3))
    hits = index.search(queries, 10, vectors=vectors)
    found = (hits.rows[:, :, None] == truth(queries, 10, vectors)[:, None, :]).any(axis=2).mean()
    assert found >= 0.95
    assert hits.scores.dtype == np.float32
    assert hits.rows.dtype == np.int64


def test_scores_are_exact_cosines_in_order(index: VectorIndex, vectors: Vectors):
    queries = 3 * vectors.take(vectors.sample(20, seed=4))
    hits = index.search(queries, 15, vectors=vectors)
    cosines = np.einsum("qd,qkd->qk", queries / 3, vectors.range(0, vectors.n)[hits.rows])
    np.testing.assert_allclose(hits.scores, cosines, atol=2e-6)
    assert (np.diff(hits.scores, axis=1) <= 0).all()


@pytest.mark.parametrize("share", [0.002, 0.05, 0.5])
def test_a_filter_returns_allowed_rows_only_and_finds_them(index: VectorIndex, vectors: Vectors, share: float):
    allowed = vectors.sample(int(share * vectors.n), seed=5)
    queries = vectors.take(vectors.sample(50, seed=6))
    rows = index.search(queries, 5, vectors=vectors, allowed=allowed).rows
    assert np.isin(rows, allowed).all()
    wanted = truth(queries, 5, vectors, allowed)
    assert (rows[:, :, None] == wanted[:, None, :]).any(axis=2).mean() >= 0.9


def test_fewer_rows_than_k_are_padded(index: VectorIndex, vectors: Vectors):
    hits = index.search(vectors.take(np.array([0])), 5, vectors=vectors, allowed=np.array([3, 9]))
    assert sorted(hits.rows[0, :2]) == [3, 9]
    assert (hits.rows[0, 2:] == -1).all()
    assert np.isneginf(hits.scores[0, 2:]).all()
    assert (index.search(np.ones((1, 32)), 3, vectors=vectors, allowed=np.empty(0, np.int64)).rows == -1).all()


def test_a_zero_query_has_no_hits(index: VectorIndex, vectors: Vectors):
    queries = np.stack([np.zeros(32, np.float32), vectors.take(np.array([1]))[0]])
    hits = index.search(queries, 4, vectors=vectors)
    assert (hits.rows[0] == -1).all()
    assert hits.rows[1, 0] == 1
    assert range_search(queries[0], -1, vectors=vectors).total == 0


def test_search_leaves_the_index_as_it_is(index: VectorIndex, vectors: Vectors):
    before = index.to_bytes()
    index.search(vectors.take(np.array([0])), 5, vectors=vectors, allowed=np.arange(0, 4000, 2))
    assert index.to_bytes() == before


def test_an_index_survives_its_bytes(index: VectorIndex, vectors: Vectors):
    again = VectorIndex.from_bytes(index.to_bytes(), asdict(index.settings))
    queries = vectors.take(vectors.sample(20, seed=7))
    np.testing.assert_array_equal(
        again.search(queries, 10, vectors=vectors).rows, index.search(queries, 10, vectors=vectors).rows
    )
    assert again.settings == index.settings


def test_damaged_bytes_are_a_store_error(index: VectorIndex):
    data, settings = index.to_bytes(), asdict(index.settings)
    for broken in (b"", data[:3], data[: len(data) // 2], b"\0" * 100):
        with pytest.raises(StoreError, match="build the index again"):
            VectorIndex.from_bytes(broken, settings)
    with pytest.raises(StoreError, match="build the index again"):
        VectorIndex.from_bytes(data, {**settings, "n": 17})
    with pytest.raises(StoreError, match="build the index again"):
        VectorIndex.from_bytes(data, {"unknown": 1})


def test_wrong_queries_and_vectors_are_refused(index: VectorIndex, vectors: Vectors):
    with pytest.raises(UsageError, match="wanted"):
        index.search(np.ones((1, 31)), 5, vectors=vectors)
    with pytest.raises(UsageError, match="k >= 1"):
        index.search(np.ones((1, 32)), 0, vectors=vectors)
    with pytest.raises(UsageError, match="build the index again"):
        index.search(np.ones((1, 32)), 5, vectors=as_vectors(clustered(10, 32)))


def test_recall_is_measured_against_exact_search_and_can_be_bad(vectors: Vectors):
    built = build_index(vectors, flat_limit=100)
    poor = replace(built, settings=replace(built.settings, nprobe=1, candidates=12))
    tuned, recall = tune(built, vectors, target=0.97, sample=100)
    assert measure_recall(poor, vectors, sample=100).recall < 0.8
    assert recall.recall >= 0.97
    assert tuned.settings.nprobe > 1
    assert measure_recall(build_index(vectors), vectors, sample=100).recall == 1.0


def test_new_rows_are_added_to_a_copy_and_found(vectors: Vectors):
    old_rows = Vectors([vectors.range(0, 3000).astype(np.float16)])
    for flat_limit in (100, 10_000):
        old = build_index(old_rows, flat_limit=flat_limit)
        new = build_index(vectors, previous=old, flat_limit=flat_limit)
        assert (old.settings.n, new.settings.n, new.settings.trained_n) == (3000, 4000, 3000)
        assert old.faiss_index.ntotal == 3000
        assert measure_recall(tune(new, vectors, sample=100)[0], vectors, sample=100).recall > 0.95


def test_centroids_are_trained_anew_when_the_rows_outgrew_them(vectors: Vectors):
    old = build_index(Vectors([vectors.range(0, 900).astype(np.float16)]), flat_limit=100)
    assert build_index(vectors, previous=old, flat_limit=100).settings.trained_n == 4000


def test_ties_break_by_row():
    rows = np.repeat(clustered(4, 16), 25, axis=0)
    vectors = as_vectors(rows)
    hits = build_index(vectors).search(rows[:1], 12, vectors=vectors)
    np.testing.assert_array_equal(hits.rows[0], np.arange(12))
    np.testing.assert_array_equal(exact_search(rows[30:31], 12, vectors).rows[0], np.arange(25, 37))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_tiny_stores_can_be_indexed(n: int):
    vectors = as_vectors(clustered(n, 8))
    index = build_index(vectors)
    rows = index.search(np.ones((1, 8)), 3, vectors=vectors).rows[0]
    assert (rows >= 0).sum() == n
    assert measure_recall(index, vectors).recall == 1.0


def test_a_range_is_complete_or_says_that_it_was_cut(vectors: Vectors):
    query = vectors.take(np.array([11]))[0]
    scores = np.einsum("nd,d->n", vectors.range(0, vectors.n), query)
    wanted = np.flatnonzero(scores >= 0.2)
    everything = range_search(query, 0.2, vectors=vectors)
    np.testing.assert_array_equal(np.sort(everything.rows), wanted)
    assert (everything.truncated, everything.total) == (False, len(wanted))
    cut = range_search(query, 0.2, vectors=vectors, limit=7)
    np.testing.assert_array_equal(cut.rows, everything.rows[:7])
    assert (cut.truncated, cut.total) == (True, len(wanted))


def test_a_range_respects_the_filter(vectors: Vectors):
    query, allowed = vectors.take(np.array([11]))[0], np.arange(0, 4000, 3)
    whole = range_search(query, 0.4, vectors=vectors).rows
    np.testing.assert_array_equal(
        range_search(query, 0.4, vectors=vectors, allowed=allowed).rows, whole[whole % 3 == 0]
    )


def test_a_score_does_not_depend_on_the_other_candidates(vectors: Vectors):
    query = vectors.take(np.array([5]))
    alone = rerank(query, np.array([[99]]), 1, vectors).scores[0, 0]
    among = rerank(query, np.arange(200)[None], 200, vectors)
    assert among.scores[0][among.rows[0] == 99][0] == alone


def test_recipe_files_agree_with_the_code():
    recipes = {path.stem: tomllib.loads(path.read_text()) for path in RECIPES.glob("*.toml")}
    assert set(recipes) == {"flat", "ivf-rabitq"}
    for n in (1, 1000, FLAT_LIMIT - 1, FLAT_LIMIT, 1_000_000, 30_000_000):
        chosen = choose_recipe(n, 256)
        recipe = recipes[chosen.recipe]
        assert recipe["factory"].format(d=256, nlist=chosen.nlist) == chosen.factory
        assert recipe["from"] <= n < recipe.get("below", n + 1)
