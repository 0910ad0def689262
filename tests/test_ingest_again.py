"""ingest: the same rows are added once, however they come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptscan.ingest import load
from tests.ingesting import ROWS, add, query, texts
from tests.logs import write_jsonl

TABLE = pa.Table.from_pylist(ROWS)
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


class TestAgain:
    """The same rows are added once, however they come back."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = write_jsonl(tmp_path / "a.jsonl", ROWS)
        assert add(tmp_path / "s", path).added == 12
        return path

    def test_same_file(self, tmp_path: Path, path: Path):
        report = add(tmp_path / "s", path)
        assert (report.added, report.sources[0].note) == (0, f"already ingested as {path}")

    def test_a_copy_under_another_name(self, tmp_path: Path, path: Path):
        (tmp_path / "copy.jsonl").write_bytes(path.read_bytes())
        assert add(tmp_path / "s", tmp_path / "copy.jsonl").added == 0
        assert len(texts(tmp_path / "s")) == 12

    def test_other_order_other_format(self, tmp_path: Path, path: Path):
        del path
        report = add(tmp_path / "s", write_jsonl(tmp_path / "b.jsonl", ROWS[::-1]))
        assert (report.added, report.known) == (0, 12)
        pq.write_table(TABLE, tmp_path / "c.parquet")
        assert add(tmp_path / "s", tmp_path / "c.parquet").known == 12

    def test_a_grown_log_is_read_from_where_it_ended(self, tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch):
        seen: list[tuple[int, int]] = []
        read = load.read

        def spy(con: Any, source: Any, *, skip_bytes: int, skip_lines: int) -> Any:
            seen.append((skip_bytes, skip_lines))
            return read(con, source, skip_bytes=skip_bytes, skip_lines=skip_lines)

        monkeypatch.setattr(load, "read", spy)
        size = path.stat().st_size
        with path.open("a") as out:
            out.write('{"text": "new one"}\n{"text": 5}\n')
        report = add(tmp_path / "s", path)
        assert (report.added, report.known, report.quarantined) == (1, 0, 1)
        assert seen == [(size, 12)]
        assert query(tmp_path / "s", "SELECT position FROM quarantine") == [("14",)]
        assert add(tmp_path / "s", path).added == 0

    def test_a_log_whose_last_line_was_incomplete(self, tmp_path: Path):
        path = tmp_path / "b.jsonl"
        path.write_bytes(JSONL[:-20])
        assert (add(tmp_path / "s", path).added, len(texts(tmp_path / "s"))) == (11, 11)
        path.write_bytes(JSONL)
        assert add(tmp_path / "s", path).added == 1
        assert len(texts(tmp_path / "s")) == 12

    def test_a_log_without_ids_that_grew(self, tmp_path: Path):
        rows = [{"text": "same words", "account": "a"} for _ in range(5)]
        path = write_jsonl(tmp_path / "b.jsonl", rows[:3])
        assert add(tmp_path / "s", path).added == 3, "equal rows at different lines are different prompts"
        write_jsonl(path, rows)
        assert add(tmp_path / "s", path).added == 2

    def test_a_rotated_log_under_the_same_name(self, tmp_path: Path, path: Path):
        write_jsonl(path, [{"text": f"quite different {number}"} for number in range(3)])
        assert add(tmp_path / "s", path).added == 3

    def test_the_same_bad_row_is_quarantined_once(self, tmp_path: Path):
        path = write_jsonl(tmp_path / "b.jsonl", [{"text": None}, {"text": "a"}])
        assert add(tmp_path / "s", path).quarantined == 1
        with path.open("a") as out:
            out.write('{"text": "b"}\n')
        assert add(tmp_path / "s", path).quarantined == 0
        assert query(tmp_path / "s", "SELECT source, position, reason FROM quarantine") == [(str(path), "1", "no text")]

    def test_two_files_of_one_call_that_overlap(self, tmp_path: Path):
        a, b = write_jsonl(tmp_path / "b1.jsonl", ROWS[:8]), write_jsonl(tmp_path / "b2.jsonl", ROWS[4:])
        report = add(tmp_path / "t", a, b)
        assert (report.added, report.known) == (12, 4)


def test_ids_of_texts_do_not_depend_on_the_order_of_the_rows(tmp_path: Path):
    for store, rows in {"a": ROWS, "b": ROWS[::-1]}.items():
        add(tmp_path / store, write_jsonl(tmp_path / f"{store}.jsonl", rows))
    assert query(tmp_path / "a", "SELECT text_id, text FROM texts ORDER BY 1") == query(
        tmp_path / "b", "SELECT text_id, text FROM texts ORDER BY 1"
    )
