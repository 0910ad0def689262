"""Evidence on a terminal: what was found, what chance would give, how strong that is, and a plain sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from promptscan.cli import painting
from promptscan.cli.table import INDENT, NULL, Column, Role, draw, has_colour
from promptscan.recorded import weak
from promptscan.vis import vis

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from promptscan.views import Section

NOTHING = "Nothing that was looked for speaks against it. That is not a finding that it is one."
USUAL = "Looked at, and no more than chance gives"
UNTOLD = "Too little data to say"
MARKS = 5
"""Most marks of a strength: one for each power of ten."""


def draw_evidence(section: Section, console: Console) -> None:
    """Draw evidence as a table, strongest first; apart from it, dimmed, what is as usual and what there was too little data for."""
    is_for = section.name == "evidence"
    apart = [
        UNTOLD if not row["sufficient"] else USUAL if is_for and weak(row["log10_e"]) else None
        for row in section.rows.to_pylist()
    ]
    told = section.rows.filter(pa.array([one is None for one in apart], pa.bool_()))
    if len(told):
        draw(told.to_reader(), _columns(section, console), section.title, console, _sentence)
    else:
        console.print(painting.plain(section.title, "bold"))
    for heading in (USUAL, UNTOLD):
        rows = section.rows.filter(pa.array([one == heading for one in apart], pa.bool_()))
        if len(rows):
            console.print(painting.plain(heading, "dim bold"))
        for row in rows.to_pylist():
            for line in painting.wrapped(_remark(row), console.width - INDENT, 2, console):
                console.print(painting.plain(" " * INDENT) + line)


def draw_counter_evidence(section: Section, console: Console) -> None:
    """Draw what speaks against, and say so when nothing does."""
    if len(section.rows):
        draw_evidence(section, console)
        return
    console.print(painting.plain(section.title, "bold"))
    for line in painting.wrapped(painting.plain(NOTHING, "dim"), console.width - INDENT, 2, console):
        console.print(painting.plain(" " * INDENT) + line)


def words(kind: object) -> str:
    """Write a kind in words, safe to show."""
    return vis(str(kind).replace("_", " "), 40)


def number(value: float) -> str:
    """Write a number as short as a person needs it."""
    if not isfinite(value):
        return NULL
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.3g}"


def strength(console: Console) -> Column:
    """Make the column of strengths: a mark for each power of ten of the odds, and the power."""
    mark = "#" if console.options.ascii_only else "■"

    def paint(power: float, colour: bool) -> Text:
        if not isfinite(power):
            return painting.plain(NULL, "dim")
        marks = mark * min(MARKS, max(0, int(power)))
        return painting.plain(marks.ljust(MARKS + 1), "cyan" if colour else "") + painting.plain(f"{power:.1f}")

    return Column("log10_e", "strength", Role.TIME, paint)


def _columns(section: Section, console: Console) -> list[Column]:
    rows = section.rows

    def some(name: str) -> bool:
        return name in rows.column_names and rows[name].null_count < len(rows)

    def plain(value: Any, _: bool) -> Text:
        return painting.plain(number(value))

    return [
        Column("kind", "evidence", Role.LABEL, lambda kind, _: painting.plain(words(kind))),
        Column("value", "found", Role.SCORE, plain),
        *([Column("expected", "by chance", Role.SCORE, plain)] if some("expected") else []),
        *([Column("n", "of")] if some("n") else []),
        *([strength(console)] if any(rows["log10_e"].to_pylist()) else []),
        *(
            [Column("family_id", "family")]
            if some("family_id") and set(rows["family_id"].to_pylist()) != {section.key}
            else []
        ),
        *([Column("campaign_id", "campaign")] if some("campaign_id") else []),
    ]


def _sentence(row: Mapping[str, Any], console: Console) -> list[Text]:
    if not row["sentence"]:
        return []
    return painting.wrapped(painting.plain(vis(row["sentence"], 400)), console.width - INDENT, 3, console)


def _remark(row: Mapping[str, Any]) -> Text:
    what = words(row["kind"]) if row["kind"] else ""
    return painting.plain(": ".join(part for part in (what, vis(row["sentence"] or "", 300)) if part), "dim")


def reasons(found: Sequence[str], console: Console, lines: int = 2) -> list[Text]:
    """Draw the reasons of a membership."""
    return painting.wrapped(
        painting.plain("; ".join(vis(one, 200) for one in found), "dim" if has_colour(console) else ""),
        console.width - INDENT,
        lines,
        console,
    )
