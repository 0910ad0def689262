"""What is added to listed rows to explain them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from promptscan.sql import arrow, script
from promptscan.views.evidence import read_columns
from promptscan.views.section import wanted

if TYPE_CHECKING:
    import duckdb


def explained(con: duckdb.DuckDBPyConnection, view: str, rows: pa.Table) -> pa.Table:
    """Add to listed rows what explains them.

    Templates get their `slots` with the commonest values; duplicate groups their medoid's `text`; families their commonest
    `template`, its `template_id`, prompts by `days`, the newest `event`, and the `banks` that know texts of them; campaigns
    their evidence as lists, prompts and accounts by `days`, and the alert; alerts their campaign as it is now, what speaks
    against it, and its `growth`.
    """
    match view:
        case "templates":
            return _with_slots(con, rows)
        case "duplicates":
            return _with_medoids(con, rows)
        case "families":
            return _joined(con, rows, "family_id", "family_facets")
        case "campaigns":
            found = read_columns(rows, "evidence", "counter_evidence")
            return _joined(con, found, "campaign_id", "campaign_facets")
        case "alerts":
            return read_columns(_joined(con, rows, "alert_id", "alert_facets"), "counter_evidence")
        case _:
            return rows


def with_days(con: duckdb.DuckDBPyConnection, accounts: pa.Table) -> pa.Table:
    """Add to listed accounts their prompts by `days`, which are counted for these accounts only."""
    return _joined(con, accounts, "account_id", "account_days")


def _joined(con: duckdb.DuckDBPyConnection, rows: pa.Table, key: str, name: str) -> pa.Table:
    """Add the columns that a named statement returns for the ids in the table `wanted`; it has one row for each."""
    with wanted(con, rows.select([key])):
        facets = arrow(con, script(name))
    place = {one: number for number, one in enumerate(facets[key].to_pylist())}
    ordered = facets.take(pa.array([place[one] for one in rows[key].to_pylist()], pa.int64()))
    for column in facets.column_names[1:]:
        rows = rows.append_column(facets.schema.field(column), ordered[column])
    return rows


def _with_slots(con: duckdb.DuckDBPyConnection, rows: pa.Table, most: int = 5) -> pa.Table:
    with wanted(con, rows.select(["template_id"])):
        slots = arrow(con, script("slot_summary"), [most])
    found: dict[str, list[Any]] = {name: [] for name in rows["template_id"].to_pylist()}
    for row in slots.to_pylist():
        found[row.pop("template_id")].append(row)
    kind = pa.list_(pa.struct(list(slots.schema)[1:]))
    return rows.append_column("slots", pa.array(list(found.values()), kind))


def _with_medoids(con: duckdb.DuckDBPyConnection, rows: pa.Table) -> pa.Table:
    with wanted(con, rows.select(["medoid_text_id"])):
        texts = con.execute(
            "SELECT text_id, text FROM base_texts SEMI JOIN wanted ON text_id = medoid_text_id"
        ).fetchall()
    known = dict(texts)
    return rows.append_column(
        "text", pa.array([known.get(one) for one in rows["medoid_text_id"].to_pylist()], pa.string())
    )
