"""What unrelated people send because it is public: a prompt that goes viral, the items of a benchmark."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.draws import mix
from promptscan.simulate.log import Log
from promptscan.simulate.negative import NegativeConfig, NegativeKind
from promptscan.simulate.plan import DAY, Label, Plan, plan
from promptscan.simulate.sessions import clock, inside, into_window, starts

_SECOND = 1_000_000
_REACH, _REACH_SPREAD = 1.6, 0.9  # days until half of those who will have heard of it have, sigma of the logarithm
_AGAIN = 0.4  # days between two pastes of one person, mean
_ITEM_SECONDS, _ITEM_SPREAD = 14.0, 0.6


def viral_prompt(
    rng: np.random.Generator, log: Log, negative: NegativeConfig, everybody: NDArray[np.int64], n: int
) -> Plan:
    """Schedule fads: few on the first day, most within the week, a long tail; one paste from most, many from some."""
    days = log.config.days
    people, group, fads = _audience(rng, log, negative, everybody, n)
    counts = np.ones(people.size, dtype=np.int64)
    tail = rng.pareto(1.1, people.size) + 0.05
    counts += rng.multinomial(n - people.size, tail / tail.sum())
    who = np.repeat(np.arange(people.size), counts)
    begins = (
        np.full(fads, negative.start_day) if negative.start_day is not None else rng.integers(0, days, fads) * 3 // 5
    )
    span = days - begins[group]
    heard = np.mod(rng.lognormal(np.log(_REACH), _REACH_SPREAD, people.size), span)[who]
    again = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
    later = np.where(again > 0, rng.exponential(_AGAIN, n) * again, 0.0)
    day = np.minimum((begins[group][who] + heard + later).astype(np.int64), days - 1)
    known = np.array(log.writers.negatives[NegativeKind.VIRAL_PROMPT], dtype=np.int64)
    number = group[who] * negative.habit.repertoire + rng.integers(0, negative.habit.repertoire, n)
    return plan(
        people[who].astype(np.int32),
        inside(day * DAY + clock(rng, log.population.zone[people[who]]), begins[group][who], days),
        Label.VIRAL_PROMPT,
        writer=known[number % known.size],
        key=rng.integers(0, 1 << 63, n, dtype=np.uint64),
        topic=log.population.interests[people[who], 0].astype(np.int64),
        session=np.arange(n),
    )


def benchmark_replay(
    rng: np.random.Generator, log: Log, negative: NegativeConfig, everybody: NDArray[np.int64], n: int
) -> Plan:
    """Schedule replays: each person sends the items in the order of the file, as far as patience goes, with a script."""
    people, group, benchmarks = _audience(rng, log, negative, everybody, n)
    patience = rng.lognormal(0.0, 0.4, people.size)
    counts = 1 + rng.multinomial(n - people.size, patience / patience.sum())
    who = np.repeat(np.arange(people.size), counts)
    place = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
    item, again = place % negative.habit.repertoire, place // negative.habit.repertoire
    run = np.unique(who * (int(again.max(initial=0)) + 1) + again, return_inverse=True)[1]
    runs = int(run.max(initial=-1)) + 1
    opener = np.flatnonzero(np.diff(run, prepend=-1))
    opened = starts(rng, log.population.zone[people[who[opener]]], days=log.config.days, weekday=log.weekday)
    pace = rng.lognormal(np.log(_ITEM_SECONDS), _ITEM_SPREAD, runs)[run]
    ts = opened[run] + (item * pace * _SECOND).astype(np.int64)
    frames = np.array(log.writers.negatives[NegativeKind.BENCHMARK_REPLAY], dtype=np.int64)
    fixed = rng.integers(0, 1 << 62, benchmarks, dtype=np.uint64)[group[who]] + item.astype(np.uint64)
    return plan(
        people[who].astype(np.int32),
        into_window(ts, log.config.days),
        Label.BENCHMARK_REPLAY,
        writer=frames[rng.integers(0, frames.size, people.size)[who]],
        key=mix(fixed, 72),
        topic=item % log.writers.n_topics,
        session=run,
    )


def _audience(
    rng: np.random.Generator, log: Log, negative: NegativeConfig, everybody: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Draw who takes part, no one twice.

    Returns:
        Accounts and their group, int64 (people,) each, at most n of them; the number of groups.
    """
    size = min(negative.wanted(log.config.accounts), everybody.size, n)
    count = max(1, -(-size // negative.habit.size))
    return rng.choice(everybody, size, replace=False), np.arange(size) % count, count
