"""Campaigns keep their names when they are found again.

Ids are `C-1`, `C-2`, … in the order of discovery and are never used twice. After each build, old and new campaigns are
matched by the accounts they share: accounts that replace banned ones join the campaign of those they work with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptscan.campaigns.find import Campaigns

CARRY = 0.5  # share of its known members that a campaign must have in common with the one whose name it takes


@dataclass(frozen=True, slots=True)
class CampaignNames:
    """Ids of the campaigns.

    Attributes:
        ids: of campaign 0, 1, ….
        next_number: number that the next new campaign will get; the caller keeps it.
        merged: former id -> id of the campaign its members went to, for former campaigns that lost their name to a larger one.
    """

    ids: tuple[str, ...]
    next_number: int
    merged: dict[str, str]


def still_merged(before: Mapping[str, str], names: CampaignNames) -> dict[str, str]:
    """Return where every campaign that lost its name is now, by id: those of earlier builds, followed on, and this build's.

    Args:
        before: what this returned for the last build.
        names: of this build.
    """
    found = {name: names.merged.get(into, into) for name, into in before.items()} | names.merged
    return {name: into for name, into in found.items() if name not in names.ids}


def campaign_name(number: int) -> str:
    """Write a campaign's id."""
    return f"C-{number}"


def name_campaigns(
    campaigns: Campaigns, former_ids: Sequence[str], former_accounts: Sequence[str], next_number: int
) -> CampaignNames:
    """Give every campaign an id.

    Args:
        campaigns: of this build.
        former_ids: campaign of each member in the last build, and of members of campaigns that were not found then, as last
            known.
        former_accounts: these members.
        next_number: first unused number.

    Returns:
        The ids. A former campaign's id goes to the campaign that shares most members with it, if those are at least half
        of the former members or half of the members known before; the larger overlap keeps the name when campaigns merge
        or split, ties go to the older id, then to the campaign with more members.
    """
    names = sorted(set(former_ids), key=lambda name: int(name.removeprefix("C-")))
    shared, sizes, known = _overlaps(campaigns, names, former_ids, former_accounts)
    heirs: dict[int, int] = {}
    given: dict[int, str] = {}
    for old, new, count in shared:
        close = count >= CARRY * sizes[old] or count >= CARRY * known[new]
        if old not in heirs and new not in given and close:
            heirs[old], given[new] = new, names[old]
    for campaign in range(len(campaigns)):
        if campaign not in given:
            given[campaign] = campaign_name(next_number)
            next_number += 1
    merged: dict[str, str] = {}
    for old, new, count in shared:
        if old not in heirs and count >= CARRY * sizes[old]:
            merged.setdefault(names[old], given[new])
    return CampaignNames(tuple(given[campaign] for campaign in range(len(campaigns))), next_number, merged)


def _overlaps(
    campaigns: Campaigns, names: Sequence[str], former_ids: Sequence[str], former_accounts: Sequence[str]
) -> tuple[list[list[int]], list[int], list[int]]:
    """Count shared members: (old, new, members) by size, members of the old, and members of the new that were any's before."""
    number = {name: place for place, name in enumerate(names)}
    former: dict[str, list[int]] = {}
    for name, account in set(zip(former_ids, former_accounts, strict=True)):
        former.setdefault(account, []).append(number[name])
    counts: Counter[tuple[int, int]] = Counter()
    known = [0] * len(campaigns)
    for new, account in zip(campaigns.account_campaign.tolist(), campaigns.account_ids, strict=True):
        for old in former.get(account, ()):
            counts[old, new] += 1
        known[new] += account in former
    sizes = Counter(old for olds in former.values() for old in olds)
    by_size = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [[old, new, count] for (old, new), count in by_size], [sizes[old] for old in range(len(names))], known
