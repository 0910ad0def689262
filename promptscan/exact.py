"""Exact search: cosines computed from the float16 file itself, block by block.

The slow truth behind the index: it answers where a filter leaves few rows, re-ranks what the index proposes, returns
complete ranges, and is what every recall in this project is measured against.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.vectors import Float32, Int64, Vectors, unit

_SLACK = 8  # candidates kept beyond k, so that the last bits of a matrix product never decide who is k-th
_CHUNK_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Hits:
    """The nearest rows of each query, by (score descending, row ascending).

    Attributes:
        scores: float32 (q, k), cosine; -inf where there is no row.
        rows: int64 (q, k); -1 where there is no row.
    """

    scores: Float32
    rows: Int64


@dataclass(frozen=True, slots=True)
class RangeHits:
    """Every row at or above a cosine, by (score descending, row ascending).

    Attributes:
        rows: int64 (m,).
        scores: float32 (m,), cosine.
        truncated: whether rows were cut to the limit.
        total: how many rows there are at or above the threshold, cut or not.
    """

    rows: Int64
    scores: Float32
    truncated: bool
    total: int


def rerank(queries: Float32, candidates: Int64, k: int, vectors: Vectors) -> Hits:
    """Order candidate rows by their exact cosine.

    Args:
        queries: float32 (q, d), unit norm or zero.
        candidates: int64 (q, c), distinct rows per query, -1 where there is none.
        k: hits per query.
        vectors: the rows.

    Returns:
        Hits of shape (q, k). A score depends on its two vectors only, not on the candidates around it.
    """
    q, c = candidates.shape
    scores = np.full((q, max(c, k)), -np.inf, dtype=np.float32)
    rows = np.full((q, max(c, k)), -1, dtype=np.int64)
    rows[:, :c] = candidates
    step = max(1, _CHUNK_BYTES // max(1, 4 * c * vectors.d))
    for first in range(0, q, step):
        part = candidates[first : first + step]
        known = part >= 0
        near = np.zeros((*part.shape, vectors.d), dtype=np.float32)
        near[known] = vectors.take(part[known])
        exact = np.einsum("qcd,qd->qc", near, queries[first : first + step])
        scores[first : first + step, :c] = np.where(known, exact, -np.inf)
    order = np.lexsort((rows, -scores), axis=-1)[:, :k]
    return Hits(np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1))


def exact_search(queries: NDArray[np.floating], k: int, vectors: Vectors, *, allowed: Int64 | None = None) -> Hits:
    """Find the k nearest rows by scoring all of them.

    Args:
        queries: float (q, d); scaled to unit norm. A zero query has no hits.
        k: hits per query.
        vectors: the rows.
        allowed: sorted int64 row ids to search in, or None for all.

    Returns:
        Hits of shape (q, k).
    """
    import faiss

    unit_queries = unit(queries)
    q, kept = len(unit_queries), k + _SLACK
    best_scores = np.full((q, kept), -np.inf, dtype=np.float32)
    best_rows = np.full((q, kept), -1, dtype=np.int64)
    n = vectors.n if allowed is None else len(allowed)
    for first in range(0, n if q else 0, 65_536):
        rows = np.arange(first, min(first + 65_536, n)) if allowed is None else allowed[first : first + 65_536]
        block = vectors.range(first, first + 65_536) if allowed is None else vectors.take(rows)
        scores, local = faiss.knn(unit_queries, block, min(kept, len(block)), metric=faiss.METRIC_INNER_PRODUCT)
        best_scores = np.concatenate([best_scores, scores], axis=1)
        best_rows = np.concatenate([best_rows, np.where(local >= 0, rows[local], -1)], axis=1)
        order = np.lexsort((best_rows, -best_scores), axis=-1)[:, :kept]
        best_scores = np.take_along_axis(best_scores, order, axis=1)
        best_rows = np.take_along_axis(best_rows, order, axis=1)
    best_rows[~unit_queries.any(axis=1)] = -1
    return rerank(unit_queries, best_rows, k, vectors)


def range_search(
    query: NDArray[np.floating],
    threshold: float,
    *,
    vectors: Vectors,
    allowed: Int64 | None = None,
    limit: int = 100_000,
) -> RangeHits:
    """Find every row whose cosine with the query reaches a threshold, or say that the list was cut.

    Args:
        query: float (d,); scaled to unit norm. A zero query has no hits.
        threshold: cosine, -1..1, inclusive.
        vectors: the rows.
        allowed: sorted int64 row ids to search in, or None for all.
        limit: the most rows to return; the best ones are kept.

    Returns:
        All rows in range, or the best `limit` with `truncated` set.
    """
    unit_query = unit(np.reshape(query, (1, -1)))[0]
    rows, scores, total = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32), 0
    n = (vectors.n if allowed is None else len(allowed)) if unit_query.any() else 0
    for first in range(0, n, 16_384):
        ids = np.arange(first, min(first + 16_384, n)) if allowed is None else allowed[first : first + 16_384]
        block = vectors.range(first, first + 16_384) if allowed is None else vectors.take(ids)
        found = np.einsum("id,d->i", block, unit_query)
        inside = np.flatnonzero(found >= threshold)
        total += len(inside)
        rows, scores = np.concatenate([rows, ids[inside]]), np.concatenate([scores, found[inside]])
        if len(rows) > 4 * limit:
            rows, scores = _best(rows, scores, limit)
    rows, scores = _best(rows, scores, limit)
    return RangeHits(rows, scores, truncated=total > len(rows), total=total)


def _best(rows: Int64, scores: Float32, limit: int) -> tuple[Int64, Float32]:
    order = np.lexsort((rows, -scores))[:limit]
    return rows[order], scores[order]
