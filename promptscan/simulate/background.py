"""Everybody who is not a campaign: people, one vendor's app, relays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.config import SimulationConfig
from promptscan.simulate.draws import mix
from promptscan.simulate.plan import DAY, Label, Plan, plan
from promptscan.simulate.population import INTERESTS, LANGUAGES, PERSON, RELAY, VENDOR, Population, interests
from promptscan.simulate.sessions import hold, into_window
from promptscan.simulate.texts import Writers

_VENDOR_SHARE, _RELAY_SHARE, _POPULAR_SHARE = 0.06, 0.035, 0.055
_CUSTOMERS = 50  # people behind one relay account
_FOLLOW_UP = 0.5
_OFF_TOPIC = 0.12
_ENGLISH_ANYWAY = 0.15
_EDITED = 0.45  # of the retries
_VOLUME_SPREAD = 1.25  # sigma of the lognormal volume of people
_FAVOURITE = np.cumsum([0.5, 0.25, 0.15])


def ordinary_traffic(config: SimulationConfig, population: Population, writers: Writers, n: int) -> list[Plan]:
    """Schedule n prompts of ordinary users.

    Args:
        config: the simulation.
        population: the accounts; at least one is a person.
        writers: the wordings.
        n: prompts.

    Returns:
        Plans whose sizes sum to n.
    """
    rng = np.random.default_rng([config.seed, 2])
    vendor, relays, persons = (population.members(role) for role in (VENDOR, RELAY, PERSON))
    n_vendor = int(n * _VENDOR_SHARE) if vendor.size else 0
    n_relay = int(n * _RELAY_SHARE) if relays.size else 0
    own = _Crowd(persons, population.interests[persons], population.language[persons], population.zone[persons])
    customers = np.repeat(relays, _CUSTOMERS)
    foreign = np.where(rng.random(customers.size) < 0.5, rng.integers(0, len(LANGUAGES), customers.size), 0)
    pooled = _Crowd(
        customers,
        interests(rng, customers.size, writers.n_topics),
        foreign.astype(np.int8),
        rng.integers(-8, 10, customers.size),
    )
    return [
        _conversations(rng, config, writers, crowd=own, n=n - n_vendor - n_relay, label=Label.BACKGROUND),
        _conversations(rng, config, writers, crowd=pooled, n=n_relay, label=Label.RELAY),
        _vendor(rng, config, writers, vendor=vendor, n=n_vendor),
    ]


def everyday(
    rng: np.random.Generator, population: Population, writers: Writers, account: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return topics and writers, int64 (n,), for single benign prompts of these accounts."""
    topic = _topics(rng, population.interests[account], writers.n_topics)
    return topic, writers.first_turn(population.language[account].astype(np.int64))


@dataclass(frozen=True, slots=True)
class _Crowd:
    """People, all (people,); several may share an account.

    Args:
        account: int64, row of the population.
        tastes: int16 (people, 4), topics.
        language: int8, row of `LANGUAGES`.
        zone: int64, hours east of UTC.
    """

    account: NDArray[np.int64]
    tastes: NDArray[np.int16]
    language: NDArray[np.int8]
    zone: NDArray[np.int64]


def _conversations(
    rng: np.random.Generator, config: SimulationConfig, writers: Writers, *, crowd: _Crowd, n: int, label: Label
) -> Plan:
    """Schedule n prompts of a crowd: openers, follow-ups, pasted public templates, retries."""
    counts = np.zeros(crowd.account.size, dtype=np.int64)
    if n:
        volume = rng.lognormal(0.0, _VOLUME_SPREAD, counts.size)
        counts = rng.multinomial(n, volume / volume.sum())
    turns = hold(rng, counts, crowd.zone, days=config.days, weekday=config.start.weekday())
    opener = np.flatnonzero(turns.first)
    topic = _topics(rng, crowd.tastes[turns.person[opener]], writers.n_topics)[turns.session]
    strayed = rng.random(n) < _OFF_TOPIC
    topic[strayed] = rng.integers(0, writers.n_topics, int(strayed.sum()))
    spoken = crowd.language[turns.person].astype(np.int64)
    spoken[(rng.random(turns.session.max(initial=-1) + 1) < _ENGLISH_ANYWAY)[turns.session]] = 0
    writer = writers.first_turn(spoken)
    follows = ~turns.first & (rng.random(n) < _FOLLOW_UP)
    writer[follows] = writers.follow_up(spoken[follows])
    popular = ~follows & (spoken == 0) & (rng.random(n) < _POPULAR_SHARE / 0.55)
    writer[popular] = writers.popular(rng, int(popular.sum()))
    key = rng.integers(0, 1 << 63, n, dtype=np.uint64)
    retry = turns.origin != np.arange(n)
    made = plan(
        crowd.account[turns.person].astype(np.int32), turns.ts, label, writer=writer[turns.origin], key=key[turns.origin],
        topic=topic[turns.origin], session=turns.session,
    )  # fmt: skip
    edit = np.where(retry & (rng.random(n) < _EDITED), rng.integers(1, writers.n_edits + 1, n), 0)
    labels = made.label
    if label is Label.BACKGROUND:
        labels = np.where(retry, Label.RETRY, np.where(popular, Label.POPULAR_TEMPLATE, label)).astype(np.int8)
    return replace(made, label=labels, edit=edit.astype(np.int8))


def _vendor(
    rng: np.random.Generator, config: SimulationConfig, writers: Writers, *, vendor: NDArray[np.int64], n: int
) -> Plan:
    """Schedule the app: steady all day, a little more by day, each request its own session."""
    moment = rng.integers(0, config.days, n) * DAY + (rng.beta(2.2, 2.0, n) * DAY).astype(np.int64)
    return plan(
        vendor[rng.integers(0, max(1, vendor.size), n)].astype(np.int32),
        into_window(moment, config.days),
        Label.VENDOR_APP,
        writer=writers.vendor,
        key=mix(rng.integers(0, 1 << 63, n, dtype=np.uint64), 1),
        topic=rng.integers(0, writers.n_topics, n),
        session=np.arange(n),
    )


def _topics(rng: np.random.Generator, tastes: NDArray[np.int16], n_topics: int) -> NDArray[np.int64]:
    n = tastes.shape[0]
    favourite = np.minimum(np.searchsorted(_FAVOURITE, rng.random(n)), INTERESTS - 1)
    topic = tastes[np.arange(n), favourite].astype(np.int64)
    return np.where(rng.random(n) < 0.1, rng.integers(0, n_topics, n), topic)
