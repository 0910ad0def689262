"""The command group; a command's module is imported when the command is used."""

from __future__ import annotations

from importlib import import_module

import click

from promptscan.config import Configured
from promptscan.version import __version__

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("experiments", "Simulate a log with planted campaigns, scan it, show what was found."),
    "scan": ("writing", "Ingest, build and report in one go."),
    "ingest": ("writing", "Add prompts to the store; the same rows are added once."),
    "build": ("writing", "Build everything that is missing."),
    "search": ("searching", "Show prompts like this, and who sent them."),
    "families": ("listing", "List families of prompts, or show one."),
    "templates": ("listing", "List templates with typed slots, or show one."),
    "duplicates": ("listing", "List groups of near-duplicate texts, or show one."),
    "campaigns": ("listing", "List campaigns: accounts that act together, or show one."),
    "alerts": ("listing", "List alerts about campaigns, or show one."),
    "accounts": ("listing", "List accounts, or show one."),
    "show": ("showing", "Show anything by its id."),
    "replay": ("replaying", "Feed a log period by period; when did each alert fire?"),
    "report": ("reporting", "Write the report: what is new, grown, split, merged, gone."),
    "sql": ("querying", "Run a read-only SQL query over the store's views."),
    "export": ("querying", "Write a view as Parquet, CSV or JSON Lines."),
    "simulate": ("experiments", "Write a realistic log with planted campaigns and its truth."),
    "verdict": ("verdicts", "Decide about a family, campaign, alert or account."),
    "bank": ("banking", "Keep known-benign and known-bad examples."),
    "indicators": ("indicators", "Share templates without prompts, and mark those that others shared."),
    "eval": ("experiments", "Compare the store's families with a truth file."),
    "fsck": ("operations", "Check that the store holds what it says it holds."),
    "doctor": ("operations", "Check that this machine can run promptscan."),
    "config": ("operations", "Show every setting and where it came from."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports them on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List commands in the order of use, not of the alphabet."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"promptscan.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, f"{cmd_name}_command")
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List commands with their one-line help, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="promptscan")
@click.option("--store", metavar="DIR", help="Folder of the store (default: indexes/default, or PROMPTSCAN_STORE).")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def root(ctx: click.Context, store: str | None, *, debug: bool) -> None:
    """Prompts like this, and who sent them.

    promptscan finds families of near-duplicate and templated prompts in a log, and the accounts that share them. It
    advises; a person decides.
    """
    del debug
    ctx.obj = {"store": store}


def configured(ctx: click.Context, **flags: object) -> Configured:
    """Merge the settings of a command: its flags over environment, files and defaults."""
    return Configured.load({**ctx.obj, **flags})
