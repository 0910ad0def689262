"""Verification by whole arrays says what comparing one pair after the other by the definitions says."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz import fuzz
from rapidfuzz.distance import Indel, LCSseq

from promptscan import verify
from promptscan.pieces import PASSAGE_WORDS
from promptscan.verify import CONTAIN, EDIT, PASSAGE_CHARS, SHARED_WORDS, TEMPLATE, Comparison, Relation
from promptscan.words import TOKEN

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]


def defined(x: str, y: str) -> tuple[Relation, float]:
    """Compare two short texts by the definitions of the relations, words as they are."""
    if x == y:
        return Relation.COPY, 1.0
    near = Indel.normalized_similarity(x, y)
    if np.float32(near) >= np.float32(EDIT):
        return Relation.EDIT, near
    short, long = sorted((x, y), key=len)
    if len(short) >= PASSAGE_CHARS and short in long:
        return Relation.CONTAIN, 1.0
    a, b = TOKEN.findall(x.casefold()), TOKEN.findall(y.casefold())
    number = {word: chr(0x100 + i) for i, word in enumerate(sorted({*a, *b}))}
    p, q = "".join(number[word] for word in a), "".join(number[word] for word in b)
    partial = fuzz.partial_ratio(p, q) / 100
    if len(short) >= PASSAGE_CHARS and np.float32(partial) >= np.float32(CONTAIN):
        return Relation.CONTAIN, partial
    blocks = LCSseq.editops(p, q).as_matching_blocks()
    shared = sum(block.size for block in blocks if block.size >= PASSAGE_WORDS)
    shorter = min(len(a), len(b))
    if shared >= SHARED_WORDS and shared >= TEMPLATE * shorter:
        return Relation.TEMPLATE, shared / shorter
    return Relation.REWORD, Indel.normalized_similarity(p, q)


def sentences(seed: int, n: int) -> list[str]:
    """Return texts that share passages, hold each other and differ in a few letters."""
    chosen = random.Random(seed)
    texts = [" ".join(chosen.choices(WORDS, k=chosen.randint(1, 14))) for _ in range(n)]
    for _ in range(n):
        a, b = chosen.choice(texts), chosen.choice(texts)
        texts.append(chosen.choice([f"{a} {b}", a[: len(a) // 2] + b, a.replace("a", "e", 2), a[3:-2], f"{b} {a} {b}"]))
    return texts


@pytest.mark.parametrize("seed", range(4))
def test_every_pair_is_what_the_definitions_say(seed: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(verify, "_PAIRS", 64)
    texts = sentences(seed, 20)
    a, b = np.array(list(combinations(range(len(texts)), 2))).T
    edges = Comparison(texts).verify(a, b)
    expected = [defined(texts[x], texts[y]) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert edges.kind.tolist() == [kind for kind, _ in expected]
    assert edges.score.tolist() == pytest.approx([score for _, score in expected], abs=1e-6)
    assert len(set(edges.kind.tolist())) >= 4


@given(st.lists(st.text("ab c", max_size=40), min_size=2, max_size=6))
def test_a_second_comparison_of_the_same_texts_says_the_same(texts: list[str]):
    a, b = np.triu_indices(len(texts), 1)
    comparison = Comparison(texts, workers=1)
    first = comparison.verify(a, b)
    again, other = comparison.verify(a, b), Comparison(texts, workers=3).verify(a, b)
    assert first.kind.tolist() == again.kind.tolist() == other.kind.tolist()
    assert first.score.tolist() == again.score.tolist() == other.score.tolist()
    assert comparison.shared_wording(a, b).tolist() == Comparison(texts).shared_wording(a, b).tolist()


def test_an_edit_at_the_threshold_is_an_edit():
    text = "abcdefghij" * 2
    changed = text[:16] + "wxyz"  # 16 of 20 letters are left: 0.8, which floats round down in some orders
    assert Relation(Comparison([text, changed]).verify(np.array([0]), np.array([1])).kind[0]) is Relation.EDIT


def test_a_text_cut_inside_a_word_is_found_in_the_other():
    long = "the quick brown foxes jumped over all of the lazy dogs of the village and ran far away into woods"
    short = long[6:44]
    edges = Comparison([short, long]).verify(np.array([0]), np.array([1]))
    assert (Relation(edges.kind[0]), float(edges.score[0])) == (Relation.CONTAIN, 1.0)
