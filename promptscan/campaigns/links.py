"""Which sets of families belong together: those that share surprisingly many accounts, or rare things accounts have.

Work follows family × account pairs: an account in k sets counts in k² pairs of sets, and accounts in more sets than the
budget allows (relays) are left out of the counting. Their membership is decided later, by their score.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from promptscan.campaigns.parties import Parties, focused, take_part
from promptscan.campaigns.surprise import count_log_tail, overlap_log_tail, significant
from promptscan.campaigns.traffic import Bools, Floats, Ints, Traffic

PAIR_BUDGET = 50_000_000  # pairs of sets that accounts may be counted in
MIN_SHARED = 3  # one or two accounts in common are a relay, or a coincidence
VISITORS = 1 / 3  # shared accounts send a set less than this part of what its accounts send: they only look in
FAMILY_SHARE = 0.02  # of the smaller family's accounts: an account sends few of hundreds of templates in a day
SET_SHARE = 0.1  # of the smaller set's accounts: joined families show more of an operation
FOCUS = 0.25  # share of its prompts in the families from which an account ties them together; relays have less
COMMON = 0.1  # an entity that so many of all accounts have says nothing
EXCLUSIVE = 0.5  # share of an entity's accounts that take part in the families: below, it is somebody else's too


def linked(parties: Parties, n_accounts: int, least: float) -> tuple[Ints, Ints]:
    """Find pairs of sets that share surprisingly many accounts.

    The accounts in common must send both sets about as much as the sets' accounts do: when a family of one operation
    catches a prompt of each account of another, these are visitors there.

    Args:
        parties: who takes part in which set.
        n_accounts: accounts of the whole store.
        least: share of the smaller set's accounts that must be in both.

    Returns:
        Two int64 (links,): the sets of each link, smaller number first.
    """
    n_numbers = int(parties.account.max(initial=0)) + 1
    sets = np.bincount(parties.account, minlength=n_numbers)
    counted = within_budget(np.where(sets > 1, sets, 0))
    takes_part = parties.matrix(np.ones(len(parties.group)), n_numbers)[:, counted]
    sends = parties.matrix(parties.prompts.astype(np.float64), n_numbers)[:, counted]
    left, right, shared = upper(takes_part @ takes_part.T)
    sent = sends @ takes_part.T
    sizes = parties.sizes().astype(np.float64)
    first, second = sizes[left], sizes[right]
    tail = overlap_log_tail(shared, first, second, max(n_accounts, sizes.max(initial=1)))
    tests = parties.n_groups * (parties.n_groups - 1) // 2
    each = (
        VISITORS
        * np.bincount(parties.group, weights=parties.prompts, minlength=parties.n_groups)
        / np.maximum(sizes, 1)
    )
    at_home = (cells(sent, left, right) >= each[left] * shared) & (cells(sent, right, left) >= each[right] * shared)
    enough = (shared >= MIN_SHARED) & (shared >= least * np.minimum(first, second))
    keep = enough & at_home & significant(tail, tests)
    return left[keep], right[keep]


def linked_by_entities(traffic: Traffic, parties: Parties) -> tuple[Ints, Ints]:
    """Find pairs of sets whose accounts, each in one set only, have surprisingly many rare entities in common.

    An account in several sets would bring all it has to each of them, so it does not count. The expected number is that
    of accounts of one set that meet an account of the other at one of their entities, were its other holders drawn from all
    accounts of the store.
    """
    n_accounts = len(traffic.accounts)
    in_sets = np.bincount(parties.account, minlength=n_accounts)
    alone = in_sets[parties.account] == 1
    entity, holder = tying_entities(traffic, in_sets > 0)
    if not len(entity):
        return entity, entity
    from scipy.sparse import csr_matrix

    shape = (n_accounts, len(traffic.entities))
    holds = csr_matrix((np.ones(len(entity)), (holder, entity)), shape=shape)
    held = parties.matrix(alone.astype(np.float64), n_accounts) @ holds
    held.eliminate_zeros()
    counted = within_budget(np.bincount(held.indices, minlength=held.shape[1]))
    held = held[:, counted]
    has = held.copy()
    has.data[:] = 1
    sizes = np.bincount(parties.group[alone], minlength=parties.n_groups).astype(np.float64)
    reach = held @ np.maximum(traffic.entity_total[counted] - 1, 0).astype(np.float64)
    meet = held @ has.T
    left, right, _ = upper(has @ has.T)
    met = np.minimum(cells(meet, left, right), cells(meet, right, left))
    expected = np.minimum(reach[left] * sizes[right], reach[right] * sizes[left]) / max(traffic.n_accounts, 1)
    enough = (met >= MIN_SHARED) & (met >= SET_SHARE * np.minimum(sizes[left], sizes[right]))
    keep = enough & significant(count_log_tail(met, expected), parties.n_groups * (parties.n_groups - 1) // 2)
    return left[keep], right[keep]


def tying_entities(traffic: Traffic, taking_part: Bools) -> tuple[Ints, Ints]:
    """Return account × entity pairs of entities that tie accounts together: rare, shared, and hardly anybody else's.

    Args:
        traffic: in order.
        taking_part: bool (accounts,), accounts of the families that matter.
    """
    inside = taking_part[traffic.entity_account]
    holders = np.bincount(traffic.entity[inside], minlength=len(traffic.entities))
    total = np.maximum(traffic.entity_total, holders)
    ties = (holders >= 2) & (total <= COMMON * traffic.n_accounts) & (holders >= EXCLUSIVE * total)
    keep = inside & ties[traffic.entity]
    return traffic.entity[keep], traffic.entity_account[keep]


def tied(traffic: Traffic, group: Ints) -> Ints:
    """Join families that share surprisingly many accounts: int64 (families,), set of each, from the number of each or -1."""
    parties = take_part(traffic, group, focused(traffic, group, FOCUS))
    merged = components(*linked(parties, traffic.n_accounts, FAMILY_SHARE), int(group.max(initial=-1)) + 1)
    return np.where(group >= 0, merged[group], -1)


def join(traffic: Traffic, group: Ints) -> Ints:
    """Join sets of families that are linked, until none are left: a set that has grown shows more links than its parts."""
    counted = focused(traffic, group, FOCUS)
    while True:
        parties = take_part(traffic, group, counted)
        if parties.n_groups < 2:
            return group
        links = [linked(parties, traffic.n_accounts, SET_SHARE), linked_by_entities(traffic, parties)]
        left, right = (np.concatenate([link[side] for link in links]) for side in (0, 1))
        if not len(left):
            return group
        merged = components(left, right, parties.n_groups)
        group = np.where(group >= 0, merged[group], -1)


def components(left: Ints, right: Ints, n: int) -> Ints:
    """Number the connected components of a graph, int64 (n,), in the order of their first node."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(left)), (left, right)), shape=(n, n))
    return by_first(connected_components(graph, directed=False)[1].astype(np.int64))


