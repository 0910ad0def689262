"""Campaigns, alerts and evidence planted in a built store, as the stages that find them would leave them.

    C-1 (high, A-1)      the family with most prompts and the one with fewest, and their accounts
    C-2 (critical, A-2)  the second family and its accounts

The accounts of C-1 that are in both of its families have score .95, those in the first .9, the others .4; all of C-2's have .8.
In each a payment id, and a reason of every account, is hostile text.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb

from promptscan.build import Run, commit
from promptscan.config import Settings
from promptscan.sql import copy_parquet, literal
from promptscan.store import Writer, open_writer

HOSTILE = "=HYPERLINK(1)\x1b[31m\u202e"
"""What an attacker may call an entity: a formula, a control sequence, a turn of direction."""

EVIDENCE = [
    {
        "kind": "evenness",
        "value": 0.94,
        "expected": 0.41,
        "n": 24,
        "log10_e": 6.2,
        "sufficient": True,
        "sentence": "24 accounts share the prompts evenly: 0.94 of the largest possible entropy, 0.41 is usual.",
    },
    {
        "kind": "shared_payment_id",
        "value": 12.0,
        "expected": 0.2,
        "n": 24,
        "log10_e": 3.1,
        "sufficient": True,
        "sentence": "12 of its 24 accounts pay with one payment id.",
    },
]
COUNTER = [
    {
        "kind": "bank",
        "value": 0.1,
        "expected": None,
        "n": 80,
        "log10_e": 0.0,
        "sufficient": True,
        "sentence": "A tenth of its texts is known to a benign bank.",
    }
]

SCRATCH = """
CREATE TEMP TABLE part AS
SELECT family_id, label, capability, place, CASE WHEN place = 2 THEN 'C-2' ELSE 'C-1' END AS campaign_id
FROM (SELECT *, row_number() OVER (ORDER BY n_prompts DESC, family_id) AS place FROM families)
QUALIFY place <= 2 OR place = max(place) OVER ();
CREATE TEMP TABLE sent AS
SELECT r.campaign_id, r.family_id, r.place, p.account_id, p.ts
FROM part r JOIN texts t USING (family_id) JOIN prompts p USING (text_id);
CREATE TEMP TABLE member AS
SELECT s.campaign_id, s.account_id, count(*) AS n_prompts, count(*) / any_value(a.n_prompts) AS share,
  min(s.ts) AS first_ts, max(s.ts) AS last_ts,
  CASE WHEN campaign_id = 'C-2' THEN .8 WHEN count(DISTINCT place) > 1 THEN .95 WHEN min(place) = 1 THEN .9 ELSE .4 END AS score
