"""Read a report out of a store's public views; the statements are `sql/report_*.sql`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import Any

import duckdb

from promptscan.errors import StoreError
from promptscan.report.document import (
    SCORE_NOTE,
    Alert,
    BankMark,
    Build,
    Campaign,
    CampaignAccount,
    Change,
    Day,
    Event,
    Family,
    FamilyAccount,
    Measure,
    QuarantineReason,
    ReportDocument,
    StoreFacts,
    utc,
)
from promptscan.sql import script

MAX_EXEMPLAR = 4_000
"""Characters of an exemplar or template that a report holds."""
PER_FAMILY = 8
"""Accounts shown with a family or a campaign, and events of a family."""
MAX_EVENTS = 40
MAX_REASONS = 30
MAX_MEASURES = 40

Row = dict[str, Any]


def collect(
    con: duckdb.DuckDBPyConnection,
    *,
    since: datetime | None,
    now: datetime | None = None,
    top: int = 25,
    score_note: str = SCORE_NOTE,
) -> ReportDocument:
    """Collect a report.

    Args:
        con: A connection to a store's catalog, or to anything with its views.
        since: What is new is what happened at or after this time (no zone: UTC); None: everything.
        now: The time to put on the report; the present by default.
        top: Families, campaigns and alerts to include, best first.
        score_note: How the families' score is computed, in words for the reader.

    Raises:
        StoreError: A view or a column is missing.
    """
    since = utc(since)
    period = {"since": None if since is None else since.replace(tzinfo=None)}
    families = _query(con, "report_families", top=top, max_chars=MAX_EXEMPLAR)
    events = [Event(**row) for row in _query(con, "report_events", top=MAX_EVENTS, **period)]
    return ReportDocument(
        generated_at=utc(now) or datetime.now(UTC),
        since=since,
        score_note=score_note,
        facts=StoreFacts(**_query(con, "report_facts", **period)[0]),
        build=_build(_query(con, "report_runs")),
        events=tuple(events),
        alerts=tuple(Alert(**row) for row in _query(con, "report_alerts", top=top, **period)),
        campaigns=tuple(_campaigns(con, top)),
        families=tuple(_families(con, families, events)),
        quarantine=tuple(QuarantineReason(**row) for row in _query(con, "report_quarantine", top=MAX_REASONS)),
    )


def _query(con: duckdb.DuckDBPyConnection, name: str, **parameters: object) -> list[Row]:
    """Run one named statement and return its rows; times become UTC."""
    try:
        cursor = con.execute(script(name), parameters or None)
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        reason = str(error).partition("\n")[0]
        raise StoreError(f"the store's catalog lacks what {name} reads ({reason}); run `promptscan build`") from error
    names = [column[0] for column in cursor.description or ()]
    return [
        {key: utc(value) if isinstance(value, datetime) else value for key, value in zip(names, row, strict=True)}
        for row in cursor.fetchall()
    ]


def _grouped(rows: Sequence[Row], key: str) -> dict[str, list[Row]]:
    """Group rows that come sorted by `key`, which is taken out of them."""
    return {name: list(group) for name, group in groupby(rows, key=lambda row: row.pop(key))}


def _families(con: duckdb.DuckDBPyConnection, ranked: Sequence[Row], events: Sequence[Event]) -> Iterator[Family]:
    ids = [row["family_id"] for row in ranked]
    accounts = _grouped(_query(con, "report_family_accounts", families=ids, per_family=PER_FAMILY), "family_id")
    days = _grouped(_query(con, "report_family_days", families=ids), "family_id")
    lineage = _grouped(_query(con, "report_family_events", families=ids, per_family=PER_FAMILY), "family_id")
    banks = _grouped(_query(con, "report_family_banks", families=ids), "family_id")
    for rank, row in enumerate(ranked, 1):
        family_id = row["family_id"]
        yield Family(
            rank=rank,
            **row,
            events=tuple(sorted({event.event for event in events if event.family_id == family_id})),
            lineage=tuple(Change(**one) for one in lineage.get(family_id, ())),
            banks=tuple(BankMark(**one) for one in banks.get(family_id, ())),
            accounts=tuple(FamilyAccount(**one) for one in accounts.get(family_id, ())),
            days=tuple(Day(**one) for one in days.get(family_id, ())),
        )


def _campaigns(con: duckdb.DuckDBPyConnection, top: int) -> Iterator[Campaign]:
    rows = _query(con, "report_campaigns", top=top)
    ids = [row["campaign_id"] for row in rows]
    members = _grouped(_query(con, "report_campaign_accounts", campaigns=ids, per_campaign=PER_FAMILY), "campaign_id")
    for row in rows:
        yield Campaign(
            score=row.pop("finite_score"),
            evidence=_json(row.pop("evidence")),
            counter_evidence=_json(row.pop("counter_evidence")),
            accounts=tuple(
                CampaignAccount(one["account_id"], one["finite_score"], tuple(one["reasons"] or ()))
                for one in members.get(row["campaign_id"], ())
            ),
            **row,
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
