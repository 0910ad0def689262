"""Simpler means on the same logs: volume, shared exact texts, MinHash groups, and kollude."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.campaigns.scores import DAY, Truth, judge_accounts, judge_groups
from benchmarks.contest import run_alone

NAMES = ("volume", "exact", "minhash", "kollude")
LIMIT = 300.0


def measure(log: Path, truth: Truth, times: Sequence[float], work: Path, python: Path) -> dict[str, Any]:
    """Run every baseline on a log.

    Args:
        log: Parquet with prompt_id, ts, account_id, text.
        truth: who sent for a campaign.
        times: when promptscan was built, ascending, in seconds of log time: when everybody looks.
        work: folder for inputs and outputs.
        python: Python of the peers.
    """
    found = {"volume": volume(log, truth), "exact": exact(log, truth, times)}
    for name in ("minhash", "kollude"):
        out = work / f"{name}-out"
        shutil.rmtree(out, ignore_errors=True)
        failed = run_alone(
            "benchmarks.campaigns.alone", name, log, out, python=python, limit=LIMIT, n=len(truth.accounts)
        )
        found[name] = failed or judged(json.loads((out / "answer.json").read_text()), truth, times)
    return found


def volume(log: Path, truth: Truth) -> dict[str, Any]:
    """Flag the accounts that send most: as many as the campaign has, which nobody would know."""
    begin = time.perf_counter()
    with duckdb.connect() as con:
        rows = con.execute(f"SELECT account_id, count(*) FROM '{log}' GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
    scores = {account: float(count) for account, count in rows}
    top = {account for account, _ in rows if account not in truth.carriers}
    top = set([account for account, _ in rows if account in top][: len(truth.since)])
    return {**judge_accounts(scores, top, truth), "days": None, "seconds": time.perf_counter() - begin}


def exact(log: Path, truth: Truth, times: Sequence[float]) -> dict[str, Any]:
    """Group the accounts that send the same text, case and outer white space aside."""
    begin = time.perf_counter()
    with duckdb.connect() as con:
        rows = con.execute(
            "SELECT lower(trim(text)) AS said, account_id, min(epoch(ts::TIMESTAMP)), count(*) "
            f"FROM '{log}' GROUP BY said, account_id QUALIFY count(*) OVER (PARTITION BY said) > 1 ORDER BY ALL"
        ).fetchall()
        totals = dict(con.execute(f"SELECT account_id, count(*) FROM '{log}' GROUP BY 1").fetchall())
    groups: dict[str, dict[str, float]] = {}
    shared: dict[str, float] = {}
    for said, account, since, count in rows:
        groups.setdefault(said, {})[account] = since
        shared[account] = shared.get(account, 0.0) + count
    scores = {account: count / totals[account] for account, count in shared.items()}
    answer = {"groups": list(groups.values()), "scores": scores, "seconds": time.perf_counter() - begin}
    return judged(answer, truth, times)


def judged(answer: dict[str, Any], truth: Truth, times: Sequence[float]) -> dict[str, Any]:
    """Judge groups of accounts, scores of accounts, and alarms where there are any."""
    own = judge_groups(answer["groups"], truth, times)
    members = own.pop("members")
    result = {**judge_accounts(answer["scores"], members, truth), **own, "seconds": answer["seconds"]}
    if "alarms" in answer:
        result["alarms"] = alarms(answer["alarms"], truth)
    return result


def alarms(raised: Sequence[dict[str, Any]], truth: Truth) -> dict[str, Any]:
    """Judge alarms: correct when most accounts of any group that one names are the campaign's by then."""
    right = [
        alarm["t"]
        for alarm in raised
        if any(
            2
            * sum(
                name in truth.carriers or truth.since.get(name, float("inf")) <= alarm["t"] + DAY / 24 for name in one
            )
            >= len(one)
            > 0
            for one in alarm["groups"]
        )
    ]
    days = (min(right) - truth.start) / DAY if right and truth.start is not None else None
    return {"alarms": len(raised), "days": days, "false_per_day": (len(raised) - len(right)) / max(1, truth.days)}
