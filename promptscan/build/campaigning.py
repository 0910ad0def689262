"""The campaigns stage: families that passed become campaigns with members, and campaigns that are new become alerts."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from promptscan.alerts import Reported, Sighting, report_sightings
from promptscan.build.grouping import shared_inside, strengths, with_inside
from promptscan.build.weighing import Weighing
from promptscan.campaigns import (
    Campaigns,
    Traffic,
    Verdict,
    campaign_tables,
    find_campaigns,
    join_silent,
    name_campaigns,
    still_merged,
    with_verdicts,
)
from promptscan.campaigns.membership import MEMBER
from promptscan.evidence import evidence_table, weigh
from promptscan.findings import Facts, find
from promptscan.findings.facts import LEAST
from promptscan.findings.merge import merged
from promptscan.findings.sent import COMPANIONS
from promptscan.sql import arrow, script, write_parquet
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
) -> tuple[CampaignsReport, Weighing]:
    """Find the draft's campaigns, name them, fire what is new, and write both segments.

    Args:
        writer: the draft.
        con: the connection that the evidence was weighed over, with its temporary tables.
        weighing: of the families.
        barred: campaigns that analysts called benign.
        without: kinds of evidence that are left out.

    Returns:
        The report; and the weighing, in which families that passed by a group only and whose campaign does not speak for
        itself have not passed.
    """
    weighing, campaigns = _speaking(con, weighing, without)
    former = arrow(con, "SELECT campaign_id, account_id FROM base_campaign_accounts ORDER BY ALL")
    names = name_campaigns(
        campaigns, former["campaign_id"].to_pylist(), former["account_id"].to_pylist(),
        int(writer.manifest.state.get("next_campaign", 1)),
    )  # fmt: skip
    said = _evidence(weighing, campaigns, list(names.ids), without)
    families = arrow(con, "SELECT family_id, label, capability FROM families").to_pylist()
    labels = {row["family_id"]: row["label"] for row in families}
    capabilities = {row["family_id"]: row["capability"] for row in families}
    before = _reported(con, _members(former))
    tables, sightings = _described(campaigns, list(names.ids), labels, capabilities, said, barred)
    merges = still_merged(dict(con.execute("FROM base_campaign_merges ORDER BY ALL").fetchall()), names)
    tables["campaign_merges"] = pa.table(
        {"campaign_id": pa.array(merges, pa.string()), "into_id": pa.array(merges.values(), pa.string())}
    )
    record, fired = report_sightings(sightings, before, weighing.newest)
    _write(writer, con, weighing.key, tables, record)
    writer.remember(next_campaign=names.next_number)
    report = CampaignsReport(len(campaigns), len(set(campaigns.account_ids)), len(fired), len(record.alerts))
    return report, weighing


def _speaking(
    con: duckdb.DuckDBPyConnection, weighing: Weighing, without: tuple[str, ...]
) -> tuple[Weighing, Campaigns]:
    """Find campaigns, and again until each speaks for itself.

    A campaign that has less evidence than any of its families needs is none: a group that speaks may hold a family of other
    people. Families that passed by themselves, or in an earlier build, need not be asked again. Of a group that speaks as
    a whole and by none of its parts, the parts are put together: on an operation's first day two of its families share
    an account or none. Where a part speaks, the others may join it.
    """
    axes, facts = weighing.axes, weighing.facts
    wanted = facts.eligible | axes.passed
    strength = np.maximum(axes.actors, axes.actors_together)
    traffic = traffic_of(con, weighing.accounts, wanted)
    passed, whole = axes.passed, np.zeros(facts.n, dtype=bool)
    together = np.full(facts.n, -1, dtype=np.int64)
    while True:
        campaigns = find_campaigns(traffic, passed[wanted], strength[wanted], facts.eligible[wanted], together[wanted])
        group = np.where(passed, _grouped(facts, campaigns), -1)  # those that came along speak for nobody
        own = _strengths(weighing, group, len(campaigns), without=without)
        needed = np.full(len(campaigns), np.inf)
        inside = np.flatnonzero(group >= 0)
        np.minimum.at(needed, group[inside], np.where(axes.passed, axes.needed, np.inf)[inside])
        loud = own >= needed
        backed = np.isin(np.arange(len(campaigns)), group[axes.firm & passed])
        parts = np.where(whole, -1, axes.group)  # each is asked once
        asked = np.where(passed & ~np.append(backed & ~loud, False)[group], parts, -1)
        joined = join_silent(partial(_strengths, weighing, without=without), group, asked, own, loud)
        came, group = joined != group, joined
        speaks, known = np.append(loud, False)[group], np.append(backed, False)[group]
        again = passed & (parts >= 0) & ~np.isin(parts, np.unique(parts[speaks]))
        silent = (group >= 0) & ~speaks & ~known & ~again
        if not (again | silent | came).any():
            break
        whole, passed = whole | again | came, passed & ~silent
        together = np.where(again, len(campaigns) + axes.group, group)
    return replace(weighing, axes=replace(axes, passed=passed)), replace(
        campaigns, score=np.maximum(campaigns.score, own)
    )


def _strengths(
    weighing: Weighing, group: NDArray[np.int64], n: int, *, without: tuple[str, ...]
) -> NDArray[np.float64]:
    """Return log10 e-values of n campaigns, float64 (n,); all other families are there too, each by itself, as in any weighing."""
    facts = weighing.facts
    apart = np.where(group >= 0, group, n + np.cumsum(group < 0) - 1)
    told = np.arange(max(int(apart.max(initial=-1)) + 1, n)) < n
    found, _ = strengths(facts, weighing.findings, weighing.weighed, apart, told, without)
    return found[:n]


def _grouped(facts: Facts, campaigns: Campaigns) -> NDArray[np.int64]:
    """Return the campaign of each family, -1 for none, int64 (f,)."""
    place = {name: row for row, name in enumerate(facts.families)}
    group = np.full(facts.n, -1, dtype=np.int64)
    group[[place[name] for name in campaigns.family_ids]] = campaigns.family_campaign
    return group


def traffic_of(con: duckdb.DuckDBPyConnection, facts: Facts, wanted: NDArray[np.bool_]) -> Traffic:
    """Return who sent how much of some families, bool (f,), and what the senders have in common."""
    kept = wanted[facts.family]
    family_number, account_number = np.cumsum(wanted) - 1, np.full(len(facts.accounts), -1, dtype=np.int64)
    accounts = np.unique(facts.account[kept])
    account_number[accounts] = np.arange(len(accounts))
    con.register("taking_part", pa.table({"account": accounts}))
    con.execute(script("campaign_entities"))
    con.unregister("taking_part")
    held = con.execute("SELECT account, entity FROM held ORDER BY entity, account").fetchnumpy()
    known = arrow(con, "SELECT DISTINCT entity, kind, written, total FROM held ORDER BY entity")
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
        entities=list(zip(known["kind"].to_pylist(), known["written"].to_pylist(), strict=True)),
        entity=np.asarray(held["entity"], dtype=np.int64),
        entity_account=account_number[np.asarray(held["account"], dtype=np.int64)],
        entity_total=known["total"].to_numpy().astype(np.int64),
        n_accounts=len(facts.accounts),
        store_created=facts.created,
    )


def _members(rows: pa.Table) -> dict[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for campaign, account in zip(rows["campaign_id"].to_pylist(), rows["account_id"].to_pylist(), strict=True):
        found[campaign].add(account)
    return {campaign: frozenset(accounts) for campaign, accounts in found.items()}


def _evidence(
    weighing: Weighing, campaigns: Campaigns, ids: list[str], without: tuple[str, ...]
) -> dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Return the evidence for and against each campaign, from all accounts of its families.

    Members are chosen by some of the same signs, so evidence about members only would speak for itself.
    """
    said: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {name: ([], []) for name in ids}
    if not ids:
        return said
    group = _grouped(weighing.facts, campaigns)
    facts = merged(weighing.facts, group, ids)
    inside = shared_inside(weighing.findings, weighing.weighed, group, len(ids))
    findings = with_inside(find(facts), inside, facts.n_accounts)
    weighed = weigh(findings, facts.eligible, without, weighing.weighed.nulls, {COMPANIONS: inside.log_e})
    for row in evidence_table(findings, weighed.log10_e, ids).to_pylist():
        said[row["family_id"]][row["against"]].append({name: row[name] for name in PARTS} | {"family_id": None})
    return said


