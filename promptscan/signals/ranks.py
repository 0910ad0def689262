"""Shifts: whether the accounts of a family have larger values than accounts drawn at random (Wilcoxon 1945, Mann and Whitney 1947)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.signals.tails import Tail, tail_of

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shift:
    """Ranks of families among a population.

    Attributes:
        median: of each family's values, NaN where it has none. float64 (f,).
        higher: chance that a member has more than a random account, ties by half, .5 by chance. float64 (f,).
        score, beyond: standard normal under the null, of `higher`, and of what it exceeds the tolerated margin by. float64 (f,).
        n: values. int64 (f,).
        usual: median of the population; NaN when it is empty.
    """

    median: Float64
    higher: Float64
    score: Float64
    beyond: Float64
    n: Int64
    usual: float

    def tail(self) -> Tail:
        """Return the chance of at least as high values."""
        told = self.n > 0
        return Tail(np.where(told, tail_of(self.score), 0.0), np.where(told, tail_of(self.beyond), 0.0))


def shift(family: Int64, values: Float64, population: Float64, n_families: int, margin: float) -> Shift:
    """Compare values of each family's accounts with those of a population that they are a part of.

    Args:
        family: int64 (p,), family of each value.
        values: float64 (p,); NaN is left out.
        population: float64 (a,); NaN is left out.
        n_families: f.
        margin: above one half, the chance to be higher than a random account that is innocent still: people are alike in ways no
            model knows, and large families would show any.
    """
    known = ~np.isnan(values)
    family, values = family[known], values[known]
    ordered = np.sort(population[~np.isnan(population)])
    size = len(ordered)
    n = np.bincount(family, minlength=n_families).astype(np.int64)
    if not size or not len(values):
        half = np.full(n_families, 0.5)
        zero = np.zeros(n_families)
        return Shift(np.full(n_families, np.nan), half, zero, zero, np.zeros(n_families, np.int64), np.nan)
    place = _places(ordered, values)
    variance = float(_places(ordered, ordered).var())
    count = np.maximum(n, 1)
    higher = np.where(n > 0, np.bincount(family, place, n_families) / count, 0.5)
    left = np.clip((size - n) / max(size - 1, 1), 1.0 / size, 1.0)  # drawn without replacement
    deviation = np.sqrt(np.maximum(variance * left / count, 1e-12))
    score, beyond = (higher - 0.5) / deviation, (higher - 0.5 - margin) / deviation
    return Shift(_medians(family, values, n), higher, score, beyond, n, float(np.median(ordered)))


def within(values: Float64, group: Int64) -> Float64:
    """Return the share of its group's values that each value is above, ties by half; NaN stays. float64 (n,)."""
    out = np.full(len(values), np.nan)
    for number in np.unique(group):
        rows = np.flatnonzero((group == number) & ~np.isnan(values))
        if len(rows):
            out[rows] = _places(np.sort(values[rows]), values[rows])
    return out


def _places(ordered: Float64, values: Float64) -> Float64:
    """Return the share of the population below each value, ties by half."""
    low, high = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return np.asarray((low + high) / (2 * len(ordered)), dtype=np.float64)


def _medians(family: Int64, values: Float64, n: Int64) -> Float64:
    order = np.lexsort((values, family))
    start = np.cumsum(n) - n
    low, high = start + np.maximum(n - 1, 0) // 2, start + n // 2
    ordered = np.append(values[order], [np.nan, np.nan])
    return np.asarray(
        np.where(n > 0, (ordered[np.minimum(low, len(values))] + ordered[np.minimum(high, len(values))]) / 2, np.nan)
    )
