"""Periods of log time: every time is in exactly one, whatever their lengths."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptscan.errors import UsageError
from promptscan.periods import Schedule, spans

MONDAY = datetime.fromisoformat("2026-01-05")


@pytest.mark.parametrize(
    ("by", "days"),
    [
        ("day", [0, 1, 2]),
        ("week", [0, 7, 14]),
        ("36h", [0, 1.5, 3]),
        ("3*day,3d", [0, 1, 2, 3, 6, 9]),
        ("2*1d, 5d, 1w", [0, 1, 2, 7, 14]),
    ],
)
def test_steps_follow_each_other_and_the_last_repeats(by: str, days: list[float]):
    schedule = Schedule.parse(by)
    starts = [schedule.span(MONDAY, number)[0] for number in range(len(days))]
    assert starts == [MONDAY + timedelta(days=day) for day in days]


@pytest.mark.parametrize("by", ["", "daily", "0d", "0*day", "3", "d", "-1d", "day,", "9999*1h,9999*1h", "1.5d"])
def test_what_is_no_period_is_refused_with_what_was_wanted(by: str):
    with pytest.raises(UsageError, match=r"--by .* wanted hour, day, week"):
        Schedule.parse(by)


@given(
    by=st.sampled_from(["hour", "day", "week", "5h", "3*day,3d", "2*7h,1d,2w"]),
    since=st.integers(0, 24 * 365 * 20),
)
def test_a_time_is_in_the_period_that_has_its_number(by: str, since: int):
    schedule, time = Schedule.parse(by), timedelta(hours=since)
    start, end = schedule.span(MONDAY, schedule.number(time))
    assert start <= MONDAY + time < end


@given(hours=st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 9)), min_size=1, unique_by=lambda pair: pair[0]))
def test_periods_hold_every_row_once_and_leave_empty_ones_out(hours: list[tuple[int, int]]):
    log = [(MONDAY + timedelta(hours=hour), rows) for hour, rows in sorted(hours)]
    cut = spans(Schedule.parse("2*day,3d"), log)
    assert [span.rows for span in cut] == [
        sum(rows for time, rows in log if span.start <= time < span.end) for span in cut
    ]
    assert sum(span.rows for span in cut) == sum(rows for _, rows in log)
    assert all(span.rows for span in cut)
    assert [span.number for span in cut] == sorted({span.number for span in cut})


def test_days_begin_at_midnight_and_hours_at_the_hour():
    first = datetime.fromisoformat("2026-01-05T09:40")
    assert spans(Schedule.parse("day"), [(first, 1)])[0].start == MONDAY
    assert spans(Schedule.parse("6h"), [(first, 1)])[0].start == datetime.fromisoformat("2026-01-05T09:00")


def test_a_clock_that_jumps_eight_thousand_years_costs_nothing():
    cut = spans(Schedule.parse("hour"), [(datetime.fromisoformat(time), 1) for time in ("1970-01-01", "9999-12-31T23:00")])
    assert [span.rows for span in cut] == [1, 1]
    assert cut[1].number > 70_000_000
