"""Who writes: accounts, their countries, languages, interests, networks and payments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.config import SimulationConfig
from promptscan.simulate.draws import mix

PERSON, VENDOR, RELAY, CAMPAIGN = 0, 1, 2, 3
"""Roles; campaign c has the role `CAMPAIGN + c`."""

LANGUAGES = ("en", "es", "de", "fr", "pt", "zh", "ja", "hi")
# country, share of accounts in %, hours east of UTC, language spoken there (most of the time)
COUNTRIES = (
    ("US", 33.0, -6, "en"), ("GB", 9.0, 0, "en"), ("CA", 5.5, -5, "en"), ("AU", 3.5, 10, "en"), ("IN", 9.0, 5, "en"),
    ("NG", 2.0, 1, "en"), ("PH", 2.5, 8, "en"), ("IE", 1.5, 0, "en"), ("SG", 1.5, 8, "en"), ("ZA", 1.5, 2, "en"),
    ("NL", 2.0, 1, "en"), ("ES", 2.8, 1, "es"), ("MX", 2.6, -6, "es"), ("AR", 1.4, -3, "es"), ("DE", 5.0, 1, "de"),
    ("CH", 1.0, 1, "de"), ("FR", 4.2, 1, "fr"), ("BE", 0.8, 1, "fr"), ("BR", 4.0, -3, "pt"), ("PT", 0.8, 0, "pt"),
    ("TW", 1.8, 8, "zh"), ("HK", 1.4, 8, "zh"), ("JP", 3.2, 9, "ja"), ("IN", 1.8, 5, "hi"),
)  # fmt: skip
_PLANS = ("free", "plus", "team", "api")
_PUBLIC_MAIL = ("gmail.com", "outlook.com", "yahoo.com", "icloud.com", "proton.me", "gmx.net", "hotmail.com")
INTERESTS = 4
_ADDRESSES = 3


@dataclass(frozen=True, slots=True)
class Population:
    """Accounts, all (accounts,) unless said.

    Args:
        role: int16, see `PERSON`.
        country: int16, row of `COUNTRIES`.
        language: int8, row of `LANGUAGES`.
        zone: int64, hours east of UTC.
        interests: int16 (accounts, 4), topics, the favourite first.
        ids: account ids.
        org: uint64 key of the organisation, 0 = none.
        payment: uint64 key of the payment, 0 = none.
        mail: email domains.
        plan: plans.
        asn: int64.
        addresses: (accounts, 3) IPv4 addresses as uint32.
    """

    role: NDArray[np.int16]
    country: NDArray[np.int16]
    language: NDArray[np.int8]
    zone: NDArray[np.int64]
    interests: NDArray[np.int16]
    ids: list[str]
    org: NDArray[np.uint64]
    payment: NDArray[np.uint64]
    mail: NDArray[np.object_]
    plan: NDArray[np.object_]
    asn: NDArray[np.int64]
    addresses: NDArray[np.uint32]

    def members(self, role: int) -> NDArray[np.int64]:
        """Return the accounts of a role."""
        return np.flatnonzero(self.role == role)


def people(config: SimulationConfig, topics: int) -> Population:
    """Draw the accounts.

    Args:
        config: with its campaigns.
        topics: number of topics there are.
    """
    rng = np.random.default_rng([config.seed, 1])
    n = config.accounts
    country = rng.choice(len(COUNTRIES), n, p=_shares([each[1] for each in COUNTRIES])).astype(np.int16)
    spoken = np.array([LANGUAGES.index(each[3]) for each in COUNTRIES], dtype=np.int8)[country]
    keys = mix(np.arange(n, dtype=np.uint64), config.seed % (1 << 62) + 11)
    in_org = rng.random(n) < 0.18
    org = np.where(in_org, mix(rng.integers(1, n // 12 + 2, n).astype(np.uint64), 21), np.uint64(0))
    pays = in_org | (rng.random(n) < 0.45)
    payment = np.where(pays, np.where(in_org, mix(org, 22), mix(keys, 22)), np.uint64(0))
    mail = _drawn(rng, _PUBLIC_MAIL, (50, 18, 9, 9, 6, 4, 4), n)
    mail[in_org] = [_organisation_mail(key) for key in org[in_org].tolist()]
    # A country has a few dozen networks of very unequal size, a network many prefixes.
    asn = 3_000 + country.astype(np.int64) * 900 + np.minimum(rng.zipf(1.6, n), 60)
    addresses = ((asn * 2_654_435_761 % 181 + 20) << 24)[:, None] + rng.integers(1 << 16, 1 << 24, (n, _ADDRESSES))
    addresses = np.where(rng.random(n)[:, None] < 0.4, addresses[:, :1], addresses)
    population = Population(
        role=_roles(rng, config),
        country=country,
        language=np.where(rng.random(n) < 0.2, np.int8(0), spoken),
        zone=np.array([each[2] for each in COUNTRIES], dtype=np.int64)[country],
        interests=interests(rng, n, topics),
        ids=[f"acc_{key:016x}" for key in keys.tolist()],
        org=org,
        payment=payment,
        mail=mail,
        plan=np.where(pays, _drawn(rng, _PLANS, (5, 60, 20, 15), n), "free"),
        asn=asn,
        addresses=addresses.astype(np.uint32),
    )
    _furnish_vendor(population, keys)
    for number, campaign in enumerate(config.campaigns):
        _furnish_campaign(rng, population, population.members(CAMPAIGN + number), campaign.shared)
    return population


def interests(rng: np.random.Generator, n: int, topics: int) -> NDArray[np.int16]:
    """Draw what people care about: int16 (n, 4) topics, popular topics more often."""
    popularity = 1.0 / np.arange(4, topics + 4) ** 0.6
    popularity = rng.permutation(popularity / popularity.sum())
    return rng.choice(topics, (n, INTERESTS), p=popularity).astype(np.int16)


def _roles(rng: np.random.Generator, config: SimulationConfig) -> NDArray[np.int16]:
    """Deal the roles; a log of few accounts has only people."""
    wanted = [config.campaign_accounts(campaign) for campaign in config.campaigns]
    roles = [CAMPAIGN + number for number, count in enumerate(wanted) for _ in range(count)]
    spare = config.accounts - len(roles)
    if spare >= 20:
        roles += [VENDOR] * min(12, 2 + spare // 400) + [RELAY] * (1 + spare // 500)
    role = np.zeros(config.accounts, dtype=np.int16)
    role[: len(roles)] = roles
    return rng.permutation(role)


def _furnish_vendor(population: Population, keys: NDArray[np.uint64]) -> None:
    """Put the vendor's accounts into one organisation that pays for them and mails from one domain."""
    members = population.members(VENDOR)
    if not members.size:
        return
    key = mix(keys[members[:1]], 31)
    population.org[members], population.payment[members] = key, mix(key, 32)
    population.mail[members], population.plan[members] = _organisation_mail(int(key[0])), "api"
    population.asn[members] = population.asn[members[0]]
    population.addresses[members] = population.addresses[members[0]]
    population.country[members], population.zone[members] = population.country[members[0]], population.zone[members[0]]


