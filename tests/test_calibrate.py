"""Calibration: thresholds follow the store's background, and no family that is half of the store moves them."""

from __future__ import annotations

import json
import random
import string
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from promptscan.calibrate import BUILT_IN, Thresholds, background_pairs, calibrate, components
from promptscan.errors import UsageError
from promptscan.rewords import Cosine, type_rewords
from promptscan.verify import Edges, Relation, verify_pairs

CHOSEN = random.Random(3)
WORDS = ["".join(CHOSEN.choices(string.ascii_lowercase, k=CHOSEN.randint(3, 9))) for _ in range(400)]


def prose(n: int) -> str:
    return " ".join(CHOSEN.choices(WORDS, k=n))


def cosine_of(vectors: NDArray[np.float64]) -> Cosine:
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return lambda a, b: np.einsum("pd,pd->p", unit[a], unit[b])


def random_cosine(n: int, seed: int = 0) -> Cosine:
    return cosine_of(np.random.default_rng(seed).normal(size=(n, 16)))


def edges_of(pairs: list[tuple[int, int]], kind: Relation = Relation.EDIT) -> Edges:
    a, b = np.array(pairs, np.int64).reshape(-1, 2).T
    return Edges(a, b, np.full(len(a), kind, np.uint8), np.ones(len(a), np.float32))


def apart(n: int) -> NDArray[np.int64]:
    return np.arange(n)


# components


def test_verified_edges_connect_and_proposals_do_not():
    related, proposed = edges_of([(0, 1), (1, 2)], Relation.TEMPLATE), edges_of([(3, 4)], Relation.REWORD)
    of_related, of_proposed = components(5, related), components(5, proposed)
    assert of_related[0] == of_related[1] == of_related[2]
    assert len(set(of_related.tolist())) == 3
    assert len(set(of_proposed.tolist())) == 5
    assert components(0, edges_of([])).tolist() == []


# background pairs


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(0, 60))
def test_pairs_are_distinct_and_of_different_components(component: list[int], wanted: int):
    labels = np.array(component, np.int64)
    pairs = background_pairs(labels, wanted=wanted, seed=1)
    groups = len(set(component))
    assert pairs.shape == (min(wanted, groups * (groups - 1) // 2), 2)
    assert pairs.dtype == np.int64
    assert (labels[pairs[:, 0]] != labels[pairs[:, 1]]).all()
    assert len({frozenset(pair) for pair in pairs.tolist()}) == len(pairs)
    assert len({*pairs.ravel().tolist()}) <= groups


def test_one_text_stands_for_a_family_that_is_half_of_the_store():
    component = np.concatenate([np.zeros(500, np.int64), np.arange(1, 501)])
    pairs = background_pairs(component, wanted=50_000)
    of_family = pairs[pairs < 500]
    assert len(set(of_family.tolist())) == 1
    assert len(of_family) / len(pairs) < 0.01


def test_pairs_depend_on_the_seed_alone():
    component = apart(3000)
    assert (background_pairs(component, wanted=1000, seed=7) == background_pairs(component, wanted=1000, seed=7)).all()
    assert (background_pairs(component, wanted=1000, seed=7) != background_pairs(component, wanted=1000, seed=8)).any()


def test_pairs_spread_over_a_large_store_and_name_few_texts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("promptscan.calibrate.BACKGROUND_TEXTS", 500)
    pairs = background_pairs(apart(200_000), wanted=20_000)
    assert len(pairs) == 20_000
    assert len(np.unique(pairs)) <= 500
    assert 90_000 < pairs.mean() < 110_000


@pytest.mark.parametrize("n", [0, 1])
def test_a_store_of_no_or_one_text_has_no_pairs(n: int):
    assert background_pairs(apart(n)).shape == (0, 2)


def test_a_negative_number_of_pairs_is_refused():
    with pytest.raises(UsageError, match="-1 background pairs"):
        background_pairs(apart(4), wanted=-1)


# calibrate


def test_unrelated_prose_leaves_the_floors_and_calibrates_the_rest():
    texts = [prose(20) for _ in range(200)]
    pairs = background_pairs(apart(200), wanted=10_000)
    cosine = random_cosine(200)
    found = calibrate(texts, cosine, pairs, false_positive_rate=1e-3)
    assert (found.edit, found.contain, found.template) == (BUILT_IN.edit, BUILT_IN.contain, BUILT_IN.template)
    assert found.pairs == 10_000
    a, b = pairs.T.copy()
    assert 5 <= (cosine(a, b) >= found.translate).sum() <= 10
    rewords = type_rewords(verify_pairs(texts, a, b), texts, cosine).at_least({Relation.REWORD: found.reword})
    assert 5 <= len(rewords.a) <= 10


def test_no_more_than_the_stated_share_of_the_background_becomes_an_edge():
    frame = prose(8)  # all texts share more than half of their words: nothing of that is a signal here
    texts = [f"{frame} {prose(5)}" for _ in range(150)]
    pairs = background_pairs(apart(150), wanted=10_000)
    cosine = random_cosine(150)
    found = calibrate(texts, cosine, pairs, false_positive_rate=1e-2)
    assert found.template > BUILT_IN.template
    edges = type_rewords(verify_pairs(texts, pairs[:, 0], pairs[:, 1]), texts, cosine)
    kept = edges.at_least(found.by_relation())
    for relation in (Relation.EDIT, Relation.CONTAIN, Relation.TEMPLATE, Relation.REWORD):
        assert (kept.kind == relation).sum() <= 1e-2 * len(pairs)


def test_a_family_that_is_half_of_the_store_does_not_move_the_thresholds():
    background = [prose(15) for _ in range(150)]
    frame = prose(25)
    family = [f"{frame} {prose(1)}" for _ in range(150)]
    texts = background + family
    star = components(300, edges_of([(150, other) for other in range(151, 300)]))
    cosine = random_cosine(300)
    alone = calibrate(background, cosine, background_pairs(apart(150), wanted=10_000), false_positive_rate=1e-3)
    guarded = calibrate(texts, cosine, background_pairs(star, wanted=10_000), false_positive_rate=1e-3)
    naive = calibrate(texts, cosine, background_pairs(apart(300), wanted=10_000), false_positive_rate=1e-3)
    assert (guarded.edit, guarded.contain, guarded.template) == (alone.edit, alone.contain, alone.template)
    assert naive.edit > guarded.edit  # the family would have been the background


def test_thresholds_fall_with_a_higher_rate():
    texts = [f"{CHOSEN.choice(['what is', 'who was', 'where is'])} {prose(1)}" for _ in range(150)]
    pairs = background_pairs(apart(150), wanted=10_000)
    strict, loose = (calibrate(texts, random_cosine(150), pairs, false_positive_rate=rate) for rate in (1e-3, 1e-1))
    assert strict.edit > loose.edit >= BUILT_IN.edit
    assert strict.reword > loose.reword


@pytest.mark.parametrize("n", [0, 1, 2, 30])
def test_a_store_too_small_for_the_rate_gets_what_is_built_in(n: int):
    texts = [prose(5) for _ in range(n)]
    found = calibrate(texts, random_cosine(max(n, 1)), background_pairs(apart(n)), false_positive_rate=1e-3)
    assert found == replace(BUILT_IN, false_positive_rate=1e-3)
    assert found.pairs == 0


def test_a_store_of_copies_has_no_background():
    texts = ["the same text again and again"] * 500
    joined = components(500, verify_pairs(texts, np.zeros(499, np.int64), np.arange(1, 500)))
    assert calibrate(texts, random_cosine(500), background_pairs(joined)).pairs == 0
    # and copies that nobody has joined are no mistakes of any kind
    found = calibrate(texts, random_cosine(500), background_pairs(apart(500), wanted=10_000), false_positive_rate=1e-3)
    assert replace(found, pairs=0) == replace(BUILT_IN, false_positive_rate=1e-3)


def test_a_whole_text_in_another_is_contained_whatever_the_background():
    texts = [f"{'please summarise the following article in one sentence'}{' x' * n}" for n in range(1, 80)]
    pairs = background_pairs(apart(len(texts)), wanted=3000)
    found = calibrate(texts, random_cosine(len(texts)), pairs, false_positive_rate=1e-2)
    assert found.contain == 1.0
    assert found.edit <= 1.0


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0, float("nan")])
def test_an_impossible_rate_is_refused(rate: float):
    with pytest.raises(UsageError, match="false-positive rate"):
        calibrate(["a", "b"], random_cosine(2), np.array([[0, 1]]), false_positive_rate=rate)


