"""verdicts: what people decided about families, campaigns, alerts and accounts. Kept in `state.sqlite`, never rewritten.

A verdict is on an id, and ids survive builds. The last one on a subject counts; `withdrawn` takes it back. A verdict on a
family, a campaign or an alert also keeps examples: its texts go to the bank `verdicts-benign` or `verdicts-confirmed` and
leave it when the verdict changes, so the next build marks whoever sends them.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from promptscan import state
from promptscan.curation import Kind, delete_texts, insert_texts, text_digest
from promptscan.errors import UsageError
from promptscan.sql import arrow, first, script
from promptscan.store import Generation

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

CAP = 5_000  # texts that a verdict keeps as examples, most-sent first; a bank knows a template from far fewer
MAX_NOTE = 2_000  # characters


class Decision(StrEnum):
    """What a person decided; `withdrawn` stands in the history only."""

    CONFIRMED = "confirmed"
    BENIGN = "benign"
    UNSURE = "unsure"
    WITHDRAWN = "withdrawn"


BANKS = {Decision.BENIGN: ("verdicts-benign", Kind.BENIGN), Decision.CONFIRMED: ("verdicts-confirmed", Kind.BAD)}
"""Decision -> the bank of its examples, and that bank's kind."""

KINDS = {
    "family": "SELECT family_id FROM base_family_names WHERE family_id = ?",
    "campaign": "SELECT campaign_id FROM base_campaigns WHERE campaign_id = ?",
    "alert": "SELECT alert_id FROM base_alerts WHERE alert_id = ?",
    "account": "SELECT account_id FROM base_account_stats WHERE account_id = $1 "
    "UNION SELECT account_id FROM base_accounts WHERE account_id = $1 LIMIT 1",
}
"""Kind of subject -> query that finds its id; in the order of trying."""

FAMILIES = {
    "family": "SELECT $1",
    "campaign": "SELECT DISTINCT family_id FROM base_campaign_families WHERE campaign_id = $1 ORDER BY ALL",
    "alert": "SELECT DISTINCT coalesce(f.family_id, a.family_id) AS family_id FROM base_alerts a "
    "LEFT JOIN base_campaign_families f USING (campaign_id) WHERE a.alert_id = $1 ORDER BY ALL",
}
"""Kind of subject -> query for the families whose texts a verdict on it keeps; an account's other traffic is its own."""

