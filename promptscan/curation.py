"""curation: banks, the collections of known-benign and known-bad examples that people keep. Their clean texts lie in `state.sqlite`.

The next build takes them up (`promptscan.banks`, `promptscan.build.banking`).
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from promptscan import state
from promptscan.config import Settings
from promptscan.errors import UsageError
from promptscan.ingest import Texts, read_texts
from promptscan.normalise import clean
from promptscan.store.generation import configure

TEXTS, TIMES = ("bank", "kind", "n_texts", "note"), ("added_at", "changed_at")  # columns of `bank_table`
OF_VERDICTS = frozenset({"verdicts-benign", "verdicts-confirmed"})  # filled by promptscan.verdicts only
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Kind(StrEnum):
    """What the examples of a bank are examples of."""

    BENIGN = "benign"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Bank:
    """A collection of examples.

    Attributes:
        bank: its name.
        kind: what its texts are examples of.
        n_texts: distinct clean texts.
        note: what people should know of it.
        added_at, changed_at: UTC, ISO 8601 without a zone.
        digest: of its texts; equal digests, equal texts.
    """

    bank: str
    kind: Kind
    n_texts: int
    note: str
    added_at: str
    changed_at: str
    digest: str


@dataclass(frozen=True, slots=True)
class Added:
    """What became of texts that were added to a bank: new, in it before, and empty once invisible characters are out."""

    new: int
    known: int
    empty: int


def banks(root: Path) -> list[Bank]:
    """Return the banks of a store, by name.

    Raises:
        StoreError: what people wrote is damaged or of a newer version.
    """
    with state.reading(root) as con:
        rows = [] if con is None else con.execute("SELECT * FROM banks ORDER BY bank").fetchall()
    return [Bank(**(dict(row) | {"kind": Kind(row["kind"])})) for row in rows]


def bank_texts(root: Path, name: str) -> pa.Array:
    """Return the clean texts of a bank in the order of their digests, large_string (n,); none if there is no such bank."""
    with state.reading(root) as con:
        query = "SELECT clean FROM bank_texts WHERE bank = ? ORDER BY digest"
        rows = [] if con is None else con.execute(query, (name,)).fetchall()
    return pa.array([row["clean"] for row in rows], pa.large_string())


def check_name(name: str) -> None:
    """Refuse a name that is not letters, digits, `.`, `_` and `-`.

    Raises:
        UsageError: it is none.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} can't name a bank; wanted up to 64 letters, digits, dots, dashes and underscores")


def _refuse_verdicts(name: str) -> None:
    if name in OF_VERDICTS:
        raise UsageError(f"bank {name} follows people's verdicts; change it with `promptscan verdict`")


def add_texts(
    root: Path, name: str, texts: Iterable[pa.Array], *, kind: Kind | None = None, note: str | None = None
) -> Added:
    """Add texts to a bank, making the bank when it is new. Adding the same texts again changes nothing.

    Args:
        root: the store; made when there is none.
        name: the bank.
        texts: batches of texts as they were written, large_string, no nulls.
        kind: of a new bank, benign by default; that of a known bank if it is given.
        note: instead of the present one; None leaves it.

    Raises:
        UsageError: the name is none, or the bank is of the other kind.
        StoreError: what people wrote is damaged, of a newer version, or can't be changed.
    """
    check_name(name)
    with state.changing(root) as con:
        return insert_texts(con, name, texts, kind=kind, note=note)


def insert_texts(
    con: sqlite3.Connection,
    name: str,
    texts: Iterable[pa.Array],
    *,
    kind: Kind | None = None,
    note: str | None = None,
) -> Added:
    """Add texts to a bank inside a change of the state; see `add_texts`."""
    new = total = empty = 0
    known = con.execute("SELECT kind, note FROM banks WHERE bank = ?", (name,)).fetchone()
    if known is not None and kind not in {None, known["kind"]}:
        raise UsageError(f"bank {name} holds {known['kind']} examples; choose another name for {kind} ones")
    if known is None:
        values = (name, kind or Kind.BENIGN, state.now(), state.now())
        con.execute("INSERT INTO banks VALUES (?, ?, '', ?, ?, 0, '')", values)
    for batch in texts:
        cleaned, _ = clean(batch)
        usable = cleaned.filter(pc.not_equal(cleaned, "")).to_pylist()
        rows = [(name, text_digest(text), text) for text in usable]
        inserted = con.executemany("INSERT OR IGNORE INTO bank_texts VALUES (?, ?, ?)", rows).rowcount
        new, total, empty = new + max(inserted, 0), total + len(rows), empty + len(batch) - len(rows)
    renoted = note is not None and note != (known["note"] if known else "")
    if known is not None and not new and not renoted:
        return Added(0, total, empty)
    _recount(con, name, note)
    kept = con.execute("SELECT kind, note FROM banks WHERE bank = ?", (name,)).fetchone()
    state.record(con, "bank add", name, new, {**dict(kept), "known": total - new, "empty": empty})
    return Added(new, total - new, empty)


