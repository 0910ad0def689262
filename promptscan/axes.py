"""axes: whether a family is a wording that was handed on, and whether its senders act as one. Both must pass; they are never summed.

The actors axis is an e-value. A day's budget of false alerts is spent on the families that are first seen on it: each gets an equal
share alpha and keeps it for good. Half of it is for the e-value by itself: at its k-th look it must reach k² π² / 6 over that share
(`tails.wanted_log10`), so over all looks an innocent family is reported with that chance at most, whenever anybody looks. The other
half is for the store's own history: a family whose highest e-value is beyond all but that share of those that
innocent families ever had is reported too (conformal p-value; Vovk, Gammerman and Shafer 2005; Bates and others 2023, "Testing for
outliers with conformal p-values"). So a day's families raise its budget of false alerts at most in expectation
(docs/decisions/016-alerts.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.signals.tails import wanted_log10

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

ACTORS = 2.0
"""Effective actors that a campaign has at least, of four or more: two that do nearly everything need no tool to be seen."""

INNER = 0.5
"""Share of a family's accounts that must be in another family of its group before the group speaks for it."""

LOOK = 1.2
"""Times the prompts of its last look that a family, or its group, has at the next one: what did not change is not tested again."""

SPEAKS = 1.0
"""log10 of the least e-value that is reported for its rank alone: in a store where nothing speaks, somebody still comes first."""


@dataclass(frozen=True, slots=True)
class Before:
    """What the last build kept of families, by their id.

    Attributes:
        families: ids.
        alpha, peak: float64 (b,). looks, n_prompts: int64 (b,). passed: bool (b,).
    """

    families: list[str]
    alpha: Float64
    peak: Float64
    looks: Int64
    n_prompts: Int64
    passed: Bool


@dataclass(frozen=True, slots=True)
class Axes:
    """The two axes of every family; arrays are (f,), as in the table `family_axes`.

    Not in the table: `firm`, which families passed by themselves or in an earlier build; `needed`, log10 of the e-value that a
    campaign of the family must have, less than `threshold` where the store's history was enough; `group`, the number of the group
    that each family belongs to and that speaks as one, -1 for none, int64.
    """

    families: list[str]
    transfer: Float64
    actors: Float64
    actors_together: Float64
    n_together: Int64
    n_actors: Float64
    threshold: Float64
    alpha: Float64
    peak: Float64
    looks: Int64
    n_prompts: Int64
    passed: Bool
    firm: Bool
    needed: Float64
    group: Int64

    def table(self) -> pa.Table:
        """Return the rows of `family_axes`."""
        names = [name for name in self.__dataclass_fields__ if name not in {"firm", "needed", "group"}]
        columns = pa.table({name: pa.array(getattr(self, name)) for name in names})
        return columns.rename_columns(["family_id", *names[1:]])


@dataclass(frozen=True, slots=True)
class Groups:
    """The group of each family, of those that common accounts join to it; arrays are (f,).

    Attributes:
        number: of the group, int64.
        actors: log10 e-value that the group's accounts act as one, float64.
        effective: the group's effective actors, float64.
        n: families of the group, the family included, int64.
        n_prompts: prompts of all of them, int64.
        inner: share of the family's accounts that are in another family of the group too, float64.
    """

    number: Int64
    actors: Float64
    effective: Float64
    n: Int64
    n_prompts: Int64
    inner: Float64


def judge(
    families: list[str],
    transfer: Float64,
    eligible: Bool,
    groups: Groups,
    actors: Float64,
    effective: Float64,
    before: Before,
    *,
    budget: float,
    barred: Bool,
) -> Axes:
    """Judge families on both axes.

    Args:
        families: ids.
        transfer: the transfer axis, float64 (f,).
        eligible: whether it passes and enough accounts share the family, bool (f,).
        groups: what was found of the group of each.
        actors: log10 e-value that its accounts act as one, float64 (f,).
        effective: how many effective actors they are, float64 (f,).
        before: what the last build kept.
        budget: false alerts that are accepted for the families that are new, > 0.
        barred: families that an analyst called benign: they do not pass, whatever is seen.
    """
    place = {name: row for row, name in enumerate(before.families)}
    known = np.array([place.get(name, -1) for name in families], dtype=np.int64)
    kept = _taken(before.alpha, known)
    new = eligible & (kept == 0)
    alpha = np.where(new, budget / max(int(new.sum()), 1), kept)
    looked = _taken(before.looks, known).astype(np.int64)
    look = eligible & (new | (groups.n_prompts >= LOOK * _taken(before.n_prompts, known)))
    looks = looked + look
    threshold = wanted_log10(np.where(alpha > 0, alpha, 1.0) / 4, np.maximum(looks, 1))
    own = np.where(effective >= ACTORS, actors, -np.inf)
    inner = (groups.n > 1) & (groups.effective >= ACTORS) & (groups.inner >= INNER)
    strongest = np.maximum(own, np.where(inner, groups.actors, -np.inf))
    kept_peak = np.where(known >= 0, _taken(before.peak, known), -np.inf)
    peak = np.where(look, np.maximum(np.maximum(strongest, kept_peak), -1.0), np.where(known >= 0, kept_peak, 0.0))
    ranked = (peak >= SPEAKS) & (outlying(peak, _history(before, known, barred)) <= alpha / 2)
    passed = eligible & ~barred & ((look & ((strongest >= threshold) | ranked)) | (_taken(before.passed, known) > 0))
    needed = np.where(ranked, np.minimum(threshold, SPEAKS), threshold)
    return Axes(
        families,
        transfer,
        actors,
        np.where(groups.n > 1, groups.actors, actors),
        groups.n,
        effective,
        np.where(eligible, threshold, np.nan),
        alpha,
        peak,
        looks,
        np.where(look, groups.n_prompts, _taken(before.n_prompts, known)).astype(np.int64),
        passed,
        passed & ((own >= threshold) | (_taken(before.passed, known) > 0)),
        needed,
        np.where(passed & inner & (groups.actors >= needed), groups.number, -1),
    )


def outlying(peak: Float64, history: Float64) -> Float64:
    """Return conformal p-values: (1 + how many of the history are as high) over (1 + how many there are), float64 (f,)."""
    ordered = np.sort(history)
    above = len(ordered) - np.searchsorted(ordered, peak, side="left")
    return np.asarray((1 + above) / (1 + len(ordered)), dtype=np.float64)


def _history(before: Before, known: Int64, barred: Bool) -> Float64:
    """Return the peaks of families that were never reported, and of those that an analyst called benign."""
    innocent = ~before.passed
    innocent[known[barred & (known >= 0)]] = True
    return before.peak[innocent & (before.looks > 0)]


def _taken(values: NDArray[np.generic], rows: Int64) -> Float64:
    """Return values by row, zero for row -1; float64."""
    return np.append(values.astype(np.float64), 0.0)[rows]
