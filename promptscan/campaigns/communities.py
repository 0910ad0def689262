"""Cut what hangs together by little: communities of families, their accounts and what these have in common."""

from __future__ import annotations

import numpy as np

from promptscan.campaigns.links import by_first, tying_entities
from promptscan.campaigns.traffic import Bools, Floats, Ints, Traffic

RESOLUTION = (
    0.1  # two parts are apart when the weight between them is under a tenth of what their totals would give by chance
)
ITERATIONS = 10


def communities(traffic: Traffic, group: Ints, *, seed: int = 0) -> Ints:
    """Split each set of families where it hangs together by little only.

    Leiden on the weighted bipartite graph of families with accounts and of accounts with entities, one graph per set, so that what
    happens elsewhere in the store cannot change it. An account's edge weighs log(1 + prompts), times the rarity of its
    presence, log(1 + families of the set / its own), times the share of its traffic that is in the set: a relay holds
    nothing together. An entity's edge weighs the logarithm of all accounts over those that have it.

    Args:
        traffic: in order.
        group: int64 (families,), set of each family, -1 for none.
        seed: of Leiden.

    Returns:
        int64 (families,), in the order of their first family.
        Source: Traag, Waltman, van Eck, "From Louvain to Leiden", 2019; the resolution of Reichardt and Bornholdt, 2006.
    """
    labels = np.full(len(group), -1, dtype=np.int64)
    pair_group = group[traffic.family]
    by_group = np.argsort(pair_group, kind="stable")
    bounds = np.searchsorted(pair_group[by_group], np.arange(int(group.max(initial=-1)) + 2))
    tie_entity, tie_account = tying_entities(traffic, _sending(traffic, group >= 0))
    offset = 0
    for number, (start, stop) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
        families = np.flatnonzero(group == number)
        if len(families) == 1:
            labels[families] = offset
        else:
            pairs = by_group[start:stop]
            labels[families] = offset + _split(traffic, families, pairs, tie_entity, tie_account, seed)
        offset += len(families)
    return by_first(labels)


def _sending(traffic: Traffic, families: Bools) -> Bools:
    """Tell which accounts take part in any of the families: bool (accounts,)."""
    sending = np.zeros(len(traffic.accounts), dtype=bool)
    sending[traffic.account[families[traffic.family]]] = True
    return sending


def _split(traffic: Traffic, families: Ints, pairs: Ints, tie_entity: Ints, tie_account: Ints, seed: int) -> Ints:
    """Return the community of each of a set's families."""
    accounts, account = np.unique(traffic.account[pairs], return_inverse=True)
    family = np.searchsorted(families, traffic.family[pairs])
    weight = _account_weights(traffic, pairs, account, len(families))
    here = np.isin(tie_account, accounts)
    entities, entity = np.unique(tie_entity[here], return_inverse=True)
    holder = np.searchsorted(accounts, tie_account[here])
    rarity = np.log(traffic.n_accounts / np.maximum(traffic.entity_total[entities], 1))
    degree = np.bincount(account, minlength=len(accounts)) + np.bincount(holder, minlength=len(accounts))
    useful = degree > 1  # an account with one edge goes where that leads
    first, second = useful[account], useful[holder]
    n_families, n_accounts = len(families), len(accounts)
    edges = np.concatenate(
        [
            np.stack([family[first], n_families + account[first]], axis=1),
            np.stack([n_families + holder[second], n_families + n_accounts + entity[second]], axis=1),
        ]
    )
    weights = np.concatenate([weight[first], np.maximum(rarity[entity[second]], 0)])
    return _leiden(edges, weights, n_families + n_accounts + len(entities), seed)[:n_families]


def _account_weights(traffic: Traffic, pairs: Ints, account: Ints, n_families: int) -> Floats:
    prompts = traffic.prompts[pairs].astype(np.float64)
    inside = np.bincount(account, weights=prompts)[account]
    total = np.maximum(traffic.account_total[traffic.account[pairs]], inside)
    rarity = np.log1p(n_families / np.bincount(account)[account])
    return np.asarray(np.log1p(prompts) * rarity * inside / np.maximum(total, 1))


def _leiden(edges: Ints, weights: Floats, n: int, seed: int) -> Ints:
    """Return the community of each node: one thread, nodes in order, a fixed seed."""
    import igraph
    import leidenalg

    graph = igraph.Graph(n=n, edges=edges)
    partition = leidenalg.find_partition(
        graph,
        leidenalg.RBConfigurationVertexPartition,
        weights=weights.tolist(),
        resolution_parameter=RESOLUTION,
        n_iterations=ITERATIONS,
        seed=seed,
    )
    return np.asarray(partition.membership, dtype=np.int64)
