"""families, templates, duplicates, campaigns, alerts, accounts: lists of a view, or one whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from promptscan.cli import painting
from promptscan.cli.console import say
from promptscan.cli.nesting import nested
from promptscan.cli.output import OutputOptions, emit, output_options
from promptscan.cli.root import configured
from promptscan.cli.table import INDENT, Column, Role, has_colour

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console
    from rich.text import Text

    from promptscan.api import Store
    from promptscan.cli.table import Notes

P = ParamSpec("P")
R = TypeVar("R")

ROWS = 25
"""Rows that a terminal shows unless told otherwise."""

NO_TREE = (
    "this store keeps no clusters above its families (it was built before they were kept); "
    "`promptscan build --recluster` makes them"
)
NOT_BUILT = "no build has looked for campaigns in this store yet; `promptscan build` does"
NO_CAMPAIGN = (
    "no campaign was found: in no family do both the template and the accounts point to one hand; "
    "`promptscan families` lists what there is"
)


def _template(written: str, colour: bool) -> Text:
    return painting.template(written, colour=colour, limit=400)


SHOWN: dict[str, list[Column]] = {
    "templates": [
        Column("template_id", "template"),
        Column("n_prompts", "sent"),
        Column("n_accounts", "by"),
        Column("compression", "saved", role=Role.SHARE),
        Column("template", "fixed text and slots", role=Role.TEXT, paint=_template),
    ],
    "duplicates": [
        Column("duplicate_id", "group", role=Role.ID),
        Column("n_texts", "texts"),
        Column("n_prompts", "sent"),
        Column("n_accounts", "by"),
        Column("worst_score", "worst pair"),
        Column("text", "medoid", role=Role.TEXT),
    ],
}


def list_options(command: Callable[P, R]) -> Callable[..., R]:
    """Add the options of a list: `--since --new --sort -n --where` and those of the output."""
    options: list[Callable[[Callable[..., R]], Callable[..., R]]] = [
        click.option("--since", metavar="WHEN", help="Only what was seen since a date, or an age such as 7d."),
        click.option("--new", is_flag=True, help="Only what is new (first seen --since then, or in the last build)."),
        click.option("--sort", metavar="COLUMN", help="Sort by a column; -COLUMN for the largest first."),
        click.option(
            "-n",
            "limit",
            type=click.IntRange(min=1),
            help=f"At most so many rows (a terminal shows {ROWS}; -n lifts that).",
        ),
        click.option("--where", metavar="EXPR", help="Only rows for which EXPR holds."),
        output_options,
    ]
    decorated: Callable[..., R] = command
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def list_command(view: str, one: str, text: str) -> click.Command:
    """Make the command that lists a view, or shows one row of it with its evidence."""

    @click.command(view, help=text)
    @click.argument("identifier", required=False, metavar=f"[{one.upper()}]")
    @list_options
    @click.pass_context
    def command(ctx: click.Context, /, identifier: str | None, output: OutputOptions, **options: Any) -> int:
        from promptscan.api import Store
        from promptscan.cli.showing import show

        settings = configured(ctx).settings
        with Store(settings.store, settings) as store:
            if identifier is not None:
                show(store, f"{one}:{identifier}", output)
                return 0
            rows = _listed(store, view, output, **options)
        if output.is_table and view == "templates" and options["sort"] is None:
            rows = nested(rows)
        columns, notes = _drawing(view, rows)
        emit(rows, output, columns=columns, document={view: rows.to_pylist()}, notes=notes)
        return 0

    return command


def _drawing(
    view: str, rows: pa.Table
) -> tuple[Sequence[Column] | Callable[[Console], Sequence[Column]], Notes | None]:
    """Choose what a terminal shows of a view's rows, and what stands below each."""
    from promptscan.cli import accounts, campaigns
    from promptscan.cli.verdicts import verdict_notes

    match view:
        case "accounts":
            return lambda console: accounts.columns(rows, console), verdict_notes
        case "campaigns":
            return lambda console: campaigns.columns(rows, console), _with(verdict_notes, campaigns.notes)
        case "alerts":
            return campaigns.alert_columns, _with(verdict_notes, campaigns.alert_notes)
        case _:
            return SHOWN[view], _slots if view == "templates" else None


