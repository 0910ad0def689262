"""report: what the scheduled job writes every morning."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptscan.cli.console import say
from promptscan.cli.root import configured
from promptscan.errors import UsageError

if TYPE_CHECKING:
    from promptscan.config import Settings

FINDINGS = 10


@click.command("report")
@click.option(
    "--since", metavar="WHEN", help="News since a date, an age such as 7d, or `last` (the previous build; the default)."
)
@click.option("--out", metavar="DIR", help="Folder to write to (default: STORE/report).")
@click.option(
    "--format", "formats", default="html,json", show_default=True, metavar="LIST", help="html, json, or both."
)
@click.option(
    "--exit-code", is_flag=True, help="Exit with 10 when there is a new alert, or families are new or changed."
)
@click.pass_context
def report_command(ctx: click.Context, since: str | None, out: str | None, formats: str, *, exit_code: bool) -> int:
    """Write the report as one HTML page that opens offline, and as JSON."""
    settings = configured(ctx).settings
    folder = Path(out) if out else settings.store / "report"
    chosen = tuple(part.strip() for part in formats.split(",") if part.strip())
    paths, findings = _write(settings, folder, since, chosen)
    for path in paths:
        say(f"wrote {path}")
    return FINDINGS if exit_code and findings else 0


def write_reports(settings: Settings, folder: Path) -> list[Path]:
    """Write the report in its default formats."""
    return _write(settings, folder, None, ("html", "json"))[0]


def _write(settings: Settings, folder: Path, since: str | None, formats: tuple[str, ...]) -> tuple[list[Path], int]:
    from promptscan.api import Store, moment
    from promptscan.report import ReportFormat, collect, write_report
    from promptscan.verdicts import decided

    try:
        chosen = [ReportFormat(name) for name in formats]
    except ValueError:
        raise UsageError(
            f"--format {','.join(formats)} is not usable; wanted {' or '.join(ReportFormat)}, comma-separated"
        ) from None
    with Store(settings.store, settings) as store, store.connect() as con:
        last = since in {None, "last"}
        document = collect(
            con,
            since=None if last else moment(con, str(since)),
            last_build=last,
            decided=decided(store.generation.root),
        )
    return write_report(document, folder, chosen), document.facts.n_events + document.facts.n_alerts
