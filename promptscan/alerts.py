"""alerts: what is said once about a campaign, and how it grows from then on.

A campaign is reported when it is first found; what splits from a reported one was reported with it. Names of campaigns survive
builds, so a second build with nothing new says nothing, and neither does one with more of the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

GROWN = 1.1  # times its accounts, prompts or families when it was last told of
SAME = 0.5  # share of a campaign's members that were reported before, from which it is no new one
REASONS = 3  # pieces of evidence, and of counter-evidence, that a message has
GRAVE = frozenset({"cybersecurity", "reasoning traces", "safety boundaries"})
"""Capabilities whose copying is a level more severe."""

LEVELS = (10, 50, 500)  # accounts from which a campaign is medium, high, critical


class Severity(StrEnum):
    """How soon somebody should look."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A campaign as this build found it.

    Attributes:
        campaign_id: its id.
        family_id: its strongest family.
        accounts: ids of its members.
        n_prompts, n_families: its size.
        first_ts: UTC, None where the log has no times.
        score: log10 of the e-value that its accounts act as one.
        label, capability: of its families.
        evidence, counter: rows as in the JSON columns of `campaigns`, strongest first.
        barred: an analyst called it benign.
    """

    campaign_id: str
    family_id: str | None
    accounts: frozenset[str]
    n_prompts: int
    n_families: int
    first_ts: datetime | None
    score: float
    label: str | None
    capability: str | None
    evidence: Sequence[Mapping[str, Any]]
    counter: Sequence[Mapping[str, Any]]
    barred: bool = False

    @property
    def severity(self) -> Severity:
        """Return how severe it is: by accounts, a level more if its capability is grave."""
        level = sum(len(self.accounts) >= least for least in LEVELS) + (self.capability in GRAVE)
        return list(Severity)[min(level, len(Severity) - 1)]


@dataclass(frozen=True, slots=True)
class Reported:
    """What is on record.

    Attributes:
        alerts: rows of `alerts`, as dictionaries.
        campaigns: (alert, campaign) rows of `alert_campaigns`.
        growth: rows of `alert_growth`.
        members: accounts by campaign, as the last build found them.
    """

    alerts: list[dict[str, Any]]
    campaigns: list[tuple[str, str]]
    growth: list[dict[str, Any]]
    members: Mapping[str, frozenset[str]]


def report_sightings(
    found: Sequence[Sighting], before: Reported, moment: datetime | None
) -> tuple[Reported, list[dict[str, Any]]]:
    """Fire what is new and tell what grew.

    Args:
        found: this build's campaigns, by id.
        before: what is on record.
        moment: newest time of the log, UTC.

    Returns:
        The record from now on, and the alerts that fired now.
    """
    alerts, campaigns, growth = list(before.alerts), list(before.campaigns), list(before.growth)
    alert_of = {campaign: alert for alert, campaign in campaigns}
    fired = []
    for one in found:
        if one.campaign_id not in alert_of:
            parent = _parent(one, alert_of, before.members)
            if parent is None and not one.barred:
                parent = f"A-{len(alerts) + 1}"
                fired.append(_alert(parent, one, moment))
                alerts.append(fired[-1])
            if parent is not None:
                alert_of[one.campaign_id] = parent
                campaigns.append((parent, one.campaign_id))
    growth += _growth(found, alert_of, growth, moment)
    return Reported(alerts, campaigns, growth, {one.campaign_id: one.accounts for one in found}), fired


def _parent(one: Sighting, alert_of: Mapping[str, str], members: Mapping[str, frozenset[str]]) -> str | None:
    """Return the alert that most of a campaign's members were reported with."""
    shared = sorted(
        ((len(one.accounts & members[name]), alert) for name, alert in alert_of.items() if name in members),
        reverse=True,
    )
    if shared and one.accounts and shared[0][0] >= SAME * len(one.accounts):
        return shared[0][1]
    return None


def _alert(alert_id: str, one: Sighting, moment: datetime | None) -> dict[str, Any]:
    return {
        "alert_id": alert_id,
        "fired_at": moment,
        "campaign_id": one.campaign_id,
        "family_id": one.family_id,
        "kind": "campaign",
        "score": one.score,
        "message": message(one),
        "severity": one.severity.value,
        "n_accounts": len(one.accounts),
        "n_prompts": one.n_prompts,
    }


def message(one: Sighting) -> str:
    """Say what, who, since when, why, and why it may be wrong."""
    families = "one family" if one.n_families == 1 else f"{one.n_families:,} families"
    what = f" that probe {one.capability}" if one.capability and one.capability != "other" else ""
    since = f" since {one.first_ts:%Y-%m-%d}" if one.first_ts else ""
    label = f", first of all “{one.label}”" if one.label else ""
    why = " ".join(str(row["sentence"]) for row in _telling(one.evidence)) or "See its evidence."
    doubts = (
        " ".join(str(row["sentence"]) for row in one.counter[:REASONS])
        or "Nothing that was looked for speaks against it."
    )
    return (
        f"{len(one.accounts):,} accounts sent {one.n_prompts:,} prompts of {families}{what}{label}{since}. "
        f"Why: {why} Why it may be wrong: {doubts}"
    )


def _telling(evidence: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the strongest evidence that has a strength."""
    return [row for row in evidence if row["sufficient"] and (row["log10_e"] or 0) > 0][:REASONS]


def _growth(
    found: Sequence[Sighting], alert_of: Mapping[str, str], told: Sequence[Mapping[str, Any]], moment: datetime | None
) -> list[dict[str, Any]]:
    """Return a row for every alert whose campaigns are new or have grown since they were last told of."""
    last = {row["alert_id"]: row for row in told}
    now: dict[str, dict[str, Any]] = {}
    for one in found:
        if one.campaign_id in alert_of:
            row = now.setdefault(
                alert_of[one.campaign_id],
                {"alert_id": alert_of[one.campaign_id], "ts": moment, "n_accounts": 0, "n_prompts": 0, "n_families": 0},
            )
            row["n_accounts"] += len(one.accounts)
            row["n_prompts"] += one.n_prompts
            row["n_families"] += one.n_families
    sizes = ("n_accounts", "n_prompts", "n_families")
    return [
        now[alert]
        for alert in sorted(now, key=lambda name: int(name[2:]))
        if alert not in last or any(now[alert][size] >= GROWN * last[alert][size] for size in sizes)
    ]
