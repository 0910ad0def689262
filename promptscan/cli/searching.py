"""search: prompts like this, and who sent them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import click

from promptscan.cli import painting
from promptscan.cli.console import say
from promptscan.cli.output import OutputOptions, emit, output_options
from promptscan.cli.root import configured
from promptscan.cli.table import INDENT, Column, Role, has_colour
from promptscan.errors import UsageError
from promptscan.hits import Kind
from promptscan.vis import vis

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from promptscan.hits import SearchResult

COLUMNS = [
    Column("score"),
    Column("kind"),
    Column("n_prompts", "sent"),
    Column("n_accounts", "by"),
    Column("family_id", "family"),
    Column("text_id", "text"),
    Column("account_id", "first by", role=Role.LABEL),
    Column("ts", "first seen"),
]


@click.command("search")
@click.argument("text", required=False)
@click.option("--id", "prompt_id", metavar="ID", help="Search with the text of this prompt.")
@click.option("--family", metavar="F-...", help="Search with the exemplar of this family.")
@click.option(
    "--file",
    "file",
    metavar="FILE",
    type=click.File("r", encoding="utf-8", errors="replace"),
    help="Search with every line of FILE.",
)
@click.option("-k", "k", type=int, default=10, show_default=True, help="Hits per query.")
@click.option(
    "--where", metavar="EXPR", help="Only prompts for which EXPR holds, such as \"ts >= '2026-01-05' and model = 'm'\"."
)
@click.option("--threshold", type=float, help="All texts with at least this cosine, instead of the best k.")
@output_options
@click.pass_context
def search_command(
    ctx: click.Context,
    text: str | None,
    prompt_id: str | None,
    family: str | None,
    file: TextIO | None,
    k: int,
    where: str | None,
    threshold: float | None,
    output: OutputOptions,
) -> int:
    """Show prompts like TEXT (or - for standard input), and who sent them.

    A hit counts the prompts and accounts of its text and of near-identical ones. `kind` says how it relates to the
    query: copy, edit, contains, template, or similar; below it stand its text and what shows the relation: the
    differences (query → text), the passage, or the slot values.
    """
    from promptscan.api import Store

    if sum(given is not None for given in (text, prompt_id, family, file)) != 1:
        raise UsageError("search wants one of TEXT, -, --id, --family or --file")
    settings = configured(ctx).settings
    with Store(settings.store, settings) as store:
        options: dict[str, Any] = {"k": k, "where": where, "threshold": threshold}
        if file is not None:
            results = [store.search(line.rstrip("\n"), **options) for line in file if line.strip()]
            _emit_all(results, output)
            return 0
        query = sys.stdin.buffer.read().decode("utf-8", "replace") if text == "-" else text
        result = store.search(query, id=prompt_id, family=family, **options)
    emit(result.to_arrow(), output, columns=_columns([result]), document=result.to_dict(), notes=explained)
    if not result.hits:
        say("no prompt matches; try without --where or --threshold")
    elif threshold is not None and result.truncated:
        say(f"truncated: more than {len(result.hits):,} texts reach this threshold")
    return 0


def _emit_all(results: list[SearchResult], output: OutputOptions) -> None:
    """Output the hits of several queries as one table with a query number."""
    import pyarrow as pa

    if not results:
        raise UsageError("--file has no line with text")
    tables = [
        result.to_arrow().add_column(0, "query", pa.array([number] * len(result.hits), pa.int64()))
        for number, result in enumerate(results, 1)
    ]
    document = {"results": [result.to_dict() for result in results]}
    columns = [Column("query"), *_columns(results)]
    emit(pa.concat_tables(tables), output, columns=columns, document=document, notes=explained)


def _columns(results: Sequence[SearchResult]) -> list[Column]:
    """Return what a terminal shows of hits: their campaign where one has any."""
    if all(hit.campaign_id is None for result in results for hit in result.hits):
        return COLUMNS
    place = next(number for number, column in enumerate(COLUMNS) if column.name == "text_id")
    return [*COLUMNS[:place], Column("campaign_id", "campaign"), *COLUMNS[place:]]


def explained(row: Mapping[str, Any], console: Console) -> list[Text]:
    """Draw a hit's text, marked where it has what the query has, and what shows the relation."""
    width, colour, passage = console.width - INDENT, has_colour(console), row["why"]["passage"]
    if passage is None or passage["start"] is None:
        text = painting.line(painting.marked(row["text"], [], colour=colour, limit=2 * width), width)
    else:
        text = painting.excerpt(row["text"], passage["start"], passage["end"], width, colour=colour)
    reason = _reason(row, colour=colour)
    return [text] if reason is None else [text, painting.line(painting.plain("why: ", "dim") + reason, width)]


def _reason(row: Mapping[str, Any], *, colour: bool) -> Text | None:
    """Draw what shows the relation of a hit, in a line."""
    why = row["why"]
    passage, encoding = why["passage"], why["encoding"]
    if row["kind"] == Kind.COPY:
        return None
    if row["kind"] == Kind.EDIT:
        return painting.changes(why["differences"], "query", "text", why["n_differences"], colour=colour)
    parts = [] if encoding is None else [painting.plain(f"encoded as {encoding}")]
    if why["slots"]:
        parts += [painting.plain(row["template_id"]), *(_slot(slot, colour=colour) for slot in why["slots"])]
    elif passage is None:
        parts.append(painting.plain(f"near in meaning, cosine {why['cosine']:.3f}"))
    elif passage["start"] is None:
        parts.append(painting.plain(f"holds “{vis(passage['text'], 100)}”"))
    elif row["kind"] == Kind.CONTAINS:
        parts.append(
            painting.plain(
                f"the passage is characters {passage['start']:,} to {passage['end']:,} of {len(row['text']):,}"
            )
        )
    else:
        parts.append(painting.plain(f"both have “{vis(passage['text'], 100)}”"))
    return painting.joined(parts)


def _slot(slot: Mapping[str, Any], *, colour: bool) -> Text:
    """Draw what the query and a hit have in a slot."""
    name = painting.plain(f"{slot['slot']} ", painting.slot_style(slot["type"]) if colour else "")
    if slot["query"] == slot["text"]:
        return name + painting.plain(vis(slot["text"], painting.VALUE) or "(nothing)")
    return name + painting.change(slot["query"], slot["text"], colour=colour)
