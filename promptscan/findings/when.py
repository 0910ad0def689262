"""Evidence in when the accounts write."""

from __future__ import annotations

import numpy as np

from promptscan.evidence import Finding, Group
from promptscan.findings.facts import BIN, DAY, MODEL_DAYS, Facts
from promptscan.signals.clock import pivot, replacement
from promptscan.signals.coincidence import Categories, coincidences
from promptscan.signals.ranks import shift, within

FEW = 3
MARGIN = 0.05  # of the hours of the day, see `shift`
BUSY = 12  # prompts from which the hours of an account say something
OWN = 0.25  # share of its prompts in a family from which they say something of it: a relay, awake for everybody, sends everything


def synchrony(facts: Facts) -> Finding:
    """Say whether accounts write in the same ten minutes more often than the store's own rhythm of that day would make them."""
    bins, totals = facts.bin_totals[:, 0], facts.bin_totals[:, 1]
    days, day = np.unique(bins // (DAY // BIN), return_inverse=True)
    population = np.bincount(day, totals, len(days)).astype(np.int64)
    family, which = facts.events[:, 0], np.searchsorted(bins, facts.events[:, 2])
    categories = Categories(totals, day.astype(np.int64), population)
    found = coincidences(
        family, which, categories, family, day[which].astype(np.int64) if len(which) else which, facts.n
    )
    return Finding(
        "synchrony", Group.TIME, found.pairs, found.expected, found.holders, found.tail(),
        (found.holders >= FEW) & (found.expected > 0),
        lambda value, expected, _: (
            f"{value:,.0f} pairs of its accounts wrote within the same ten minutes; the day's own rhythm would give {expected:,.1f}."
        ),
    )  # fmt: skip


def round_the_clock(facts: Facts) -> Finding:
    """Say whether accounts spread over more hours of the day than others with as many prompts."""
    size = np.floor(np.log2(np.maximum(facts.total, 1))).astype(np.int64)
    hours = np.where((facts.total >= BUSY) & (facts.hours > 0), facts.hours.astype(np.float64), np.nan)
    place = within(hours, size)
    own = np.flatnonzero(facts.prompts >= OWN * facts.total[facts.account])
    family, account = facts.family[own], facts.account[own]
    found = shift(family, place[account], place, facts.n, MARGIN)
    shown = shift(family, hours[account], hours, facts.n, MARGIN)
    return Finding(
        "round_the_clock", Group.TIME, shown.median, np.full(facts.n, shown.usual), found.n, found.tail(), found.n >= FEW,
        lambda value, expected, n: (
            f"{n:,} accounts that sent {BUSY} prompts or more, {OWN:.0%} of them here, were active in {value:,.0f} hours of the day "
            f"(median), the usual one in {expected:,.0f}."
        ),
    )  # fmt: skip


def moved(facts: Facts) -> Finding:
    """Say whether the accounts moved to a new model in the days after its release."""
    found = pivot(facts.asks[:, 0], facts.asks[:, 2], facts.asks[:, 3] > 0, facts.usual, facts.n)
    return Finding(
        "pivot", Group.TIME, found.moved.astype(np.float64), found.usual * found.asked, found.asked, found.tail, found.asked >= FEW,
        lambda value, expected, n: (
            f"{value:,.0f} of its {n:,} accounts that wrote in the {MODEL_DAYS} days after a model's release asked the new model; "
            f"{expected:,.1f} would at the usual pace."
        ),
    )  # fmt: skip


def replaced(facts: Facts) -> Finding:
    """Say whether accounts begin on the day after others stopped."""
    known = ~(np.isnat(facts.pair_first) | np.isnat(facts.pair_last))
    start, stop = (
        times[known].astype("datetime64[D]").astype(np.int64) for times in (facts.pair_first, facts.pair_last)
    )
    own = facts.first[~np.isnat(facts.first)].astype("datetime64[D]").astype(np.int64)
    found = replacement(facts.family[known], start, stop, own, facts.n)
    return Finding(
        "replacement", Group.TIME, found.observed, found.expected, found.stops, found.tail,
        (found.stops >= FEW) & (found.expected > 0),
        lambda value, expected, n: (
            f"{n:,} of its accounts stopped; {value:,.0f} times another began on the next day, {expected:,.1f} times by chance."
        ),
    )  # fmt: skip
