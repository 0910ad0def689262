"""Types that every layer shares."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called by stages as they advance; draws a bar, or does nothing."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Report that `done` of `total` units of a stage are finished (`total` None when unknown)."""


def silent(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""
    del stage, done, total
