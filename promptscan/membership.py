"""Membership: which texts are families, found at once or, with those known, only among what is new."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.assign import assign
from promptscan.clustering import CAP, cluster_graph
from promptscan.graph import Graph
from promptscan.hierarchy import ClusterTree, read_tree
from promptscan.rules import FamilyRules
from promptscan.union import unite
from promptscan.vectors import Float32, Int64


@dataclass(frozen=True, slots=True)
class Membership:
    """Texts and their families.

    Attributes:
        labels: int64 (n,), family of each clean text from 0 without gaps, -1 for noise.
        probabilities: float64 (n,), 0..1, how near to the core of its family; 0 for noise.
        reach: float32 (n,), chord at which the text is joined to its cluster, and within which others follow it; 0 for none.
        with_template: bool (families,), whether a template is part of it.
        tree: the clusters that they were selected from, where all texts were clustered at once.
    """

    labels: Int64
    probabilities: NDArray[np.float64]
    reach: Float32
    with_template: NDArray[np.bool_]
    tree: ClusterTree | None = None

    @property
    def families(self) -> int:
        """Number of families."""
        return len(self.with_template)


@dataclass(frozen=True, slots=True)
class Groupings:
    """What texts have in common: a number for each text, int64 (n,), equal within a group, -1 for none.

    Attributes:
        units: texts of one template, or of one duplicate group without any.
        duplicates: copies and light edits of each other.
        probes: likewise units, where templates that ask for the same thing are one.
    """

    units: Int64
    duplicates: Int64
    probes: Int64


def find_all(graph: Graph, probes: Int64, rules: FamilyRules) -> Membership:
    """Cluster the whole graph and unite clusters with probes.

    Args:
        graph: nearest neighbours of the clean texts.
        probes: int64 (n,), what holds texts together whatever their vectors, -1 for none; see `Groupings`.
        rules: what makes a family.
    """
    return _found(graph, probes, rules)


def find_new(
    graph: Graph, known: Membership, groups: Groupings, rules: FamilyRules, *, first_new: int, stale: NDArray[np.bool_]
) -> Membership:
    """Assign new texts to known families and cluster the rest; regions that have grown since are clustered anew.

    Outside of those regions known members stay where they are; inside, families are what `find_all` would say, and the
    registry finds their names again. A family was made from the density of its time: with more texts around, some split and some
    lose their fringe, and without this the first day would decide for ever.

    Args:
        graph: nearest neighbours of all clean texts.
        known: as it was, with the new texts as noise.
        groups: of all clean texts; a text goes with its unit first, then with its duplicates, then with its probe.
        rules: what makes a family.
        first_new: first new row; the cost follows the new rows and the noise that they lead to.
        stale: bool (n,), rows of the regions that have grown; see `regions.grown_rows`.

    Returns:
        The known families that are left, in their order, and then new ones.
    """
    known = _clustered_anew(graph, known, groups.probes, rules, stale)
    assigned = assign(
        graph,
        known.labels,
        known.reach,
        (groups.units, groups.duplicates, groups.probes),
        first_new=first_new,
        min_samples=rules.min_samples,
        cap=CAP,
        settled=stale,
    )
    waiting = assigned.waiting
    templated = np.flatnonzero((assigned.labels < 0) & (groups.probes >= 0) & ~stale)
    waiting = np.union1d(waiting, templated).astype(np.int64)  # texts of new templates, whatever leads to them
    rows = np.union1d(waiting, _around(graph, waiting)).astype(np.int64)
    core = graph.distances[rows, min(rules.min_samples, graph.k, max(graph.n - 1, 1)) - 1]
    fresh = assigned.labels[rows] < 0
    own = renumbered(np.where(fresh, groups.probes[rows], -1))
    found = _found(graph.among(rows), own, rules, core, fresh)
    labels, reach = assigned.labels, assigned.reach
    probabilities = np.maximum(known.probabilities, assigned.probabilities)
    rest, new = rows[fresh], found.labels[fresh]
    labels[rest] = np.where(new >= 0, new + known.families, -1)
    reach[rest], probabilities[rest] = found.reach[fresh], found.probabilities[fresh]
    with_template = known.with_template.copy()
    with_template[np.unique(labels[(groups.units >= 0) & (labels >= 0) & (labels < known.families)])] = True
    with_template = np.concatenate([with_template, found.with_template])
    left = np.unique(labels[labels >= 0])
    return Membership(renumbered(labels), probabilities, reach, with_template[left])


def _clustered_anew(
    graph: Graph, known: Membership, probes: Int64, rules: FamilyRules, stale: NDArray[np.bool_]
) -> Membership:
    """Cluster whole regions; their families come after the known ones, of which some may be left without texts."""
    rows = np.flatnonzero(stale)
    found = _found(graph.among(rows), renumbered(probes[rows]), rules)
    labels, probabilities, reach = known.labels.copy(), known.probabilities.copy(), known.reach.copy()
    labels[rows] = np.where(found.labels >= 0, found.labels + known.families, -1)
    probabilities[rows], reach[rows] = found.probabilities, found.reach
    return Membership(labels, probabilities, reach, np.concatenate([known.with_template, found.with_template]))


def _around(graph: Graph, rows: Int64) -> Int64:
    """Return the neighbours of rows within the cap: without those it is a halo of, a halo looks like a cluster."""
    near = graph.neighbours[rows][graph.distances[rows] <= CAP]
    return near[near >= 0].astype(np.int64)


def renumbered(numbers: Int64) -> Int64:
    """Number what there is from 0; -1 stays."""
    known = np.unique(numbers[numbers >= 0])
    return np.where(numbers >= 0, np.searchsorted(known, numbers), -1)


def _found(
    graph: Graph,
    probes: Int64,
    rules: FamilyRules,
    core: Float32 | None = None,
    fresh: NDArray[np.bool_] | None = None,
) -> Membership:
    """Cluster a graph and unite with probes; clusters that are not mostly `fresh` are others' and left out."""
    clustering = cluster_graph(graph, min_cluster_size=rules.min_family_size, min_samples=rules.min_samples, core=core)
    clusters = clustering.labels.astype(np.int64)
    if fresh is not None:
        sizes = np.bincount(clusters[clusters >= 0])
        own = np.bincount(clusters[(clusters >= 0) & fresh], minlength=len(sizes))
        clusters = np.where(fresh & (clusters >= 0) & np.append(own > sizes / 2, False)[clusters], clusters, -1)
        clusters = renumbered(clusters)
    labels, with_template = unite(clusters, probes, rules.min_family_size)
    probabilities = clustering.probabilities.astype(np.float64)
    probabilities[(probes >= 0) & (labels >= 0)] = 1.0  # the text itself says that it belongs
    probabilities[labels < 0] = 0.0
    reach = np.where(labels >= 0, clustering.reach, np.float32(0))
    return Membership(labels, probabilities, reach, with_template, read_tree(clustering) if fresh is None else None)
