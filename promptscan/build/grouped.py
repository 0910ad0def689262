"""Writing what the templates stage found: segments of new groups, templates, and the texts that joined."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from promptscan.sql import LOOKUP_GROUP, copy_parquet
from promptscan.store import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from promptscan.build.templating import Found

TYPES = {"s": pa.string(), "i": pa.int32(), "l": pa.int64(), "f": pa.float64()}


def save_duplicates(writer: Writer, con: duckdb.DuckDBPyConnection, found: Found, meta: dict[str, Any]) -> None:
    """Append duplicate groups and members."""
    with writer.segment("duplicates", key=_key("duplicates", meta), meta=dict(meta)) as directory:
        groups = "duplicate_id:l medoid_clean_id:l worst_score:f"
        save_rows(con, directory / "duplicate_groups.parquet", groups, found.groups)
        save_rows(con, directory / "duplicate_members.parquet", "clean_id:l duplicate_id:l score:f", found.members)


def save_templates(writer: Writer, con: duckdb.DuckDBPyConnection, found: Found, meta: dict[str, Any]) -> None:
    """Append templates, their slots, and what texts have in them."""
    forms = [
        (f"T-{name}", str(template), len(template.slots), template.compression) for name, template in found.templates
    ]
    slots = [
        (f"T-{name}", number, slot.type.value)
        for name, template in found.templates
        for number, slot in enumerate(template.slots, 1)
    ]
    members = [(clean_id, f"T-{name}") for clean_id, name, _ in found.values]
    fills = [
        (f"T-{name}", number, clean_id, value)
        for clean_id, name, filled in found.values
        for number, value in enumerate(filled, 1)
    ]
    with writer.segment("templates", key=_key("templates", meta), meta=dict(meta)) as directory:
        columns = "template_id:s template:s n_slots:i compression:f"
        save_rows(con, directory / "template_forms.parquet", columns, forms)
        save_rows(con, directory / "slot_types.parquet", "template_id:s slot:i type:s", slots)
        save_rows(con, directory / "template_members.parquet", "clean_id:l template_id:s", members)
        save_rows(con, directory / "slot_fills.parquet", "template_id:s slot:i clean_id:l value:s", fills)


def _key(kind: str, meta: dict[str, Any]) -> str:
    return hashlib.sha256(f"{kind}|{meta['key']}".encode()).hexdigest()


def save_rows(con: duckdb.DuckDBPyConnection, path: Path, columns: str, rows: list[Any]) -> None:
    """Write rows, sorted, in the order of their columns; `columns` are `name:kind`, kinds of `TYPES`."""
    pairs = [column.split(":") for column in columns.split()]
    arrays = [pa.array([row[i] for row in rows], TYPES[kind]) for i, (_, kind) in enumerate(pairs)]
    con.register("rows_to_save", pa.Table.from_arrays(arrays, names=[column for column, _ in pairs]))
    copy_parquet(con, "FROM rows_to_save ORDER BY ALL", path, group=LOOKUP_GROUP)
    con.unregister("rows_to_save")
