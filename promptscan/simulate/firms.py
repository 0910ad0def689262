"""Organisations: one vendor's app, evaluation companies, translation agencies. Their accounts share an org_id."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.draws import mix
from promptscan.simulate.furnish import groups
from promptscan.simulate.log import Log
from promptscan.simulate.negative import NegativeConfig, NegativeKind
from promptscan.simulate.plan import DAY, Label, Plan, plan
from promptscan.simulate.sessions import hold, into_window, starts

_RUN = 40  # items of one evaluation run
_SECOND = 1_000_000


def vendor_app(
    rng: np.random.Generator, log: Log, negative: NegativeConfig, members: NDArray[np.int64], n: int
) -> Plan:
    """Schedule an app: steady all day, a little more by day, each request its own session."""
    moment = rng.integers(0, log.config.days, n) * DAY + (rng.beta(2.2, 2.0, n) * DAY).astype(np.int64)
    place = rng.integers(0, members.size, n)
    return plan(
        members[place].astype(np.int32),
        into_window(moment, log.config.days),
        Label.VENDOR_APP,
        writer=log.writers.negatives[NegativeKind.VENDOR_APP][0],
        key=mix(rng.integers(0, 1 << 63, n, dtype=np.uint64), 1),
        topic=rng.integers(0, log.writers.n_topics, n),
        session=np.arange(n),
        sweep=groups(members, negative.habit.size)[place],
    )


def evaluation_company(
    rng: np.random.Generator, log: Log, negative: NegativeConfig, members: NDArray[np.int64], n: int
) -> Plan:
    """Schedule evaluation runs: one key sends a few dozen items of one rubric within minutes."""
    group = groups(members, negative.habit.size)
    run = np.arange(n) // _RUN
    runs = int(run.max(initial=-1)) + 1
    place = rng.integers(0, members.size, runs)
    opened = starts(rng, log.population.zone[members[place]], days=log.config.days, weekday=log.weekday)
    number = rng.integers(0, negative.habit.repertoire, runs)
    writer, sweep = log.template(NegativeKind.EVALUATION_COMPANY, group[place], number)
    return plan(
        members[place][run].astype(np.int32),
        into_window(
            opened[run] + (np.arange(n) % _RUN) * rng.integers(_SECOND, 9 * _SECOND, runs)[run], log.config.days
        ),
        Label.EVALUATION_COMPANY,
        writer=writer[run],
        key=rng.integers(0, 1 << 63, n, dtype=np.uint64),
        topic=rng.integers(0, log.writers.n_topics, n),
        session=run,
        sweep=sweep[run],
    )


def translation_agency(
    rng: np.random.Generator, log: Log, negative: NegativeConfig, members: NDArray[np.int64], n: int
) -> Plan:
    """Schedule translators: sessions in their own office hours, texts of all subjects, one set of instructions."""
    place_of = rng.multinomial(n, _volume(rng, members.size))
    turns = hold(rng, place_of, log.population.zone[members], days=log.config.days, weekday=log.weekday)
    group = groups(members, negative.habit.size)[turns.person]
    number = rng.integers(0, negative.habit.repertoire, int(turns.session.max(initial=-1)) + 1)[turns.session]
    writer, sweep = log.template(NegativeKind.TRANSLATION_AGENCY, group, number)
    return plan(
        members[turns.person].astype(np.int32),
        turns.ts,
        Label.TRANSLATION_AGENCY,
        writer=writer,
        key=rng.integers(0, 1 << 63, n, dtype=np.uint64),
        topic=rng.integers(0, log.writers.n_topics, n),
        session=turns.session,
        sweep=sweep,
    )


def _volume(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Draw the shares of people who are paid to write, float64 (n,): unequal, no heavy tail."""
    volume = rng.lognormal(0.0, 0.5, n)
    shares: NDArray[np.float64] = volume / volume.sum()
    return shares
