"""Prompts or accounts per day as a small inline SVG, one bar a day, all of a report on one time axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from promptscan.report.campaign import Day
from promptscan.report.document import ReportDocument

MAX_DAYS = 92
"""Days on the axis: the newest ones of the store."""
BAR, GAP, HEIGHT = 4, 1, 28
"""Units of the drawing, which the page scales."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The days that every sparkline of a report shows, both included."""

    first: date
    last: date

    @property
    def n_days(self) -> int:
        """Number of days, at least one."""
        return (self.last - self.first).days + 1

    @classmethod
    def of(cls, document: ReportDocument) -> Axis | None:
        """Return the axis of a report: the store's period, or its last `MAX_DAYS` days; None without any day."""
        days = [day.day for family in document.families for day in family.days]
        days += [day.day for campaign in document.campaigns for day in campaign.days]
        days += [moment.date() for moment in (document.facts.first_ts, document.facts.last_ts) if moment is not None]
        if not days:
            return None
        last = max(days)
        return cls(date.fromordinal(max(min(days).toordinal(), last.toordinal() - MAX_DAYS + 1)), last)


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A drawing and what it says in words."""

    svg: Markup
    peak: Day


def prompts(day: Day) -> int:
    """Count a day's prompts."""
    return day.n_prompts or 0


def accounts(day: Day) -> int:
    """Count a day's accounts."""
    return day.n_accounts or 0


def sparkline(days: Sequence[Day], axis: Axis, count: Callable[[Day], int] = prompts) -> Sparkline | None:
    """Draw the days that fall on the axis, heights relative to the busiest of them; None when none does."""
    shown = [day for day in days if axis.first <= day.day <= axis.last and count(day) > 0]
    if not shown:
        return None
    peak = max(shown, key=count)
    bars = " ".join(_bar((day.day - axis.first).days, count(day) / count(peak)) for day in shown)
    width = axis.n_days * (BAR + GAP) - GAP
    svg = (
        f'<svg class="spark" viewBox="0 0 {width} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="floor" d="M0 {HEIGHT - 0.5}H{width}"/><path class="bars" d="{bars}"/></svg>'
    )
    return Sparkline(Markup(svg), peak)  # noqa: S704 - made of numbers only


def _bar(index: int, part: float) -> str:
    height = round(max(part * HEIGHT, 1), 1)
    return f"M{index * (BAR + GAP)} {HEIGHT}v-{height:g}h{BAR}v{height:g}z"
