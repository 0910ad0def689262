"""Cut what hangs together by little: communities of families, from their accounts and what these have in common."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from promptscan.campaigns.links import by_first, tying_entities, within_budget
from promptscan.campaigns.traffic import Floats, Ints, Traffic

RESOLUTION = (
    0.25  # parts are apart when less than a quarter of the weight is between them that their totals give by chance
)
ITERATIONS = 10


def communities(traffic: Traffic, group: Ints, *, seed: int = 0) -> Ints:
    """Split each set of families where it hangs together by little only.

    Leiden on the weighted bipartite graph of families and accounts, and of accounts and entities, seen from the families: two
    families are as near as a walk from one over an account, or over accounts with an entity in common, leads to the other. One
    graph per set, so that what happens elsewhere in the store cannot change it, and as many nodes as families, however
    many accounts they have. An account's edge weighs log(1 + prompts), times the rarity of its presence, log(1 + families of
    the set / its own), times the share of its traffic that is in the set: a relay holds nothing together.

    Args:
        traffic: in order.
        group: int64 (families,), set of each family, -1 for none.
        seed: of Leiden.

    Returns:
        int64 (families,), in the order of their first family.
        Source: Traag, Waltman, van Eck, "From Louvain to Leiden", 2019; the resolution of Reichardt and Bornholdt, 2006;
        the projection of Newman, "Scientific collaboration networks II", 2001.
    """
    labels = np.full(len(group), -1, dtype=np.int64)
    pair_group = group[traffic.family]
    by_group = np.argsort(pair_group, kind="stable")
    bounds = np.searchsorted(pair_group[by_group], np.arange(int(group.max(initial=-1)) + 2)).tolist()
    sending = np.zeros(len(traffic.accounts), dtype=bool)
    sending[traffic.account[pair_group >= 0]] = True
    ties = tying_entities(traffic, sending)
    offset = 0
    for number, (start, stop) in enumerate(itertools.pairwise(bounds)):
        families = np.flatnonzero(group == number)
        if len(families) == 1:
            labels[families] = offset
        else:
            labels[families] = offset + _leiden(nearness(traffic, families, by_group[start:stop], ties), seed)
        offset += len(families)
    return by_first(labels)


def nearness(traffic: Traffic, families: Ints, pairs: Ints, ties: tuple[Ints, Ints]) -> Any:
    """Return how near a set's families are to each other: sparse, symmetric float64 (families, families).

    Args:
        traffic: in order.
        families: int64, numbers of the set's families, ascending.
        pairs: int64, the set's family × account pairs.
        ties: entities and accounts, as of `tying_entities`.
    """
    from scipy.sparse import csr_matrix

    accounts, account = np.unique(traffic.account[pairs], return_inverse=True)
    family = np.searchsorted(families, traffic.family[pairs])
    weight = _account_weights(traffic, pairs, account, len(families))
    shape = (len(accounts), len(families))
    edges = _affordable(csr_matrix((weight, (account, family)), shape=shape))
    near = edges.T @ _rows_scaled(edges)
    entity, holder = ties
    here = np.isin(holder, accounts)
    if not here.any():
        return near
    entities, column = np.unique(entity[here], return_inverse=True)
    rarity = np.log(traffic.n_accounts / np.maximum(traffic.entity_total[entities], 1))
    cells = (column, np.searchsorted(accounts, holder[here]))
    holds = csr_matrix((np.maximum(rarity[column], 0), cells), shape=(len(entities), len(accounts)))
    reach = _affordable(holds @ _rows_scaled(csr_matrix((weight, (account, family)), shape=shape)))
    return near + reach.T @ _rows_scaled(reach)


def _account_weights(traffic: Traffic, pairs: Ints, account: Ints, n_families: int) -> Floats:
    prompts = traffic.prompts[pairs].astype(np.float64)
    inside = np.bincount(account, weights=prompts)[account]
    total = np.maximum(traffic.account_total[traffic.account[pairs]], inside)
    rarity = np.log1p(n_families / np.bincount(account)[account])
    return np.asarray(np.log1p(prompts) * rarity * inside / np.maximum(total, 1))


def _affordable(edges: Any) -> Any:
    """Leave out the rows with the most columns, as far as the budget of pairs goes."""
    return edges[within_budget(np.diff(edges.indptr).astype(np.int64))]


def _rows_scaled(edges: Any) -> Any:
    """Scale rows to a sum of 1: what a node passes on."""
    scaled = edges.copy()
    total = np.asarray(edges.sum(axis=1)).ravel()
    scaled.data = scaled.data / np.repeat(np.where(total > 0, total, 1), np.diff(edges.indptr))
    return scaled


def _leiden(near: Any, seed: int) -> Ints:
    """Return the community of each family: one thread, nodes in order, a fixed seed."""
    import igraph
    import leidenalg
    from scipy.sparse import triu

    edges = triu(near).tocsr()
    edges.sort_indices()
    edges = edges.tocoo()
    weights = np.round(edges.data, 9)  # sums of floats in another order differ in the last digits
    graph = igraph.Graph(n=near.shape[0], edges=np.column_stack([edges.row, edges.col]))
    partition = leidenalg.find_partition(
        graph,
        leidenalg.RBConfigurationVertexPartition,
        weights=weights.tolist(),
        resolution_parameter=RESOLUTION,
        n_iterations=ITERATIONS,
        seed=seed,
    )
    return np.asarray(partition.membership, dtype=np.int64)
