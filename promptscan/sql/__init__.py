"""Named SQL: one file per statement (or per script), loaded by name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


@cache
def script(name: str) -> str:
    """Return the text of `sql/<name>.sql`, without comment lines."""
    text = files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def first(con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> tuple[Any, ...] | None:
    """Run a query and return its first row; the result is finished, so that the connection is free again."""
    rows = con.execute(query, list(parameters)).fetchall()
    return rows[0] if rows else None


def one(con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> tuple[Any, ...]:
    """Run a query that always has a row, such as an aggregate, and return it."""
    row = first(con, query, parameters)
    if row is None:
        raise LookupError(f"no row from: {query}")
    return row


def arrow(con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> pa.Table:
    """Run a query and return its rows as an Arrow table."""
    return con.sql(query, params=list(parameters)).to_arrow_table()
