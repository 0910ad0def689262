"""accounts: who sent what. Joins of prompts, texts and families with accounts and time, and the families' ranking.

Rows that nothing new concerns are kept: those of texts that nobody sent since the last build, and what families that no text
has left had by then, to which what is new is added. The result is that of counting everything.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from promptscan.counts import Counts
from promptscan.registry import family_name
from promptscan.sql import LOOKUP_GROUP, arrow, copy_parquet, literal, one, script, statements
from promptscan.store import Files, Segment, Writer

Int64 = NDArray[np.int64]
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
    version = hashlib.sha256("|".join(["stats 4", script("stats")]).encode()).hexdigest()
    key = hashlib.sha256("|".join([version, *names]).encode()).hexdigest()
    current = writer.manifest.of_kind("stats")
    if current and current[0].name == f"stats-{key[:24]}":
        return None
    known = writer.find("stats", key)
    if known:
        writer.drop("stats")
        writer.adopt(known)
        return AccountsStage(int(known.meta["accounts"]), int(known.meta["pairs"]))
    meta: dict[str, Any] = {"version": version, **{kind: _names(writer, kind) for kind in INPUTS}}
    before = _before(writer, version)
    with writer.segment("stats", key=key, meta=meta) as directory, writer.connect() as con:
        _sort_prompts(writer, con, before)
        for statement in statements(script("stats")):
            con.execute(statement)
        _save_text_stats(writer, con, before, directory)
        for table, order in ORDER.items():
            if table == "text_stats":
                continue
            copy_parquet(con, f"FROM new_{table} ORDER BY {order}", directory / f"{table}.parquet", group=LOOKUP_GROUP)
        _counts(writer, con, before).save(directory)
        counts = "SELECT (SELECT count(*) FROM new_account_stats), (SELECT count(*) FROM new_family_accounts)"
        meta["accounts"], meta["pairs"] = one(con, counts)
        writer.drop("stats")
    return AccountsStage(meta["accounts"], meta["pairs"])


def _names(writer: Writer, kind: str) -> list[str]:
    return [segment.name for segment in writer.manifest.of_kind(kind)]


def _since(writer: Writer, kind: str, before: Segment) -> tuple[Segment, ...] | None:
    """Return the segments of a kind that were added since; None if some are gone."""
    known = before.meta.get(kind, [])
    return writer.manifest.of_kind(kind)[len(known) :] if _names(writer, kind)[: len(known)] == known else None


def _before(writer: Writer, version: str) -> Segment | None:
    """Return the last build's joins, if all that they count is still here, and counted in the same way."""
    for segment in writer.manifest.of_kind("stats"):
        if segment.meta.get("version") != version or not segment.meta["prompts"] or writer.parent is None:
            continue
        families = [one.name for one in writer.parent.manifest.of_kind("families")]
        here = all(_since(writer, kind, segment) is not None for kind in ("prompts", "cleans"))
        if here and families == segment.meta["families"]:
            return segment
    return None


