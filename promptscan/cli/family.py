"""Sections of a family's page: what it probes, its lineage, its trend, its templates and relatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from promptscan.cli import painting
from promptscan.cli.campaigns import SEVERITY, fired
from promptscan.cli.evidence import draw_evidence
from promptscan.cli.families import percent, said_of
from promptscan.cli.nesting import nested
from promptscan.cli.table import INDENT, Column, Role, draw, has_colour
from promptscan.cli.trends import Axis, bars_of, trend
from promptscan.vis import vis

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from promptscan.views import Section

OTHER = "other"
"""What stands in the list of capabilities after the last convincing one."""


def _probes(section: Section, console: Console) -> None:
    """Draw capabilities, and which are not convincing."""
    rows = section.rows.filter(pa.compute.not_equal(section.rows["capability"], OTHER))
    columns = [
        Column("capability"),
        Column("percentile", None, Role.SHARE, percent),
        Column("convincing", "", Role.LABEL, lambda is_so, _: painting.plain("" if is_so else "not convincing", "dim")),
    ]
    draw(rows.to_reader(), columns, section.title, console)


def _events(section: Section, console: Console) -> None:
    """Draw what happened to a family and to those that came of it, a line each."""
    from rich.text import Text

    console.print(Text(vis(section.title), style="bold"))
    rows = section.rows.to_pylist()
    for row in rows:
        words = said_of(row, None)
        told = words if row["family_id"] == section.key else f"{row['family_id']} {words}"
        when = "" if row["ts"] is None else f"{row['ts']:%Y-%m-%d %H:%M}  "
        console.print(painting.line(painting.plain(when, "dim") + painting.plain(vis(told, 200)), console.width))


def _days(section: Section, console: Console) -> None:
    """Draw prompts per day over the whole time of the family."""
    from rich.padding import Padding
    from rich.text import Text

    days = [row for row in section.rows.to_pylist() if row["day"] is not None]
    axis = Axis.of(days, most=1_000_000)
    if axis is None:
        return
    most = max(days, key=lambda row: row["n_prompts"])
    console.print(Text(f"{section.title}, {axis}", style="bold"))
    bars = trend(days, axis, min(console.width - INDENT, 92), bars=bars_of(console))
    console.print(Padding(painting.plain(bars, "cyan" if has_colour(console) else ""), (0, 0, 0, INDENT)))
    words = f"most on {most['day']}: {most['n_prompts']:,} prompts of {most['n_accounts']:,} accounts"
    console.print(Padding(painting.plain(words, "dim"), (0, 0, 0, INDENT)))


def _templates(section: Section, console: Console) -> None:
    """Draw templates below those they are cases of, the fixed text of each below it."""
    columns = [
        Column("template_id", "template"),
        Column("n_in_family", "texts here"),
        Column("n_texts", "in all"),
        Column("n_prompts", "sent"),
        Column("n_accounts", "by"),
    ]
    draw(nested(section.rows).to_reader(), columns, section.title, console, _template)


def _template(row: Mapping[str, Any], console: Console) -> list[Text]:
    drawn = painting.template(row["template"], colour=has_colour(console), limit=600)
    return painting.wrapped(drawn, console.width - INDENT, 3, console)


def _related(section: Section, console: Console) -> None:
    """Draw related families and what relates them."""
    columns = [
        Column("family_id", "family"),
        Column("n_pairs", "related texts"),
        Column("n_common_accounts", "common accounts"),
        Column("n_accounts", "of"),
        Column("cluster", "cluster", Role.TIME, lambda node, _: painting.plain("same" if node is not None else "")),
        Column("label", "", Role.TEXT),
    ]
    draw(section.rows.to_reader(), columns, section.title, console)


def _campaigns(section: Section, console: Console) -> None:
    """Draw the campaigns that a family is part of, and why."""
    columns = [
        Column("campaign_id", "campaign"),
        SEVERITY,
        Column("score"),
        Column("n_prompts", "prompts"),
        Column("n_accounts", "accounts"),
    ]
    draw(section.rows.to_reader(), columns, section.title, console, _reason)


def _reason(row: Mapping[str, Any], console: Console) -> list[Text]:
    facts = [vis(row["reason"], 200)] if row["reason"] else []
    facts += [fired(row["alert_id"], row["fired_at"])] if row["alert_id"] else []
    return [painting.line(painting.plain(" · ".join(facts), "dim"), console.width - INDENT)] if facts else []


def _axes(section: Section, console: Console) -> None:
    """Draw where a family stands on the two axes that both must pass."""
    [row] = section.rows.to_pylist()
    transfer, actors, together, wanted = (
        "unknown" if row.get(name) is None else f"{row[name]:.2f}"
        for name in ("transfer", "actors", "actors_together", "threshold")
    )
    n_together = row.get("n_together") or 1
    more = "1 more family" if n_together == 2 else f"{n_together - 1:,} more families"
    among = f" (with {more} of its accounts: {together})" if n_together > 1 else ""
    said = f"template handed on: {transfer} of 1; accounts act as one: strength {actors}{among}, wanted {wanted}"
    passed = {True: "passed", False: "not passed"}.get(row["passed"], "not decided")
    console.print(painting.plain(section.title, "bold") + painting.plain(f"  {passed}"))
    for line in painting.wrapped(painting.plain(said, "dim"), console.width - INDENT, 2, console):
        console.print(painting.plain(" " * INDENT) + line)


DRAWN: dict[str, Callable[[Section, Console], None]] = {
    "campaigns": _campaigns,
    "axes": _axes,
    "evidence": draw_evidence,
    "counter_evidence": draw_evidence,
    "probes": _probes,
    "events": _events,
    "days": _days,
    "templates": _templates,
    "related": _related,
}
"""Section -> what draws it."""
