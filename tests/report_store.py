"""An in-memory catalog with the views a report reads: empty, or filled with a small made-up log."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa

TABLES = """
CREATE TABLE prompts (prompt_id VARCHAR, text_id BIGINT, account_id VARCHAR, ts TIMESTAMP, model VARCHAR,
    session_id VARCHAR, source VARCHAR);
CREATE TABLE texts (text_id BIGINT, text VARCHAR, n_chars INT, n_prompts BIGINT, n_accounts BIGINT, first_ts TIMESTAMP,
    last_ts TIMESTAMP, obfuscation DOUBLE, duplicate_id BIGINT, template_id VARCHAR, family_id VARCHAR);
CREATE TABLE accounts (account_id VARCHAR, n_prompts BIGINT, first_ts TIMESTAMP, last_ts TIMESTAMP, created_at TIMESTAMP);
CREATE TABLE templates (template_id VARCHAR, template VARCHAR, n_slots INT, n_texts BIGINT, n_prompts BIGINT,
    n_accounts BIGINT, compression DOUBLE);
CREATE TABLE families (family_id VARCHAR, label VARCHAR, exemplar_text_id BIGINT, n_templates BIGINT, n_texts BIGINT,
    n_prompts BIGINT, n_accounts BIGINT, first_ts TIMESTAMP, last_ts TIMESTAMP, capability VARCHAR, score DOUBLE,
    percentile DOUBLE);
CREATE TABLE family_events (run_id VARCHAR, ts TIMESTAMP, family_id VARCHAR, event VARCHAR, other_family_id VARCHAR,
    n_before BIGINT, n_texts BIGINT, n_shared BIGINT);
CREATE TABLE family_banks (family_id VARCHAR, bank VARCHAR, kind VARCHAR, n_known BIGINT, share DOUBLE, best_score DOUBLE);
CREATE TABLE family_accounts (family_id VARCHAR, account_id VARCHAR, n_prompts BIGINT, share DOUBLE, first_ts TIMESTAMP,
    last_ts TIMESTAMP);
CREATE TABLE family_days (family_id VARCHAR, day DATE, n_prompts BIGINT, n_accounts BIGINT);
CREATE TABLE campaigns (campaign_id VARCHAR, score DOUBLE, n_accounts BIGINT, n_families BIGINT, n_prompts BIGINT,
    first_ts TIMESTAMP, last_ts TIMESTAMP, evidence JSON, counter_evidence JSON, label VARCHAR, capability VARCHAR, severity VARCHAR);
CREATE TABLE campaign_accounts (campaign_id VARCHAR, account_id VARCHAR, score DOUBLE, reasons VARCHAR[], n_prompts BIGINT,
    share DOUBLE, first_ts TIMESTAMP, last_ts TIMESTAMP);
CREATE TABLE campaign_families (campaign_id VARCHAR, family_id VARCHAR, n_prompts BIGINT, n_accounts BIGINT, score DOUBLE,
    reason VARCHAR);
CREATE TABLE campaign_entities (campaign_id VARCHAR, kind VARCHAR, value VARCHAR, n_accounts BIGINT, n_others BIGINT, weight DOUBLE);
CREATE TABLE campaign_days (campaign_id VARCHAR, day DATE, n_prompts BIGINT, n_accounts BIGINT);
CREATE TABLE alerts (alert_id VARCHAR, fired_at TIMESTAMP, campaign_id VARCHAR, family_id VARCHAR, kind VARCHAR,
    score DOUBLE, message VARCHAR, severity VARCHAR, n_accounts BIGINT, n_prompts BIGINT, campaign_now VARCHAR);
CREATE TABLE runs (run_id VARCHAR, started_at TIMESTAMP, finished_at TIMESTAMP, command VARCHAR, config JSON,
    versions JSON, n_prompts BIGINT, measured JSON);
