"""show: anything by its id, whole, with its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from promptscan.cli.output import OutputOptions, emit, output_options, present
from promptscan.cli.root import configured
from promptscan.errors import UsageError

if TYPE_CHECKING:
    from promptscan.api import Store


@click.command("show")
@click.argument("identifier", metavar="ID")
@output_options
@click.pass_context
def show_command(ctx: click.Context, identifier: str, output: OutputOptions) -> int:
    """Show a campaign, alert, family, account, prompt, text or template by its ID, with everything that belongs to it.

    An ID that could be several things is looked up as family, campaign, alert, template, prompt, account, then text number;
    write account:ID (or prompt:, text:, family:, template:, campaign:, alert:, duplicate:) to choose.
    """
    from promptscan.api import Store

    settings = configured(ctx).settings
    with Store(settings.store, settings) as store:
        show(store, identifier, output)
    return 0


def show(store: Store, identifier: str, output: OutputOptions) -> None:
    """Output everything about one id."""
    from promptscan.cli.pages import page
    from promptscan.cli.verdicts import verdict_sections
    from promptscan.judgement import text_probes
    from promptscan.views import Section, find, sections

    with store.connect() as con:
        kind, key = find(con, identifier)
        found = sections(con, kind, key)
        if kind in {"text", "prompt"}:
            rows = text_probes(store.generation, con, found[0].rows["text_id"][0].as_py())
            found.insert(1, Section("probes", "What it probes", False, rows, key))
    found[1:1] = verdict_sections(store, kind, key)
    if output.is_table:
        present(lambda console: page(console, kind, found))
        return
    document: dict[str, Any] = {"kind": kind, "id": key}
    for section in found:
        rows = section.rows.to_pylist()
        document[section.name] = (rows[0] if rows else None) if section.single else rows
    if output.form.value in {"json", "jsonl"}:
        emit(found[0].rows, output, document=document)
    elif len(found[0].rows):
        emit(found[0].rows, output)
    else:
        raise UsageError(f"{identifier} has nothing to write in this format; use --json")
