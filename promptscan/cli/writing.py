"""Commands that write to the store: ingest, build, scan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptscan.cli.bars import stage_bars
from promptscan.cli.console import say
from promptscan.cli.root import configured
from promptscan.vis import vis

if TYPE_CHECKING:
    from promptscan.api import ScanReport
    from promptscan.build import BuildReport
    from promptscan.ingest import AccountsReport, IngestReport

BAD_DATA = 4
SHOWN_SOURCES = 20

paths_argument = click.argument("paths", nargs=-1, required=True, metavar="PATH...")


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how input is read."""
    for option in reversed(
        (
            click.option(
                "--accounts",
                metavar="FILE",
                help="Accounts file: account_id, created_at, org_id, payment_id, ip, asn, ...",
            ),
            click.option(
                "--map",
                "mapping",
                multiple=True,
                metavar="FIELD=COLUMN",
                help="Read FIELD (text, account_id, ts, prompt_id, ...) from COLUMN; dotted paths reach into JSON.",
            ),
            click.option("--max-chars", type=int, help="Quarantine longer texts (default 1000000)."),
            click.option(
                "--max-bad-rows", type=float, help="Exit with 4 when a larger share of a source was bad (default 0.01)."
            ),
        )
    ):
        command = option(command)
    return command


def building_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how the store is built."""
    for option in reversed(
        (
            click.option(
                "--encoder", help="static (a new store's default), minilm, or a sentence-transformers name or folder."
            ),
            click.option("--device", help="cpu, cuda, or auto (default)."),
            click.option(
                "--min-family-size", type=int, help="Distinct texts that make a cluster a family (default 5)."
            ),
            click.option(
                "--seeds",
                "capability_seeds",
                metavar="PATH",
                help="Folder of seed banks (*.toml), or one, that add capabilities or replace known ones; so does STORE/seeds.",
            ),
            click.option(
                "--alert-budget",
                type=float,
                help="False alerts a day that are accepted, in days of the log (default 1).",
            ),
            click.option(
                "--models", metavar="FILE", help="models.toml: a table [models] of names and when they were released."
            ),
        )
    ):
        command = option(command)
    return command


@click.command("ingest")
@paths_argument
@reading_options
@click.pass_context
def ingest_command(
    ctx: click.Context, /, paths: tuple[str, ...], accounts: str | None, mapping: tuple[str, ...], **flags: Any
) -> int:
    """Add prompts from files, globs, folders, URLs or `-`; rows that are known are added once.

    Bad rows are quarantined with a reason; `promptscan sql "from quarantine"` lists them.
    """
    from promptscan.api import read_in, writing
    from promptscan.build import Run, commit

    settings = configured(ctx, **flags).settings
    run = Run.start("ingest")
    with stage_bars() as progress, writing(settings) as writer:
        report, known = read_in(writer, settings, run, paths, accounts=accounts, mapping=mapping, progress=progress)
        built = commit(writer, settings, run)
    say_accounts(known)
    say_ingest(report, run.seconds.get("ingest", 0.0))
    say(f"generation {built.generation} is live" if built.changed else "nothing new; the store is unchanged")
    return BAD_DATA if report.over_limit else 0


@click.command("build")
@building_options
@click.option(
    "--recluster",
    is_flag=True,
    help="Cluster all texts again, not only what no known family took; with --encoder NAME embed them again too. Family ids are kept.",
)
@click.pass_context
def build_command(ctx: click.Context, /, *, recluster: bool, **flags: Any) -> int:
    """Build everything that is missing: texts, vectors, index, neighbours, families, joins with accounts."""
    from promptscan.api import writing
    from promptscan.build import Run, build

    settings = configured(ctx, **flags).settings
    with stage_bars() as progress, writing(settings) as writer:
        report = build(writer, settings, Run.start("build"), progress=progress, recluster=recluster)
    say_build(report)
    return 0


@click.command("scan")
@paths_argument
@reading_options
@building_options
@click.option("--out", metavar="DIR", help="Folder of the report (default: STORE/report).")
@click.pass_context
def scan_command(
    ctx: click.Context,
    /,
    paths: tuple[str, ...],
    accounts: str | None,
    mapping: tuple[str, ...],
    out: str | None,
    **flags: Any,
) -> int:
    """Ingest, build, and write the report."""
    from promptscan.api import scan
    from promptscan.cli.reporting import write_reports

    settings = configured(ctx, **flags).settings
    with stage_bars() as progress:
        report = scan(paths, accounts=accounts, mapping=mapping, settings=settings, progress=progress)
    say_scan(report)
    folder = Path(out) if out else settings.store / "report"
    if report.build.changed or not (folder / "report.html").exists():
        for path in write_reports(settings, folder):
            say(f"wrote {path}")
    return BAD_DATA if report.ingest.over_limit else 0


def say_scan(report: ScanReport) -> None:
    """Say what a scan did."""
    say_accounts(report.accounts)
    say_ingest(report.ingest, report.build.seconds.get("ingest", 0.0))
    say_build(report.build)


def say_accounts(report: AccountsReport | None) -> None:
    """Say what the accounts file held."""
    if report is None:
        return
    if report.known:
        say(f"accounts: {vis(report.name)} was read before")
    else:
        say(
            f"accounts: {report.rows:,} from {vis(report.name)}"
            + (f", {report.bad:,} rows without an id" if report.bad else "")
        )


def say_ingest(report: IngestReport, seconds: float) -> None:
    """Say what came in, and what did not and why."""
    for source in report.sources[:SHOWN_SOURCES]:
        if source.note or source.bad:
            bad = f"{source.bad:,} of {source.rows:,} rows quarantined" if source.bad else ""
            say(f"  {vis(source.name)}: {'; '.join(part for part in (source.note, bad) if part)}")
    if len(report.sources) > SHOWN_SOURCES:
        say(f"  and {len(report.sources) - SHOWN_SOURCES:,} more sources")
    known = f", {report.known:,} known already" if report.known else ""
    say(f"ingest: {report.added:,} prompts added{known}, {report.new_texts:,} new texts, {seconds:.1f} s")
    if report.conflicts:
        say(f"  {report.conflicts:,} prompts had the id of another prompt; they are kept apart as ID~HASH")
    if report.quarantined:
        say(
            f'  {report.quarantined:,} new rows or files in quarantine: promptscan sql "select reason, count(*) from quarantine group by all"'
        )
    for name in report.over_limit:
        say(f"  {vis(name)}: more bad rows than --max-bad-rows allows (exit code {BAD_DATA})")


def say_build(report: BuildReport) -> None:
    """Say what each stage did."""
    if not report.changed:
        say(f"nothing new; generation {report.generation} stays live")
        return
    stages, seconds = report.stages, report.seconds
    lines = {
        "encoder": "{texts:,} texts are embedded with {after} instead of {before}",
        "normalise": "{new_cleans:,} new clean texts",
        "fingerprint": "{fingerprints:,} fingerprints of {texts:,} texts, {decoded:,} of them hide encoded content",
        "banks": "{banks:,} banks of {examples:,} examples, {hits:,} new hits",
        "embed": "{texts:,} texts, {chunks:,} windows of long texts",
        "index": "{rows:,} vectors, {recipe}, recall@10 {recall:.3f}",
        "neighbours": "{texts:,} texts joined, {intersection:.3f} of the true neighbours",
        "compare": "{pairs:,} pairs compared, {worded:,} share wording",
        "calibrate": "edits from {edit:.2f}, frames from {template:.2f}, rewordings from cosine {reword:.2f} ({pairs:,} background pairs)",
        "templates": "{templates:,} new templates, {templated:,} texts in templates, {groups:,} new duplicate groups",
        "probes": "{templates:,} templates ask for {probes:,} things",
        "families": "{families:,} families ({born:,} new), {clustered:,} texts in them, {noise:,} in none",
        "capabilities": "{probing:,} of {families:,} families probe something",
        "accounts": "{accounts:,} accounts, {pairs:,} family-account pairs",
        "evidence": "{eligible:,} of {families:,} shared families are templates, {passed:,} of them have senders that act as one",
        "campaigns": "{campaigns:,} campaigns of {accounts:,} accounts, {fired:,} new alerts",
    }
    for name, line in lines.items():
        if name in stages:
            say(f"{name}: {line.format(**stages[name])}, {seconds.get(name, 0.0):.1f} s")
    if stages.get("families", {}).get("alike"):
        say("  all vectors are the same, so families come from templates and duplicates alone; try another --encoder")
    say(f"generation {report.generation} is live")
    if stages.get("campaigns", {}).get("fired"):
        say("new alerts: `promptscan alerts` says who, since when, why, and why they may be wrong")
