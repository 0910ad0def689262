"""Everything that can be told about one thing, by its kind; the statements are `sql/show/<kind>_<name>.sql`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptscan.sql import first
from promptscan.views.compared import compared
from promptscan.views.evidence import against_account, campaign_evidence
from promptscan.views.section import Aspect, Section, asked

if TYPE_CHECKING:
    import duckdb

_OF_CAMPAIGN = (
    Aspect("evidence", "What speaks for it", read=campaign_evidence("evidence")),
    Aspect("counter_evidence", "What speaks against it", read=campaign_evidence("counter_evidence")),
    Aspect("days", "Accounts and prompts per day"),
    Aspect("families", "Families, most prompts first"),
    Aspect("texts", "Prompts that show it"),
    Aspect("entities", "Shared by its accounts"),
    Aspect("accounts", "Accounts, surest first"),
)

ASPECTS: dict[str, tuple[Aspect, ...]] = {
    "family": (
        Aspect("family", "Family", single=True),
        Aspect("campaigns", "Part of"),
        Aspect("axes", "Both axes", single=True),
        Aspect("evidence", "What speaks for a campaign"),
        Aspect("counter_evidence", "What speaks against it"),
        Aspect("probes", "What it probes"),
        Aspect("banks", "Known to banks"),
        Aspect("events", "Lineage"),
        Aspect("days", "Prompts per day"),
        Aspect("templates", "Templates, with those they are cases of"),
        Aspect("texts", "Texts, most prompts first"),
        Aspect("accounts", "Accounts, most prompts first"),
        Aspect("entities", "Shared by several accounts"),
        Aspect("related", "Related families"),
    ),
    "campaign": (
        Aspect("campaign", "Campaign", single=True),
        Aspect("alerts", "Alert"),
        Aspect("growth", "How it grew"),
        *_OF_CAMPAIGN,
    ),
    "alert": (
        Aspect("alert", "Alert", single=True),
        Aspect("growth", "How it grew"),
    ),  # and what is told of its campaign
    "template": (
        Aspect("template", "Template", single=True),
        Aspect("parent", "A case of", single=True),
        Aspect("children", "Its cases, most accounts first"),
        Aspect("slots", "Slots, with their commonest values"),
        Aspect("texts", "Texts, most prompts first"),
        Aspect("accounts", "Accounts, most prompts first"),
        Aspect("families", "Families its texts are in"),
    ),
    "duplicate": (
        Aspect("duplicate", "Duplicate group", single=True),
        Aspect("texts", "Texts, most prompts first, and where they differ from the medoid"),
    ),
    "account": (
        Aspect("account", "Account", single=True),
        Aspect("campaigns", "Campaigns it is part of"),
        Aspect("counter_evidence", "What speaks against it", read=against_account),
        Aspect("days", "Prompts per day"),
        Aspect("shared", "Shared with others of its campaigns, rarest first"),
        Aspect("families", "Families it takes part in"),
        Aspect("entities", "Entities"),
        Aspect("prompts", "Latest prompts"),
    ),
    "prompt": (
        Aspect("prompt", "Prompt", single=True),
        Aspect("sent", "Also sent by"),
    ),
    "text": (
        Aspect("text", "Text", single=True),
        Aspect("prompts", "Sent by"),
    ),
}

OF_TEXT: tuple[Aspect, ...] = (  # likewise, by text id: what a text is part of
    Aspect("template", "Its template", single=True),
    Aspect("slots", "What it has in the slots"),
    Aspect("duplicate", "Its duplicate group", single=True),
    Aspect("banks", "Known to banks"),
    Aspect("related", "Texts related to it"),
)


def sections(con: duckdb.DuckDBPyConnection, kind: str, key: str) -> list[Section]:
    """Gather everything about one thing."""
    found = asked(con, kind, ASPECTS[kind], key)
    if kind in {"text", "prompt"}:
        text_id = str(found[0].rows["text_id"][0].as_py())
        about = asked(con, "of_text", OF_TEXT, text_id)
        medoid = next(section for section in about if section.name == "duplicate")
        found[1:1] = [compared(section, found[0].rows["text"]) if section is medoid else section for section in about]
    if kind == "alert":
        row = first(con, "SELECT campaign_now FROM alerts WHERE alert_id = ?", [key])
        found += asked(con, "campaign", _OF_CAMPAIGN, (row and row[0]) or "")
    if kind == "duplicate" and len(found[0].rows):
        found[1] = compared(found[1], found[0].rows["text"])
    return found
