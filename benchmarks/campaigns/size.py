"""Evidence, campaigns and alerts at size: a store whose families are made up, so that only these stages need to run.

    python -m benchmarks.campaigns.size [--prompts 1000000] [--accounts 10000] [--families 6000] [--work DIR]

A fifth of the prompts lie in families that people share by chance, all worded enough to be looked at; a twentieth come from five
operations whose accounts share thirty templates each, with slots that are swept, and signed up in three days of their own. Every
text is its own, and has two slots filled. An operation is found by a campaign that is hardly anything else.
"""

from __future__ import annotations

import argparse
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.contest import peak_bytes
from promptscan.accounts import join_accounts
from promptscan.api import Store, writing
from promptscan.build import Run, commit
from promptscan.build.campaigning import find_all_campaigns
from promptscan.build.weighing import evidence_key, keep_evidence, weigh_evidence
from promptscan.config import Configured
from promptscan.sql import copy_parquet, one
from promptscan.store.tables import TABLES

OPERATIONS, TEMPLATES = 5, 30
DAYS = 45


@dataclass(frozen=True, slots=True)
class Size:
    """How large the store is: prompts, accounts, families."""

    prompts: int
    accounts: int
    families: int


# `i` numbers prompts, `d(i, k)` is a die in 0..1 for each; a tenth of the accounts belong to operations
MADE = """
CREATE MACRO d(i, k) AS (hash(i * 31 + k) % 1000003) / 1000003.0;
CREATE TABLE sizes AS SELECT {prompts} AS prompts, {accounts} AS accounts, {families} AS families;
CREATE TABLE log AS
SELECT
  i, TIMESTAMP '2026-01-05' + to_microseconds((i * {days} * 86400000000 / prompts)::BIGINT) AS ts,
  CASE
    WHEN kind = 'operation' THEN operation * people + floor(d(i, 3) * people)
    ELSE accounts / 10 + floor(d(i, 4) * d(i, 5) * accounts * 0.9)
  END::BIGINT AS account,
  CASE
    WHEN kind = 'operation' THEN operation * {templates} + floor(d(i, 6) * {templates})
    WHEN kind = 'shared' THEN {operations} * {templates} + floor(pow(d(i, 7), 2) * (families - {operations} * {templates}))
  END::BIGINT AS family
FROM (
  SELECT i, sizes.*, accounts // 10 // {operations} AS people, floor(d(i, 2) * {operations}) AS operation,
    CASE WHEN d(i, 1) < 0.05 THEN 'operation' WHEN d(i, 1) < 0.25 THEN 'shared' END AS kind
  FROM range({prompts}) r(i), sizes
);
CREATE VIEW named AS
SELECT *, 'a' || lpad(account::VARCHAR, 7, '0') AS account_id, 'F-' || (family + 1) AS family_id, 'T-' || (family + 1) AS template_id FROM log;
"""
TABLE_ROWS = {  # table -> its rows; columns that are not named are NULL
    "prompts": (
        "SELECT md5(i::VARCHAR)::UUID AS event_key, 'p' || i AS prompt_id, i AS text_id, account_id, ts, 'm-1' AS model, "
        "'made up' AS source, i AS position FROM named ORDER BY i"
    ),
    "texts": "SELECT i AS text_id, md5(i::VARCHAR)::UUID AS digest, 'text ' || i AS text, 12 AS n_chars FROM log ORDER BY i",
    "cleans": "SELECT i AS clean_id, md5(i::VARCHAR)::UUID AS digest, 'text ' || i AS clean, i AS text_id FROM log ORDER BY i",
    "text_cleans": "SELECT i AS text_id, i AS clean_id, 0.0 AS obfuscation FROM log ORDER BY i",
    "template_forms": (
        "SELECT DISTINCT template_id, 'About {slot_1:name} and {slot_2:number}, family ' || family AS template, 2 AS n_slots, "
        "0.8 AS compression FROM named WHERE family IS NOT NULL ORDER BY ALL"
    ),
    "template_members": "SELECT i AS clean_id, template_id FROM named WHERE family IS NOT NULL ORDER BY i",
    "slot_types": (
        "SELECT DISTINCT template_id, slot::INTEGER AS slot, ['name', 'number'][slot] AS type "
        "FROM named, range(1, 3) s(slot) WHERE family IS NOT NULL ORDER BY ALL"
    ),
    "slot_fills": (
        "SELECT template_id, slot::INTEGER AS slot, i AS clean_id, 'v' || CASE WHEN slot = 1 AND family < {operations} * {templates} "
        "THEN i ELSE hash(i * 7 + slot) % 200 END AS value FROM named, range(1, 3) s(slot) WHERE family IS NOT NULL ORDER BY ALL"
    ),
    "family_names": (
        "SELECT family_id, 'family ' || family AS label, min(i) AS exemplar_text_id, 0.8 AS reuse, 30 AS frame, 'template' AS kind "
        "FROM named WHERE family IS NOT NULL GROUP BY family_id, family ORDER BY family"
    ),
    "members": "SELECT i AS clean_id, family_id, 1.0 AS probability FROM named WHERE family IS NOT NULL ORDER BY i",
    "accounts": (
        "SELECT 'a' || lpad(a::VARCHAR, 7, '0') AS account_id, TIMESTAMP '2026-01-04' - to_hours((CASE WHEN a < accounts // 10 "
        "THEN a // (accounts // 10 // {operations}) * 240 + d(a, 8) * 72 ELSE d(a, 8) * 9000 END)::BIGINT) AS created_at, "
        "0 AS loaded FROM range({accounts}) r(a), sizes ORDER BY a"
    ),
    "account_entities": (
        "SELECT 'a' || lpad(a::VARCHAR, 7, '0') AS account_id, kind, kind || '-' || CASE kind WHEN 'asn' THEN hash(a * 3) % 60 "
        "WHEN 'email_domain' THEN hash(a * 5) % 3 WHEN 'country' THEN hash(a * 7) % 40 WHEN 'ip' THEN hash(a * 9) % (2 * accounts) "
        "ELSE a - a % (1 + (hash(a) % 50 = 0)::INTEGER) END AS value FROM range({accounts}) r(a), sizes, "
        "(SELECT unnest(['asn', 'email_domain', 'country', 'ip', 'payment_id']) AS kind) ORDER BY ALL"
    ),
}