def _reported(con: duckdb.DuckDBPyConnection, members: dict[str, frozenset[str]]) -> Reported:
    alerts = arrow(con, "FROM base_alerts ORDER BY alert_id[3:]::BIGINT").select(ALERTS.names).to_pylist()
    campaigns = con.execute("FROM base_alert_campaigns ORDER BY alert_id[3:]::BIGINT, campaign_id").fetchall()
    growth = arrow(con, "FROM base_alert_growth ORDER BY ts NULLS FIRST, n_accounts, alert_id").to_pylist()
    return Reported(alerts, [(str(alert), str(campaign)) for alert, campaign in campaigns], growth, members)


def _described(
    campaigns: Campaigns,
    ids: list[str],
    labels: dict[str, str | None],
    capabilities: dict[str, str | None],
    said: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]],
    barred: frozenset[str],
) -> tuple[dict[str, pa.Table], list[Sighting]]:
    """Return the tables of the segment, and what alerts are made from."""
    tables = campaign_tables(campaigns, ids, labels, capabilities)
    # a campaign with too few sure members is listed and not reported
    accounts = _members(tables["campaign_accounts"].filter(pc.field("score") >= MEMBER))
    families = dict(zip(campaigns.family_campaign.tolist()[::-1], campaigns.family_ids[::-1], strict=True))
    sightings = [
        Sighting(
            campaign_id=row["campaign_id"],
            family_id=families.get(number),
            accounts=accounts.get(row["campaign_id"], frozenset()),
            n_prompts=row["n_prompts"],
            n_families=row["n_families"],
            first_ts=row["first_ts"],
            score=row["score"],
            label=row["label"],
            capability=row["capability"],
            evidence=said[row["campaign_id"]][0],
            counter=said[row["campaign_id"]][1],
            barred=row["campaign_id"] in barred or len(accounts.get(row["campaign_id"], ())) < LEAST,
        )
        for number, row in enumerate(tables["campaigns"].to_pylist())
    ]
    verdicts = [Verdict(json.dumps(one.evidence), json.dumps(one.counter), one.severity.value) for one in sightings]
    tables["campaigns"] = with_verdicts(tables["campaigns"], verdicts)
    return tables, sightings


def _write(
    writer: Writer, con: duckdb.DuckDBPyConnection, key: str, tables: dict[str, pa.Table], record: Reported
) -> None:
    """Write the segments of campaigns and alerts."""
    for name in ("campaign_accounts", "campaign_families"):
        con.register(f"new_{name}", tables[name])
    tables["campaign_days"] = arrow(con, script("campaign_days"))
    for name in ("campaign_accounts", "campaign_families"):
        con.unregister(f"new_{name}")
    alerts = {
        "alerts": pa.Table.from_pylist(record.alerts, schema=ALERTS),
        "alert_growth": pa.Table.from_pylist(record.growth, schema=GROWTH),
        "alert_campaigns": pa.Table.from_pylist(
            [{"alert_id": alert, "campaign_id": campaign} for alert, campaign in record.campaigns], schema=CAMPAIGNS
        ),
    }
    for kind, contents in (("campaigns", tables), ("alerts", alerts)):
        writer.drop(kind)
        with writer.segment(kind, key=key, meta={}) as directory:
            write_parquet(con, directory, contents)
