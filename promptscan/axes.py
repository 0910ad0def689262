"""axes: whether a family is a wording that was handed on, and whether its senders act as one. Both must pass; they are never summed.

The actors axis is an e-value. A day's budget of false alerts is spent on the families that are first seen on it: each gets an equal
share alpha, half for itself and half for the families that common accounts join to it, and keeps it for good. At its k-th look it
must reach k² π² / 6 / alpha (`tails.wanted_log10`), so over all looks an innocent family is reported with chance alpha at most, and a
day's families with the budget at most in expectation, whenever anybody looks (docs/decisions/016-alerts.md).
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

ACTORS = 3.0
"""Effective actors that a campaign has at least: fewer need no tool to be seen."""


@dataclass(frozen=True, slots=True)
class Before:
    """What the last build kept of families, by their id.

    Attributes:
        families: ids.
        alpha: float64 (b,). looks, n_prompts: int64 (b,). passed: bool (b,).
    """

    families: list[str]
    alpha: Float64
    looks: Int64
    n_prompts: Int64
    passed: Bool


@dataclass(frozen=True, slots=True)
class Axes:
    """The two axes of every family; arrays are (f,), as in the table `family_axes`."""

    families: list[str]
    transfer: Float64
    actors: Float64
    actors_together: Float64
    n_together: Int64
    n_actors: Float64
    threshold: Float64
    alpha: Float64
    looks: Int64
    n_prompts: Int64
    passed: Bool

    def table(self) -> pa.Table:
        """Return the rows of `family_axes`."""
        return pa.table({name: pa.array(getattr(self, name)) for name in self.__dataclass_fields__}).rename_columns(
            ["family_id", *list(self.__dataclass_fields__)[1:]]
        )


def judge(
    families: list[str],
    transfer: Float64,
    eligible: Bool,
    n_prompts: Int64,
    actors: Float64,
    n_actors: Float64,
    together: Float64,
    together_actors: Float64,
    n_together: Int64,
    before: Before,
    *,
    budget: float,
    barred: Bool,
) -> Axes:
    """Judge families on both axes.

    Args:
        families: ids.
        transfer: the transfer axis, float64 (f,).
        eligible: whether it passes, bool (f,).
        n_prompts: prompts of each, int64 (f,).
        actors: log10 e-value that its accounts act as one, float64 (f,).
        n_actors: how many effective actors they are, float64 (f,).
        together: log10 e-value of the group of each family, float64 (f,).
        together_actors: the group's effective actors, float64 (f,).
        n_together: the group's families, int64 (f,).
        before: what the last build kept.
        budget: false alerts that are accepted for the families that are new, > 0.
        barred: families that an analyst called benign: they do not pass, whatever is seen.
    """
    place = {name: row for row, name in enumerate(before.families)}
    known = np.array([place.get(name, -1) for name in families], dtype=np.int64)
    old = known >= 0
    new = eligible & ~(old & (_taken(before.alpha, known) > 0))
    alpha = np.where(new, budget / max(int(new.sum()), 1), np.where(old, _taken(before.alpha, known), 0.0))
    looks = np.where(old, _taken(before.looks, known), 0).astype(np.int64)
    looks += eligible & ((looks == 0) | (n_prompts != _taken(before.n_prompts, known)))
    threshold = wanted_log10(np.where(alpha > 0, alpha, 1.0) / 2, np.maximum(looks, 1))
    alone = (actors >= threshold) & (n_actors >= ACTORS)
    joined = (together >= threshold) & (together_actors >= ACTORS) & (n_together > 1)
    passed = eligible & ~barred & (alone | joined | (old & (_taken(before.passed, known) > 0)))
    return Axes(
        families, transfer, actors, np.where(n_together > 1, together, actors), n_together, n_actors,
        np.where(eligible, threshold, np.nan), alpha, looks, n_prompts, passed,
    )  # fmt: skip


def _taken(values: NDArray[np.generic], rows: Int64) -> Float64:
    """Return values by row, zero for row -1; float64."""
    return np.append(values.astype(np.float64), 0.0)[rows]