def _listed(store: Store, view: str, output: OutputOptions, *, limit: int | None, **options: Any) -> pa.Table:
    """Return the rows to output, with what explains them."""
    from promptscan.verdicts import JUDGED, with_verdicts
    from promptscan.views import explained, with_days

    shown = limit if limit is not None or not output.is_table else ROWS
    rows = store.list_rows(view, limit=shown, **options)
    if view in {"campaigns", "alerts"} and not len(rows):
        _say_why_none(store)
    with store.connect() as con:
        found = with_days(con, rows) if view == "accounts" and output.is_table else explained(con, view, rows)
    return with_verdicts(view, found, store.generation.root) if view in JUDGED else found


def _say_why_none(store: Store) -> None:
    """Say why a store has no campaign, unless it has some that were not asked for."""
    if not store.generation.manifest.of_kind("campaigns"):
        say(NOT_BUILT)
    elif not len(store.list_rows("campaigns", limit=1)):
        say(NO_CAMPAIGN)


@click.command("families")
@click.argument("identifier", required=False, metavar="[FAMILY]")
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    metavar="LEVELS",
    help="Put families below the looser clusters that hold several of them, so many levels from the top.",
)
@list_options
@click.pass_context
def families_command(
    ctx: click.Context, /, identifier: str | None, depth: int | None, output: OutputOptions, **options: Any
) -> int:
    """List families of prompts, highest score first, or show one.

    A terminal shows what each probes with the share of ordinary texts that are less like it, and prompts per day; below it
    the template that most of its texts have (else its label), the banks that know some of it, and what happened last. A wider
    terminal shows more; --json and --csv have everything.

    With --depth a line above families says how many lie in one cluster, how many texts that holds, and at which distance
    its parts come apart (cosine in brackets); `joined at` is the distance at which a family meets another one. Within a
    cluster those that part together are one level deeper.
    """
    from promptscan.api import Store
    from promptscan.cli import families
    from promptscan.cli.showing import show
    from promptscan.cli.verdicts import verdict_notes
    from promptscan.views import families_outline, outlined

    settings = configured(ctx).settings
    with Store(settings.store, settings) as store:
        if identifier is not None:
            show(store, f"family:{identifier}", output)
            return 0
        rows = _listed(store, "families", output, **options)
        document: dict[str, Any] = {}
        headings = None
        if depth is not None:
            with store.connect() as con:
                arranged = families_outline(con)
            if arranged is None and len(rows):
                say(NO_TREE)
            if arranged is not None:
                rows, clusters = outlined(rows, arranged, depth)
                document["clusters"] = [asdict(cluster) for cluster in clusters]
    document = {"families": rows.to_pylist(), **document}
    if output.is_table and "clusters" in document:
        rows, headings = families.indented(rows, clusters)
    emit(
        rows,
        output,
        columns=lambda console: families.columns(rows, console),
        document=document,
        notes=_with(verdict_notes, families.notes),
        headings=headings,
    )
    return 0


def _with(*notes: Notes) -> Notes:
    """Draw what several functions draw below a row."""
    return lambda row, console: [line for note in notes for line in note(row, console)]


def _slots(row: Mapping[str, Any], console: Console) -> list[Text]:
    """Draw the commonest values of a template's slots."""
    if not row["slots"]:
        return []
    return [painting.top_values(row["slots"], console.width - INDENT, colour=has_colour(console))]


_make: Callable[[str, str, str], click.Command] = list_command
templates_command = _make("templates", "template", "List templates with typed slots, most accounts first, or show one.")
duplicates_command = _make(
    "duplicates", "duplicate", "List groups of near-duplicates, most accounts first, or show one."
)
campaigns_command = _make(
    "campaigns",
    "campaign",
    "List campaigns, accounts that act together, highest score first, or show one with its evidence.",
)
alerts_command = _make(
    "alerts", "alert", "List alerts about campaigns, newest first (--since: when they fired), or show one."
)
accounts_command = _make(
    "accounts", "account", "List accounts, most prompts first, with the campaign each is surest part of, or show one."
)
