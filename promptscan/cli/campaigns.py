"""Campaigns and alerts on a terminal: which columns fit, and what stands below each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from promptscan.cli import painting
from promptscan.cli.families import ROOMY, percent
from promptscan.cli.table import INDENT, Column, Role
from promptscan.cli.trends import Axis, bars_of, trend
from promptscan.recorded import parts_of, weak
from promptscan.vis import vis

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console
    from rich.text import Text

SEVERITY_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "dim"}
NARROW = 72
"""Columns of a terminal below which times give way."""


def columns(campaigns: pa.Table, console: Console) -> list[Column]:
    """Choose the columns of listed campaigns that fit a console."""
    roomy = console.width >= ROOMY
    return [
        Column("campaign_id", "campaign"),
        SEVERITY,
        Column("score", None, Role.SCORE, lambda score, _: painting.plain(f"{score:,.1f}")),
        Column("n_accounts", "accounts"),
        Column("n_prompts", "prompts"),
        *([Column("n_families", "families")] if roomy else []),
        *([Column("first_ts", "since", Role.TIME, day)] if console.width >= NARROW else []),
        *([Column("last_ts", "last seen", Role.TIME, day)] if roomy else []),
        by_day(campaigns, console, "n_accounts", "accounts/day"),
        *([Column("capability", "probes")] if roomy else []),
    ]


def notes(row: Mapping[str, Any], console: Console) -> list[Text]:
    """Draw below a campaign what it asks, its strongest evidence for and against, and its alert."""
    width = console.width - INDENT
    lines = []
    if row["label"]:
        what = f"{vis(row['capability'], 40)}: " if row["capability"] and console.width < ROOMY else ""
        lines += painting.wrapped(
            painting.plain(what, "dim") + painting.plain(vis(row["label"], 300)), width, 2, console
        )
    strong = [one for one in row["evidence"] if not weak(one["log10_e"])]
    for sign, found in (("+", strong), ("−", row["counter_evidence"])):
        said = next((one["sentence"] for one in found if one["sufficient"] and one["sentence"]), None)
        if said:
            lines += painting.wrapped(painting.plain(f"{sign} {vis(said, 300)}", "dim"), width, 2, console)
    if row["alert_id"]:
        lines.append(painting.line(painting.plain(fired(row["alert_id"], row["fired_at"]), "dim"), width))
    return lines


def alert_columns(console: Console) -> list[Column]:
    """Choose the columns of listed alerts that fit a console."""
    roomy = console.width >= ROOMY
    return [
        Column("alert_id", "alert"),
        Column("fired_at", "fired", Role.TIME),
        SEVERITY,
        Column("campaign_id", "campaign"),
        Column("n_accounts", "accounts"),
        Column("n_accounts_now", "now"),
        Column("n_prompts", "prompts"),
        Column("n_prompts_now", "now"),
        *(
            [Column("kind"), Column("family_id", "family"), Column("first_ts", "since", Role.TIME, day)]
            if roomy
            else []
        ),
    ]


def alert_notes(row: Mapping[str, Any], console: Console) -> list[Text]:
    """Draw below an alert what it says, which includes why it may be wrong."""
    width = console.width - INDENT
    what, why, wrong = parts_of(row["message"] or row["label"] or "")
    lines = painting.wrapped(painting.plain(vis(what, 1_000)), width, 4, console) if what else []
    for sign, said in (("+", why), ("−", wrong)):
        if said:
            lines += painting.wrapped(painting.plain(f"{sign} {vis(said, 1_000)}", "dim"), width, 3, console)
    if row["campaign_now"] not in {None, row["campaign_id"]}:
        became = f"{vis(row['campaign_id'], 40)} is part of {vis(row['campaign_now'], 40)} now"
        lines.append(painting.line(painting.plain(became, "dim"), width))
    return lines


def by_day(rows: pa.Table, console: Console, what: str, header: str) -> Column:
    """Make the column that draws one number of each row's `days`, all rows on one time axis."""
    axis = Axis.of(day for days in rows["days"].to_pylist() for day in days)
    width = max(8, min(len(header), 14)) if console.width < ROOMY else 28
    bars = bars_of(console)

    def paint(days: Sequence[Mapping[str, Any]], colour: bool) -> Text:
        counted = [{"day": one["day"], "n_prompts": one[what] or 0} for one in days]
        drawn = "" if axis is None else trend(counted, axis, width, bars=bars)
        return painting.plain(drawn, "cyan" if colour else "")

    return Column("days", header, Role.TIME, paint)


def day(moment: datetime, colour: bool) -> Text:
    """Draw the day of a time."""
    del colour
    return painting.plain(f"{moment:%Y-%m-%d}")


def severity(value: object, colour: bool) -> Text:
    """Draw a severity."""
    return painting.plain(vis(value, 12), SEVERITY_STYLES.get(str(value), "") if colour else "")


def fired(alert_id: object, when: datetime | None) -> str:
    """Say which alert fired, and when."""
    return f"alert {vis(alert_id, 40)} fired" + ("" if when is None else f" {when:%Y-%m-%d %H:%M}")


SEVERITY = Column("severity", None, Role.TIME, severity)
PROBES = (Column("capability", "probes"), Column("percentile", "", Role.SHARE, percent))
