"""Labels of families: what sets their texts apart, short, clean, and lasting."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import promptscan
from promptscan.labels import LENGTH, LONGEST, SEPARATOR, class_terms, shortened, template_label
from tests.logs import GRADE, POC, REPEATED, write_jsonl

CODE = [
    f"Please write a unit test for the {what} function in python"
    for what in ("sort", "parse", "merge", "split", "hash")
]
COOK = [f"Please tell me how to bake {what} bread in the oven" for what in ("rye", "corn", "soda", "flat", "sweet")]
CHINESE = [f"请写一首关于{what}的诗歌" for what in ("秋天", "月亮", "大海", "雪山", "故乡")]
CHATTER = [
    [f"Please tell me the way to the {place} in the town for a walk"]
    for place in ("station", "museum", "harbour", "market")
]


def test_a_label_says_what_sets_a_class_apart():
    terms = class_terms([CODE, COOK, CHINESE, *CHATTER])
    assert "unit test" in terms.label(0)
    assert "bread" in terms.label(1)
    assert "诗" in terms.label(2)
    assert not {"please", "the", "in", "to"} & {
        term for number in range(3) for term in terms.label(number).split(SEPARATOR)
    }


def test_terms_of_a_label_do_not_repeat_each_other():
    words = class_terms([CODE, COOK, *CHATTER]).label(0).replace(SEPARATOR, " ").split()
    assert len(words) == len(set(words))


def test_a_text_that_shouts_does_not_name_its_class():
    loud = [*CODE, "spam " * 100]
    assert "spam" not in class_terms([loud, COOK, *CHATTER]).label(0)


def test_order_of_texts_and_classes_changes_nothing():
    forth, back = class_terms([CODE, COOK, *CHATTER]), class_terms([*reversed(CHATTER), COOK[::-1], CODE[::-1]])
    assert (forth.label(0), forth.label(1)) == (back.label(5), back.label(4))


def test_words_keep_their_marks_and_no_control_character_gets_in():
    terms = class_terms([["हिन्दी कविता लिखिए \x1b[31m \u202e"] * 3, COOK])
    assert "कविता" in terms.label(0)
    assert terms.label(0).isprintable()


def test_a_label_holds_until_the_texts_say_something_else():
    first = class_terms([CODE, COOK, *CHATTER])
    label = first.label(0)
    grown = [*CODE, "Please write a unit test for the cache function in python and run it"]
    assert class_terms([grown, COOK, *CHATTER]).still_holds(0, label)
    assert not first.still_holds(1, label)
    assert not first.still_holds(0, "words · nobody used")
    assert not first.still_holds(0, "")


@pytest.mark.parametrize("classes", [[], [[]], [[], ["", "  "]], [["!!!", "???"]], [["7 7 7"]], [["a"]]])
def test_classes_without_words_have_an_empty_label(classes: list[list[str]]):
    terms = class_terms(classes)
    assert [terms.label(number) for number in range(len(classes))] == [""] * len(classes)
    assert not any(terms.still_holds(number, "a") for number in range(len(classes)))


@given(st.lists(st.lists(st.text(max_size=60), max_size=4), min_size=1, max_size=4))
def test_any_texts_get_short_printable_labels_that_hold(classes: list[list[str]]):
    terms = class_terms(classes)
    for number in range(len(classes)):
        label = terms.label(number)
        assert len(label) <= LENGTH
        assert "\n" not in label
        assert not label or SEPARATOR in label or len(label.split()) <= 2


def test_a_template_is_its_own_label():
    assert template_label("Write a {slot_1:free_text} about {slot_2:name}.") == "Write a … about … ."
    assert template_label("Fill {{this}} in\nplease {slot_1:number}") == "Fill {this} in please …"
    assert template_label("long " * 40 + "{slot_1:number}") == "long " * 14 + "long …"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("a prompt\nof two  lines", "a prompt of two lines"),
        ("x" * LENGTH, "x" * LENGTH),
        ("x" * 100, "x" * (LENGTH - 2) + " …"),
        ("one " + "x" * 100, "one " + "x" * (LENGTH - 6) + " …"),
        ("word " * 15 + "abc defgh", "word " * 15 + "abc …"),
        ("word " * 15 + "… and more", "word " * 14 + "word …"),
        ("请" * 100, "请" * (LENGTH - 2) + " …"),
    ],
)
def test_a_label_is_cut_behind_a_word(text: str, label: str):
    assert shortened(text) == label
    assert len(label) <= LENGTH


def test_a_label_of_long_terms_has_whole_ones():
    words = [f"{letter * 30}{n}" for letter in "abcdef" for n in range(2)]
    label = class_terms([[" ".join(words)] * 3, COOK]).label(0)
    assert label
    assert len(label) <= LENGTH
    assert all(len(word) == LONGEST for term in label.split(SEPARATOR) for word in term.split())


def labels(root: Path) -> dict[str, str]:
    with promptscan.open(root) as store:
        return {
            row["family_id"]: row["label"] for row in store.sql("select family_id, label from families").to_pylist()
        }


def test_families_are_called_by_template_or_text_and_keep_it(store: Path, tmp_path: Path):
    before = labels(store)
    assert shortened(REPEATED) in before.values()
    assert {label[:40] for label in before.values()} == {REPEATED[:40], GRADE[:40], POC[:40]}
    rows = [
        {"prompt_id": f"new-{n}", "account_id": f"a{n}", "text": GRADE.format(n, 7, n + 7)} for n in range(100, 120)
    ]
    promptscan.scan(write_jsonl(tmp_path / "2.jsonl", rows), store=store)
    after = labels(store)
    assert {name: after[name] for name in before} == before
