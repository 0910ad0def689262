"""Clustering: HDBSCAN on the kNN graph, the same for any order of the rows.

Mutual reachability on the graph's edges, a minimum spanning forest, and its single-linkage tree without an order: merges at
one distance are one merge of many parts. A binary tree has to break such ties by row order, which is why HDBSCAN's labels
change when its input is shuffled; here a row that reaches two clusters at the same distance is in neither. The root is
virtual and lies at the distance cap: a component of the forest is a candidate like any other, components are never bridged.

Source: Campello, Moulavi, Zimek, Sander 2015 (ACM TKDD 10:5), sections 3-5: mutual reachability, condensed tree, excess
of mass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.errors import UsageError
from promptscan.graph import Graph, Int32, lay_over
from promptscan.vectors import Float32, Int64

# chosen on prompts with known families: docs/decisions/003-clustering.md
MIN_CLUSTER_SIZE = 5
MIN_SAMPLES = 5
FLOOR = 0.1
CAP = 0.5
_TIE = 1e-9  # relative; sums of stability that differ by less are equal, and the larger cluster wins

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CondensedTree:
    """HDBSCAN's condensed tree; points are 0..n-1, clusters n.., the root is n. Density lambda is 1 / distance.

    Attributes:
        parent: int32 (m,), the cluster left.
        child: int32 (m,), the point or cluster that leaves it.
        lambdas: float64 (m,), the density at which it leaves.
        sizes: int32 (m,), points in the child.
    """

    parent: Int32
    child: Int32
    lambdas: Float64
    sizes: Int32


@dataclass(frozen=True, slots=True)
class Clustering:
    """Labels of the rows of a graph.

    Attributes:
        labels: int32 (n,), 0.. in order of each cluster's smallest row; -1 is noise.
        probabilities: float32 (n,), 0..1, how near to the core of its cluster a row is; 0 for noise.
        exemplar_indptr: int64 (clusters + 1,).
        exemplar_rows: int32, the densest rows of cluster i at exemplar_indptr[i]..exemplar_indptr[i + 1] - 1; sorted.
        reach: float32 (n,), chord at which the row is joined to its cluster; 0 for noise.
        tree: the condensed tree the labels were read from.
    """

    labels: Int32
    probabilities: Float32
    reach: Float32
    exemplar_indptr: Int64
    exemplar_rows: Int32
    tree: CondensedTree


def cluster_graph(
    graph: Graph,
    *,
    min_cluster_size: int = MIN_CLUSTER_SIZE,
    min_samples: int = MIN_SAMPLES,
    floor: float = FLOOR,
    cap: float | None = CAP,
    core: Float32 | None = None,
) -> Clustering:
    """Find the density clusters of a kNN graph.

    Args:
        graph: nearest neighbours with chord distances; edges count in both directions.
        min_cluster_size: fewest rows of a cluster, at least 2.
        min_samples: the core distance of a row is that of its neighbour number `min_samples`; at most k. With fewer than
            `min_samples + 1` rows it is that of the last one.
        floor: chord, above 0; nearer rows count as this far apart. Without it copies have infinite density.
        cap: chord; reachability beyond it links nothing, and a connected component within it may be a cluster by
            itself. None: no cap, and as in HDBSCAN all rows together are no cluster.
        core: core distances, float32 (n,), where they are known from a larger graph; otherwise read off this one.
    """
    if min_cluster_size < 2 or not 1 <= min_samples <= graph.k or floor <= 0 or (cap is not None and cap <= floor):
        raise UsageError(
            f"min_cluster_size {min_cluster_size}, min_samples {min_samples}, floor {floor}, cap {cap}; wanted"
            f" min_cluster_size >= 2, min_samples 1..{graph.k}, 0 < floor < cap"
        )
    if graph.n < 2:
        return _label(_nothing_linked(graph.n, cap), graph.n)
    source, target, reachability = reachability_edges(graph, min_samples=min_samples, floor=floor, core=core)
    linked = np.isfinite(reachability) if cap is None else reachability <= cap
    forest = _spanning_forest(graph.n, source[linked], target[linked], reachability[linked])
    return _label(_condense(graph.n, *forest, smallest=min_cluster_size, cap=cap), graph.n)


def reachability_edges(
    graph: Graph, *, min_samples: int, floor: float, core: Float32 | None = None
) -> tuple[Int32, Int32, Float64]:
    """Undirected edges under mutual reachability: source < target int32, distance float64; sorted by (source, target)."""
    source, target, distance = graph.edges()
    pair = np.minimum(source, target).astype(np.int64) * graph.n + np.maximum(source, target)
    order = np.argsort(pair, kind="stable")
    pair = pair[order]
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    one_way = order[first[np.diff(first, append=len(pair)) == 1]]  # the target does not know of the source
    if core is None:
        core = _core_distances(graph, source[one_way], target[one_way], distance[one_way], min_samples)
    a, b = (pair[first] // graph.n).astype(np.int32), (pair[first] % graph.n).astype(np.int32)
    reachability = np.maximum(distance[order[first]], np.maximum(core[a], core[b])).astype(np.float64)
    return a, b, np.maximum(reachability, floor)


def _core_distances(graph: Graph, source: Int32, target: Int32, distance: Float32, min_samples: int) -> Float32:
    """float32 (n,): distance of the `min_samples`-th neighbour in either direction, inf where there are fewer."""
    column = min(min_samples, graph.n - 1) - 1
    nearer = np.flatnonzero(distance < graph.distances[target, column])
    nearer = nearer[np.lexsort((source[nearer], target[nearer]))]
    neighbours, distances = graph.neighbours[:, : column + 1].copy(), graph.distances[:, : column + 1].copy()
    lay_over(neighbours, distances, target[nearer], source[nearer], distance[nearer])
    return distances[:, column]


def _spanning_forest(n: int, source: Int32, target: Int32, weight: Float64) -> tuple[Int64, Int64, Float64]:
    """A minimum spanning forest as (source, target, weight), by weight; which one of equals does not matter later."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    indptr = np.searchsorted(source, np.arange(n + 1)).astype(np.int32)
    forest = minimum_spanning_tree(csr_array((weight, target, indptr), shape=(n, n))).tocoo()
    order = np.argsort(forest.data, kind="stable")
    return forest.row[order].astype(np.int64), forest.col[order].astype(np.int64), forest.data[order]


