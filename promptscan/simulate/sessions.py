"""When people write: sessions with a daily and weekly rhythm, pauses, retries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.plan import DAY

HOUR = DAY // 24
_SECOND = 1_000_000
# Share of an office-hours population's requests by local hour; a dip at lunch, a second wave in the evening.
_HOURS = np.array(
    [9, 5, 3, 2, 2, 3, 7, 16, 34, 52, 58, 56, 46, 50, 57, 56, 50, 42, 34, 33, 36, 35, 27, 17], dtype=np.float64
)
_WEEKDAYS = np.array([1.05, 1.12, 1.1, 1.06, 0.95, 0.55, 0.6])  # Monday first
_NEW_SESSION = 0.34
_RETRY = 0.05


@dataclass(frozen=True, slots=True)
class Turns:
    """Prompts of people in sessions, grouped by person, in order; all (n,).

    Args:
        person: int64, index into the people given.
        ts: int64, microseconds since the start of the window.
        session: int64, 0-based.
        first: bool, opens its session.
        origin: int64, row whose text it repeats: its own, or an earlier one for a retry.
    """

    person: NDArray[np.int64]
    ts: NDArray[np.int64]
    session: NDArray[np.int64]
    first: NDArray[np.bool_]
    origin: NDArray[np.int64]


def hold(
    rng: np.random.Generator, counts: NDArray[np.int64], zone: NDArray[np.int64], *, days: int, weekday: int
) -> Turns:
    """Spread each person's prompts over sessions inside the window.

    Args:
        rng: the generator.
        counts: int64 (people,), prompts per person.
        zone: int64 (people,), hours east of UTC.
        days: length of the window.
        weekday: of the first day, Monday = 0.

    Returns:
        `counts.sum()` turns.
    """
    person = np.repeat(np.arange(counts.size), counts)
    n = person.size
    first = rng.random(n) < _NEW_SESSION
    first[1:] |= person[1:] != person[:-1]
    first[:1] = True
    session = np.cumsum(first) - 1
    retry = ~first & (rng.random(n) < _RETRY)
    origin = np.maximum.accumulate(np.where(retry, 0, np.arange(n)))

    pause = np.minimum(rng.lognormal(np.log(80.0), 1.0, n), 1_500.0)
    pause[retry] = rng.uniform(4.0, 150.0, int(retry.sum()))
    pause[first] = 0.0
    since = np.cumsum(pause)
    since -= since[np.flatnonzero(first)][session]
    opened = starts(rng, zone[person[first]], days=days, weekday=weekday)
    ts = opened[session] + (since * _SECOND).astype(np.int64)
    return Turns(person, into_window(ts, days), session, first, origin)


def starts(rng: np.random.Generator, zone: NDArray[np.int64], *, days: int, weekday: int) -> NDArray[np.int64]:
    """Draw moments, microseconds since the window's start, int64 (n,), after the rhythm of each zone."""
    n = zone.size
    day_weight = _WEEKDAYS[(weekday + np.arange(days)) % 7]
    day = rng.choice(days, n, p=day_weight / day_weight.sum())
    return into_window(day * DAY + clock(rng, zone), days)


def clock(rng: np.random.Generator, zone: NDArray[np.int64]) -> NDArray[np.int64]:
    """Draw times of the local day, microseconds since midnight UTC, int64 (n,); some are on the day before or after."""
    n = zone.size
    hour = rng.choice(24, n, p=_HOURS / _HOURS.sum())
    within = rng.integers(0, HOUR, n)
    return (hour - zone) * HOUR + within


def into_window(ts: NDArray[np.int64], days: int) -> NDArray[np.int64]:
    """Wrap moments around the window, so that its edges are as busy as its middle."""
    return ts % (days * DAY)


def inside(ts: NDArray[np.int64], first: NDArray[np.int64], days: int) -> NDArray[np.int64]:
    """Move moments by whole days: those before their first day to it, those after the window to its last day.

    Args:
        ts: int64 (n,), at most a day before `first`.
        first: int64 (n,), day.
        days: length of the window.
    """
    end = days * DAY
    late = np.where(ts >= end, end - DAY + ts % DAY, ts)
    return np.where(late < first * DAY, late + DAY, late)
