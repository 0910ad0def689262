"""Progress of a run of stages: one bar at a time, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from promptscan.cli.console import progress
from promptscan.types import Progress


@contextmanager
def stage_bars() -> Iterator[Progress]:
    """Yield a `Progress` that draws a bar for the stage that is running."""
    with ExitStack() as stack:
        current: dict[str, tuple[Callable[[int], None], int]] = {}

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in current or done < current[stage][1]:
                stack.pop_all().close()
                current.clear()
                current[stage] = (stack.enter_context(progress(stage, total)), 0)
            advance, before = current[stage]
            advance(done - before)
            current[stage] = (advance, done)

        yield report
