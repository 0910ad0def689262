"""replay: a log period by period, and when each alert first fired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from promptscan.cli.bars import stage_bars
from promptscan.cli.console import say
from promptscan.cli.judging import show_alert_evaluation
from promptscan.cli.output import OutputOptions, emit, output_options
from promptscan.cli.root import configured
from promptscan.cli.table import Column, Role
from promptscan.cli.writing import BAD_DATA, building_options, paths_argument, reading_options
from promptscan.vis import vis

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from promptscan.replay import ReplayReport

COLUMNS = [
    Column("number", "period", role=Role.ID),
    Column("start", role=Role.TIME),
    Column("prompts", "new prompts"),
    Column("n_prompts", "prompts"),
    Column("n_families"),
    Column("n_campaigns"),
    Column("new_alerts"),
    Column("all_alerts"),
    Column("seconds", role=Role.SCORE),
]


@click.command("replay")
@paths_argument
@click.option(
    "--by",
    default="day",
    show_default=True,
    metavar="PERIOD",
    help="hour, day, week, 12h, 3d, 2w; or several, the last of which repeats: 7*day,3d.",
)
@click.option("--until", type=click.IntRange(min=1), metavar="N", help="Stop after N periods; the next run goes on.")
@click.option("--truth", metavar="FILE", help="Judge the alerts by a truth.parquet: prompt_id, campaign_id, label.")
@reading_options
@building_options
@output_options
@click.pass_context
def replay_command(
    ctx: click.Context,
    /,
    paths: tuple[str, ...],
    by: str,
    until: int | None,
    truth: str | None,
    accounts: str | None,
    mapping: tuple[str, ...],
    output: OutputOptions,
    **flags: Any,
) -> int:
    """Feed a log period by period, in the order of its times, and record when each alert first fired.

    Each period is one ingest and build, as a scheduled scan would have made them; the accounts file is read as far as its
    accounts were created by then. Run again, it goes on where it stopped.
    """
    from promptscan.replay import replay

    settings = configured(ctx, **flags).settings
    with stage_bars() as progress:
        report = replay(
            paths, settings, accounts=accounts, mapping=mapping, by=by, until=until, truth=truth, progress=progress
        )
    show_replay(report, output)
    return BAD_DATA if report.over_limit else 0


def show_replay(report: ReplayReport, output: OutputOptions) -> None:
    """Output a replay: its periods as a table with the alerts below them, then what they are worth."""
    import pyarrow as pa

    rows = [
        {
            "number": period.number,
            "start": period.start,
            "end": period.end,
            "rows": period.rows,
            "prompts": period.prompts,
            "n_prompts": period.n_prompts,
            "n_families": period.n_families,
            "n_campaigns": period.n_campaigns,
            "new_alerts": len(period.alerts),
            "all_alerts": len(period.growth),
            "seconds": period.seconds,
        }
        for period in report.periods
    ]
    times = ("start", "end")
    names = [column.name for column in COLUMNS]
    schema = pa.schema(
        [
            (name, pa.timestamp("us") if name in times else pa.float64() if name == "seconds" else pa.int64())
            for name in ("number", "start", "end", "rows", *names[2:])
        ]
    )
    fired = {period.number: period.alerts for period in report.periods}

    def notes(row: Mapping[str, object], console: Console) -> Sequence[Text]:
        from rich.text import Text

        del console
        lines = []
        for alert in fired.get(int(str(row["number"])), ()):
            when = f"{alert.fired_at:%Y-%m-%d %H:%M}" if alert.fired_at else "without a time"
            day = f", day {alert.day}" if alert.day is not None else ""
            lines.append(Text(vis(f"{alert.alert_id} fired {when}{day}: {alert.message or alert.campaign_id}", 400)))
        return lines

    table = pa.Table.from_pylist(rows, schema=schema)
    emit(table, output, title="Replay", columns=COLUMNS, document=report.to_dict(), notes=notes)
    if report.evaluation is not None and output.is_table:
        show_alert_evaluation(report.evaluation, output)
    say_replay(report)


def say_replay(report: ReplayReport) -> None:
    """Say what the table does not show."""
    if report.empty:
        say(f"{report.empty:,} periods between them have no prompts")
    if report.timeless:
        say(f"{report.timeless:,} rows have no usable time; they are in the first period")
    if report.quarantined:
        say(f"{report.quarantined:,} rows or files are in quarantine")
    if any(period.ahead for period in report.periods):
        say("the store held later prompts before a period was fed: its alerts may have seen the future")
    if report.left:
        say(f"{report.left:,} periods are left; run the same command again without --until")
    for name in report.over_limit:
        say(f"  {vis(name)}: more bad rows than --max-bad-rows allows (exit code {BAD_DATA})")
