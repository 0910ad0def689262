"""sql, export: the store's views for whoever wants more."""

from __future__ import annotations

import sys

import click

from promptscan.cli.formats import Format
from promptscan.cli.output import OutputOptions, emit, output_options
from promptscan.cli.root import configured
from promptscan.errors import UsageError


@click.command("sql")
@click.argument("query")
@output_options
@click.pass_context
def sql_command(ctx: click.Context, query: str, output: OutputOptions) -> int:
    """Run one read-only query over the store's views (docs/tables.md); `-` reads it from standard input.

    The connection sees this store and nothing else. `show tables` lists the views.
    """
    from promptscan.api import Store

    settings = configured(ctx).settings
    with Store(settings.store, settings) as store:
        table = store.sql(sys.stdin.read() if query == "-" else query)
    emit(table, output)
    return 0


@click.command("export")
@click.argument("table")
@click.option("--out", "out", metavar="FILE", help="Same as -o.")
@output_options
@click.pass_context
def export_command(ctx: click.Context, table: str, out: str | None, output: OutputOptions) -> int:
    """Write a view as Parquet, CSV, JSON Lines or Arrow; CSV to standard output without -o."""
    from promptscan.api import Store

    settings = configured(ctx).settings
    if out is not None:
        output = OutputOptions.of([] if output.is_table else [output.form], out)
    elif output.is_table:
        output = OutputOptions(Format.CSV)
    with Store(settings.store, settings) as store, store.connect() as con:
        views = sorted(
            row[0] for row in con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        )
        views = [view for view in views if not view.startswith("base_")]
        if table not in views:
            raise UsageError(f"there is no view {table!r}; views are {', '.join(views)}")
        emit(con.table(table).to_arrow_reader(8192), output)
    return 0
