"""ingest: sources into a segment of prompts and texts, each row kept once or quarantined with a reason."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from promptscan.ingest.batch import Batch, LedgerEntry, Part, SourceReport
from promptscan.ingest.fields import parse_mapping
from promptscan.ingest.readers import UnreadableError, read, unreadable
from promptscan.ingest.sources import Format, Source, expand
from promptscan.ingest.stage import Staged, entity_columns, reject, stage_block
from promptscan.sql import LOOKUP_GROUP, copy_parquet, literal, one, quote, script, statements
from promptscan.store import Writer, sha256_of
from promptscan.types import Progress, silent

HEAD = 1 << 16  # bytes at the start of a file by which a grown or rewritten log is recognised


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did.

    Attributes:
        sources: one entry a source.
        added: prompts added.
        known: rows that were in the store already.
        new_texts: texts first seen now.
        conflicts: rows whose given id stands for another prompt too; kept under an id of their own.
        quarantined: rows (or whole files) set apart.
        over_limit: names of sources of which more than `max_bad_rows` was bad.
    """

    sources: tuple[SourceReport, ...] = ()
    added: int = 0
    known: int = 0
    new_texts: int = 0
    conflicts: int = 0
    quarantined: int = 0
    over_limit: tuple[str, ...] = ()


def ingest(
    writer: Writer,
    paths: Sequence[str],
    *,
    mapping: Sequence[str] = (),
    max_chars: int = 1_000_000,
    max_bad_rows: float = 0.01,
    progress: Progress = silent,
) -> IngestReport:
    """Add the prompts of files to a draft generation.

    Args:
        writer: the store's writer.
        paths: files, globs, folders, URLs, `-`.
        mapping: `field=column` pairs that override field detection.
        max_chars: longer texts are quarantined.
        max_bad_rows: share of a source's rows (0..1) beyond which it is reported in `over_limit`.
        progress: called with bytes read.

    Returns:
        Counts; the caller commits.

    Raises:
        UsageError: a path does not exist or a mapping is malformed.
    """
    work = writer.work / "ingest"
    try:
        batch = stage_files(
            writer,
            paths,
            work,
            mapping=mapping,
            max_chars=max_chars,
            max_bad_rows=max_bad_rows,
            progress=progress,
        )
        return load_staged(writer, batch)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def stage_files(
    writer: Writer,
    paths: Sequence[str],
    work: Path,
    *,
    mapping: Sequence[str] = (),
    max_chars: int = 1_000_000,
    max_bad_rows: float = 0.01,
    progress: Progress = silent,
) -> Batch:
    """Read files into `work`, a folder that is emptied first; see `ingest` for the other arguments and what is raised."""
    fields = parse_mapping(mapping)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    batch = Batch(work)
    sources = expand(paths, work / "spool")
    with writer.connect() as con:
        for statement in statements(script("messages")):
            con.execute(statement)
        for source in sources:
            _stage(con, writer, batch, source, fields, max_chars, max_bad_rows, progress)
    return batch


def load_staged(writer: Writer, batch: Batch, part: Part | None = None) -> IngestReport:
    """Add the rows of a batch to a draft generation: all of them, or those of a part.

    Parts may come in any order, and again: what is known is not added twice. The ledger has the sources from the last part on.
    """
    with writer.connect() as con:
        return _load(con, writer, batch, part)


def ledger(writer: Writer, kind: str = "prompts") -> list[LedgerEntry]:
    """Return every file ingested so far, oldest first."""
    return [LedgerEntry(**entry) for segment in writer.manifest.of_kind(kind) for entry in segment.meta["ledger"]]


