"""Talk: messages and progress bars, always on stderr, so that stdout holds nothing but data."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from promptscan.vis import vis

if TYPE_CHECKING:
    from rich.console import Console

MAX_MESSAGE = 4_000
"""Characters of a message that are shown; a longer one holds data that should not be in it."""


def say(message: object) -> None:
    """Print one message to stderr through `vis`; newlines stay."""
    click.echo(vis(message, MAX_MESSAGE, multiline=True), err=True)


def stderr_console() -> Console:
    """Return a rich console on stderr that takes no markup; colours follow NO_COLOR and the terminal."""
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, emoji=False)


@contextmanager
def progress(description: object, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on stderr while the block runs, if stderr is a terminal that can draw one.

    Args:
        description: What is being done; may hold data.
        total: Units of work, or None when unknown (the bar pulses).

    Yields:
        A function to call with the number of units just done.
    """
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = stderr_console()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
    )
    bar = Progress(*columns, console=console, transient=True, expand=True, disable=console.is_dumb_terminal)
    with bar:
        task = bar.add_task(vis(description, 60), total=total)

        def advance(done: int) -> None:
            bar.advance(task, done)

        yield advance
