"""fsck, doctor, config: is the store sound, is the machine fit, what is set."""

from __future__ import annotations

import click

from promptscan.cli.console import say
from promptscan.cli.output import OutputOptions, emit, output_options
from promptscan.cli.root import configured
from promptscan.cli.table import Column, Role

DAMAGED = 3


@click.command("fsck")
@click.option("--deep", is_flag=True, help="Read every byte and compare digests.")
@output_options
@click.pass_context
def fsck_command(ctx: click.Context, *, deep: bool, output: OutputOptions) -> int:
    """Check the live generation: every file there, of the right size and (--deep) content.

    Exits with 3 when data is damaged. What is derived is rebuilt by the next build; leftovers only take space.
    """
    import pyarrow as pa

    from promptscan.store import check

    root = configured(ctx).settings.store.absolute()
    problems = list(check(root, deep=deep))
    table = pa.table(
        {
            "severity": pa.array([problem.severity for problem in problems], pa.string()),
            "path": pa.array([problem.path for problem in problems], pa.string()),
            "message": pa.array([problem.message for problem in problems], pa.string()),
        }
    )
    damaged = sum(problem.severity == "damaged" for problem in problems)
    document = {"store": str(root), "deep": deep, "damaged": damaged, "problems": table.to_pylist()}
    if problems or not output.is_table:
        emit(table, output, document=document)
    say(f"{root}: {damaged} damaged, {len(problems) - damaged} other findings" if problems else f"{root}: sound")
    return DAMAGED if damaged else 0


@click.command("doctor")
@output_options
@click.pass_context
def doctor_command(ctx: click.Context, output: OutputOptions) -> int:
    """Check that this machine can run promptscan: versions, encoder, memory, disk, store."""
    import pyarrow as pa

    from promptscan.doctor import examine

    settings = configured(ctx).settings
    findings = examine(settings)
    table = pa.table(
        {
            "check": pa.array([finding.check for finding in findings], pa.string()),
            "ok": pa.array(["ok" if finding.ok else "FAIL" for finding in findings], pa.string()),
            "finding": pa.array([finding.message for finding in findings], pa.string()),
        }
    )
    emit(table, output, columns=[Column("check"), Column("ok"), Column("finding", role=Role.TEXT)])
    return 0 if all(finding.ok for finding in findings) else 1


@click.group("config")
def config_command() -> None:
    """Show every setting and where it came from."""


@config_command.command("show")
@click.option("--origin", is_flag=True, help="Say where each value came from.")
@output_options
@click.pass_context
def config_show(ctx: click.Context, *, origin: bool, output: OutputOptions) -> int:
    """Show every setting."""
    import pyarrow as pa

    found = configured(ctx)
    names = list(found.origins)
    columns = {
        "setting": pa.array(names, pa.string()),
        "value": pa.array([str(getattr(found.settings, name)) for name in names], pa.string()),
        "origin": pa.array([found.origins[name] for name in names], pa.string()),
    }
    table = pa.table(columns if origin else {name: columns[name] for name in ("setting", "value")})
    emit(table, output, document={"settings": table.to_pylist()})
    return 0
