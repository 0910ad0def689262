"""Periods of log time: how a replay cuts a log, from `--by` to spans of time."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise

from promptscan.errors import UsageError

STEP = re.compile(r"(?:(\d{1,4})\s*\*\s*)?(?:(hour|day|week)|(\d{1,4})\s*([hdw]))")
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
MOST_STEPS = 10_000
LATEST = datetime(9999, 12, 31, 23)  # noqa: DTZ001 - stored times are UTC without a zone
WANTED = "wanted hour, day, week, a length such as 12h, 3d, 2w, or several, the last of which repeats: 7*day,3d"


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long periods are.

    Attributes:
        edges: where the first periods begin, since the anchor; ascending, the first is 0.
        step: length of the period at the last edge and of every one after it; whole hours.
    """

    edges: tuple[timedelta, ...]
    step: timedelta

    @classmethod
    def parse(cls, by: str) -> Schedule:
        """Read `--by`: steps with commas between them, `N*STEP` for N in a row; the last one repeats.

        Raises:
            UsageError: it is none.
        """
        edges, step = [timedelta(0)], timedelta(0)
        for part in by.split(","):
            found = STEP.fullmatch(part.strip())
            count = int(found[1] or 1) if found else 0
            length = (int(found[3]) if found[3] else 1) * UNITS[found[4] or found[2][0]] if found else timedelta(0)
            if not length or not count or len(edges) + count > MOST_STEPS:
                raise UsageError(f"--by {by!r} is not usable at {part.strip()!r}; {WANTED}")
            step = length
            edges += [edges[-1] + length * (number + 1) for number in range(count)]
        return cls(tuple(edges[:-1]), step)

    def anchor(self, first: datetime) -> datetime:
        """Return where the first period begins: the midnight before the first row, or its hour when a period is no whole days."""
        lengths = [*(later - edge for edge, later in pairwise(self.edges)), self.step]
        if all(length % timedelta(days=1) == timedelta(0) for length in lengths):
            return datetime.combine(first.date(), time.min)
        return first.replace(minute=0, second=0, microsecond=0)

    def number(self, since: timedelta) -> int:
        """Return the number, from 0, of the period that holds a time since the anchor."""
        if since < self.edges[-1]:
            return bisect_right(self.edges, since) - 1
        return len(self.edges) - 1 + (since - self.edges[-1]) // self.step

    def span(self, anchor: datetime, number: int) -> tuple[datetime, datetime]:
        """Return when a period begins and ends."""
        last = len(self.edges) - 1
        start = self.edges[number] if number < last else self.edges[-1] + (number - last) * self.step
        end = self.edges[number + 1] if number < last else start + self.step
        return anchor + start, anchor + min(end, LATEST - anchor)


@dataclass(frozen=True, slots=True)
class Span:
    """A period that has rows.

    Attributes:
        number: from 1; periods without a row count too.
        start, end: UTC without a zone; the first is in it, the second is not.
        rows: rows of the input in it.
    """

    number: int
    start: datetime
    end: datetime
    rows: int


def spans(schedule: Schedule, hours: Iterable[tuple[datetime, int]]) -> list[Span]:
    """Cut a log into periods.

    Args:
        schedule: how long they are.
        hours: (hour, rows in it) in the order of time; the first, which may have none, is where periods begin.
    """
    counted: dict[int, int] = {}
    anchor: datetime | None = None
    for hour, rows in hours:
        anchor = anchor or schedule.anchor(hour)
        number = schedule.number(hour - anchor)
        counted[number] = counted.get(number, 0) + rows
    if anchor is None:
        return []
    return [Span(number + 1, *schedule.span(anchor, number), rows) for number, rows in counted.items() if rows]