def test_thresholds_are_kept_as_json():
    found = Thresholds(0.83, 0.9, 0.5123, 0.61, 0.8, 1e-4, 100_000)
    assert Thresholds.from_dict(json.loads(json.dumps(found.to_dict()))) == found


# rewords


def test_what_verification_leaves_is_scored_by_its_words_and_its_cosine():
    texts = ["alpha beta gamma delta", "delta epsilon zeta beta alpha eta theta", "iota kappa lambda"]
    edges = verify_pairs(texts, np.array([0, 0, 0]), np.array([1, 2, 0]))
    words = edges.score.copy()
    typed = type_rewords(edges, texts, cosine_of(np.array([[1.0, 0], [0.8, 0.6], [-1.0, 0]])))
    assert typed.kind.tolist() == [Relation.REWORD, Relation.REWORD, Relation.COPY]
    assert 0 < words[0] < 1
    assert typed.score == pytest.approx([(0.8 + words[0]) / 2, words[1] / 2, 1])
    assert typed.score.dtype == np.float32


def test_a_reword_across_scripts_is_a_translation_and_scored_by_its_cosine():
    texts = [
        "What is the capital of France?",
        "Какова столица Франции?",
        "Cuál es la capital?",
        "123?",
        "法国的首都是哪里?",
    ]
    edges = verify_pairs(texts, np.array([0, 0, 0, 1]), np.array([1, 2, 3, 4]))
    typed = type_rewords(edges, texts, lambda a, _: np.full(len(a), 0.9, np.float32))
    assert typed.kind.tolist() == [Relation.TRANSLATE, Relation.REWORD, Relation.REWORD, Relation.TRANSLATE]
    assert typed.score[[0, 3]] == pytest.approx([0.9, 0.9])
    kept = typed.at_least(replace(BUILT_IN, reword=0.0, translate=0.95).by_relation())
    assert kept.b.tolist() == [2, 3]


def test_no_edges_are_no_edges():
    assert len(type_rewords(edges_of([]), [], random_cosine(1)).a) == 0
