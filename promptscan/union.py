"""Union: clusters of vectors and templates of texts become families.

A template says that its texts are one family whatever fills its slots; a cluster says that texts ask for the same thing whatever
their wording. Where one holds most of the other, they are the same family.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Int64 = NDArray[np.int64]
SHARED = 0.5  # share of a template or of a cluster that must lie in the other to join them


def unite(clusters: Int64, templates: Int64, smallest: int) -> tuple[Int64, NDArray[np.bool_]]:
    """Join clusters and templates that share most of their texts.

    Args:
        clusters: int64 (n,), density cluster of each text, -1 for noise.
        templates: int64 (n,), template of each text, or what its template asks for, -1 for none.
        smallest: texts that make a family; smaller unions are noise.

    Returns:
        int64 (n,), family of each text from 0 in order of the smallest text, -1 for noise; and bool (families,), whether a
        template is part of it. A text goes with its template, else with its cluster.
    """
    n_clusters, n_templates = int(clusters.max(initial=-1)) + 1, int(templates.max(initial=-1)) + 1
    if not n_clusters + n_templates:
        return clusters.copy(), np.zeros(0, dtype=bool)
    both = (clusters >= 0) & (templates >= 0)
    pairs, shared = np.unique(np.stack([clusters[both], templates[both]], axis=1), axis=0, return_counts=True)
    of_cluster = np.bincount(clusters[clusters >= 0], minlength=n_clusters)
    of_template = np.bincount(templates[templates >= 0], minlength=n_templates)
    joined = (shared >= SHARED * of_cluster[pairs[:, 0]]) | (shared >= SHARED * of_template[pairs[:, 1]])
    size = n_clusters + n_templates
    links = coo_array((np.ones(joined.sum()), (pairs[joined, 0], n_clusters + pairs[joined, 1])), shape=(size, size))
    _, component = connected_components(links, directed=False)
    labels = np.full(len(clusters), -1, dtype=np.int64)
    labels[clusters >= 0] = component[clusters[clusters >= 0]]
    labels[templates >= 0] = component[n_clusters + templates[templates >= 0]]
    counts = np.bincount(labels[labels >= 0], minlength=size)
    labels[(labels >= 0) & (counts[labels] < smallest)] = -1
    with_template = np.zeros(size, dtype=bool)
    with_template[component[n_clusters:]] = True
    return _renumber(labels, with_template)


def _renumber(labels: Int64, with_template: NDArray[np.bool_]) -> tuple[Int64, NDArray[np.bool_]]:
    """Number the labels from 0 in order of their smallest text."""
    known, first = np.unique(labels[labels >= 0], return_index=True)
    order = np.argsort(first, kind="stable")
    numbers = np.full(len(with_template) + 1, -1, dtype=np.int64)  # the last one is read by -1, noise
    numbers[known[order]] = np.arange(len(known))
    return numbers[labels], with_template[known[order]]
