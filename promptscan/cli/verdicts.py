"""verdict: what people decide about families, campaigns, alerts and accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from promptscan.cli import painting
from promptscan.cli.console import say
from promptscan.cli.output import OutputOptions, emit, output_options
from promptscan.cli.root import configured
from promptscan.cli.table import INDENT, Column, Role, has_colour
from promptscan.vis import vis

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from promptscan.api import Store
    from promptscan.views import Section

SHOWN = [
    Column("subject"),
    Column("verdict"),
    Column("ts", "when", role=Role.TIME),
    Column("actor", "who"),
    Column("note", role=Role.TEXT),
]

STYLES = {"confirmed": "bold red", "benign": "green"}


class VerdictGroup(click.Group):
    """A group whose first word may be what is judged: `verdict C-3 benign` is `verdict give C-3 benign`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take words that begin with no command's name as those of `give`."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["give", *args]
        return super().resolve_command(ctx, args)


@click.group("verdict", cls=VerdictGroup)
def verdict_command() -> None:
    """Decide about a family, campaign, alert or account: `verdict SUBJECT confirmed|benign|unsure [--note TEXT]`.

    What was judged benign or confirmed becomes an example in the bank verdicts-benign or verdicts-confirmed, and the next build
    marks whoever sends it. Benign campaigns and families raise no alert any more.
    """


@verdict_command.command("give")
@click.argument("subject")
@click.argument("verdict", type=click.Choice(["confirmed", "benign", "unsure"]))
@click.option("--note", default="", metavar="TEXT", help="Why; whoever reads the verdict sees it.")
@click.pass_context
def give_command(ctx: click.Context, subject: str, verdict: str, note: str) -> int:
    """Judge SUBJECT: F-…, C-…, A-…, or an account (account:ID where an id could be something else).

    The last verdict on a subject counts, earlier ones stay in the history. Give it again to take today's texts as examples.
    """
    from promptscan.verdicts import CAP, Decision, give

    given = give(configured(ctx).settings.store, subject, Decision(verdict), note)
    kept = ""
    if given.bank is not None:
        most = f", the {CAP:,} most sent" if given.n_texts == CAP else ""
        kept = f"; {given.n_texts:,} texts are in bank {given.bank}{most}; the next build takes them up"
    say(f"{vis(given.verdict.subject)}: {verdict}{kept}")
    return 0


@verdict_command.command("list")
@click.option("--history", is_flag=True, help="All verdicts, also those that others replaced, oldest first.")
@output_options
@click.pass_context
def list_command(ctx: click.Context, *, history: bool, output: OutputOptions) -> int:
    """List the verdicts that count."""
    from promptscan.verdicts import current_verdicts, verdict_table, verdicts

    root = configured(ctx).settings.store
    table = verdict_table(verdicts(root) if history else list(current_verdicts(root).values()))
    emit(table, output, columns=SHOWN, document={"verdicts": table.to_pylist()})
    return 0


@verdict_command.command("withdraw")
@click.argument("subject")
@click.pass_context
def withdraw_command(ctx: click.Context, subject: str) -> int:
    """Take back the verdict on SUBJECT, and its examples out of the banks; the history keeps it."""
    from promptscan.verdicts import withdraw

    taken = withdraw(configured(ctx).settings.store, subject)
    say(f"{vis(taken.subject)}: verdict withdrawn; the next build forgets its examples")
    return 0


def verdict_notes(row: Mapping[str, Any], console: Console) -> list[Text]:
    """Draw below a listed row what a person decided about it."""
    one = row["verdict"]
    if one is None:
        return []
    said = f"judged {one['verdict']} by {vis(one['actor'], 40)}, {one['ts']:%Y-%m-%d}"
    said += f": {vis(one['note'], 300)}" if one["note"] else ""
    style = STYLES.get(one["verdict"], "") if has_colour(console) else ""
    return painting.wrapped(painting.plain(said, style), console.width - INDENT, 2, console)


def verdict_sections(store: Store, kind: str, key: str) -> list[Section]:
    """Return the section `verdict` of what can be judged: the verdict that counts, or no row; nothing for other kinds."""
    from promptscan.verdicts import KINDS, current_verdicts, subject_of, verdict_table
    from promptscan.views import Section

    if kind not in KINDS:
        return []
    verdict = current_verdicts(store.generation.root).get(subject_of(kind, key))
    rows = verdict_table([] if verdict is None else [verdict]).drop_columns("subject")
    return [Section("verdict", "Verdict", True, rows, key)]
