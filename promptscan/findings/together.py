"""Families that belong together: accounts that share one also share the other, more than busy accounts do anyway."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.findings.facts import Facts
from promptscan.signals.sums import summed
from promptscan.signals.sweeps import Repeats
from promptscan.signals.tails import count_tail, tolerant_count

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

SPREAD = 64
"""Families of one account beyond which it is a relay, and says nothing of what belongs together."""

LINKED = 2  # accounts that two families must have in common to be linked
LINK = 1e-2  # chance of so many in common below which they are


@dataclass(frozen=True, slots=True)
class SharedFamilies:
    """Accounts that pairs of eligible families have in common.

    The null is that of a configuration model (Newman 2010, "Networks", section 13.2): an account that is in d families is in
    family g with chance d K_g / D, with K_g the accounts of g and D all such pairs, so that busy accounts explain themselves. It
    holds within each of h home languages: people of one send its families, and no other's.

    Attributes:
        family, other: pairs with common accounts, both ways, int64 (q,).
        common: accounts in both, int64 (q,).
        size: accounts of each family by home language, int64 (f, h).
        reach: other families of these accounts, counted once an account; int64 (f, h).
        total: D of each, int64 (h,).
    """

    family: Int64
    other: Int64
    common: Int64
    size: Int64
    reach: Int64
    total: Int64

    def expected(self) -> Float64:
        """Return the accounts that each pair has in common by chance, all languages taken together; float64 (q,)."""
        reach, size = self.reach.sum(axis=1), self.size.sum(axis=1)
        return np.asarray(reach[self.family] * size[self.other] / max(int(self.total.sum()), 1), dtype=np.float64)


def shared_families(facts: Facts, *, relatives: bool) -> SharedFamilies:
    """Count, through each account's families, which families have accounts in common.

    Args:
        facts: of the families.
        relatives: whether related families count: they may be one prompt in two pieces, which is no sign of anything.
    """
    from scipy.sparse import csr_array

    family, account = (facts.family, facts.account) if facts.met is None else facts.met.T
    kept = facts.eligible[family] & facts.single[account]
    family, account = family[kept], account[kept]
    breadth = np.bincount(account, minlength=len(facts.accounts))
    usable = breadth[account] <= SPREAD
    family, account = family[usable], account[usable]
    sent = csr_array((np.ones(len(family)), (family, account)), shape=(facts.n, len(facts.accounts)))
    met = (sent @ sent.T).tocoo()
    apart = met.row != met.col
    first, second, common = met.row[apart].astype(np.int64), met.col[apart].astype(np.int64), np.rint(met.data[apart])
    if len(facts.relatives) and not relatives:
        related = np.isin(first * facts.n + second, facts.relatives[:, 0] * facts.n + facts.relatives[:, 1])
        first, second, common = first[~related], second[~related], common[~related]
    order = np.lexsort((second, first))
    first, second, common = first[order], second[order], common[order]
    n_homes = int(facts.home.max(initial=0)) + 1
    cell, cells = family * n_homes + facts.home[account], facts.n * n_homes
    size = np.bincount(cell, minlength=cells).astype(np.int64).reshape(-1, n_homes)
    reach = np.bincount(cell, breadth[account] - 1, cells).astype(np.int64).reshape(-1, n_homes)
    return SharedFamilies(first, second, common.astype(np.int64), size, reach, size.sum(axis=0))


def companionship(together: SharedFamilies, n_families: int) -> Repeats:
    """Count pairs of accounts of a family that share another one, beside the configuration model.

    A pair in a family of K accounts counts 1 / K (the resource allocation index; Zhou, Lü and Zhang 2009, "Predicting missing links
    via local information"): by chance alone, pairs meet in the largest families above all, and their spread would hide those
    that meet in many small ones. With λ_g accounts expected in common with family g, pairs have mean λ²/2 and variance λ²/2 + λ³.

    Returns:
        What was observed in the unit of what is expected, which is pairs; rows are accounts.
    """
    chance = together.size / np.maximum(together.total, 1)
    n = together.size.sum(axis=1)
    weight = 1.0 / np.maximum(n, 1)
    met = together.common * (together.common - 1) / 2
    observed = summed(together.family, met * weight[together.other], n_families)
    reach = together.reach.astype(np.float64)
    # sums over g of λ_g² and λ_g³, weighted, λ_g being linear in the family's reach into each home language
    two = [
        np.einsum("fl,lm,fm->f", reach, (chance * weight[:, None] ** power).T @ chance, reach, optimize=True) / 2
        for power in (0, 1, 2)
    ]
    cubes = np.einsum("gl,gm,gn->lmn", chance * weight[:, None] ** 2, chance, chance, optimize=True)
    three = np.einsum("fl,fm,fn,lmn->f", reach, reach, reach, cubes, optimize=True)
    unit = np.divide(two[2], two[1], out=np.ones(n_families), where=two[1] > 0)
    tail = tolerant_count(observed, two[1], two[2] + three, unit)
    counted = np.divide(observed * two[0], two[1], out=np.zeros(n_families), where=two[1] > 0)
    return Repeats(counted, two[0], tail, np.where(together.reach.any(axis=1), n, 0))


def linked(together: SharedFamilies, n_families: int) -> Int64:
    """Put families into groups that common accounts hold together, int64 (f,), numbered from 0 by their first family.

    Leiden communities (Traag, Waltman and van Eck 2019, modularity) of the graph whose edges are pairs with more accounts in
    common than chance gives, weighted by how much less likely than `LINK` that is. A group is a hypothesis and no
    finding: it is tested as a whole, by evidence that took no part in making it.
    """
    import igraph
    import leidenalg

    once = (together.family < together.other) & (together.common >= LINKED)
    family, other, common = together.family[once], together.other[once], together.common[once]
    expected = together.expected()[once]
    log_p = count_tail(common.astype(np.float64), expected, expected, np.ones(len(common)))
    weight = np.log(LINK) - log_p
    kept = weight > 0
    graph = igraph.Graph(n=n_families, edges=np.stack([family[kept], other[kept]], axis=1).tolist())
    found = leidenalg.find_partition(
        graph, leidenalg.ModularityVertexPartition, weights=weight[kept].tolist(), seed=0, n_iterations=4
    )
    member = np.asarray(found.membership, dtype=np.int64)
    _, first, place = np.unique(member, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[place.ravel()], dtype=np.int64)
