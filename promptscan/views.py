"""What an analyst wants to see about one prompt, text, template, family or account, gathered from the views."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptscan.errors import UsageError
from promptscan.sql import arrow, first

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

LOOKUPS: dict[str, str] = {  # kind -> query that finds an id of that kind; in the order of trying
    "family": "SELECT family_id FROM families WHERE family_id = ?",
    "template": "SELECT template_id FROM templates WHERE template_id = ?",
    "prompt": "SELECT prompt_id FROM prompts WHERE prompt_id = ? LIMIT 1",
    "account": "SELECT account_id FROM prompts WHERE account_id = $1 UNION SELECT account_id FROM accounts WHERE account_id = $1 LIMIT 1",
    "text": "SELECT text_id FROM texts WHERE text_id = TRY_CAST(? AS BIGINT)",
    "duplicate": "SELECT duplicate_id FROM duplicates WHERE duplicate_id = TRY_CAST(? AS BIGINT)",
}

SECTIONS: dict[str, tuple[tuple[str, str, bool, str], ...]] = {  # kind -> (name, title, single row, query)
    "family": (
        (
            "family",
            "Family",
            True,
            "SELECT f.*, t.text AS exemplar FROM families f LEFT JOIN texts t ON t.text_id = f.exemplar_text_id WHERE f.family_id = $1",
        ),
        (
            "accounts",
            "Accounts, most prompts first",
            False,
            "SELECT account_id, n_prompts, share, first_ts, last_ts FROM family_accounts WHERE family_id = $1 ORDER BY n_prompts DESC, account_id LIMIT 15",
        ),
        (
            "texts",
            "Texts, most prompts first",
            False,
            "SELECT t.text_id, t.n_prompts, t.n_accounts, m.probability, t.text FROM family_members m JOIN texts t USING (text_id) WHERE m.family_id = $1 ORDER BY t.n_prompts DESC NULLS LAST, m.probability DESC, t.text_id LIMIT 15",
        ),
        (
            "days",
            "Prompts per day",
            False,
            "SELECT day, n_prompts, n_accounts FROM family_days WHERE family_id = $1 ORDER BY day",
        ),
        (
            "entities",
            "Shared by several accounts",
            False,
            "SELECT e.kind, e.value, count(DISTINCT e.account_id) AS n_accounts FROM entities e SEMI JOIN (FROM family_accounts WHERE family_id = $1) a USING (account_id) GROUP BY ALL HAVING n_accounts > 1 ORDER BY n_accounts DESC, e.kind, e.value LIMIT 15",
        ),
        (
            "events",
            "Events",
            False,
            "SELECT ts, event, other_family_id, n_before, n_texts, n_shared FROM family_events WHERE family_id = $1 ORDER BY ts",
        ),
    ),
    "template": (
        ("template", "Template", True, "SELECT * FROM templates WHERE template_id = $1"),
        (
            "slots",
            "Slots, with their commonest values",
            False,
            (
                "SELECT s.slot, s.type, s.n_values, s.entropy, string_agg(v.value[1:60], ' | ' ORDER BY v.n DESC, v.value) AS text "
                "FROM slots s LEFT JOIN (SELECT slot, value, count(*) AS n FROM slot_values WHERE template_id = $1 GROUP BY slot, value "
                "QUALIFY row_number() OVER (PARTITION BY slot ORDER BY n DESC, value) <= 5) v USING (slot) "
                "WHERE s.template_id = $1 GROUP BY ALL ORDER BY s.slot"
            ),
        ),
        (
            "accounts",
            "Accounts, most prompts first",
            False,
            (
                "SELECT p.account_id, count(*) AS n_prompts, min(p.ts) AS first_ts, max(p.ts) AS last_ts FROM texts t "
                "JOIN prompts p USING (text_id) WHERE t.template_id = $1 GROUP BY p.account_id ORDER BY n_prompts DESC, p.account_id LIMIT 15"
            ),
        ),
        (
            "families",
            "Families its texts are in",
            False,
            (
                "SELECT family_id, count(*) AS n_texts FROM texts WHERE template_id = $1 AND family_id IS NOT NULL "
                "GROUP BY family_id ORDER BY n_texts DESC, family_id"
            ),
        ),
        (
            "texts",
            "Texts, most prompts first",
            False,
            (
                "SELECT text_id, n_prompts, n_accounts, text FROM texts WHERE template_id = $1 "
                "ORDER BY n_prompts DESC NULLS LAST, text_id LIMIT 10"
            ),
        ),
    ),
    "duplicate": (
        ("duplicate", "Duplicate group", True, "SELECT * FROM duplicates WHERE duplicate_id = CAST($1 AS BIGINT)"),
        (
            "texts",
            "Texts, most prompts first",
            False,
            (
                "SELECT text_id, n_prompts, n_accounts, text FROM texts WHERE duplicate_id = CAST($1 AS BIGINT) "
                "ORDER BY n_prompts DESC NULLS LAST, text_id LIMIT 15"
            ),
        ),
    ),
    "account": (
        ("account", "Account", True, "SELECT * FROM accounts WHERE account_id = $1"),
        ("entities", "Entities", False, "SELECT kind, value FROM entities WHERE account_id = $1 ORDER BY ALL"),
        (
            "families",
            "Families it takes part in",
            False,
            "SELECT a.family_id, a.n_prompts, a.share, f.n_accounts, f.label FROM family_accounts a JOIN families f USING (family_id) WHERE a.account_id = $1 ORDER BY a.n_prompts DESC, a.family_id LIMIT 15",
        ),
        (
            "prompts",
            "Latest prompts",
            False,
            "SELECT p.prompt_id, p.ts, t.family_id, t.text FROM prompts p JOIN texts t USING (text_id) WHERE p.account_id = $1 ORDER BY p.ts DESC NULLS LAST, p.prompt_id LIMIT 15",
        ),
    ),
    "prompt": (
        (
            "prompt",
            "Prompt",
            True,
            "SELECT p.*, t.family_id, t.n_prompts, t.n_accounts, t.text FROM prompts p JOIN texts t USING (text_id) WHERE p.prompt_id = $1 LIMIT 1",
        ),
        (
            "sent",
            "Also sent by",
            False,
            "SELECT q.account_id, q.ts, q.prompt_id FROM prompts p JOIN prompts q USING (text_id) WHERE p.prompt_id = $1 AND q.prompt_id <> $1 ORDER BY q.ts NULLS LAST, q.prompt_id LIMIT 15",
        ),
    ),
    "text": (
        ("text", "Text", True, "SELECT * FROM texts WHERE text_id = CAST($1 AS BIGINT)"),
        (
            "prompts",
            "Sent by",
            False,
            "SELECT account_id, ts, prompt_id FROM prompts WHERE text_id = CAST($1 AS BIGINT) ORDER BY ts NULLS LAST, prompt_id LIMIT 15",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Section:
    """Rows about one aspect of a thing; `single` ones have one row."""

    name: str
    title: str
    single: bool
    rows: pa.Table


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
        f"nothing in the store has the id {identifier!r}; `promptscan families` and `promptscan accounts` list ids"
    )


def sections(con: duckdb.DuckDBPyConnection, kind: str, key: str) -> list[Section]:
    """Gather everything about one thing."""
    found: list[Any] = []
    for name, title, single, query in SECTIONS[kind]:
        found.append(Section(name, title, single, arrow(con, query, [key])))
    return found
