"""Records: serialised data of varying shape is one value of a template; data of one shape is part of its frame."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptscan.records import fold_records, read_record
from promptscan.skeleton import find_template
from promptscan.slots import Slot, SlotType
from promptscan.templates import Template, match

DISHES = ["soup", "grilled trout", "plum cake", "rice", "leek pie", "bread", "cold noodles", "omelette"]
FREE = Slot(SlotType.FREE_TEXT, 9, 3.0)


def template_of(texts: list[str]) -> Template:
    template = find_template(texts, 0)
    assert template is not None
    return template


def order(number: int) -> dict[str, object]:
    lines = [{"dish": DISHES[(number + i) % 8], "count": number * i + 1} for i in range(1 + number % 4)]
    return {"table": number, "lines": lines, **({"note": "no salt"} if number % 3 else {})}


@pytest.mark.parametrize("write", [json.dumps, repr])
def test_records_of_varying_shape_are_one_slot(write: Callable[[object], str]):
    texts = [f"Check this order for mistakes: {write(order(n))} and reply with the total only." for n in range(24)]
    template = template_of(texts)
    assert template.fixed == ("Check this order for mistakes: ", " and reply with the total only.")
    assert template.slots[0].type is SlotType.CODE
    assert template.support == 1
    assert 0 < template.compression < 1
    assert match(template, texts[5]) == [write(order(5))]


def test_a_record_of_one_shape_is_part_of_the_frame():
    texts = [f'Send {{"dish": "{dish}", "count": {n}}} to the kitchen at once.' for n, dish in enumerate(DISHES)]
    assert template_of(texts).fixed == ('Send {"dish": "', '", "count": ', "} to the kitchen at once.")


def test_lists_of_varying_length_are_one_slot():
    texts = [f"Please cook {[*DISHES[n:], 'tea']} for the guests tonight" for n in range(6)]
    assert template_of(texts).fixed == ("Please cook ", " for the guests tonight")


def test_wording_inside_a_record_stays_fixed_text():
    system = "You are the head cook of a small kitchen, so be brief and name no prices at all."
    texts = [
        f"Answer the chat {json.dumps([{'say': system}, *({'say': dish} for dish in DISHES[n:])])} as the cook would."
        for n in range(6)
    ]
    assert any(system in part for part in template_of(texts).fixed)


def test_a_text_that_is_nothing_but_a_record_keeps_its_keys():
    texts = [json.dumps(order(n)) for n in range(12)]
    template = find_template(texts, 0)
    assert template is None or any('"lines"' in part for part in template.fixed)


def test_slots_that_come_to_touch_are_one():
    fixed = ("say ", "[", "] now")
    assert fold_records(fixed, [["soup ", "1"], ["", "1, 2"]]) == ("say ", " now")
    assert fold_records(("[", "]"), [["1"], ["1, 2"]]) == ("", "")


@pytest.mark.parametrize("text", ["[1, 2", "[1, 2}", "[see this]", "{[}]", "['a", "[" * 50_000, ""])
def test_what_is_no_record_is_not_read(text: str):
    assert read_record(text, 0) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda x: st.lists(x, max_size=4)))
def test_what_python_and_json_write_is_read_to_its_end(value: object):
    for written in (json.dumps([value]), repr([value])):
        record = read_record(f"ab{written}]}} c", 2)
        assert record is not None
        assert record[0] == 2 + len(written)


@given(st.lists(st.tuples(*[st.text("[]{}'\",1 a", max_size=8)] * 2), min_size=1, max_size=4))
def test_folding_keeps_every_text_a_match(values: list[tuple[str, str]]):
    fixed = ("x [", "] y {", "} z")
    rows = [list(row) for row in values]
    texts = ["".join(p + v for p, v in zip(fixed, [*row, ""], strict=True)) for row in rows]
    parts = fold_records(fixed, rows)
    assert all(parts[1:-1])
    template = Template(parts, (FREE,) * (len(parts) - 1))
    assert all(match(template, text, exact=True) is not None for text in texts)
