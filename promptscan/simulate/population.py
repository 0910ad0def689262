"""Who writes: accounts, their countries, languages, interests, networks and payments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.config import SimulationConfig
from promptscan.simulate.draws import mix, pick
from promptscan.simulate.knobs import FOREIGN

PERSON, NEGATIVE, CAMPAIGN = 0, 1, 2_000
"""Roles; the accounts of negative n have the role `NEGATIVE + n`, of campaign c `CAMPAIGN + c`."""

LANGUAGES = ("en", *FOREIGN)
# country, share of accounts in %, hours east of UTC, language spoken there (most of the time)
COUNTRIES = (
    ("US", 33.0, -6, "en"), ("GB", 9.0, 0, "en"), ("CA", 5.5, -5, "en"), ("AU", 3.5, 10, "en"), ("IN", 9.0, 5, "en"),
    ("NG", 2.0, 1, "en"), ("PH", 2.5, 8, "en"), ("IE", 1.5, 0, "en"), ("SG", 1.5, 8, "en"), ("ZA", 1.5, 2, "en"),
    ("NL", 2.0, 1, "en"), ("ES", 2.8, 1, "es"), ("MX", 2.6, -6, "es"), ("AR", 1.4, -3, "es"), ("DE", 5.0, 1, "de"),
    ("CH", 1.0, 1, "de"), ("FR", 4.2, 1, "fr"), ("BE", 0.8, 1, "fr"), ("BR", 4.0, -3, "pt"), ("PT", 0.8, 0, "pt"),
    ("TW", 1.8, 8, "zh"), ("HK", 1.4, 8, "zh"), ("JP", 3.2, 9, "ja"), ("IN", 1.8, 5, "hi"),
)  # fmt: skip
_PLANS = ("free", "plus", "team", "api")
PUBLIC_MAIL = ("gmail.com", "outlook.com", "yahoo.com", "icloud.com", "proton.me", "gmx.net", "hotmail.com")
# Ordinary reasons to share: a carrier's gateways, an office, a family's card.
_CARRIER, _GATEWAYS, _OFFICE, _FAMILY = 0.15, 4, 0.6, 0.06
INTERESTS = 4
ADDRESSES = 3


@dataclass(frozen=True, slots=True)
class Population:
    """Accounts, all (accounts,) unless said.

    Args:
        role: int16, see `PERSON`.
        keys: uint64, the randomness of each account.
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
    keys: NDArray[np.uint64]
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
    """Draw the accounts as if all were people's; `furnish` gives the others what sets them apart.

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
    mail = drawn(rng, PUBLIC_MAIL, (50, 18, 9, 9, 6, 4, 4), n)
    mail[in_org] = [organisation_mail(key) for key in org[in_org].tolist()]
    # A country has a few dozen networks of very unequal size, a network many prefixes.
    asn = 3_000 + country.astype(np.int64) * 900 + np.minimum(rng.zipf(1.6, n), 60)
    addresses = ((asn * 2_654_435_761 % 181 + 20) << 24)[:, None] + rng.integers(1 << 16, 1 << 24, (n, ADDRESSES))
    addresses = np.where(rng.random(n)[:, None] < 0.4, addresses[:, :1], addresses)
    role = _roles(rng, config)
    innocent = np.random.default_rng([config.seed, 8])
    _share_payments(innocent, payment, np.flatnonzero(pays & ~in_org))
    _share_addresses(innocent, addresses, asn, org)
    return Population(
        role=role,
        keys=keys,
        country=country,
        language=np.where(rng.random(n) < 0.2, np.int8(0), spoken),
        zone=np.array([each[2] for each in COUNTRIES], dtype=np.int64)[country],
        interests=interests(rng, n, topics),
        ids=[f"acc_{key:016x}" for key in keys.tolist()],
        org=org,
        payment=payment,
        mail=mail,
        plan=np.where(pays, drawn(rng, _PLANS, (5, 60, 20, 15), n), "free"),
        asn=asn,
        addresses=addresses.astype(np.uint32),
    )


def _share_payments(rng: np.random.Generator, payment: NDArray[np.uint64], payers: NDArray[np.int64]) -> None:
    """Let some pairs of private payers use one payment, in place."""
    pairs = round(payers.size * _FAMILY / 2)
    both = rng.permutation(payers)[: 2 * pairs]
    payment[both[pairs:]] = payment[both[:pairs]]


def _share_addresses(
    rng: np.random.Generator, addresses: NDArray[np.int64], asn: NDArray[np.int64], org: NDArray[np.uint64]
) -> None:
    """Put people behind the few addresses of their carrier, and members of organisations behind their office's, in place."""
    n = asn.size
    carried = np.flatnonzero(rng.random(n) < _CARRIER)
    gateway = (asn * 2_654_435_761 % 181 + 20 << 24) + (asn * 40_503 % 65_536 << 8)
    for place in range(2):
        addresses[carried, place] = gateway[carried] + rng.integers(1, 1 + _GATEWAYS, carried.size)
    office = np.flatnonzero((org > 0) & (rng.random(n) < _OFFICE))
    key = mix(org[office], 23)
    addresses[office, 0] = ((key % np.uint64(181)).astype(np.int64) + 20 << 24) + pick(key, 1 << 24)


def interests(rng: np.random.Generator, n: int, topics: int) -> NDArray[np.int16]:
    """Draw what people care about: int16 (n, 4) topics, popular topics more often."""
    popularity = 1.0 / np.arange(4, topics + 4) ** 0.6
    popularity = rng.permutation(popularity / popularity.sum())
    return rng.choice(topics, (n, INTERESTS), p=popularity).astype(np.int16)


def _roles(rng: np.random.Generator, config: SimulationConfig) -> NDArray[np.int16]:
    """Deal the roles; a log of few accounts has only people."""
    wanted = [config.campaign_accounts(campaign) for campaign in config.all_campaigns()]
    roles = [CAMPAIGN + number for number, count in enumerate(wanted) for _ in range(count)]
    roles += [NEGATIVE + number for number, count in enumerate(config.negative_accounts()) for _ in range(count)]
    role = np.zeros(config.accounts, dtype=np.int16)
    role[: len(roles)] = roles
    return rng.permutation(role)


def organisation_mail(key: int) -> str:
    """Return the email domain of an organisation."""
    return f"org-{key % 0xFFFFF:05x}.example"


def drawn(rng: np.random.Generator, values: Sequence[str], weights: Sequence[float], n: int) -> NDArray[np.object_]:
    """Draw n of some strings."""
    some: NDArray[np.object_] = np.array(values, dtype=object)[rng.choice(len(values), n, p=_shares(weights))]
    return some


def _shares(weights: Sequence[float]) -> NDArray[np.float64]:
    return np.asarray(weights, dtype=np.float64) / sum(weights)
