"""Evidence about groups of families: what is too thin in each can be plain in all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from promptscan.axes import INNER, Groups
from promptscan.evidence import LN10, Finding, Weighed, weigh
from promptscan.findings import Facts, find
from promptscan.findings.facts import LEAST
from promptscan.findings.merge import Core, merged
from promptscan.findings.sent import COMPANIONS
from promptscan.findings.together import linked, shared_families

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

LARGEST = 600.0  # log of the largest e-value that is added up


def weigh_groups(facts: Facts, findings: Sequence[Finding], weighed: Weighed, without: tuple[str, ...]) -> Groups:
    """Weigh the groups of families that common accounts hold together; for every family those of its group.

    A family most of whose accounts are in no other family of its group is left out of it: everybody pastes a popular prompt.
    """
    group = linked(shared_families(facts, relatives=True), facts.n)
    inner = Core(facts, group, 2).share()
    group = np.where(inner < INNER, group.max(initial=-1) + np.cumsum(inner < INNER), group)
    _, group = np.unique(group, return_inverse=True)
    size = np.bincount(group, minlength=1).astype(np.int64)
    actors, effective = strengths(facts, findings, weighed, group, size > 1, without)
    prompts = np.bincount(group, facts.n_prompts, len(size)).astype(np.int64)
    return Groups(group, actors[group], effective[group], size[group], prompts[group], inner)


def strengths(
    facts: Facts, findings: Sequence[Finding], weighed: Weighed, group: Int64, told: Bool, without: tuple[str, ...]
) -> tuple[Float64, Float64]:
    """Return log10 e-values that the accounts of groups act as one, 0 where not told, and the groups' effective actors; float64 (n,) each.

    A group is weighed as a whole and by its core, the accounts that are in two of its families or more, and the mean of both
    e-values counts: people who paste one of its prompts must not hide those who send them all. What its families share
    with each other counts by their own e-values, as one of all families.

    Args:
        facts: of the families.
        findings: about the families.
        weighed: the same, weighed.
        group: number of each family's group, -1 for none, int64 (f,).
        told: groups that are weighed, bool (n,); the others are there for what they share with them.
        without: kinds of evidence to leave out.
    """
    n = len(told)
    names = [str(number) for number in range(n)]
    inside = {COMPANIONS: shared_inside(findings, weighed, group, n).log_e}
    whole, core = (merged(facts, group, names, least=least, told=told) for least in (1, 2))
    of_all, of_core = (weigh(find(one), one.eligible, without, weighed.nulls, inside).actors for one in (whole, core))
    both = np.logaddexp(of_all * LN10, np.where(core.n_accounts >= LEAST, of_core, 0.0) * LN10)
    return np.where(told, (both - np.log(2)) / LN10, 0.0), np.maximum(whole.effective, core.effective)


@dataclass(frozen=True, slots=True)
class Inside:
    """What the accounts of groups of families share family by family; arrays are float64 (n,).

    Attributes:
        families: of each group, int64 (n,).
        observed, expected: pairs, summed over the families.
        log_e: mean e-value over all families of the store, those of other groups counting nothing.
    """

    families: Int64
    observed: Float64
    expected: Float64
    log_e: Float64


def shared_inside(findings: Sequence[Finding], weighed: Weighed, group: Int64, n: int) -> Inside:
    """Add up what the families of each group say of the other families that their accounts send: most of those are in the group."""
    row = next(number for number, one in enumerate(findings) if one.kind == COMPANIONS)
    within = np.flatnonzero(group >= 0)

    def summed(values: Float64) -> Float64:
        return np.asarray(np.bincount(group[within], np.nan_to_num(values[within]), n), dtype=np.float64)

    with np.errstate(divide="ignore"):
        log_e = np.log(summed(np.exp(np.minimum(weighed.log10_e[row] * LN10, LARGEST)))) - np.log(max(len(group), 1))
    families = np.bincount(group[within], minlength=n).astype(np.int64)
    return Inside(families, summed(findings[row].value), summed(findings[row].expected), log_e)


def with_inside(findings: Sequence[Finding], inside: Inside, accounts: Int64) -> list[Finding]:
    """Return findings about groups and their accounts, in which those of several families have what they share inside."""
    several = inside.families > 1
    return [
        replace(
            one,
            value=np.where(several, inside.observed, one.value),
            expected=np.where(several, inside.expected, one.expected),
            n=np.where(several, accounts, one.n),
            sufficient=one.sufficient | (several & (inside.expected > 0)),
        )
        if one.kind == COMPANIONS
        else one
        for one in findings
    ]
