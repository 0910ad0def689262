"""Named SQL, one file per statement or script, and what every user of it needs: quoting, single rows, Parquet output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


LOOKUP_GROUP = 2_048  # rows per Parquet row group of what is looked up by number: reading one row reads its group


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


def quote(name: str) -> str:
    """Quote an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Quote an SQL string literal; for what can't be bound, such as paths in view definitions."""
    return "'" + value.replace("'", "''") + "'"


def statements(text: str) -> Iterator[str]:
    """Split a script of ours into its statements (no string in it holds a semicolon)."""
    return (part for part in (piece.strip() for piece in text.split(";")) if part)


def write_parquet(
    con: duckdb.DuckDBPyConnection, directory: Path, tables: Mapping[str, pa.Table], *, group: int = LOOKUP_GROUP
) -> None:
    """Write Arrow tables, each to the Parquet file of its name, with `group` rows per row group."""
    for name, table in tables.items():
        con.register("rows_to_write", table)
        copy_parquet(con, "FROM rows_to_write", directory / f"{name}.parquet", group=group)
        con.unregister("rows_to_write")


def copy_parquet(con: duckdb.DuckDBPyConnection, query: str, path: Path, *, group: int = 122_880) -> None:
    """Write a query to a Parquet file with `group` rows per row group."""
    options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {int(group)}"
    con.execute(f"COPY ({query}) TO {literal(str(path))} ({options})")
