"""Evidence in how the accounts came to be, and what they share."""

from __future__ import annotations

import numpy as np

from promptscan.evidence import Finding, Group
from promptscan.findings.facts import BIN, DAY, SHARED, Facts, Int64, Sharing
from promptscan.signals.coincidence import Categories, coincidences, placed_coincidences
from promptscan.signals.ranks import shift

FEW = 3
MARGIN = 0.12  # of youth, see `shift`: what goes round brings new people
COHORT = 50  # accounts of a place that were made at one time of the log, from which they have hours of their own
REGIONAL = ("ip", "asn", "email_domain", "user_agent")
"""What people of one country and language have in common anyway (its carriers' gateways, its networks): a family may be in one."""
PRIVATE = (
    "payment_id",
    "api_key_id",
)  # what no stranger has by chance, unlike a campus' address or a carrier's network
WORDS = {
    "payment_id": "payment", "ip": "IP address", "asn": "network", "user_agent": "client", "email_domain": "mail domain",
    "api_key_id": "API key",
}  # fmt: skip


def creation(facts: Facts) -> Finding:
    """Say whether accounts that were made on one day were made in the same hour of it more often than accounts of their places are.

    That many are made on one day is no sign: a prompt that goes round brings new people, through all of the day. Each place has its own
    hours.
    """
    known = ~np.isnat(facts.created)
    hours = np.where(known, facts.created, np.datetime64(0, "us")).astype("datetime64[h]").astype(np.int64)
    has = known[facts.account]
    family, account = facts.family[has], facts.account[has]
    days, day = np.unique(hours[account] // 24, return_inverse=True)
    cohort, whose, who = cohorts(facts)
    groups, group = np.unique(family * len(days) + day, return_inverse=True)  # of one family and day
    found = placed_coincidences(
        group,
        hours[account] % 24,
        group,
        cohort[account],
        (whose, hours[who] % 24, np.arange(len(who))),
        len(groups),
    ).joined(groups // max(len(days), 1), facts.n)
    return Finding(
        "creation", Group.MADE, found.pairs, found.expected, found.holders, found.tail(), found.holders >= FEW,
        lambda value, expected, n: (
            f"{value:,.0f} pairs of its {n:,} dated accounts were made in the same hour; {expected:,.1f} of the pairs that were "
            "made on the same day would be by chance."
        ),
        lone=True,
    )  # fmt: skip


def cohorts(facts: Facts) -> tuple[Int64, Int64, Int64]:
    """Number accounts by their place and by when they were made: before the log, on the day before it, in it, or on its last day.

    A log knows accounts by what they write in it: of those made on its last day those made early, of those made on the day before it those
    made late. A place with few of them is compared with all accounts of that time, lest a burst be a place of its own.

    Returns:
        The cohort of each account, int64 (a,); and cohort and account of all dated accounts that cohorts are compared with, int64 (c,) each.
    """
    dated = np.flatnonzero(~np.isnat(facts.created))
    days, day = facts.bin_totals[:, 0] * BIN // DAY, facts.created.astype("datetime64[D]").astype(np.int64)
    if not len(days):
        return facts.place, facts.place[dated], dated
    time = (day >= days[0] - 1).astype(np.int64) + (day >= days[0]) + (day >= days[-1])
    cohort = 4 * facts.place + time
    n = int(cohort.max(initial=0)) + 1
    few = (time > 0) & (np.bincount(cohort[dated], minlength=n)[cohort] < COHORT)
    numbers, cohort = np.unique(np.where(few, n + time, cohort), return_inverse=True)
    own, whole = dated[~few[dated]], dated[np.isin(time[dated], time[few])]
    whose = np.concatenate([cohort[own], np.searchsorted(numbers, n + time[whole])])
    return cohort.astype(np.int64), whose.astype(np.int64), np.concatenate([own, whole])


def youth(facts: Facts) -> Finding:
    """Say whether accounts were younger at their first prompt than accounts are."""
    age = facts.age()
    found = shift(facts.family, -age[facts.account], -age, facts.n, MARGIN)
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
    family, value, holder, account = owned(facts, sharing)
    if kind in REGIONAL:
        whole = (facts.place[sharing.account], sharing.value, sharing.account)
        found = placed_coincidences(family, value, holder, facts.place[account], whole, facts.n)
    else:
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
        lone=kind in PRIVATE,
    )  # fmt: skip


def owned(facts: Facts, sharing: Sharing) -> tuple[Int64, Int64, Int64, Int64]:
    """Return family and value of every value of every account of a family, and family and account of those that have any."""
    n = len(facts.accounts)
    size = np.bincount(sharing.account, minlength=n)
    start = np.cumsum(size) - size
    repeat = size[facts.account]
    offset = np.arange(int(repeat.sum())) - np.repeat(np.cumsum(repeat) - repeat, repeat)
    rows = np.repeat(start[facts.account], repeat) + offset
    return np.repeat(facts.family, repeat), sharing.value[rows], facts.family[repeat > 0], facts.account[repeat > 0]


def _days(value: float) -> str:
    return f"{value:,.0f} days" if value >= 2 else f"{value * 24:,.0f} hours"
