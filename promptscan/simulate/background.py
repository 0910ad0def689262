"""Everybody who is not a campaign: people and hard negatives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.classes import homework, seo_farm
from promptscan.simulate.config import SimulationConfig
from promptscan.simulate.fads import benchmark_replay, viral_prompt
from promptscan.simulate.firms import evaluation_company, translation_agency, vendor_app
from promptscan.simulate.log import Log, Traffic
from promptscan.simulate.negative import NegativeConfig, NegativeKind
from promptscan.simulate.plan import Label, Plan, plan
from promptscan.simulate.population import CAMPAIGN, INTERESTS, LANGUAGES, NEGATIVE, PERSON, Population, interests
from promptscan.simulate.sessions import hold
from promptscan.simulate.texts import Writers

_POPULAR_SHARE = 0.055
# How much members of a negative ask for themselves, a person = 1.
_OWN_LIFE = {
    NegativeKind.HOMEWORK: 1.0,
    NegativeKind.SEO_FARM: 0.5,
    NegativeKind.TRANSLATION_AGENCY: 0.3,
    NegativeKind.EVALUATION_COMPANY: 0.1,
}
_FOLLOW_UP = 0.5
_OFF_TOPIC = 0.12
_ENGLISH_ANYWAY = 0.15
_EDITED = 0.45  # of the retries
_VOLUME_SPREAD = 1.25  # sigma of the lognormal volume of people
_FAVOURITE = np.cumsum([0.5, 0.25, 0.15])


def ordinary_traffic(config: SimulationConfig, population: Population, writers: Writers, n: int) -> list[Plan]:
    """Schedule n prompts of everybody who is not a campaign.

    Args:
        config: the simulation, complete.
        population: the accounts; at least one is a person.
        writers: the wordings.
        n: prompts.

    Returns:
        Plans whose sizes sum to n.
    """
    rng = np.random.default_rng([config.seed, 2])
    log = Log(config, population, writers)
    parts = []
    for number, negative in enumerate(config.all_negatives()):
        own = np.random.default_rng([config.seed, 6, number])
        wanted = int(n * negative.habit.share)
        members = population.members(NEGATIVE + number if negative.habit.members else PERSON)
        if members.size < negative.habit.least and not isinstance(negative.accounts, int):
            continue
        if members.size and wanted:
            parts.append(_TRAFFIC[NegativeKind(negative.kind)](own, log, negative, members, wanted))
    left = n - sum(part.size for part in parts)
    return [_people(rng, log, left), *parts]


def _people(rng: np.random.Generator, log: Log, n: int) -> Plan:
    """Schedule the people, and what members of classes and firms ask for themselves."""
    population = log.population
    life = np.zeros(NEGATIVE + len(log.config.all_negatives()))
    life[PERSON] = 1.0
    for number, negative in enumerate(log.config.all_negatives()):
        life[NEGATIVE + number] = _OWN_LIFE.get(NegativeKind(negative.kind), 0.0)
    weight = np.where(population.role < CAMPAIGN, life[np.minimum(population.role, life.size - 1)], 0.0)
    account = np.flatnonzero(weight)
    crowd = _Crowd(
        account, population.interests[account], population.language[account], population.zone[account], weight[account]
    )
    return _conversations(rng, log, crowd=crowd, n=n, label=Label.BACKGROUND)


def _relays(rng: np.random.Generator, log: Log, negative: NegativeConfig, members: NDArray[np.int64], n: int) -> Plan:
    """Schedule relays: many people behind each account."""
    customers = np.repeat(members, negative.habit.size)
    foreign = np.where(rng.random(customers.size) < 0.5, rng.integers(0, len(LANGUAGES), customers.size), 0)
    pooled = _Crowd(
        customers,
        interests(rng, customers.size, log.writers.n_topics),
        foreign.astype(np.int8),
        rng.integers(-8, 10, customers.size),
        np.ones(customers.size),
    )
    return _conversations(rng, log, crowd=pooled, n=n, label=Label.RELAY)


_TRAFFIC: dict[NegativeKind, Traffic] = {
    NegativeKind.RELAY: _relays,
    NegativeKind.VENDOR_APP: vendor_app,
    NegativeKind.EVALUATION_COMPANY: evaluation_company,
    NegativeKind.TRANSLATION_AGENCY: translation_agency,
    NegativeKind.HOMEWORK: homework,
    NegativeKind.SEO_FARM: seo_farm,
    NegativeKind.VIRAL_PROMPT: viral_prompt,
    NegativeKind.BENCHMARK_REPLAY: benchmark_replay,
}


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
        weight: float64, how much they write, on average.
    """

    account: NDArray[np.int64]
    tastes: NDArray[np.int16]
    language: NDArray[np.int8]
    zone: NDArray[np.int64]
    weight: NDArray[np.float64]


def _conversations(rng: np.random.Generator, log: Log, *, crowd: _Crowd, n: int, label: Label) -> Plan:
    """Schedule n prompts of a crowd: openers, follow-ups, pasted public templates, retries."""
    config, writers = log.config, log.writers
    counts = np.zeros(crowd.account.size, dtype=np.int64)
    if n:
        volume = crowd.weight * rng.lognormal(0.0, _VOLUME_SPREAD, counts.size)
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


def _topics(rng: np.random.Generator, tastes: NDArray[np.int16], n_topics: int) -> NDArray[np.int64]:
    n = tastes.shape[0]
    favourite = np.minimum(np.searchsorted(_FAVOURITE, rng.random(n)), INTERESTS - 1)
    topic = tastes[np.arange(n), favourite].astype(np.int64)
    return np.where(rng.random(n) < 0.1, rng.integers(0, n_topics, n), topic)
