"""One source at a time into staged Parquet files: fields found, times in UTC, bad rows set apart with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from promptscan.ingest.fields import (
    ENTITY_KINDS,
    PROMPT_FIELDS,
    Column,
    as_json,
    as_kept,
    as_time,
    as_varchar,
    choose,
    kept,
    text_type,
)
from promptscan.ingest.readers import Block
from promptscan.sql import literal, one, quote

SAMPLE = 200  # characters of a rejected row kept for the quarantine
MIN_TS, END_TS = "TIMESTAMP '1970-01-01'", "TIMESTAMP '10000-01-01'"


@dataclass(slots=True)
class Staged:
    """What staging found in one source.

    Attributes:
        files: staged Parquet files; rows with a `reason` are bad.
        rejected: Parquet files with (`position`, `reason`, `sample`) of the bad ones; may be among `files`.
        rows, bad: counts.
        kept: kept column -> stored type; VARCHAR where blocks disagree.
    """

    files: list[Path] = field(default_factory=list)
    rejected: list[Path] = field(default_factory=list)
    rows: int = 0
    bad: int = 0
    kept: dict[str, str] = field(default_factory=dict)


def stage_block(
    con: duckdb.DuckDBPyConnection,
    block: Block,
    staged: Staged,
    work: Path,
    *,
    source_no: int,
    source_id: str,
    mapping: Mapping[str, str],
    max_chars: int,
) -> None:
    """Project a block to promptscan's fields and write its good and bad rows to `work`."""
    part = f"{source_no:05d}-{len(staged.files):05d}"
    if block.columns:
        path = work / f"{part}.parquet"
        query = _projection(block, staged, source_no, source_id, mapping, max_chars)
        con.execute(f"COPY ({query}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION lz4_raw)")
        rows, bad = one(con, f"SELECT count(*), count(reason) FROM {_file(path)}")
        staged.files.append(path)
        staged.rows += rows
        if bad:
            staged.rejected.append(path)
            staged.bad += bad
    if block.rejected:
        reject(con, staged, work / f"{part}-unread-{len(staged.rejected)}.parquet", block.rejected)
        staged.rows += len(block.rejected)


def reject(
    con: duckdb.DuckDBPyConnection,
    staged: Staged,
    path: Path,
    rows: Sequence[tuple[int | None, str, str]],
) -> None:
    """Write rejected rows that never became columns."""
    table = pa.table(
        {
            "position": pa.array([None if row[0] is None else str(row[0]) for row in rows], pa.string()),
            "reason": pa.array([row[1] for row in rows], pa.string()),
            "sample": pa.array([row[2][:SAMPLE] for row in rows], pa.string()),
        }
    )
    con.register("rejected_rows", table)
    con.execute(f"COPY (FROM rejected_rows) TO {literal(str(path))}")
    con.unregister("rejected_rows")
    staged.rejected.append(path)
    staged.bad += len(rows)


def _file(path: Path) -> str:
    return f"read_parquet({literal(str(path))})"


