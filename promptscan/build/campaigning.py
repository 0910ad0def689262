"""The campaigns stage: families that passed become campaigns with members, and campaigns that are new become alerts."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from promptscan.alerts import Reported, Severity, Sighting, report_sightings
from promptscan.build.weighing import Weighing, campaign_findings
from promptscan.campaigns import Campaigns, Traffic, Verdict, campaign_tables, find_campaigns, name_campaigns
from promptscan.evidence import evidence_table
from promptscan.findings.facts import SHARED
from promptscan.sql import LOOKUP_GROUP, arrow, copy_parquet, script
from promptscan.store import Writer

PARTS = ("kind", "family_id", "value", "expected", "n", "log10_e", "sufficient", "sentence")
ALERTS = pa.schema(
    [
        ("alert_id", pa.string()), ("fired_at", pa.timestamp("us")), ("campaign_id", pa.string()), ("family_id", pa.string()),
        ("kind", pa.string()), ("score", pa.float64()), ("message", pa.string()), ("severity", pa.string()),
        ("n_accounts", pa.int64()), ("n_prompts", pa.int64()),
    ]
)  # fmt: skip
GROWTH = pa.schema(
    [("alert_id", pa.string()), ("ts", pa.timestamp("us"))]
    + [(name, pa.int64()) for name in ("n_accounts", "n_prompts", "n_families")]
)
CAMPAIGNS = pa.schema([("alert_id", pa.string()), ("campaign_id", pa.string())])


@dataclass(frozen=True, slots=True)
class CampaignsReport:
    """How many campaigns there are, their accounts, and the alerts that fired now."""

    campaigns: int = 0
    accounts: int = 0
    fired: int = 0
    alerts: int = 0


def find_all_campaigns(
    writer: Writer, con: duckdb.DuckDBPyConnection, weighing: Weighing, barred: frozenset[str], without: tuple[str, ...]
) -> CampaignsReport:
    """Find the draft's campaigns, name them, fire what is new, and write both segments.

    Args:
        writer: the draft.
        con: the connection that the evidence was weighed over, with its temporary tables.
        weighing: of the families.
        barred: campaigns that analysts called benign.
        without: kinds of evidence that are left out.
    """
    axes = weighing.axes
    strength = np.maximum(axes.actors, axes.actors_together)
    eligible = weighing.facts.eligible & ~np.isnan(axes.threshold)
    campaigns = find_campaigns(traffic_of(con, weighing), axes.passed, strength, eligible)
    former = arrow(con, "SELECT campaign_id, account_id FROM base_campaign_accounts ORDER BY ALL")
    members = _members(former)
    names = name_campaigns(
        campaigns, former["campaign_id"].to_pylist(), former["account_id"].to_pylist(),
        int(writer.manifest.state.get("next_campaign", 1)),
    )  # fmt: skip
    said, scores = _evidence(weighing, campaigns, list(names.ids), without)
    campaigns = replace(campaigns, score=scores)
    families = arrow(con, "SELECT family_id, label, capability FROM families").to_pylist()
    labels = {row["family_id"]: row["label"] for row in families}
    capabilities = {row["family_id"]: row["capability"] for row in families}
    before = _reported(con, members)
    tables, sightings = _described(campaigns, list(names.ids), labels, capabilities, said, barred)
    record, fired = report_sightings(sightings, before, weighing.newest)
    _write(writer, con, weighing.key, tables, record)
    writer.remember(next_campaign=names.next_number)
    return CampaignsReport(len(campaigns), len(set(campaigns.account_ids)), len(fired), len(record.alerts))


def traffic_of(con: duckdb.DuckDBPyConnection, weighing: Weighing) -> Traffic:
    """Return who sent how much of the families that could be a campaign's, and what the senders have in common."""
    facts, passed = weighing.facts, weighing.axes.passed
    wanted = facts.eligible | passed
    kept = wanted[facts.family]
    family_number, account_number = np.cumsum(wanted) - 1, np.full(len(facts.accounts), -1, dtype=np.int64)
    accounts = np.unique(facts.account[kept])
    account_number[accounts] = np.arange(len(accounts))
    con.register("taking_part", pa.table({"account": accounts}))
    held = arrow(
        con,
        "WITH sized AS (SELECT kind, value, count(*) AS total FROM belongings WHERE kind IN "
        f"({', '.join(repr(kind) for kind in SHARED)}) GROUP BY kind, value) "
        "SELECT b.account, b.kind, b.written, s.total FROM belongings b JOIN sized s USING (kind, value) "
        "SEMI JOIN taking_part USING (account) ORDER BY b.kind, b.written, b.account",
    )
    con.unregister("taking_part")
    names = pa.StructArray.from_arrays(
        [held[name].combine_chunks() for name in ("kind", "written")], names=["kind", "written"]
    )
    kinds, values = held["kind"].to_pylist(), held["written"].to_pylist()
    changed = np.array([row == 0 or names[row] != names[row - 1] for row in range(0)], dtype=bool)
    entities = sorted(set(zip(kinds, values, strict=True)))
    number = {entity: place for place, entity in enumerate(entities)}
    entity = np.array([number[one] for one in zip(kinds, values, strict=True)], dtype=np.int64)
    totals = np.zeros(len(entities), dtype=np.int64)
    totals[entity] = held["total"].to_numpy()
    del changed
    return Traffic(
        families=[name for name, taken in zip(facts.families, wanted.tolist(), strict=True) if taken],
        accounts=[facts.accounts[row] for row in accounts.tolist()],
        family=family_number[facts.family[kept]].astype(np.int64),
        account=account_number[facts.account[kept]],
        prompts=facts.prompts[kept],
        account_total=facts.total[accounts],
        first_ts=facts.pair_first[kept],
        last_ts=facts.pair_last[kept],
        created=facts.created[accounts],
        entities=entities,
        entity=entity,
        entity_account=account_number[held["account"].to_numpy()],
        entity_total=totals,
        n_accounts=len(facts.accounts),
        store_created=facts.created,
    )
