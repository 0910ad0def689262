"""Evidence in what the accounts send."""

from __future__ import annotations

import numpy as np

from promptscan.evidence import Finding, Group
from promptscan.findings.facts import Facts
from promptscan.findings.together import companionship, shared_families
from promptscan.signals.ranks import shift, within
from promptscan.signals.sweeps import partition, sweep
from promptscan.signals.tails import Tail, binomial_tail

FEW = 3  # observations below which nothing is said
MARGIN = 0.1  # of focus, see `shift`
COMPANIONS = "companions"


def accounts(facts: Facts) -> Finding:
    """Count the accounts."""
    return Finding(
        "accounts", Group.NONE, facts.n_accounts.astype(np.float64), np.full(facts.n, np.nan), facts.n_prompts,
        Tail.nothing(facts.n), np.ones(facts.n, dtype=bool),
        lambda value, _, n: f"{value:,.0f} accounts sent {n:,} prompts of it.",
    )  # fmt: skip


def evenness(facts: Facts) -> Finding:
    """Say how evenly the accounts share the family: effective accounts (Hill number of order 2) over accounts."""
    even = facts.effective / np.maximum(facts.n_accounts, 1)
    return Finding(
        "evenness", Group.NONE, even, np.full(facts.n, np.nan), facts.n_accounts, Tail.nothing(facts.n), facts.n_accounts >= FEW,
        lambda value, _, n: f"They share it {'evenly' if value >= 0.6 else 'unevenly'}: {n:,} accounts weigh as much as {value * n:,.0f} equal ones.",
    )  # fmt: skip


def partitioned(facts: Facts) -> Finding:
    """Say whether the accounts divide the slots' values among themselves."""
    found = partition(facts.fills)
    return Finding(
        "partition", Group.SENT, found.observed, found.expected, found.rows, found.tail,
        (found.rows >= FEW) & (found.expected >= 1),
        lambda value, expected, _: (
            f"{value:,.0f} pairs of prompts of different accounts have the same values in all slots; "
            f"independent choices would give {expected:,.0f}: the accounts divide the values among themselves."
            if value < expected / 2 else
            f"{value:,.0f} pairs of prompts of different accounts have the same values in all slots, {expected:,.0f} by chance: "
            "the values are not divided among the accounts."
        ),
    )  # fmt: skip


def swept(facts: Facts) -> Finding:
    """Say whether the accounts go through the slots' values in the same order."""
    found = sweep(facts.fills)
    return Finding(
        "sweep", Group.SENT, found.observed, found.expected, found.rows, found.tail,
        (found.rows >= FEW) & (found.expected > 0),
        lambda value, expected, _: (
            f"Different accounts take the same step from one slot value to the next {value:,.0f} times; shuffled values would give "
            f"{expected:,.1f}."
        ),
    )  # fmt: skip


def companions(facts: Facts) -> Finding:
    """Say whether the accounts also share other families, more than their number of families makes them."""
    together = shared_families(facts, relatives=False)
    found = companionship(together, facts.n)
    return Finding(
        COMPANIONS, Group.SENT, found.observed, found.expected, found.rows, found.tail, found.rows >= FEW,
        lambda value, expected, n: (
            f"Pairs of its {n:,} accounts share other families {value:,.0f} times, in small ones counting for more; accounts with as "
            f"many families each would {expected:,.1f} times."
        ),
    )  # fmt: skip


def focus(facts: Facts) -> Finding:
    """Say which share of their traffic the accounts send in shared families, beside accounts of their home language.

    A language has its own share of texts that are alike.
    """
    inside = np.where(facts.breadth >= facts.least, facts.inside, np.nan)
    place = within(inside, facts.home)
    found = shift(facts.family, place[facts.account], place, facts.n, MARGIN)
    shown = shift(facts.family, inside[facts.account], inside, facts.n, MARGIN)
    return Finding(
        "focus", Group.SENT, shown.median, np.full(facts.n, shown.usual), found.n, found.tail(), found.n >= FEW,
        lambda value, expected, _: (
            f"Half of its accounts send at least {value:.0%} of their prompts in families that several accounts share; "
            f"the usual account that sends any: {expected:.0%}."
        ),
    )  # fmt: skip


def language(facts: Facts) -> Finding:
    """Say whether the accounts write in more languages than accounts that send families do.

    English is everybody's second language: that people of another write it too is no sign.
    """
    found = shift(facts.family, facts.languages[facts.account], facts.languages, facts.n, MARGIN)
    mean = np.bincount(facts.family, np.nan_to_num(facts.languages[facts.account]), facts.n) / np.maximum(found.n, 1)
    usual = np.nanmean(facts.languages) if (~np.isnan(facts.languages)).any() else np.nan
    return Finding(
        "language", Group.SENT, mean, np.full(facts.n, usual), found.n, found.tail(), found.n >= FEW,
        lambda value, expected, n: (
            f"{n:,} accounts with enough texts write in {value:.1f} languages besides English, one at least; accounts that send "
            f"families in {expected:.1f}."
        ),
    )  # fmt: skip


def obfuscation(facts: Facts) -> Finding:
    """Say how many of the accounts disguise the text."""
    count = np.bincount(facts.family, facts.obfuscated, facts.n).astype(np.int64)
    n = np.bincount(facts.family, minlength=facts.n).astype(np.int64)
    each = facts.n_prompts / np.maximum(facts.n_accounts, 1)
    chance = 1 - (1 - np.clip(facts.obfuscated_share, 0, 1)) ** each
    known = np.full(facts.n, facts.obfuscated_share > 0)
    return Finding(
        "obfuscation", Group.SENT, count.astype(np.float64), chance * n, n, binomial_tail(count, n, chance), known & (n >= FEW),
        lambda value, expected, n: f"{value:,.0f} of {n:,} accounts disguised its text; {expected:,.1f} would by chance.",
        shown=count > 0,
    )  # fmt: skip
