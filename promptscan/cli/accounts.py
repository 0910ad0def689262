"""Accounts on a terminal: the columns of a list, and the sections of one account's page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from promptscan.cli import painting
from promptscan.cli.campaigns import SEVERITY, by_day, day, fired
from promptscan.cli.evidence import draw_evidence, reasons, words
from promptscan.cli.families import ROOMY, WIDE
from promptscan.cli.table import INDENT, Column, Role, draw, has_colour
from promptscan.cli.trends import Axis, bars_of, trend
from promptscan.vis import vis

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console
    from rich.text import Text

    from promptscan.views import Section


def columns(accounts: pa.Table, console: Console) -> list[Column]:
    """Choose the columns of listed accounts that fit a console."""
    width = console.width
    return [
        Column("account_id", "account"),
        Column("n_prompts", "prompts"),
        Column("n_families", "families"),
        Column("campaign_id", "campaign"),
        Column("campaign_score", "score", Role.SCORE, lambda score, _: painting.plain(f"{score:.2f}")),
        Column("campaign_share", "share", Role.SHARE, lambda share, _: painting.plain(f"{share:.0%}")),
        Column("age_days", "age", Role.SCORE, lambda days, _: painting.plain(age(days))),
        *([Column("first_ts", "first seen", Role.TIME, day)] if width >= ROOMY else []),
        *([Column("last_ts", "last seen", Role.TIME, day)] if width >= ROOMY else []),
        *([Column("created_at", "created", Role.TIME, day)] if width >= WIDE else []),
        by_day(accounts, console, "n_prompts", "per day"),
    ]


def age(days: float) -> str:
    """Write how long an account was there before its first prompt; less than nothing when it was created after it."""
    if days < 0:
        return "later"
    if days < 2:
        return f"{days * 24:.0f} h" if days * 24 >= 1 else "<1 h"
    return f"{days:,.0f} d"


def _campaigns(section: Section, console: Console) -> None:
    """Draw the campaigns of an account, why it is in them, and when they fired."""
    columns = [
        Column("campaign_id", "campaign"),
        SEVERITY,
        Column("score", None, Role.SCORE, lambda score, _: painting.plain(f"{score:.2f}")),
        Column("n_prompts", "prompts"),
        Column("share"),
        Column("first_ts", "first", Role.TIME, day),
        Column("last_ts", "last", Role.TIME, day),
        Column("n_accounts", "accounts"),
    ]
    draw(section.rows.to_reader(), columns, section.title, console, _membership)


def _membership(row: Mapping[str, Any], console: Console) -> list[Text]:
    width = console.width - INDENT
    lines = painting.wrapped(painting.plain(vis(row["label"], 300)), width, 2, console) if row["label"] else []
    lines += reasons(row["reasons"], console, 3)
    if row["alert_id"]:
        lines.append(painting.line(painting.plain(fired(row["alert_id"], row["fired_at"]), "dim"), width))
    return lines


def _days(section: Section, console: Console) -> None:
    """Draw an account's prompts per day, and those in families of its campaigns."""
    days = section.rows.to_pylist()
    axis = Axis.of(days, most=1_000_000)
    if axis is None:
        return
    console.print(painting.plain(f"{section.title}, {axis}", "bold"))
    style = "cyan" if has_colour(console) else ""
    told = [("all", "n_prompts")]
    if any(one["n_in_campaigns"] for one in days):
        told.append(("in its campaigns", "n_in_campaigns"))
    lead = max(len(name) for name, _ in told) + INDENT
    for name, column in told:
        bars = trend(
            [{"day": one["day"], "n_prompts": one[column]} for one in days],
            axis,
            min(console.width - INDENT - lead, 92),
            bars=bars_of(console),
        )
        label = painting.plain(" " * INDENT + name.ljust(lead), "dim")
        console.print(label + painting.plain(bars, style))


def _shared(section: Section, console: Console) -> None:
    """Draw what an account has in common with others of its campaigns."""
    draw(section.rows.to_reader(), [*SHARED, Column("campaign_id", "campaign")], section.title, console)


SHARED = (
    Column("kind", None, Role.TIME, lambda kind, _: painting.plain(words(kind))),
    Column("value", None, Role.TEXT),
    Column("n_accounts", "accounts"),
    Column("n_others", "others"),
    Column("weight", "rarity"),
)

DRAWN: dict[str, Callable[[Section, Console], None]] = {
    "campaigns": _campaigns,
    "counter_evidence": draw_evidence,
    "days": _days,
    "shared": _shared,
}
"""Section -> what draws it."""
