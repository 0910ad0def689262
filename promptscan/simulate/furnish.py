"""What sets accounts of organisations, classes, shops and campaigns apart: whom they belong to, what they share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.config import SimulationConfig
from promptscan.simulate.draws import mix
from promptscan.simulate.knobs import Shared
from promptscan.simulate.negative import NegativeKind
from promptscan.simulate.population import (
    ADDRESSES,
    CAMPAIGN,
    COUNTRIES,
    NEGATIVE,
    PUBLIC_MAIL,
    Population,
    drawn,
    organisation_mail,
)

_ENGLISH = sum(1 for country in COUNTRIES if country[3] == "en")  # they come first
_CAMPUS, _HOSTED = 66_000, 60_000
_PER_ADDRESS = 4
_HOME_WORK = 0.3
_OWN_SHOP_MAIL = 0.5


def furnish(config: SimulationConfig, population: Population) -> None:
    """Give the accounts of negatives and campaigns their entities, in place.

    Args:
        config: complete.
        population: as drawn by `people`.
    """
    rng = np.random.default_rng([config.seed, 5])
    for number, negative in enumerate(config.all_negatives()):
        members = population.members(NEGATIVE + number)
        furnisher = _FURNISHERS.get(NegativeKind(negative.kind))
        if members.size and furnisher:
            furnisher(rng, population, members, groups(members, negative.habit.size))
    for number, campaign in enumerate(config.all_campaigns()):
        members = population.members(CAMPAIGN + number)
        if members.size:
            _campaign(rng, population, members, campaign.sharing)


def groups(members: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Deal members to groups of about `size`, the first member of group g at place g; int64 (members,)."""
    return np.arange(members.size) % max(1, -(-members.size // size))


def _vendor(
    rng: np.random.Generator, population: Population, members: NDArray[np.int64], group: NDArray[np.int64]
) -> None:
    """One server park: all from the network and the addresses of the group's first account."""
    del rng
    _organisation(population, members, group, "api")
    first = members[group]
    population.asn[members] = population.asn[first]
    population.addresses[members] = population.addresses[first]
    population.country[members], population.zone[members] = population.country[first], population.zone[first]


def _evaluators(
    rng: np.random.Generator, population: Population, members: NDArray[np.int64], group: NDArray[np.int64]
) -> None:
    """Many keys of one company, on one network."""
    _vendor(rng, population, members, group)
    population.plan[members] = drawn(rng, ("api", "team"), (70, 30), members.size)


def _agency(
    rng: np.random.Generator, population: Population, members: NDArray[np.int64], group: NDArray[np.int64]
) -> None:
    """One office, and people who work from home, in many countries."""
    _organisation(population, members, group, "team")
    office = rng.random(members.size) >= _HOME_WORK
    first = members[group][office]
    population.asn[members[office]] = population.asn[first]
    population.addresses[members[office]] = population.addresses[first]


def _class(
    rng: np.random.Generator, population: Population, members: NDArray[np.int64], group: NDArray[np.int64]
) -> None:
    """One institution: its network, its mail, its country; payments and homes are the students' own."""
    n, classes = members.size, int(group.max()) + 1
    key = mix(population.keys[members[:classes]], 33)
    country = rng.integers(0, _ENGLISH, classes)[group]
    population.org[members] = 0
    population.payment[members] = np.where(rng.random(n) < 0.25, mix(population.keys[members], 22), np.uint64(0))
    population.plan[members] = np.where(population.payment[members] > 0, "plus", "free")
    population.mail[members] = np.array([f"students-{each % 0xFFFFF:05x}.example" for each in key.tolist()], object)[
        group
    ]
    population.country[members], population.language[members] = country, 0
    population.zone[members] = np.array([each[2] for each in COUNTRIES], dtype=np.int64)[country]
    population.asn[members] = (_CAMPUS + (key % np.uint64(8_000)).astype(np.int64))[group]
    campus = 134 << 24 | (key % np.uint64(1 << 16)).astype(np.int64) << 8
    population.addresses[members, : ADDRESSES - 1] = campus[group][:, None] + rng.integers(1, 9, (n, ADDRESSES - 1))


def _shops(
    rng: np.random.Generator, population: Population, members: NDArray[np.int64], group: NDArray[np.int64]
) -> None:
    """Owners who do not know each other: nothing is shared."""
    del group
    own = mix(population.keys[members], 34)
    population.org[members], population.payment[members] = 0, mix(population.keys[members], 22)
    population.plan[members] = drawn(rng, ("plus", "team"), (85, 15), members.size)
    mail = drawn(rng, PUBLIC_MAIL, (50, 18, 9, 9, 6, 4, 4), members.size)
    named = rng.random(members.size) < _OWN_SHOP_MAIL
    mail[named] = [f"shop-{each % 0xFFFFFFF:07x}.example" for each in own[named].tolist()]
    population.mail[members] = mail


def _organisation(population: Population, members: NDArray[np.int64], group: NDArray[np.int64], plan: str) -> None:
    """Put each group into an organisation that pays for its accounts and mails from one domain."""
    key = mix(population.keys[members[: int(group.max()) + 1]], 31)
    population.org[members], population.payment[members] = key[group], mix(key, 32)[group]
    population.mail[members] = np.array([organisation_mail(each) for each in key.tolist()], dtype=object)[group]
    population.plan[members] = plan


_FURNISHERS: dict[
    NegativeKind, Callable[[np.random.Generator, Population, NDArray[np.int64], NDArray[np.int64]], None]
] = {
    NegativeKind.VENDOR_APP: _vendor,
    NegativeKind.EVALUATION_COMPANY: _evaluators,
    NegativeKind.TRANSLATION_AGENCY: _agency,
    NegativeKind.HOMEWORK: _class,
    NegativeKind.SEO_FARM: _shops,
}


def _campaign(rng: np.random.Generator, population: Population, members: NDArray[np.int64], shared: Shared) -> None:
    """Draw payments, networks and mail domains from small pools, each with its own luck; no organisation.

    An address of the pool comes with its network where both are to be shared equally often.
    """
    n = members.size
    population.org[members] = 0
    in_org = np.char.startswith(population.mail[members].astype(str), "org-")
    population.payment[members[in_org]] = mix(population.keys[members[in_org]], 22)
    pool = mix(rng.integers(1, 1 << 62, max(1, n // 9)).astype(np.uint64), 41)
    paying = rng.random(n) < shared.payment
    population.payment[members[paying]] = pool[rng.integers(0, pool.size, int(paying.sum()))]
    networks = _HOSTED + rng.integers(0, 4_000, 3)
    blocks = rng.integers(100 << 24, 220 << 24, networks.size) >> 8 << 8
    chosen, luck = rng.integers(0, networks.size, n), rng.random(n)
    hosted, housed = luck < shared.asn, luck < shared.ip
    population.asn[members[hosted]] = networks[chosen[hosted]]
    few = min(254, max(1, round(int(housed.sum()) / _PER_ADDRESS / networks.size)))
    lasts = rng.integers(1, 1 + few, (int(housed.sum()), ADDRESSES))
    population.addresses[members[housed]] = blocks[chosen[housed]][:, None] + lasts
    domains = np.array([f"{key % 0xFFFFFF:06x}.example" for key in rng.integers(1, 1 << 40, 2).tolist()], dtype=object)
    mail = drawn(rng, PUBLIC_MAIL[:3], (40, 30, 20), n)
    registered = rng.random(n) < shared.email_domain
    mail[registered] = domains[rng.integers(0, 2, int(registered.sum()))]
    population.mail[members] = mail
    population.plan[members] = drawn(rng, ("free", "plus", "api"), (60, 30, 10), n)
