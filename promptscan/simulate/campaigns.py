"""Campaigns: throw-away accounts that share a sweep under a daily cap, and relays that carry some of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.background import everyday
from promptscan.simulate.config import SimulationConfig
from promptscan.simulate.draws import mix, pick
from promptscan.simulate.knobs import CampaignConfig
from promptscan.simulate.negative import NegativeKind
from promptscan.simulate.plan import DAY, Label, Plan, plan
from promptscan.simulate.population import CAMPAIGN, LANGUAGES, NEGATIVE, Population
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
    campaign = config.all_campaigns()[number]
    rng = np.random.default_rng([config.seed, 3, number])
    members, relays = population.members(CAMPAIGN + number), _relays(config, population)
    wanted = round(config.prompts * campaign.share)
    relayed = round(wanted * campaign.relay) if relays.size else 0
    load = _own_load(rng, config, campaign, members.size, round((wanted - relayed) / (1 - campaign.cover)))
    through = _relay_load(rng, config, campaign, relays.size, relayed)
    slot, day = np.nonzero(np.concatenate([load, through]))
    cell = np.repeat(np.arange(slot.size), np.concatenate([load, through])[slot, day])
    who, when = slot[cell], day[cell]
    ts = when * DAY + _moment(rng, when, config.days)
    order = np.lexsort((ts, who))
    who, ts, cell = who[order], ts[order], cell[order]
    account = np.concatenate([members, relays])[who]
    cover = _cover(rng, who < members.size, campaign.cover)
    return _worded(rng, population, writers, campaign, number=number, account=account, ts=ts, cell=cell, cover=cover)


def _worded(
    rng: np.random.Generator,
    population: Population,
    writers: Writers,
    campaign: CampaignConfig,
    *,
    number: int,
    account: NDArray[np.int64],
    ts: NDArray[np.int64],
    cell: NDArray[np.int64],
    cover: NDArray[np.bool_],
) -> Plan:
    """Say what is sent at each moment; rows come account by account."""
    n = ts.size
    topic, writer = everyday(rng, population, writers, account)
    templates = np.array(writers.templates(campaign), dtype=np.int64)
    kind = _template_of(rng, np.unique(account, return_inverse=True)[1], templates.size)
    spoken = _language(rng, campaign, n)
    writer[~cover] = writers.translated[templates[kind], spoken][~cover]
    key = rng.integers(0, 1 << 63, n, dtype=np.uint64)
    sweep = _sweep(kind, cover, templates.size, campaign.slot_entropy)
    if campaign.slot_entropy < 1:
        again = mix(sweep.astype(np.uint64) * np.uint64(templates.size) + kind.astype(np.uint64), 91 + number)
        key = np.where(cover, key, again)
        topic = np.where(cover, topic, pick(mix(again, 92), writers.n_topics))
    made = plan(
        account.astype(np.int32), ts, Label.CAMPAIGN, writer=writer, key=key, topic=topic, session=_sessions(cell)
    )
    return replace(
        made,
        label=np.where(cover, Label.CAMPAIGN_COVER, Label.CAMPAIGN).astype(np.int8),
        sweep=sweep,
        campaign=np.full(n, number, dtype=np.int16),
        reworded=~cover & (spoken == 0) & (rng.random(n) < campaign.paraphrase),
    )


def _relays(config: SimulationConfig, population: Population) -> NDArray[np.int64]:
    roles = [NEGATIVE + number for number, each in enumerate(config.all_negatives()) if each.kind == NegativeKind.RELAY]
    return np.flatnonzero(np.isin(population.role, roles))


def _window(config: SimulationConfig, campaign: CampaignConfig) -> tuple[int, int]:
    return campaign.start_day, min(config.days, campaign.stop_day or config.days)


def _growth(config: SimulationConfig, campaign: CampaignConfig) -> NDArray[np.float64]:
    """Return how busy each day is, float64 (days,): rising in a line to 1 over the slow start."""
    day = np.arange(config.days) - campaign.start_day
    return np.clip((day + 1) / (campaign.slow_start + 1), 0.0, 1.0)


def _own_load(
    rng: np.random.Generator, config: SimulationConfig, campaign: CampaignConfig, accounts: int, wanted: int
) -> NDArray[np.int64]:
    """Return the prompts of its own accounts on each day, int64 (accounts, days)."""
    first, stop = _window(config, campaign)
    active = _active(rng, accounts, first=first, stop=stop, days=config.days, replaced=campaign.replaced)
    return _load(rng, active * _growth(config, campaign), wanted, campaign.rate_cap)


def _relay_load(
    rng: np.random.Generator, config: SimulationConfig, campaign: CampaignConfig, relays: int, wanted: int
) -> NDArray[np.int64]:
    """Return the prompts that go through each relay on each day, int64 (relays, days); no cap holds there."""
    first, stop = _window(config, campaign)
    weight = rng.lognormal(0.0, 0.5, (relays, 1)) * _growth(config, campaign)
    weight[:, :first] = weight[:, stop:] = 0.0
    if not wanted:
        return np.zeros(weight.shape, dtype=np.int64)
    return rng.multinomial(wanted, (weight / weight.sum()).ravel()).reshape(weight.shape)


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


def _load(rng: np.random.Generator, active: NDArray[np.float64], wanted: int, cap: int) -> NDArray[np.int64]:
    """Deal prompts to account-days by how active they are, none above the cap, int64 (accounts, days)."""
    load = np.zeros(active.shape, dtype=np.int64)
    weight = active * rng.lognormal(0.0, 0.35, active.shape) * rng.lognormal(0.0, 0.4, (active.shape[0], 1))
    left = min(wanted, int((active > 0).sum()) * cap)
    while left:
        room = weight * (load < cap)
        load += rng.multinomial(left, (room / room.sum()).ravel()).reshape(load.shape)
        left = int(np.maximum(load - cap, 0).sum())
        np.minimum(load, cap, out=load)
    return load


def _cover(rng: np.random.Generator, own: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """Choose which prompts of its own accounts are cover, bool (n,); the share is met to the prompt."""
    cover = np.zeros(own.size, dtype=np.bool_)
    rows = np.flatnonzero(own)
    cover[rng.permutation(rows)[: round(rows.size * share)]] = True
    return cover


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


def _language(rng: np.random.Generator, campaign: CampaignConfig, n: int) -> NDArray[np.int64]:
    """Draw the language of each prompt, int64 (n,), rows of `LANGUAGES`."""
    names = sorted(campaign.languages)
    bounds = np.cumsum([campaign.languages[name] for name in names])
    rows = np.array([*(LANGUAGES.index(name) for name in names), 0], dtype=np.int64)
    return rows[np.searchsorted(bounds, rng.random(n), side="right")]


def _sweep(kind: NDArray[np.int64], cover: NDArray[np.bool_], templates: int, entropy: float) -> NDArray[np.int64]:
    """Number the prompts of each template; rows come account by account, so each account gets a run of the sweep.

    Of n prompts the numbers repeat after n ** entropy.
    """
    sweep = np.zeros(kind.size, dtype=np.int64)
    for template in range(templates):
        rows = np.flatnonzero((kind == template) & ~cover)
        sweep[rows] = np.arange(rows.size) % max(1, round(rows.size**entropy))
    return sweep


def _sessions(cell: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cut each account-day (rows of one cell stand together) into short sessions."""
    if not cell.size:
        return cell
    begins = np.flatnonzero(np.diff(cell, prepend=-1))
    place = np.arange(cell.size) - np.repeat(begins, np.diff(np.append(begins, cell.size)))
    new = place % _SESSION == 0
    return np.cumsum(new) - 1
