"""Families on a terminal: which columns fit, what stands below each, and the clusters that hold them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from promptscan.cli import painting
from promptscan.cli.table import INDENT, Column, Role, cell, has_colour
from promptscan.cli.trends import Axis, bars_of, trend
from promptscan.registry import event_words
from promptscan.vis import vis

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from promptscan.cli.table import Notes
    from promptscan.outline import Cluster

ROOMY, WIDE = 104, 136
"""Columns of a terminal from which more is shown, and all."""
TEMPLATE_LINES = 2
BAD_STYLE, BENIGN_STYLE = "bold red", "green"


def columns(families: pa.Table, console: Console) -> list[Column]:
    """Choose the columns of listed families that fit a console."""
    width = console.width
    axis = Axis.of(day for days in families["days"].to_pylist() for day in days)
    chars = 8 if width < ROOMY else 14 if width < WIDE else 28
    bars = bars_of(console)
    by_day = Column("days", "per day", Role.TIME, lambda days, colour: _bars(days, axis, chars, bars, colour=colour))
    joined = "joined_at" in families.column_names
    return [
        Column("family_id", "family"),
        Column("score"),
        *([Column("n_texts", "texts")] if width >= ROOMY else []),
        Column("n_prompts", "sent"),
        Column("n_accounts", "by"),
        *([Column("first_ts", "first seen", Role.TIME, _day)] if width >= ROOMY else []),
        Column("last_ts", "last seen", Role.TIME, _day),
        Column("capability", "probes"),
        Column("percentile", "", Role.SHARE, percent),
        *([Column("joined_at", "joined at")] if joined else []),
        *([by_day] if not joined or width >= ROOMY else []),
        *([Column("kind", None, Role.TIME)] if width >= WIDE else []),
    ]


def _bars(days: Sequence[Mapping[str, Any]], axis: Axis | None, chars: int, bars: str, *, colour: bool) -> Text:
    return painting.plain("" if axis is None else trend(days, axis, chars, bars=bars), "cyan" if colour else "")


def _day(moment: datetime, colour: bool) -> Text:
    del colour
    return painting.plain(f"{moment:%Y-%m-%d}")


def percent(share: float, colour: bool) -> Text:
    """Draw a percentile as whole percents, of which none is 100."""
    del colour
    return painting.plain(f"{min(int(100 * share), 99)} %")


def notes(row: Mapping[str, Any], console: Console) -> list[Text]:
    """Draw below a family its template, or else its label; and which banks know it, and what happened last."""
    colour = has_colour(console)
    if row["template"] is not None:
        said = painting.template(row["template"], colour=colour, limit=400)
    else:
        said = painting.plain(vis(row["label"], 400))
    facts = [mark(bank, colour=colour) for bank in row["banks"]]
    if row["first_ts"] is not None and console.width < ROOMY:
        facts.append(painting.plain(f"first seen {row['first_ts']:%Y-%m-%d}", "dim"))
    if row["event"]:
        facts.append(painting.plain(vis(said_of(row["event"], row["event"]["ts"]), 200), "dim"))
    lines = painting.wrapped(said, console.width - INDENT, TEMPLATE_LINES, console)
    return lines + ([painting.line(painting.joined(facts), console.width - INDENT)] if facts else [])


def said_of(event: Mapping[str, Any], when: datetime | None) -> str:
    """Say an event and its day."""
    words = event_words(*(event[name] for name in ("event", "other_family_id", "n_before", "n_texts", "n_shared")))
    return words if when is None else f"{words}, {when:%Y-%m-%d}"


def mark(bank: Mapping[str, Any], *, colour: bool) -> Text:
    """Draw that a bank knows some of a family."""
    style = {"bad": BAD_STYLE, "benign": BENIGN_STYLE}.get(bank["kind"], "") if colour else ""
    share = cell(bank["share"], Role.SHARE).removesuffix(".0%").removesuffix("%")
    return painting.plain(f"{share} % in {vis(bank['kind'], 12)} bank {vis(bank['bank'], 40)}", style)


def indented(families: pa.Table, clusters: Sequence[Cluster]) -> tuple[pa.Table, Notes]:
    """Put families below the clusters that hold them.

    Args:
        families: with the column `cluster`.
        clusters: that they are in, those above before those below.

    Returns:
        The families, those of a cluster next to each other where the first of them stood, their names indented by the level;
        and what draws the clusters above the first family of each.
    """
    by_node = {cluster.node: cluster for cluster in clusters}
    paths = [_path(node, by_node) for node in families["cluster"].to_pylist()]
    first: dict[int, int] = {}
    for number, path in enumerate(paths):
        for node in path:
            first.setdefault(node, number)

    def place(number: int) -> list[tuple[bool, int]]:
        return [(level > 0, first[node]) for level, node in enumerate(paths[number])] + [(False, number)]

    order = sorted(range(len(paths)), key=place)
    paths.append([])  # of the one before the first, which -1 reads
    names = families["family_id"].to_pylist()
    opening = {
        names[here]: [by_node[node] for node in paths[here] if node not in paths[before]]
        for before, here in itertools.pairwise([-1, *order])
    }
    shown = families.take(pa.array(order, pa.int64()))
    indents = pa.array(["  " * len(paths[number]) + names[number] for number in order], pa.string())
    shown = shown.set_column(shown.schema.get_field_index("family_id"), "family_id", indents)

    def headings(row: Mapping[str, Any], console: Console) -> list[Text]:
        return [heading(cluster, console) for cluster in opening.get(row["family_id"].strip(), ())]

    return shown, headings


def _path(node: int | None, by_node: Mapping[int, Cluster]) -> list[int]:
    """Return a cluster and those above it, from the top."""
    path = []
    while node is not None:
        path.append(node)
        node = by_node[node].parent
    return path[::-1]


def heading(cluster: Cluster, console: Console) -> Text:
    """Draw the line of a cluster: how many families and texts, where they come apart, its largest family."""
    facts = [f"{cluster.n_families:,} families", f"{cluster.size:,} texts"]
    if cluster.distance is not None:
        facts.append(f"apart at {cluster.distance:.2f} (cosine {1 - cluster.distance**2 / 2:.2f})")
    text = painting.plain(f"{'  ' * (cluster.level - 1)}{', '.join(facts)}: ", "bold")
    return painting.line(text + painting.plain(vis(cluster.label, 200), "italic"), console.width)
