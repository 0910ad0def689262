"""One log: simulated, replayed period by period, judged."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.campaigns.grid import MIX, Cell
from benchmarks.campaigns.scores import Truth, auroc
from promptscan.alert_evaluation import AccountScore, AlertEvaluation
from promptscan.api import Store
from promptscan.config import Configured
from promptscan.replay import ReplayReport, replay
from promptscan.simulate import Simulation, SimulationConfig, simulate
from promptscan.simulate.request import requested


def simulated(cell: Cell, work: Path) -> Simulation:
    """Write a cell's log."""
    if cell.preset == MIX:
        return simulate(SimulationConfig(prompts=cell.prompts, days=cell.days, seed=cell.seed), work / "log")
    config = requested(
        preset=cell.preset,
        prompts=cell.prompts,
        days=cell.days,
        seed=cell.seed,
        share=cell.share,
        benign_only=cell.share is None,
    )
    if cell.accounts and config.campaigns:
        each = cell.accounts // len(config.campaigns)
        others = config.accounts - sum(config.campaign_accounts(campaign) for campaign in config.campaigns)
        campaigns = tuple(replace(campaign, accounts=each) for campaign in config.campaigns)
        config = replace(config, campaigns=campaigns, accounts=others + cell.accounts)
    return simulate(config, work / "log")


def replayed(log: Path, accounts: Path, truth: Path, by: str, work: Path) -> tuple[dict[str, Any], ReplayReport]:
    """Replay a log into a store below `work`, or go on with it, and return what is kept of the result."""
    settings = Configured.load({"store": work / "store"}).settings
    begin = time.perf_counter()
    report = replay(log, settings, accounts=accounts, by=by, truth=truth)
    seconds = time.perf_counter() - begin
    if report.evaluation is None:
        raise ValueError("a replay with a truth has an evaluation")
    periods = [
        {
            "day": round((period.end - report.periods[0].start).total_seconds() / 86_400, 2),
            "prompts": period.prompts,
            "seconds": period.seconds,
            "families": period.n_families,
            "alerts": [alert.alert_id for alert in period.alerts],
        }
        for period in report.periods
    ]
    result = {"seconds": max(seconds, sum(period.seconds for period in report.periods)), "periods": periods}
    return {**result, **summary(report.evaluation)}, report


def summary(found: AlertEvaluation) -> dict[str, Any]:
    """Return what is kept of an evaluation."""
    return {
        "alerts": found.alerts,
        "false_alerts": found.false_alerts,
        "mixed": found.mixed,
        "log_days": found.log_days,
        "false_per_day": found.false_per_day,
        "accounts": score(found.accounts),
        "campaigns": {
            one.campaign_id: {
                "prompts": one.prompts,
                "accounts": one.accounts,
                "days": one.days,
                "by_day": {str(by.day): score(by) for by in one.by_day},
                "final": score(one.final),
            }
            for one in found.campaigns
        },
    }


def score(one: AccountScore) -> dict[str, Any]:
    """Return a score as JSON holds it."""
    return {"active": one.active, "flagged": one.flagged, "precision": one.precision, "recall": one.recall}


def looks(report: ReplayReport) -> list[float]:
    """Return when each build was, in seconds of log time."""
    return [period.newest.replace(tzinfo=UTC).timestamp() for period in report.periods if period.newest is not None]


def account_auroc(store: Path, truth: Truth) -> float | None:
    """Return how well the highest membership of each account tells the campaign's from others."""
    import numpy as np

    with Store(store) as opened:
        rows = opened.sql("SELECT account_id, max(score) AS score FROM campaign_accounts GROUP BY account_id")
    scores: Mapping[str, float] = dict(zip(rows["account_id"].to_pylist(), rows["score"].to_pylist(), strict=True))
    values = np.array([scores.get(account, 0.0) for account in truth.accounts], dtype=np.float64)
    return auroc(values, np.array([account in truth.since for account in truth.accounts]))


def now() -> str:
    """Return the time, for the record."""
    return datetime.now(UTC).isoformat(timespec="seconds")