def _stage(
    con: duckdb.DuckDBPyConnection,
    writer: Writer,
    batch: Batch,
    source: Source,
    mapping: dict[str, str],
    max_chars: int,
    max_bad_rows: float,
    progress: Progress,
) -> None:
    staged = Staged()
    number = len(batch.staged)
    known = [*ledger(writer), *batch.entries]
    entry: LedgerEntry | None = None
    try:
        size, digest = source.path.stat().st_size, sha256_of(source.path)
        twin = next((old for old in known if old.sha256 == digest), None)
        if twin is not None:
            batch.reports.append(SourceReport(source.name, note=f"already ingested as {twin.name}"))
            return
        before = next(
            (old for old in reversed(known) if old.name == source.name and _same_head(source.path, size, old)), None
        )
        source_id = before.source_id if before else digest[:32]
        skip_bytes, skip_lines = _grown(source, size, before)
        head = min(size, HEAD)
        for block in read(con, source, skip_bytes=skip_bytes, skip_lines=skip_lines):
            stage_block(
                con,
                block,
                staged,
                batch.work,
                source_no=number,
                source_id=source_id,
                mapping=mapping,
                max_chars=max_chars,
            )
            progress("ingest", (block.done or 0) + skip_bytes, size)
        lines = skip_lines + staged.rows
        entry = LedgerEntry(
            source.name, size, digest, head, sha256_of(source.path, first=head), source_id, lines, staged.bad
        )
    except (UnreadableError, OSError, duckdb.Error) as caught:
        error = (
            unreadable(caught) if isinstance(caught, duckdb.Error) else caught
        )  # tables are read while they are staged
        if isinstance(error, duckdb.Error):
            raise
        message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        staged = Staged()
        source_id = hashlib.sha256(source.name.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        reject(con, staged, batch.work / f"{number:05d}-file.parquet", [(None, f"file can't be read: {message}", "")])
        staged.rows = 1
    batch.staged.append((source, source_id, staged))
    if entry:
        batch.entries.append(entry)
    note = "" if staged.rows else ("nothing new" if entry and entry.rows else "empty")
    batch.reports.append(SourceReport(source.name, staged.rows, staged.bad, note))
    if staged.bad > max_bad_rows * staged.rows:
        batch.over_limit.append(source.name)


def _same_head(path: Path, size: int, old: LedgerEntry) -> bool:
    """Say whether a file starts as the one that was ingested under this name did."""
    return size >= old.head_bytes > 0 and sha256_of(path, first=old.head_bytes) == old.head_sha256


def _grown(source: Source, size: int, before: LedgerEntry | None) -> tuple[int, int]:
    """Return (bytes, lines) of a JSONL log to skip, because it only grew since it was last read."""
    plain = source.format is Format.JSONL and source.compression is None
    if before is None or not plain or size <= before.size or sha256_of(source.path, first=before.size) != before.sha256:
        return 0, 0
    with source.path.open("rb") as stream:
        stream.seek(before.size - 1)
        if stream.read(1) != b"\n":  # its last line was incomplete: read all again, known rows are recognised
            return 0, 0
        stream.seek(0)
        lines = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
        stream.seek(before.size)
        new = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
    return before.size, lines - new


def _load(con: duckdb.DuckDBPyConnection, writer: Writer, batch: Batch, part: Part | None) -> IngestReport:
    """Write the staged rows as a segment: known rows left out, ids made unique, texts numbered."""
    report = IngestReport(tuple(batch.reports), over_limit=tuple(batch.over_limit))
    quarantined = _quarantine(con, writer, batch)
    entries = batch.entries if part is None or part.last else []
    rows = sum(staged.rows - staged.bad for _, _, staged in batch.staged) if batch.files else 0
    if rows:
        _create_views(con, batch, part)
    if part is not None and rows:
        rows = one(con, "SELECT count(*) FROM staged")[0]
    if not rows:
        if entries:
            _ledger_only(writer, entries)
        return IngestReport(report.sources, quarantined=quarantined, over_limit=report.over_limit)
    columns = _kept_columns(batch)
    previous = writer.manifest.of_kind("prompts")
    first_text = sum(int(segment.meta["n_texts"]) for segment in previous)
    con.execute("SET VARIABLE first_text = ?", [first_text])
    for statement in statements(script("ingest_keys")):
        con.execute(statement)
    added, conflicts, new_texts = one(
        con,
        "SELECT (SELECT count(*) FROM fresh), (SELECT count(*) FROM fresh WHERE conflict), (SELECT count(*) FROM new_texts)",
    )
    if not added:
        if entries:
            _ledger_only(writer, entries)
        return IngestReport(report.sources, 0, rows, 0, 0, quarantined, report.over_limit)
    meta = {
        "n_prompts": added,
        "n_texts": new_texts,
        "first_text": first_text,
        "columns": {"prompts": columns},
        "ledger": [asdict(entry) for entry in entries],
    }
    with writer.segment("prompts", key=_key(batch.entries, first_text, part), meta=meta) as directory:
        copy_parquet(
            con,
            "SELECT text_id, digest, text, length(text)::INTEGER AS n_chars FROM new_text_rows ORDER BY text_id",
            directory / "texts.parquet",
            group=LOOKUP_GROUP,
        )
        extra = "".join(f", s.{quote(name)}::{type_} AS {quote(name)}" for name, type_ in columns.items())
        copy_parquet(con, script("ingest_prompts").replace("/* kept columns */", extra), directory / "prompts.parquet")
        kinds = entity_columns(columns)
        pairs = " UNION ".join(
            f"SELECT s.account_id, '{kind}' AS kind, s.{quote(kind)}::VARCHAR AS value FROM fresh f JOIN staged s USING (source_no, position) "
            f"WHERE s.{quote(kind)} IS NOT NULL"
            for kind in kinds
        )
        if pairs:
            copy_parquet(con, f"SELECT DISTINCT * FROM ({pairs}) ORDER BY ALL", directory / "entities.parquet")
    return IngestReport(report.sources, added, rows - added, new_texts, conflicts, quarantined, report.over_limit)


def _create_views(con: duckdb.DuckDBPyConnection, batch: Batch, part: Part | None) -> None:
    """Make `staged` (every good row, or those of a part) and `sources` (their names) readable for the statements in sql/."""
    listed = ", ".join(literal(file) for file in batch.files)
    condition = f" AND {part.condition}" if part else ""
    con.execute(
        f"CREATE TEMP VIEW staged AS SELECT * FROM read_parquet([{listed}], union_by_name = true) "
        f"WHERE reason IS NULL{condition}"
    )
    con.execute("CREATE TEMP TABLE sources (source_no INTEGER, name VARCHAR)")
    con.executemany(
        "INSERT INTO sources VALUES (?, ?)",
        [(number, _printable(source.name)) for number, (source, _, _) in enumerate(batch.staged)],
    )


def _kept_columns(batch: Batch) -> dict[str, str]:
    """Unite the kept columns of all sources; VARCHAR where they disagree."""
    columns: dict[str, str] = {}
    for _, _, staged in batch.staged:
        for name, type_ in staged.kept.items():
            columns[name] = type_ if columns.get(name, type_) == type_ else "VARCHAR"
    return dict(sorted(columns.items()))


def _quarantine(con: duckdb.DuckDBPyConnection, writer: Writer, batch: Batch) -> int:
    """Write rejected rows beside the good ones; the same row of the same source is set apart once."""
    parts = [
        f"SELECT {literal(_printable(source.name))} AS source, position::VARCHAR AS position, reason, sample, "
        f"CAST(sha256(concat_ws('|', {literal(source_id)}, coalesce(position::VARCHAR, ''), reason))[1:32] AS UUID) "
        f"AS row_key FROM read_parquet({literal(str(path))}) WHERE reason IS NOT NULL"
        for source, source_id, staged in batch.staged
        for path in staged.rejected
    ]
    if not parts:
        return 0
    con.execute(
        "CREATE TEMP TABLE rejected AS "
        f"SELECT DISTINCT ON (row_key) * FROM ({' UNION ALL '.join(parts)}) ANTI JOIN base_quarantine USING (row_key)"
    )
    count, key = one(con, "SELECT count(*), sha256(string_agg(row_key::VARCHAR, '' ORDER BY row_key)) FROM rejected")
    if count:
        with writer.segment("quarantine", key=str(key), meta={"rows": count}) as directory:
            copy_parquet(
                con,
                "SELECT source, position, reason, sample, row_key FROM rejected ORDER BY source, try_cast(position AS BIGINT), row_key",
                directory / "quarantine.parquet",
            )
    return int(count)


def _ledger_only(writer: Writer, entries: Sequence[LedgerEntry]) -> None:
    """Note files that added nothing, so that they are not read again."""
    count = sum(int(segment.meta["n_texts"]) for segment in writer.manifest.of_kind("prompts"))
    meta: dict[str, Any] = {
        "n_prompts": 0,
        "n_texts": 0,
        "first_text": count,
        "ledger": [asdict(entry) for entry in entries],
    }
    with writer.segment("prompts", key=_key(entries, count), meta=meta):
        pass


def _key(entries: Sequence[LedgerEntry], first_text: int, part: Part | None = None) -> str:
    inputs = [str(first_text), *(entry.name + entry.sha256 for entry in entries)]
    if part is not None:
        inputs += [part.condition, str(part.last)]
    return hashlib.sha256("|".join(inputs).encode("utf-8", "surrogateescape")).hexdigest()


def _printable(name: str) -> str:
    """Make a file name storable: undecodable bytes of the file system become escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
