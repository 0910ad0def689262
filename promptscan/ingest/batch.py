"""What lies between reading and loading: sources whose rows are staged, and the parts in which they are loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from promptscan.ingest.sources import Source
from promptscan.ingest.stage import Staged


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One file that was ingested; committed with its rows."""

    name: str
    size: int
    sha256: str
    head_bytes: int
    head_sha256: str
    source_id: str
    rows: int
    bad: int


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What became of one source: rows read, quarantined, and why it was skipped or refused if it was."""

    name: str
    rows: int = 0
    bad: int = 0
    note: str = ""


@dataclass(slots=True)
class Batch:
    """Sources that are staged: read and checked, not in the store yet.

    Attributes:
        work: folder that holds the staged rows.
        entries: what the ledger will say of each source.
        staged: (source, its identity, its staged rows).
        reports: one a source.
        over_limit: names of sources with too many bad rows.
    """

    work: Path
    entries: list[LedgerEntry] = field(default_factory=list)
    staged: list[tuple[Source, str, Staged]] = field(default_factory=list)
    reports: list[SourceReport] = field(default_factory=list)
    over_limit: list[str] = field(default_factory=list)

    @property
    def files(self) -> list[str]:
        """The Parquet files with the staged rows; those that have a `reason` are bad."""
        return [str(path) for _, _, staged in self.staged for path in staged.files]


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of a batch in a span of log time.

    Attributes:
        start, end: UTC without a zone; the first is in the span, the second is not.
        timeless: rows without a time are part of it too.
        last: nothing of the batch remains after it, so its sources count as ingested; `end` does not matter.
    """

    start: datetime
    end: datetime
    timeless: bool = False
    last: bool = False

    @property
    def condition(self) -> str:
        """The rows it holds, as SQL."""
        span = f"ts >= TIMESTAMP '{self.start.isoformat()}'"
        if not self.last:
            span += f" AND ts < TIMESTAMP '{self.end.isoformat()}'"
        return f"({span} OR ts IS NULL)" if self.timeless else span
