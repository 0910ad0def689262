"""The registry: families keep their names when they are found again, and what happened to each is on record.

Ids are `F-1`, `F-2`, … in the order of discovery and are never used twice. After each clustering, old families and new
clusters are matched by the texts they share. A family that is found no more keeps its texts on record: if they cluster again, it
returns under its old name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

QUIET = timedelta(days=7)  # without a prompt, in the time of the log, until a family is dormant
CARRY = 0.5  # share of its known texts that a cluster must have in common with the family whose name it takes
GROWN = 1.1  # times its former size


class Event(StrEnum):
    """What can happen to a family between two builds."""

    BORN = "born"
    GROWN = "grown"
    SPLIT = "split"
    MERGED = "merged"
    DORMANT = "dormant"  # nobody sent it for a week, or it is no cluster any more
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class FamilyEvent:
    """One event and the sizes that speak for it.

    Attributes:
        family_id: who it happened to.
        event: what.
        other: the family it split from or merged into.
        n_before: its texts in the last build.
        n_texts: its texts now.
        n_shared: of its texts, before or now, how many are also in `other`, or else in its former self.
    """

    family_id: str
    event: Event
    other: str | None = None
    n_before: int = 0
    n_texts: int = 0
    n_shared: int = 0


def event_words(event: str, other: str | None, n_before: int | None, n_texts: int | None, n_shared: int | None) -> str:
    """Say an event with the sizes that speak for it; arguments as in `FamilyEvent`, sizes may be unknown."""
    before, texts, shared = n_before or 0, n_texts or 0, n_shared or 0
    match event:
        case Event.BORN if texts:
            return f"born with {_texts(texts)}"
        case Event.GROWN if before and texts:
            return f"grown from {before:,} to {_texts(texts)}"
        case Event.SPLIT if other:
            return f"split from {other}" + (f": {shared:,} of its {_texts(texts)}" if texts else "")
        case Event.MERGED if other:
            return f"merged into {other}" + (f": {shared:,} of its {_texts(before)}" if before else "")
        case Event.DORMANT if before:
            return f"dormant: its {_texts(before)} are no family any more"
        case Event.RETURNED if texts:
            return f"returned with {_texts(texts)}"
    return str(event)


def _texts(count: int) -> str:
    return f"{count:,} text{'s' * (count != 1)}"


@dataclass(frozen=True, slots=True)
class Naming:
    """Names of the new clusters, and the events that explain them.

    Attributes:
        names: family id of cluster 0, 1, ….
        next_number: number that the next new family will get.
        events: by family number.
    """

    names: tuple[str, ...]
    next_number: int
    events: tuple[FamilyEvent, ...] = field(default=())


def family_name(number: int) -> str:
    """Write a family's id."""
    return f"F-{number}"


def name_families(
    labels: NDArray[np.int64],
    former: NDArray[np.int64],
    former_names: Sequence[str],
    next_number: int,
    *,
    retired: Collection[str] = (),
) -> Naming:
    """Give every cluster a family id.

    Args:
        labels: int64 (n,), cluster of each clean text, -1 for noise; clusters count from 0 without gaps.
        former: int64 (m,), m <= n, index into `former_names` of each text's family in the last build, or of a retired one,
            -1 for none.
        former_names: ids of the families of the last build, and of retired ones.
        next_number: first unused number.
        retired: those of them that were no families any more.

    Returns:
        Names and events. A family's name goes to the cluster that shares most texts with it, if those are at least half
        of the family or half of the cluster's texts that there were in the last build, in a family or in none; ties go to the
        older family, then the earlier cluster.
    """
    n_clusters = int(labels.max(initial=-1)) + 1
    old_sizes = np.bincount(former[former >= 0], minlength=len(former_names))
    new_sizes = np.bincount(labels[labels >= 0], minlength=n_clusters)
    pairs = _overlaps(labels[: len(former)], former, n_clusters)
    known = labels[: len(former)]
    known_sizes = np.bincount(known[known >= 0], minlength=n_clusters)
    order = np.lexsort((pairs[:, 1], pairs[:, 0], -pairs[:, 2]))
    heir: dict[int, int] = {}
    parent: dict[int, int] = {}
    for old, new, shared in pairs[order].tolist():
        close = shared >= CARRY * old_sizes[old] or shared >= CARRY * known_sizes[new]
        if old not in heir and new not in parent and close:
            heir[old], parent[new] = new, old
    names = []
    for cluster in range(n_clusters):
        if cluster in parent:
            names.append(former_names[parent[cluster]])
        else:
            names.append(family_name(next_number))
            next_number += 1
    events = _events(names, pairs[order], heir, parent, old_sizes, new_sizes, former_names, retired)
    return Naming(tuple(names), next_number, tuple(events))


