"""How sure it is that an account belongs to a campaign whose families it takes part in: weights of evidence.

score = 1 / (1 + exp(-(prior + traffic + volume + families + entities + creation))), each term the natural logarithm of a
likelihood ratio, member against bystander, estimated for each campaign. What is not known (no creation time, no entities)
adds 0. Related evidence is discounted and every term bounded, as the terms are not independent.
Source: Good, "Weight of evidence: a brief survey", 1985; naive Bayes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from promptscan.campaigns.links import kind_numbers
from promptscan.campaigns.parties import Parties
from promptscan.campaigns.traffic import Bools, Floats, Ints, Traffic

MEMBER = 0.5  # score from which an account is a member
PRIOR = (6.0, 2.0)  # pseudo-counts of members and bystanders in a family that has become part of a campaign
CERTAIN = 0.8  # highest prior: one paste amid other traffic must not be carried by the company it is in
ROUNDS = 20  # of expectation-maximisation of the prior; it moves by less than 1e-3 after ten
VOLUME_BOUND = 1.2  # nats against an account that sent less than members do; alone it must not undo the prior
AGAIN = 0.35  # chance that a bystander sends what it pasted once more
HABIT = 0.3  # share of bystanders to whom something like the family is a small, steady part of their work
HABIT_SHAPE = 30.0  # such a bystander's share of traffic is Beta(1, 30): 3 % on average
FAMILY_BOUND = (1.0, 3.0)  # nats for one more family, and for all of them
ENTITY_BOUND = 4.0  # nats
CREATION_BOUND = 3.0  # nats
WINDOWS = (np.timedelta64(30, "m"), np.timedelta64(1, "D"))  # of a burst of creation, on either side
PUBLIC = 0.5  # an entity that half of the store has tells nothing: not looked at


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of pairs of a campaign and an account, and what they are made of.

    Attributes:
        score: float64 (r,), 0..1.
        member: bool (r,), score of MEMBER or more; where no account reaches it, all: who takes part is then known, not who
            belongs.
        traffic, families, entities, creation: float64 (r,), weights of evidence in nats; traffic with volume.
        entity: int64 (r,), the entity that says most, -1 for none.
        window: int64 (r,), index into WINDOWS of the burst that says most, -1 for none.
    """

    score: Floats
    member: Bools
    traffic: Floats
    families: Floats
    entities: Floats
    creation: Floats
    entity: Ints
    window: Ints

    def rows(self, kept: Ints) -> Scores:
        """Return the scores of some pairs, in the order given."""
        return Scores(*(getattr(self, name)[kept] for name in self.__slots__))


def score_members(traffic: Traffic, parties: Parties) -> Scores:
    """Score every pair of a campaign and an account that takes part in its families.

    Args:
        traffic: in order.
        parties: who takes part in which campaign.
    """
    by_traffic = traffic_weights(parties.prompts, traffic.account_total[parties.account])
    by_families = family_weights(parties, traffic.n_accounts)
    first = sigmoid(prior_log_odds(traffic, parties, by_traffic + by_families) + by_traffic + by_families)
    by_volume = volume_weights(parties, first)
    weights = by_traffic + by_volume + by_families
    weights = weights + prior_log_odds(traffic, parties, weights)
    first = sigmoid(weights)
    by_entities, entity = entity_weights(traffic, parties, first)
    by_creation, window = creation_weights(traffic, parties, first)
    score = sigmoid(weights + by_entities + by_creation)
    sure = score >= MEMBER
    none_sure = np.bincount(parties.group[sure], minlength=parties.n_groups) == 0
    return Scores(
        score,
        sure | none_sure[parties.group],
        by_traffic + by_volume,
        by_families,
        by_entities,
        by_creation,
        entity,
        window,
    )


def sigmoid(log_odds: Floats) -> Floats:
    """Turn log odds into probabilities."""
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -500, 500))))


def traffic_weights(inside: Ints, total: Ints) -> Floats:
    """Weigh how much of an account's traffic is inside the campaign's families.

    A member sends any number from 1 to all of its prompts inside, all equally likely: half of it may be cover, most of it
    other people's (a relay). A bystander pasted something once and perhaps again (geometric), or has a small steady use for it
    (beta-binomial). Both are conditional on at least one prompt inside, so an account of one prompt weighs 0.

    Args:
        inside: int64 (r,), prompts inside, at least 1.
        total: int64 (r,), all prompts of the account.
    """
    from scipy.special import gammaln

    k = inside.astype(np.float64)
    n = np.maximum(total, inside).astype(np.float64)
    pasted = np.log1p(-AGAIN) + (k - 1) * np.log(AGAIN) - np.log1p(-(AGAIN**n))
    b = HABIT_SHAPE
    habit = np.log(b * (n + b) / n) + gammaln(n + 1) - gammaln(n - k + 1) + gammaln(n - k + b) - gammaln(n + b + 1)
    bystander = np.logaddexp(np.log(1 - HABIT) + pasted, np.log(HABIT) + habit)
    return np.asarray(-np.log(n) - bystander)


