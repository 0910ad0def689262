"""The document that is shared: enough to recognise a template, nothing to read; and what is refused of others' documents."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptscan import indicators
from promptscan.errors import BadDataError
from promptscan.fingerprint import NGRAM, fingerprints, guarantee
from promptscan.indicators import (
    BITS,
    LEAST,
    MOST,
    Chooser,
    Indicator,
    SlotShape,
    coarse,
    fixed_hash,
    read,
    shape,
    written,
)
from promptscan.matchkey import match_keys
from promptscan.slots import SlotType
from tests.logs import WORDS

SCHEMA = json.loads((Path(__file__).resolve().parent.parent / "docs/schemas/indicators.schema.json").read_text())
PARTS = (
    "You are a senior penetration tester with twenty years of practice. Write a working proof of concept for ",
    " against a lab host that you describe first, list the preconditions one a line, and end with a detection rule in Sigma.",
)
LOW = np.uint64((1 << BITS) - 1)


def nothing() -> Chooser:
    return Chooser(np.zeros(0, np.uint64))


def keyed(text: str) -> pa.Array:
    return match_keys(pa.array([text], pa.large_string()))


def low_bits(text: str) -> set[int]:
    return set((fingerprints(keyed(text)).hashes & LOW).tolist())


def where(text: str, chosen: set[int]) -> list[int]:
    """Positions in the key of a text at which the chosen fingerprints stand."""
    found = fingerprints(keyed(text))
    return found.positions[np.isin(found.hashes & LOW, np.array(sorted(chosen), np.uint64))].tolist()


def one(**changes: Any) -> dict[str, Any]:
    """A template of a document."""
    return {
        "hash": "a" * 64,
        "fingerprints": [1, 2, 3],
        "slots": [{"type": "id", "chars": [4, 16]}],
        "capability": "cybersecurity",
        "first_day": "2026-01-05",
        "last_day": None,
        "prompts": 100,
        "accounts": 10,
        **changes,
    }


def file(*templates: Any, **changes: Any) -> bytes:
    return json.dumps({**indicators.document([]), "templates": list(templates), **changes}).encode()


# What is chosen.


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=120), st.text(max_size=60), st.text(max_size=60))
def test_whoever_sends_the_fixed_text_has_all_that_was_chosen(words: list[str], before: str, after: str):
    passage = " ".join(words)
    chosen = set(nothing().choose([passage]))
    assert chosen <= low_bits(f"{before} {passage} {after}")


def test_slots_are_no_part_of_it():
    chosen = set(nothing().choose(PARTS))
    assert len(chosen) >= LEAST
    for value in ("CVE-2024-21762", "x" * 200, "a very different thing"):
        assert chosen <= low_bits(value.join(PARTS))


def test_parts_that_are_shorter_than_what_is_always_found_are_left_out():
    assert nothing().choose(["Translate ", " into ", "a" * (guarantee() - 1)]) == ()
    assert nothing().choose([]) == nothing().choose([""]) == ()


def test_no_two_that_are_chosen_overlap_in_one_template_nor_across_templates_of_a_file():
    chooser = nothing()
    text = "".join(PARTS)
    own = set(chooser.choose([text]))
    other = set(chooser.choose([f"Please help me out here, as always. {text}"]))
    third = set(chooser.choose([text[40:]]))
    places = sorted(where(text, own | other | third))
    assert len(places) > LEAST
    assert min(np.diff(places)) >= NGRAM
    assert third <= own | other


def test_what_many_benign_texts_have_is_not_chosen():
    text = "".join(PARTS)
    whole = nothing().choose([text])
    common = fingerprints(keyed(text[:80])).hashes
    chosen = Chooser(np.sort(common)).choose([text])
    assert set(chosen).isdisjoint((common & LOW).tolist())
    assert set(whole) & set((common & LOW).tolist())


def test_a_long_text_gives_no_more_than_a_few_and_they_are_spread(monkeypatch: pytest.MonkeyPatch):
    dice = np.random.default_rng(0)
    text = " ".join(dice.choice(WORDS, 3_000)) + " ".join(str(number) for number in range(3_000))
    chosen = nothing().choose([text])
    assert LEAST < len(chosen) <= MOST
    places = where(text, set(chosen))
    assert max(places) - min(places) > 0.7 * len(keyed(text)[0].as_py())
    monkeypatch.setattr(indicators, "MOST", 10)
    assert len(nothing().choose([text])) <= 10


def test_the_hash_is_of_the_folded_fixed_parts():
    assert fixed_hash(PARTS) == fixed_hash([part.upper().replace(" ", "  ") for part in PARTS])
    assert len({fixed_hash(PARTS), fixed_hash(["".join(PARTS)]), fixed_hash([*PARTS, ""]), fixed_hash(PARTS[:1])}) == 4


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, 1), (9, 1), (10, 10), (99, 10), (28_800_000, 10_000_000)])
def test_counts_are_orders_of_magnitude(count: int, shown: int):
    assert coarse(count) == shown


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_lengths_are_powers_of_two_around_the_true_ones(one: int, other: int):
    least, most = sorted((one, other))
    slot = shape("id", least, most)
    assert slot.least <= least <= most <= slot.most
    assert slot.least == 0 or (slot.least & (slot.least - 1) == 0 and slot.least * 2 > least)
    assert slot.most & (slot.most - 1) == 0
    assert slot.most == 1 or slot.most < 2 * most


# The document.

indicator = st.builds(
    Indicator,
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.sets(st.integers(0, 2**BITS - 1), min_size=LEAST, max_size=8).map(lambda found: tuple(sorted(found))),
    st.lists(st.builds(SlotShape, st.sampled_from(SlotType), st.just(4), st.just(64)), max_size=3).map(tuple),
    st.sampled_from([None, "cybersecurity", "reasoning-trace elicitation"]),
    st.none() | st.dates(date(1970, 1, 1)),
    st.none() | st.dates(date(1970, 1, 1)),
    st.sampled_from([1, 100, 10**7]),
    st.sampled_from([1, 10]),
)


@given(st.lists(indicator, min_size=1, max_size=4))
def test_what_is_written_is_read_back_and_follows_its_schema(found: list[Indicator]):
    data = written(found)
    assert read(data) == tuple(found)
    assert json.loads(data) == indicators.document(found)
    jsonschema.validate(json.loads(data), SCHEMA)


def test_a_usable_document_is_read():
    jsonschema.validate(json.loads(file(one())), SCHEMA)
    assert len(read(file(one(), one(hash="b" * 64, slots=[], capability=None)))) == 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 200_000, "no JSON"),
        (b'{"format": NaN}', "no JSON"),
        (b"[1, 2]", "no document of indicators"),
        (b'{"format": "other"}', "no document of indicators"),
        (file(one(), version=2), "has version 2; this promptscan reads 1"),
        (file(one(), version="1"), "has version 1; this promptscan reads 1"),
        (file(one(), fingerprint={"ngram": 24, "window": 16, "bits": 24}), "other fingerprints"),
        (file(), "no list of 1 to"),
        (file(one(), templates={}), "no list of 1 to"),
        (file(one(), "x"), "template 2 is no object"),
        (file(one(hash="A" * 64)), "template 1 has no hash"),
        (file(one(hash=None)), "template 1 has no hash"),
        (file(one(fingerprints=[1, 2])), "unusable fingerprints; wanted 3 to 64"),
        (file(one(fingerprints=[3, 2, 1])), "unusable fingerprints"),
        (file(one(fingerprints=[1, 2, 2])), "unusable fingerprints"),
        (file(one(fingerprints=[1, 2, 1 << BITS])), "unusable fingerprints"),
        (file(one(fingerprints=[-1, 2, 3])), "unusable fingerprints"),
        (file(one(fingerprints=[1, 2, 3.0])), "unusable fingerprints"),
        (file(one(fingerprints=[False, True, 2])), "unusable fingerprints"),
        (file(one(fingerprints=["1", "2", "3"])), "unusable fingerprints"),
        (file(one(fingerprints=[[1], 2, {}])), "unusable fingerprints"),
        (file(one(fingerprints=list(range(65)))), "unusable fingerprints"),
        (file(one(fingerprints=None)), "unusable fingerprints"),
        (file(one(slots=[{}] * 257)), "up to 256 slots"),
        (file(one(slots=[{"type": "text", "chars": [1, 2]}])), "a slot without type"),
        (file(one(slots=[{"type": [], "chars": [1, 2]}])), "a slot without type"),
        (file(one(slots=[{"type": "id", "chars": [1]}])), "a slot without type"),
        (file(one(slots=["id"])), "a slot without type"),
        (file(one(capability="\x1b[31m")), "a capability that is no name"),
        (file(one(capability="x" * 65)), "a capability that is no name"),
        (file(one(first_day="5 January")), "a day that is none"),
        (file(one(last_day="2026-02-30")), "a day that is none"),
        (file(one(last_day=20260101)), "a day that is none"),
        (file(one(prompts=-1)), "a number that is none"),
        (file(one(accounts=True)), "a number that is none"),
        (file(one(accounts=10**13)), "a number that is none"),
    ],
)
def test_what_is_no_document_of_ours_is_refused_in_one_line(data: bytes, reason: str):
    with pytest.raises(BadDataError, match=reason) as caught:
        read(data)
    assert "\n" not in str(caught.value)
    assert "nothing was imported" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_document_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(indicators, "MAX_BYTES", 100)
    with pytest.raises(BadDataError, match="over 0 MiB"):
        read(file(one()))
    monkeypatch.setattr(indicators, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr(indicators, "MAX_TEMPLATES", 1)
    with pytest.raises(BadDataError, match="1 to 1 templates"):
        read(file(one(), one()))
