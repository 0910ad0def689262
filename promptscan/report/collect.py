"""Read a report out of a store's public views; the statements are `sql/report_*.sql`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import duckdb

from promptscan.report.campaign import Day
from promptscan.report.document import (
    SCORE_NOTE,
    BankMark,
    Build,
    Change,
    Event,
    Family,
    FamilyAccount,
    Measure,
    QuarantineReason,
    ReportDocument,
    StoreFacts,
    utc,
)
from promptscan.report.reading import Row, grouped, read
from promptscan.report.suspects import alerts, campaigns, campaigns_of

MAX_EXEMPLAR = 4_000
"""Characters of an exemplar or template that a report holds."""
PER_FAMILY = 8
"""Accounts shown with a family, and events of it."""
MAX_EVENTS = 40
MAX_REASONS = 30
MAX_MEASURES = 40


def collect(
    con: duckdb.DuckDBPyConnection,
    *,
    since: datetime | None,
    last_build: bool = False,
    now: datetime | None = None,
    top: int = 25,
    score_note: str = SCORE_NOTE,
    decided: Mapping[str, str] | None = None,
) -> ReportDocument:
    """Collect a report.

    Args:
        con: A connection to a store's catalog, or to anything with its views.
        since: What is new is what happened at or after this time (no zone: UTC); None: everything.
        last_build: What is new is what came with the last build.
        now: The time to put on the report; the present by default.
        top: Families, campaigns and alerts to include, best first.
        score_note: How the families' score is computed, in words for the reader.
        decided: What people decided, by id of a family, campaign or alert.

    Raises:
        StoreError: A view or a column is missing.
    """
    since, decided = utc(since), decided or {}
    start = {"since": None if since is None else since.replace(tzinfo=None)}
    built, fired = _last_build(con) if last_build else ({"run": None}, {"newest": None})
    families = read(con, "report_families", top=top, max_chars=MAX_EXEMPLAR)
    events = [Event(**row) for row in read(con, "report_events", top=MAX_EVENTS, **start, **built)]
    return ReportDocument(
        generated_at=utc(now) or datetime.now(UTC),
        since=since,
        last_build=last_build,
        score_note=score_note,
        facts=StoreFacts(**read(con, "report_facts", **start, **built, **fired)[0]),
        build=_build(read(con, "report_runs")),
        events=tuple(events),
        alerts=tuple(alerts(con, decided, top=top, **start, **fired)),
        campaigns=tuple(campaigns(con, decided, top, MAX_EXEMPLAR)),
        families=tuple(_families(con, families, events, decided)),
        quarantine=tuple(QuarantineReason(**row) for row in read(con, "report_quarantine", top=MAX_REASONS)),
    )


def _last_build(con: duckdb.DuckDBPyConnection) -> tuple[dict[str, str | None], dict[str, datetime | None]]:
    """Return the last build's run and the newest time of the log, at which its alerts fired (None: the log has no times)."""
    [row] = read(con, "report_last_build")
    return {"run": row["run"] or ""}, {"newest": row["newest"] and row["newest"].replace(tzinfo=None)}


def _families(
    con: duckdb.DuckDBPyConnection, ranked: Sequence[Row], events: Sequence[Event], decided: Mapping[str, str]
) -> Iterator[Family]:
    ids = [row["family_id"] for row in ranked]
    accounts = grouped(read(con, "report_family_accounts", families=ids, per_family=PER_FAMILY), "family_id")
    days = grouped(read(con, "report_family_days", families=ids), "family_id")
    lineage = grouped(read(con, "report_family_events", families=ids, per_family=PER_FAMILY), "family_id")
    banks = grouped(read(con, "report_family_banks", families=ids), "family_id")
    parts = campaigns_of(con, ids)
    for rank, row in enumerate(ranked, 1):
        family_id = row["family_id"]
        yield Family(
            rank=rank,
            verdict=decided.get(family_id),
            **row,
            events=tuple(sorted({event.event for event in events if event.family_id == family_id})),
            lineage=tuple(Change(**one) for one in lineage.get(family_id, ())),
            campaigns=parts.get(family_id, ()),
            banks=tuple(BankMark(**one) for one in banks.get(family_id, ())),
            accounts=tuple(FamilyAccount(**one) for one in accounts.get(family_id, ())),
            days=tuple(Day(**one) for one in days.get(family_id, ())),
        )


def _build(runs: Sequence[Row]) -> Build:
    """Describe the newest run; the encoder and the measurements may stand in an older one."""
    encoders = (_encoder(_json(run[source])) for run in runs for source in ("versions", "config"))
    measured = (tuple(islice(_measures(_json(run["measured"])), MAX_MEASURES)) for run in runs)
    newest = runs[0] if runs else {}
    return Build(
        run_id=newest.get("run_id"),
        finished_at=newest.get("finished_at"),
        command=newest.get("command"),
        encoder=next(filter(None, encoders), None),
        measured=next(filter(None, measured), ()),
    )


def _json(text: str | None) -> Any:
    """Parse what a JSON column holds; what cannot be parsed stays text."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _encoder(settings: object) -> str | None:
    """Find the encoder's name in a run's settings: `encoder`, a string or a mapping with a name, at any depth."""
    if not isinstance(settings, dict):
        return None
    found = settings.get("encoder")
    if isinstance(found, dict):
        found = found.get("name") or found.get("id")
    return str(found) if found else next(filter(None, map(_encoder, settings.values())), None)


def _measures(measured: object, path: str = "") -> Iterator[Measure]:
    """Yield every number in a JSON document, named by its path."""
    if isinstance(measured, dict):
        for key in sorted(measured):
            yield from _measures(measured[key], f"{path}.{key}" if path else str(key))
    elif isinstance(measured, int | float) and not isinstance(measured, bool):
        yield Measure(path, float(measured))
