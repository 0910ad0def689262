"""Pages of `show`: one thing whole, section by section, with what explains it marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from promptscan.cli import accounts, campaign, family, painting
from promptscan.cli.table import INDENT, Column, Role, draw, has_colour
from promptscan.templates import read_template
from promptscan.vis import vis

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from promptscan.cli.table import Notes
    from promptscan.views import Section

EXAMPLE_LINES = 3
"""Lines of an example text; `show` of its number has the whole text."""

EXAMPLES = 8
"""Texts that are shown with what is marked in them; JSON has more."""

_BLOCKS = ("text", "exemplar", "template")  # facts that are shown as paragraphs below the others
_HIDDEN = frozenset({"clean_id", "differences"})
_ELSEWHERE = frozenset(
    {"capability", "percentile", "benign_share", "bad_share"}
)  # facts of a family with a section of their own
_TEMPLATE = Column("template", role=Role.TEXT, paint=lambda value, colour: painting.template(value, colour=colour))
_SLOT = Column("type", paint=lambda value, colour: painting.plain(value, painting.slot_style(value) if colour else ""))
_NESTED = [Column("template_id", "template"), Column("n_prompts", "sent"), Column("n_accounts", "by"), _TEMPLATE]
_COLUMNS: dict[tuple[str, str], list[Column]] = {
    ("template", "children"): _NESTED,
    ("template", "slots"): [Column("slot"), _SLOT, Column("n_values", "values"), Column("entropy")],
    ("template", "texts"): [Column("text_id", "text"), Column("n_prompts", "sent"), Column("n_accounts", "by")],
    ("duplicate", "texts"): [
        Column("text_id", "text"),
        Column("n_prompts", "sent"),
        Column("n_accounts", "by"),
        Column("score", "like the medoid"),
    ],
    ("account", "families"): [
        Column("family_id", "family"),
        Column("n_prompts", "prompts"),
        Column("share"),
        Column("n_accounts", "by"),
        Column("campaign_id", "campaign"),
        Column("capability", "probes"),
        Column("label", "", role=Role.TEXT),
    ],
    ("account", "prompts"): [
        Column("ts", "sent"),
        Column("family_id", "family"),
        Column("text", "", role=Role.TEXT),
    ],
    ("text", "slots"): [Column("slot"), _SLOT, Column("value", role=Role.TEXT)],
    ("text", "related"): [
        Column("text_id", "text"),
        Column("kind"),
        Column("score"),
        Column("n_prompts", "sent"),
        Column("n_accounts", "by"),
        Column("text", "", role=Role.TEXT),
    ],
}
_DRAWN = {
    "family": family.DRAWN,
    "account": accounts.DRAWN,
    "text": {"probes": family.DRAWN["probes"]},
    **campaign.DRAWN,
}


def page(console: Console, kind: str, found: Sequence[Section]) -> None:
    """Draw everything about one thing; sections without rows are left out."""
    kind = "text" if kind == "prompt" else kind
    known = {section.name: section for section in found}
    drawn, always = _DRAWN.get(kind, {}), campaign.ALWAYS if kind in campaign.DRAWN else ()
    for number, section in enumerate(one for one in found if len(one.rows) or one.name in always):
        if number:
            console.print()
        if section.name in drawn:
            drawn[section.name](section, console)
            continue
        if section.single:
            _facts(console, section, _spans(known) if section is found[0] else [])
            continue
        notes = {
            ("template", "slots"): _top_values,
            ("template", "texts"): _filled(known),
            ("duplicate", "texts"): _edited,
        }.get((kind, section.name))
        shown = section.rows.slice(0, EXAMPLES) if notes is not None and section.name == "texts" else section.rows
        draw(shown.to_reader(), _COLUMNS.get((kind, section.name)), section.title, console, notes)


def _facts(console: Console, section: Section, spans: Sequence[tuple[int, int, str]]) -> None:
    """Draw a one-row section: a name and a value a line, without what is not known; then its texts whole."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    row = section.rows.to_pylist()[0]
    console.print(Text(vis(section.title), style="bold"))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in row.items():
        if value is not None and name not in _HIDDEN | _ELSEWHERE and name not in _BLOCKS:
            table.add_row(Text(vis(name.removeprefix("n_").replace("_", " "), 40)), Text(_plain(name, value)))
    console.print(table)
    colour = has_colour(console)
    for name in _BLOCKS:
        if row.get(name) is not None:
            if name == "template":
                block = painting.template(row[name], colour=colour)
            else:
                block = painting.marked(row[name], spans if name == "text" else [], colour=colour, lines=True)
            console.print(Padding(block, (0, 0, 0, INDENT)))
    if row.get("differences"):
        console.print(Padding(_differences(row["differences"], colour=colour), (0, 0, 0, INDENT)))


def _plain(name: str, value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if name.endswith("_id"):
        return vis(value, 400)
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else vis(value, 400)


def _spans(known: Mapping[str, Section]) -> list[tuple[int, int, str]]:
    """Return where a text has its slot values."""
    if not {"template", "slots"} <= set(known) or "value" not in known["slots"].rows.column_names:
        return []
    forms = known["template"].rows["template"].to_pylist()
    first = next(iter(known.values())).rows.to_pylist()
    if not forms or not first:
        return []
    fixed, types = read_template(forms[0])
    return painting.slot_spans(fixed, types, known["slots"].rows["value"].to_pylist(), first[0]["text"])


def _top_values(row: Mapping[str, Any], console: Console) -> list[Text]:
    """Draw the commonest values of a slot."""
    return painting.wrapped(
        painting.values(row["values"], row["n_values"], 2 * painting.VALUE), console.width - INDENT, 3, console
    )


def _filled(known: Mapping[str, Section]) -> Notes:
    """Make the notes that show example texts of a template with their slot values marked."""
    form = known["template"].rows["template"].to_pylist() if "template" in known else []
    fixed, types = read_template(form[0]) if form else ((), ())

    def notes(row: Mapping[str, Any], console: Console) -> list[Text]:
        own = [value or "" for value in row["values"] or []]
        spans = painting.slot_spans(fixed, types, own, row["text"])
        drawn = painting.marked(row["text"], spans, colour=has_colour(console))
        return painting.wrapped(drawn, console.width - INDENT, EXAMPLE_LINES, console)

    return notes


def _edited(row: Mapping[str, Any], console: Console) -> list[Text]:
    """Draw what a text of a group has where its medoid has something else."""
    if not row["differences"]:
        return [painting.plain("no word differs from the medoid", "dim")]
    drawn = _differences(row["differences"], colour=has_colour(console))
    return painting.wrapped(drawn, console.width - INDENT, EXAMPLE_LINES, console)


def _differences(found: Sequence[Mapping[str, str]], *, colour: bool) -> Text:
    return painting.changes(found, "medoid", "text", len(found), colour=colour)