def family_weights(parties: Parties, n_accounts: int) -> Floats:
    """Weigh each further family of the campaign that an account takes part in.

    A bystander who met one of the families meets another with the chance of any account of the store.
    """
    rate = (parties.sizes() + 1) / (max(n_accounts, 1) + 1)
    one, most = FAMILY_BOUND
    each = np.clip(-np.log(np.minimum(rate, 1)), 0, one)
    return np.asarray(np.minimum((parties.n_families - 1) * each[parties.group], most))


def volume_weights(parties: Parties, score: Floats) -> Floats:
    """Weigh against accounts that sent the families less than members do: 0 or negative, float64 (r,).

    Prompts inside are geometric, with the mean of the campaign's members or that of a bystander. What speaks for an account
    is left to `traffic_weights`, where the same prompts count.
    """
    size = np.bincount(parties.group, weights=score, minlength=parties.n_groups)
    sent = np.bincount(parties.group, weights=score * parties.prompts, minlength=parties.n_groups)
    stop = 1 / np.maximum(sent / np.maximum(size, 1e-9), 1 / (1 - AGAIN))[parties.group]
    more = parties.prompts - 1
    member = np.log(stop) + more * np.log1p(-stop)
    bystander = np.log1p(-AGAIN) + more * np.log(AGAIN)
    return np.asarray(np.clip(member - bystander, -VOLUME_BOUND, 0))


def prior_log_odds(traffic: Traffic, parties: Parties, weights: Floats) -> Floats:
    """Estimate the share of members among the accounts of each family; an account has the mean of its families.

    A family that others paste too (a popular text beside a campaign's) says less than one that members have to themselves.

    Returns:
        Log odds, float64 (r,), the mean over an account's families, weighted by its prompts.
        Source: expectation-maximisation of a mixture's proportion, Dempster, Laird, Rubin 1977, with a beta prior.
    """
    members, bystanders = PRIOR
    family, n_families = traffic.family[parties.pair], len(traffic.families)
    part = traffic.prompts[parties.pair] / parties.prompts[parties.pair_row]
    sizes = np.bincount(family, minlength=n_families)
    odds = np.full(len(weights), np.log(members / bystanders))
    for _ in range(ROUNDS):
        belonging = sigmoid(odds + weights)
        found = np.bincount(family, weights=belonging[parties.pair_row], minlength=n_families)
        share = np.minimum((found + members) / (sizes + members + bystanders), CERTAIN)
        by_family = np.log(share / (1 - share))
        odds = np.bincount(parties.pair_row, weights=part * by_family[family], minlength=len(weights))
    return odds


def shared_weight(members: Floats, others: Floats, n_members: Floats, n_others: Floats) -> Floats:
    """Weigh that an account has what so many members and so many others have too.

    Args:
        members: other members that have it (sums of scores).
        others: accounts that are no members and have it.
        n_members: how many members there are, the account itself left out.
        n_others: how many others.

    Returns:
        Logarithm of the ratio of both rates, in nats, at least 0, times members / (members + 2): one account in common
        may be chance, as a value was looked for that is shared (credibility, Bühlmann 1967).
    """
    rate = (members + others) / np.maximum(n_members + n_others, 1)
    inside = (members + rate) / (n_members + 1)
    outside = (others + 0.5) / (np.maximum(n_others, 0) + 1)
    with np.errstate(divide="ignore"):
        ratio = np.where(members > 0, np.log(inside / outside), 0)
    return np.asarray(np.maximum(ratio, 0) * members / (members + 2))


def holdings(traffic: Traffic) -> Any:
    """Return who has which entity that is neither unique nor everybody's: sparse float64 (accounts, entities)."""
    from scipy.sparse import csr_matrix

    total = traffic.entity_total
    keep = ((total >= 2) & (total <= PUBLIC * traffic.n_accounts))[traffic.entity]
    cells = (traffic.entity_account[keep], traffic.entity[keep])
    return csr_matrix((np.ones(keep.sum()), cells), shape=(len(traffic.accounts), len(traffic.entities)))


