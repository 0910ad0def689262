"""What speaks against a campaign: known prompts, one organisation, old and busy accounts, relays, too little wording."""

from __future__ import annotations

import numpy as np

from promptscan.evidence import Finding, Group
from promptscan.findings.facts import Facts, Float64, Int64
from promptscan.signals.tails import Tail

FEW = 3
SPREAD = 16  # families of one account from which it may be many people
SETTLED = 30.0  # days from which an account is no throw-away
WORDY = 12  # tokens in common below which people may well have written the same by themselves
INSTITUTION = 0.6  # share of a family's accounts that one institution must hold to explain it


def bank(facts: Facts) -> Finding:
    """Say how much of the family a benign bank knows."""
    return _told(
        facts, "bank", facts.benign_share, np.full(facts.n, np.nan), facts.n_prompts, facts.benign_share > 0,
        lambda value, _e, _n: f"Banks of benign prompts know {value:.0%} of its texts.",
    )  # fmt: skip


def organisation(facts: Facts) -> Finding:
    """Say how many of the accounts belong to one organisation, declared or seen from settled accounts of one mail domain."""
    largest, n = largest_organisation(facts)
    share = largest / np.maximum(n, 1)
    return _told(
        facts, "organisation", share, np.full(facts.n, np.nan), n, largest > 1,
        lambda value, _, n: f"{value:.0%} of its {n:,} accounts belong to one organisation, which may simply use it.",
    )  # fmt: skip


def largest_organisation(facts: Facts) -> tuple[Float64, Int64]:
    """Return the accounts of the largest organisation of each family, float64 (f,), and all of its accounts, int64 (f,)."""
    actor = actors(facts)
    n = np.bincount(facts.family, minlength=facts.n).astype(np.int64)
    together = actor[facts.account] < 0  # an organisation's number is negative
    largest = np.zeros(facts.n)
    if together.any():
        codes, counts = np.unique(
            np.stack([facts.family[together], actor[facts.account[together]]]), axis=1, return_counts=True
        )
        np.maximum.at(largest, codes[0], counts)
    return largest, n


def actors(facts: Facts) -> Int64:
    """Return who each account acts for: itself (its number), or its organisation (negative). int64 (a,).

    An organisation is declared (`org_id`), or a mail domain that is not everybody's and whose accounts are mostly settled:
    a domain of throw-away accounts explains nothing.
    """
    who = np.arange(len(facts.accounts))
    who[facts.organisation >= 0] = -1 - facts.organisation[facts.organisation >= 0]
    domains = facts.sharing["email_domain"]
    if domains.holders:
        age = facts.age()
        old = np.bincount(domains.value, np.nan_to_num(age[domains.account], nan=0.0) >= SETTLED, len(domains.totals))
        private = domains.totals <= max(0.05 * domains.holders, 5)
        settled = private & (domains.totals > 1) & (old >= 0.5 * domains.totals)
        rows = settled[domains.value] & (who[domains.account] >= 0)
        who[domains.account[rows]] = -1 - int(facts.organisation.max(initial=-1)) - 1 - domains.value[rows]
    return who


def effective_actors(facts: Facts) -> Float64:
    """Return how many equally active actors each family has (Hill number of order 2), float64 (f,)."""
    if not len(facts.family):
        return np.zeros(facts.n)
    _, actor = np.unique(actors(facts)[facts.account], return_inverse=True)
    codes, place = np.unique(np.stack([facts.family, actor]), axis=1, return_inverse=True)
    prompts = np.bincount(place.ravel(), facts.prompts, codes.shape[1])
    total, square = np.bincount(codes[0], prompts, facts.n), np.bincount(codes[0], prompts**2, facts.n)
    return np.asarray(total**2 / np.maximum(square, 1))


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
    outside = (1 - facts.inside)[facts.account]
    n = np.bincount(facts.family, minlength=facts.n).astype(np.int64)
    share = np.bincount(facts.family, outside, facts.n) / np.maximum(n, 1)
    return _told(
        facts, "diverse", share, np.full(facts.n, np.nan), n, share >= 0.5,
        lambda value, _e, _n: f"On average {value:.0%} of its accounts' prompts are in no family that others share.",
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