@dataclass(frozen=True, slots=True)
class _Condensed:
    """The condensed tree by cluster; parents come before their children.

    Attributes:
        parent: int64 (c,), parent cluster, -1 under the virtual root.
        birth: float64 (c,), lambda at which the cluster starts.
        size: int64 (c,), rows in it.
        point_cluster: int64 (n,), the smallest cluster each row is ever in; -1 for none.
        point_lambda: float64 (n,), lambda at which the row leaves it.
        root_birth: lambda of the virtual root: 1 / cap, or 0.
        candidate: bool (c,), False for a cluster of everything without a cap.
    """

    parent: Int64
    birth: Float64
    size: Int64
    point_cluster: Int64
    point_lambda: Float64
    root_birth: float
    candidate: NDArray[np.bool_]


def _nothing_linked(n: int, cap: float | None) -> _Condensed:
    none, root = np.empty(0, dtype=np.int64), 0.0 if cap is None else 1 / cap
    return _Condensed(
        none, none.astype(float), none, np.full(n, -1, np.int64), np.full(n, root), root, none.astype(bool)
    )


def _condense(n: int, source: Int64, target: Int64, weight: Float64, *, smallest: int, cap: float | None) -> _Condensed:
    """Contract merges at one distance, drop parts below `smallest`, and chain what does not split into clusters."""
    up, distance, size = _merge_tree(n, source, target, weight)
    if not len(distance):
        return _nothing_linked(n, cap)
    top = len(distance)  # stands above all; the nodes are 0.., the rows come after them in `up`
    root_birth = 0.0 if cap is None else 1 / cap
    big = np.append(size >= smallest, True)
    node_up, point_up = np.append(up[n:], top), up[:n]
    anchor = _climb(np.where(big, np.arange(top + 1), node_up))  # the lowest big node at or above each node
    splits = np.bincount(node_up[:top][big[:top]], minlength=top + 1) >= 2
    splits[top] = True
    nodes = np.arange(top + 1)
    head = _climb(np.where(splits[node_up] | (nodes == top), nodes, node_up))  # where the cluster of a big node starts
    heads = np.flatnonzero(big & (head == nodes))[:-1]
    heads = heads[np.argsort(-distance[heads], kind="stable")]
    cluster = np.full(top + 1, -1, dtype=np.int64)
    cluster[heads] = np.arange(len(heads))
    above = node_up[heads]
    parent = np.where(above == top, -1, cluster[head[above]])
    births = np.append(1 / distance, root_birth)
    leaves = anchor[point_up]
    everything = cap is None and bool((parent < 0).sum() == 1) and bool(size[heads[parent < 0]].sum() == n)
    candidate = parent >= 0 if everything else np.ones(len(heads), dtype=bool)
    return _Condensed(
        parent,
        births[above],
        size[heads],
        np.where(leaves == top, -1, cluster[head[leaves]]),
        births[leaves],
        root_birth,
        candidate,
    )


