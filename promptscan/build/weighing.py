"""The evidence stage: what speaks for and against the accounts of each family acting as one, and both axes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import numpy as np

from promptscan.axes import Axes, Before, judge
from promptscan.build.grouping import weigh_groups
from promptscan.config import Settings
from promptscan.evidence import Finding, Weighed, evidence_table, weigh
from promptscan.findings import Facts, find
from promptscan.findings.actors import by_actor
from promptscan.findings.facts import LEAST, known_languages, read_facts
from promptscan.releases import read_releases, seen_releases
from promptscan.sql import one, write_parquet
from promptscan.store import Writer

INPUTS = ("stats", "families", "templates", "accounts", "bank_hits", "prompts")
VERSION = "evidence 13"


@dataclass(frozen=True, slots=True)
class EvidenceReport:
    """How many families were weighed, could be a template that was handed on, passed both axes, and are in groups."""

    families: int = 0
    eligible: int = 0
    passed: int = 0
    grouped: int = 0


@dataclass(frozen=True, slots=True)
class Weighing:
    """All that was found about the draft's families.

    Attributes:
        accounts: facts of the families by account.
        facts: the same with organisations as one account.
        findings: about the families.
        weighed: the same, weighed.
        axes: of the families.
        grouped: families in groups of several.
        newest: newest time of the log; None where no prompt has one.
        key: digest of all that went in, the past included.
    """

    accounts: Facts
    facts: Facts
    findings: list[Finding]
    weighed: Weighed
    axes: Axes
    grouped: int
    newest: datetime | None
    key: str


def evidence_key(writer: Writer, settings: Settings, barred: frozenset[str]) -> str:
    """Digest what the evidence is made from: equal keys, equal evidence."""
    names = [segment.name for segment in writer.manifest.segments if segment.kind in INPUTS]
    releases = {name: str(when) for name, when in read_releases(settings.models).items()}
    parts = [VERSION, names, settings.alert_budget, settings.evidence_without, releases, sorted(barred)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def weigh_evidence(
    writer: Writer, con: duckdb.DuckDBPyConnection, settings: Settings, barred: frozenset[str], key: str
) -> Weighing:
    """Weigh the evidence about the draft's families.

    Args:
        writer: the draft.
        con: a connection with its views; gets temporary tables.
        settings: the budget, kinds to leave out, and known releases.
        barred: families that analysts called benign.
        key: as of `evidence_key`.
    """
    releases = seen_releases(con) | read_releases(settings.models)
    newest = one(con, "SELECT max(ts) FROM base_prompts")[0]
    accounts = read_facts(con, releases)
    facts = by_actor(accounts)
    before, budget = _before(writer, con), settings.alert_budget * _days(writer, con, newest)
    findings = find(facts)
    weighed = weigh(findings, facts.eligible, settings.left_out)
    groups = weigh_groups(facts, findings, weighed, settings.left_out)
    shared = facts.eligible & (np.bincount(facts.family, minlength=facts.n) >= LEAST)
    axes = judge(
        facts.families, facts.transfer, shared, groups, weighed.actors, facts.effective, before, budget=budget,
        barred=np.array([name in barred for name in facts.families], dtype=bool),
    )  # fmt: skip
    unique = hashlib.sha256(f"{key}|{_before_digest(before)}".encode()).hexdigest()
    return Weighing(accounts, facts, findings, weighed, axes, int((groups.n > 1).sum()), newest, unique)


def keep_evidence(writer: Writer, con: duckdb.DuckDBPyConnection, weighing: Weighing, key: str) -> EvidenceReport:
    """Write the evidence as a segment, once it is known which families are of campaigns."""
    writer.drop("evidence")
    nulls = {kind: round(scale, 4) for kind, scale in sorted(weighing.weighed.nulls.items())}
    facts, axes = weighing.facts, weighing.axes
    with writer.segment("evidence", key=weighing.key, meta={"nulls": nulls, "key": key, "rules": VERSION}) as directory:
        rows = {
            "family_evidence": evidence_table(weighing.findings, weighing.weighed.log10_e, facts.families),
            "family_axes": axes.table(),
            "spoken_languages": known_languages(con),
        }
        write_parquet(con, directory, rows)
    if weighing.newest is not None:
        writer.remember(alert_clock=weighing.newest.isoformat())
    return EvidenceReport(facts.n, int(facts.eligible.sum()), int(axes.passed.sum()), weighing.grouped)


def _before_digest(before: Before) -> str:
    """Digest what was kept of families: looks and shares of the budget depend on the past."""
    columns = ("alpha", "peak", "looks", "n_prompts", "passed")
    parts = [before.families, *(getattr(before, name).tolist() for name in columns)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _before(writer: Writer, con: duckdb.DuckDBPyConnection) -> Before:
    """Read what was kept of families. Where other rules found it, only their shares of the budget stay: all are looked at anew."""
    rows: Any = con.execute(
        "SELECT family_id, alpha, peak, looks, n_prompts, passed FROM base_family_axes ORDER BY family_id[3:]::BIGINT"
    ).fetchnumpy()
    n = len(rows["family_id"])
    same = all(one.meta.get("rules") == VERSION for one in writer.manifest.of_kind("evidence"))
    return Before(
        [str(name) for name in rows["family_id"]],
        np.asarray(rows["alpha"], dtype=np.float64),
        np.asarray(rows["peak"], dtype=np.float64) if same else np.full(n, -1.0),
        np.asarray(rows["looks"], dtype=np.int64),
        np.asarray(rows["n_prompts"], dtype=np.int64) if same else np.zeros(n, dtype=np.int64),
        np.asarray(rows["passed"], dtype=bool) & same,
    )


def _days(writer: Writer, con: duckdb.DuckDBPyConnection, newest: datetime | None) -> float:
    """Return how many days of the log are new since the last build; a log without times, or with no new ones, gets one."""
    last = writer.manifest.state.get("alert_clock")
    since = datetime.fromisoformat(last) if last else one(con, "SELECT min(ts) FROM base_prompts")[0]
    if newest is None or since is None:
        return 1.0
    days = (newest - since).total_seconds() / 86_400
    return max(days, 1.0) if last is None else max(days, 1 / 24)
