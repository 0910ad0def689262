"""accounts: who sent what. Joins of prompts, texts and families with accounts and time, and the families' ranking.

Texts that nobody sent since the last build keep their row; whatever else is counted is counted again, from columns of
numbers and times. The result is that of counting everything.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np

from promptscan.counts import Counts
from promptscan.sql import LOOKUP_GROUP, copy_parquet, literal, one, script, statements
from promptscan.store import Segment, Writer

INPUTS = ("prompts", "cleans", "families", "templates")  # segment kinds the joins read
ORDER = {
    "text_stats": "text_id",
    "account_stats": "account_id",
    "family_stats": "family_id",
    "family_accounts": "family_id, account_id",
    "family_days": "family_id, day",
}


@dataclass(frozen=True, slots=True)
class AccountsStage:
    """How many accounts and family-account pairs the joins have."""

    accounts: int = 0
    pairs: int = 0


def join_accounts(writer: Writer) -> AccountsStage | None:
    """Join prompts with texts, families and accounts; None when nothing that goes in has changed."""
    names = [segment.name for segment in writer.manifest.segments if segment.kind in INPUTS]
    version = hashlib.sha256("|".join(["stats 3", script("stats")]).encode()).hexdigest()
    key = hashlib.sha256("|".join([version, *names]).encode()).hexdigest()
    current = writer.manifest.of_kind("stats")
    if current and current[0].name == f"stats-{key[:24]}":
        return None
    known = writer.find("stats", key)
    if known:
        writer.drop("stats")
        writer.adopt(known)
        return AccountsStage(int(known.meta["accounts"]), int(known.meta["pairs"]))
    prompts = [segment.name for segment in writer.manifest.of_kind("prompts")]
    meta: dict[str, Any] = {"prompts": prompts, "version": version}
    before = _before(writer, version)
    with writer.segment("stats", key=key, meta=meta) as directory, writer.connect() as con:
        _sort_prompts(writer, con, before)
        for statement in statements(script("stats")):
            con.execute(statement)
        for table, order in ORDER.items():
            copy_parquet(con, f"FROM new_{table} ORDER BY {order}", directory / f"{table}.parquet", group=LOOKUP_GROUP)
        _counts(writer, con, before).save(directory)
        counts = "SELECT (SELECT count(*) FROM new_account_stats), (SELECT count(*) FROM new_family_accounts)"
        meta["accounts"], meta["pairs"] = one(con, counts)
        writer.drop("stats")
    return AccountsStage(meta["accounts"], meta["pairs"])


def _before(writer: Writer, version: str) -> Segment | None:
    """Return the last build's joins, if all prompts that they count are still here, and counted in the same way."""
    for segment in writer.manifest.of_kind("stats"):
        here = [prompts.name for prompts in writer.manifest.of_kind("prompts")]
        counted = segment.meta.get("prompts", [])
        if segment.meta.get("version") == version and counted and here[: len(counted)] == counted:
            return segment
    return None


def _sort_prompts(writer: Writer, con: duckdb.DuckDBPyConnection, before: Segment | None) -> None:
    """Make the tables that say what is new, which texts are counted again, and which rows stay."""
    if before is None:
        con.execute("CREATE TEMP VIEW stale_prompts AS FROM base_prompts")
        con.execute("CREATE TEMP VIEW kept_text_stats AS FROM base_text_stats WHERE false")
        return
    added = writer.manifest.of_kind("prompts")[len(before.meta["prompts"]) :]
    paths = ", ".join(literal(str(writer.verified(segment.file("prompts.parquet")))) for segment in added)
    none = "FROM base_prompts WHERE false"
    con.execute(
        "CREATE TEMP TABLE added_prompts AS SELECT text_id, account_id "
        + (f"FROM read_parquet([{paths}])" if added else none)
    )
    con.execute("CREATE TEMP VIEW stale_prompts AS FROM base_prompts SEMI JOIN added_prompts USING (text_id)")
    con.execute("CREATE TEMP VIEW kept_text_stats AS FROM base_text_stats ANTI JOIN added_prompts USING (text_id)")


def _counts(writer: Writer, con: duckdb.DuckDBPyConnection, before: Segment | None) -> Counts:
    """Count the prompts and accounts of all texts, from the counts of the last build where there are any."""
    n_texts = sum(int(segment.meta["n_texts"]) for segment in writer.manifest.of_kind("prompts"))
    if before is None:
        return Counts.of_prompts(con, "base_prompts", n_texts=n_texts)
    con.execute(
        "CREATE TEMP TABLE numbers AS "
        "SELECT account_id, row_number() OVER (ORDER BY account_id) - 1 AS number FROM new_account_stats"
    )
    query = "SELECT number FROM base_account_stats JOIN numbers USING (account_id) ORDER BY account_id"
    renumbered = np.asarray(con.execute(query).fetchnumpy()["number"], dtype=np.int64)
    added = con.execute("SELECT text_id, number FROM added_prompts JOIN numbers USING (account_id)").fetchnumpy()
    texts, accounts = (np.asarray(added[name], dtype=np.int64) for name in ("text_id", "number"))
    return Counts.of_store(writer).extended(renumbered, texts, accounts, n_texts=n_texts)
