"""How alike two groupings of the same texts are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Int64 = NDArray[np.int64]


def singled(labels: Int64) -> Int64:
    """Return labels in which each text without a family (-1) is alone in one. int64 (n,)."""
    return np.where(labels < 0, labels.max(initial=-1) + 1 + np.arange(len(labels)), labels).astype(np.int64)


def ari(one: Int64, other: Int64) -> float:
    """Return the adjusted Rand index; 1 for equal groupings, about 0 for unrelated ones.

    Args:
        one: group of each text. int64 (n,).
        other: likewise, of the same texts.

    Source: Hubert and Arabie, Comparing partitions, Journal of Classification 2, 1985, equation 5.
    """
    both, rows, columns = pairs_inside(one, other)
    expected = rows * columns / max(_pairs(np.array([len(one)])), 1.0)
    most = (rows + columns) / 2
    return float((both - expected) / (most - expected)) if most > expected else 1.0


def pairs_inside(one: Int64, other: Int64) -> tuple[float, float, float]:
    """Return how many pairs of texts are in one group in both groupings, in the one, and in the other."""
    table = _contingency(one, other)
    return _pairs(table.data), _pairs(table.sum(axis=1)), _pairs(table.sum(axis=0))


def v_measure(gold: Int64, found: Int64) -> float:
    """Return the harmonic mean of homogeneity and completeness, 0..1.

    Source: Rosenberg and Hirschberg, V-Measure: a conditional entropy-based external cluster evaluation measure, EMNLP 2007.
    """
    table = _contingency(gold, found)
    joint, of_gold, of_found = _entropy(table.data), _entropy(table.sum(axis=1)), _entropy(table.sum(axis=0))
    shared = of_gold + of_found - joint
    return float(2 * shared / (of_gold + of_found)) if of_gold + of_found > 0 else 1.0


def changed_pairs(before: Int64, after: Int64) -> float:
    """Return the share of the pairs of texts that were in one family (-1: none) and are so no more; 0 where there were none.

    Args:
        before: family of each text. int64 (n,).
        after: likewise, of the same texts.
    """
    were = before >= 0
    old, new = before[were], singled(after)[were]
    there = _pairs(np.unique(old, return_counts=True)[1])
    return 1 - _pairs(_contingency(old, new).data) / there if there else 0.0


def _contingency(one: Int64, other: Int64) -> csr_array:
    rows, columns = (np.unique(labels, return_inverse=True)[1] for labels in (one, other))
    shape = (int(rows.max(initial=-1)) + 1, int(columns.max(initial=-1)) + 1)
    table = csr_array((np.ones(len(rows), np.int64), (rows, columns)), shape=shape)
    table.sum_duplicates()
    return table


def _pairs(counts: NDArray[np.int64]) -> float:
    """Return how many pairs are inside groups of these sizes."""
    return float((counts * (counts - 1) / 2).sum())


def _entropy(counts: NDArray[np.int64]) -> float:
    share = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(share * np.log(share)).sum())