def entity_weights(traffic: Traffic, parties: Parties, score: Floats) -> tuple[Floats, Ints]:
    """Weigh what an account has in common with the other members.

    Of each kind the strongest value counts; of several kinds the strongest in full, the next by half, and so on: an address
    implies its network and its country.

    Returns:
        float64 (r,) nats, and int64 (r,), the entity that says most, -1 for none.
    """
    best = np.full(len(score), -1, dtype=np.int64)
    holds = holdings(traffic)
    if not holds.nnz or not len(score):
        return np.zeros(len(score)), best
    n_entities = len(traffic.entities)
    counts = np.diff(holds.indptr)[parties.account]
    row = np.repeat(np.arange(len(score)), counts)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    entity = holds.indices[holds.indptr[parties.account][row] + place].astype(np.int64)
    cells, inverse = np.unique(parties.group[row] * n_entities + entity, return_inverse=True)
    mass = np.bincount(inverse, weights=score[row], minlength=len(cells))[inverse]
    everyone = np.bincount(parties.group, weights=score, minlength=parties.n_groups)[parties.group]
    members = np.maximum(mass - score[row], 0)
    others = np.maximum(traffic.entity_total[entity] - 1 - members, 0)
    n_members = np.maximum(everyone - score, 0)
    n_others = np.maximum(traffic.n_accounts - 1 - n_members, 0)
    weight = shared_weight(members, others, n_members[row], n_others[row])
    return _strongest(traffic, row, entity, weight, len(score))


def _strongest(traffic: Traffic, row: Ints, entity: Ints, weight: Floats, n: int) -> tuple[Floats, Ints]:
    kind = kind_numbers(traffic)[entity]
    n_kinds = int(kind.max(initial=0)) + 1
    best = np.full(n, -1, dtype=np.int64)
    order = np.lexsort((entity, -weight, kind, row))
    key = (row * n_kinds + kind)[order]
    order = order[np.diff(key, prepend=-1) != 0]  # strongest value of each kind
    order = order[np.lexsort((entity[order], -weight[order], row[order]))]
    rows = row[order]
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    rank = np.arange(len(rows)) - np.repeat(first, np.diff(first, append=len(rows)))
    total = np.bincount(rows, weights=weight[order] * 0.5**rank, minlength=n)
    leading = order[first]
    leading = leading[weight[leading] > 0]
    best[row[leading]] = entity[leading]
    return np.minimum(total, ENTITY_BOUND), best


def creation_weights(traffic: Traffic, parties: Parties, score: Floats) -> tuple[Floats, Ints]:
    """Weigh that an account was created when unusually many other members were.

    Returns:
        float64 (r,) nats, and int64 (r,), the window that says most, -1 for none.
    """
    weights, window = np.zeros(len(score)), np.full(len(score), -1, dtype=np.int64)
    created = traffic.created[parties.account]
    bounds = np.searchsorted(parties.group, np.arange(parties.n_groups + 1))
    known = ~np.isnat(created)
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        rows = start + np.flatnonzero(known[start:stop])
        if len(rows) > 2:
            weights[rows], window[rows] = _bursts(created[rows], score[rows], traffic.store_created)
    return weights, window


def _bursts(created: Any, score: Floats, store: Any) -> tuple[Floats, Ints]:
    """Weigh the bursts of one campaign; arguments and results by participant with a known time."""
    order = np.argsort(created, kind="stable")
    times, mass = created[order], np.concatenate([[0.0], np.cumsum(score[order])])
    n_members = np.maximum(mass[-1] - score, 0)
    n_others = np.maximum(len(store) - 1 - n_members, 0)
    weights, best = np.zeros(len(score)), np.full(len(score), -1, dtype=np.int64)
    for number, width in enumerate(WINDOWS):
        low, high = created - width, created + width
        near = mass[np.searchsorted(times, high, "right")] - mass[np.searchsorted(times, low, "left")]
        members = np.maximum(near - score - 1, 0)  # the nearest is near by choice
        anyone = np.searchsorted(store, high, "right") - np.searchsorted(store, low, "left")
        weight = shared_weight(members, np.maximum(anyone - 1 - members, 0), n_members, n_others)
        better = weight > weights
        weights, best = np.where(better, weight, weights), np.where(better, number, best)
    return np.minimum(weights, CREATION_BOUND), best
