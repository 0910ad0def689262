"""Duplicates: pairs are what their texts say, and neither a bridge nor a chain makes a group."""

from __future__ import annotations

import random
import string
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from promptscan.errors import UsageError
from promptscan.groups import EXACT, Groups, duplicate_groups, find_medoids
from promptscan.verify import CONTAIN, EDIT, Edges, Relation, shared_wording, similarity, threshold_at, verify_pairs

DUPLICATES = {Relation.COPY: 1.0, Relation.EDIT: 0.0}
CHOSEN = random.Random(11)


def prose(n: int) -> str:
    return " ".join("".join(CHOSEN.choices(string.ascii_lowercase, k=CHOSEN.randint(2, 9))) for _ in range(n))


def typos(text: str, n: int) -> str:
    letters = list(text)
    for place in CHOSEN.sample(range(len(letters)), n):
        letters[place] = "#"
    return "".join(letters)


def pair(a: str, b: str) -> tuple[Relation, float]:
    edges = verify_pairs([a, b], np.array([0]), np.array([1]))
    return Relation(edges.kind[0]), float(edges.score[0])


def star(*hubs_and_ends: tuple[int, range]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    a = np.concatenate([np.full(len(ends), hub) for hub, ends in hubs_and_ends])
    return a, np.concatenate([np.arange(ends.start, ends.stop) for _, ends in hubs_and_ends])


def grouped(texts: list[str], a: NDArray[np.int64], b: NDArray[np.int64], min_score: float = EDIT) -> Groups:
    edges = verify_pairs(texts, a, b)
    return duplicate_groups(len(texts), edges, lambda x, y: similarity(texts, x, y), min_score=min_score)


def every_pair(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    a, b = np.triu_indices(n, 1)
    return a, b


# pairs


def test_equal_texts_are_copies():
    assert pair("hello there", "hello there") == (Relation.COPY, 1)
    assert pair("", "") == (Relation.COPY, 1)


def test_a_few_typos_are_an_edit():
    text = prose(40)
    relation, score = pair(text, typos(text, 10))
    assert relation is Relation.EDIT
    assert EDIT <= score < 1


def test_a_passage_inside_a_longer_text_is_contained():
    passage = prose(20)
    assert pair(passage, f"{prose(60)} {passage} {prose(60)}") == (Relation.CONTAIN, 1)
    nearly = passage.split()
    nearly[7] = "changed"
    relation, score = pair(f"{prose(60)} {' '.join(nearly)} {prose(60)}", passage)
    assert relation is Relation.CONTAIN
    assert CONTAIN <= score < 1


def test_a_passage_deep_in_a_million_characters_is_contained():
    passage = prose(20)
    assert pair(passage, "x" * 500_000 + passage + "y" * 500_000) == (Relation.CONTAIN, 1)


def test_a_word_inside_a_text_is_not_contained():
    assert pair("hello", f"hello {prose(30)}")[0] is Relation.REWORD


def test_one_frame_with_different_contents_is_a_template():
    frame = prose(30)
    relation, score = pair(f"{frame} {prose(20)}", f"{frame} {prose(25)}")
    assert relation is Relation.TEMPLATE
    assert 0.55 < score < 0.7


def test_unrelated_texts_are_not_verified():
    relation, score = pair(prose(40), prose(40))
    assert relation is Relation.REWORD
    assert score < 0.2


def test_very_long_texts_are_compared_by_their_ends():
    x = "x" * 1_000_000
    assert pair(x, x + "y")[0] is Relation.EDIT
    assert pair(x, "y" * 1_000_000) == (Relation.REWORD, 0)
    assert pair("a b " * 250_000, "中" * 1_000_000) == (Relation.REWORD, 0)


def test_texts_of_no_one_and_two_words():
    texts = ["", "a", "a b", "b a", "\ud800"]
    a, b = every_pair(len(texts))
    edges = verify_pairs(texts, a, b)
    assert ((edges.score >= 0) & (edges.score <= 1)).all()
    assert (edges.kind != Relation.COPY).all()


@given(st.lists(st.text("ab ", max_size=60), min_size=2, max_size=5))
def test_relations_are_symmetric_and_scores_shares(texts: list[str]):
    a, b = every_pair(len(texts))
    there, back = verify_pairs(texts, a, b), verify_pairs(texts, b, a)
    assert there.kind.tolist() == back.kind.tolist()
    assert there.score.dtype == np.float32
    assert ((there.score >= 0) & (there.score <= 1)).all()
    assert [texts[i] == texts[j] for i, j in zip(a, b, strict=True)] == (there.kind == Relation.COPY).tolist()


def test_edges_are_chosen_again_without_the_texts():
    zero = np.zeros(4, np.int64)
    edges = Edges(zero, zero, np.array([0, 1, 1, 2], np.uint8), np.array([1, 0.8, 0.9, 1], np.float32))
    assert edges.at_least({Relation.COPY: 1, Relation.EDIT: 0.9}).score.tolist() == pytest.approx([1, 0.9])


@pytest.mark.parametrize(("a", "b"), [([0], [0, 1]), ([0], [2]), ([-1], [0])])
def test_pairs_of_no_texts_are_refused(a: list[int], b: list[int]):
    with pytest.raises(UsageError):
        verify_pairs(["x", "y"], np.array(a), np.array(b))


def test_no_pairs():
    edges = verify_pairs([], np.empty(0, np.int64), np.empty(0, np.int64))
    assert len(edges.a) == len(edges.kind) == len(edges.score) == 0


@given(st.lists(st.floats(0, 1, width=32), min_size=100, max_size=300), st.sampled_from([0.5, 0.1, 0.01]))
def test_a_threshold_holds_its_false_positive_rate(scores: list[float], rate: float):
    background = np.array(scores, np.float32)
    threshold = np.float32(threshold_at(background, rate))
    assert (background >= threshold).mean() <= rate
    lower = np.nextafter(threshold, np.float32(-1))
    assert (background >= lower).mean() > rate


@pytest.mark.parametrize(("n", "rate"), [(99, 0.01), (0, 0.5), (10, 0), (10, 1)])
def test_a_rate_that_the_background_cannot_show_is_refused(n: int, rate: float):
    with pytest.raises(UsageError):
        threshold_at(np.zeros(n), rate)


# groups


def test_a_text_between_two_hundred_thousand_copies_does_not_merge_them():
    n = 100_000
    left, right = prose(40), prose(40)
    half = left[: len(left) // 2] + right[len(right) // 2 :]
    texts = [left] * n + [right] * n + [half]
    a, b = star((0, range(1, n)), (n, range(n + 1, 2 * n)), (2 * n, range(1)), (2 * n, range(n, n + 1)))
    edges = verify_pairs(texts, a, b)
    edges.kind[-2:] = Relation.EDIT  # as if both halves were enough
    groups = duplicate_groups(len(texts), edges, lambda x, y: similarity(texts, x, y), min_score=0.4, floor=0.45)
    assert groups.labels[0] == 0
    assert groups.labels[n] == 1
    assert np.bincount(groups.labels[: 2 * n]).tolist() == [n, n]
    assert groups.medoids.tolist() == [0, n]


def test_one_wrong_edge_does_not_merge_two_hundred_thousand_copies():
    n = 100_000
    texts = [prose(40)] * n + [prose(40)] * n
    a, b = star((0, range(1, n)), (n, range(n + 1, 2 * n)))
    edges = verify_pairs(texts, a, b)
    bridged = Edges(
        np.append(edges.a, 5),
        np.append(edges.b, n + 5),
        np.append(edges.kind, 1).astype(np.uint8),
        np.append(edges.score, 0.99),
    )
    groups = duplicate_groups(len(texts), bridged, lambda x, y: similarity(texts, x, y), min_score=EDIT)
    assert np.bincount(groups.labels).tolist() == [n, n]
    assert groups.worst.tolist() == [1, 1]


def test_a_chain_whose_ends_differ_is_cut():
    letters = string.ascii_letters
    texts = [letters[i : i + 20] for i in range(30)]  # neighbours share 19 of 20 characters, the ends none
    groups = grouped(texts, np.arange(29), np.arange(1, 30), min_score=0.8)
    assert len(groups.medoids) > 3
    scores = similarity(texts, np.arange(30), np.where(groups.labels < 0, np.arange(30), groups.medoids[groups.labels]))
    assert (scores >= np.float32(0.8)).all()


def test_light_edits_of_one_text_are_one_group_from_a_star():
    text = prose(40)
    texts = [text, *(typos(text, 8) for _ in range(300))]
    groups = grouped(texts, *star((0, range(1, 301))))
    assert (groups.labels == 0).all()
    assert groups.medoids.tolist() == [0]
    assert EDIT <= groups.worst[0] < 1


def test_a_member_that_belongs_to_two_groups_joins_the_nearer():
    left = prose(40)
    far = typos(left, 40)
    near = typos(left, 4)
    texts = [left, left, far, far, near]
    groups = grouped(texts, np.array([0, 2, 4, 4]), np.array([1, 3, 0, 2]), min_score=0.85)
    assert groups.labels[4] == groups.labels[0]


def test_texts_of_one_frame_are_grouped_by_their_shared_wording():
    frames = [prose(20) for _ in range(3)]
    texts = [f"{frames[i % 3]} {prose(12)}" for i in range(60)]
    edges = verify_pairs(texts, *every_pair(60)).at_least({Relation.TEMPLATE: 0.5, Relation.EDIT: 0.8})
    groups = duplicate_groups(60, edges, lambda x, y: shared_wording(texts, x, y), min_score=0.5)
    assert groups.labels.tolist() == [0, 1, 2] * 20


def test_a_group_of_two_and_texts_alone():
    text = prose(30)
    groups = grouped([prose(30), text, prose(30), text], *every_pair(4))
    assert groups.labels.tolist() == [-1, 0, -1, 0]
    assert groups.medoids.tolist() == [1]


@pytest.mark.parametrize("n", [0, 1, 5])
def test_without_edges_every_text_is_alone(n: int):
    groups = grouped([prose(5) for _ in range(n)], np.empty(0, np.int64), np.empty(0, np.int64))
    assert groups.labels.tolist() == [-1] * n
    assert len(groups.medoids) == len(groups.worst) == 0


@given(st.randoms(use_true_random=False))
def test_the_order_of_edges_does_not_matter(shuffle: random.Random):
    base = [prose(12) for _ in range(3)]
    texts = [typos(base[i % 3], i % 5) for i in range(24)]
    a, b = every_pair(len(texts))
    edges = verify_pairs(texts, a, b).at_least(DUPLICATES)
    order = np.array(shuffle.sample(range(len(edges.a)), len(edges.a)))
    turned = Edges(edges.b[order], edges.a[order], edges.kind[order], edges.score[order])
    one, two = (
        duplicate_groups(len(texts), some, lambda x, y: similarity(texts, x, y), min_score=0.7)
        for some in (edges, turned)
    )
    assert one.labels.tolist() == two.labels.tolist()
    assert one.medoids.tolist() == two.medoids.tolist()
    assert one.worst.tolist() == two.worst.tolist()


@given(st.lists(st.text("abc", min_size=4, max_size=8), min_size=2, max_size=14), st.sampled_from([0.5, 0.7, 0.9]))
def test_every_member_verifies_against_its_medoid(texts: list[str], floor: float):
    a, b = every_pair(len(texts))
    edges = verify_pairs(texts, a, b)
    groups = duplicate_groups(
        len(texts), edges.at_least(DUPLICATES), lambda x, y: similarity(texts, x, y), min_score=floor
    )
    members = np.flatnonzero(groups.labels >= 0)
    scores = similarity(texts, members, groups.medoids[groups.labels[members]])
    assert (scores >= np.float32(floor)).all()
    for text in set(texts):
        assert len({label for label, other in zip(groups.labels.tolist(), texts, strict=True) if other == text}) == 1


def test_worst_is_the_lowest_pair_of_a_small_group():
    text = prose(40)
    texts = [text, typos(text, 5), typos(text, 9), typos(text, 7)]
    a, b = every_pair(4)
    groups = grouped(texts, a, b, min_score=0.5)
    assert groups.worst[0] == similarity(texts, a, b).min()


def test_worst_is_the_lowest_pair_of_fifty_texts():
    text = prose(40)
    texts = [text, *(typos(text, CHOSEN.randint(3, 15)) for _ in range(EXACT - 1))]
    a, b = every_pair(EXACT)
    groups = grouped(texts, a, b, min_score=0.5)
    assert (groups.labels == 0).all()
    assert groups.worst[0] == similarity(texts, a, b).min()


def test_worst_of_a_large_group_finds_the_two_that_were_changed_most():
    text = prose(60)
    texts = [text, *(typos(text, 2) for _ in range(600))]
    texts[171], texts[402] = (text[:half] + "#" * 40 + text[half + 40 :] for half in (0, len(text) - 40))
    groups = grouped(texts, *star((0, range(1, len(texts)))))
    assert (groups.labels == 0).all()
    assert groups.worst[0] == similarity(texts, np.array([171]), np.array([402]))[0]


def test_a_hundred_thousand_different_edits_of_one_text_cost_a_few_comparisons_each():
    n, asked = 100_000, 0
    score = np.float32(0.9)

    def compare(x: NDArray[np.int64], _: NDArray[np.int64]) -> NDArray[np.float32]:
        nonlocal asked
        asked += len(x)
        return np.full(len(x), score, np.float32)

    a, b = np.arange(n - 1), np.arange(1, n)  # a chain, so that components of all sizes join
    edges = Edges(a, b, np.full(n - 1, Relation.EDIT, np.uint8), np.full(n - 1, score, np.float32))
    groups = duplicate_groups(n, edges, compare, min_score=0.8)
    assert (groups.labels == 0).all()
    assert asked < 20 * n


@pytest.mark.parametrize("seed", range(3))
def test_texts_in_another_order_make_the_same_groups(seed: int):
    chosen = random.Random(seed)
    base = [prose(30) for _ in range(6)]
    texts = [typos(base[i % 6], i // 6) for i in range(120)]  # no two edits of a text are as far from a third
    order = chosen.sample(range(120), 120)
    a, b = every_pair(120)
    first, second = grouped(texts, a, b), grouped([texts[i] for i in order], a, b)
    assert members(first, range(120)) == members(second, order)


def members(groups: Groups, names: Sequence[int]) -> set[frozenset[int]]:
    """Return the groups as sets of names."""
    found: dict[int, set[int]] = {}
    for name, label in zip(names, groups.labels.tolist(), strict=True):
        if label >= 0:
            found.setdefault(label, set()).add(name)
    return set(map(frozenset, found.values()))


def test_a_medoid_tie_goes_to_the_lowest_id():
    members, bounds = np.array([3, 5, 8, 1, 2]), np.array([0, 3, 4, 5])
    medoids, lowest = find_medoids(members, bounds, np.ones(5, np.int64), lambda x, _: np.full(len(x), 0.5, np.float32))
    assert medoids.tolist() == [3, 1, 2]
    assert lowest.tolist() == [0.5, 1, 1]


def test_the_medoid_is_the_text_in_the_middle_and_copies_count():
    texts = ["xxcdefghij", "abcdefghij", "abcdefghxx", "abcdxxghij"]
    members, bounds = np.arange(4), np.array([0, 4])
    weight = np.ones(4, np.int64)
    compare = lambda x, y: similarity(texts, x, y)  # noqa: E731
    assert find_medoids(members, bounds, weight, compare)[0].tolist() == [1]
    weight[2] = 100
    assert find_medoids(members, bounds, weight, compare)[0].tolist() == [2]


@pytest.mark.parametrize("score", [-0.1, 1.1])
def test_scores_outside_0_to_1_are_refused(score: float):
    with pytest.raises(UsageError):
        grouped(["a"], np.empty(0, np.int64), np.empty(0, np.int64), min_score=score)
