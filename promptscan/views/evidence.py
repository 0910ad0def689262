"""Evidence as rows: what campaigns record about themselves, and what speaks against an account's part in them."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from promptscan.recorded import Evidence, evidence_table, evidence_type, read_evidence
from promptscan.sql import arrow, first, script

if TYPE_CHECKING:
    import duckdb

    from promptscan.views.section import Reader

DIVERSE = 0.5
"""Share of an account's prompts outside of campaigns from which they are worth a remark."""
SETTLED = 30
"""Days from an account's beginning to its first prompt of a campaign from which they are worth a remark."""


def campaign_evidence(column: str) -> Reader:
    """Make what reads the evidence that a campaign records in one of its columns."""
    return partial(_campaign_evidence, column)


def _campaign_evidence(column: str, con: duckdb.DuckDBPyConnection, key: str) -> pa.Table:
    row = first(con, f"SELECT {column}::VARCHAR FROM campaigns WHERE campaign_id = ?", [key])
    return evidence_table(read_evidence(row[0] if row else None))


def read_columns(rows: pa.Table, *columns: str) -> pa.Table:
    """Replace columns of recorded JSON by lists of evidence."""
    for name in columns:
        read = [[asdict(one) for one in read_evidence(recorded)] for recorded in rows[name].to_pylist()]
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, name, pa.array(read, pa.list_(evidence_type())))
    return rows


def against_account(con: duckdb.DuckDBPyConnection, key: str) -> pa.Table:
    """Say what speaks against an account's part in its campaigns: what it does besides, its age, then what its campaigns record.

    Returns:
        The columns of evidence, and `campaign_id` (NULL: it is about the account); no rows for an account of no campaign.
    """
    facts = arrow(con, script("show/account_facts"), [key]).to_pylist()
    found: list[tuple[str | None, Evidence]] = []
    if facts and facts[0]["n_campaigns"]:
        found += [(None, one) for one in _of_account(**facts[0])]
    recorded = arrow(con, script("show/account_counter_evidence"), [key]).to_pylist()
    found += [
        (row["campaign_id"], one)
        for row in recorded
        for one in read_evidence(row["counter_evidence"])
        if one.sufficient
    ]
    schema = pa.schema([*evidence_type(), ("campaign_id", pa.string())])
    return pa.Table.from_pylist([{**asdict(one), "campaign_id": campaign} for campaign, one in found], schema=schema)


def _of_account(
    *, n_prompts: int, n_inside: int, n_other_families: int, days_before: float | None, n_campaigns: int
) -> list[Evidence]:
    del n_campaigns
    found = []
    outside = n_prompts - n_inside
    if n_prompts and outside / n_prompts >= DIVERSE:
        families = "1 other family" if n_other_families == 1 else f"{n_other_families:,} other families"
        found.append(
            Evidence(
                kind="diverse",
                value=outside / n_prompts,
                n=n_prompts,
                sentence=f"{outside:,} of its {n_prompts:,} prompts are in no family of its campaigns; some are in {families}."
                if n_other_families
                else f"{outside:,} of its {n_prompts:,} prompts are in no family of its campaigns.",
            )
        )
    if days_before is not None and days_before >= SETTLED:
        found.append(
            Evidence(
                kind="history",
                value=days_before,
                sentence=f"It was there {days_before:,.0f} days before its first prompt of a campaign.",
            )
        )
    if n_prompts and n_inside < 3:
        prompts = "1 prompt" if n_inside == 1 else f"{n_inside:,} prompts"
        found.append(
            Evidence(
                kind="few",
                value=float(n_inside),
                n=n_prompts,
                sentence=f"Only {prompts} of it {'is' if n_inside == 1 else 'are'} in families of its campaigns.",
            )
        )
    return found
