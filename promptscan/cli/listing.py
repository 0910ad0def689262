"""families, templates, duplicates, accounts: lists of a view, or one whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from promptscan.cli.output import OutputOptions, emit, output_options
from promptscan.cli.root import configured
from promptscan.cli.table import Column, Role

SHOWN: dict[str, list[Column]] = {
    "families": [
        Column("family_id", "family"),
        Column("score"),
        Column("n_prompts", "sent"),
        Column("n_accounts", "by"),
        Column("reuse"),
        Column("last_ts", "last seen"),
        Column("label", role=Role.TEXT),
    ],
    "templates": [
        Column("template_id", "template"),
        Column("n_prompts", "sent"),
        Column("n_accounts", "by"),
        Column("n_slots", "slots"),
        Column("compression", "saved", role=Role.SHARE),
        Column("template", "fixed text and slots", role=Role.TEXT),
    ],
    "duplicates": [
        Column("duplicate_id", "group", role=Role.ID),
        Column("n_texts", "texts"),
        Column("n_prompts", "sent"),
        Column("n_accounts", "by"),
        Column("worst_score", "worst pair"),
    ],
    "accounts": [
        Column("account_id", "account"),
        Column("n_prompts", "prompts"),
        Column("first_ts", "first seen"),
        Column("last_ts", "last seen"),
        Column("created_at", "created"),
    ],
}


def list_command(view: str, one: str, text: str) -> click.Command:
    """Make the command that lists a view, or shows one row of it with its evidence."""

    @click.command(view, help=text)
    @click.argument("identifier", required=False, metavar=f"[{one.upper()}]")
    @click.option("--since", metavar="WHEN", help="Only what was seen since a date, or an age such as 7d.")
    @click.option("--new", is_flag=True, help="Only what is new (first seen --since then, or in the last build).")
    @click.option("--sort", metavar="COLUMN", help="Sort by a column; -COLUMN for the largest first.")
    @click.option(
        "-n", "limit", type=click.IntRange(min=1), help="At most so many rows (a terminal shows 25; -n lifts that)."
    )
    @click.option("--where", metavar="EXPR", help="Only rows for which EXPR holds.")
    @output_options
    @click.pass_context
    def command(
        ctx: click.Context, /, identifier: str | None, limit: int | None, output: OutputOptions, **options: Any
    ) -> int:
        from promptscan.api import Store
        from promptscan.cli.showing import show

        settings = configured(ctx).settings
        with Store(settings.store, settings) as store:
            if identifier is not None:
                show(store, f"{one}:{identifier}", output)
                return 0
            shown = limit if limit is not None or not output.is_table else 25
            rows = store.list_rows(view, limit=shown, **options)
        emit(rows, output, columns=SHOWN[view], document={view: rows.to_pylist()})
        return 0

    return command


_make: Callable[[str, str, str], click.Command] = list_command
families_command = _make("families", "family", "List families of prompts, highest score first, or show one.")
templates_command = _make("templates", "template", "List templates with typed slots, most accounts first, or show one.")
duplicates_command = _make(
    "duplicates", "duplicate", "List groups of near-duplicates, most accounts first, or show one."
)
accounts_command = _make("accounts", "account", "List accounts, most prompts first, or show one.")
