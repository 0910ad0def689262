"""enforcement: the accounts of campaigns, surest first, with reasons, for whoever acts on them. No text of any prompt is in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from promptscan.errors import UsageError
from promptscan.sql import first, script
from promptscan.verdicts import verdict_marks

if TYPE_CHECKING:
    import duckdb

LEAST = 0.5  # score of an account from which on it is likelier in the campaign than not
ENTITIES = 10  # shared entities that are named for an account, rarest first
JOINED = " | "  # between the items of a list in CSV; a semicolon would part cells where it is the list separator

FLAT = (
    "SELECT * REPLACE (array_to_string(reasons, $1) AS reasons, array_to_string(families, $1) AS families, "
    "array_to_string(other_campaigns, $1) AS other_campaigns, array_to_string(list_transform(shared_entities, "
    "lambda e: e.kind || ' ' || e.value || ' (' || e.n_accounts || ' accounts)'), $1) AS shared_entities) FROM queue"
)


def enforcement(
    con: duckdb.DuckDBPyConnection,
    root: Path,
    *,
    campaign: str | None = None,
    min_score: float = LEAST,
    flat: bool = False,
) -> pa.Table:
    """List accounts to act on, one row each, highest score first.

    An account in several campaigns stands with the one it is surest to be in. Accounts that were judged benign are left out, and so
    are those of campaigns that were (or whose alert was).

    Args:
        con: a connection with the store's views.
        root: the store, for its verdicts.
        campaign: only accounts of this one.
        min_score: only accounts that score so much or more, 0..1.
        flat: join lists to strings, for formats that have none.

    Returns:
        account_id, campaign_id, score, severity (of the campaign), reasons, n_prompts (in the campaign), share (of the account's
        prompts), first_ts, last_ts, families, shared_entities (kind, value, n_accounts), other_campaigns, campaign_verdict,
        account_verdict.

    Raises:
        UsageError: there is no such campaign.
    """
    known = first(con, "SELECT 1 FROM campaigns WHERE campaign_id = ?", [campaign])
    if campaign is not None and known is None:
        raise UsageError(f"there is no campaign {campaign!r}; `promptscan sql 'from campaigns'` shows them")
    con.register("verdict_marks", verdict_marks(root))
    bound = {"campaign": campaign, "least": min_score, "most": ENTITIES}
    queue = con.sql(script("enforcement"), params=bound).to_arrow_table()
    con.unregister("verdict_marks")
    if not flat:
        return queue
    con.register("queue", queue)
    joined = con.sql(FLAT, params=[JOINED]).to_arrow_table()
    con.unregister("queue")
    return joined
