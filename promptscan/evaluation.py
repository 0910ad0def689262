"""eval: what the store's families are worth against a truth file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from promptscan.errors import BadDataError, UsageError
from promptscan.sql import one, script, statements

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
    """

    prompts: int
    missing: int
    campaigns: tuple[CampaignScore, ...]
    benign: int
    benign_in_campaign_families: float
    benign_clustered: float
    ari: float | None

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
    if not truth.is_file():
        raise UsageError(f"--truth {truth} does not exist; give the truth.parquet that `promptscan simulate` wrote")
    table = _read(truth)
    with store.connect() as con:
        con.register("truth_rows", table)
        total, found = one(
            con, "SELECT count(*), count(p.prompt_id) FROM truth_rows t LEFT JOIN prompts p USING (prompt_id)"
        )
        if not found:
            raise BadDataError(f"{truth} shares no prompt_id with the store; ingest the log it belongs to first")
        con.execute("SET VARIABLE majority = ?", [MAJORITY])
        for statement in statements(script("evaluate")):
            con.execute(statement)
        scores = con.execute("FROM campaign_scores ORDER BY campaign_id").fetchall()
        benign, inside, clustered = one(con, "FROM benign_scores")
        ari = _ari(con)
    return Evaluation(
        found, total - found, tuple(CampaignScore(*row) for row in scores), benign, inside, clustered, ari
    )


def _read(truth: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(truth)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadDataError(f"{truth} is no readable Parquet file ({str(error).splitlines()[0][:120]})") from None
    missing = {"prompt_id", "campaign_id"} - set(table.column_names)
    if missing:
        raise BadDataError(
            f"{truth} lacks {', '.join(sorted(missing))}; wanted prompt_id, campaign_id, and optionally family_id, label"
        )
    for name in ("family_id", "label"):
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), pa.string()))
    return table.select(["prompt_id", "campaign_id", "family_id", "label"])


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
