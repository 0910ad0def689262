"""The base tables of a store: which Parquet file of which segment kind holds them, with which columns.

The public views (docs/tables.md) are defined over these in `sql/views.sql`. A table whose stage has not run yet is
empty but has its columns, so a query written today works on every store.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A base table.

    Attributes:
        kind: segment kind whose segments hold its rows.
        columns: name -> DuckDB type of the columns every segment has.
        open_ended: segments may hold further columns (kept from the input); see `Segment.meta["columns"]`.
    """

    kind: str
    columns: dict[str, str]
    open_ended: bool = False


TABLES: dict[str, Table] = {
    "prompts": Table(
        "prompts",
        {
            "event_key": "UUID",
            "prompt_id": "VARCHAR",
            "text_id": "BIGINT",
            "account_id": "VARCHAR",
            "ts": "TIMESTAMP",
            "model": "VARCHAR",
            "session_id": "VARCHAR",
            "system_prompt": "VARCHAR",
            "source": "VARCHAR",
            "position": "BIGINT",
        },
        open_ended=True,
    ),
    "texts": Table("prompts", {"text_id": "BIGINT", "digest": "UUID", "text": "VARCHAR", "n_chars": "INTEGER"}),
    "entities": Table("prompts", {"account_id": "VARCHAR", "kind": "VARCHAR", "value": "VARCHAR"}),
    "accounts": Table(
        "accounts",
        {"account_id": "VARCHAR", "created_at": "TIMESTAMP", "loaded": "BIGINT"},
        open_ended=True,
    ),
    "account_entities": Table("accounts", {"account_id": "VARCHAR", "kind": "VARCHAR", "value": "VARCHAR"}),
    "cleans": Table("cleans", {"clean_id": "BIGINT", "digest": "UUID", "clean": "VARCHAR", "text_id": "BIGINT"}),
    "text_cleans": Table("cleans", {"text_id": "BIGINT", "clean_id": "BIGINT", "obfuscation": "DOUBLE"}),
    "clean_folds": Table("fingerprints", {"clean_id": "BIGINT", "folded": "DOUBLE", "decoded": "DOUBLE"}),
    "banks": Table("banks", {"bank_digest": "VARCHAR", "bank": "VARCHAR", "kind": "VARCHAR", "n_texts": "BIGINT"}),
    "bank_hits": Table("bank_hits", {"clean_id": "BIGINT", "bank_digest": "VARCHAR", "score": "DOUBLE"}),
    "chunks": Table("vectors", {"clean_id": "BIGINT", "chunk": "BIGINT", "start_char": "BIGINT", "end_char": "BIGINT"}),
    "edges": Table("edges", {"clean_a": "BIGINT", "clean_b": "BIGINT", "kind": "UTINYINT", "score": "FLOAT"}),
    "duplicate_members": Table("duplicates", {"clean_id": "BIGINT", "duplicate_id": "BIGINT", "score": "DOUBLE"}),
    "duplicate_groups": Table(
        "duplicates", {"duplicate_id": "BIGINT", "medoid_clean_id": "BIGINT", "worst_score": "DOUBLE"}
    ),
    "template_forms": Table(
        "templates", {"template_id": "VARCHAR", "template": "VARCHAR", "n_slots": "INTEGER", "compression": "DOUBLE"}
    ),
    "template_members": Table("templates", {"clean_id": "BIGINT", "template_id": "VARCHAR"}),
    "template_parents": Table("nesting", {"template_id": "VARCHAR", "parent_id": "VARCHAR"}),
    "template_ancestors": Table("nesting", {"template_id": "VARCHAR", "ancestor_id": "VARCHAR"}),
    "template_probes": Table("probes", {"template_id": "VARCHAR", "probe_id": "VARCHAR"}),
    "frame_forms": Table(
        "nesting", {"template_id": "VARCHAR", "template": "VARCHAR", "n_slots": "INTEGER", "compression": "DOUBLE"}
    ),
    "frame_slots": Table(
        "nesting",
        {"template_id": "VARCHAR", "slot": "INTEGER", "type": "VARCHAR", "n_values": "BIGINT", "entropy": "DOUBLE"},
    ),
    "slot_types": Table("templates", {"template_id": "VARCHAR", "slot": "INTEGER", "type": "VARCHAR"}),
    "slot_fills": Table(
        "templates", {"template_id": "VARCHAR", "slot": "INTEGER", "clean_id": "BIGINT", "value": "VARCHAR"}
    ),
    "family_names": Table(
        "families",
        {
            "family_id": "VARCHAR",
            "label": "VARCHAR",
            "exemplar_text_id": "BIGINT",
            "reuse": "DOUBLE",
            "frame": "INTEGER",
            "kind": "VARCHAR",
        },
    ),
    "members": Table("families", {"clean_id": "BIGINT", "family_id": "VARCHAR", "probability": "DOUBLE"}),
    "family_nodes": Table(
        "families",
        {"node": "BIGINT", "parent": "BIGINT", "birth": "DOUBLE", "size": "BIGINT", "family_id": "VARCHAR"},
    ),
    "family_events": Table(
        "families",
        {
            "run_id": "VARCHAR",
            "ts": "TIMESTAMP",
            "family_id": "VARCHAR",
            "event": "VARCHAR",
            "other_family_id": "VARCHAR",
            "n_before": "BIGINT",
            "n_texts": "BIGINT",
            "n_shared": "BIGINT",
        },
    ),
    "capabilities": Table(
        "capabilities", {"family_id": "VARCHAR", "capability": "VARCHAR", "percentile": "DOUBLE", "rank": "INTEGER"}
    ),
    "text_stats": Table(
        "stats",
        {
            "text_id": "BIGINT",
            "n_prompts": "BIGINT",
            "n_accounts": "BIGINT",
            "first_ts": "TIMESTAMP",
            "last_ts": "TIMESTAMP",
            "prompt_id": "VARCHAR",
            "account_id": "VARCHAR",
        },
    ),
    "account_stats": Table(
        "stats",
        {"account_id": "VARCHAR", "n_prompts": "BIGINT", "first_ts": "TIMESTAMP", "last_ts": "TIMESTAMP"},
    ),
    "family_stats": Table(
        "stats",
        {
            "family_id": "VARCHAR",
            "n_templates": "BIGINT",
            "n_texts": "BIGINT",
            "n_prompts": "BIGINT",
            "n_accounts": "BIGINT",
            "effective_accounts": "DOUBLE",
            "first_ts": "TIMESTAMP",
            "last_ts": "TIMESTAMP",
            "score": "DOUBLE",
        },
    ),
    "family_accounts": Table(
        "stats",
        {
            "family_id": "VARCHAR",
            "account_id": "VARCHAR",
            "n_prompts": "BIGINT",
            "share": "DOUBLE",
            "family_share": "DOUBLE",
            "first_ts": "TIMESTAMP",
            "last_ts": "TIMESTAMP",
        },
    ),
    "family_days": Table(
        "stats", {"family_id": "VARCHAR", "day": "DATE", "n_prompts": "BIGINT", "n_accounts": "BIGINT"}
    ),
    "family_evidence": Table(
        "evidence",
        {
            "family_id": "VARCHAR",
            "kind": "VARCHAR",
            "against": "BOOLEAN",
            "sufficient": "BOOLEAN",
            "value": "DOUBLE",
            "expected": "DOUBLE",
            "n": "BIGINT",
            "log10_e": "DOUBLE",
            "sentence": "VARCHAR",
        },
    ),
    "family_axes": Table(
        "evidence",
        {
            "family_id": "VARCHAR",
            "transfer": "DOUBLE",
            "actors": "DOUBLE",
            "actors_together": "DOUBLE",
            "n_together": "BIGINT",
            "n_actors": "DOUBLE",
            "threshold": "DOUBLE",
            "alpha": "DOUBLE",
            "peak": "DOUBLE",
            "looks": "BIGINT",
            "n_prompts": "BIGINT",
            "passed": "BOOLEAN",
        },
    ),
    "spoken_languages": Table(
        "evidence",
        {
            "account_id": "VARCHAR",
            "n_prompts": "BIGINT",
            "n_languages": "BIGINT",
            "home": "VARCHAR",
            "n_texts": "BIGINT",
            "rule": "BIGINT",
        },
    ),
    "campaigns": Table(
        "campaigns",
        {
            "campaign_id": "VARCHAR",
            "score": "DOUBLE",
            "n_accounts": "BIGINT",
            "n_families": "BIGINT",
            "n_prompts": "BIGINT",
            "first_ts": "TIMESTAMP",
            "last_ts": "TIMESTAMP",
            "evidence": "JSON",
            "counter_evidence": "JSON",
            "label": "VARCHAR",
            "capability": "VARCHAR",
            "severity": "VARCHAR",
        },
    ),
    "campaign_accounts": Table(
        "campaigns",
        {
            "campaign_id": "VARCHAR",
            "account_id": "VARCHAR",
            "score": "DOUBLE",
            "reasons": "VARCHAR[]",
            "n_prompts": "BIGINT",
            "share": "DOUBLE",
            "first_ts": "TIMESTAMP",
            "last_ts": "TIMESTAMP",
        },
    ),
    "campaign_families": Table(
        "campaigns",
        {
            "campaign_id": "VARCHAR",
            "family_id": "VARCHAR",
            "n_prompts": "BIGINT",
            "n_accounts": "BIGINT",
            "score": "DOUBLE",
            "reason": "VARCHAR",
        },
    ),
    "campaign_merges": Table("campaigns", {"campaign_id": "VARCHAR", "into_id": "VARCHAR"}),
    "campaign_entities": Table(
        "campaigns",
        {
            "campaign_id": "VARCHAR",
            "kind": "VARCHAR",
            "value": "VARCHAR",
            "n_accounts": "BIGINT",
            "n_others": "BIGINT",
            "weight": "DOUBLE",
        },
    ),
    "campaign_days": Table(
        "campaigns", {"campaign_id": "VARCHAR", "day": "DATE", "n_prompts": "BIGINT", "n_accounts": "BIGINT"}
    ),
    "alerts": Table(
        "alerts",
        {
            "alert_id": "VARCHAR",
            "fired_at": "TIMESTAMP",
            "campaign_id": "VARCHAR",
            "family_id": "VARCHAR",
            "kind": "VARCHAR",
            "score": "DOUBLE",
            "message": "VARCHAR",
            "severity": "VARCHAR",
            "n_accounts": "BIGINT",
            "n_prompts": "BIGINT",
        },
    ),
    "alert_campaigns": Table("alerts", {"alert_id": "VARCHAR", "campaign_id": "VARCHAR"}),
    "alert_growth": Table(
        "alerts",
        {
            "alert_id": "VARCHAR",
            "ts": "TIMESTAMP",
            "n_accounts": "BIGINT",
            "n_prompts": "BIGINT",
            "n_families": "BIGINT",
        },
    ),
    "quarantine": Table(
        "quarantine",
        {"source": "VARCHAR", "position": "VARCHAR", "reason": "VARCHAR", "sample": "VARCHAR", "row_key": "UUID"},
    ),
}
