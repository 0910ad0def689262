"""search: prompts like this, and who sent them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from promptscan.cli.console import say
from promptscan.cli.output import OutputOptions, emit, output_options
from promptscan.cli.root import configured
from promptscan.cli.table import Column, Role
from promptscan.errors import UsageError

if TYPE_CHECKING:
    from promptscan.hits import SearchResult

COLUMNS = [
    Column("score"),
    Column("kind"),
    Column("n_prompts", "sent"),
    Column("n_accounts", "by"),
    Column("family_id", "family"),
    Column("account_id", "first by", role=Role.LABEL),
    Column("text"),
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
    query: copy, edit, contains, template, or similar.
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
    emit(result.to_arrow(), output, columns=COLUMNS, document=result.to_dict())
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
    emit(pa.concat_tables(tables), output, columns=[Column("query"), *COLUMNS], document=document)
