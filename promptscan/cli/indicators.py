"""indicators: templates to recognise, shared without a prompt."""

from __future__ import annotations

from pathlib import Path

import click

from promptscan.cli.console import say
from promptscan.cli.output import OutputOptions, emit, output_options
from promptscan.cli.root import configured
from promptscan.cli.table import Column, Role
from promptscan.vis import vis

SHOWN = [
    Column("name"),
    Column("n_templates", "templates"),
    Column("added_at", "imported", role=Role.TIME),
    Column("actor", "by"),
]


@click.group("indicators")
def indicators_command() -> None:
    """Share templates without prompts: hashes, a few fingerprints and the grammar of slots, in a JSON document.

    What others shared is imported under a name; the next build marks texts that hold it as known to the bad bank
    indicators:NAME. docs/guides/verdicts.md says what a reader of the document can infer.
    """


@indicators_command.command("export")
@click.option("--campaign", metavar="C-…", help="Templates of this campaign.")
@click.option("--family", metavar="F-…", help="Templates of this family.")
@click.option("--out", required=True, metavar="FILE.json", help="The document to write.")
@click.pass_context
def export_command(ctx: click.Context, campaign: str | None, family: str | None, out: str) -> int:
    """Write the indicators of a campaign or a family; of all campaigns that were not judged benign by default.

    The document holds no text, no slot value, no account and no id of this store. Templates with too little fixed text, or of one
    account only, are left out.
    """
    from promptscan.sharing import share

    path = Path(out)
    shared = share(configured(ctx).settings.store, path, campaign=campaign, family=family)
    left = f"; {shared.short:,} left out, their fixed text is too short" if shared.short else ""
    say(f"wrote {vis(path)}: {len(shared.indicators):,} templates{left}")
    return 0


@indicators_command.command("import")
@click.argument("file", metavar="FILE.json")
@click.option(
    "--name", metavar="NAME", help="What to call them (default: the file's name); replaces what has the name."
)
@click.pass_context
def import_command(ctx: click.Context, file: str, name: str | None) -> int:
    """Keep the indicators of FILE.json, which somebody else exported."""
    from promptscan.indicator_sets import SHARED, import_indicators

    imported = import_indicators(configured(ctx).settings.store, Path(file), name)
    kept = imported.kept
    if not imported.changed:
        say(f"indicators {vis(kept.name)}: {kept.n_templates:,} templates, known already")
        return 0
    done = "imported" if imported.new else "replaced"
    say(
        f"indicators {vis(kept.name)}: {kept.n_templates:,} templates {done}; the next build marks them as {SHARED}{kept.name}"
    )
    return 0


@indicators_command.command("list")
@output_options
@click.pass_context
def list_command(ctx: click.Context, output: OutputOptions) -> int:
    """List what was imported."""
    from promptscan.indicator_sets import indicator_table

    table = indicator_table(configured(ctx).settings.store)
    emit(table, output, columns=SHOWN, document={"indicators": table.to_pylist()})
    return 0


@indicators_command.command("remove")
@click.argument("name")
@click.pass_context
def remove_command(ctx: click.Context, name: str) -> int:
    """Remove what was imported as NAME; the next build forgets it."""
    from promptscan.indicator_sets import remove_indicators

    count = remove_indicators(configured(ctx).settings.store, name)
    say(f"indicators {vis(name)}: removed with {count:,} templates; the next build forgets them")
    return 0
