"""Texts alone, read like prompts: for collections of examples, which have no accounts and no times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from promptscan.ingest.batch import SourceReport
from promptscan.ingest.fields import PROMPT_FIELDS, choose, parse_mapping
from promptscan.ingest.readers import Block, UnreadableError, read
from promptscan.ingest.sources import expand
from promptscan.ingest.stage import Staged, reject, stage_block
from promptscan.sql import literal, script, statements

BATCH = 32_768  # texts a step
TEXT_ONLY = {"text": PROMPT_FIELDS["text"]}


@dataclass(frozen=True, slots=True)
class Texts:
    """The usable texts of some sources.

    Attributes:
        files: Parquet files with a column `text` (string, no nulls), in the order of the sources.
        sources: rows and bad rows of each source.
        reasons: why rows (or whole files) were left out, and how many, the most frequent first.
    """

    files: tuple[Path, ...]
    sources: tuple[SourceReport, ...]
    reasons: tuple[tuple[str, int], ...]

    def batches(self) -> Iterator[pa.Array]:
        """Yield the texts, large_string, some thousands at a time."""
        for path in self.files:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(BATCH, columns=["text"]):
                    yield batch.column(0).cast(pa.large_string())

    def over(self, limit: float) -> tuple[str, ...]:
        """Return the names of the sources of which a larger share than `limit` (0..1) was bad."""
        return tuple(source.name for source in self.sources if source.bad > limit * source.rows)


def read_texts(
    con: duckdb.DuckDBPyConnection, paths: Sequence[str], work: Path, *, mapping: Sequence[str] = (), max_chars: int
) -> Texts:
    """Read the texts of files, globs, folders, URLs or `-`.

    Args:
        con: a connection that may read the sources and write to `work`.
        paths: what to read.
        work: an empty folder; the result's files lie in it.
        mapping: `text=COLUMN`, as for prompts.
        max_chars: longer texts are left out.

    Raises:
        UsageError: a path does not exist or a mapping is malformed.
    """
    fields = parse_mapping(mapping, TEXT_ONLY)
    for statement in statements(script("messages")):
        con.execute(statement)
    files: list[Path] = []
    sources: list[SourceReport] = []
    reasons: Counter[str] = Counter()
    for number, source in enumerate(expand(paths, work / "spool")):
        staged = Staged()
        try:
            for block in read(con, source):
                stage_block(
                    con,
                    _text_only(block, fields),
                    staged,
                    work,
                    source_no=number,
                    source_id=str(number),
                    mapping=fields,
                    max_chars=max_chars,
                )
        except (UnreadableError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            staged = Staged(rows=1)
            reject(con, staged, work / f"{number:05d}-file.parquet", [(None, f"file can't be read: {reason}", "")])
        for path in staged.rejected:
            counts = con.execute(
                f"SELECT reason, count(*) FROM read_parquet({literal(str(path))}) WHERE reason IS NOT NULL GROUP BY reason"
            )
            reasons.update(dict(counts.fetchall()))
        files += _good(con, staged, work)
        sources.append(SourceReport(source.name, staged.rows, staged.bad, "" if staged.rows else "empty"))
    most = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return Texts(tuple(files), tuple(sources), tuple(most))


def _text_only(block: Block, fields: dict[str, str]) -> Block:
    """Hide the columns that hold no text, so that nothing else of a row can make it bad."""
    found = choose(block.columns, TEXT_ONLY, fields)["text"]
    return replace(block, columns=found) if found else block


def _good(con: duckdb.DuckDBPyConnection, staged: Staged, work: Path) -> list[Path]:
    """Write the texts of the good rows of each staged file, in the order of the rows, and drop the staged files."""
    written = []
    for path in staged.files:
        good = work / f"texts-{path.name}"
        query = f"SELECT text FROM read_parquet({literal(str(path))}) WHERE reason IS NULL ORDER BY position"
        con.execute(f"COPY ({query}) TO {literal(str(good))} (FORMAT parquet, COMPRESSION lz4_raw)")
        path.unlink()
        written.append(good)
    return written