MARKS = pa.schema(
    [
        ("subject", pa.string()),
        ("verdict", pa.string()),
        ("note", pa.string()),
        ("ts", pa.timestamp("us")),
        ("actor", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One decision.

    Attributes:
        subject: `F-…`, `C-…`, `A-…`, or `account:ID`.
        verdict: what was decided.
        note: why.
        ts: when, UTC without a zone.
        actor: name of the system user who decided.
    """

    subject: str
    verdict: Decision
    note: str
    ts: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class Given:
    """What came of a decision: it, how many texts it keeps as examples (at most CAP), and in which bank."""

    verdict: Verdict
    n_texts: int
    bank: str | None


def verdicts(root: Path) -> list[Verdict]:
    """Return every decision on a store's subjects, oldest first.

    Raises:
        StoreError: what people wrote is damaged or of a newer version.
    """
    with state.reading(root) as con:
        if con is None or not state.holds(con, "verdicts"):
            return []
        rows = con.execute("SELECT subject, verdict, note, ts, actor FROM verdicts ORDER BY verdict_id").fetchall()
    return [_verdict(row) for row in rows]


def current_verdicts(root: Path) -> dict[str, Verdict]:
    """Return what counts now, by subject in the order of ids; withdrawn decisions do not.

    Raises:
        StoreError: what people wrote is damaged or of a newer version.
    """
    last = {one.subject: one for one in verdicts(root)}
    return {subject: last[subject] for subject in sorted(last) if last[subject].verdict is not Decision.WITHDRAWN}


def verdict_marks(root: Path) -> pa.Table:
    """Return what counts now as a table, for views to join: subject, verdict, note, ts, actor."""
    return verdict_table(list(current_verdicts(root).values()))


JUDGED = {
    "families": ("family_id",),
    "campaigns": ("campaign_id", "alert_id"),
    "alerts": ("alert_id", "campaign_id"),
    "accounts": ("account_id",),
}
"""View -> columns whose subjects a row is judged by; the first that has a verdict counts."""


def judged(view: str, row: Mapping[str, Any], known: Mapping[str, T]) -> T | None:
    """Return what is known by subject of a row of a view of `JUDGED`; None where nothing is."""
    subjects = (row[name] for name in JUDGED[view])
    written = (f"account:{one}" if view == "accounts" else one for one in subjects)
    return next((known[one] for one in written if one in known), None)


def with_verdicts(view: str, rows: pa.Table, root: Path) -> pa.Table:
    """Append the column `verdict` to rows of a view of `JUDGED`: the verdict that counts on each, null where there is none.

    Raises:
        StoreError: what people wrote is damaged or of a newer version.
    """
    known = {row["subject"]: row for row in verdict_marks(root).to_pylist()}
    found = [judged(view, row, known) for row in rows.select(JUDGED[view]).to_pylist()]
    return rows.append_column("verdict", pa.array(found, pa.struct(list(MARKS))))


def verdict_table(decisions: list[Verdict]) -> pa.Table:
    """Return decisions as a table with the columns of `MARKS`."""
    rows = [
        {
            "subject": one.subject,
            "verdict": one.verdict.value,
            "note": one.note or None,
            "ts": one.ts,
            "actor": one.actor,
        }
        for one in decisions
    ]
    return pa.Table.from_pylist(rows, schema=MARKS)


def decided(root: Path) -> dict[str, str]:
    """Return what counts now, as a word by subject.

    Raises:
        StoreError: what people wrote is damaged or of a newer version.
    """
    return {subject: one.verdict.value for subject, one in current_verdicts(root).items()}


def verdict_digest(root: Path) -> str:
    """Digest what counts now, for stages whose result depends on it; empty without verdicts."""
    lines = [f"{one.subject}\0{one.verdict}" for one in current_verdicts(root).values()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""


def give(root: Path, subject: str, decision: Decision, note: str = "") -> Given:
    """Decide about a family, a campaign, an alert or an account of the live generation.

    The same decision again is one more row, and takes today's texts of the subject as its examples.

    Args:
        root: the store.
        subject: an id, or `kind:id` with the kinds of `KINDS`.
        decision: confirmed, benign or unsure.
        note: why; at most MAX_NOTE characters.

    Raises:
        UsageError: nothing in the store has this id, the note is unusable, or the decision is `withdrawn` (see `withdraw`).
        StoreError: there is no store, or what people wrote is damaged, of a newer version, or can't be changed.
    """
    if decision is Decision.WITHDRAWN:
        raise UsageError("a verdict is withdrawn with `promptscan verdict withdraw`")
    _check_text("the note", note, MAX_NOTE)
    _check_text("the subject", subject, None)
    bank, kind = BANKS.get(decision, (None, None))
    with Generation.current(root.absolute()) as generation, generation.connect() as con:
        found, key = _find(con, subject)
        texts = _texts(con, found, key) if bank is not None else pa.array([], pa.large_string())
    stored = subject_of(found, key)
    with state.changing(root) as changes:
        if bank is not None and len(texts):
            note_of_bank = f"texts of what was judged {decision}; kept by `promptscan verdict`"
            insert_texts(changes, bank, [texts], kind=kind, note=note_of_bank)
        _keep(changes, stored, bank, texts)
        verdict = _append(changes, stored, decision, note, len(texts))
    return Given(verdict, len(texts), bank if len(texts) else None)


def subject_of(kind: str, key: str) -> str:
    """Return the subject that stands for an id of a kind of `KINDS`."""
    return f"account:{key}" if kind == "account" else key


def withdraw(root: Path, subject: str) -> Verdict:
    """Take back the verdict on a subject, and its examples out of the banks; the history keeps both rows.

    Raises:
        UsageError: there is no verdict on it.
        StoreError: what people wrote is damaged, of a newer version, or can't be changed.
    """
    _check_text("the subject", subject, None)
    known = current_verdicts(root)
    bare = subject.removeprefix("family:").removeprefix("campaign:").removeprefix("alert:")
    stored = next((one for one in (subject, bare, f"account:{subject}") if one in known), None)
    if stored is None:
        raise UsageError(f"there is no verdict on {subject!r}; `promptscan verdict list` shows them")
    with state.changing(root) as changes:
        _keep(changes, stored, None, pa.array([], pa.large_string()))
        return _append(changes, stored, Decision.WITHDRAWN, "", 0)


def _find(con: duckdb.DuckDBPyConnection, subject: str) -> tuple[str, str]:
    """Return the kind and the id of a subject of the store."""
    named = re.fullmatch(rf"({'|'.join(KINDS)}):(.+)", subject, re.DOTALL)
    kinds, key = ([named[1]], named[2]) if named else (list(KINDS), subject)
    for kind in kinds:
        if first(con, KINDS[kind], [key]) is not None:
            return kind, key
    raise UsageError(
        f"nothing to judge has the id {subject!r}; wanted a family (F-…), a campaign (C-…), an alert (A-…) or an account"
    )


def _texts(con: duckdb.DuckDBPyConnection, kind: str, key: str) -> pa.Array:
    """Return the clean texts that a verdict on a subject keeps, large_string (t,), t <= CAP."""
    if kind not in FAMILIES:
        return pa.array([], pa.large_string())
    families = [row[0] for row in con.execute(FAMILIES[kind], [key]).fetchall() if row[0] is not None]
    return arrow(con, script("verdict_texts"), [families, CAP])["clean"].cast(pa.large_string()).combine_chunks()


def _keep(con: sqlite3.Connection, subject: str, bank: str | None, texts: pa.Array) -> None:
    """Note which texts a bank has because of a subject; those that no verdict holds there any more leave their bank."""
    held = con.execute("SELECT bank, digest FROM verdict_texts WHERE subject = ?", (subject,)).fetchall()
    con.execute("DELETE FROM verdict_texts WHERE subject = ?", (subject,))
    rows = [(subject, bank, text_digest(text)) for text in texts.to_pylist()]
    con.executemany("INSERT OR IGNORE INTO verdict_texts VALUES (?, ?, ?)", rows)
    for name in sorted({row["bank"] for row in held}):
        still = {row[0] for row in con.execute("SELECT DISTINCT digest FROM verdict_texts WHERE bank = ?", (name,))}
        delete_texts(con, name, sorted({row["digest"] for row in held if row["bank"] == name} - still))


def _append(con: sqlite3.Connection, subject: str, decision: Decision, note: str, n: int) -> Verdict:
    row = (state.now(), state.actor(), subject, decision.value, note)
    con.execute("INSERT INTO verdicts (ts, actor, subject, verdict, note) VALUES (?, ?, ?, ?, ?)", row)
    state.record(con, "verdict", subject, n, {"verdict": decision.value, "note": note})
    return Verdict(subject, decision, note, datetime.fromisoformat(row[0]), row[1])


def _verdict(row: sqlite3.Row) -> Verdict:
    return Verdict(
        row["subject"], Decision(row["verdict"]), row["note"], datetime.fromisoformat(row["ts"]), row["actor"]
    )


def _check_text(what: str, text: str, most: int | None) -> None:
    """Refuse what a database or a page can't hold."""
    if most is not None and len(text) > most:
        raise UsageError(f"{what} has {len(text):,} characters; wanted at most {most:,}")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise UsageError(f"{what} has bytes that are no text; wanted UTF-8 without NUL")
