"""Prompts per day in a few characters: a bar for each stretch of days, all rows of a table on one time axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

BARS = " ▁▂▃▄▅▆▇█"
ASCII_BARS = " .:-=+*#@"
MAX_DAYS = 92
"""Days on the axis: the newest ones."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The days that every trend of a table shows, both included."""

    first: date
    last: date

    @classmethod
    def of(cls, days: Iterable[Mapping[str, Any]], most: int = MAX_DAYS) -> Axis | None:
        """Return the axis from the first to the last of some days, or the last `most` of it; None without any day."""
        found = [one["day"] for one in days]
        if not found:
            return None
        last = max(found)
        return cls(date.fromordinal(max(min(found).toordinal(), last.toordinal() - most + 1)), last)

    @property
    def n_days(self) -> int:
        """Number of days, at least one."""
        return (self.last - self.first).days + 1

    def __str__(self) -> str:
        """Write it as a person reads it."""
        return f"{self.first} to {self.last}"


def trend(days: Sequence[Mapping[str, Any]], axis: Axis, width: int, *, bars: str = BARS) -> str:
    """Draw prompts per day.

    Args:
        days: rows with `day` and `n_prompts`; days off the axis are left out.
        axis: the days to draw.
        width: most characters; with fewer days than that, one for each day.
        bars: characters from nothing to most.

    Returns:
        One character for each stretch of days: nothing where there was no prompt, the highest bar where there were most.
    """
    width = min(width, axis.n_days)
    sums, lengths = [0] * width, [0] * width
    for number in range(axis.n_days):
        lengths[number * width // axis.n_days] += 1
    for one in days:
        number = (one["day"] - axis.first).days
        if 0 <= number < axis.n_days:
            sums[number * width // axis.n_days] += one["n_prompts"]
    means = [total / length for total, length in zip(sums, lengths, strict=True)]
    most = max(means) or 1
    steps = len(bars) - 1
    return "".join(bars[min(steps, max(1, round(steps * mean / most))) if mean else 0] for mean in means)


def bars_of(console: Console) -> str:
    """Choose characters that a console can show."""
    return ASCII_BARS if console.options.ascii_only else BARS


def levels(sizes: Sequence[int], width: int, *, bars: str = BARS) -> str:
    """Draw sizes that followed one another, the highest bar for the largest; of more than `width` some are left out."""
    shown = [sizes[number * len(sizes) // width] for number in range(width)] if len(sizes) > width else list(sizes)
    if shown:
        shown[-1] = sizes[-1]
    most, steps = max(shown, default=0) or 1, len(bars) - 1
    return "".join(bars[min(steps, max(1, round(steps * size / most))) if size > 0 else 0] for size in shown)
