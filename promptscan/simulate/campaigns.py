"""Campaigns: throw-away accounts that share a sweep under a daily cap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.background import everyday
from promptscan.simulate.config import SimulationConfig
from promptscan.simulate.plan import DAY, Label, Plan, plan
from promptscan.simulate.population import CAMPAIGN, Population
from promptscan.simulate.sessions import HOUR
from promptscan.simulate.texts import Writers

_BATCHES = 6  # moments a day at which the operator's queue releases work to many accounts at once
_BATCHED = 0.4
_SESSION = 5  # prompts of one account on one day that share a session id


def campaign_traffic(config: SimulationConfig, population: Population, writers: Writers, number: int) -> Plan:
    """Schedule one campaign.

    Args:
        config: the simulation.
        population: the accounts.
        writers: the wordings.
        number: of the campaign in the configuration.

    Returns:
        Its prompts, cover included; fewer than asked when the accounts cannot carry them under the cap.
    """
    campaign = config.campaigns[number]
    rng = np.random.default_rng([config.seed, 3, number])
    members = population.members(CAMPAIGN + number)
    first, stop = campaign.start_day, min(config.days, campaign.stop_day or config.days)
    active = _active(rng, members.size, first=first, stop=stop, days=config.days, replaced=campaign.replaced)
    wanted = round(config.prompts * campaign.share / (1 - campaign.cover))
    load = _load(rng, active, wanted, campaign.rate_cap)
    slot, day = np.nonzero(load)
    cell = np.repeat(np.arange(slot.size), load[slot, day])
    who, when = slot[cell], day[cell]
    n = cell.size
    ts = when * DAY + _moment(rng, when, config.days)
    order = np.lexsort((ts, who))
    who, ts, cell = who[order], ts[order], cell[order]
    cover = rng.random(n) < campaign.cover
    account = members[who]
    topic, writer = everyday(rng, population, writers, account)
    templates = writers.templates(campaign)
    kind = _template_of(rng, who, len(templates))
    writer[~cover] = np.array(templates, dtype=np.int64)[kind[~cover]]
    made = plan(
        account.astype(np.int32), ts, Label.CAMPAIGN, writer=writer,
        key=rng.integers(0, 1 << 63, n, dtype=np.uint64), topic=topic, session=_sessions(cell),
    )  # fmt: skip
    return replace(
        made,
        label=np.where(cover, Label.CAMPAIGN_COVER, Label.CAMPAIGN).astype(np.int8),
        sweep=_sweep(kind, cover, len(templates)),
        campaign=np.full(n, number, dtype=np.int8),
    )


def _active(
    rng: np.random.Generator, accounts: int, *, first: int, stop: int, days: int, replaced: float
) -> NDArray[np.bool_]:
    """Say on which days each account sends, bool (accounts, days).

    Replacements come in pairs: one account is banned at the end of a day, another begins on the next.
    """
    active = np.zeros((accounts, days), dtype=np.bool_)
    active[:, first:stop] = True
    pairs = min(round(accounts * replaced), accounts // 2) if stop - first > 1 else 0
    changed = first + 1 + rng.integers(0, max(1, stop - first - 1), pairs)
    day = np.arange(days)
    active[:pairs] &= day < changed[:, None]
    active[accounts - pairs :] &= day >= changed[:, None]
    return active


def _load(rng: np.random.Generator, active: NDArray[np.bool_], wanted: int, cap: int) -> NDArray[np.int64]:
    """Deal prompts to account-days, none above the cap, int64 (accounts, days)."""
    load = np.zeros(active.shape, dtype=np.int64)
    weight = active * rng.lognormal(0.0, 0.35, active.shape) * rng.lognormal(0.0, 0.4, (active.shape[0], 1))
    left = min(wanted, int(active.sum()) * cap)
    while left:
        room = weight * (load < cap)
        load += rng.multinomial(left, (room / room.sum()).ravel()).reshape(load.shape)
        left = int(np.maximum(load - cap, 0).sum())
        np.minimum(load, cap, out=load)
    return load


def _moment(rng: np.random.Generator, day: NDArray[np.int64], days: int) -> NDArray[np.int64]:
    """Draw the time of day, microseconds: a working band without lunch, or one of the day's shared releases."""
    n = day.size
    steady = (rng.uniform(1.0, 17.0, n) * HOUR).astype(np.int64)
    releases = rng.integers(HOUR, 17 * HOUR, (days, _BATCHES))
    released = releases[day, rng.integers(0, _BATCHES, n)] + rng.integers(0, HOUR // 6, n)
    return np.where(rng.random(n) < _BATCHED, released, steady)


def _template_of(rng: np.random.Generator, who: NDArray[np.int64], templates: int) -> NDArray[np.int64]:
    """Give each account two favourite templates of the campaign, the rest now and then."""
    n = who.size
    pair = rng.integers(0, templates, (int(who.max(initial=0)) + 1, 2))
    favourite = pair[who, rng.integers(0, 2, n)]
    return np.where(rng.random(n) < 0.7, favourite, rng.integers(0, templates, n))


def _sweep(kind: NDArray[np.int64], cover: NDArray[np.bool_], templates: int) -> NDArray[np.int64]:
    """Number the prompts of each template; rows come account by account, so each account gets a run of the sweep."""
    sweep = np.zeros(kind.size, dtype=np.int64)
    for template in range(templates):
        rows = np.flatnonzero((kind == template) & ~cover)
        sweep[rows] = np.arange(rows.size)
    return sweep


def _sessions(cell: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cut each account-day (rows of one cell stand together) into short sessions."""
    if not cell.size:
        return cell
    begins = np.flatnonzero(np.diff(cell, prepend=-1))
    place = np.arange(cell.size) - np.repeat(begins, np.diff(np.append(begins, cell.size)))
    new = place % _SESSION == 0
    return np.cumsum(new) - 1
