"""Which column is which: from the columns of a source to SQL expressions for promptscan's fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptscan.errors import UsageError
from promptscan.sql import literal

PROMPT_FIELDS: dict[str, tuple[str, ...]] = {
    "text": ("text", "prompt", "content", "input", "query", "instruction", "messages"),
    "account_id": ("account_id", "account", "user_id", "user", "actor", "org_id"),
    "ts": ("ts", "timestamp", "created_at", "time", "date"),
    "prompt_id": ("prompt_id", "id", "request_id", "uuid"),
    "model": ("model",),
    "session_id": ("session_id",),
    "system_prompt": ("system_prompt",),
}
ACCOUNT_FIELDS: dict[str, tuple[str, ...]] = {
    "account_id": PROMPT_FIELDS["account_id"],
    "created_at": ("created_at", "ts", "timestamp", "time", "date"),
}
ENTITY_KINDS = ("org_id", "ip", "asn", "user_agent", "payment_id", "country", "api_key_id", "email_domain")
RESERVED = frozenset(
    {
        "event_key",
        "text_id",
        "source",
        "position",
        "source_no",
        "reason",
        "digest",
        "loaded",
        "n_prompts",
        "first_ts",
        "last_ts",
    }
)
MAX_KEPT = 64  # further columns of a source are kept together in one JSON column, `extra`
FIRST_MILLISECOND = 253_402_300_800  # epoch numbers from here on are ms, µs, ns; below, seconds up to the year 9999


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a source: its name, DuckDB type, and the SQL that reads it."""

    name: str
    type: str
    sql: str


def json_path(keys: Sequence[str]) -> str:
    """Write a JSON pointer (RFC 6901) to nested keys as an SQL literal; unlike a path it reaches every key, the empty one too."""
    return literal("".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys))


def parse_mapping(pairs: Sequence[str], fields: Mapping[str, tuple[str, ...]] = PROMPT_FIELDS) -> dict[str, str]:
    """Read `--map field=column` arguments.

    Raises:
        UsageError: not `field=column`, or no such field.
    """
    mapping = {}
    for pair in pairs:
        field, separator, column = pair.partition("=")
        if not separator or not column or field not in fields:
            raise UsageError(f"--map {pair}: wanted FIELD=COLUMN with FIELD one of {', '.join(fields)}")
        mapping[field] = column
    return mapping


def choose(
    columns: Sequence[Column], fields: Mapping[str, tuple[str, ...]], mapping: Mapping[str, str]
) -> dict[str, list[Column]]:
    """Find the columns of each field, in order of preference.

    A mapping overrides the accepted names; a mapped column that the source lacks leaves the field empty (each of its
    rows is then without that field). Dotted paths reach into nested columns.
    """
    by_name = {column.name: column for column in columns}
    lower = {column.name.lower(): column for column in reversed(columns)}
    chosen: dict[str, list[Column]] = {}
    taken: set[str] = set()
    for field, names in fields.items():
        if field in mapping:
            column = by_name.get(mapping[field]) or _nested(by_name, mapping[field])
            found = [column] if column else []
        else:
            found = [lower[name] for name in names if name in lower and lower[name].name not in taken]
        chosen[field] = found
        taken.update(column.name for column in found[:1] if field != "text")
    return chosen


def kept(columns: Sequence[Column], used: set[str]) -> tuple[dict[str, Column], list[Column]]:
    """Name the columns that no field uses; returns (separate columns, those that share `extra`)."""
    names: dict[str, Column] = {}
    rest = []
    taken = {name.lower() for name in (*PROMPT_FIELDS, *RESERVED, "extra")}
    for column in columns:
        if column.name in used:
            continue
        name = column.name if column.name.lower() not in taken else f"{column.name}_kept"
        if len(names) < MAX_KEPT and name.lower() not in taken and re.fullmatch(r"[\w .:-]{1,64}", name):
            names[name] = column
            taken.add(name.lower())
        else:
            rest.append(column)
    return names, rest


def text_type(type_: str) -> str:
    """Classify a column type as `string`, `json`, `bytes`, or itself when no text can be in it."""
    if type_ in {"VARCHAR", "JSON"}:
        return "string" if type_ == "VARCHAR" else "json"
    if type_ == "BLOB":
        return "bytes"
    return "json" if type_.endswith("[]") or type_.startswith("STRUCT") else type_


def as_json(column: Column) -> str:
    """Read a column as JSON whatever its type."""
    return column.sql if column.type == "JSON" else f"to_json({column.sql})"


def as_varchar(column: Column) -> str:
    """Read a scalar column as text; JSON strings lose their quotes, JSON null is NULL."""
    if column.type == "JSON":
        return f"({column.sql} ->> '$')"
    return column.sql if column.type == "VARCHAR" else f"CAST({column.sql} AS VARCHAR)"


def as_kept(column: Column) -> tuple[str, str]:
    """Return (SQL, stored type) of a kept column: scalars keep their type, nested ones become JSON text."""
    scalar = re.fullmatch(
        r"(TINYINT|SMALLINT|INTEGER|BIGINT|U\w+INT\w*|FLOAT|DOUBLE|BOOLEAN|DATE|TIMESTAMP|UUID)", column.type
    )
    if scalar and column.type != "UHUGEINT":
        return column.sql, column.type
    if column.type.startswith(("TIMESTAMP", "DECIMAL")):
        if column.type.startswith("TIMESTAMP"):
            return as_time(column), "TIMESTAMP"
        return f"CAST({column.sql} AS DOUBLE)", "DOUBLE"
    if text_type(column.type) == "json" and column.type != "JSON":
        return f"CAST(to_json({column.sql}) AS VARCHAR)", "VARCHAR"
    return as_varchar(column), "VARCHAR"


def as_time(column: Column) -> str:
    """Read a time of any usual form as a UTC TIMESTAMP; NULL when it is none.

    Numbers are epoch seconds below the year 9999, then milliseconds, microseconds, nanoseconds by size. Text is a
    number or ISO 8601; without a zone it is UTC.
    """
    if column.type in {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"}:
        return f"(CAST({column.sql} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')"
    if column.type.startswith("TIMESTAMP") or column.type == "DATE":
        return f"CAST({column.sql} AS TIMESTAMP)"
    text = as_varchar(column)
    number = f"TRY_CAST({text} AS DOUBLE)"
    micros = (
        f"CASE WHEN abs({number}) < {FIRST_MILLISECOND} THEN {number} * 1e6 WHEN abs({number}) < 1e14 THEN {number} * 1e3 "
        f"WHEN abs({number}) < 1e17 THEN {number} ELSE {number} / 1e3 END"
    )
    return (
        f"CASE WHEN {number} IS NOT NULL THEN TRY(make_timestamp(CAST({micros} AS BIGINT))) "
        f"ELSE TRY(TRY_CAST({text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC') END"
    )


def _nested(by_name: Mapping[str, Column], path: str) -> Column | None:
    """Resolve a dotted path below a struct or JSON column."""
    first, *keys = path.split(".")
    root = by_name.get(first)
    if root is None or not keys:
        return None
    return Column(path, "JSON", f"json_extract({as_json(root)}, {json_path(keys)})")