def _merge_tree(n: int, source: Int64, target: Int64, weight: Float64) -> tuple[Int64, Float64, Int64]:
    """The order-free single-linkage tree of a forest.

    Returns:
        up: int64 (n + nodes,), the node above each row, then above each node; `nodes` stands for nothing above.
        distance: float64 (nodes,), where the parts of each node merge; strictly less than above it.
        size: int64 (nodes,), rows below each node.
    """
    made = len(source)
    above, sizes = _link(n, source, target)
    merge_up = above[n:]
    same = np.zeros(made, dtype=bool)
    real = merge_up >= 0
    same[real] = weight[merge_up[real] - n] == weight[real]
    merged = _climb(np.where(same, merge_up - n, np.arange(made)))  # the last merge of each chain at one distance
    nodes, position = np.unique(merged, return_inverse=True)
    place = np.append(position, len(nodes))
    up = np.concatenate([above[:n], merge_up[nodes]])
    return place[np.where(up >= 0, up - n, made)], weight[nodes], sizes[nodes]


def _link(n: int, source: Int64, target: Int64) -> tuple[Int64, Int64]:
    """Single linkage of a forest's edges in their order, by union-find with path halving.

    Each step needs the one before, so this is a plain loop; at 1 us per edge it is ten times as fast as `hdbscan`'s
    compiled `label`, whose path compression does not compress.

    Returns:
        above: int64 (n + m,), the merge n + i above each row or merge; -1 where there is none.
        sizes: int64 (m,), rows below each merge.
    """
    root, node, size = list(range(n)), list(range(n)), [1] * n
    above, sizes = [-1] * (n + len(source)), []
    for merge, (one, other) in enumerate(zip(source.tolist(), target.tolist(), strict=True), start=n):
        a, b = one, other
        while root[a] != a:
            root[a] = a = root[root[a]]
        while root[b] != b:
            root[b] = b = root[root[b]]
        if size[a] < size[b]:
            a, b = b, a
        root[b] = a
        size[a] += size[b]
        above[node[a]] = above[node[b]] = merge
        node[a] = merge
        sizes.append(size[a])
    return np.array(above, dtype=np.int64), np.array(sizes, dtype=np.int64)


def _climb(up: Int64) -> Int64:
    """Follow pointers to their ends, where a node points to itself, all at once by doubling the steps."""
    while not np.array_equal(further := up[up], up):
        up = further
    return up


