"""An alert fires once, then grows, and says why it may be wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from promptscan.alerts import Reported, Severity, Sighting, message, report_sightings

MOMENT = datetime(2026, 1, 9)  # noqa: DTZ001 - the store's times have no zone
NOTHING = Reported([], [], [], {})


def evidence(sentence: str, strength: float | None = 3.0) -> dict[str, Any]:
    return {"kind": "creation", "sentence": sentence, "log10_e": strength, "sufficient": strength is not None}


def sighting(name: str = "C-1", accounts: int = 20, first: int = 0, **changes: Any) -> Sighting:
    made = Sighting(
        name, "F-1", frozenset(f"a{number}" for number in range(first, first + accounts)), 100, 2, MOMENT, 5.0,
        "Implement … in …", "software engineering", [evidence("They were made in one hour.")], [evidence("A few are old.", None)],
    )  # fmt: skip
    return replace(made, **changes)


def test_a_campaign_is_reported_once() -> None:
    record, fired = report_sightings([sighting()], NOTHING, MOMENT)
    again, none = report_sightings([sighting()], record, MOMENT)
    assert [alert["alert_id"] for alert in fired] == ["A-1"]
    assert fired[0]["fired_at"] == MOMENT
    assert none == []
    assert again.alerts == record.alerts
    assert again.growth == record.growth


def test_a_reported_campaign_grows_by_a_tenth_before_it_is_told_of_again() -> None:
    record, _ = report_sightings([sighting(accounts=100)], NOTHING, MOMENT)
    little, _ = report_sightings([sighting(accounts=105)], record, MOMENT)
    more, fired = report_sightings([sighting(accounts=130)], little, MOMENT)
    assert [row["n_accounts"] for row in more.growth] == [100, 130]
    assert fired == []


def test_what_splits_from_a_reported_campaign_belongs_to_its_alert() -> None:
    record, _ = report_sightings([sighting(accounts=40)], NOTHING, MOMENT)
    parts = [sighting(accounts=25), sighting("C-2", accounts=15, first=25)]
    after, fired = report_sightings(parts, record, MOMENT)
    assert fired == []
    assert ("A-1", "C-2") in after.campaigns


def test_a_campaign_of_other_accounts_is_another_alert() -> None:
    record, _ = report_sightings([sighting()], NOTHING, MOMENT)
    _, fired = report_sightings([sighting(), sighting("C-2", first=500)], record, MOMENT)
    assert [alert["campaign_id"] for alert in fired] == ["C-2"]


def test_what_an_analyst_called_benign_is_not_reported() -> None:
    record, fired = report_sightings([sighting(barred=True)], NOTHING, MOMENT)
    assert fired == []
    assert record.alerts == []


def test_a_message_says_what_who_since_when_why_and_why_it_may_be_wrong() -> None:
    said = message(sighting())
    for part in ("20 accounts", "100 prompts", "2 families", "software engineering", "2026-01-09", "one hour", "A few are old"):
        assert part in said
    lonely = message(sighting(counter=[], first_ts=None, label=None, capability=None))
    assert "speaks against" in lonely


def test_evidence_without_strength_is_no_reason() -> None:
    said = message(sighting(evidence=[evidence("Nothing to see.", -0.3), evidence("Insufficient data.", None)]))
    assert "Nothing to see" not in said
    assert "Insufficient" not in said


@pytest.mark.parametrize(
    ("accounts", "capability", "expected"),
    [
        (5, "maths", Severity.LOW), (10, "maths", Severity.MEDIUM), (60, "maths", Severity.HIGH),
        (600, "maths", Severity.CRITICAL), (60, "cybersecurity", Severity.CRITICAL), (600, "cybersecurity", Severity.CRITICAL),
    ],
)  # fmt: skip
def test_severity_follows_accounts_and_capability(accounts: int, capability: str, expected: Severity) -> None:
    assert sighting(accounts=accounts, capability=capability).severity is expected


def test_a_log_without_times_is_reported_too() -> None:
    record, fired = report_sightings([sighting(first_ts=None)], NOTHING, None)
    assert fired[0]["fired_at"] is None
    assert record.growth[0]["ts"] is None
