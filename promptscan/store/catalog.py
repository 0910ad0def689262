"""Views over a generation: the same in `catalog.duckdb` and in every connection of our own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import duckdb

from promptscan.errors import StoreError
from promptscan.sql import literal, quote, script, statements
from promptscan.store.manifest import Manifest, Segment
from promptscan.store.tables import TABLES, Table


def create_views(con: duckdb.DuckDBPyConnection, manifest: Manifest, root: Path) -> None:
    """Define base and public views of a generation in the connection's current schema.

    Args:
        con: a connection that may read the store's files.
        manifest: the generation.
        root: where the store is now, which may differ from where it was written.

    Raises:
        StoreError: a table's file is gone, or is no Parquet file any more.
    """
    for name, table in TABLES.items():
        try:
            con.execute(f"CREATE VIEW base_{name} AS {_rows(name, table, manifest.of_kind(table.kind), root)}")
        except duckdb.Error as error:
            reason = str(error).strip().splitlines()[0][:300]
            raise StoreError(
                f"table {name} of store {root} can't be read ({reason}); run `promptscan fsck --deep`"
            ) from None
    con.execute(
        "CREATE TABLE base_runs (run_id VARCHAR, started_at TIMESTAMP, finished_at TIMESTAMP, command VARCHAR, "
        "config JSON, versions JSON, n_prompts BIGINT, measured JSON)"
    )
    for run in manifest.runs:
        con.execute(
            "INSERT INTO base_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                run["run_id"],
                run["started_at"],
                run["finished_at"],
                run["command"],
                json.dumps(run["config"]),
                json.dumps(run["versions"]),
                run["n_prompts"],
                json.dumps(run["measured"]),
            ],
        )
    for statement in statements(script("views")):
        con.execute(statement)


def parquet_paths(manifest: Manifest, root: Path) -> list[str]:
    """List the Parquet files that a generation's views read."""
    return [str(root / ref.path) for ref in manifest.files() if ref.path.endswith(".parquet")]


def _rows(name: str, table: Table, segments: Iterable[Segment], root: Path) -> str:
    """Write the SELECT that unites a table's files; columns that differ in type between files become VARCHAR."""
    holders = [segment for segment in segments if segment.has(f"{name}.parquet")]
    if not holders:
        columns = ", ".join(f"NULL::{kind} AS {quote(column)}" for column, kind in table.columns.items())
        return f"SELECT {columns} WHERE false"
    shapes: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for segment in holders:
        kept = segment.meta.get("columns", {}).get(name, {}) if table.open_ended else {}
        shape = tuple((table.columns | kept).items())
        shapes.setdefault(shape, []).append(str(root / segment.file(f"{name}.parquet").path))
    types: dict[str, str] = {}
    for shape in shapes:
        for column, kind in shape:
            types[column] = kind if types.get(column, kind) == kind else "VARCHAR"
    parts = []
    for shape, paths in shapes.items():
        own = dict(shape)
        columns = ", ".join(
            (f"CAST({quote(column)} AS {kind})" if column in own else f"NULL::{kind}") + f" AS {quote(column)}"
            for column, kind in types.items()
        )
        files = ", ".join(literal(path) for path in paths)
        parts.append(f"SELECT {columns} FROM read_parquet([{files}])")
    return " UNION ALL ".join(parts)
