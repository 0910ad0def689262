"""How well accounts, and groups of accounts, fit a planted operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from promptscan.alert_evaluation import MAJORITY

LEAST = 5  # accounts of a group that counts as an alarm
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Truth:
    """Who sent for a campaign.

    Attributes:
        since: seconds of each campaign account's first prompt, cover included.
        carriers: accounts that carry campaign prompts for others (relays): neither right nor wrong.
        accounts: all accounts of the log, in order, without carriers.
        start: seconds of the campaign's first prompt; None without one.
        days: on which the log has prompts.
    """

    since: Mapping[str, float]
    carriers: frozenset[str]
    accounts: list[str]
    start: float | None
    days: int


def read_truth(log: Path, truth: Path) -> Truth:
    """Read who sent for any campaign of a log."""
    with duckdb.connect() as con:
        con.execute(
            f"CREATE VIEW log AS SELECT prompt_id, account_id, epoch(ts::TIMESTAMP) AS ts FROM read_parquet('{log}')"
        )
        con.execute(f"CREATE VIEW truth AS FROM read_parquet('{truth}')")
        columns = [row[0] for row in con.execute("DESCRIBE truth").fetchall()]
        role = "account_role" if "account_role" in columns else "'campaign'"
        rows = con.execute(
            f"SELECT account_id, min(ts), bool_and(coalesce({role}, 'campaign') <> 'campaign') FROM truth JOIN log USING (prompt_id) "
            "WHERE campaign_id IS NOT NULL GROUP BY account_id ORDER BY account_id"
        ).fetchall()
        accounts = [row[0] for row in con.execute("SELECT DISTINCT account_id FROM log ORDER BY 1").fetchall()]
        query = "SELECT min(ts) FROM truth JOIN log USING (prompt_id) WHERE campaign_id IS NOT NULL AND label <> 'campaign_cover'"
        start = con.execute(query).fetchall()[0][0]
        days = con.execute("SELECT count(DISTINCT floor(ts / 86400)) FROM log").fetchall()[0][0]
    carriers = frozenset(account for account, _, carrier in rows if carrier)
    return Truth(
        {account: ts for account, ts, carrier in rows if not carrier},
        carriers,
        [account for account in accounts if account not in carriers],
        start,
        int(days),
    )


def auroc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float | None:
    """Return the chance that a positive scores above a negative, ties counted half; None when one of both is missing.

    Args:
        scores: float64 (n,).
        positive: bool (n,).

    Source: Mann and Whitney, On a test of whether one of two random variables is stochastically larger, 1947.
    """
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def judge_accounts(scores: Mapping[str, float], flagged: set[str], truth: Truth) -> dict[str, Any]:
    """Return AUROC of the scores, precision and recall of the flagged accounts; carriers left out."""
    positive = np.array([account in truth.since for account in truth.accounts])
    values = np.array([scores.get(account, 0.0) for account in truth.accounts], dtype=np.float64)
    named = flagged - truth.carriers
    hits = len(named & truth.since.keys())
    return {
        "auroc": auroc(values, positive),
        "precision": hits / len(named) if named else None,
        "recall": hits / len(truth.since) if truth.since else None,
        "flagged": len(named),
    }


def judge_groups(groups: Sequence[Mapping[str, float]], truth: Truth, times: Sequence[float]) -> dict[str, Any]:
    """Return when a group was first mostly the campaign's, and how many groups a day are not at the end.

    Args:
        groups: of each the accounts and when, in seconds, they joined it.
        truth: who sent for a campaign.
        times: when one looks, ascending, in seconds.
    """
    first, wrong, flagged = None, 0, set()
    for group in groups:
        if len(group) < LEAST:
            continue
        flagged.update(group)
        wrong += not _owned(group, truth, times[-1])
        seen = next((time for time in times if _owned(group, truth, time)), None)
        if seen is not None:
            first = seen if first is None else min(first, seen)
    days = None if first is None or truth.start is None else (first - truth.start) / DAY
    return {"days": days, "false_per_day": wrong / max(1, truth.days), "members": flagged}


def _owned(group: Mapping[str, float], truth: Truth, time: float) -> bool:
    here = [account for account, since in group.items() if since <= time]
    own = sum(account in truth.carriers or truth.since.get(account, np.inf) <= time for account in here)
    return len(here) >= LEAST and own >= MAJORITY * len(here)
