"""Sweeps: whether accounts divide the values of a template's slots among themselves, and walk through them in the same order.

Both compare accounts with each other, so one account that works through a list by itself is no sweep. Slots whose values
hardly ever repeat (free text) say nothing and are left out by their own weight: their chance of a repetition is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.signals.sums import summed
from promptscan.signals.tails import Tail, few_tail, tolerant_count

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Fills:
    """Slots of prompts with a template, one row per (account, text), in the order of account and time.

    Attributes:
        family, template, account: of each row, int64 (r,).
        row, slot, value: filled slots by row, int64 (q,); slots are numbered over all templates, values by anything that tells
            them apart.
        slot_template: template of each slot, int64 (s,).
        n_families, n_templates: counts.
    """

    family: Int64
    template: Int64
    account: Int64
    row: Int64
    slot: Int64
    value: Int64
    slot_template: Int64
    n_families: int
    n_templates: int


@dataclass(frozen=True, slots=True)
class Repeats:
    """Pairs of prompts of different accounts that are alike, per family.

    Attributes:
        observed, expected: pairs, float64 (f,).
        tail: of so few (partition) or so many (sweep).
        rows: prompts that were compared, int64 (f,).
    """

    observed: Float64
    expected: Float64
    tail: Tail
    rows: Int64


def partition(fills: Fills) -> Repeats:
    """Count pairs of accounts' prompts with the same values in all repeating slots, beside what independent slots would give.

    With p_s the share of pairs of prompts of two accounts that agree in slot s, chance makes a share Π p_s agree in all.
    Accounts that divide a grid of values among themselves agree in single slots and never in all. Templates with
    fewer than two repeating slots say nothing: there the product is the observation.
    """
    across = _pairs_across(fills.template, fills.account, fills.n_templates)
    agree = _agreeing(fills)
    share = np.divide(
        agree, across[fills.slot_template], out=np.zeros(len(agree)), where=across[fills.slot_template] > 0
    )
    usable = share > 0
    n_usable = summed(fills.slot_template, usable, fills.n_templates)
    log_share = np.bincount(
        fills.slot_template, np.where(usable, np.log(np.maximum(share, 1e-12)), 0.0), fills.n_templates
    )
    told = n_usable >= 2
    expected = np.where(told, across * np.exp(log_share), 0.0)
    kept = usable[fills.slot] & told[fills.slot_template[fills.slot]]
    keys = _combined(fills, kept)
    rows = np.flatnonzero(told[fills.template]) if len(fills.template) else np.zeros(0, np.int64)
    observed = _equal_across(fills.template[rows], fills.account[rows], keys[rows], fills.n_templates)
    owner = _owner(fills)
    total, chance = summed(owner, observed, fills.n_families), summed(owner, expected, fills.n_families)
    n = np.bincount(fills.family[rows], minlength=fills.n_families).astype(np.int64)
    return Repeats(total, chance, few_tail(total, chance), n)


def sweep(fills: Fills) -> Repeats:
    """Count pairs of accounts that go from the same value to the same next one, beside what shuffled values would give.

    Steps from a value to itself are left out. All slots of a template count; chance is the product of the shares of pairs of
    steps that agree in what they leave and in what they reach.
    """
    order = np.lexsort((fills.row, fills.account[fills.row], fills.slot))
    slot, row, value = fills.slot[order], fills.row[order], fills.value[order]
    account = fills.account[row]
    step = (slot[1:] == slot[:-1]) & (account[1:] == account[:-1]) & (value[1:] != value[:-1])
    at = np.flatnonzero(step)
    slot, account, before, after = slot[at], account[at], value[at], value[at + 1]
    n_slots = len(fills.slot_template)
    across = _pairs_across(slot, account, n_slots)
    leave, reach = _equal_across(slot, account, before, n_slots), _equal_across(slot, account, after, n_slots)
    observed = _equal_across(slot, account, _mixed(before) + _mixed(_mixed(after)), n_slots)
    whole = np.maximum(across, 1)
    expected = leave * reach / whole
    owner = _owner(fills)[fills.slot_template] if n_slots else np.zeros(0, np.int64)
    total, chance = summed(owner, observed, fills.n_families), summed(owner, expected, fills.n_families)
    # steps that share an end come in clumps: as many more as there are steps from a common value
    spread = summed(owner, expected * (1 + (leave + reach) / np.maximum(np.sqrt(whole), 1)), fills.n_families)
    n = (
        np.bincount(owner[slot], minlength=fills.n_families).astype(np.int64)
        if len(slot)
        else np.zeros(fills.n_families, np.int64)
    )
    known = (n > 0) & (chance > 0)
    tail = tolerant_count(np.where(known, total, 0.0), chance, spread, np.ones(fills.n_families))
    return Repeats(total, chance, tail, np.where(known, n, 0))


def _owner(fills: Fills) -> Int64:
    """Return the family that most rows of each template are in, int64 (templates,)."""
    owner = np.zeros(fills.n_templates, dtype=np.int64)
    if len(fills.family):
        codes, counts = np.unique(fills.template * fills.n_families + fills.family, return_counts=True)
        order = np.lexsort((-codes, counts))
        owner[codes[order] // fills.n_families] = codes[order] % fills.n_families  # the last and largest stays
    return owner


def _pairs_across(group: Int64, account: Int64, n_groups: int) -> Float64:
    """Count the pairs of rows of a group that are of different accounts, float64 (groups,)."""
    return _equal_across(group, account, np.zeros(len(group), np.int64), n_groups)


def _agreeing(fills: Fills) -> Float64:
    """Count the pairs of rows of different accounts that agree in each slot, float64 (s,)."""
    return _equal_across(fills.slot, fills.account[fills.row], fills.value, len(fills.slot_template))


def _equal_across(group: Int64, account: Int64, key: Int64, n_groups: int) -> Float64:
    """Count the pairs of rows of a group with equal keys and different accounts, float64 (groups,)."""
    if not len(group):
        return np.zeros(n_groups)
    codes = _mixed(key + _mixed(group))
    alike, size = _runs(codes)
    same, own = _runs(_mixed(codes + account))
    pairs = summed(group[alike], size * (size - 1) / 2, n_groups)
    return np.asarray(pairs - summed(group[same], own * (own - 1) / 2, n_groups))


def _runs(codes: Int64) -> tuple[Int64, Int64]:
    """Return a row of each set of rows with equal codes, and the set's size.

    Codes of 64 bits stand for rows: of a million, two that differ have the same code once in some ten million stores.
    """
    order = np.argsort(codes)
    ordered = codes[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: len(codes)])
    return order[starts], np.diff(np.append(starts, len(order))).astype(np.int64)


def _combined(fills: Fills, kept: NDArray[np.bool_]) -> Int64:
    """Return a key per row of its values in the kept slots, int64 (r,)."""
    keys = np.zeros(len(fills.template), dtype=np.uint64)
    parts = _mixed(fills.value[kept] ^ _mixed(fills.slot[kept] + 1)).view(np.uint64)
    with np.errstate(over="ignore"):
        np.add.at(keys, fills.row[kept], parts)
    return keys.view(np.int64)


def _mixed(values: Int64) -> Int64:
    """Scatter integers over 64 bits (the finaliser of SplitMix64, Steele and others 2014)."""
    with np.errstate(over="ignore"):
        z = values.astype(np.int64).view(np.uint64) + _MIX
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return (z ^ (z >> np.uint64(31))).view(np.int64)
