"""indicator_sets: indicators that others shared, kept in `state.sqlite` under a name. The next build marks the texts that hold them.

To a build a set is a bank of bad examples of which nothing but fingerprints is known (`indicators:NAME`), so every view that
marks what a bank knows marks these too. A colon can't be in a bank's own name.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from promptscan import state
from promptscan.banks import BankIndex
from promptscan.curation import NAME, Bank, Kind
from promptscan.errors import UsageError
from promptscan.indicators import BITS, MAX_BYTES, read, written

SHARED = "indicators:"  # begins the name of a set's bank


@dataclass(frozen=True, slots=True)
class IndicatorSet:
    """A file of indicators that was imported.

    Attributes:
        name: of the set.
        n_templates: how many templates it has.
        added_at: when it was imported, UTC without a zone.
        actor: name of the system user who did.
        digest: of its content; equal digests, equal indicators.
    """

    name: str
    n_templates: int
    added_at: datetime
    actor: str
    digest: str


@dataclass(frozen=True, slots=True)
class Imported:
    """A set after an import: whether it is new, changed, or as it was before."""

    kept: IndicatorSet
    new: bool
    changed: bool


def indicator_sets(root: Path) -> list[IndicatorSet]:
    """Return the imported sets of a store, by name.

    Raises:
        StoreError: what people wrote is damaged or of a newer version.
    """
    with state.reading(root) as con:
        if con is None or not state.holds(con, "indicator_sets"):
            return []
        query = "SELECT name, n_templates, added_at, actor, digest FROM indicator_sets ORDER BY name"
        rows = con.execute(query).fetchall()
    return [IndicatorSet(**(dict(row) | {"added_at": datetime.fromisoformat(row["added_at"])})) for row in rows]


def import_indicators(root: Path, path: Path, name: str | None = None) -> Imported:
    """Keep a file of indicators; one of the same name is replaced.

    Args:
        root: the store; made when there is none.
        path: the file.
        name: of the set; the file's name without its suffix when None.

    Raises:
        UsageError: there is no such file, or the name is none.
        BadDataError: the file is no document of indicators; see `promptscan.indicators.read`.
        StoreError: what people wrote is damaged, of a newer version, or can't be changed.
    """
    name = path.stem if name is None else name
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} can't name indicators; wanted up to 64 letters, digits, dots, dashes and underscores (--name)"
        )
    if not path.is_file():
        raise UsageError(f"{path} is no file; wanted one that `promptscan indicators export` wrote")
    with path.open("rb") as file:
        found = read(file.read(MAX_BYTES + 1))
    content = written(found).decode("ascii")
    digest = hashlib.sha256(content.encode()).hexdigest()
    before = next((one for one in indicator_sets(root) if one.name == name), None)
    if before is not None and before.digest == digest:
        return Imported(before, new=False, changed=False)
    added = IndicatorSet(name, len(found), datetime.fromisoformat(state.now()), state.actor(), digest)
    with state.changing(root) as con:
        row = (name, added.added_at.isoformat(), added.actor, added.n_templates, digest, content)
        con.execute("INSERT OR REPLACE INTO indicator_sets VALUES (?, ?, ?, ?, ?, ?)", row)
        state.record(con, "indicators import", name, added.n_templates, {"digest": digest})
    return Imported(added, new=before is None, changed=True)


def remove_indicators(root: Path, name: str) -> int:
    """Remove a set; returns how many templates it had.

    Raises:
        UsageError: there is no such set.
        StoreError: what people wrote is damaged, of a newer version, or can't be changed.
    """
    known = next((one for one in indicator_sets(root) if one.name == name), None)
    if known is None:
        raise UsageError(f"there are no indicators {name!r}; `promptscan indicators list` shows them")
    with state.changing(root) as con:
        con.execute("DELETE FROM indicator_sets WHERE name = ?", (name,))
        state.record(con, "indicators remove", name, known.n_templates)
    return known.n_templates


def indicator_table(root: Path) -> pa.Table:
    """Return the imported sets as a table, by name."""
    schema = pa.schema(
        [
            ("name", pa.string()),
            ("n_templates", pa.int64()),
            ("added_at", pa.timestamp("us")),
            ("actor", pa.string()),
            ("digest", pa.string()),
        ]
    )
    rows = [{name: getattr(one, name) for name in schema.names} for one in indicator_sets(root)]
    return pa.Table.from_pylist(rows, schema=schema)


def indicator_banks(root: Path) -> list[Bank]:
    """Return the sets as the banks that a build takes them for, by name."""
    return [
        Bank(SHARED + one.name, Kind.BAD, one.n_templates, "", str(one.added_at), str(one.added_at), one.digest)
        for one in indicator_sets(root)
    ]


def indicator_index(root: Path, bank: str) -> BankIndex:
    """Index the fingerprints of a set by the name of its bank; nothing if it was removed."""
    with state.reading(root) as con:
        query = "SELECT document FROM indicator_sets WHERE name = ?"
        row = None if con is None else con.execute(query, (bank.removeprefix(SHARED),)).fetchone()
    found = read(row["document"].encode()) if row is not None else ()
    return index_of([one.fingerprints for one in found])


def index_of(fingerprints: Iterable[tuple[int, ...]]) -> BankIndex:
    """Index the low bits of fingerprints, a row per template.

    A template that has all fingerprints of another one is left out: whoever sends it is known by the other. So the cases of
    one frame are no crowd whose fingerprints would not be listed (promptscan.banks.HOT).
    """
    kept = _smallest(fingerprints)
    hashes = np.array([value for one in kept for value in one], np.uint64)
    owners = np.repeat(np.arange(len(kept)), [len(one) for one in kept])
    return BankIndex.of_fingerprints(hashes, owners, len(kept), np.zeros(0, np.uint64), Kind.BAD, bits=BITS)


def _smallest(fingerprints: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the sets that hold no other one, by size and then by value; each is ascending."""
    kept: list[tuple[int, ...]] = []
    by_first: dict[int, list[frozenset[int]]] = defaultdict(list)
    for one in sorted(set(fingerprints), key=lambda some: (len(some), some)):
        whole = frozenset(one)
        if not any(other <= whole for value in one for other in by_first[value]):
            kept.append(one)
            by_first[one[0]].append(whole)
    return kept