def _label(condensed: _Condensed, n: int) -> Clustering:
    inside = condensed.point_cluster >= 0
    cluster, lambdas = condensed.point_cluster, condensed.point_lambda
    deepest = _last_lambda(condensed)
    chosen = _excess_of_mass(condensed)
    selected = np.where(inside, np.append(chosen, -1)[cluster], -1)
    raw, first = np.unique(selected, return_index=True)
    kept = raw >= 0
    numbers = np.full(len(chosen) + 1, -1, dtype=np.int32)
    numbers[raw[kept][np.argsort(first[kept])]] = np.arange(kept.sum())
    labels = numbers[selected]
    member = labels >= 0
    probabilities = np.zeros(n, dtype=np.float32)
    probabilities[member] = np.minimum(lambdas[member] / deepest[selected[member]], 1)
    reach = np.zeros(n, dtype=np.float32)
    reach[member] = 1 / lambdas[member]
    leaf = np.ones(len(chosen) + 1, dtype=bool)
    leaf[condensed.parent] = False
    exemplar = np.flatnonzero(member & leaf[cluster] & (lambdas == np.append(deepest, np.nan)[cluster]))
    exemplar = exemplar[np.argsort(labels[exemplar], kind="stable")]
    indptr = np.searchsorted(labels[exemplar], np.arange(kept.sum() + 1)).astype(np.int64)
    return Clustering(labels, probabilities, reach, indptr, exemplar.astype(np.int32), _tree(condensed, n))


def _last_lambda(condensed: _Condensed) -> Float64:
    """float64 (c,): the highest lambda at which anything leaves each cluster itself."""
    inside, under = condensed.point_cluster >= 0, condensed.parent >= 0
    last = np.zeros(len(condensed.parent))
    np.maximum.at(last, condensed.point_cluster[inside], condensed.point_lambda[inside])
    np.maximum.at(last, condensed.parent[under], condensed.birth[under])
    return last


def _excess_of_mass(condensed: _Condensed) -> Int64:
    """The selected cluster each cluster lies in, int64 (c,); -1 where none is. Selected: more stable than all its parts."""
    count, inside, under = len(condensed.parent), condensed.point_cluster >= 0, condensed.parent >= 0
    points = condensed.point_cluster[inside]
    stability = np.bincount(points, condensed.point_lambda[inside] - condensed.birth[points], count)
    parents, births = condensed.parent[under], condensed.birth
    stability += np.bincount(parents, (births[under] - births[parents]) * condensed.size[under], count)
    own, parent, candidate = stability.tolist(), condensed.parent.tolist(), condensed.candidate.tolist()
    parts, wins = [0.0] * (count + 1), [False] * count
    for c in range(count - 1, -1, -1):  # children before parents
        wins[c] = candidate[c] and parts[c] <= own[c] * (1 + _TIE)
        parts[parent[c]] += own[c] if wins[c] else parts[c]
    chosen = [-1] * (count + 1)
    for c in range(count):
        outer = chosen[parent[c]]
        chosen[c] = outer if outer >= 0 else (c if wins[c] else -1)
    return np.array(chosen[:count], dtype=np.int64)


def _tree(condensed: _Condensed, n: int) -> CondensedTree:
    """Cluster c is node n + 1 + c under the virtual root n, or n + c where the first cluster holds everything."""
    shift = n + 1 if condensed.candidate.all() else n
    clusters = np.arange(len(condensed.parent)) + shift
    outer = np.where(condensed.parent >= 0, condensed.parent + shift, n)
    within = np.where(condensed.point_cluster >= 0, condensed.point_cluster + shift, n)
    below = clusters > n
    return CondensedTree(
        np.concatenate([outer[below], within]).astype(np.int32),
        np.concatenate([clusters[below], np.arange(n)]).astype(np.int32),
        np.concatenate([condensed.birth[below], condensed.point_lambda]),
        np.concatenate([condensed.size[below], np.ones(n, dtype=np.int64)]).astype(np.int32),
    )
