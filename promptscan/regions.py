"""Regions: parts of the neighbour graph that nothing links, so that one can be clustered without the others.

Two texts are linked by a distance within the cap, or by a probe. Regions are kept between builds and only grow together: a
link that the graph had once is not forgotten when nearer neighbours displace it, which makes some regions larger than
they had to be and never parts what belongs together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from promptscan.clustering import CAP
from promptscan.graph import Graph
from promptscan.vectors import Int64

GROWTH = 1.05
"""Clustering a region anew whenever it has grown by a twentieth costs a text about twenty clusterings, 0.1 ms, in its life."""

LARGE = 65_536
LARGE_GROWTH = 1.25
"""A region of more rows than that holds most of a store: it is clustered anew when it has grown by a quarter, not every other day."""

Regions = NDArray[np.int32]


def find_regions(graph: Graph, probes: Int64, known: Regions | None = None) -> Regions:
    """Number the region of each text.

    Args:
        graph: nearest neighbours of all clean texts.
        probes: int64 (n,), probe of each text, -1 for none.
        known: int32 (m,), regions of the first m texts as they were found before the others came; None finds all anew.
            The cost follows the new texts, and what has a probe.

    Returns:
        int32 (n,), from 0.
    """
    before = np.zeros(0, np.int32) if known is None else known
    first_new, n = len(before), graph.n
    regions = int(before.max(initial=-1)) + 1
    node = np.concatenate([before, np.arange(regions, regions + n - first_new, dtype=np.int32)])
    row, column = np.nonzero(graph.distances[first_new:] <= CAP)
    source, target = row + first_new, graph.neighbours[first_new:][row, column]
    if first_new:
        gained = np.flatnonzero(graph.neighbours[:first_new].ravel() >= first_new)
        gained = gained[graph.distances[:first_new].ravel()[gained] <= CAP]
        source = np.concatenate([source, gained // graph.k])
        target = np.concatenate([target, graph.neighbours[:first_new].ravel()[gained]])
    probed = np.flatnonzero(probes >= 0)
    ends = np.concatenate([node[target], (regions + n - first_new + probes[probed]).astype(np.int32)])
    size = regions + n - first_new + int(probes.max(initial=-1)) + 1
    links = coo_array(
        (np.ones(len(ends), np.int8), (np.concatenate([node[source], node[probed]]), ends)), shape=(size, size)
    )
    return np.asarray(connected_components(links, directed=False)[1][node], np.int32)


def grown_rows(regions: Regions, first_new: int) -> NDArray[np.bool_]:
    """Tell which rows are in a region that new rows carried over the next power of `GROWTH` in size.

    Counting sizes from the rows alone needs no memory of when a region was clustered last.

    Args:
        regions: int32 (n,), region of each text.
        first_new: first new row.

    Returns:
        bool (n,).
    """
    if first_new == len(regions):
        return np.zeros(len(regions), bool)
    sizes = np.bincount(regions)
    before = np.bincount(regions[:first_new], minlength=len(sizes))
    return np.asarray((_steps(sizes) > _steps(before))[regions], bool)


def _steps(sizes: Int64) -> NDArray[np.float64]:
    """Count the powers of `GROWTH` up to sizes, and those of `LARGE_GROWTH` beyond a large one; -inf for none."""
    with np.errstate(divide="ignore"):
        small = np.log(np.minimum(sizes, LARGE)) / np.log(GROWTH)
    large = np.log(np.maximum(sizes / LARGE, 1)) / np.log(LARGE_GROWTH)
    return np.asarray(np.floor(small + large), np.float64)
