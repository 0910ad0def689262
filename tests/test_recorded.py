"""Evidence as a campaign's row records it, whatever wrote it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptscan.recorded import Evidence, evidence_table, parts_of, read_evidence, weak

WHOLE = {
    "kind": "synchrony",
    "family_id": "F-3",
    "value": 0.91,
    "expected": 0.12,
    "n": 41,
    "log10_e": 4.2,
    "sufficient": True,
    "sentence": "They send at one time.",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*WHOLE, "other"]) | st.text(), inner),
    max_leaves=12,
)


def test_the_present_form_is_read_as_it_is_in_its_order():
    weaker = WHOLE | {"kind": "focus", "family_id": None, "expected": None}
    assert read_evidence(json.dumps([WHOLE, weaker])) == (Evidence(**WHOLE), Evidence(**weaker))


@pytest.mark.parametrize(
    ("recorded", "found"),
    [
        (None, ()),
        ("", ()),
        ("null", ()),
        ("[]", ()),
        ("{}", ()),
        ("[null, {}, []]", ()),
        ('{"evenness": 0.94, "asns": ["AS1", "AS2"], "one": true}', (
            Evidence(kind="evenness", value=0.94),
            Evidence(kind="asns", sentence='["AS1", "AS2"]'),
            Evidence(kind="one", sentence="true"),
        )),
        ('{"zero": 0}', (Evidence(kind="zero", value=0),)),
        ('["they share it", 7]', (Evidence(sentence="they share it"), Evidence(sentence="7"))),
        ('"one sentence"', (Evidence(sentence="one sentence"),)),
        (json.dumps(WHOLE), (Evidence(**WHOLE),)),
        ('[{"kind": "pivot", "since": "2027"}]', (Evidence(kind="pivot"),)),
        ('[{"odd": 1}]', (Evidence(sentence='{"odd": 1}'),)),
        ('[{"kind": 7, "value": "much", "n": 1e300, "log10_e": NaN, "sufficient": 0, "sentence": ["a"]}]', (
            Evidence(kind="7", n=2**63 - 1, sufficient=False, sentence='["a"]'),
        )),
        ("not JSON", (Evidence(sentence="not JSON"),)),
        ("[" * 100_000, (Evidence(sentence="[" * 100_000),)),
        ('["\\ud800"]', (Evidence(sentence="?"),)),
    ],
    ids=range(17),
)  # fmt: skip
def test_other_forms_are_read_as_far_as_they_go(recorded: str | None, found: tuple[Evidence, ...]):
    assert read_evidence(recorded) == found


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ("What. Why: This. Why it may be wrong: That.", ("What.", "This.", "That.")),
        ("“a Why: b Why it may be wrong: c”. Why: This. Why it may be wrong: That.", (
            "“a Why: b Why it may be wrong: c”.", "This.", "That."
        )),
        ("What. Why: This.", ("What.", "This.", "")),
        ("What. Why it may be wrong: That.", ("What.", "", "That.")),
        ("What.", ("What.", "", "")),
        ("", ("", "", "")),
    ],
)  # fmt: skip
def test_an_alert_is_parted_where_it_says_why_last(message: str, parts: tuple[str, str, str]):
    assert parts_of(message) == parts


def test_only_a_known_strength_is_weak():
    assert [weak(power) for power in (None, -1.0, 0.0, 0.49, 0.5, 9.0)] == [False, True, True, True, False, False]


@given(JSON)
def test_any_json_becomes_rows_and_a_table(document: Any):
    found = read_evidence(json.dumps(document))
    assert evidence_table(found).num_rows == len(found)
    assert [one.sufficient for one in found].count(None) == 0