def delete_texts(con: sqlite3.Connection, name: str, digests: Iterable[bytes]) -> int:
    """Take texts out of a bank, and the bank with its last one, inside a change of the state; returns how many it had."""
    deleted = con.executemany(
        "DELETE FROM bank_texts WHERE bank = ? AND digest = ?", [(name, digest) for digest in digests]
    ).rowcount
    if deleted <= 0:
        return 0
    if _recount(con, name, None) == 0:
        con.execute("DELETE FROM banks WHERE bank = ?", (name,))
    state.record(con, "bank take", name, deleted)
    return deleted


def text_digest(text: str) -> bytes:
    """Return what a bank knows a clean text by, 16 bytes."""
    return hashlib.sha256(text.encode()).digest()[:16]


def add_files(
    settings: Settings,
    name: str,
    paths: Sequence[str],
    *,
    kind: Kind | None = None,
    note: str | None = None,
    mapping: Sequence[str] = (),
) -> tuple[Texts, Added]:
    """Add the texts of files, globs, folders, URLs or `-` to a bank of the configured store; see `add_texts`.

    Returns:
        What was read, with the rows that were left out and why; and what became of the rest.

    Raises:
        PromptscanError: see `promptscan.errors`; the bank is as it was before.
    """
    check_name(name)
    _refuse_verdicts(name)
    with TemporaryDirectory(prefix="promptscan-") as folder, closing(duckdb.connect(":memory:")) as con:
        work = Path(folder)
        configure(con, work, memory_limit=settings.memory_limit, threads=settings.threads or None)
        read = read_texts(con, paths, work, mapping=mapping, max_chars=settings.max_chars)
        return read, add_texts(settings.store, name, read.batches(), kind=kind, note=note)


def bank_table(root: Path) -> pa.Table:
    """Return the banks of a store as a table, by name; the view `banks` has those of the last build."""
    rows = [asdict(bank) | {"kind": bank.kind.value} for bank in banks(root)]
    times = {name: pa.array([datetime.fromisoformat(row[name]) for row in rows], pa.timestamp("us")) for name in TIMES}
    columns = {
        name: pa.array([row[name] for row in rows], pa.int64() if name == "n_texts" else pa.string()) for name in TEXTS
    }
    return pa.table({name: (columns | times)[name] for name in (*TEXTS, *TIMES)})


def remove_bank(root: Path, name: str) -> int:
    """Remove a bank and its texts; returns how many these were.

    Raises:
        UsageError: there is no such bank.
        StoreError: what people wrote is damaged, of a newer version, or can't be changed.
    """
    _refuse_verdicts(name)
    if not any(bank.bank == name for bank in banks(root)):  # asked first, so that no file is made to say no
        raise UsageError(f"there is no bank {name!r}; `promptscan bank list` shows them")
    with state.changing(root) as con:
        n, _ = _contents(con, name)
        con.execute("DELETE FROM banks WHERE bank = ?", (name,))
        state.record(con, "bank remove", name, n)
    return n


def _recount(con: sqlite3.Connection, name: str, note: str | None) -> int:
    """Note a bank's size and digest after a change, and its note if it is given; returns the size."""
    n, digest = _contents(con, name)
    con.execute(
        "UPDATE banks SET n_texts = ?, digest = ?, changed_at = ?, note = coalesce(?, note) WHERE bank = ?",
        (n, digest, state.now(), note, name),
    )
    return n


def _contents(con: sqlite3.Connection, name: str) -> tuple[int, str]:
    """Count a bank's texts and digest them in an order that does not depend on how they were added."""
    digest, n = hashlib.sha256(), 0
    for (one,) in con.execute("SELECT digest FROM bank_texts WHERE bank = ? ORDER BY digest", (name,)):
        digest.update(one)
        n += 1
    return n, digest.hexdigest()
