"""The attacks of the evasion suite: seeded, real, and growing; and that a search sees through them."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from benchmarks.evasion import attacks
from benchmarks.evasion.attack import Attack, apply
from benchmarks.evasion.measure import threshold
from benchmarks.evasion.report import table
from benchmarks.evasion.shapes import CYRILLIC, GREEK, OTHERS, fonts

TEXTS = [
    "Please explain how the following function works, and give me a good example. Why is it so slow? I need a short answer.",
    "What is the best way to write a story about a big old house in a small town? Describe people and show their problems.",
]
FILLER = ["It rained all day in the harbour", "Translate this menu into Portuguese for two friends of mine"]
LEVELS = [pytest.param(a, level, id=f"{a.name}-{level}") for a in attacks() for level in a.levels]


def test_there_are_seventeen_attacks_with_names_of_their_own():
    assert len(attacks()) == len({attack.name for attack in attacks()}) == 17


@pytest.mark.parametrize(("attack", "level"), LEVELS)
def test_an_attack_changes_every_text_and_is_the_same_again(attack: Attack, level: str):
    sent = apply(attack, level, TEXTS, FILLER, seed=3)
    assert {one.row for one in sent} == {0, 1}
    assert all(one.text and one.text != TEXTS[one.row] for one in sent)
    assert sent == apply(attack, level, TEXTS, FILLER, seed=3)


@pytest.mark.parametrize("attack", [a for a in attacks() if a.graded], ids=lambda attack: attack.name)
def test_levels_grow(attack: Attack):
    changed = [
        sum(Levenshtein.distance(TEXTS[one.row], one.text) for one in apply(attack, level, TEXTS, FILLER, seed=3))
        for level in attack.levels
    ]
    assert changed == sorted(set(changed))


def test_another_seed_attacks_otherwise():
    typos = next(attack for attack in attacks() if attack.name == "typos")
    assert apply(typos, "20%", TEXTS, FILLER, seed=3) != apply(typos, "20%", TEXTS, FILLER, seed=4)


def test_a_text_is_attacked_alone_as_in_company():
    for attack in attacks():
        for level in attack.levels:
            together = [one.text for one in apply(attack, level, TEXTS, FILLER, seed=3) if one.row == 1]
            assert together == [one.text for one in apply(attack, level, TEXTS[1:], FILLER, seed=3)]


def test_look_alikes_are_letters_of_other_shapes_and_fonts_have_whole_alphabets():
    for character in (c for own in (CYRILLIC, GREEK, OTHERS) for c in own.values()):
        assert unicodedata.category(character)[0] == "L"
        assert not character.isascii()
    assert all(len(alphabet) >= 23 for alphabet in fonts().values())


@pytest.mark.parametrize("words", [20, 200, 2000])
def test_padding_has_the_words_it_says(words: int):
    padding = next(attack for attack in attacks() if attack.name == "padding")
    for place in ("prefix", "suffix", "sandwich"):
        sent = apply(padding, f"{place} {words:,}", TEXTS, FILLER, seed=3)
        assert all(TEXTS[one.row] in one.text for one in sent)
        assert [len(one.text.split()) - len(TEXTS[one.row].split()) for one in sent] == [words] * 2


def test_a_prompt_sent_in_pieces_is_sent_whole():
    turns = next(attack for attack in attacks() if attack.name == "turns")
    for count in (2, 3, 5):
        sent = apply(turns, f"{count} prompts", TEXTS[:1], FILLER, seed=3)
        assert len(sent) == count
        assert " ".join(one.text for one in sent) == TEXTS[0]


def test_the_threshold_leaves_one_false_pair_in_a_hundred():
    scores = np.arange(1_000, dtype=np.float32)
    assert (scores > threshold(scores)).sum() == 10


def test_the_table_marks_what_misses_its_target():
    views = {"lexical": 0.5, "semantic": 0.25, "together": 0.75, "only_lexical": 0.5, "only_semantic": 0.25}
    drawn = table(
        {
            "machine": {"processor": "P", "cores": 2, "load_1_minute": 0.5},
            "sizes": {"originals": 4, "asked": 4, "indexed": 9, "unrelated_pairs": 200},
            "thresholds": {"lexical": 0.1},
            "rows": [
                {"attack": "a", "level": "l", "target": 0.99, "pairs": views, "store": {**views, "together": 1.0}},
                {"attack": "b", "level": "l", "target": None, "pairs": views, "store": views},
            ],
        }
    )
    assert "| a | l | ≥ 0.99 | 0.500 | 0.250 | **0.750** | 0.500 | 0.250 | 0.500 | 0.250 | 1.000 |" in drawn
    assert "| b | l |  | 0.500 | 0.250 | 0.750 |" in drawn
    assert "missed in pairs 1, in the store 0" in drawn
