"""Evidence in how the accounts came to be, and what they share."""

from __future__ import annotations

import numpy as np

from promptscan.evidence import Finding, Group
from promptscan.findings.facts import SHARED, Facts, Int64, Sharing
from promptscan.signals.coincidence import Categories, coincidences
from promptscan.signals.ranks import shift

FEW = 3
WORDS = {
    "payment_id": "payment", "ip": "IP address", "asn": "network", "user_agent": "client", "email_domain": "mail domain",
    "api_key_id": "API key",
}  # fmt: skip


def creation(facts: Facts) -> Finding:
    """Say whether accounts were made in the same hour more often than accounts of the store were."""
    known = ~np.isnat(facts.created)
    hour = np.where(known, facts.created, np.datetime64(0, "us")).astype("datetime64[h]").astype(np.int64)
    values, which = np.unique(hour[known], return_inverse=True)
    number = np.full(len(known), -1, dtype=np.int64)
    number[known] = which
    totals = np.bincount(which, minlength=len(values)).astype(np.int64)
    categories = Categories(totals, np.zeros(len(values), np.int64), np.array([int(known.sum())], dtype=np.int64))
    has = number[facts.account] >= 0
    family = facts.family[has]
    found = coincidences(family, number[facts.account[has]], categories, family, np.zeros_like(family), facts.n)
    return Finding(
        "creation", Group.MADE, found.pairs, found.expected, found.holders, found.tail(), found.holders >= FEW,
        lambda value, expected, n: (
            f"{value:,.0f} pairs of its {n:,} dated accounts were made in the same hour; {expected:,.1f} would be by chance."
        ),
    )  # fmt: skip


def youth(facts: Facts) -> Finding:
    """Say whether accounts were younger at their first prompt than accounts are."""
    age = facts.age()
    found = shift(facts.family, -age[facts.account], -age, facts.n)
    return Finding(
        "youth", Group.MADE, -found.median, np.full(facts.n, -found.usual), found.n, found.tail(), found.n >= FEW,
        lambda value, expected, _: (
            f"Half of its accounts were at most {_days(value)} old at their first prompt; the usual account is {_days(expected)}."
        ),
    )  # fmt: skip


def shared(facts: Facts) -> list[Finding]:
    """Say, for each kind of entity, whether accounts share values of it more than accounts do."""
    return [_shared(facts, kind, facts.sharing[kind]) for kind in SHARED]


def _shared(facts: Facts, kind: str, sharing: Sharing) -> Finding:
    family, value, holder = owned(facts, sharing)
    categories = Categories(
        sharing.totals, np.zeros(len(sharing.totals), np.int64), np.array([sharing.holders], dtype=np.int64)
    )
    found = coincidences(family, value, categories, holder, np.zeros_like(holder), facts.n)
    varied = len(sharing.totals) > 1
    return Finding(
        f"shared_{kind}", Group.MADE, found.pairs, found.expected, found.holders, found.tail(),
        (found.holders >= FEW) & varied,
        lambda value, expected, n: (
            f"{value:,.0f} pairs of its {n:,} accounts with a known {WORDS[kind]} share it; {expected:,.1f} would by chance."
        ),
        shown=None if sharing.holders else np.zeros(facts.n, dtype=bool),
    )  # fmt: skip


def owned(facts: Facts, sharing: Sharing) -> tuple[Int64, Int64, Int64]:
    """Return family and value of every value of every account of a family, and the families' accounts that have any."""
    n = len(facts.accounts)
    size = np.bincount(sharing.account, minlength=n)
    start = np.cumsum(size) - size
    repeat = size[facts.account]
    offset = np.arange(int(repeat.sum())) - np.repeat(np.cumsum(repeat) - repeat, repeat)
    rows = np.repeat(start[facts.account], repeat) + offset
    return np.repeat(facts.family, repeat), sharing.value[rows], facts.family[repeat > 0]


def _days(value: float) -> str:
    return f"{value:,.0f} days" if value >= 2 else f"{value * 24:,.0f} hours"
