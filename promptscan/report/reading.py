"""Rows of a store's public views, by the named statements `sql/report_*.sql`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import duckdb

from promptscan.errors import StoreError
from promptscan.report.document import utc
from promptscan.sql import script

Row = dict[str, Any]


def read(con: duckdb.DuckDBPyConnection, name: str, **parameters: object) -> list[Row]:
    """Run one named statement and return its rows; times become UTC.

    Raises:
        StoreError: a view or a column is missing.
    """
    try:
        cursor = con.execute(script(name), parameters or None)
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        reason = str(error).partition("\n")[0]
        raise StoreError(f"the store's catalog lacks what {name} reads ({reason}); run `promptscan build`") from error
    names = [column[0] for column in cursor.description or ()]
    return [
        {key: utc(value) if isinstance(value, datetime) else value for key, value in zip(names, row, strict=True)}
        for row in cursor.fetchall()
    ]


def grouped(rows: Sequence[Row], key: str) -> dict[str, list[Row]]:
    """Group rows that come sorted by `key`, which is taken out of them."""
    return {name: list(group) for name, group in groupby(rows, key=lambda row: row.pop(key))}
