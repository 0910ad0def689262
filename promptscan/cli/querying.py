"""sql, export: the store's views for whoever wants more."""

from __future__ import annotations

import sys

import click

from promptscan.cli.formats import Format
from promptscan.cli.output import OutputOptions, emit, output_options
from promptscan.cli.root import configured
from promptscan.errors import UsageError

ENFORCEMENT = "enforcement"


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
@click.option("--campaign", metavar="C-…", help="Of `enforcement`: only accounts of this campaign.")
@click.option(
    "--min-score", type=click.FloatRange(0, 1), help="Of `enforcement`: only accounts that score so much (default 0.5)."
)
@output_options
@click.pass_context
def export_command(
    ctx: click.Context,
    /,
    table: str,
    out: str | None,
    campaign: str | None,
    min_score: float | None,
    output: OutputOptions,
) -> int:
    """Write a view as Parquet, CSV, JSON Lines or Arrow; CSV to standard output without -o.

    TABLE is a view (docs/tables.md), or `enforcement`: the accounts of campaigns, surest first, one row each, with reasons, shared
    entities and verdicts, and without any text. Accounts and campaigns that were judged benign are left out.
    """
    from promptscan.api import Store
    from promptscan.enforcement import LEAST, enforcement

    settings = configured(ctx).settings
    if out is not None:
        output = OutputOptions.of([] if output.is_table else [output.form], out)
    elif output.is_table:
        output = OutputOptions(Format.CSV)
    if table != ENFORCEMENT and (campaign is not None or min_score is not None):
        raise UsageError(f"--campaign and --min-score are for `export {ENFORCEMENT}`")
    with Store(settings.store, settings) as store, store.connect() as con:
        if table == ENFORCEMENT:
            least = LEAST if min_score is None else min_score
            flat = output.form is Format.CSV
            emit(enforcement(con, settings.store, campaign=campaign, min_score=least, flat=flat), output)
            return 0
        views = sorted(
            row[0] for row in con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        )
        views = [view for view in views if not view.startswith("base_")]
        if table not in views:
            raise UsageError(f"there is no view {table!r}; views are {', '.join(views)}, and {ENFORCEMENT} is a list")
        emit(con.table(table).to_arrow_reader(8192), output)
    return 0
