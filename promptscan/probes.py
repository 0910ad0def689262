"""Probes: templates that ask for the same thing, one a case of the other or said in other words.

Wordings are told by their skeletons, the vectors of the templates' fixed text. A cosine alone does not say it: prompts of one
language, or about code, are all alike. So what all skeletons have in common is taken off, and two of them meet where they are
more alike than either is to what else lies around it. Numbers of each part: docs/decisions/013-probes.md.

Source: Conneau et al. 2018 (Word translation without parallel data, ICLR), section 2.3: cross-domain similarity local scaling.
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

FRAME = 0.4
"""Share of a template's fixed text that a frame must hold, in bits: below it, what its cases ask for is in their own text."""

BITS = 64.0
"""Fixed text of a skeleton, in bits, about eight words: less of it says what language it is in, not what is asked for."""

AROUND = (5, 15)
"""Which of its nearest skeletons say how crowded it is around one; the first five may be wordings of the same."""

MARGIN = 0.3
"""Cosine, beyond the mean of both surroundings, from which on two skeletons are wordings of the same."""

SAME_GROUP = 0.5
"""Share of the margin that every wording of a probe has with the one that stands for it, so that no chain joins strangers."""

CERTAIN = 0.85
"""Cosine from which on two are wordings of the same where there are too few skeletons to know what is around them."""


def skeleton_text(fixed: Sequence[str]) -> str:
    """Return the fixed text of a template, slots left out."""
    return " ".join(" ".join(fixed).split())


def join_templates(fixed: Sequence[tuple[str, ...]], parents: Int64, skeletons: Float32) -> Int64:
    """Find the probe of each template.

    Args:
        fixed: fixed parts of n templates, and after them of the frames that were made of them.
        parents: of each, the index of the one it is a case of, -1 for none. int64 (n + s,).
        skeletons: vectors of the templates' fixed text, unit norm or zero. float32 (n, d).

    Returns:
        For each template the lowest index in its probe. int64 (n,).
    """
    n = len(skeletons)
    if not n:
        return np.zeros(0, np.int64)
    bits = np.array([fixed_bits(parts) for parts in fixed])
    child = np.flatnonzero(parents >= 0)
    child = child[bits[parents[child]] >= FRAME * bits[child]]
    said = wordings(np.where((bits[:n] >= BITS)[:, None], skeletons, np.float32(0)))
    same = np.unique(said, return_inverse=True)[1] + len(fixed)  # a node for each wording
    links = np.concatenate([np.stack([child, parents[child]], axis=1), np.stack([np.arange(n), same], axis=1)])
    size = len(fixed) + n
    graph = coo_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), shape=(size, size))
    probes = connected_components(graph, directed=False)[1][:n]
    _, first, numbers = np.unique(probes, return_index=True, return_inverse=True)
    return first[numbers].astype(np.int64)


def wordings(skeletons: Float32) -> Int64:
    """Group skeletons that say the same in other words.

    Args:
        skeletons: unit norm, or zero for what says too little. float32 (n, d).

    Returns:
        A number for each, equal for those of one group. int64 (n,).
    """
    own = np.arange(len(skeletons), dtype=np.int64)
    rows = np.flatnonzero(skeletons.any(axis=1))
    if len(rows) < 2:
        return own
    few = len(rows) <= AROUND[1]
    a, b, compare = _certain(skeletons[rows]) if few else _apart(skeletons[rows])
    score, enough = compare(a, b), CERTAIN if few else MARGIN
    near = score >= np.float32(enough)
    edges = Edges(a[near], b[near], np.full(int(near.sum()), Relation.REWORD, np.uint8), score[near])
    labels = duplicate_groups(len(rows), edges, compare, min_score=enough, floor=enough * SAME_GROUP).labels
    grouped = labels >= 0
    own[rows[grouped]] = len(skeletons) + labels[grouped]
    return own


Compare = Callable[[Int64, Int64], Float32]


def _certain(skeletons: Float32) -> tuple[Int64, Int64, Compare]:
    """Return all pairs of a few skeletons, and their cosine, 0..1."""
    a, b = np.triu_indices(len(skeletons), 1)
    return a.astype(np.int64), b.astype(np.int64), lambda x, y: _cosines(skeletons, x, y).clip(0, 1)


def _apart(skeletons: Float32) -> tuple[Int64, Int64, Compare]:
    """Return the pairs of near skeletons, and by how much any two are more alike than their surroundings, 0..1.

    What lies beyond the margin of one's surroundings is among its nearest, so no pair is missed.
    """
    centred = unit(skeletons - skeletons.mean(axis=0, dtype=np.float64))
    hits = exact_search(centred, AROUND[1] + 1, Vectors([centred.astype(np.float16)]))
    own = np.arange(len(centred))[:, None]
    scores = np.where((hits.rows == own) | (hits.rows < 0), -np.inf, hits.scores)
    order = np.argsort(-scores, axis=1, kind="stable")[:, : AROUND[1]]
    near, scores = np.take_along_axis(hits.rows, order, 1), np.take_along_axis(scores, order, 1)
    around = np.where(np.isfinite(scores), scores, 0)[:, AROUND[0] :].mean(axis=1).astype(np.float32)
    pairs = np.stack([np.repeat(own, near.shape[1]), near.ravel()], axis=1)[np.isfinite(scores).ravel()]
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)

    def compare(x: Int64, y: Int64) -> Float32:
        apart: Float32 = _cosines(centred, x, y) - (around[x] + around[y]) / 2
        return apart.clip(0, 1)

    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1]), compare


def _cosines(vectors: Float32, a: Int64, b: Int64) -> Float32:
    cosines: Float32 = np.einsum("ij,ij->i", vectors[a], vectors[b])
    return cosines
