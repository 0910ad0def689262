"""Anchors: the templates worth trying for a text are found by their rarest words, and none that matches is missed."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from promptscan.anchors import ANCHORED, TRIED, TemplateIndex, count_words
from promptscan.slots import Slot, SlotType
from promptscan.templates import Template, match

FREE = Slot(SlotType.FREE_TEXT, 9, 3.0)
WORDS = ["ash", "birch", "cedar", "elm", "fir", "gum", "hazel", "ivy"]


def template(*fixed: str) -> Template:
    return Template(fixed, (FREE,) * (len(fixed) - 1))


def pairs(index: TemplateIndex, texts: list[str], tried: int = TRIED) -> set[tuple[int, int]]:
    found = index.candidates(texts, tried=tried)
    return set(zip(*(some.tolist() for some in found), strict=True))


def test_a_text_is_compared_with_templates_that_share_a_rare_word_only():
    frames = [template(f"Write one poem about the {tree} and ", " please") for tree in WORDS]
    index = TemplateIndex.build(frames)
    texts = [f"Write one poem about the {tree} and a fox please" for tree in WORDS]
    assert pairs(index, texts) == {(n, n) for n in range(len(WORDS))}


def test_the_template_with_most_of_the_text_comes_first():
    frame, case = template("Act as a ", " and sing."), template("Act as a pirate of ", " and sing.")
    index = TemplateIndex.build([frame, case])
    assert index.candidates(["Act as a pirate of Malta and sing."])[1].tolist() == [1, 0]
    assert index.assign(["Act as a pirate of Malta and sing.", "Act as a dog and sing.", "no"]) == [
        (1, ["Malta"]),
        (0, ["dog"]),
        None,
    ]


def test_templates_of_common_words_alone_are_found_in_a_bounded_number_of_tries():
    frames = [template("what is the ", f" of {n}") for n in range(3 * ANCHORED)]
    common = template("what is ", " of the")
    index = TemplateIndex.build([*frames, common])
    assert index.assign(["what is left of the"])[0] == (len(frames), ["left"])
    _, found = index.candidates(["what is the sum of 1 2 3 4 5 6 7 8 9 10 11 12 13"])
    assert len(found) == TRIED
    same = TemplateIndex.build([template("what is the ", " of all")] * (3 * ANCHORED))
    assert same.assign(["what is the sum of all"]) == [(0, ["sum"])]


def test_other_case_other_space_and_a_changed_word_are_found():
    frame = template("Please write one short poem about ", " for all the children in my school")
    index = TemplateIndex.build([template("Sing of ", " aloud"), frame])
    changed = "please WRITE one  short poem about ants for all the pupils in my school"
    assert index.assign([changed]) == [(1, match(frame, changed))]


def test_a_value_that_lengthens_a_fixed_word_does_not_hide_the_template():
    index = TemplateIndex.build([template("pay for row", " and user", "now, friend")])
    assert index.assign(["pay for rows and users2now, friend"]) == [(0, ["s", "s2"])]


def test_nothing_is_found_in_nothing():
    for frames in ([], [template("", "")], [template("")]):
        index = TemplateIndex.build(frames)
        assert index.assign(["", "ash"]) == [None, None]
        assert pairs(index, []) == set()


def test_counts_of_words_change_the_work_and_not_the_result():
    chosen = random.Random(1)
    frames = [template(" ".join(chosen.choices(WORDS, k=5)) + " ", "") for _ in range(40)]
    texts = [frame.fixed[0] + chosen.choice(WORDS) for frame in frames]
    plain, counted = TemplateIndex.build(frames), TemplateIndex.build(frames, count_words(texts))
    assert pairs(plain, texts, 99) == pairs(counted, texts, 99)


@given(
    st.lists(st.lists(st.lists(st.sampled_from(WORDS), max_size=14), min_size=2, max_size=3), min_size=1, max_size=5),
    st.lists(st.lists(st.sampled_from([*WORDS, "oak"]), max_size=20), max_size=5),
    st.integers(0, 10**6),
)
def test_every_template_that_matches_is_a_candidate(
    parts: list[list[list[str]]], others: list[list[str]], seed: int
) -> None:
    frames = [template(" ".join(first) + " ", *(f" {' '.join(part)} ," for part in rest)) for first, *rest in parts]
    chosen = random.Random(seed)
    texts = [" ".join(words) for words in others]
    for frame in frames:
        words = frame.fill([chosen.choice(["", "oak", "elm oak ,"]) for _ in frame.slots]).split(" ")
        del words[chosen.randrange(len(words))]
        texts += [" ".join(words), frame.fill(["x"] * len(frame.slots)).upper()]
    found = pairs(TemplateIndex.build(frames), texts, tried=99)
    for number, text in enumerate(texts):
        for which, frame in enumerate(frames):
            assert match(frame, text) is None or (number, which) in found
