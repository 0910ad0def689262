"""Facts about groups of families: what is too thin in each of fifty families can be plain in all of them together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptscan.findings.facts import Facts
from promptscan.signals.sweeps import Fills

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


def merged(facts: Facts, group: Int64, names: list[str], *, least: int = 1, told: Bool | None = None) -> Facts:
    """Return the facts with families put together.

    Args:
        facts: of the families.
        group: number of each family's group, -1 for none, int64 (f,).
        names: of the groups.
        least: families of the group that an account is in, or it is left out of it.
        told: groups that evidence is wanted about, bool (n,); of others only who sent them is kept. None: all.
    """
    n = len(names)
    wanted = group if told is None else np.where(np.append(told, False)[group], group, -1)
    inside = np.flatnonzero(group >= 0)
    own = group[inside]
    weight = facts.n_prompts[inside].astype(np.float64)
    core = Core(facts, group, least)
    kept = core.inside
    codes, place = distinct(group[facts.family[kept]], facts.account[kept])
    prompts = np.bincount(place, facts.prompts[kept], len(codes)).astype(np.int64)
    n_accounts = np.bincount(codes[:, 0], minlength=n).astype(np.int64)
    n_prompts = np.bincount(codes[:, 0], prompts, n).astype(np.int64)
    squares = np.bincount(codes[:, 0], prompts.astype(np.float64) ** 2, n)
    asked = core.of(facts.asks[:, 0], facts.asks[:, 1]) & (wanted[facts.asks[:, 0]] >= 0)
    asks, where = distinct(group[facts.asks[asked, 0]], facts.asks[asked, 1], facts.asks[asked, 2])
    moved = np.zeros(len(asks), dtype=np.int64)
    np.maximum.at(moved, where, facts.asks[asked, 3])
    related = np.unique(group[facts.relatives], axis=0)
    related = related[(related >= 0).all(axis=1) & (related[:, 0] != related[:, 1])]
    present = core.of(facts.events[:, 0], facts.events[:, 1]) & (wanted[facts.events[:, 0]] >= 0)
    events, _ = distinct(group[facts.events[present, 0]], facts.events[present, 1], facts.events[present, 2])
    disguised = np.bincount(place, facts.obfuscated[kept], len(codes)) > 0
    first = extreme(facts.pair_first[kept], place, len(codes), np.minimum)
    last = extreme(facts.pair_last[kept], place, len(codes), np.maximum)
    some = slice(None) if told is None else np.flatnonzero(told[codes[:, 0]])
    return replace(
        facts,
        families=names,
        n_accounts=n_accounts,
        n_prompts=n_prompts,
        effective=n_prompts.astype(np.float64) ** 2 / np.maximum(squares, 1),
        reuse=_mean(own, facts.reuse[inside], weight, n),
        frame=np.rint(_mean(own, facts.frame[inside], weight, n)).astype(np.int64),
        benign_share=_mean(own, facts.benign_share[inside], weight, n),
        family=codes[some, 0],
        account=codes[some, 1],
        prompts=prompts[some],
        pair_first=first[some],
        pair_last=last[some],
        relatives=related,
        events=events,
        obfuscated=disguised[some],
        asks=np.column_stack([asks, moved]) if len(asks) else np.zeros((0, 4), dtype=np.int64),
        fills=_grouped_fills(facts.fills, wanted, n, core.of(facts.fills.family, facts.fills.account)),
        least=least,
        met=None if told is None else codes,
    )


class Core:
    """The accounts of each group that are in enough of its families."""

    def __init__(self, facts: Facts, group: Int64, least: int) -> None:
        self.family, self.n_families, self.n = facts.family, facts.n, len(facts.accounts)
        self.pairs = facts.family * self.n + facts.account  # ascending
        own = group[facts.family]
        kept = np.flatnonzero(own >= 0)
        _, place, counts = np.unique(own[kept] * self.n + facts.account[kept], return_inverse=True, return_counts=True)
        self.inside = np.zeros(len(self.pairs), dtype=bool)
        self.inside[kept] = counts[place] >= least

    def of(self, family: Int64, account: Int64) -> NDArray[np.bool_]:
        """Say which rows, of a family and an account of it each, are of a core."""
        return self.inside[np.searchsorted(self.pairs, family * self.n + account)]

    def share(self) -> NDArray[np.float64]:
        """Return the share of each family's accounts that is of its group's core, float64 (f,)."""
        size = np.bincount(self.family, minlength=self.n_families)
        return np.asarray(np.bincount(self.family, self.inside, self.n_families) / np.maximum(size, 1))


def distinct(*columns: Int64) -> tuple[Int64, Int64]:
    """Return the distinct rows of columns of numbers, sorted, and the place of each given row among them.

    Rows are packed into one number: the columns are numbers of families, accounts and ten minutes, far below 2^63 together.
    """
    lows = [int(column.min(initial=0)) for column in columns]  # clocks may stand before 1970
    sizes = [int(column.max(initial=0)) - low + 1 for column, low in zip(columns, lows, strict=True)]
    packed = np.zeros(len(columns[0]), dtype=np.int64)
    for column, low, size in zip(columns, lows, sizes, strict=True):
        packed = packed * size + (column - low)
    codes, place = np.unique(packed, return_inverse=True)
    unpacked = []
    for low, size in zip(lows[::-1], sizes[::-1], strict=True):
        codes, rest = np.divmod(codes, size)
        unpacked.append(rest + low)
    return np.stack(unpacked[::-1], axis=1), place.ravel()


def _mean(group: Int64, values: Any, weight: Any, n: int) -> Any:
    return np.bincount(group, values * weight, n) / np.maximum(np.bincount(group, weight, n), 1e-12)


def extreme(times: Any, place: Int64, n: int, better: np.ufunc) -> Any:
    """Return the earliest or latest known time of each place, NaT where none is known."""
    known = ~np.isnat(times)
    worst = np.iinfo(np.int64).max if better is np.minimum else np.iinfo(np.int64).min
    out = np.full(n, worst, dtype=np.int64)
    better.at(out, place[known], times[known].astype(np.int64))
    found = out.astype("datetime64[us]")
    found[out == worst] = np.datetime64("NaT")
    return found


def extreme_at(when: Any, values: Any, place: Int64, n: int) -> Any:
    """Return the value of the one that came first of each place; what has no time comes last."""
    order = np.lexsort((np.arange(len(place)), np.where(np.isnat(when), np.iinfo(np.int64).max, when.astype(np.int64))))
    out = np.full(n, np.datetime64("NaT"), dtype="datetime64[us]")
    out[place[order[::-1]]] = values[order[::-1]]  # the last assignment stands
    return out


def _grouped_fills(fills: Fills, group: Int64, n: int, kept: Bool) -> Fills:
    """Return some rows, by the groups of their families."""
    some = some_fills(fills, kept & (group[fills.family] >= 0))
    return replace(some, family=group[some.family], n_families=n)


def some_fills(fills: Fills, kept: Bool) -> Fills:
    """Return some of the rows, bool (r,)."""
    number = np.cumsum(kept) - 1
    used = kept[fills.row]
    return replace(
        fills,
        family=fills.family[kept],
        template=fills.template[kept],
        account=fills.account[kept],
        row=number[fills.row[used]].astype(np.int64),
        slot=fills.slot[used],
        value=fills.value[used],
    )
