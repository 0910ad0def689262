"""accounts: who sent what. Joins of prompts, texts and families with accounts and time, and the families' ranking."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from promptscan.counts import Counts
from promptscan.sql import LOOKUP_GROUP, copy_parquet, one, script, statements
from promptscan.store import Writer

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
    key = hashlib.sha256("|".join(["stats 2", script("stats"), *names]).encode()).hexdigest()
    current = writer.manifest.of_kind("stats")
    if current and current[0].name == f"stats-{key[:24]}":
        return None
    writer.drop("stats")
    known = writer.find("stats", key)
    if known:
        writer.adopt(known)
        return AccountsStage(**known.meta)
    meta: dict[str, int] = {}
    with writer.segment("stats", key=key, meta=meta) as directory, writer.connect() as con:
        for statement in statements(script("stats")):
            con.execute(statement)
        for table, order in ORDER.items():
            copy_parquet(con, f"FROM new_{table} ORDER BY {order}", directory / f"{table}.parquet", group=LOOKUP_GROUP)
        n_texts = sum(int(segment.meta["n_texts"]) for segment in writer.manifest.of_kind("prompts"))
        Counts.of_prompts(con, "base_prompts", n_texts=n_texts).save(directory)
        counts = "SELECT (SELECT count(*) FROM new_account_stats), (SELECT count(*) FROM new_family_accounts)"
        meta["accounts"], meta["pairs"] = one(con, counts)
    return AccountsStage(**meta)
