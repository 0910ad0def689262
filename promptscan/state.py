"""state: what people write about a store (banks, verdicts, shared indicators, audit log), in `state.sqlite` beside the generations.

Generations are made anew by each build; this file is only changed by people's commands, a transaction each. It is made by
the first of them: a store without one has no banks. SQLite in WAL mode lets readers go on while one process writes.
"""

from __future__ import annotations

import getpass
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from promptscan.errors import StoreError
from promptscan.sql import script, statements

FILE = "state.sqlite"
VERSION = 2  # of the schema, kept as the file's user_version; sql/state_<n>.sql leads from n - 1 to n
BUSY = 10.0  # seconds that a writer waits for another


@contextmanager
def reading(root: Path) -> Iterator[sqlite3.Connection | None]:
    """Open the state of a store read-only; None when nobody has written any.

    Raises:
        StoreError: the file is damaged, of a newer version, or can't be read; also from statements inside the block.
    """
    path = root.absolute() / FILE
    if not path.exists():
        yield None
        return
    with _said(path), closing(_connect(path, "ro")) as con:
        if _version(con, path) == 0:  # made by a writer that was stopped before its first commit
            yield None
            return
        con.execute("BEGIN")  # one snapshot for all that is read in the block
        yield con


@contextmanager
def changing(root: Path) -> Iterator[sqlite3.Connection]:
    """Open the state of a store for one change: a transaction that is kept only if the block ends well.

    Raises:
        StoreError: the file is damaged, of a newer version, not writable, or held by another writer for too long.
    """
    path = root.absolute() / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"store {root} can't be created ({error.strerror}); choose another --store") from None
    with _said(path), closing(_connect(path, "rwc")) as con:
        con.execute("PRAGMA journal_mode = WAL")
        con.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
        con.execute("PRAGMA foreign_keys = ON")
        con.execute("PRAGMA secure_delete = ON")  # a removed text leaves no copy in free pages
        con.execute("BEGIN IMMEDIATE")
        try:
            for version in range(_version(con, path) + 1, VERSION + 1):
                for statement in statements(script(f"state_{version}")):
                    con.execute(statement)
                con.execute(f"PRAGMA user_version = {version}")
            yield con
        except BaseException:
            con.execute("ROLLBACK")
            raise
        con.execute("COMMIT")


def record(
    con: sqlite3.Connection, action: str, subject: str, n: int, details: Mapping[str, object] | None = None
) -> None:
    """Add a row to the audit log, inside the transaction of what it tells of.

    Args:
        con: from `changing`.
        action: what was done, as `bank add`.
        subject: the name or id of what it was done to.
        n: how many things it changed.
        details: anything else, as JSON can hold it.
    """
    row = (now(), actor(), action, subject, n, json.dumps(details or {}, sort_keys=True))
    con.execute("INSERT INTO audit (ts, actor, action, subject, n, details) VALUES (?, ?, ?, ?, ?, ?)", row)


def now() -> str:
    """Return the time as it is stored: ISO 8601, UTC without a zone, seconds."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def holds(con: sqlite3.Connection, table: str) -> bool:
    """Say whether a file has a table; one that no later promptscan has changed yet is of an earlier schema."""
    return con.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone() is not None


def actor() -> str:
    """Return the name of the user the process runs as; a container may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    con = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=BUSY, isolation_level=None)
    con.row_factory = sqlite3.Row
    return con


def _version(con: sqlite3.Connection, path: Path) -> int:
    found = int(con.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise StoreError(
            f"{path} has schema {found}; this promptscan reads up to {VERSION}: upgrade promptscan to open it"
        )
    return found


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one line that says what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        reason = str(error)
        if "locked" in reason or "busy" in reason:
            raise StoreError(
                f"{path} is being written by another process; wait for it to finish, then run again"
            ) from None
        raise StoreError(f"{path} can't be used ({reason}); check the store's permissions and disk space") from None
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{path} is damaged ({error}); restore it from a backup, or move it away to start anew"
        ) from None
