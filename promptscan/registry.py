"""The registry: families keep their names when they are found again, and what happened to each is on record.

Ids are `F-1`, `F-2`, … in the order of discovery and are never used twice. After each clustering, old families and new
clusters are matched by the texts they share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

CARRY = 0.5  # share of its known texts that a cluster must have in common with the family whose name it takes
GROWN = 1.1  # times its former size


class Event(StrEnum):
    """What can happen to a family between two builds."""

    BORN = "born"
    GROWN = "grown"
    SPLIT = "split"
    MERGED = "merged"
    DORMANT = "dormant"


@dataclass(frozen=True, slots=True)
class FamilyEvent:
    """One event: `family_id` is who it happened to, `other` the family it split from or merged into."""

    family_id: str
    event: Event
    other: str | None = None


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
    labels: NDArray[np.int64], former: NDArray[np.int64], former_names: Sequence[str], next_number: int
) -> Naming:
    """Give every cluster a family id.

    Args:
        labels: int64 (n,), cluster of each clean text, -1 for noise; clusters count from 0 without gaps.
        former: int64 (m,), m <= n, index into `former_names` of each text's family in the last build, -1 for none.
        former_names: ids of the families of the last build.
        next_number: first unused number.

    Returns:
        Names and events. A family's name goes to the cluster that shares most texts with it, if those are at least half
        of the family or half of the cluster's known texts; ties go to the older family, then the earlier cluster.
    """
    n_clusters = int(labels.max(initial=-1)) + 1
    old_sizes = np.bincount(former[former >= 0], minlength=len(former_names))
    new_sizes = np.bincount(labels[labels >= 0], minlength=n_clusters)
    pairs = _overlaps(labels[: len(former)], former, n_clusters)
    known_sizes = np.zeros(n_clusters, dtype=np.int64)
    np.add.at(known_sizes, pairs[:, 1], pairs[:, 2])
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
    events = _events(names, pairs[order], heir, parent, old_sizes, new_sizes, former_names)
    return Naming(tuple(names), next_number, tuple(events))


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
) -> list[FamilyEvent]:
    """Explain each name."""
    came_from, went_to = _nearest_relatives(pairs, heir, parent, old_sizes, new_sizes)
    events = []
    for cluster, name in enumerate(names):
        if cluster in came_from:
            events.append(FamilyEvent(name, Event.SPLIT, former_names[came_from[cluster]]))
        elif cluster not in parent:
            events.append(FamilyEvent(name, Event.BORN))
        elif new_sizes[cluster] >= GROWN * old_sizes[parent[cluster]]:
            events.append(FamilyEvent(name, Event.GROWN))
    for old, name in enumerate(former_names):
        if old in went_to:
            events.append(FamilyEvent(name, Event.MERGED, names[went_to[old]]))
        elif old not in heir:
            events.append(FamilyEvent(name, Event.DORMANT))
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