CREATE TABLE quarantine (source VARCHAR, "position" VARCHAR, reason VARCHAR, sample VARCHAR);
"""
EVIDENCE = [
    {
        "kind": "partition",
        "family_id": "F-0001",
        "value": 0.02,
        "expected": 0.31,
        "n": 112,
        "log10_e": 7.9,
        "sufficient": True,
        "sentence": "Its 112 slot values are divided among the accounts.",
    },
    {
        "kind": "shared_asn",
        "family_id": None,
        "value": 12,
        "expected": 0.4,
        "n": 41,
        "log10_e": 2.2,
        "sufficient": True,
        "sentence": "12 of its 41 accounts come from one network.",
    },
    {
        "kind": "language",
        "family_id": None,
        "value": 1.0,
        "expected": 1.1,
        "n": 41,
        "log10_e": -0.2,
        "sufficient": True,
        "sentence": "Its accounts write in one language.",
    },
    {
        "kind": "creation",
        "family_id": None,
        "value": None,
        "expected": None,
        "n": 2,
        "log10_e": None,
        "sufficient": False,
        "sentence": "Only 2 of its accounts have a time of creation.",
    },
]
COUNTER_EVIDENCE = [
    {
        "kind": "diverse",
        "family_id": None,
        "value": 0.11,
        "expected": None,
        "n": 41,
        "log10_e": None,
        "sufficient": True,
        "sentence": "A tenth of what its accounts send is about other things.",
    }
]
START = datetime(2026, 1, 5)  # noqa: DTZ001 - the store's times have no zone
N_DAYS = 14
# label, capability, exemplar, template, accounts, prompts per account and day, first day
KINDS = [
    (
        "Exploit walk-through for a given CVE",
        "cybersecurity",
        (
            "You are a senior penetration tester. Write a working proof of concept for CVE-2024-21762 against a lab host.\n"
            "Explain each step before the code, list the preconditions, and end with a detection rule in Sigma."
        ),
        "You are a senior penetration tester. Write a working proof of concept for {slot_1:id} against a lab host.",
        41,
        3,
        2,
    ),
    (
        "Grade this answer against a rubric from 1 to 10",
        "rubric grading",
        (
            "Grade the following answer to the question on a scale from 1 to 10.\n\nQuestion: What is the derivative of x^x?"
            '\nAnswer: x^x (ln x + 1)\n\nReturn only JSON: {"score": n, "reasons": [...]}'
        ),
        "Grade the following answer … Question: {slot_1:free text} Answer: {slot_2:free text}",
        23,
        4,
        0,
    ),
    (
        "Разбери рассуждение по шагам и объясни каждый вывод",
        "reasoning-trace elicitation",
        "Разбери рассуждение по шагам. Перед каждым выводом запиши, что ты рассматривал и почему отбросил.",
        None,
        9,
        2,
        9,
    ),
    (None, None, "hi", None, 3, 1, 5),
]


def empty() -> duckdb.DuckDBPyConnection:
    """A catalog whose views hold nothing."""
    con = duckdb.connect()
    con.execute(TABLES)
    return con


def filled() -> duckdb.DuckDBPyConnection:
    """A catalog of two weeks with four families, a campaign, an alert and a quarantine."""
    con = empty()
    dice = random.Random(7)
    sent = []
    for number, (label, capability, exemplar, template, n_accounts, rate, first) in enumerate(KINDS, 1):
        family = f"F-{number:04}"
        con.execute(
            "INSERT INTO texts VALUES (?, ?, ?, 0, 0, NULL, NULL, 0, NULL, ?, ?)",
            [number, exemplar, len(exemplar), template and f"T-{number}", family],
        )
        if template:
            con.execute("INSERT INTO templates VALUES (?, ?, 1, 5, 5, 3, .8)", [f"T-{number}", template])
        con.execute(
            "INSERT INTO families SELECT ?, ?, ?, 1, 1, 0, 0, NULL, NULL, ?, ?, ?",
            [
                family,
                label,
                number,
                capability,
                None if label is None else 1 - number / 8,
                capability and 0.9978 - number / 100,
            ],
        )
        for day in range(first, N_DAYS):
            for account in range(n_accounts):
                for _ in range(dice.randint(0, 2 * rate)):
                    moment = START + timedelta(days=day, minutes=dice.randrange(1440))
                    sent.append((f"p{len(sent)}", number, f"acct_{number}{account:03}", moment))
    con.execute(
        "INSERT INTO texts VALUES (99, 'What is the capital of Mongolia?', 32, 0, 0, NULL, NULL, 0, NULL, NULL, NULL)"
    )
    sent += [
        (f"p{len(sent) + index}", 99, f"acct_{index % 300}", START + timedelta(minutes=index)) for index in range(4000)
    ]
    log = pa.table(dict(zip(("prompt_id", "text_id", "account_id", "ts"), zip(*sent, strict=True), strict=True)))
    con.register("log", log)
    con.execute("INSERT INTO prompts SELECT prompt_id, text_id, account_id, ts, 'model-1', NULL, 'log.jsonl' FROM log")
    con.unregister("log")
    con.execute("""
        UPDATE texts SET n_prompts = c.n, n_accounts = c.a
            FROM (SELECT text_id, count(*) AS n, count(DISTINCT account_id) AS a FROM prompts GROUP BY 1) AS c
            WHERE c.text_id = texts.text_id;
        INSERT INTO accounts SELECT account_id, count(*), min(ts), max(ts), NULL FROM prompts GROUP BY 1;
        CREATE VIEW sent AS SELECT family_id, account_id, ts FROM prompts JOIN texts USING (text_id) WHERE family_id IS NOT NULL;
        INSERT INTO family_accounts SELECT family_id, account_id, count(*), 0, min(ts), max(ts) FROM sent GROUP BY 1, 2;
        INSERT INTO family_days SELECT family_id, ts::DATE, count(*), count(DISTINCT account_id) FROM sent GROUP BY 1, 2;
        UPDATE families SET n_prompts = c.n, n_accounts = c.a, first_ts = c.f, last_ts = c.l
            FROM (SELECT family_id, count(*) AS n, count(DISTINCT account_id) AS a, min(ts) AS f, max(ts) AS l
                  FROM sent GROUP BY 1) AS c WHERE c.family_id = families.family_id;
        INSERT INTO family_events VALUES ('r2', '2026-01-14 03:00', 'F-0003', 'born', NULL, 0, 9, 0),
            ('r2', '2026-01-14 03:00', 'F-0001', 'grown', NULL, 20, 31, 20), ('r1', '2026-01-07 03:00', 'F-0001', 'born', NULL, 0, 20, 0),
            ('r2', '2026-01-14 03:00', 'F-0009', 'merged', 'F-0002', 14, 0, 12);
        INSERT INTO family_banks VALUES ('F-0001', 'internal red team', 'bad', 12, .387, 1), ('F-0001', 'public prompts', 'benign', 1, .032, .9),
            ('F-0002', 'public prompts', 'benign', 5, 1, 1);
        INSERT INTO quarantine VALUES ('logs/b.jsonl', '88', 'no text', '{"prompt": null}'), ('logs/a.jsonl', '7', 'no text', '{}'),
            ('logs/a.jsonl', '12', 'not UTF-8', '\\xff\\xfe');
        INSERT INTO campaign_accounts SELECT 'C-1', 'acct_1' || lpad(i::VARCHAR, 3, '0'), .9 - i / 50,
            ['shares F-0001 evenly', 'created in the same hour'], 20 + i, .5, '2026-01-07', '2026-01-18' FROM range(12) AS r(i);
        INSERT INTO campaign_families VALUES ('C-1', 'F-0001', 1200, 41, 6.4, 'passed both axes by itself');
        INSERT INTO campaign_entities VALUES ('C-1', 'asn', 'AS64500', 12, 3, 1.3), ('C-1', 'payment_id', 'pay_1', 7, 0, 2.1);
        INSERT INTO campaign_days SELECT 'C-1', day, n_prompts, n_accounts FROM family_days WHERE family_id = 'F-0001';
        INSERT INTO alerts VALUES ('A-1', '2026-01-09 04:00', 'C-1', 'F-0001', 'campaign', .93,
            '41 accounts share F-0001 evenly, slot values partitioned', 'high', 12, 80, 'C-1');
    """)
    con.execute(
        "INSERT INTO campaigns VALUES ('C-1', .93, 41, 1, 1200, '2026-01-07', '2026-01-18 23:00', ?, ?, "
        "'Exploit walk-through', 'cybersecurity', 'high')",
        [json.dumps(EVIDENCE), json.dumps(COUNTER_EVIDENCE)],
    )
    con.execute(
        "INSERT INTO runs VALUES ('r2', '2026-01-19 02:00', '2026-01-19 02:04', 'build', ?, ?, 9000, ?)",
        [
            json.dumps({"k": 16}),
            json.dumps({"encoder": "static-256"}),
            json.dumps({"recall_at_10": 0.981, "neighbours": {"intersection": 0.96}}),
        ],
    )
    return con
