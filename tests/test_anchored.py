"""Anchored groups: passages by the texts that share them, most explained first."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from promptscan.anchored import ANCHORED, Anchors, find_anchors
from promptscan.fingerprint import Fingerprints, fingerprints
from promptscan.matchkey import match_keys


def of(texts: list[str]) -> Anchors:
    return find_anchors(fingerprints(match_keys(pa.array(texts, pa.large_string()))))


def groups(anchors: Anchors, n: int) -> list[list[int]]:
    return [found.tolist() for found in anchors.groups(np.zeros(n, bool))]


def own_words(number: int) -> str:
    rng = np.random.default_rng(number)
    return " ".join("".join(chr(97 + letter) for letter in rng.integers(0, 26, 7)) for _ in range(60))


FRAME = "Please read the following passage with care and answer the question about it."
CASE = "The passage is from a novel of the nineteenth century, and so is the question."


def test_texts_that_share_a_passage_are_a_group_whatever_its_share():
    texts = [f"{own_words(n)} {FRAME} {own_words(99 + n)}" if n % 2 else own_words(n) for n in range(24)]
    found = groups(of(texts), 24)
    assert found[0] == list(range(1, 24, 2))
    assert all(set(group) <= set(found[0]) for group in found)


def test_fewer_texts_than_asked_for_are_no_group():
    texts = [f"{FRAME} {own_words(n)}" for n in range(ANCHORED - 1)] + [own_words(50)]
    assert groups(of(texts), len(texts)) == []


def test_a_frame_of_more_letters_in_all_comes_before_its_cases_and_takes_their_texts():
    texts = [f"{FRAME} {CASE if n < 9 else ''} {own_words(n)}" for n in range(40)]
    anchors = of(texts)
    assert groups(anchors, 40)[0] == list(range(40))
    taken = np.zeros(40, bool)
    taken[:9] = True
    assert next(anchors.groups(taken)).tolist() == list(range(9, 40))


def test_nothing_has_no_anchors():
    empty = find_anchors(Fingerprints(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int32)))
    assert groups(empty, 0) == []
    assert groups(of(["a", "b"]), 2) == []


@given(st.lists(st.sets(st.integers(0, 12), max_size=8), max_size=40))
def test_every_group_shares_a_hash_and_every_shared_hash_is_in_a_group(owned: list[set[int]]):
    hashes = np.array([value for own in owned for value in sorted(own)], np.uint64)
    texts = np.array([text for text, own in enumerate(owned) for _ in own], np.int64)
    anchors = find_anchors(Fingerprints(hashes, texts, np.zeros(len(texts), np.int32)))
    holders = {value: {text for text, own in enumerate(owned) if value in own} for value in range(13)}
    wanted = {frozenset(found) for found in holders.values() if len(found) >= ANCHORED}
    found = {frozenset(group) for group in groups(anchors, len(owned))}
    assert found == wanted
    weight = np.diff(anchors.indptr) * anchors.length
    assert (np.diff(weight) <= 0).all()
