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
        for (base, parts), value in zip(waiting.items(), strengths(sets, len(waiting)).tolist(), strict=True):
            part = parts.pop(0)
            if value >= said[base] + MORE:
                joined[joined == part], said[base] = base, value
        waiting = {base: parts for base, parts in waiting.items() if parts}
    return np.where(joined < n, joined, -1)


def _waiting(campaign: Ints, group: Ints, own: Floats, speaks: Bools) -> dict[int, list[int]]:
    """Return for campaigns that speak the silent ones of their group, those with most evidence first."""
    inside = (campaign >= 0) & (group >= 0)
    cells = np.unique(np.stack([group[inside], campaign[inside]]), axis=1)
    pairs = cells[:, np.lexsort((-own[cells[1]], cells[0]))].T.tolist()
    bases = {number: one for number, one in reversed(pairs) if speaks[one]}  # the strongest stays
    near: defaultdict[int, set[int]] = defaultdict(set)
    for number, one in pairs:
        if number in bases and not speaks[one]:
            near[bases[number]].add(one)
    taken: set[int] = set()
    waiting = {}
    for base in sorted(near):
        parts = sorted(near[base] - taken, key=lambda part: (-own[part], part))
        taken.update(parts)
        if parts:
            waiting[base] = parts[:TRIED]
    return waiting
