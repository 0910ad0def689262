"""evidence: what speaks for, and what against, the accounts of a family acting as one.

Each kind has a number, what chance would give, how much data it rests on, and a sentence. Kinds are of three groups, what is
sent, when, and by accounts made how; a family passes the actors axis only if two groups speak (docs/decisions/016-alerts.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.signals.tails import Tail, deflated, log_e, mean_of, null_of, several_of

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
LN10 = float(np.log(10))

GROUPS_WANTED = 2
"""Groups that must speak: one alone has an innocent explanation (a prompt that goes round, a class before its deadline)."""

LONE = 1e-3
"""Weight of kinds that may speak alone: nothing innocent gives strangers one payment, but then one never knows."""


class Group(StrEnum):
    """What kinds of evidence have in common: they may have one innocent explanation together."""

    SENT = "sent"  # what the accounts send
    TIME = "time"  # when
    MADE = "made"  # how the accounts came to be and what they share
    NONE = "none"  # told, not counted


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of evidence about every family; arrays are (f,).

    Attributes:
        kind: as in the table `family_evidence`.
        group: which of the groups it counts for.
        value: the number.
        expected: what chance gives, NaN where that has no meaning.
        n: observations it rests on.
        tail: how likely by chance.
        sufficient: whether there is enough data to say anything.
        says: writes the sentence from (value, expected, n).
        against: whether it speaks against a campaign.
        lone: whether it may speak without another group: nothing innocent gives strangers this in common.
        shown: whether it is worth a row; None: wherever there is enough data, and where it is insufficient.
    """

    kind: str
    group: Group
    value: Float64
    expected: Float64
    n: Int64
    tail: Tail
    sufficient: Bool
    says: Callable[[float, float, int], str]
    against: bool = False
    shown: Bool | None = None
    lone: bool = False


@dataclass(frozen=True, slots=True)
class Weighed:
    """Evidence in one scale; arrays are (k, f) by kind and family, or (f,).

    Attributes:
        log10_e: strength of each finding, after the store's own null.
        actors: log10 of the e-value that the accounts act as one.
        nulls: scale of each kind's null in this store.
    """

    log10_e: Float64
    actors: Float64
    nulls: dict[str, float]


def weigh(
    findings: Sequence[Finding],
    reference: Bool,
    without: Sequence[str] = (),
    nulls: dict[str, float] | None = None,
    inside: dict[str, Float64] | None = None,
) -> Weighed:
    """Bring findings to one scale and merge them.

    Args:
        findings: of every kind.
        reference: families that the store's own null is read off, bool (f,).
        without: kinds that are left out of the merged value, for ablations.
        nulls: of the store, where they are known already.
        inside: log e-values, float64 (f,), of kinds that were weighed elsewhere; the larger counts.
    """
    n_families = len(reference)
    strength, known_nulls = np.zeros((len(findings), n_families)), dict(nulls or {})
    for row, finding in enumerate(findings):
        if finding.group is Group.NONE:
            continue
        if nulls is None:
            told = finding.sufficient & reference
            known_nulls[finding.kind] = null_of(finding.tail.plain[told])
        strength[row] = np.where(
            finding.sufficient, log_e(deflated(finding.tail.log_p, known_nulls[finding.kind])), 0.0
        )
        if inside and finding.kind in inside:
            strength[row] = np.maximum(strength[row], inside[finding.kind])
    told = np.array([one.sufficient for one in findings]).reshape(len(findings), n_families)

    def merged(rows: list[int]) -> tuple[Float64, Bool]:
        """Return the mean e-value of some kinds, and where there is any."""
        if not rows:
            return np.zeros(n_families), np.zeros(n_families, dtype=bool)
        return mean_of(strength[rows], told[rows]), np.asarray(told[rows].any(axis=0), dtype=bool)

    counted = [row for row, one in enumerate(findings) if one.kind not in without]
    speaking = (Group.SENT, Group.TIME, Group.MADE)
    groups = [merged([row for row in counted if findings[row].group is group]) for group in speaking]
    several = several_of(
        np.array([each for each, _ in groups]), np.array([known for _, known in groups]), GROUPS_WANTED
    )
    alone, _ = merged([row for row in counted if findings[row].lone])
    actors = np.logaddexp(several + np.log1p(-LONE), alone + np.log(LONE))
    return Weighed(strength / LN10, actors / LN10, known_nulls)


def evidence_table(findings: Sequence[Finding], strength: Float64, families: Sequence[str]) -> pa.Table:
    """Write the rows of `family_evidence`, by family, strongest first.

    Args:
        findings: of every kind.
        strength: log10 e-values, float64 (k, f).
        families: ids, f of them.
    """
    n = len(families)
    shown = np.stack([np.ones(n, dtype=bool) if one.shown is None else one.shown for one in findings])
    kind, family = np.nonzero(shown)
    against = np.array([one.against for one in findings], dtype=bool)[kind]
    enough = _picked([one.sufficient for one in findings], kind, family, bool)
    strong = strength[kind, family]
    order = np.lexsort((kind, -strong, ~enough, against, family))
    kind, family = kind[order], family[order]
    against, enough, strong = against[order], enough[order], strong[order]
    value, expected = (
        np.round(_picked([getattr(one, name) for one in findings], kind, family, np.float64), 6)
        for name in ("value", "expected")
    )
    count = _picked([one.n for one in findings], kind, family, np.int64)
    known = [np.where(np.isfinite(numbers), numbers, 0.0).tolist() for numbers in (value, expected)]
    sentences = [
        findings[row].says(*numbers) if told else INSUFFICIENT
        for row, told, *numbers in zip(kind.tolist(), enough.tolist(), *known, count.tolist(), strict=True)
    ]
    names = pa.array([one.kind for one in findings], pa.string())
    columns = {
        "family_id": pa.array(families, pa.string()).take(pa.array(family)),
        "kind": names.take(pa.array(kind)),
        "against": pa.array(against),
        "sufficient": pa.array(enough),
        "value": pa.array(value, mask=~(enough & np.isfinite(value))),
        "expected": pa.array(expected, mask=~(enough & np.isfinite(expected))),
        "n": pa.array(count),
        "log10_e": pa.array(np.round(strong, 4), mask=~enough),
        "sentence": pa.array(sentences, pa.string()),
    }
    return pa.table(columns, schema=SCHEMA)


def _picked(rows: Sequence[NDArray[Any]], kind: Int64, family: Int64, dtype: type) -> NDArray[Any]:
    """Return the entries of some cells of a matrix that is given by its rows."""
    return np.asarray(np.stack(rows), dtype=dtype)[kind, family]


INSUFFICIENT = "Insufficient data."
SCHEMA = pa.schema(
    [
        ("family_id", pa.string()), ("kind", pa.string()), ("against", pa.bool_()), ("sufficient", pa.bool_()),
        ("value", pa.float64()), ("expected", pa.float64()), ("n", pa.int64()), ("log10_e", pa.float64()),
        ("sentence", pa.string()),
    ]
)  # fmt: skip
