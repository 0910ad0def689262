"""Ingest without the rest of a build, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from promptscan.build import Run, commit
from promptscan.config import Settings
from promptscan.ingest import AccountsReport, IngestReport, ingest, ingest_accounts
from promptscan.store import Generation, open_writer
from tests.logs import sample_rows, write_jsonl

ROWS = sample_rows()[:12]


def add(store: Path, *paths: str | Path, accounts: Path | None = None, **options: Any) -> IngestReport:
    """Ingest and commit."""
    with open_writer(store) as writer:
        if accounts is not None:
            ingest_accounts(writer, str(accounts))
        report = ingest(writer, [str(path) for path in paths], **options)
        commit(writer, Settings(store=store), Run.start("test"))
    return report


def add_accounts(store: Path, path: Path, mapping: Sequence[str] = ()) -> AccountsReport:
    with open_writer(store) as writer:
        report = ingest_accounts(writer, str(path), mapping=mapping)
        commit(writer, Settings(store=store), Run.start("test"))
    return report


def query(store: Path, sql: str) -> list[tuple[Any, ...]]:
    with Generation.current(store) as generation, generation.connect() as con:
        return list(con.execute(sql).fetchall())


def texts(store: Path) -> list[str]:
    return [
        row[0] for row in query(store, "SELECT text FROM prompts JOIN texts USING (text_id) ORDER BY prompt_id, text")
    ]


def one_row(tmp_path: Path, row: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Ingest one JSON row; return its prompt with its text."""
    add(tmp_path / "s", write_jsonl(tmp_path / "one.jsonl", [row]), **options)
    with Generation.current(tmp_path / "s") as generation, generation.connect() as con:
        rows = con.sql("SELECT * FROM prompts JOIN texts USING (text_id)").to_arrow_table().to_pylist()
    assert len(rows) == 1
    return dict(rows[0])
