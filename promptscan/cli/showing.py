"""show: anything by its id, whole, with its evidence."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from promptscan.cli.output import OutputOptions, emit, output_options
from promptscan.cli.root import configured
from promptscan.cli.table import Column, Role
from promptscan.errors import UsageError
from promptscan.views import Section, find, sections

if TYPE_CHECKING:
    from promptscan.api import Store


@click.command("show")
@click.argument("identifier", metavar="ID")
@output_options
@click.pass_context
def show_command(ctx: click.Context, identifier: str, output: OutputOptions) -> int:
    """Show a prompt, text, template, family or account by its ID, with everything that belongs to it.

    An ID that could be several things is looked up as family, template, prompt, account, then text number; write
    account:ID (or prompt:, text:, family:, template:, duplicate:) to choose.
    """
    from promptscan.api import Store

    settings = configured(ctx).settings
    with Store(settings.store, settings) as store:
        show(store, identifier, output)
    return 0


def show(store: Store, identifier: str, output: OutputOptions) -> None:
    """Output everything about one id."""
    with store.connect() as con:
        kind, key = find(con, identifier)
        found = sections(con, kind, key)
    if output.is_table:
        for section in found:
            if len(section.rows):
                emit(
                    _facts(section) if section.single else section.rows,
                    output,
                    title=section.title,
                    columns=_columns(section),
                )
        return
    document: dict[str, Any] = {"kind": kind, "id": key}
    for section in found:
        rows = section.rows.to_pylist()
        document[section.name] = rows[0] if section.single else rows
    if output.form.value in {"json", "jsonl"}:
        emit(found[0].rows, output, document=document)
    elif len(found[0].rows):
        emit(found[0].rows, output)
    else:
        raise UsageError(f"{identifier} has nothing to write in this format; use --json")


def _facts(section: Section) -> Any:
    """Turn a one-row table on its side: a name and a value a line, without what is not known."""
    import pyarrow as pa

    row = section.rows.to_pylist()[0]
    known = {name: value for name, value in row.items() if value is not None}
    return pa.table(
        {
            "what": pa.array(list(known), pa.string()),
            "value": pa.array([_plain(name, value) for name, value in known.items()], pa.string()),
        }
    )


def _plain(name: str, value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if name.endswith("_id"):
        return str(value)
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _columns(section: Section) -> list[Column] | None:
    return [Column("what", " "), Column("value", " ", role=Role.TEXT)] if section.single else None
