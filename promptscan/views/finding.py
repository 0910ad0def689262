"""What an id is the id of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promptscan.errors import UsageError
from promptscan.sql import first

if TYPE_CHECKING:
    import duckdb

LOOKUPS: dict[str, str] = {  # kind -> query that finds an id of that kind; in the order of trying
    "family": "SELECT family_id FROM families WHERE family_id = ?",
    "campaign": "SELECT campaign_id FROM campaigns WHERE campaign_id = $1 "
    "UNION ALL SELECT into_id FROM campaign_merges WHERE campaign_id = $1 LIMIT 1",  # the campaign that it became part of
    "alert": "SELECT alert_id FROM alerts WHERE alert_id = ?",
    "template": "SELECT template_id FROM templates WHERE template_id = ?",
    "prompt": "SELECT prompt_id FROM prompts WHERE prompt_id = ? LIMIT 1",
    "account": "SELECT account_id FROM prompts WHERE account_id = $1 UNION SELECT account_id FROM accounts WHERE account_id = $1 LIMIT 1",
    "text": "SELECT text_id FROM texts WHERE text_id = TRY_CAST(? AS BIGINT)",
    "duplicate": "SELECT duplicate_id FROM duplicates WHERE duplicate_id = TRY_CAST(? AS BIGINT)",
}


def find(con: duckdb.DuckDBPyConnection, identifier: str) -> tuple[str, str]:
    """Tell what an id is the id of.

    Args:
        con: a connection with the store's views.
        identifier: an id, or `kind:id`.

    Returns:
        Its kind (a key of `LOOKUPS`) and the id.

    Raises:
        UsageError: nothing has this id.
    """
    named = re.fullmatch(rf"({'|'.join(LOOKUPS)}):(.+)", identifier, re.DOTALL)
    kinds, key = ([named[1]], named[2]) if named else (list(LOOKUPS), identifier)
    for kind in kinds:
        row = first(con, LOOKUPS[kind], [key])
        if row is not None:
            return kind, str(row[0])
    raise UsageError(
        f"nothing in the store has the id {identifier!r}; "
        "`promptscan campaigns`, `promptscan families` and `promptscan accounts` list ids"
    )
