"""campaigns: families joined by shared, surprising accounts and entities, and how sure each account's membership is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptscan.campaigns.communities import communities
from promptscan.campaigns.entities import SharedEntities, shared_entities
from promptscan.campaigns.links import FOCUS, MIN_SHARED, by_first, cells, join, tied, united
from promptscan.campaigns.membership import Scores, score_members
from promptscan.campaigns.parties import Parties, focused, take_part
from promptscan.campaigns.reasons import reasons
from promptscan.campaigns.surprise import overlap_log_tail, significant
from promptscan.campaigns.traffic import Bools, Floats, Ints, Times, Traffic
from promptscan.findings.facts import LEAST
from promptscan.signals.sums import summed

AT_HOME = 0.5  # share of a family's accounts that do little else, from which it ties families together

COMPANION_SHARE = 0.5
"""Share of a family's accounts, and of its prompts, that must be members' before it joins a campaign it did not found."""


@dataclass(frozen=True, slots=True, repr=False)  # strings from outside
class Campaigns:
    """What was found; campaigns count from 0, those with most members first.

    Attributes:
        score: float64 (n,), log10 of the mean of the e-values of its families that passed. A mean of e-values is one, however
            they depend on each other. Source: Vovk and Wang, "E-values: calibration, combination and applications", 2021.
        n_prompts: int64 (n,), prompts of its members in its families.
        first_ts, last_ts: datetime64[us] (n,), NaT where the log has no time.
        family_campaign, family_prompts, family_accounts: int64 (f,), campaign of each of its families, by campaign, the
            strongest first; its members' prompts in it, and how many they are.
        family_ids, family_reasons: of these families.
        family_strength: float64 (f,).
        account_campaign, account_prompts: int64 (m,), campaign of each member, surest first; its prompts in the families.
        account_ids, account_reasons: of these members.
        account_score, account_share: float64 (m,), 0..1; share of the account's prompts that are in the families.
        account_first, account_last: datetime64[us] (m,).
        entities: what members share, by campaign, most telling first.
    """

    score: Floats
    n_prompts: Ints
    first_ts: Times
    last_ts: Times
    family_campaign: Ints
    family_ids: tuple[str, ...]
    family_prompts: Ints
    family_accounts: Ints
    family_strength: Floats
    family_reasons: tuple[str, ...]
    account_campaign: Ints
    account_ids: tuple[str, ...]
    account_score: Floats
    account_prompts: Ints
    account_share: Floats
    account_first: Times
    account_last: Times
    account_reasons: tuple[tuple[str, ...], ...]
    entities: SharedEntities

    def __len__(self) -> int:
        """Count the campaigns."""
        return len(self.score)


def find_campaigns(
    traffic: Traffic, passed: Bools, strength: Floats, eligible: Bools, together: Ints, *, seed: int = 0
) -> Campaigns:
    """Find who acts together.

    Args:
        traffic: who sent how much to which family, and what accounts have in common, in any order.
        passed: bool (families,), families that passed both axes: each belongs to a campaign.
        strength: float64 (families,), log10 of the e-value of the actors axis.
        eligible: bool (families,), families with a template that was handed on and nothing that marks them benign: they may
            join a campaign that others have founded.
        together: int64 (families,), number of the group as one of which a family passed, -1 for none.
        seed: of the community search.

    Returns:
        The campaigns; the same for any order of families, accounts, entities and pairs.
    """
    traffic, order = traffic.ordered()
    passed, strength, eligible = passed[order], strength[order], eligible[order]
    group = found(traffic.with_sign_up_hours(), passed, together[order], seed=seed)
    parties = take_part(traffic, group)
    companions = companions_of(traffic, parties, score_members(traffic, parties), eligible & ~passed)
    group = np.where(companions >= 0, companions, group)
    parties = take_part(traffic, group)
    scores = score_members(traffic, parties)
    group, parties, scores = _rank(traffic, group, parties, scores)
    return _describe(traffic, group, passed, strength, parties, scores)


def found(traffic: Traffic, passed: Bools, together: Ints, *, seed: int = 0) -> Ints:
    """Join families that passed into campaigns: int64 (families,), -1 for the others.

    Families that passed as one, and families with surprising accounts in common, are joined, what hangs together by little
    is cut again, and the communities that are left are joined by the same test, which sees more in a community than in
    one family.
    """
    alone = np.where(passed, np.cumsum(passed) - 1, -1)
    if passed.sum() < 2:
        return alone
    tying = passed & ~crowded(traffic, alone)
    joined = united(tied(traffic, by_first(np.where(tying, alone, -1))), np.where(tying, together, -1))
    return adopted(traffic, by_first(join(traffic, communities(traffic, joined, seed=seed))), passed & ~tying)


def crowded(traffic: Traffic, group: Ints) -> Bools:
    """Tell which families are mostly sent by accounts that do other things: a wording that goes round ties nobody together.

    bool (families,); see `focused`.
    """
    n = len(traffic.families)
    at_home = focused(traffic, group, FOCUS)[traffic.account]
    return np.bincount(traffic.family, at_home, n) < AT_HOME * np.bincount(traffic.family, minlength=n)


def adopted(traffic: Traffic, group: Ints, families: Bools) -> Ints:
    """Give each of some families to the campaign that most of its accounts are in, by no coincidence; else it is one of its own."""
    own = np.flatnonzero(families)
    parties = take_part(traffic, group)
    near = _overlaps(traffic, own, parties, np.ones(len(parties.group)))
    found = group.copy()
    found[own] = parties.n_groups + np.arange(len(own))
    near.assign(found, own, near.surprising)
    return by_first(found)


def companions_of(traffic: Traffic, parties: Parties, scores: Scores, eligible: Bools) -> Ints:
    """Assign further families whose accounts are for the most part members of one campaign, by no coincidence.

    Returns:
        int64 (families,), the campaign each joins, -1 for none.
    """
    joins = np.full(len(traffic.families), -1, dtype=np.int64)
    families = np.flatnonzero(eligible)
    near = _overlaps(traffic, families, parties, scores.member.astype(np.float64))
    most = near.shared >= COMPANION_SHARE * near.size[near.family]
    most &= near.sent >= COMPANION_SHARE * near.total[near.family]
    near.assign(joins, families, near.surprising & most)
    return joins


@dataclass(frozen=True, slots=True)
class _Overlaps:
    """Pairs of a family and a campaign with accounts in common.

    Attributes:
        family, campaign: int64 (p,), place of the family among those asked about, and number of the campaign.
        shared, sent: float64 (p,), accounts in common, and their prompts in the family.
        surprising: bool (p,), enough in common, and by no coincidence.
        size, total: float64 (f,), accounts and prompts of each family.
    """

    family: Ints
    campaign: Ints
    shared: Floats
    sent: Floats
    surprising: Bools
    size: Floats
    total: Floats

    def assign(self, campaigns: Ints, families: Ints, kept: Bools) -> None:
        """Write down for families the campaign of the kept pair with most accounts in common, of equal ones the first."""
        rows = np.flatnonzero(kept)
        rows = rows[np.lexsort((-self.campaign[rows], self.shared[rows]))]
        campaigns[families[self.family[rows]]] = self.campaign[rows]  # the last assignment stands


def _overlaps(traffic: Traffic, families: Ints, parties: Parties, weights: Floats) -> _Overlaps:
    """Count the accounts, 1 or 0 in `weights` by row of the parties, that families have in common with campaigns."""
    n_accounts = len(traffic.accounts)
    sets = np.full(len(traffic.families), -1, dtype=np.int64)
    sets[families] = np.arange(len(families))
    candidates, members = take_part(traffic, sets), parties.matrix(weights, n_accounts)
    met = (candidates.matrix(np.ones(len(candidates.group)), n_accounts) @ members.T).tocoo()
    sent = (candidates.matrix(candidates.prompts.astype(np.float64), n_accounts) @ members.T).tocsr()
    family, campaign = met.row.astype(np.int64), met.col.astype(np.int64)
    size, n_members = candidates.sizes().astype(np.float64), np.asarray(members.sum(axis=1)).ravel()
    tail = overlap_log_tail(met.data, size[family], n_members[campaign], max(traffic.n_accounts, n_accounts))
    return _Overlaps(
        family,
        campaign,
        met.data,
        cells(sent, family, campaign),
        (met.data >= MIN_SHARED) & significant(tail, len(families) * parties.n_groups),
        size,
        summed(candidates.group, candidates.prompts, len(families)),
    )


def _rank(traffic: Traffic, group: Ints, parties: Parties, scores: Scores) -> tuple[Ints, Parties, Scores]:
    """Number the campaigns by their members; a family that nobody sent anything to is none."""
    n_members = np.bincount(parties.group[scores.member], minlength=parties.n_groups)
    order = np.argsort(-n_members, kind="stable")
    order = order[n_members[order] >= LEAST]
    rank = np.full(parties.n_groups + 1, -1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    kept = np.flatnonzero(rank[parties.group] >= 0)
    kept = kept[np.argsort(rank[parties.group[kept]], kind="stable")]
    return rank[group], take_part(traffic, rank[group]), scores.rows(kept)


def _describe(
    traffic: Traffic, group: Ints, passed: Bools, strength: Floats, parties: Parties, scores: Scores
) -> Campaigns:
    member = np.flatnonzero(scores.member)
    said = reasons(traffic, group, parties, scores)
    order = np.lexsort((parties.account[member], -scores.score[member], parties.group[member]))
    rows, n = member[order], parties.n_groups
    account, campaign = parties.account[rows], parties.group[rows]
    starts = np.searchsorted(campaign, np.arange(n))
    first = np.fmin.reduceat(parties.first_ts[rows], starts) if n else parties.first_ts[:0]
    last = np.fmax.reduceat(parties.last_ts[rows], starts) if n else parties.last_ts[:0]
    families, prompts, accounts = _families(traffic, group, strength, parties, scores)
    return Campaigns(
        score=_mean_log10(strength, group, passed, n),
        n_prompts=np.bincount(campaign, weights=parties.prompts[rows], minlength=n).astype(np.int64),
        first_ts=first,
        last_ts=last,
        family_campaign=group[families],
        family_ids=tuple(traffic.families[number] for number in families.tolist()),
        family_prompts=prompts,
        family_accounts=accounts,
        family_strength=strength[families],
        family_reasons=_family_reasons(traffic, families, passed, accounts),
        account_campaign=campaign,
        account_ids=tuple(traffic.accounts[number] for number in account.tolist()),
        account_score=scores.score[rows],
        account_prompts=parties.prompts[rows],
        account_share=parties.prompts[rows] / np.maximum(traffic.account_total[account], parties.prompts[rows]),
        account_first=parties.first_ts[rows],
        account_last=parties.last_ts[rows],
        account_reasons=tuple(said[place] for place in order.tolist()),
        entities=shared_entities(traffic, parties, scores),
    )


def _families(
    traffic: Traffic, group: Ints, strength: Floats, parties: Parties, scores: Scores
) -> tuple[Ints, Ints, Ints]:
    """Return the families of campaigns in their order, with the prompts and the number of members in each."""
    pairs = parties.pair[scores.member[parties.pair_row]]
    prompts = np.bincount(traffic.family[pairs], weights=traffic.prompts[pairs], minlength=len(group)).astype(np.int64)
    accounts = np.bincount(traffic.family[pairs], minlength=len(group))
    families = np.flatnonzero(group >= 0)
    families = families[np.lexsort((families, -accounts[families], -strength[families], group[families]))]
    return families, prompts[families], accounts[families]


def _family_reasons(traffic: Traffic, families: Ints, passed: Bools, accounts: Ints) -> tuple[str, ...]:
    sizes = np.bincount(traffic.family, minlength=len(traffic.families))
    return tuple(
        "passed both axes" if passed[family] else f"{shared:,} of its {sizes[family]:,} accounts are members"
        for family, shared in zip(families.tolist(), accounts.tolist(), strict=True)
    )


def _mean_log10(strength: Floats, group: Ints, passed: Bools, n: int) -> Floats:
    """Average e-values that are given by their decimal logarithms."""
    founding = passed & (group >= 0)
    most = np.full(n, -np.inf)
    np.maximum.at(most, group[founding], strength[founding])
    scaled = 10.0 ** (strength[founding] - most[group[founding]])
    total = np.bincount(group[founding], weights=scaled, minlength=n)
    return np.asarray(most + np.log10(total / np.bincount(group[founding], minlength=n)))
