"""bank: collections of known-benign and known-bad examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from promptscan.cli.console import say
from promptscan.cli.output import OutputOptions, emit, output_options
from promptscan.cli.root import configured
from promptscan.cli.table import Column, Role
from promptscan.cli.writing import BAD_DATA, SHOWN_SOURCES, paths_argument
from promptscan.vis import vis

if TYPE_CHECKING:
    from promptscan.curation import Added
    from promptscan.ingest import Texts

SHOWN_REASONS = 10

SHOWN = [
    Column("bank"),
    Column("kind"),
    Column("n_texts", "texts"),
    Column("added_at", "added", role=Role.TIME),
    Column("changed_at", "changed", role=Role.TIME),
    Column("note", role=Role.TEXT),
]


@click.group("bank")
def bank_command() -> None:
    """Keep banks: collections of known-benign and known-bad examples.

    The next build marks the texts that a bank knows (view `bank_hits`), and ties no texts together by what many benign
    examples have in common.
    """


@bank_command.command("add")
@click.argument("name")
@paths_argument
@click.option(
    "--kind",
    type=click.Choice(["benign", "bad"]),
    help="What they are examples of: benign (a new bank's default) or bad.",
)
@click.option("--note", metavar="TEXT", help="What people should know of this bank.")
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="text=COLUMN",
    help="Read texts from COLUMN; dotted paths reach into JSON.",
)
@click.option("--max-chars", type=int, help="Leave out longer texts (default 1000000).")
@click.option("--max-bad-rows", type=float, help="Exit with 4 when a larger share of a source was bad (default 0.01).")
@click.pass_context
def add_command(
    ctx: click.Context,
    /,
    name: str,
    paths: tuple[str, ...],
    kind: str | None,
    note: str | None,
    mapping: tuple[str, ...],
    **flags: object,
) -> int:
    """Add the texts of files, globs, folders, URLs or `-` to bank NAME; known texts are added once.

    Rows need a text only. Bad rows are left out and counted with the reason.
    """
    from promptscan.curation import Kind, add_files

    settings = configured(ctx, **flags).settings
    of_kind = None if kind is None else Kind(kind)
    read, added = add_files(settings, name, paths, kind=of_kind, note=note, mapping=mapping)
    say_read(read, added)
    known = f", {added.known:,} known already" if added.known else ""
    then = "; the next build takes them up" if added.new else ""
    say(f"bank {vis(name)}: {added.new:,} texts added{known}{then}")
    over = read.over(settings.max_bad_rows)
    for source in over:
        say(f"  {vis(source)}: more bad rows than --max-bad-rows allows (exit code {BAD_DATA})")
    return BAD_DATA if over else 0


@bank_command.command("list")
@output_options
@click.pass_context
def list_command(ctx: click.Context, output: OutputOptions) -> int:
    """List the banks."""
    from promptscan.curation import bank_table

    table = bank_table(configured(ctx).settings.store)
    emit(table, output, columns=SHOWN, document={"banks": table.to_pylist()})
    return 0


@bank_command.command("remove")
@click.argument("name")
@click.pass_context
def remove_command(ctx: click.Context, name: str) -> int:
    """Remove bank NAME and its texts; the next build forgets it."""
    from promptscan.curation import remove_bank

    count = remove_bank(configured(ctx).settings.store, name)
    say(f"bank {vis(name)}: removed with {count:,} texts; the next build forgets it")
    return 0


def say_read(read: Texts, added: Added) -> None:
    """Say what was left out, and why."""
    for source in read.sources[:SHOWN_SOURCES]:
        if source.note or source.bad:
            bad = f"{source.bad:,} of {source.rows:,} rows left out" if source.bad else ""
            say(f"  {vis(source.name)}: {'; '.join(part for part in (source.note, bad) if part)}")
    if len(read.sources) > SHOWN_SOURCES:
        say(f"  and {len(read.sources) - SHOWN_SOURCES:,} more sources")
    for reason, count in read.reasons[:SHOWN_REASONS]:
        say(f"  {count:,} left out: {vis(reason)}")
    if len(read.reasons) > SHOWN_REASONS:
        rest = sum(count for _, count in read.reasons[SHOWN_REASONS:])
        say(f"  {rest:,} left out for {len(read.reasons) - SHOWN_REASONS:,} more reasons")
    if added.empty:
        say(f"  {added.empty:,} left out: nothing but invisible characters")