FROM sent s JOIN accounts a USING (account_id) GROUP BY s.campaign_id, s.account_id;
"""

TABLES = {
    "evidence": {
        "family_evidence": "SELECT r.family_id, e.kind, e.against, true AS sufficient, e.value, e.expected, 24::BIGINT AS n, "
        "e.log10_e, e.sentence FROM part r CROSS JOIN (VALUES ('evenness', false, .94, .41, 6.2, 'Evenly shared.'), "
        "('bank', true, .1, NULL, 0., 'Partly known to a benign bank.')) e(kind, against, value, expected, log10_e, sentence)",
        "family_axes": "SELECT family_id, .9 AS transfer, 6.2 AS actors, 6.2 AS actors_together, "
        "1::BIGINT AS n_together, 20. AS n_actors, 3. AS threshold, .01 AS alpha, 6.2 AS peak, 1::BIGINT AS looks, "
        "50::BIGINT AS n_prompts, true AS passed FROM part",
    },
    "campaigns": {
        "campaigns": "SELECT m.campaign_id, CASE m.campaign_id WHEN 'C-1' THEN 9.3 ELSE 6.1 END AS score, count(*) AS n_accounts, "
        "(SELECT count(*) FROM part r WHERE r.campaign_id = m.campaign_id) AS n_families, sum(m.n_prompts)::BIGINT AS n_prompts, "
        "min(m.first_ts) AS first_ts, max(m.last_ts) AS last_ts, $evidence::JSON AS evidence, $counter::JSON AS counter_evidence, "
        "(SELECT arg_min(label, place) FROM part r WHERE r.campaign_id = m.campaign_id) AS label, "
        "(SELECT arg_min(capability, place) FROM part r WHERE r.campaign_id = m.campaign_id) AS capability, "
        "CASE m.campaign_id WHEN 'C-1' THEN 'high' ELSE 'critical' END AS severity FROM member m GROUP BY m.campaign_id",
        "campaign_accounts": "SELECT campaign_id, account_id, score, ['shares ' || campaign_id || ' evenly', $hostile] AS reasons, "
        "n_prompts, share, first_ts, last_ts FROM member",
        "campaign_families": "SELECT campaign_id, family_id, count(*) AS n_prompts, count(DISTINCT account_id) AS n_accounts, "
        "6.2 AS score, 'shares accounts' AS reason FROM sent GROUP BY campaign_id, family_id",
        "campaign_entities": "SELECT m.campaign_id, e.kind, e.value, count(DISTINCT e.account_id) AS n_accounts, "
        "any_value(w.n) - count(DISTINCT e.account_id) AS n_others, log10((SELECT count(*) FROM accounts) / any_value(w.n)) AS weight "
        "FROM member m JOIN entities e USING (account_id) "
        "JOIN (SELECT kind, value, count(*) AS n FROM entities GROUP BY ALL) w USING (kind, value) "
        "GROUP BY m.campaign_id, e.kind, e.value HAVING count(DISTINCT e.account_id) > 1 "
        "UNION ALL SELECT campaign_id, 'payment_id', $hostile, count(*), 0, 2. FROM member GROUP BY campaign_id",
        "campaign_days": "SELECT campaign_id, ts::DATE AS day, count(*) AS n_prompts, count(DISTINCT account_id) AS n_accounts "
        "FROM sent GROUP BY ALL",
    },
    "alerts": {
        "alerts": "SELECT 'A-' || campaign_id[3:] AS alert_id, max(ts) AS fired_at, campaign_id, arg_min(family_id, place) AS family_id, "
        "'campaign' AS kind, 6.2 AS score, count(DISTINCT account_id) || ' accounts share a family evenly.' AS message, "
        "CASE campaign_id WHEN 'C-1' THEN 'high' ELSE 'critical' END AS severity, count(DISTINCT account_id) AS n_accounts, "
        "count(*) AS n_prompts FROM sent GROUP BY campaign_id",
        "alert_growth": "SELECT 'A-' || campaign_id[3:] AS alert_id, max(ts) AS ts, count(DISTINCT account_id) AS n_accounts, "
        "count(*) AS n_prompts, count(DISTINCT family_id) AS n_families FROM sent GROUP BY campaign_id",
    },
}
"""Segment kind -> table -> query over `part`, `sent` and `member`."""


def with_campaigns(store: Path) -> None:
    """Plant two campaigns, their alerts and evidence over the families of a built store, as a new generation."""
    with open_writer(store) as writer:
        with writer.connect() as con:
            con.execute(SCRATCH)
            if con.execute("SELECT count(*) FROM part").fetchone() != (3,):
                raise ValueError("wanted a store with three families or more")
            for kind, tables in TABLES.items():
                _plant(writer, con, kind, tables)
        commit(writer, Settings(store=store), Run.start("plant"))


def without_campaigns(store: Path) -> None:
    """Make a built store one in which nobody looked for campaigns yet."""
    with open_writer(store) as writer:
        for kind in TABLES:
            writer.drop(kind)
        commit(writer, Settings(store=store), Run.start("forget"))


def _plant(writer: Writer, con: duckdb.DuckDBPyConnection, kind: str, tables: dict[str, str]) -> None:
    key = hashlib.sha256("|".join([kind, *tables.values()]).encode()).hexdigest()
    writer.drop(kind)
    with writer.segment(kind, key=key, meta={"planted": True}) as directory:
        for name, query in tables.items():
            copy_parquet(con, f"{_filled(query)} ORDER BY ALL", directory / f"{name}.parquet")


def _filled(query: str) -> str:
    for place, value in (("$evidence", json.dumps(EVIDENCE)), ("$counter", json.dumps(COUNTER)), ("$hostile", HOSTILE)):
        query = query.replace(place, literal(value))
    return query
