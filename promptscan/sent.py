"""How often, by how many accounts, and when last clean texts were sent; texts that nobody sent since keep what was counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from promptscan.sql import literal
from promptscan.store import Segment, Writer

ARRAYS = ("sent_prompts", "sent_accounts", "sent_last")
COUNTED = ("prompts", "cleans")  # segment kinds that are counted

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sent:
    """Counts of n clean texts.

    Attributes:
        prompts: int64 (n,), how often each was sent.
        accounts: int64 (n,), by how many accounts.
        last: datetime64[us] (n,), when last; NaT where no time is known.
    """

    prompts: Int64
    accounts: Int64
    last: NDArray[np.datetime64]

    def save(self, directory: Path) -> None:
        """Write the arrays."""
        for name, array in zip(ARRAYS, (self.prompts, self.accounts, self.last.astype(np.int64)), strict=True):
            np.save(directory / f"{name}.npy", array, allow_pickle=False)


def counted(writer: Writer) -> dict[str, list[str]]:
    """Return the names of the segments that counts of the draft are of, for the meta of what keeps them."""
    return {kind: [segment.name for segment in writer.manifest.of_kind(kind)] for kind in COUNTED}


def count_sent(writer: Writer, con: duckdb.DuckDBPyConnection, n: int) -> Sent:
    """Count the prompts of n clean texts, starting from what the last families were made with."""
    for segment in writer.manifest.of_kind("families"):
        known = segment.meta.get("counted")
        if known and all(counted(writer)[kind][: len(known[kind])] == known[kind] for kind in COUNTED):
            return _recounted(writer, con, segment, n)
    return _filled(_none(n), con, "base_text_cleans")


def _recounted(writer: Writer, con: duckdb.DuckDBPyConnection, before: Segment, n: int) -> Sent:
    """Count those texts again that were sent since."""
    paths = [before.file(f"{name}.npy") for name in ARRAYS]
    prompts, accounts, last = (np.load(writer.verified(path), allow_pickle=False) for path in paths)
    sent = _none(n)
    sent.prompts[: len(prompts)], sent.accounts[: len(accounts)] = prompts, accounts
    sent.last[: len(last)] = last.view("datetime64[us]")
    added = writer.manifest.of_kind("prompts")[len(before.meta["counted"]["prompts"]) :]
    if not added:
        return sent
    files = ", ".join(literal(str(writer.verified(segment.file("prompts.parquet")))) for segment in added)
    query = (
        "SELECT text_id, clean_id FROM base_text_cleans SEMI JOIN (SELECT clean_id FROM base_text_cleans "
        f"SEMI JOIN read_parquet([{files}]) USING (text_id)) USING (clean_id)"
    )
    con.execute(f"CREATE TEMP TABLE sent_texts AS {query}")
    return _filled(sent, con, "sent_texts")


def _filled(sent: Sent, con: duckdb.DuckDBPyConnection, texts: str) -> Sent:
    """Fill in the counts of a relation of texts and their clean texts, which has all texts of these."""
    rows: dict[str, Any] = con.execute(
        "SELECT clean_id, count(*) AS n_prompts, count(DISTINCT account_id) AS n_accounts, max(ts) AS last_ts "
        f"FROM base_prompts JOIN {texts} USING (text_id) GROUP BY clean_id"
    ).fetchnumpy()
    cleans = np.asarray(rows["clean_id"], dtype=np.int64)
    sent.prompts[cleans], sent.accounts[cleans] = rows["n_prompts"], rows["n_accounts"]
    sent.last[cleans] = np.ma.filled(np.ma.asarray(rows["last_ts"]), np.datetime64("NaT")).astype("datetime64[us]")
    return sent


def _none(n: int) -> Sent:
    nothing = np.zeros(n, dtype=np.int64)
    return Sent(nothing, nothing.copy(), np.full(n, np.datetime64("NaT"), "datetime64[us]"))
