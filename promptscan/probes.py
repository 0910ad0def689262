"""Probes: templates that ask for the same thing, one a case of the other or said in other words.

Wordings are told by their skeletons, the vectors of the templates' fixed text. A cosine alone does not say it: prompts of one
language, or about code, are all alike. So vectors are whitened, which takes out what prompts have in common, and two skeletons meet where they are more
alike than either is to what else lies around it: other skeletons, and reference prompts that have nothing to do with the store,
for in a store of a dozen templates the others are no sample of what else could be asked. Numbers of each part:
docs/decisions/013-probes.md.

Sources: Conneau et al. 2018 (Word translation without parallel data, ICLR), section 2.3: cross-domain similarity local scaling;
Su et al. 2021 (Whitening sentence representations), section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from promptscan.exact import exact_search
from promptscan.groups import duplicate_groups
from promptscan.nesting import fixed_bits
from promptscan.vectors import Float32, Int64, Vectors, unit
from promptscan.verify import Edges, Relation
from promptscan.whitening import whitening

FRAME = 0.5
"""Share of a template's fixed text that a frame must hold, in bits: below it, what its cases ask for is in their own text."""

BITS = 64.0
"""Fixed text of a skeleton, in bits, about eight words: less of it says what language it is in, not what is asked for."""

AROUND = (3, 10)
"""Which of its nearest say how crowded it is around a skeleton; the first three may be wordings of the same."""

MARGIN = 0.26
"""Cosine, beyond the mean of both surroundings, from which on two skeletons are wordings of the same."""

SAME_GROUP = 0.75
"""Share of the margin that every wording of a probe has with the one that stands for it, so that no chain joins strangers."""


def skeleton_text(fixed: Sequence[str]) -> str:
    """Return the fixed text of a template, slots left out."""
    return " ".join(" ".join(fixed).split())


def join_templates(fixed: Sequence[tuple[str, ...]], parents: Int64, skeletons: Float32, reference: Float32) -> Int64:
    """Find the probe of each template.

    Args:
        fixed: fixed parts of n templates, and after them of the frames that were made of them.
        parents: of each, the index of the one it is a case of, -1 for none. int64 (n + s,).
        skeletons: vectors of the templates' fixed text, unit norm or zero. float32 (n, d).
        reference: vectors of reference prompts, likewise. float32 (r, d), r > 0.

    Returns:
        For each template the lowest index in its probe. int64 (n,).
    """
    n = len(skeletons)
    if not n:
        return np.zeros(0, np.int64)
    bits = np.array([fixed_bits(parts) for parts in fixed])
    child = np.flatnonzero(parents >= 0)
    child = child[bits[parents[child]] >= FRAME * bits[child]]
    said = wordings(np.where((bits[:n] >= BITS)[:, None], skeletons, np.float32(0)), reference)
    same = np.unique(said, return_inverse=True)[1] + len(fixed)  # a node for each wording
    links = np.concatenate([np.stack([child, parents[child]], axis=1), np.stack([np.arange(n), same], axis=1)])
    size = len(fixed) + n
    graph = coo_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), shape=(size, size))
    probes = connected_components(graph, directed=False)[1][:n]
    _, first, numbers = np.unique(probes, return_index=True, return_inverse=True)
    return first[numbers].astype(np.int64)


def wordings(skeletons: Float32, reference: Float32) -> Int64:
    """Group skeletons that say the same in other words.

    Args:
        skeletons: unit norm, or zero for what says too little. float32 (n, d).
        reference: vectors of prompts of all kinds, likewise. float32 (r, d), r > 0.

    Returns:
        A number for each, equal for those of one group. int64 (n,).
    """
    own = np.arange(len(skeletons), dtype=np.int64)
    rows = np.flatnonzero(skeletons.any(axis=1))
    if len(rows) < 2:
        return own
    a, b, compare = _apart(skeletons[rows], reference)
    score = compare(a, b)
    near = score >= np.float32(MARGIN)
    edges = Edges(a[near], b[near], np.full(int(near.sum()), Relation.REWORD, np.uint8), score[near])
    labels = duplicate_groups(len(rows), edges, compare, min_score=MARGIN, floor=MARGIN * SAME_GROUP).labels
    grouped = labels >= 0
    own[rows[grouped]] = len(skeletons) + labels[grouped]
    return own


Compare = Callable[[Int64, Int64], Float32]


def _apart(skeletons: Float32, reference: Float32) -> tuple[Int64, Int64, Compare]:
    """Return the pairs of near skeletons, and by how much any two are more alike than their surroundings, 0..1.

    What lies beyond the margin of one's surroundings is among its nearest, so no pair is missed.
    """
    every = np.concatenate([skeletons, reference])
    every = unit((every - every.mean(axis=0, dtype=np.float64)) @ whitening(every))
    centred = every[: len(skeletons)]
    hits = exact_search(centred, AROUND[1] + 1, Vectors([every.astype(np.float16)]))
    own = np.arange(len(centred))[:, None]
    scores = np.where((hits.rows == own) | (hits.rows < 0), -np.inf, hits.scores)
    order = np.argsort(-scores, axis=1, kind="stable")[:, : AROUND[1]]
    near, scores = np.take_along_axis(hits.rows, order, 1), np.take_along_axis(scores, order, 1)
    around = np.where(np.isfinite(scores), scores, 0)[:, AROUND[0] :].mean(axis=1).astype(np.float32)
    pairs = np.stack([np.repeat(own, near.shape[1]), near.ravel()], axis=1)
    pairs = pairs[np.isfinite(scores).ravel() & (pairs[:, 1] < len(centred))]
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)

    def compare(x: Int64, y: Int64) -> Float32:
        apart: Float32 = _cosines(centred, x, y) - (around[x] + around[y]) / 2
        return apart.clip(0, 1)

    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1]), compare


def _cosines(vectors: Float32, a: Int64, b: Int64) -> Float32:
    cosines: Float32 = np.einsum("ij,ij->i", vectors[a], vectors[b])
    return cosines
