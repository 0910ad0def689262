"""Why an account is a member of a campaign: short sentences with numbers, strongest first.

Entity values and ids are as they came: whoever shows a reason sends it through `vis`.
"""

from __future__ import annotations

import itertools

import numpy as np

from promptscan.campaigns.links import cells
from promptscan.campaigns.membership import WINDOWS, Scores, holdings
from promptscan.campaigns.parties import Parties
from promptscan.campaigns.traffic import Ints, Traffic

NAMED = 3  # families named in a sentence
RELAY_SHARE = 0.3  # of an account's traffic: below, and with many prompts, the rest is others'
RELAY_PROMPTS = 50
WORTH = 0.5  # nats: what says less is not said
WINDOW_WORDS = ("30 minutes", "a day")


def reasons(traffic: Traffic, group: Ints, parties: Parties, scores: Scores) -> list[tuple[str, ...]]:
    """Give the reasons of every member, in the order of the pairs.

    Args:
        traffic: in order.
        group: int64 (families,), campaign of each family.
        parties: who takes part in which campaign.
        scores: of these pairs.
    """
    member = np.flatnonzero(scores.member)
    taken = _families_of(traffic, parties, member)
    n_families = np.bincount(group[group >= 0], minlength=parties.n_groups)
    sharing, others = (counts.tolist() for counts in _sharing(traffic, parties, scores))
    near = _near(traffic, parties, scores).tolist()
    found = []
    for place, row in enumerate(member.tolist()):
        campaign, account = int(parties.group[row]), int(parties.account[row])
        inside, total = int(parties.prompts[row]), int(traffic.account_total[account])
        said = [(float(scores.traffic[row]), _traffic(inside, max(inside, total), taken[place]))]
        if scores.families[row] >= WORTH:
            said.append(
                (float(scores.families[row]), f"takes part in {len(taken[place])} of {n_families[campaign]} families")
            )
        if scores.entities[row] >= WORTH and sharing[row] > 0:
            kind, value = traffic.entities[int(scores.entity[row])]
            have = "has" if others[row] == 1 else "have"
            beside = (
                f"{others[row]:,} other{'s' * (others[row] != 1)} {have} it" if others[row] else "nobody else has it"
            )
            said.append((float(scores.entities[row]), f"shares {kind} {value} with {_members(sharing[row])}; {beside}"))
        if scores.creation[row] >= WORTH and near[row] > 0:
            width = WINDOW_WORDS[int(scores.window[row])]
            said.append((float(scores.creation[row]), f"signed up within {width} of {_members(near[row])}"))
        found.append(tuple(sentence for _, sentence in sorted(said, key=lambda pair: -pair[0])))
    return found


def _members(count: int) -> str:
    return f"{count:,} member{'s' * (count != 1)}"


def _traffic(inside: int, total: int, families: list[str]) -> str:
    more = len(families) - NAMED
    where = ", ".join(families[:NAMED]) + (f" and {more} more" if more > 0 else "")
    if total >= RELAY_PROMPTS and inside < RELAY_SHARE * total:
        return f"relay: {inside / total:.0%} of its traffic ({inside:,} of {total:,} prompts) is in {where}"
    if total == 1:
        return f"its only prompt is in {where}"
    count = (
        f"all of its {total:,} prompts are"
        if inside == total
        else f"{inside:,} of its {total:,} prompts {'is' if inside == 1 else 'are'}"
    )
    return f"{count} in {where}"


def _families_of(traffic: Traffic, parties: Parties, member: Ints) -> list[list[str]]:
    """Return the names of each member's families in its campaign, those with most of its prompts first."""
    place = np.full(len(parties.group), -1, dtype=np.int64)
    place[member] = np.arange(len(member))
    place = place[parties.pair_row]
    pairs, place = parties.pair[place >= 0], place[place >= 0]
    order = np.lexsort((traffic.family[pairs], -traffic.prompts[pairs], place))
    names = [traffic.families[number] for number in traffic.family[pairs[order]].tolist()]
    bounds = np.searchsorted(place[order], np.arange(len(member) + 1)).tolist()
    return [names[start:stop] for start, stop in itertools.pairwise(bounds)]


def _sharing(traffic: Traffic, parties: Parties, scores: Scores) -> tuple[Ints, Ints]:
    """Count members that share each account's leading entity, and the accounts that are no members and have it."""
    count, others = np.zeros(len(scores.score), dtype=np.int64), np.zeros(len(scores.score), dtype=np.int64)
    rows = np.flatnonzero((scores.entity >= 0) & scores.member)
    if not len(rows):
        return count, others
    belongs = scores.member.astype(np.float64)
    held = parties.matrix(belongs, len(traffic.accounts)) @ holdings(traffic)
    entity = scores.entity[rows]
    have = cells(held, parties.group[rows], entity).astype(np.int64)
    count[rows] = have - 1
    others[rows] = np.maximum(traffic.entity_total[entity] - have, 0)
    return count, others


def _near(traffic: Traffic, parties: Parties, scores: Scores) -> Ints:
    """Count the other members that were created within each account's window."""
    near = np.zeros(len(scores.score), dtype=np.int64)
    created = traffic.created[parties.account]
    member = scores.member
    for number, width in enumerate(WINDOWS):
        for campaign in np.unique(parties.group[member & (scores.window == number)]).tolist():
            ours = member & (parties.group == campaign) & ~np.isnat(created)
            rows = np.flatnonzero(ours & (scores.window == number))
            times, own = np.sort(created[ours]), created[rows]
            near[rows] = np.searchsorted(times, own + width, "right") - np.searchsorted(times, own - width, "left") - 1
    return near
