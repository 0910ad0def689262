"""What a report says, as frozen data: the HTML page and `report.json` are two views of one `ReportDocument`.

Text is held raw here; it becomes safe to show in the sink. Times are UTC. Lists are the head of what the store has; the
totals in `StoreFacts` say how much there is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any

from promptscan.report.campaign import Alert, Campaign, Day
from promptscan.vis import iso

SCHEMA = "urn:promptscan:schema:report:1"
SCORE_NOTE = (
    "Score = effective accounts × reuse² × min(1, shared words / 20): higher means look sooner. It orders families "
    "within one store and is not a probability. Effective accounts is how many accounts of equal size would share the "
    "family as unevenly (1 / Σ share²: near the number of accounts when all send alike, near 1 when one sends nearly "
    "all). Reuse is the share of wording that a member has in common with the exemplar, in the same order; short "
    "phrases that anybody types count less. Popular public templates and one vendor's app score high too: look at who "
    "sends a family before you decide."
)


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """Counts over the whole store, and over the period `since` began; times are those of the prompts."""

    first_ts: datetime | None
    last_ts: datetime | None
    n_prompts: int
    n_prompts_since: int
    n_texts: int
    n_accounts: int
    n_families: int
    n_campaigns: int
    n_alerts: int
    n_events: int
    n_noise_prompts: int
    n_quarantined: int
    n_quarantine_reasons: int

    @property
    def noise_share(self) -> float | None:
        """Part of the prompts whose text is in no family, 0..1; None in an empty store."""
        return self.n_noise_prompts / self.n_prompts if self.n_prompts else None


@dataclass(frozen=True, slots=True)
class Measure:
    """One number the build measured about itself, named by its path in `runs.measured`."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Build:
    """The newest finished run of the store; `measured` is of the newest run that measured anything."""

    run_id: str | None
    finished_at: datetime | None
    command: str | None
    encoder: str | None
    measured: tuple[Measure, ...]

    @property
    def recall(self) -> Measure | None:
        """The recall of search against exact search, if a run measured it."""
        return next((measure for measure in self.measured if "recall" in measure.name.lower()), None)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a family.

    Prompts and accounts are the family's present ones. Texts are those at the time of the event: before it, after it, and in
    common with the other family or with its former self.
    """

    ts: datetime | None
    event: str
    family_id: str
    label: str | None
    other_family_id: str | None
    n_prompts: int | None
    n_accounts: int | None
    n_before: int | None
    n_texts: int | None
    n_shared: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a known family; texts as in `Event`."""

    ts: datetime | None
    event: str
    other_family_id: str | None
    n_before: int | None
    n_texts: int | None
    n_shared: int | None


@dataclass(frozen=True, slots=True)
class BankMark:
    """A bank that knows texts of a family: how many, and their share of its texts, 0..1."""

    bank: str
    kind: str
    n_known: int
    share: float | None


@dataclass(frozen=True, slots=True)
class FamilyAccount:
    """One account of a family: its part of the family, and the family's part of all it sent (None: unknown)."""

    account_id: str
    n_prompts: int
    share_of_family: float | None
    share_of_account: float | None
    first_ts: datetime | None
    last_ts: datetime | None


@dataclass(frozen=True, slots=True)
class Family:
    """One ranked family with its evidence.

    `exemplar` may be cut, `exemplar_chars` is its whole length. `percentile` is the share of the store's ordinary texts that are
    less like the capability. `verdict` is what a person decided about it. `events` are kinds that happened in the period, `lineage` the last things ever; `campaigns` are those
    it is part of.
    """

    rank: int
    family_id: str
    label: str | None
    capability: str | None
    percentile: float | None
    score: float | None
    n_templates: int
    n_texts: int
    n_prompts: int
    n_accounts: int
    effective_accounts: float | None
    first_ts: datetime | None
    last_ts: datetime | None
    exemplar: str | None
    exemplar_chars: int | None
    template: str | None
    verdict: str | None
    events: tuple[str, ...]
    lineage: tuple[Change, ...]
    campaigns: tuple[str, ...]
    banks: tuple[BankMark, ...]
    accounts: tuple[FamilyAccount, ...]
    days: tuple[Day, ...]


@dataclass(frozen=True, slots=True)
class QuarantineReason:
    """Why rows were set aside, how many, and where the first one is."""

    reason: str
    n_rows: int
    n_sources: int
    source: str | None
    position: str | None
    sample: str | None


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """A whole report; what is new is what happened since `since`, or with `last_build` what came with that."""

    generated_at: datetime
    since: datetime | None
    last_build: bool
    score_note: str
    facts: StoreFacts
    build: Build
    events: tuple[Event, ...]
    alerts: tuple[Alert, ...]
    campaigns: tuple[Campaign, ...]
    families: tuple[Family, ...]
    quarantine: tuple[QuarantineReason, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the document as plain JSON values, as `docs/schemas/report.schema.json` describes it."""
        document: dict[str, Any] = {"$schema": SCHEMA, **_plain(self)}
        document["facts"]["noise_share"] = self.facts.noise_share
        document["build"]["recall"] = None if self.build.recall is None else self.build.recall.value
        return document


def utc(moment: datetime | None) -> datetime | None:
    """Return a time of the store, which has no zone, as the UTC time it is."""
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _plain(value: object) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, date):
        return iso(value) if isinstance(value, datetime) else value.isoformat()
    return value
