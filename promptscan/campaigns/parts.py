"""Parts: of a group that acts as one, what is too thin to speak for itself may join the part that speaks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np

from promptscan.campaigns.traffic import Bools, Floats, Ints

MORE = 1.0
"""log10 of how many times as much a part and one that joins it must say together: other people's family makes it less."""

TRIED = 8
"""Parts that are asked for each that speaks, those with most evidence of their own first."""


def join_silent(
    strengths: Callable[[Ints, int], Floats], campaign: Ints, group: Ints, own: Floats, speaks: Bools
) -> Ints:
    """Let silent campaigns join one of their group that speaks, where that makes its evidence stronger.

    Args:
        strengths: log10 e-values of sets of families, float64 (n,), from the set of each family (-1 for none) and their number.
        campaign: of each family, -1 for none, int64 (f,).
        group: families that were found to act as one, by its number, -1 for none, int64 (f,). One that is in no campaign may join.
        own: log10 e-value of each campaign, float64 (c,).
        speaks: whether that is enough, bool (c,).

    Returns:
        The campaign of each family, int64 (f,).
    """
    n = len(own)
    lone = np.flatnonzero((campaign < 0) & (group >= 0))
    joined, said = campaign.copy(), np.append(own, np.zeros(len(lone)))
    joined[lone] = n + np.arange(len(lone))
    waiting = _waiting(joined, group, said, np.append(speaks, np.zeros(len(lone), dtype=bool)))
    while waiting:
        sets = np.full(len(campaign), -1, dtype=np.int64)
        for number, (base, parts) in enumerate(waiting.items()):
            sets[(joined == base) | (joined == parts[0])] = number
        for number, value in enumerate(strengths(sets, len(waiting)).tolist()):
            base = list(waiting)[number]
            part = waiting[base].pop(0)
            if value >= said[base] + MORE:
                joined[joined == part], said[base] = base, value
        waiting = {base: parts for base, parts in waiting.items() if parts}
    return np.where(joined < n, joined, -1)


def _waiting(campaign: Ints, group: Ints, own: Floats, speaks: Bools) -> dict[int, list[int]]:
    """Return for campaigns that speak the silent ones of their group, those with most evidence first."""
    inside = (campaign >= 0) & (group >= 0)
    pairs = np.unique(np.stack([group[inside], campaign[inside]]), axis=1)
    of_group, member = pairs[:, np.lexsort((-own[pairs[1]], pairs[0]))]
    bases: dict[int, int] = {}
    for number, one in zip(of_group.tolist(), member.tolist(), strict=True):
        if speaks[one]:
            bases.setdefault(number, one)
    found: defaultdict[int, dict[int, None]] = defaultdict(dict)
    for number, one in zip(of_group.tolist(), member.tolist(), strict=True):
        if number in bases and not speaks[one]:
            found[bases[number]][one] = None
    taken: set[int] = set()
    waiting = {}
    for base in sorted(found):
        parts = [part for part in found[base] if part not in taken]
        taken.update(parts)
        waiting[base] = sorted(parts, key=lambda part: (-own[part], part))[:TRIED]
    return {base: parts for base, parts in waiting.items() if parts}