def main() -> None:
    """Make the store, run the stages, store, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--families", type=int, default=6_000)
    parser.add_argument("--work", type=Path, default=Path("benchmarks/work/campaigns"))
    options = parser.parse_args()
    result = measure(Size(options.prompts, options.accounts, options.families), options.work / "size")
    results = machine.load("campaigns")
    results["size"] = result
    machine.store("campaigns", results)
    print(result)


def measure(size: Size, store: Path) -> dict[str, Any]:
    """Make a store of a size and time the stages over it; joins of prompts and accounts are made before, and not counted."""
    shutil.rmtree(store, ignore_errors=True)
    settings = Configured.load({"store": store}).settings
    facts, run, seconds = machine.facts(), Run.start("size"), {}
    with writing(settings) as writer:
        make(writer, size)
        join_accounts(writer)
        before = peak_bytes()
        none: frozenset[str] = frozenset()
        with writer.connect() as con:
            begin = time.perf_counter()
            key = evidence_key(writer, settings, none)
            weighing = weigh_evidence(writer, con, settings, none, key)
            seconds["evidence"] = time.perf_counter() - begin
            begin = time.perf_counter()
            _, weighing = find_all_campaigns(writer, con, weighing, none, ())
            keep_evidence(writer, con, weighing, key)
            seconds["campaigns and alerts"] = time.perf_counter() - begin
        peak = peak_bytes()
        commit(writer, settings, run)
    with Store(store, settings) as opened, opened.connect() as con:
        pairs, families = one(con, "SELECT count(*), count(DISTINCT family_id) FROM family_accounts")
        alerts = one(con, "SELECT count(*) FROM alerts")[0]
        found = one(
            con,
            "SELECT count(DISTINCT operation) FROM (SELECT account_id[2:]::BIGINT // ? AS operation, count(*) AS n, "
            "sum(n) OVER (PARTITION BY campaign_id) AS of_all FROM campaign_accounts GROUP BY campaign_id, operation) "
            "WHERE operation < ? AND n >= ? AND n >= 0.95 * of_all",
            [people(size), OPERATIONS, 0.95 * people(size)],
        )[0]
    shutil.rmtree(store, ignore_errors=True)
    return {
        "prompts": size.prompts,
        "accounts": size.accounts,
        "families": families,
        "pairs": pairs,
        "campaigns": OPERATIONS,
        "alerts": alerts,
        "found": found,
        "seconds": seconds,
        "peak_rss_bytes": peak,
        "rss_before_bytes": before,
        "machine": facts,
        "code": machine.code(),
    }


def people(size: Size) -> int:
    """Return the accounts of one operation."""
    return size.accounts // 10 // OPERATIONS


def make(writer: Any, size: Size) -> None:
    """Write the segments of a made-up store."""
    values = {
        "prompts": size.prompts, "accounts": size.accounts, "families": size.families,
        "days": DAYS, "operations": OPERATIONS, "templates": TEMPLATES,
    }  # fmt: skip
    n = size.prompts
    metas: dict[str, dict[str, Any]] = {
        "prompts": {"n_prompts": n, "n_texts": n, "first_text": 0, "ledger": []},
        "cleans": {"n_cleans": n},
        "templates": {"key": "", "rate": 0.0},
        "families": {"key": "", "families": size.families},
        "accounts": {"rows": size.accounts, "ledger": []},
    }
    with writer.connect() as con:
        con.execute(filled(MADE, values))
        for kind, meta in metas.items():
            with writer.segment(kind, key="5" * 24, meta=meta) as directory:
                for name, rows in TABLE_ROWS.items():
                    if TABLES[name].kind == kind:
                        con.execute(f"CREATE OR REPLACE TEMP VIEW wanted AS {filled(rows, values)}")
                        given = {row[0] for row in con.execute("DESCRIBE wanted").fetchall()}
                        columns = ", ".join(
                            f"CAST({column if column in given else 'NULL'} AS {type_}) AS {column}"
                            for column, type_ in TABLES[name].columns.items()
                        )
                        copy_parquet(con, f"SELECT {columns} FROM wanted", directory / f"{name}.parquet")


def filled(text: str, values: dict[str, int]) -> str:
    """Put numbers into the placeholders of a statement; other braces stay."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


if __name__ == "__main__":
    main()