def _sort_prompts(writer: Writer, con: duckdb.DuckDBPyConnection, before: Segment | None) -> None:
    """Make the tables that say what is new, what is counted again, and which rows stay; `sql/stats.sql` says what is in each."""
    if before is None:
        con.execute("CREATE TEMP VIEW added_prompts AS FROM base_prompts")
        con.execute("CREATE TEMP VIEW stale_prompts AS FROM base_prompts")
        for table in ORDER:
            con.execute(f"CREATE TEMP VIEW kept_{table} AS FROM base_{table} WHERE false")
        con.execute("CREATE TEMP TABLE counted_cleans AS SELECT clean_id, family_id FROM base_members WHERE false")
        con.execute("CREATE TEMP VIEW concerned_families AS SELECT family_id FROM base_family_names")
        return
    added = _rows(writer, "prompts", before) or "base_prompts WHERE false"
    con.execute(f"CREATE TEMP TABLE added_prompts AS SELECT text_id, account_id, ts FROM {added}")
    con.execute("CREATE TEMP VIEW stale_prompts AS FROM base_prompts SEMI JOIN added_prompts USING (text_id)")
    con.execute("CREATE TEMP VIEW kept_text_stats AS FROM base_text_stats ANTI JOIN added_prompts USING (text_id)")
    con.execute("CREATE TEMP VIEW kept_account_stats AS FROM base_account_stats")
    joined, left = _moved(writer, before)
    con.register("joined", pa.table({"clean_id": joined}))
    con.register("left_families", pa.table({"family_id": pa.array(left, pa.string())}))
    con.execute(
        "CREATE TEMP TABLE counted_cleans AS SELECT clean_id, family_id FROM base_members SEMI JOIN joined USING (clean_id) "
        "UNION SELECT clean_id, family_id FROM base_members SEMI JOIN left_families USING (family_id)"
    )
    for table in ("family_accounts", "family_days", "family_stats"):
        con.execute(f"CREATE TEMP VIEW kept_{table} AS FROM base_{table} ANTI JOIN left_families USING (family_id)")
    templated = _rows(writer, "templates", before, "template_members")
    con.execute(
        "CREATE TEMP TABLE concerned_families AS SELECT family_id FROM left_families "
        "UNION SELECT family_id FROM counted_cleans "
        "UNION SELECT family_id FROM base_members SEMI JOIN "
        "(SELECT clean_id FROM base_text_cleans SEMI JOIN added_prompts USING (text_id)) USING (clean_id) "
        + (
            f"UNION SELECT family_id FROM base_members SEMI JOIN (FROM {templated}) USING (clean_id)"
            if templated
            else ""
        )
        + ("UNION SELECT family_id FROM base_family_names" if templated is None else "")
    )


def _rows(writer: Writer, kind: str, before: Segment, table: str = "") -> str | None:
    """Write what reads a table's files that were added since, empty when there are none; None if some of then are gone."""
    added = _since(writer, kind, before)
    if not added:
        return None if added is None else ""
    paths = ", ".join(literal(str(writer.verified(segment.file(f"{table or kind}.parquet")))) for segment in added)
    return f"read_parquet([{paths}])"


def _moved(writer: Writer, before: Segment) -> tuple[Int64, list[str]]:
    """Compare the families with those that the last build's joins are of.

    Returns:
        Clean ids of then that are in another family by now, int64 (m,), and the families that texts have left.
    """
    n = sum(
        int(segment.meta["n_cleans"]) for segment in writer.manifest.of_kind("cleans")[: len(before.meta["cleans"])]
    )
    was, now = (_families(files, n) for files in (writer.parent, writer))
    other = was != now
    left = np.unique(was[other & (was >= 0)])
    return np.flatnonzero(other & (now >= 0)), [family_name(number) for number in left.tolist()]


def _families(files: Files | None, n: int) -> Int64:
    """Return the number of the family of each of the first n clean texts, int64 (n,), -1 for none."""
    numbers = np.full(n, -1, dtype=np.int64)
    if files is None:
        return numbers
    for segment in files.manifest.of_kind("families"):
        known = np.load(files.verified(segment.file("numbers.npy")), allow_pickle=False)[:n]
        numbers[: len(known)] = known
    return numbers


def _save_text_stats(writer: Writer, con: duckdb.DuckDBPyConnection, before: Segment | None, directory: Path) -> None:
    """Write the rows of all texts by their ids: those that were counted, and the others as they were."""
    counted = arrow(con, "FROM new_text_stats")
    table = pa.table({name: counted[name] for name in counted.column_names})
    if before is not None:
        kept = pq.read_table(writer.verified(before.file("text_stats.parquet")))
        again = np.isin(kept["text_id"].to_numpy(), counted["text_id"].to_numpy())
        table = pa.concat_tables([kept.filter(pa.array(~again)).cast(table.schema), table])
    table = table.take(pa.array(np.argsort(table["text_id"].to_numpy(), kind="stable")))
    pq.write_table(
        table,
        directory / "text_stats.parquet",
        row_group_size=LOOKUP_GROUP,
        compression="zstd",
        use_dictionary=False,  # hardly any value comes twice in a group
        write_statistics=["text_id"],
    )


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
