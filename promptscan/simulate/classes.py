"""People who use the same templates at a place of learning, or by way of the same tool, and share no owner."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.furnish import groups
from promptscan.simulate.log import Log
from promptscan.simulate.negative import NegativeConfig, NegativeKind
from promptscan.simulate.plan import DAY, Label, Plan, plan
from promptscan.simulate.sessions import HOUR, hold

_WEEK = 7
_AHEAD = 14.0  # hours before the deadline, mean
_SITTING = HOUR * 2 // 3
_SHOP_SPREAD = 1.1


def homework(rng: np.random.Generator, log: Log, negative: NegativeConfig, members: NDArray[np.int64], n: int) -> Plan:
    """Schedule classes: each student works on each assignment in two sittings, most of them shortly before it is due.

    Assignments are due at midnight, local time, a week apart.
    """
    days, due = log.config.days, negative.habit.repertoire
    group = groups(members, negative.habit.size)
    classes = int(group.max()) + 1
    first = np.full(classes, negative.start_day) if negative.start_day is not None else rng.integers(0, days, classes)
    weight = rng.lognormal(0.0, 0.6, (members.size, due))
    pair = np.repeat(np.arange(weight.size), rng.multinomial(n, (weight / weight.sum()).ravel()))
    student, number = pair // due, pair % due
    deadline = (first[group[student]] + _WEEK * number) % days * DAY + DAY
    deadline -= log.population.zone[members[student]] * HOUR
    sitting = pair * 2 + (rng.random(n) < 0.4)
    ahead = rng.exponential(_AHEAD, weight.size * 2) * HOUR
    deadline = np.minimum(deadline, days * DAY - 1)
    before = np.mod(ahead[sitting].astype(np.int64) + rng.integers(0, _SITTING, n), deadline)
    writer, sweep = log.template(NegativeKind.HOMEWORK, group[student], number)
    return plan(
        members[student].astype(np.int32),
        deadline - before,
        Label.HOMEWORK,
        writer=writer,
        key=rng.integers(0, 1 << 63, n, dtype=np.uint64),
        topic=rng.integers(0, log.writers.n_topics, classes)[group[student]],
        session=sitting,
        sweep=sweep,
    )


def seo_farm(rng: np.random.Generator, log: Log, negative: NegativeConfig, members: NDArray[np.int64], n: int) -> Plan:
    """Schedule shops: each owner has the tool describe the shop's own goods, a few at a time."""
    volume = rng.lognormal(0.0, _SHOP_SPREAD, members.size)
    counts = rng.multinomial(n, volume / volume.sum())
    turns = hold(rng, counts, log.population.zone[members], days=log.config.days, weekday=log.weekday)
    group = groups(members, negative.habit.size)[turns.person]
    writer, sweep = log.template(NegativeKind.SEO_FARM, group, rng.integers(0, negative.habit.repertoire, n))
    return plan(
        members[turns.person].astype(np.int32),
        turns.ts,
        Label.SEO_FARM,
        writer=writer,
        key=rng.integers(0, 1 << 63, n, dtype=np.uint64),
        topic=log.population.interests[members, 0][turns.person].astype(np.int64),
        session=turns.session,
        sweep=sweep,
    )