def _projection(
    block: Block, staged: Staged, source_no: int, source_id: str, mapping: Mapping[str, str], max_chars: int
) -> str:
    """Write the query that turns a block's columns into promptscan's fields, or into a reason and a sample."""
    chosen = choose(block.columns, PROMPT_FIELDS, mapping)
    if not block.per_row:
        chosen = {name: columns[:1] for name, columns in chosen.items()}
    used = {column.name for columns in chosen.values() for column in columns[:1]}
    names, rest = kept(block.columns, used)
    extras = []
    for name, column in names.items():
        sql, type_ = as_kept(column)
        known = staged.kept.setdefault(name, type_)
        if known != type_:
            staged.kept[name] = "VARCHAR"
        extras.append(f"{sql} AS {quote(name)}")
    if rest:
        staged.kept["extra"] = "VARCHAR"
        pairs = ", ".join(f"{literal(column.name)}, {as_json(column)}" for column in rest)
        extras.append(f"CAST(json_object({pairs}) AS VARCHAR) AS extra")
    text, type_problem, system = _text(chosen["text"])
    scalar = {
        name: _first_of(chosen[name]) for name in ("account_id", "prompt_id", "model", "session_id", "system_prompt")
    }
    ts = f"coalesce({', '.join(as_time(column) for column in chosen['ts'])})" if chosen["ts"] else "NULL::TIMESTAMP"
    ts_given = (
        f"coalesce({', '.join(as_varchar(column) for column in chosen['ts'])})" if chosen["ts"] else "NULL::VARCHAR"
    )
    return f"""
WITH fields AS (
  SELECT
    position, {text} AS text, {type_problem} AS type_problem,
    coalesce(nullif({scalar["account_id"]}, ''), 'unknown') AS account_id,
    nullif({scalar["prompt_id"]}, '') AS given_id,
    {ts} AS ts, nullif({ts_given}, '') AS ts_given,
    {scalar["model"]} AS model, {scalar["session_id"]} AS session_id,
    coalesce({scalar["system_prompt"]}, {system}) AS system_prompt
    {"".join(", " + extra for extra in extras)}
  FROM {block.relation}
), judged AS (
  SELECT *, CASE
      WHEN type_problem IS NOT NULL THEN type_problem
      WHEN text IS NULL OR NOT regexp_matches(text, '\\S') THEN 'no text'
      WHEN contains(text, chr(0)) OR contains(account_id, chr(0)) OR contains(coalesce(given_id, ''), chr(0)) THEN 'NUL character'
      WHEN length(text) > {int(max_chars)} THEN 'text of ' || length(text) || ' characters is over --max-chars {int(max_chars)}'
      WHEN ts IS NULL AND ts_given IS NOT NULL THEN 'not a time: ' || ts_given[1:60]
      WHEN ts < {MIN_TS} OR ts >= {END_TS} THEN 'time outside 1970 to 9999: ' || ts_given[1:60]
    END AS reason
  FROM fields
), keyed AS (
  SELECT * EXCLUDE (type_problem, ts_given),
    CASE WHEN reason IS NULL THEN CAST(sha256(text)[1:32] AS UUID) END AS digest,
    CASE WHEN reason IS NOT NULL THEN coalesce(text, '')[1:{SAMPLE}] END AS sample
  FROM judged
)
SELECT
  {int(source_no)}::INTEGER AS source_no, *,
  CASE WHEN reason IS NULL THEN CAST(sha256(concat_ws('|',
    CASE WHEN given_id IS NULL THEN {literal(source_id)} || ':' || position ELSE 'id:' || given_id END,
    digest::VARCHAR, account_id, coalesce(epoch_us(ts), -1)))[1:32] AS UUID) END AS event_key
FROM keyed"""


def _first_of(columns: list[Column]) -> str:
    return f"coalesce({', '.join(as_varchar(column) for column in columns)})" if columns else "NULL::VARCHAR"


def _text(columns: list[Column]) -> tuple[str, str, str]:
    """Return SQL for (text, what is wrong with its type, system prompt) over the candidate columns, first present wins."""
    if not columns:
        return "NULL::VARCHAR", "'no text: none of the accepted columns is there'", "NULL::VARCHAR"
    kinds = {text_type(column.type) for column in columns}
    if kinds == {"string"}:
        return _string_text(columns[0])
    if kinds == {"bytes"}:
        sql = columns[0].sql
        return (
            f"TRY(decode({sql}))",
            f"CASE WHEN {sql} IS NOT NULL AND TRY(decode({sql})) IS NULL THEN 'not UTF-8' END",
            "NULL::VARCHAR",
        )
    if kinds != {"json"}:
        return (
            "NULL::VARCHAR",
            f"'wrong type: text is {columns[0].type}, wanted a string or a list of messages'",
            "NULL::VARCHAR",
        )
    present = (
        "coalesce("
        + ", ".join(f"CASE WHEN json_type({as_json(c)}) <> 'NULL' THEN {as_json(c)} END" for c in columns)
        + ", NULL::JSON)"
    )
    return _message_text(present)


def _string_text(column: Column) -> tuple[str, str, str]:
    """Read a text column; one that is called `messages` may hold JSON."""
    if column.name.lower() != "messages":
        return column.sql, "NULL::VARCHAR", "NULL::VARCHAR"
    return _message_text(f"CASE WHEN json_valid({column.sql}) THEN {column.sql}::JSON ELSE to_json({column.sql}) END")


def _message_text(value: str) -> tuple[str, str, str]:
    kind = f"json_type({value})"
    text = f"CASE {kind} WHEN 'VARCHAR' THEN {value} ->> '$' WHEN 'ARRAY' THEN turns({value}, ['user', 'human']) END"
    problem = (
        f"CASE WHEN {kind} NOT IN ('VARCHAR', 'ARRAY', 'NULL') THEN 'wrong type: text is ' || lower({kind}) || "
        f"', wanted a string or a list of messages' END"
    )
    system = f"CASE WHEN {kind} = 'ARRAY' THEN nullif(turns({value}, ['system', 'developer']), '') END"
    return text, problem, system


def entity_columns(names: Mapping[str, str]) -> list[str]:
    """Return which of the kept columns are entities."""
    return [kind for kind in ENTITY_KINDS if kind in names]
