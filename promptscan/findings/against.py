"""What speaks against a campaign: known prompts, one organisation, old and busy accounts, relays, too little wording."""

from __future__ import annotations

import numpy as np

from promptscan.evidence import Finding, Group
from promptscan.findings.actors import SETTLED
from promptscan.findings.facts import Facts
from promptscan.signals.tails import Tail

FEW = 3
SPREAD = 16  # families of one account from which it may be many people
ONCE = 0.7  # share of accounts that sent it once from which use is heavy-tailed
WORDY = 12  # tokens in common below which people may well have written the same by themselves


def bank(facts: Facts) -> Finding:
    """Say how much of the family a benign bank knows."""
    return _told(
        facts, "bank", facts.benign_share, np.full(facts.n, np.nan), facts.n_prompts, facts.benign_share > 0,
        lambda value, _e, _n: f"Banks of benign prompts know {value:.0%} of its texts.",
    )  # fmt: skip


def organisation(facts: Facts) -> Finding:
    """Say how many of the accounts belong to organisations, and count as one each."""
    n = np.bincount(facts.family, minlength=facts.n).astype(np.int64)
    belonging = facts.n_accounts - n
    return _told(
        facts, "organisation", belonging.astype(np.float64), np.full(facts.n, np.nan), n, belonging > 0,
        lambda value, _, n: f"{value + n:,.0f} accounts are {n:,} users: the others belong to the same organisations.",
    )  # fmt: skip


def history(facts: Facts) -> Finding:
    """Say how many of the accounts were settled before they sent it."""
    age = facts.pair_first - facts.created[facts.account]
    days = age / np.timedelta64(1, "D")
    known = ~np.isnan(days)
    n = np.bincount(facts.family[known], minlength=facts.n).astype(np.int64)
    share = np.bincount(facts.family[known], days[known] >= SETTLED, facts.n) / np.maximum(n, 1)
    return _told(
        facts, "history", share, np.full(facts.n, np.nan), n, (n >= FEW) & (share >= 0.25),
        lambda value, _, n: f"{value:.0%} of its {n:,} dated accounts were older than {SETTLED:.0f} days when they first sent it.",
    )  # fmt: skip


def diverse(facts: Facts) -> Finding:
    """Say how much else the accounts do."""
    outside = (1 - np.nan_to_num(facts.inside, nan=1.0))[facts.account]
    n = np.bincount(facts.family, minlength=facts.n).astype(np.int64)
    share = np.bincount(facts.family, outside, facts.n) / np.maximum(n, 1)
    return _told(
        facts, "diverse", share, np.full(facts.n, np.nan), n, share >= 0.5,
        lambda value, _e, _n: f"On average {value:.0%} of its accounts' prompts are in no family that others share.",
    )  # fmt: skip


def organic(facts: Facts) -> Finding:
    """Say how many of the accounts sent it once only: what goes round has many who try it, and a few who stay."""
    n = np.bincount(facts.family, minlength=facts.n).astype(np.int64)
    share = np.bincount(facts.family, facts.prompts == 1, facts.n) / np.maximum(n, 1)
    return _told(
        facts, "organic", share, np.full(facts.n, np.nan), n, (n >= 10) & (share >= ONCE),
        lambda value, _, n: f"{value:.0%} of its {n:,} accounts sent it once, as people do who try a prompt that goes round.",
    )  # fmt: skip


def relay(facts: Facts) -> Finding:
    """Say how many of the accounts send so many families that they may be many people."""
    n = np.bincount(facts.family, minlength=facts.n).astype(np.int64)
    share = np.bincount(facts.family, facts.breadth[facts.account] >= SPREAD, facts.n) / np.maximum(n, 1)
    return _told(
        facts, "relay", share, np.full(facts.n, np.nan), n, share > 0.1,
        lambda value, _, n: f"{value:.0%} of its {n:,} accounts send {SPREAD} families or more: relays, or very busy people.",
    )  # fmt: skip


def short(facts: Facts) -> Finding:
    """Say whether its wording is so short that people may have come by it on their own."""
    return _told(
        facts, "short", facts.frame.astype(np.float64), np.full(facts.n, float(WORDY)), facts.n_accounts, facts.frame < WORDY,
        lambda value, _e, _n: f"Its texts have only {value:,.0f} words in common: people may have written it by themselves.",
    )  # fmt: skip


def _told(facts, kind, value, expected, n, shown, says) -> Finding:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Make a finding that is told and does not count."""
    return Finding(
        kind,
        Group.NONE,
        value,
        expected,
        n,
        Tail.nothing(facts.n),
        np.ones(facts.n, dtype=bool),
        says,
        against=True,
        shown=shown,
    )
