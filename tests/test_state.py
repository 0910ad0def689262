"""What people write: one file, made by the first change, each change whole or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from promptscan import state
from promptscan.errors import StoreError, UsageError


def audit(root: Path) -> list[tuple[str, str, int]]:
    with state.reading(root) as con:
        assert con is not None
        return [tuple(row) for row in con.execute("SELECT action, subject, n FROM audit ORDER BY audit_id")]


def fail(root: Path) -> None:
    with state.changing(root) as con:
        state.record(con, "half done", "b", 2)
        raise UsageError("stop")


def test_a_store_without_state_reads_as_none_and_stays_without(tmp_path: Path):
    with state.reading(tmp_path) as con:
        assert con is None
    assert not list(tmp_path.iterdir())


def test_the_first_change_makes_the_store_s_folder_and_file(tmp_path: Path):
    with state.changing(tmp_path / "new" / "store") as con:
        state.record(con, "bank add", "library", 3)
    assert audit(tmp_path / "new" / "store") == [("bank add", "library", 3)]
    with closing(sqlite3.connect(tmp_path / "new" / "store" / state.FILE)) as con:
        assert con.execute("PRAGMA user_version").fetchone() == (state.VERSION,)
        assert con.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_change_that_fails_leaves_nothing(tmp_path: Path):
    with state.changing(tmp_path) as con:
        state.record(con, "first", "a", 1)
    with pytest.raises(UsageError):
        fail(tmp_path)
    assert audit(tmp_path) == [("first", "a", 1)]


def test_a_first_change_that_fails_reads_as_none(tmp_path: Path):
    with pytest.raises(UsageError):
        fail(tmp_path)
    with state.reading(tmp_path) as con:
        assert con is None


def test_an_audit_row_says_when_who_and_what_else(tmp_path: Path):
    with state.changing(tmp_path) as con:
        state.record(con, "bank add", "library", 3, {"kind": "benign"})
    with state.reading(tmp_path) as con:
        assert con is not None
        row = dict(con.execute("SELECT * FROM audit").fetchone())
    assert row["ts"] <= state.now()
    assert row["actor"]
    assert row["details"] == '{"kind": "benign"}'


def test_readers_keep_what_they_saw_while_a_writer_changes_it(tmp_path: Path):
    with state.changing(tmp_path) as con:
        state.record(con, "first", "a", 1)
    with state.reading(tmp_path) as reader:
        assert reader is not None
        assert reader.execute("SELECT count(*) FROM audit").fetchone()[0] == 1
        with state.changing(tmp_path) as con:
            state.record(con, "second", "b", 2)
        assert reader.execute("SELECT count(*) FROM audit").fetchone()[0] == 1
    assert len(audit(tmp_path)) == 2


@pytest.mark.parametrize(
    "content", [b"not a database, and long enough to be read as a header" * 4, b"SQLite format 3\0"]
)
def test_a_damaged_file_is_a_store_error_of_one_line(tmp_path: Path, content: bytes):
    (tmp_path / state.FILE).write_bytes(content)
    for use in (state.reading, state.changing):
        with (
            pytest.raises(StoreError, match=r"state\.sqlite is damaged .*; restore it") as caught,
            use(tmp_path) as con,
        ):
            con.execute("SELECT * FROM audit")
        assert "\n" not in str(caught.value)


def test_damage_inside_the_file_is_a_store_error_too(tmp_path: Path):
    with state.changing(tmp_path) as con:
        for number in range(2_000):
            state.record(con, "fill", f"page {number}", number)
    path = tmp_path / state.FILE
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        audit(tmp_path)


def test_a_newer_schema_is_refused_by_name(tmp_path: Path):
    with state.changing(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / state.FILE)) as con:
        con.execute("PRAGMA user_version = 99")
    for use in (state.reading, state.changing):
        with pytest.raises(StoreError, match=r"schema 99.*upgrade promptscan"), use(tmp_path):
            pass


def test_a_second_writer_is_told_to_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(state, "BUSY", 0.0)
    with state.changing(tmp_path), pytest.raises(StoreError, match="another process"), state.changing(tmp_path):
        pass


def test_a_removed_text_leaves_no_copy_in_the_file(tmp_path: Path):
    secret = "a sentence that must be gone" * 200
    with state.changing(tmp_path) as con:
        con.execute("INSERT INTO banks VALUES ('b', 'benign', '', '', '', 1, '')")
        con.execute("INSERT INTO bank_texts VALUES ('b', x'00', ?)", (secret,))
    with state.changing(tmp_path) as con:
        con.execute("DELETE FROM banks")
    assert {path.name for path in tmp_path.iterdir()} == {state.FILE}
    assert b"must be gone" not in (tmp_path / state.FILE).read_bytes()
