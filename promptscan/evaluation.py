"""eval: what the store's families are worth against a truth file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from promptscan.alert_evaluation import AlertEvaluation, judge_alerts, present_history
from promptscan.sql import one, script, statements
from promptscan.truth import register_truth

if TYPE_CHECKING:
    from promptscan.api import Store

MAJORITY = 0.5  # a family is a campaign's when at least this share of its prompts are


@dataclass(frozen=True, slots=True)
class CampaignScore:
    """How much of one planted campaign was found.

    Attributes:
        campaign_id: from the truth.
        prompts, accounts: the campaign's prompts (cover traffic left out) and the accounts that sent them.
        families: families at least half of whose prompts are this campaign's.
        precision: share of those families' prompts that are the campaign's; 0 when there is no such family.
        recall: share of the campaign's prompts that are in them.
        account_precision, account_recall: the same for the accounts that sent any of those families' prompts.
        best_rank: rank by score of the best of them among all families; None when there is none.
    """

    campaign_id: str
    prompts: int
    accounts: int
    families: int
    precision: float
    recall: float
    account_precision: float
    account_recall: float
    best_rank: int | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A store against a truth file.

    Attributes:
        prompts: prompts in both.
        missing: prompts of the truth that the store does not have.
        campaigns: by campaign id.
        benign: prompts of no campaign.
        benign_in_campaign_families: share of those in a family counted as some campaign's.
        benign_clustered: share of those in any family; benign families are no error, a campaign's family with benign
            prompts is.
        ari: adjusted Rand index of found against true families over the prompts of campaigns, every prompt in no family
            a cluster of its own (Hubert and Arabie 1985).
        alerts: what the store's alerts are worth; a campaign counts as found when its alert, as it is now, is correct.
    """

    prompts: int
    missing: int
    campaigns: tuple[CampaignScore, ...]
    benign: int
    benign_in_campaign_families: float
    benign_clustered: float
    ari: float | None
    alerts: AlertEvaluation

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready document."""
        return asdict(self)


def evaluate(store: Store, truth: Path) -> Evaluation:
    """Compare a store's families with a truth file.

    Args:
        store: an open store that has been built.
        truth: Parquet with prompt_id, campaign_id, and optionally family_id and label (`campaign_cover` is benign).

    Raises:
        UsageError: the file does not exist.
        BadDataError: it is no Parquet file with these columns, or shares no prompt with the store.
    """
    with store.connect() as con:
        total, found = register_truth(con, truth)
        con.execute("SET VARIABLE majority = ?", [MAJORITY])
        for statement in statements(script("evaluate")):
            con.execute(statement)
        scores = con.execute("FROM campaign_scores ORDER BY campaign_id").fetchall()
        benign, inside, clustered = one(con, "FROM benign_scores")
        ari = _ari(con)
        alerts = judge_alerts(con, present_history(con))
    return Evaluation(
        found, total - found, tuple(CampaignScore(*row) for row in scores), benign, inside, clustered, ari, alerts
    )


def _ari(con: duckdb.DuckDBPyConnection) -> float | None:
    """Compute the adjusted Rand index from the contingency table, which is small where the prompts are many."""
    pairs = "coalesce(sum(n * (n - 1) / 2), 0)"
    both, true, found, n = one(
        con,
        f"SELECT (SELECT {pairs} FROM (SELECT count(*) AS n FROM judged_families GROUP BY true_family, found_family)), "
        f"(SELECT {pairs} FROM (SELECT count(*) AS n FROM judged_families GROUP BY true_family)), "
        f"(SELECT {pairs} FROM (SELECT count(*) AS n FROM judged_families GROUP BY found_family)), "
        "(SELECT count(*) FROM judged_families)",
    )
    if n < 2:
        return None
    expected = true * found / (n * (n - 1) / 2)
    highest = (true + found) / 2
    return float((both - expected) / (highest - expected)) if highest != expected else 1.0