def _furnish_campaign(
    rng: np.random.Generator, population: Population, members: NDArray[np.int64], shared: float
) -> None:
    """Draw payments, networks and mail domains from small pools, each with its own luck."""
    n = members.size
    if not n:
        return
    population.org[members] = 0
    pool = mix(rng.integers(1, 1 << 62, max(1, n // 9)).astype(np.uint64), 41)
    paying = rng.random(n) < shared
    population.payment[members[paying]] = pool[rng.integers(0, pool.size, int(paying.sum()))]
    networks = 60_000 + rng.integers(0, 4_000, 3)
    hosted = rng.random(n) < shared
    chosen = rng.integers(0, networks.size, int(hosted.sum()))
    population.asn[members[hosted]] = networks[chosen]
    blocks = rng.integers(100 << 24, 220 << 24, networks.size) >> 8 << 8
    lasts = rng.integers(1, 1 + max(4, n // 6), (chosen.size, _ADDRESSES)) % 254 + 1
    population.addresses[members[hosted]] = blocks[chosen][:, None] + lasts
    domains = [f"{key % 0xFFFFFF:06x}.example" for key in rng.integers(1, 1 << 40, 2).tolist()]
    mail = _drawn(rng, (*_PUBLIC_MAIL[:3], *domains), (40, 30, 20, 5, 5), n)
    population.mail[members] = mail
    population.plan[members] = _drawn(rng, ("free", "plus", "api"), (60, 30, 10), n)


def _organisation_mail(key: int) -> str:
    return f"org-{key % 0xFFFFF:05x}.example"


def _drawn(
    rng: np.random.Generator, values: tuple[str, ...], weights: tuple[float, ...], n: int
) -> NDArray[np.object_]:
    drawn: NDArray[np.object_] = np.array(values, dtype=object)[rng.choice(len(values), n, p=_shares(weights))]
    return drawn


def _shares(weights: Sequence[float]) -> NDArray[np.float64]:
    return np.asarray(weights, dtype=np.float64) / sum(weights)
