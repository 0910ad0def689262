"""Read the campaigns and alerts of a report out of a store's public views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import duckdb

from promptscan.recorded import Evidence, read_evidence, weak
from promptscan.report.campaign import Alert, Campaign, CampaignAccount, CampaignEntity, CampaignFamily, Day
from promptscan.report.reading import grouped, read
from promptscan.verdicts import judged

PER_CAMPAIGN = 10
"""Accounts, families and entities shown with a campaign."""
SENTENCES = 3
"""Sentences for and against that are shown with an alert."""


def alerts(con: duckdb.DuckDBPyConnection, decided: Mapping[str, str], **parameters: object) -> Iterator[Alert]:
    """Read the alerts that a period brought, newest first, with what was decided by subject."""
    for row in read(con, "report_alerts", **parameters):
        yield Alert(
            why=_said([one for one in read_evidence(row.pop("evidence")) if not weak(one.log10_e)]),
            against=_said(read_evidence(row.pop("counter_evidence"))),
            verdict=judged("alerts", row, decided),
            **row,
        )


def campaigns(
    con: duckdb.DuckDBPyConnection, decided: Mapping[str, str], top: int, max_chars: int
) -> Iterator[Campaign]:
    """Read the campaigns with the highest score, each with the head of what belongs to it and what was decided."""
    rows = read(con, "report_campaigns", top=top)
    ids = [row["campaign_id"] for row in rows]
    asked = {"campaigns": ids, "per_campaign": PER_CAMPAIGN}
    accounts = grouped(read(con, "report_campaign_accounts", **asked), "campaign_id")
    families = grouped(read(con, "report_campaign_families", **asked, max_chars=max_chars), "campaign_id")
    entities = grouped(read(con, "report_campaign_entities", **asked), "campaign_id")
    days = grouped(read(con, "report_campaign_days", campaigns=ids), "campaign_id")
    for row in rows:
        name = row["campaign_id"]
        yield Campaign(
            evidence=read_evidence(row.pop("evidence")),
            counter_evidence=read_evidence(row.pop("counter_evidence")),
            accounts=tuple(
                CampaignAccount(**{**one, "reasons": tuple(one["reasons"] or ())}) for one in accounts.get(name, ())
            ),
            families=tuple(CampaignFamily(**one) for one in families.get(name, ())),
            entities=tuple(CampaignEntity(**one) for one in entities.get(name, ())),
            days=tuple(Day(**one) for one in days.get(name, ())),
            verdict=judged("campaigns", row, decided),
            **row,
        )


def campaigns_of(con: duckdb.DuckDBPyConnection, families: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the campaigns that each family is part of."""
    rows = read(con, "report_family_campaigns", families=families)
    return {name: tuple(_names(found)) for name, found in grouped(rows, "family_id").items()}


def _names(rows: Iterable[dict[str, str]]) -> Iterator[str]:
    return (row["campaign_id"] for row in rows)


def _said(found: Sequence[Evidence]) -> tuple[str, ...]:
    return tuple(one.sentence for one in found if one.sufficient and one.sentence)[:SENTENCES]
