"""Coincidences: how many pairs of a family's accounts have something in common, beside what as many accounts drawn at random have.

A U-statistic over pairs: with K_c of N accounts in category c, two drawn accounts meet in it with chance K_c (K_c - 1) / (N (N - 1)).
Mean and variance are exact for accounts of one category each (Hoeffding 1948, section 5) but for pairs of pairs without a
common account. A pair counts by the rarity of what it shares, so what everybody has says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from promptscan.signals.sums import summed
from promptscan.signals.tails import Tail, tolerant_count

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Coincidences:
    """Pairs per family, all float64 (f,) but `holders`.

    Attributes:
        pairs: pairs of accounts that share a category, each category counted.
        observed: the same, weighted by rarity.
        mean, variance: of `observed` by chance.
        expected: of `pairs` by chance.
        unit: weight of a typical pair.
        holders: accounts that have any category, int64 (f,).
    """

    pairs: Float64
    observed: Float64
    mean: Float64
    variance: Float64
    expected: Float64
    unit: Float64
    holders: Int64

    def tail(self) -> Tail:
        """Return the chance of at least as many."""
        return tolerant_count(self.observed, self.mean, self.variance, self.unit)

    def joined(self, family: Int64, n_families: int) -> Self:
        """Return the sums over some rows of each family, which are independent of each other; family: int64 (f,)."""
        pairs, observed, mean, variance, expected, weighed, holders = (
            summed(family, values, n_families)
            for values in (
                self.pairs, self.observed, self.mean, self.variance, self.expected, self.unit * self.mean, self.holders
            )
        )  # fmt: skip
        unit = np.divide(weighed, mean, out=np.ones(n_families), where=mean > 0)
        return replace(
            self, pairs=pairs, observed=observed, mean=mean, variance=variance, expected=expected, unit=unit,
            holders=holders.astype(np.int64),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Categories:
    """What accounts can have in common.

    Attributes:
        totals: accounts of the store in each category, int64 (c,).
        stratum: categories are compared within a stratum only, such as a day; int64 (c,).
        population: accounts of the store in each stratum, int64 (s,).
    """

    totals: Int64
    stratum: Int64
    population: Int64

    def rarity(self) -> Float64:
        """Return log(population / total) of each category, 0 for what everybody has; float64 (c,)."""
        whole = np.maximum(self.population[self.stratum], 1)
        return np.asarray(np.maximum(np.log(whole / np.maximum(self.totals, 1)), 0.0), dtype=np.float64)


def coincidences(
    family: Int64, category: Int64, categories: Categories, holder_family: Int64, holder_stratum: Int64, n_families: int
) -> Coincidences:
    """Count the pairs of each family's accounts that share a category.

    Args:
        family: one row per account and category of it, int64 (q,).
        category: the category; an account has it once. int64 (q,).
        categories: what these are in the whole store.
        holder_family: one row per account of a family that has any category of a stratum, int64 (h,).
        holder_stratum: that stratum, int64 (h,).
        n_families: f.
    """
    n_strata = max(len(categories.population), 1)
    weight = categories.rarity()
    pairs, observed, expected = np.zeros(n_families), np.zeros(n_families), np.zeros(n_families)
    if len(family):
        codes, counts = np.unique(family * max(len(weight), 1) + category, return_counts=True)
        owner, which = np.divmod(codes, max(len(weight), 1))
        met = counts * (counts - 1) / 2
        pairs = summed(owner, met, n_families)
        observed = summed(owner, met * weight[which], n_families)
    s0, s1, s2, s3 = _chances(categories, weight, n_strata)
    mean, variance = np.zeros(n_families), np.zeros(n_families)
    first, second = np.zeros(n_families), np.zeros(n_families)
    holders = np.bincount(holder_family, minlength=n_families).astype(np.int64)
    if len(holder_family):
        codes, counts = np.unique(holder_family * n_strata + holder_stratum, return_counts=True)
        owner, day = np.divmod(codes, n_strata)
        n = counts.astype(np.float64)
        two, three = n * (n - 1) / 2, n * (n - 1) * (n - 2)
        expected = summed(owner, two * s0[day], n_families)
        mean = summed(owner, two * s1[day], n_families)
        spread = two * np.maximum(s2 - s1**2, 0)[day] + three * np.maximum(s3 - s1**2, 0)[day]
        variance = summed(owner, spread, n_families)
        first, second = summed(owner, two * s1[day], n_families), summed(owner, two * s2[day], n_families)
    unit = np.divide(second, first, out=np.ones(n_families), where=first > 0)
    return Coincidences(pairs, observed, mean, variance, expected, unit, holders)


def _chances(categories: Categories, weight: Float64, n_strata: int) -> tuple[Float64, Float64, Float64, Float64]:
    """Return, per stratum, the sums over categories of p2, w p2, w² p2 and w² p3, with p2 and p3 the chances that 2 and 3 meet."""
    k = categories.totals.astype(np.float64)
    whole = np.maximum(categories.population[categories.stratum].astype(np.float64), 3.0)
    p2 = k * (k - 1) / (whole * (whole - 1))
    p3 = p2 * np.maximum(k - 2, 0) / (whole - 2)
    sums = [
        summed(categories.stratum, values, n_strata) for values in (p2, weight * p2, weight**2 * p2, weight**2 * p3)
    ]
    return sums[0], sums[1], sums[2], sums[3]


def placed_coincidences(
    family: Int64,
    category: Int64,
    holder_family: Int64,
    holder_place: Int64,
    sharing: tuple[Int64, Int64, Int64],
    n_families: int,
) -> Coincidences:
    """Count the pairs of each family's accounts that share a category, beside as many accounts drawn from the same places.

    People of one country have its networks in common. With n_c accounts of a family in place c and q_cv the share of the place's
    accounts in category v, chance gives ½ nᵀ G n pairs, G = Q W Qᵀ over places, W the rarities: small, however many categories.
    Within a place two draws are never one account: K (K - 1) / (N (N - 1)) for q², which matters where most categories have one.

    Args:
        family: one row per account and category of it, int64 (q,).
        category: the category; an account has it once. int64 (q,).
        holder_family: one row per account of a family that has any category, int64 (h,).
        holder_place: its place, int64 (h,).
        sharing: (place, category) of every account of the store, one row per category of it, and its number; int64 (t,) each.
        n_families: f.
    """
    from scipy.sparse import csr_array

    place, value, account = sharing
    n_places, n_values = int(place.max(initial=0)) + 1, int(value.max(initial=-1)) + 1
    totals = np.bincount(value, minlength=n_values).astype(np.int64)
    whole = np.array([len(np.unique(account))], dtype=np.int64)
    pooled = Categories(totals, np.zeros(n_values, np.int64), whole)
    plain = coincidences(family, category, pooled, holder_family, np.zeros_like(holder_family), n_families)
    if not len(family):
        return plain
    _, first = np.unique(account, return_index=True)
    people = np.maximum(np.bincount(place[first], minlength=n_places), 1)
    weight = pooled.rarity()
    held = csr_array((np.ones(len(place)), (place, value)), shape=(n_places, n_values))  # K of each place and category
    shares, twice = held.copy(), held.copy()
    shares.data /= np.repeat(people, np.diff(held.indptr))
    twice.data *= held.data - 1
    sizes = csr_array((np.ones(len(holder_family)), (holder_family, holder_place)), shape=(n_families, n_places))
    apart = people * np.maximum(people - 1, 1)
    expected, mean, spread = (
        _quadratic(sizes, shares, weight**power, (twice @ weight**power) / apart) for power in (0, 1, 2)
    )
    excess = np.divide(plain.variance, plain.mean, out=np.ones(n_families), where=plain.mean > 0)
    unit = np.divide(spread, mean, out=np.ones(n_families), where=mean > 0)
    return Coincidences(
        plain.pairs, plain.observed, mean, np.maximum(spread, mean * excess), expected, unit, plain.holders
    )


def _quadratic(sizes: Any, shares: Any, weight: Float64, own: Float64) -> Float64:
    """Return ½ (nᵀ G n - Σ n_c G_cc) of each row of sizes, with `own` for the diagonal of G; float64 (f,)."""
    both = (shares.multiply(weight[None, :]) @ shares.T).toarray()
    np.fill_diagonal(both, own)
    crossed = np.asarray(sizes.multiply(sizes @ both).sum(axis=1)).ravel()
    return np.asarray(np.maximum(crossed - sizes @ both.diagonal(), 0.0) / 2, dtype=np.float64)
