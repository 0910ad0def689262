"""An aspect of a thing: what it is called, and the rows that a store has about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from promptscan.sql import arrow, script

if TYPE_CHECKING:
    import duckdb

    Reader = Callable[[duckdb.DuckDBPyConnection, str], pa.Table]


@dataclass(frozen=True, slots=True)
class Aspect:
    """What can be told about everything of one kind.

    Attributes:
        name: of the aspect; key of the JSON document.
        title: what stands above it on a page.
        single: whether it has one row.
        read: reads its rows by id; by default `sql/show/<kind>_<name>.sql` does.
    """

    name: str
    title: str
    single: bool = False
    read: Reader | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Rows about one aspect of the thing with the id `key`; `single` ones have one row."""

    name: str
    title: str
    single: bool
    rows: pa.Table
    key: str


def asked(con: duckdb.DuckDBPyConnection, kind: str, aspects: Iterable[Aspect], key: str) -> list[Section]:
    """Read aspects of one thing."""
    return [Section(one.name, one.title, one.single, _rows(con, kind, one, key), key) for one in aspects]


def _rows(con: duckdb.DuckDBPyConnection, kind: str, aspect: Aspect, key: str) -> pa.Table:
    if aspect.read is not None:
        return aspect.read(con, key)
    return arrow(con, script(f"show/{kind}_{aspect.name}"), [key])


@contextmanager
def wanted(con: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[None]:
    """Lend a connection the table `wanted`."""
    con.register("wanted", rows)
    try:
        yield
    finally:
        con.unregister("wanted")