def fall_quiet(
    names: Sequence[str], last: NDArray[np.datetime64], newest: np.datetime64, dormant: Collection[str]
) -> list[FamilyEvent]:
    """Tell which families nobody sends any more, and which are sent again.

    Args:
        names: family ids.
        last: datetime64 (families,), when each was last sent; NaT says nothing.
        newest: when anything was last sent.
        dormant: ids that are dormant already.
    """
    quiet = last < newest - np.timedelta64(QUIET)
    awake = last >= newest - np.timedelta64(QUIET)
    events = []
    for name, is_quiet, is_awake in zip(names, quiet.tolist(), awake.tolist(), strict=True):
        if is_quiet and name not in dormant:
            events.append(FamilyEvent(name, Event.DORMANT))
        elif is_awake and name in dormant:
            events.append(FamilyEvent(name, Event.RETURNED))
    return events


def _overlaps(labels: NDArray[np.int64], former: NDArray[np.int64], n_clusters: int) -> NDArray[np.int64]:
    """Count shared texts: int64 (p, 3) rows of (old family, new cluster, texts), only where there are any."""
    both = (labels >= 0) & (former >= 0)
    codes, counts = np.unique(former[both] * max(n_clusters, 1) + labels[both], return_counts=True)
    return np.stack([codes // max(n_clusters, 1), codes % max(n_clusters, 1), counts], axis=1).astype(np.int64)


def _events(
    names: Sequence[str],
    pairs: NDArray[np.int64],
    heir: dict[int, int],
    parent: dict[int, int],
    old_sizes: NDArray[np.int64],
    new_sizes: NDArray[np.int64],
    former_names: Sequence[str],
    retired: Collection[str],
) -> list[FamilyEvent]:
    """Explain each name."""
    came_from, went_to = _nearest_relatives(pairs, heir, parent, old_sizes, new_sizes)
    shared = {(old, new): count for old, new, count in pairs.tolist()}
    events = []
    for cluster, name in enumerate(names):
        size = int(new_sizes[cluster])
        if cluster in parent:
            old = parent[cluster]
            sizes = (int(old_sizes[old]), size, shared[old, cluster])
            if name in retired:
                events.append(FamilyEvent(name, Event.RETURNED, None, *sizes))
            elif size >= GROWN * old_sizes[old]:
                events.append(FamilyEvent(name, Event.GROWN, None, *sizes))
        elif cluster in came_from:
            old = came_from[cluster]
            events.append(FamilyEvent(name, Event.SPLIT, former_names[old], 0, size, shared[old, cluster]))
        else:
            events.append(FamilyEvent(name, Event.BORN, None, 0, size, 0))
    for old, name in enumerate(former_names):
        if old in heir or name in retired:
            continue
        size = int(old_sizes[old])
        if old in went_to:
            new = went_to[old]
            events.append(FamilyEvent(name, Event.MERGED, names[new], size, 0, shared[old, new]))
        else:
            events.append(FamilyEvent(name, Event.DORMANT, None, size, 0, 0))
    return sorted(events, key=lambda event: (int(event.family_id[2:]), event.event))


def _nearest_relatives(
    pairs: NDArray[np.int64],
    heir: dict[int, int],
    parent: dict[int, int],
    old_sizes: NDArray[np.int64],
    new_sizes: NDArray[np.int64],
) -> tuple[dict[int, int], dict[int, int]]:
    """Tell where new clusters without a name came from, and where old families without an heir went."""
    came_from: dict[int, int] = {}
    went_to: dict[int, int] = {}
    for old, new, shared in pairs.tolist():
        if new not in parent and new not in came_from and shared >= CARRY * new_sizes[new]:
            came_from[new] = old
        if old not in heir and old not in went_to and shared >= CARRY * old_sizes[old]:
            went_to[old] = new
    return came_from, went_to
