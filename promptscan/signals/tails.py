"""From a statistic to a probability, from that to an e-value, and how e-values are merged and spent.

Sources: Vovk and Wang 2021, "E-values: calibration, combination and applications" (calibrators, arithmetic means);
Benjamini and Heller 2008, "Screening for partial conjunction hypotheses" (at least u of k are false); Efron 2004, "Large-scale
simultaneous hypothesis testing: the choice of a null hypothesis" (empirical null). All logarithms are natural unless
a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

SMALLEST = -690.0
"""Logarithm of the smallest probability told apart, about 1e-300."""

FEW = 20
"""Families that weigh as much as what is assumed of the null before any are seen."""

ASSUMED_SCALE = 1.25
"""Standard deviation of null scores that is assumed before any families are seen: chance models are never wide enough."""

TOLERANCE = 1.5
"""Times what chance gives that is innocent still: people are alike in ways no model knows, and large families would show any."""

HALF_SPREAD = 0.8316  # between the quartiles of the positive half of a standard normal distribution


@dataclass(frozen=True, slots=True)
class Tail:
    """Probabilities of a statistic, float64 (f,) each.

    Attributes:
        plain: log P(at least as extreme by chance): what the store's own null is read off.
        log_p: the same if chance were as much stronger as is tolerated: what counts as evidence.
    """

    plain: Float64
    log_p: Float64

    @classmethod
    def nothing(cls, n: int) -> Self:
        """Return the tails of statistics that say nothing."""
        return cls(np.zeros(n), np.zeros(n))


def tolerant_count(observed: Float64, mean: Float64, variance: Float64, unit: Float64) -> Tail:
    """Return the tails of counts, see `count_tail`."""
    more = TOLERANCE
    return Tail(count_tail(observed, mean, variance, unit), count_tail(observed, more * mean, more * variance, unit))


def count_tail(observed: Float64, mean: Float64, variance: Float64, unit: Float64) -> Float64:
    """Return log P(count >= observed) of counts with a mean and variance, float64 (n,), at least `SMALLEST`.

    A negative binomial where the variance exceeds the mean, a Poisson distribution elsewhere: sums over pairs are rare
    events that come in clumps. Statistics that weigh their counts are divided by `unit`, the weight of a typical one.
    """
    from scipy.special import betainc, gammainc

    unit = np.where(unit > 0, unit, 1.0)
    k, mu, var = observed / unit, np.maximum(mean / unit, 1e-300), variance / unit**2
    wide = var > mu * (1 + 1e-9)
    r = np.where(wide, mu * mu / np.where(wide, var - mu, 1.0), 1.0)
    p = np.where(wide, np.clip(mu / np.maximum(var, 1e-300), 1e-300, 1.0), 0.5)
    least = np.maximum(np.floor(k + 1e-9), 0.0)
    with np.errstate(all="ignore"):
        log_p = np.where(least > 0, np.log(np.where(wide, betainc(least, r, 1 - p), gammainc(least, mu))), 0.0)
    log_p = np.where(np.isnan(log_p), np.where(k > mu, SMALLEST, 0.0), log_p)
    return np.clip(np.where(observed > 0, log_p, 0.0), SMALLEST, 0.0)


def few_tail(observed: Float64, mean: Float64, dispersion: float = 2.0) -> Tail:
    """Return the tails P(count <= observed) of counts with a mean and `dispersion` times as much variance: negative binomials."""
    from scipy.special import betainc

    def log_p(mu: Float64) -> Float64:
        r, more = np.maximum(mu, 1e-12) / (dispersion - 1), np.floor(observed) + 1
        low, high = betainc(r, more, 1 / dispersion), betainc(more, r, 1 - 1 / dispersion)
        with np.errstate(all="ignore"):
            found = np.where(low > 0.5, np.log1p(-high), np.log(low))
        return np.asarray(np.clip(np.nan_to_num(found, nan=0.0, neginf=SMALLEST), SMALLEST, 0.0), dtype=np.float64)

    return Tail(log_p(mean), log_p(mean / TOLERANCE))


def binomial_tail(k: NDArray[np.int64], n: NDArray[np.int64], p: Float64) -> Tail:
    """Return the tails P(at least k of n) at chance p, which may be one for all or one for each."""
    from scipy.special import betainc

    def log_p(chance: Float64) -> Float64:
        with np.errstate(all="ignore"):
            found = np.where(k > 0, np.log(betainc(np.maximum(k, 1), n - k + 1, np.clip(chance, 0.0, 1.0))), 0.0)
        return np.asarray(np.clip(np.nan_to_num(found, nan=0.0, neginf=SMALLEST), SMALLEST, 0.0), dtype=np.float64)

    return Tail(log_p(p), log_p(TOLERANCE * p))


def score_of(log_p: Float64) -> Float64:
    """Return the standard normal scores whose upper tails are exp(log_p), float64 (n,)."""
    from scipy.special import ndtri_exp

    return np.asarray(-ndtri_exp(np.clip(log_p, SMALLEST, -1e-12)), dtype=np.float64)


def tail_of(score: Float64) -> Float64:
    """Return the logarithms of the upper tails of standard normal scores, float64 (n,)."""
    from scipy.special import log_ndtr

    return np.clip(np.asarray(log_ndtr(-score), dtype=np.float64), SMALLEST, 0.0)


def null_of(log_p: Float64) -> float:
    """Return the scale of the null that a store's own families show, read off those with less than chance gives.

    Campaigns make scores large, never negative, so the negative half is a mirror of the null whatever share of the store they
    are (Efron 2004 with the symmetry of Barber and Candès 2015, "Controlling the false discovery rate via knockoffs"). Their
    spread is taken and not their size: where campaigns are a large part of all accounts, the innocent are below the average.
    Counts of zero have no score; they are no reason to widen the null either. The null is never narrower than the theoretical one;
    few families are shrunk towards `ASSUMED_SCALE`.

    Args:
        log_p: of all families of which something can be said, float64 (n,).
    """
    scores = score_of(log_p[log_p < 0])
    below = -scores[scores < 0]
    low, high = np.quantile(below, [0.25, 0.75]) if len(below) >= FEW / 2 else (0.0, HALF_SPREAD)
    seen = float(high - low) / HALF_SPREAD
    weight = len(log_p) / (len(log_p) + FEW)
    return max(1.0, weight * max(seen, 1.0) + (1 - weight) * ASSUMED_SCALE)


def deflated(log_p: Float64, scale: float) -> Float64:
    """Return log-probabilities under a null of a larger scale than the theoretical one, float64 (n,)."""
    return tail_of(score_of(log_p) / scale)


def log_e(log_p: Float64) -> Float64:
    """Calibrate probabilities to e-values: log of (1 - p + p ln p) / (p ln² p), float64 (n,).

    The mixture of all calibrators k p^(k - 1), 0 < k < 1 (Vovk and Wang 2021, section 2): E[e] <= 1 when p is a valid p-value.
    """
    lp = np.minimum(log_p, -1e-6)
    p = np.exp(lp)
    near_one = 0.5 + (1 - p) / 6  # the limit at p = 1, where the quotient is 0 / 0
    with np.errstate(all="ignore"):
        far = np.log1p(-p + p * lp) - lp - 2 * np.log(-lp)
    return np.where(lp > -1e-3, np.log(near_one), far)


def mean_of(log_values: Float64, known: NDArray[np.bool_]) -> Float64:
    """Merge e-values by their arithmetic mean, which is valid whatever their dependence.

    Args:
        log_values: float64 (k, n).
        known: which count, bool (k, n).

    Returns:
        float64 (n,), 0 (an e-value of one) where none is known.
    """
    from scipy.special import logsumexp

    count = known.sum(axis=0)
    with np.errstate(all="ignore"):
        total = logsumexp(np.where(known, log_values, -np.inf), axis=0)
    return np.where(count > 0, total - np.log(np.maximum(count, 1)), 0.0)


def several_of(log_values: Float64, known: NDArray[np.bool_], least: int) -> Float64:
    """Merge the e-values of groups into one against "fewer than `least` of the groups speak for it".

    The mean of the k - least + 1 smallest (Benjamini and Heller 2008 with the arithmetic mean of Vovk and Wang 2021). Where
    fewer groups than `least` are known, all that are must speak.

    Args:
        log_values: float64 (k, n).
        known: bool (k, n).
        least: of the groups, >= 1.

    Returns:
        float64 (n,), 0 where none is known.
    """
    ordered = np.sort(np.where(known, log_values, np.inf), axis=0)
    count = known.sum(axis=0)
    kept = np.maximum(count - least + 1, np.minimum(count, 1))
    return mean_of(ordered, np.arange(len(ordered))[:, None] < kept)


def wanted_log10(alpha: Float64, looks: NDArray[np.int64]) -> Float64:
    """Return log10 of the e-value wanted at the k-th look: k² π² / 6 / alpha, float64 (n,).

    The chances 6 alpha / (π² k²) of all looks sum to alpha, so by Markov's inequality and the union bound a true null is ever
    rejected with probability alpha at most, however often and whenever it is looked at.
    """
    return np.asarray(np.log10(np.pi**2 / 6 * looks.astype(np.float64) ** 2) - np.log10(alpha), dtype=np.float64)
