"""Who takes part in which set of families: the pairs that links, scores and tables are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from promptscan.campaigns.traffic import Bools, Floats, Ints, Times, Traffic


@dataclass(frozen=True, slots=True)
class Parties:
    """Pairs of a set of families and an account with prompts in it, by set, then account.

    Attributes:
        group: int64 (r,), number of the set.
        account: int64 (r,).
        prompts: int64 (r,), of the account in the set.
        n_families: int64 (r,), families of the set it takes part in.
        first_ts, last_ts: datetime64[us] (r,), NaT where unknown.
        pair, pair_row: int64 (p,), family × account pairs of the traffic that went in, by row, and the row each is in.
        n_groups: how many sets there are.
    """

    group: Ints
    account: Ints
    prompts: Ints
    n_families: Ints
    first_ts: Times
    last_ts: Times
    pair: Ints
    pair_row: Ints
    n_groups: int

    def sizes(self) -> Ints:
        """Count the accounts of each set: int64 (n_groups,)."""
        return np.bincount(self.group, minlength=self.n_groups)

    def matrix(self, weights: Floats, n_accounts: int) -> Any:
        """Return weights of the pairs as a sparse matrix, float64 (n_groups, n_accounts)."""
        from scipy.sparse import csr_matrix

        return csr_matrix((weights, (self.group, self.account)), shape=(self.n_groups, n_accounts))


def take_part(traffic: Traffic, group: Ints, accounts: Bools | None = None) -> Parties:
    """Join pairs over the families of each set.

    Args:
        traffic: in order (`Traffic.ordered`).
        group: int64 (families,), number of each family's set, -1 for none; sets count from 0 without gaps.
        accounts: bool (accounts,), those that count; None for all.
    """
    n_groups, n_accounts = int(group.max(initial=-1)) + 1, max(len(traffic.accounts), 1)
    counted = group[traffic.family] >= 0
    rows = np.flatnonzero(counted if accounts is None else counted & accounts[traffic.account])
    keys = group[traffic.family[rows]] * n_accounts + traffic.account[rows]
    order = np.argsort(keys, kind="stable")
    rows, keys = rows[order], keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    if not len(starts):
        none = np.empty(0, dtype=np.int64)
        return Parties(none, none, none, none, traffic.first_ts[:0], traffic.last_ts[:0], none, none, n_groups)
    counts = np.diff(starts, append=len(rows))
    return Parties(
        keys[starts] // n_accounts,
        keys[starts] % n_accounts,
        np.add.reduceat(traffic.prompts[rows], starts),
        counts,
        np.fmin.reduceat(traffic.first_ts[rows], starts),
        np.fmax.reduceat(traffic.last_ts[rows], starts),
        rows,
        np.repeat(np.arange(len(starts)), counts),
        n_groups,
    )


def focused(traffic: Traffic, group: Ints, share: float) -> Bools:
    """Tell which accounts have at least that share of all their prompts in any of the sets: bool (accounts,)."""
    pairs = group[traffic.family] >= 0
    inside = np.bincount(traffic.account[pairs], weights=traffic.prompts[pairs], minlength=len(traffic.accounts))
    return np.asarray((inside > 0) & (inside >= share * traffic.account_total))