def by_first(labels: Ints) -> Ints:
    """Renumber labels in the order in which they first appear; -1 stays."""
    named = labels >= 0
    found, first, inverse = np.unique(labels[named], return_index=True, return_inverse=True)
    rank = np.empty(len(found), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(found))
    renumbered = np.full(len(labels), -1, dtype=np.int64)
    renumbered[named] = rank[inverse]
    return renumbered


def upper(product: Any) -> tuple[Ints, Ints, Floats]:
    """Return the pairs of a symmetric sparse matrix once, by row, then column."""
    from scipy.sparse import triu

    pairs = triu(product, k=1).tocsr()
    pairs.sort_indices()
    found = pairs.tocoo()
    return found.row.astype(np.int64), found.col.astype(np.int64), found.data.astype(np.float64)


def within_budget(degrees: Ints) -> Ints:
    """Return the nodes whose pairs of neighbours may be counted: those with the fewest first, as far as the budget goes.

    Nodes of equal degree stand or fall together: which of them are counted must not depend on their names.
    """
    order = np.argsort(degrees, kind="stable")
    over = order[np.cumsum(degrees[order] ** 2) > PAIR_BUDGET]
    return np.flatnonzero(degrees < degrees[over].min(initial=np.iinfo(np.int64).max))


def cells(matrix: Any, rows: Ints, columns: Ints) -> Floats:
    """Read cells of a sparse matrix, float64; 0 where it has none."""
    found = matrix.tocoo()
    keys = found.row.astype(np.int64) * matrix.shape[1] + found.col
    order = np.argsort(keys)
    wanted = rows * matrix.shape[1] + columns
    place = np.searchsorted(keys[order], wanted)
    values = np.append(found.data[order], 0.0)
    return np.where(np.append(keys[order], -1)[place] == wanted, values[place], 0.0)
