"""The evidence stage: what speaks for and against the accounts of each family acting as one, and both axes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from promptscan.axes import Axes, Before, Groups, judge
from promptscan.config import Settings
from promptscan.evidence import LN10, Finding, Weighed, evidence_table, weigh
from promptscan.findings import Facts, find
from promptscan.findings.actors import by_actor
from promptscan.findings.facts import LEAST, read_facts
from promptscan.findings.merge import Core, merged
from promptscan.findings.together import linked, shared_families
from promptscan.releases import read_releases, seen_releases
from promptscan.sql import LOOKUP_GROUP, copy_parquet, one
from promptscan.store import Writer

INPUTS = ("stats", "families", "templates", "accounts", "bank_hits", "prompts")
VERSION = "evidence 2"
DAY = np.timedelta64(1, "D")

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EvidenceReport:
    """How many families were weighed, could be a template that was handed on, passed both axes, and are in groups."""

    families: int = 0
    eligible: int = 0
    passed: int = 0
    grouped: int = 0


@dataclass(frozen=True, slots=True)
class Weighing:
    """All that the later stages need of the evidence.

    Attributes:
        accounts: facts of the families by account.
        facts: the same with organisations as one account.
        axes: of the families.
        nulls: scale of each kind's null in this store.
        newest: newest time of the log; None where no prompt has one.
        key: digest of all that went in.
    """

    accounts: Facts
    facts: Facts
    axes: Axes
    nulls: dict[str, float]
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
) -> tuple[Weighing, EvidenceReport]:
    """Weigh the evidence about the draft's families and write it as a segment.

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
    before, budget = _before(con), settings.alert_budget * _days(writer, con, newest)
    findings = find(facts)
    without = settings.left_out
    weighed = weigh(findings, facts.eligible, without)
    groups = _groups(facts, findings, weighed, without)
    shared = facts.eligible & (np.bincount(facts.family, minlength=facts.n) >= LEAST)
    axes = judge(
        facts.families, facts.transfer, shared, groups, weighed.actors, facts.effective, before, budget=budget,
        barred=np.array([name in barred for name in facts.families], dtype=bool),
    )  # fmt: skip
    writer.drop("evidence")
    meta = {"nulls": {kind: round(scale, 4) for kind, scale in sorted(weighed.nulls.items())}, "key": key}
    unique = hashlib.sha256(f"{key}|{before_digest(before)}".encode()).hexdigest()
    with writer.segment("evidence", key=unique, meta=meta) as directory:
        rows = {
            "family_evidence": evidence_table(findings, weighed.log10_e, facts.families),
            "family_axes": axes.table(),
        }
        for name, table in rows.items():
            con.register("rows_to_write", table)
            copy_parquet(con, "FROM rows_to_write", directory / f"{name}.parquet", group=LOOKUP_GROUP)
            con.unregister("rows_to_write")
    if newest is not None:
        writer.remember(alert_clock=newest.isoformat())
    report = EvidenceReport(facts.n, int(facts.eligible.sum()), int(axes.passed.sum()), int((groups.n > 1).sum()))
    return Weighing(accounts, facts, axes, weighed.nulls, newest, unique), report


def before_digest(before: Before) -> str:
    """Digest what was kept of families: looks and shares of the budget depend on the past."""
    columns = ("alpha", "peak", "looks", "n_prompts", "passed")
    parts = [before.families, *(getattr(before, name).tolist() for name in columns)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def campaign_findings(
    weighing: Weighing, group: Int64, names: list[str], without: tuple[str, ...] = ()
) -> tuple[list[Finding], Weighed]:
    """Weigh the evidence about groups of families, by the null of the store's families.

    Args:
        weighing: of the families.
        group: number of each family's group, -1 for none, int64 (f,).
        names: of the groups.
        without: kinds to leave out.
    """
    facts = merged(weighing.facts, group, names)
    findings = find(facts)
    return findings, weigh(findings, facts.eligible, without, weighing.nulls)


def _groups(facts: Facts, findings: list[Finding], weighed: Weighed, without: tuple[str, ...]) -> Groups:
    """Weigh the groups of families that common accounts hold together.

    A group is weighed as a whole and by its core, the accounts that are in two of its families or more, and the mean of both
    e-values counts: people who paste one of its prompts must not hide those who send them all.
    """
    group = linked(shared_families(facts, relatives=True), facts.n)
    size = np.bincount(group, minlength=1).astype(np.int64)
    whole = merged(facts, group, [str(number) for number in range(len(size))]) if facts.n else facts
    found = find(whole)
    # what its families share with each other is the group's inside: it counts by their own e-values, as one of all families
    row = next(number for number, one in enumerate(findings) if one.kind == "companions")
    strength = weighed.log10_e[row] * LN10
    with np.errstate(divide="ignore"):
        inside = np.log(np.bincount(group, np.exp(np.minimum(strength, 600)), len(size))) - np.log(max(facts.n, 1))
    told = weigh(found, whole.eligible, without, weighed.nulls, inside={"companions": inside})
    core = merged(facts, group, whole.families, least=2)
    told_core = weigh(find(core), core.eligible, without, weighed.nulls, inside={"companions": inside})
    strength = np.logaddexp(told.actors * LN10, np.where(core.n_accounts >= LEAST, told_core.actors, 0.0) * LN10)
    actors = (strength - np.log(2)) / LN10
    effective = np.maximum(whole.effective, core.effective)
    inner = Core(facts, group, 2).share(facts.family, facts.account, facts.n)
    prompts = np.bincount(group, facts.n_prompts, len(size)).astype(np.int64)
    return Groups(actors[group], effective[group], size[group], prompts[group], inner)


def _before(con: duckdb.DuckDBPyConnection) -> Before:
    rows: Any = con.execute(
        "SELECT family_id, alpha, peak, looks, n_prompts, passed FROM base_family_axes ORDER BY family_id[3:]::BIGINT"
    ).fetchnumpy()
    return Before(
        [str(name) for name in rows["family_id"]],
        np.asarray(rows["alpha"], dtype=np.float64),
        np.asarray(rows["peak"], dtype=np.float64),
        np.asarray(rows["looks"], dtype=np.int64),
        np.asarray(rows["n_prompts"], dtype=np.int64),
        np.asarray(rows["passed"], dtype=bool),
    )


def _days(writer: Writer, con: duckdb.DuckDBPyConnection, newest: datetime | None) -> float:
    """Return how many days of the log are new since the last build; a log without times, or with no new ones, gets one."""
    last = writer.manifest.state.get("alert_clock")
    since = datetime.fromisoformat(last) if last else one(con, "SELECT min(ts) FROM base_prompts")[0]
    if newest is None or since is None:
        return 1.0
    days = (newest - since).total_seconds() / 86_400
    return max(days, 1.0) if last is None else max(days, 1 / 24)
