"""When accounts come and go: replacement of accounts that stop, and moves to a model that was just released."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.signals.tails import Tail, binomial_tail, tolerant_count

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

MARGIN = 3  # days at the end of the log in which an account that is quiet may only be pausing


@dataclass(frozen=True, slots=True)
class Handovers:
    """Accounts that begin on the day after another one of the family stopped; all per family.

    Attributes:
        observed, expected: pairs of a stop and a start, float64 (f,).
        tail: of so many.
        stops: accounts that stopped, int64 (f,).
    """

    observed: Float64
    expected: Float64
    tail: Tail
    stops: Int64


def replacement(family: Int64, start: Int64, stop: Int64, own_start: Int64, n_families: int) -> Handovers:
    """Count handovers, beside what starts spread like those of all accounts of the store would give.

    Args:
        family: int64 (p,), one row per account of a family.
        start: first day of that account in the family, int64 (p,).
        stop: last day, int64 (p,).
        own_start: first day of every account of the store, int64 (a,).
        n_families: f.
    """
    if not len(family) or not len(own_start):
        zero = np.zeros(n_families)
        return Handovers(zero, zero, Tail(zero, zero), np.zeros(n_families, np.int64))
    first, last = int(own_start.min()), int(max(stop.max(), own_start.max()))
    days = last - first + 2
    share = np.bincount(own_start - first, minlength=days) / len(own_start)
    stopped = stop < last - MARGIN
    late = start > first  # who was there on the first day replaces nobody
    stops = np.bincount(family[stopped], minlength=n_families).astype(np.int64)
    starts = np.bincount(family[late], minlength=n_families)
    ended = np.zeros(n_families * days)
    np.add.at(ended, family[stopped] * days + np.clip(stop[stopped] + 1 - first, 0, days - 1), 1)
    begun = np.bincount(family[late] * days + (start[late] - first), minlength=n_families * days)
    grid = ended.reshape(n_families, days)
    observed = (grid * begun.reshape(n_families, days)).sum(axis=1)
    expected = (grid @ share) * starts
    spread = expected * (1 + (grid**2).sum(axis=1) / np.maximum(stops, 1))
    tail = tolerant_count(observed.astype(np.float64), expected, spread, np.ones(n_families))
    return Handovers(observed, expected, tail, stops)


@dataclass(frozen=True, slots=True)
class Moves:
    """Accounts that ask a new model; all per family.

    Attributes:
        moved, asked: accounts that asked the new model, of those that asked any, in the days after its release. int64 (f,).
        usual: share of all accounts that did, float64 (f,).
        tail: of so many.
    """

    moved: Int64
    asked: Int64
    usual: Float64
    tail: Tail


def pivot(family: Int64, release: Int64, moved: NDArray[np.bool_], usual: Float64, n_families: int) -> Moves:
    """Count who moved; of several releases the most surprising one counts, times their number.

    Args:
        family: int64 (q,), one row per account of a family that asked anything after a release.
        release: which release that was, int64 (q,).
        moved: whether that account asked the new model, bool (q,).
        usual: share of all the store's accounts that did, by release, float64 (r,).
        n_families: f.
    """
    size = len(usual)
    if not size:
        zero = np.zeros(n_families, dtype=np.int64)
        nothing = np.zeros(n_families)
        return Moves(zero, zero, nothing, Tail(nothing, nothing))
    cells = n_families * size
    asked = np.bincount(family * size + release, minlength=cells).astype(np.int64)
    went = np.bincount(family * size + release, moved, cells).astype(np.int64)
    chance = np.tile(usual, n_families)
    tail = binomial_tail(went, asked, chance)
    best = tail.log_p.reshape(n_families, size).argmin(axis=1) + np.arange(n_families) * size
    tried = np.log(np.maximum((asked.reshape(n_families, size) > 0).sum(axis=1), 1))
    plain, log_p = (np.minimum(each[best] + tried, 0.0) for each in (tail.plain, tail.log_p))
    return Moves(went[best], asked[best], chance[best], Tail(plain, log_p))
