"""The accounts file: what is known of an account beside its prompts; the latest file wins."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import duckdb

from promptscan.errors import BadDataError
from promptscan.ingest.batch import LedgerEntry
from promptscan.ingest.fields import ACCOUNT_FIELDS, as_kept, as_time, as_varchar, choose, kept, parse_mapping
from promptscan.ingest.load import ledger
from promptscan.ingest.readers import UnreadableError, read
from promptscan.ingest.sources import Source, expand
from promptscan.ingest.stage import entity_columns
from promptscan.sql import copy_parquet, literal, one, quote
from promptscan.store import Writer, sha256_of


@dataclass(frozen=True, slots=True)
class AccountsReport:
    """What an accounts file held: rows kept, rows without a usable id, and whether it was read before."""

    name: str
    rows: int = 0
    bad: int = 0
    known: bool = False


def ingest_accounts(
    writer: Writer,
    path: str,
    *,
    mapping: Sequence[str] = (),
    created: tuple[datetime | None, datetime] | None = None,
) -> AccountsReport:
    """Add an accounts file to a draft generation.

    Args:
        writer: the store's writer.
        path: Parquet, JSONL or CSV with one account a row.
        mapping: `account_id=column` or `created_at=column`.
        created: only accounts created from the first time on and before the second; those of unknown age too when the first
            is None, the beginning.

    Raises:
        BadDataError: it can't be read, or has no account id column.
        UsageError: it does not exist.
    """
    fields = parse_mapping(mapping, ACCOUNT_FIELDS)
    source = expand([path], writer.work / "spool")[0]
    try:
        digest, size = sha256_of(source.path), source.path.stat().st_size
    except OSError as error:
        raise BadDataError(f"accounts file {path} can't be read ({error.strerror})") from None
    if created is not None:
        digest = hashlib.sha256(f"{digest}{created[0]}{created[1]}".encode()).hexdigest()
    if any(entry.sha256 == digest for entry in ledger(writer, "accounts")):
        return AccountsReport(source.name, known=True)
    number = len(writer.manifest.of_kind("accounts"))
    with writer.connect() as con:
        try:
            columns, rows = _read_rows(con, source, path, fields, number)
        except UnreadableError as error:
            raise BadDataError(f"accounts file {path} can't be read: {error}") from None
        total, good = one(
            con,
            "SELECT count(*), count(*) FILTER (account_id <> '' AND NOT contains(account_id, chr(0))) FROM account_rows",
        )
        con.execute(
            "DELETE FROM account_rows WHERE account_id IS NULL OR account_id = '' OR contains(account_id, chr(0))"
        )
        if created is not None:
            begin, end = created
            con.execute("DELETE FROM account_rows WHERE created_at >= ?", [end])
            if begin is not None:
                con.execute("DELETE FROM account_rows WHERE created_at IS NULL OR created_at < ?", [begin])
            good = int(one(con, "SELECT count(*) FROM account_rows")[0])
            if not good:
                return AccountsReport(source.name)
        entry = LedgerEntry(source.name, size, digest, 0, "", digest[:32], rows + total, rows + total - good)
        meta = {"columns": {"accounts": columns}, "ledger": [asdict(entry)], "rows": good}
        with writer.segment(
            "accounts", key=hashlib.sha256(f"{number}{digest}".encode()).hexdigest(), meta=meta
        ) as directory:
            order = (
                "SELECT * FROM account_rows QUALIFY row_number() OVER (PARTITION BY account_id) = 1 ORDER BY account_id"
            )
            copy_parquet(con, order, directory / "accounts.parquet")
            pairs = " UNION ".join(
                f"SELECT account_id, {literal(kind)} AS kind, {quote(kind)}::VARCHAR AS value FROM account_rows "
                f"WHERE {quote(kind)} IS NOT NULL"
                for kind in entity_columns(columns)
            )
            if pairs:
                copy_parquet(con, f"SELECT * FROM ({pairs}) ORDER BY ALL", directory / "account_entities.parquet")
    return AccountsReport(source.name, int(good), rows + total - good)


def _read_rows(
    con: duckdb.DuckDBPyConnection, source: Source, path: str, fields: dict[str, str], number: int
) -> tuple[dict[str, str], int]:
    """Read an accounts file into the table `account_rows`; returns its kept columns and how many rows became none."""
    con.execute("CREATE TEMP TABLE account_rows (account_id VARCHAR, created_at TIMESTAMP, loaded BIGINT)")
    columns: dict[str, str] = {}
    rows = 0
    for block in read(con, source):
        rows += len(block.rejected)
        if not block.columns:
            continue
        chosen = choose(block.columns, ACCOUNT_FIELDS, fields)
        if not chosen["account_id"]:
            raise BadDataError(
                f"accounts file {path} has no account id; wanted one of {', '.join(ACCOUNT_FIELDS['account_id'])}, "
                "or --map account_id=COLUMN"
            )
        used = {found[0].name for found in chosen.values() if found}
        names, _ = kept(block.columns, used)
        created = as_time(chosen["created_at"][0]) if chosen["created_at"] else "NULL::TIMESTAMP"
        select = [f"{as_varchar(chosen['account_id'][0])} AS account_id", f"{created} AS created_at"]
        select.append(f"{number}::BIGINT AS loaded")
        for name, column in names.items():
            sql, type_ = as_kept(column)
            if name not in columns:
                columns[name] = type_
                con.execute(f"ALTER TABLE account_rows ADD COLUMN {quote(name)} {type_}")
            select.append(f"TRY_CAST({sql} AS {columns[name]}) AS {quote(name)}")
        con.execute(f"INSERT INTO account_rows BY NAME SELECT {', '.join(select)} FROM {block.relation}")
    return columns, rows
