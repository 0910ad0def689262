"""When accounts were made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.config import SimulationConfig
from promptscan.simulate.furnish import groups
from promptscan.simulate.negative import NegativeKind
from promptscan.simulate.plan import DAY, Plan
from promptscan.simulate.population import CAMPAIGN, NEGATIVE, Population

_YEAR = 365 * DAY
_KEYS_AT_ONCE = (NegativeKind.VENDOR_APP, NegativeKind.EVALUATION_COMPANY)


def created(config: SimulationConfig, population: Population, plan: Plan) -> NDArray[np.int64]:
    """Date the accounts, microseconds since the window's start, before their first prompt; int64 (accounts,).

    People signed up minutes to years ago, students weeks to years; a firm made its keys within an hour. A campaign's
    accounts were made in bursts of half an hour, up to four days ahead of the day on which they begin, and its
    `account_age_days` before that.
    """
    rng = np.random.default_rng([config.seed, 4])
    n = config.accounts
    first = np.full(n, config.days * DAY, dtype=np.int64)
    np.minimum.at(first, plan.account, plan.ts)
    age = np.exp(rng.uniform(np.log(2 * 60e6), np.log(2.5 * _YEAR), n)) * np.where(rng.random(n) < 0.5, 1.0, 3.0)
    for number, negative in enumerate(config.all_negatives()):
        if negative.kind == NegativeKind.HOMEWORK:
            students = population.members(NEGATIVE + number)
            age[students] = np.exp(rng.uniform(np.log(20 * DAY), np.log(2.0 * _YEAR), students.size))
    made = first - age.astype(np.int64)
    for number, negative in enumerate(config.all_negatives()):
        if negative.kind in _KEYS_AT_ONCE:
            keys = population.members(NEGATIVE + number)
            group = groups(keys, negative.habit.size)
            begun = np.full(int(group.max(initial=0)) + 1, config.days * DAY)
            np.minimum.at(begun, group, first[keys])
            opened = begun - (rng.uniform(1.0, 400.0, begun.size) * DAY).astype(np.int64)
            made[keys] = opened[group] + rng.integers(0, DAY // 24, keys.size)
    for number, campaign in enumerate(config.all_campaigns()):
        members = population.members(CAMPAIGN + number)
        bursts = rng.integers(0, DAY - DAY // 48, (config.days + 1, 2)) - DAY * rng.integers(1, 5, (config.days + 1, 2))
        day = first[members] // DAY
        burst = day * DAY + bursts[day, rng.integers(0, 2, members.size)]
        idle = round(campaign.account_age_days * DAY)
        made[members] = burst + rng.integers(0, DAY // 48, members.size) - idle
    return made
