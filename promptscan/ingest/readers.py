"""Every format becomes the same thing: relations of (`position`, columns) that DuckDB can project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from promptscan.errors import PromptscanError
from promptscan.ingest.fields import PROMPT_FIELDS, Column, json_path
from promptscan.ingest.lines import blocks, open_stream, repair
from promptscan.ingest.sources import Format, Source
from promptscan.sql import literal, quote

MAX_KEYS = 1_000  # distinct JSON keys that become columns, the most frequent; rows with more are also kept whole
MAX_CSV_LINE = 32 << 20  # bytes; DuckDB allocates 16 times this for a compressed file unless told its buffer
DISK_FULL = ("No space left on device", "File too large", "Disk quota exceeded")


class UnreadableError(PromptscanError):
    """A source can't be parsed at all; it is quarantined whole with this message."""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a source, as a relation registered in the connection.

    Attributes:
        relation: name to select from; it has `position` and whatever `columns` read.
        columns: the source's columns.
        rejected: (position, reason, sample) of rows that could not be made into columns.
        done: bytes of the source read so far, for the progress bar; None when unknown.
        per_row: fields may be under different names from row to row (JSON).
    """

    relation: str
    columns: list[Column]
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    done: int | None = None
    per_row: bool = False


def read(
    con: duckdb.DuckDBPyConnection, source: Source, *, skip_bytes: int = 0, skip_lines: int = 0
) -> Iterator[Block]:
    """Read a source block by block.

    Args:
        con: where relations are registered; each is valid until the next block is asked for.
        source: what to read.
        skip_bytes: bytes of an uncompressed JSONL file that were read before.
        skip_lines: the number of lines in them.

    Raises:
        UnreadableError: it can't be opened or parsed.
    """
    if source.format is None:
        raise UnreadableError("unknown format: the name has no known suffix and the first bytes don't tell")
    try:
        if source.format is Format.PARQUET:
            yield from _parquet(con, source)
        elif source.format is Format.CSV:
            yield from _csv(con, source)
        elif _is_array(source):
            yield from _json_array(con, source)
        else:
            yield from _jsonl(con, source, skip_bytes, skip_lines)
    except duckdb.Error as error:
        raise unreadable(error) from None
    except (OSError, EOFError) as error:
        raise UnreadableError(str(error.strerror if isinstance(error, OSError) and error.strerror else error)) from None
    except Exception as error:  # zstandard's own error type derives from Exception only
        if type(error).__name__ != "ZstdError":
            raise
        raise UnreadableError(str(error)) from None


def _parquet(con: duckdb.DuckDBPyConnection, source: Source) -> Iterator[Block]:
    if source.compression:
        raise UnreadableError("a compressed Parquet file: decompress it first (Parquet compresses its own pages)")
    relation = con.sql(f"SELECT * FROM read_parquet({_literal_path(source.path)}, file_row_number = true)")
    yield _columnar(relation, "file_row_number + 1", source.path)


def _csv(con: duckdb.DuckDBPyConnection, source: Source) -> Iterator[Block]:
    if source.path.stat().st_size == 0:
        return
    relation = con.sql(
        f"SELECT * FROM read_csv({_literal_path(source.path)}, all_varchar = true, header = true, store_rejects = true, "
        f"rejects_limit = 0, max_line_size = {MAX_CSV_LINE}, buffer_size = {2 * MAX_CSV_LINE}, compression = '{source.compression or 'none'}')"
    )
    block = _columnar(relation, "row_number() OVER ()", source.path)
    yield block
    rejects = con.execute(
        "SELECT line, error_type, coalesce(csv_line, ''), error_message FROM reject_errors ORDER BY line"
    ).fetchall()
    con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    bad = {line: (line, f"bad CSV row ({kind.lower()})", text[:200]) for line, kind, text, _ in rejects}
    yield Block("(SELECT NULL::BIGINT AS position WHERE false)", [], list(bad.values()))


def _columnar(relation: duckdb.DuckDBPyRelation, position: str, path: Path) -> Block:
    columns = [
        Column(name, str(type_), quote(name))
        for name, type_ in zip(relation.columns, relation.types, strict=True)
        if name != "file_row_number"
    ]
    relation.project(f"{position} AS position, *").create_view("source_rows", replace=True)
    return Block("source_rows", columns, done=path.stat().st_size)


def _json_array(con: duckdb.DuckDBPyConnection, source: Source) -> Iterator[Block]:
    query = (
        "SELECT row_number() OVER () AS position, json AS line "
        f"FROM read_json_objects({_literal_path(source.path)}, format = 'array', maximum_object_size = 536870912, "
        f"compression = '{source.compression or 'none'}')"
    )
    rejected: list[tuple[int, str, str]] = []
    try:
        con.execute(f"CREATE OR REPLACE TEMP TABLE array_lines AS {query}")
    except duckdb.InvalidInputException as error:  # a strict parser refuses all of it for one lone surrogate
        elements = _parsed_array(source)
        if elements is None:
            raise unreadable(error) from None
        repaired, rejected = repair(list(range(1, len(elements) + 1)), elements)
        con.register("repaired_lines", repaired)
        con.execute(
            "CREATE OR REPLACE TEMP TABLE array_lines AS SELECT position, line::JSON AS line FROM repaired_lines"
        )
    con.execute("CREATE OR REPLACE TEMP VIEW source_lines AS FROM array_lines")
    yield _json_block(con, rejected, source.path.stat().st_size)


def _parsed_array(source: Source) -> list[str] | None:
    """Parse a JSON array leniently, each element as JSON again; None when it is none."""
    with open_stream(source.path, source.compression) as stream:
        try:
            document = json.loads(stream.read(), strict=False)
        except (ValueError, RecursionError):
            return None
    return [json.dumps(element) for element in document] if isinstance(document, list) else None


def _jsonl(con: duckdb.DuckDBPyConnection, source: Source, skip_bytes: int, skip_lines: int) -> Iterator[Block]:
    with open_stream(source.path, source.compression) as stream:
        if skip_bytes:
            stream.seek(skip_bytes)
        for block in blocks(stream, first_line=skip_lines + 1):
            con.register("raw_lines", block.table)
            bad = con.execute(
                "SELECT position, line FROM raw_lines WHERE NOT json_valid(line) ORDER BY position"
            ).fetchall()
            repaired, rejected = repair([row[0] for row in bad], [row[1] for row in bad])
            con.register("repaired_lines", repaired)
            con.execute(
                "CREATE OR REPLACE TEMP VIEW source_lines AS SELECT position, line::JSON AS line FROM "
                "(FROM raw_lines WHERE json_valid(line) UNION ALL BY NAME FROM repaired_lines)"
            )
            done = block.done if source.compression is None else None
            yield _json_block(con, [*block.rejected, *rejected], done)


def _json_block(con: duckdb.DuckDBPyConnection, rejected: list[tuple[int, str, str]], done: int | None) -> Block:
    accepted = ", ".join(literal(name) for names in PROMPT_FIELDS.values() for name in names)
    keys = con.execute(
        "SELECT key FROM (SELECT unnest(json_keys(line)) AS key FROM source_lines WHERE json_type(line) = 'OBJECT') "
        f"GROUP BY key ORDER BY lower(key) IN ({accepted}) DESC, count(*) DESC, key LIMIT {MAX_KEYS + 1}"
    ).fetchall()
    more, keys = len(keys) > MAX_KEYS, sorted(keys[:MAX_KEYS])
    columns = [Column(key, "JSON", f"json_extract(line, {json_path([key])})") for (key,) in keys]
    if more:
        columns.append(Column("whole row", "JSON", "line"))
    wanted = "json_type(line) <> 'OBJECT'" if keys else "true"  # without any key there is nothing to project
    odd = con.execute(
        "SELECT position, CASE json_type(line) WHEN 'OBJECT' THEN 'no text' "
        "ELSE 'a JSON ' || lower(json_type(line)) || ' where an object was wanted' END, "
        f"(line::VARCHAR)[1:200] FROM source_lines WHERE {wanted} ORDER BY position"
    ).fetchall()
    relation = "(FROM source_lines WHERE json_type(line) = 'OBJECT')"
    return Block(relation, columns, [*rejected, *odd], done, per_row=True)


def _is_array(source: Source) -> bool:
    """Say whether a JSON file is one array rather than lines."""
    if ".jsonl" in source.path.name or ".ndjson" in source.path.name:
        return False
    with open_stream(source.path, source.compression) as stream:
        return stream.read(4096).lstrip()[:1] == b"["


def _literal_path(path: Path) -> str:
    """Write a path as an SQL literal whose characters DuckDB does not take for a glob."""
    return literal("".join(f"[{char}]" if char in "*?[" else char for char in str(path)))


def unreadable(error: duckdb.Error) -> Exception:
    """Turn DuckDB's error over a source into ours; a full disk is nobody's file's fault and stays what it is."""
    message = str(error).strip()
    if any(sign in message for sign in DISK_FULL):
        return error
    return UnreadableError(message.splitlines()[0][:300])
