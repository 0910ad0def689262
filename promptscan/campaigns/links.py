"""Which sets of families belong together: those that share surprisingly many accounts, or rare things accounts have.

Work follows family × account pairs: an account in k sets counts in k² pairs of sets, and accounts in more sets than the
budget allows (relays) are left out of the counting. Their membership is decided later, by their score.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from promptscan.campaigns.parties import Parties, focused, take_part
from promptscan.campaigns.surprise import count_log_tail, overlap_log_tail, significant
from promptscan.campaigns.traffic import SIGN_UP_HOUR, Bools, Floats, Ints, Traffic

PAIR_BUDGET = 50_000_000  # pairs of sets that accounts may be counted in
MIN_SHARED = 3  # one or two accounts in common are a relay, or a coincidence
VISITORS = 1 / 3  # shared accounts send a set less than this part of what its accounts send: they only look in
FAMILY_SHARE = 0.02  # of the smaller family's accounts: an account sends few of hundreds of templates in a day
SET_SHARE = 0.1  # of the smaller set's accounts: joined families show more of an operation
FOCUS = 0.25  # share of its prompts in the families from which an account ties them together; relays have less
COMMON = 0.1  # an entity that so many of all accounts have says nothing
EXCLUSIVE = 0.5  # share of an entity's accounts that take part in the families: below, it is somebody else's too


def linked(traffic: Traffic, parties: Parties, least: float) -> tuple[Ints, Ints]:
    """Find pairs of sets that have surprisingly many accounts in common, or accounts with rare entities in common.

    Args:
        traffic: in order.
        parties: who takes part in which set.
        least: share of the smaller set's accounts that must be in both, where it is accounts that tie.

    Returns:
        Two int64 (links,): the sets of each link, smaller number first.
    """
    n, population = parties.n_groups, max(traffic.n_accounts, len(traffic.accounts), 1)
    sizes = parties.sizes().astype(np.float64)
    left, right, shared = shared_accounts(parties, least)
    meetings = shared_entities(traffic, parties)
    tests = n * (n - 1) // 2 * (1 + len(meetings))
    surprising = significant(overlap_log_tail(shared, sizes[left], sizes[right], population), tests)
    keep = surprising & (shared >= MIN_SHARED)
    found = [left[keep] * n + right[keep]]
    for also_left, also_right, met, chance in meetings:
        pairs, place = np.unique(np.concatenate([left * n + right, also_left * n + also_right]), return_inverse=True)
        count = np.bincount(place, weights=np.concatenate([shared, met]), minlength=len(pairs)).astype(np.float64)
        expected = np.bincount(place[len(left) :], weights=chance, minlength=len(pairs))
        expected = expected + sizes[pairs // n] * sizes[pairs % n] / population
        found.append(pairs[(count >= MIN_SHARED) & significant(count_log_tail(count, expected), tests)])
    links = np.unique(np.concatenate(found))
    return links // max(n, 1), links % max(n, 1)


def shared_accounts(parties: Parties, least: float) -> tuple[Ints, Ints, Floats]:
    """Count the accounts that pairs of sets have in common.

    They count when they are a share of the smaller set, and send both sets about as much as the sets' accounts do: when a
    family of one operation catches a prompt of each account of another, these are visitors there.

    Returns:
        Two sets, int64 (p,), and float64 (p,), for pairs with any.
    """
    n_numbers = int(parties.account.max(initial=0)) + 1
    sets = np.bincount(parties.account, minlength=n_numbers)
    counted = within_budget(np.where(sets > 1, sets, 0))
    takes_part = parties.matrix(np.ones(len(parties.group)), n_numbers)[:, counted]
    sends = parties.matrix(parties.prompts.astype(np.float64), n_numbers)[:, counted]
    left, right, shared = upper(takes_part @ takes_part.T)
    sent = sends @ takes_part.T
    sizes = np.maximum(parties.sizes(), 1).astype(np.float64)
    each = VISITORS * np.bincount(parties.group, weights=parties.prompts, minlength=parties.n_groups) / sizes
    at_home = (cells(sent, left, right) >= each[left] * shared) & (cells(sent, right, left) >= each[right] * shared)
    keep = at_home & (shared >= least * np.minimum(sizes[left], sizes[right]))
    return left[keep], right[keep], shared[keep]


def shared_entities(traffic: Traffic, parties: Parties) -> list[tuple[Ints, Ints, Floats, Floats]]:
    """Count the accounts of pairs of sets that meet at rare entities, kind by kind.

    An account in several sets would bring all it has to each of them, so only accounts in one set count.

    Returns:
        For each kind two sets, int64 (p,), the accounts that meet, those of the set where they are fewer, and how many
        would by chance, both float64 (p,), for pairs where they are at least SET_SHARE of the smaller set.
    """
    n_accounts = len(traffic.accounts)
    in_sets = np.bincount(parties.account, minlength=n_accounts)
    alone = parties.matrix((in_sets[parties.account] == 1).astype(np.float64), n_accounts)
    alone.eliminate_zeros()
    sizes = np.diff(alone.indptr).astype(np.float64)
    entity, holder = tying_entities(traffic, in_sets > 0)
    kinds = sorted({kind for kind, _ in traffic.entities})
    kind, others = kind_numbers(traffic), _others_by_chance(traffic, int((in_sets > 0).sum()))
    found = []
    for number in np.unique(kind[entity]).tolist():
        ours, all_ours = kind[entity] == number, kind[traffic.entity] == number
        held = alone @ _holds(traffic, holder[ours], entity[ours])
        held = held[:, within_budget(np.bincount(held.indices, minlength=held.shape[1]))]
        has = held.copy()
        has.data[:] = 1
        if kinds[number] == SIGN_UP_HOUR:
            held = has  # two bursts in one hour are one coincidence, however many accounts are in them
        meet = held @ has.T
        left, right, met = upper(meet.minimum(meet.T))
        reach = alone @ np.bincount(
            traffic.entity_account[all_ours], weights=others[traffic.entity[all_ours]], minlength=n_accounts
        )
        expected = np.minimum(reach[left] * sizes[right], reach[right] * sizes[left]) / max(traffic.n_accounts, 1)
        keep = met >= SET_SHARE * np.minimum(sizes[left], sizes[right])
        found.append((left[keep], right[keep], met[keep], expected[keep]))
    return found


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


def kind_numbers(traffic: Traffic) -> Ints:
    """Number the kinds of the entities, in their order: int64 (entities,)."""
    kinds = {kind: number for number, kind in enumerate(sorted({kind for kind, _ in traffic.entities}))}
    return np.asarray([kinds[kind] for kind, _ in traffic.entities], dtype=np.int64)


def _holds(traffic: Traffic, holder: Ints, entity: Ints) -> Any:
    from scipy.sparse import csr_matrix

    shape = (len(traffic.accounts), len(traffic.entities))
    return csr_matrix((np.ones(len(entity)), (holder, entity)), shape=shape)


def _others_by_chance(traffic: Traffic, n_inside: int) -> Floats:
    """Count the others that an account meets at each entity, if it ties by chance: float64 (entities,).

    An entity ties when enough of its accounts are inside. Given that two are, the rest are inside with the chance of any account,
    so the number is binomial. Leaving this out would make every chance meeting look surprising, as only entities whose
    accounts have met are looked at.
    """
    from scipy.special import bdtrc

    total = traffic.entity_total
    needed = np.ceil(EXCLUSIVE * total) - 2  # of the others, beside the two that meet
    others = np.maximum(total - 2, 0)
    inside = min(n_inside / max(traffic.n_accounts, 1), 1)
    enough = np.where(needed <= 0, 1.0, bdtrc(np.clip(needed - 1, 0, others), others, inside))
    return np.asarray(np.where(total <= COMMON * traffic.n_accounts, np.maximum(total - 1, 0) * enough, 0))


def tied(traffic: Traffic, group: Ints) -> Ints:
    """Join families that are linked: int64 (families,), set of each, from the number of each or -1."""
    parties = take_part(traffic, group, focused(traffic, group, FOCUS))
    merged = components(*linked(traffic, parties, FAMILY_SHARE), int(group.max(initial=-1)) + 1)
    return np.where(group >= 0, merged[group], -1)


def united(group: Ints, also: Ints) -> Ints:
    """Join what is in one set of either of two partitions: int64 (families,), -1 for what is in none of the first."""
    here = group >= 0
    both = here & (also >= 0)
    n = int(group.max(initial=-1)) + 1
    merged = components(group[both], n + also[both], n + int(also.max(initial=-1)) + 1)
    return by_first(np.where(here, merged[group], -1))


def join(traffic: Traffic, group: Ints) -> Ints:
    """Join sets of families that are linked, until none are left: a set that has grown shows more links than its parts."""
    counted = focused(traffic, group, FOCUS)
    while True:
        parties = take_part(traffic, group, counted)
        if parties.n_groups < 2:
            return group
        left, right = linked(traffic, parties, SET_SHARE)
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
