"""The semantic view: a FAISS index that proposes rows, and the float16 file that decides.

Below `FLAT_LIMIT` rows the index is a float16 flat one and proposes exactly; above, it is an inverted file of one-bit
RaBitQ codes (about 60 bytes per vector at d = 256) whose proposals are scored again from the file. Recipes with their
numbers are under `indexes/recipes/`; every index measures its own recall and tunes itself to a target.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from promptscan.errors import StoreError, UsageError
from promptscan.exact import Hits, exact_search, rerank
from promptscan.vectors import Float32, Int64, Vectors, unit

FLAT_LIMIT = 250_000
RETRAIN_FACTOR = 4.0  # centroids are trained anew once there are this many times the rows they were trained for
EXACT_SHARE = 0.01  # a filter that keeps at most this share of the rows is answered exactly from the file
_TRAINING_ROWS_PER_LIST = 64
_ADD_ROWS = 65_536
_CODES_PER_CANDIDATE = 100  # re-ranking one candidate takes about as long as scanning this many codes
_SAME_SCORE = 1e-5  # cosines closer than this are a tie: either row is a right answer


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """What must be known besides the index bytes; plain values, fit for JSON.

    Attributes:
        recipe: name of the recipe, "flat" or "ivf-rabitq".
        factory: the FAISS factory string.
        n: number of rows in the index.
        d: number of dimensions.
        trained_n: number of rows the centroids were trained for.
        nlist: number of inverted lists, 0 for a flat index.
        nprobe: lists visited per query.
        candidates: rows fetched for re-ranking at k <= 10; grows in proportion to k above. A flat index needs them too:
            its float16 scores order near-copies only roughly.
    """

    recipe: str
    factory: str
    n: int
    d: int
    trained_n: int
    nlist: int = 0
    nprobe: int = 0
    candidates: int = 100


@dataclass(frozen=True, slots=True)
class Recall:
    """How much of the truth the index finds, measured.

    Attributes:
        recall: share of the true k nearest (ties count) that were returned.
        k: hits per query.
        sample: number of queries.
        nprobe: lists visited per query; 0 for a flat index.
        candidates: rows fetched for re-ranking.
    """

    recall: float
    k: int
    sample: int
    nprobe: int
    candidates: int


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """A FAISS index with its settings. Never changed after it was made: searches pass their parameters per call."""

    settings: IndexSettings
    faiss_index: Any

    def search(self, queries: NDArray[np.floating], k: int, *, vectors: Vectors, allowed: Int64 | None = None) -> Hits:
        """Find the k nearest rows of each query.

        Args:
            queries: float (q, d); scaled to unit norm. A zero query has no hits.
            k: hits per query.
            vectors: the rows the index was built from.
            allowed: sorted int64 row ids to search in, or None for all.

        Returns:
            Hits of shape (q, k), ordered by (score descending, row ascending); scores are exact cosines.

        Raises:
            UsageError: the shape of the queries, the rows or k does not fit the index.
        """
        _check(self.settings, queries, k, vectors)
        n = self.settings.n
        if n == 0 or (allowed is not None and len(allowed) <= max(EXACT_SHARE * n, k)):
            return exact_search(queries, k, vectors, allowed=allowed)
        unit_queries = unit(queries)
        fetch = max(self.settings.candidates, math.ceil(self.settings.candidates * k / 10))
        share = 1.0 if allowed is None else len(allowed) / n
        selector, bitmap = _selector(allowed, n)
        parameters = _search_parameters(self.settings, selector, share)
        _, proposed = self.faiss_index.search(unit_queries, min(max(fetch, k + 8), n), params=parameters)
        del selector, bitmap  # had to outlive the call: FAISS holds bare pointers to them
        proposed[~unit_queries.any(axis=1)] = -1
        return rerank(unit_queries, proposed, k, vectors)

    def to_bytes(self) -> bytes:
        """The index as FAISS serialises it; write it together with `settings` and a digest."""
        import faiss

        return bytes(memoryview(faiss.serialize_index(self.faiss_index)))

    @classmethod
    def from_bytes(cls, data: bytes, settings: Mapping[str, Any]) -> Self:
        """Read an index back.

        Args:
            data: what `to_bytes` returned; check its digest first, FAISS does not notice flipped bits.
            settings: the fields of `IndexSettings`.

        Raises:
            StoreError: the bytes are no such index.
        """
        try:
            known = IndexSettings(**settings)
            index = _deserialise(np.frombuffer(data, dtype=np.uint8))
        except (RuntimeError, TypeError, MemoryError) as error:
            raise StoreError(f"the index file cannot be read ({str(error)[:80]}); build the index again") from error
        if (index.ntotal, index.d) != (known.n, known.d):
            found, wanted = f"({index.ntotal}, {index.d})", f"({known.n}, {known.d})"
            raise StoreError(f"the index file holds {found} vectors, its settings say {wanted}; build the index again")
        return cls(known, index)


def choose_recipe(n: int, d: int, *, flat_limit: int = FLAT_LIMIT) -> IndexSettings:
    """Choose the recipe for n vectors of d dimensions; see `indexes/recipes/`."""
    if n < flat_limit or n == 0:
        return IndexSettings("flat", "SQfp16", n, d, n)
    by_size = 2 ** round(math.log2(4 * math.sqrt(n)))
    nlist = max(1, min(by_size, 65_536, n // _TRAINING_ROWS_PER_LIST))
    factory = f"RR{d},IVF{nlist}_HNSW32,RaBitQfs"
    return IndexSettings("ivf-rabitq", factory, n, d, n, nlist=nlist, nprobe=max(1, nlist // 64))


def build_index(
    vectors: Vectors, *, previous: VectorIndex | None = None, flat_limit: int = FLAT_LIMIT, seed: int = 0
) -> VectorIndex:
    """Build the index of all rows, starting from an earlier one where that is possible.

    Args:
        vectors: the rows; when there is a previous index its n rows come first, unchanged.
        previous: an index of the first rows. It stays as it is; its rows are copied over unless the recipe changes or
            there are now `RETRAIN_FACTOR` times the rows its centroids were trained for.
        flat_limit: number of rows from which on the index is compressed.
        seed: for the training sample and the centroids.
    """
    import faiss

    wanted = choose_recipe(vectors.n, vectors.d, flat_limit=flat_limit)
    if previous is not None and _extends(previous.settings, wanted):
        index = _deserialise(faiss.serialize_index(previous.faiss_index))
        settings = replace(previous.settings, n=vectors.n)
    else:
        index = faiss.index_factory(vectors.d, wanted.factory, faiss.METRIC_INNER_PRODUCT)
        settings = wanted
        _train(index, vectors, settings, seed)
    for _, block in vectors.blocks(_ADD_ROWS, start=index.ntotal):
        index.add(block)
    return VectorIndex(settings, index)


def measure_recall(index: VectorIndex, vectors: Vectors, *, k: int = 10, sample: int = 200, seed: int = 0) -> Recall:
    """Measure the index against exact search, with sampled rows as queries (a row itself is no hit of its own)."""
    queries, floor = _truth(vectors, k, sample, seed)
    return _recall(index, vectors, queries, floor, k)


def tune(
    index: VectorIndex, vectors: Vectors, *, target: float = 0.97, k: int = 10, sample: int = 400, seed: int = 0
) -> tuple[VectorIndex, Recall]:
    """Find the cheapest (nprobe, candidates) whose recall on a sample reaches the target.

    Returns:
        The index with these settings and their measured recall; the best there is when nothing reaches the target.
    """
    queries, floor = _truth(vectors, k, sample, seed)
    best = (index, _recall(index, vectors, queries, floor, k)) if not index.settings.nlist else None
    for settings in _by_cost(index.settings) if best is None else ():
        trial = replace(index, settings=settings)
        recall = _recall(trial, vectors, queries, floor, k)
        if best is None or recall.recall > best[1].recall:
            best = trial, recall
        if recall.recall >= target:
            return trial, recall
    if best is None:
        raise UsageError("an index without settings to try cannot be tuned")
    return best


def _deserialise(data: NDArray[np.uint8]) -> Any:
    """Read a FAISS index under limits: a damaged length must not make FAISS reserve memory that no file could fill."""
    import faiss

    faiss.set_deserialization_vector_byte_limit(len(data) + 1)  # nothing inside can be larger than the whole
    faiss.set_deserialization_loop_limit(max(1 << 20, len(data)))
    return faiss.deserialize_index(data)


def _train(index: Any, vectors: Vectors, settings: IndexSettings, seed: int) -> None:
    import faiss

    if not settings.nlist:
        index.train(np.zeros((1, vectors.d), dtype=np.float32))  # float16 codes have nothing to learn
        return
    ivf = faiss.extract_index_ivf(index)
    ivf.cp.seed, ivf.cp.niter, ivf.cp.max_points_per_centroid = seed + 1, 10, _TRAINING_ROWS_PER_LIST
    ivf.cp.min_points_per_centroid = 1
    index.train(vectors.take(vectors.sample(settings.nlist * _TRAINING_ROWS_PER_LIST, seed=seed)))


def _extends(previous: IndexSettings, wanted: IndexSettings) -> bool:
    same = (previous.recipe, previous.d) == (wanted.recipe, wanted.d) and previous.n <= wanted.n
    return same and (not previous.nlist or wanted.n < RETRAIN_FACTOR * previous.trained_n)


def _check(settings: IndexSettings, queries: NDArray[np.floating], k: int, vectors: Vectors) -> None:
    if queries.ndim != 2 or queries.shape[1] != settings.d or k < 1:
        raise UsageError(f"queries {queries.shape} with k = {k}; wanted (q, {settings.d}) and k >= 1")
    if (vectors.n, vectors.d) != (settings.n, settings.d):
        found, wanted = f"({vectors.n}, {vectors.d})", f"({settings.n}, {settings.d})"
        raise UsageError(f"vectors {found} given to an index of {wanted}; build the index again")


def _selector(allowed: Int64 | None, n: int) -> tuple[Any, NDArray[np.uint8] | None]:
    """A FAISS selector of the allowed rows and the bitmap it points into."""
    if allowed is None:
        return None, None
    import faiss

    mask = np.zeros(n, dtype=bool)
    mask[allowed] = True
    bitmap = np.packbits(mask, bitorder="little")
    return faiss.IDSelectorBitmap(bitmap), bitmap


def _search_parameters(settings: IndexSettings, selector: Any, share: float) -> Any:
    """Per-call parameters: a filter spreads the k nearest over more lists, so more of them are visited (up to 8 times)."""
    import faiss

    if not settings.nlist:
        return faiss.SearchParameters(sel=selector)
    nprobe = min(settings.nlist, math.ceil(settings.nprobe * min(8.0, 1 / math.sqrt(share))))
    coarse = faiss.SearchParametersHNSW(efSearch=max(32, 2 * nprobe))
    return faiss.SearchParametersIVF(nprobe=nprobe, sel=selector, quantizer_params=coarse)


def _by_cost(settings: IndexSettings) -> Iterator[IndexSettings]:
    """All (nprobe, candidates) worth trying, cheapest first by codes scanned plus candidates re-ranked."""
    per_list = settings.n / settings.nlist
    probes = sorted({min(settings.nlist, 2**i) for i in range(2, 11)})
    grid = [(p, c) for p in probes for c in (100, 200, 400, 800)]
    for nprobe, candidates in sorted(grid, key=lambda g: (g[0] * per_list + g[1] * _CODES_PER_CANDIDATE, g)):
        yield replace(settings, nprobe=nprobe, candidates=candidates)


def _truth(vectors: Vectors, k: int, sample: int, seed: int) -> tuple[Int64, Float32]:
    """Sampled rows that are not zero, and the score each one's k-th nearest other row has."""
    rows = vectors.sample(sample, seed=seed)
    rows = rows[vectors.take(rows).any(axis=1)]
    hits = exact_search(vectors.take(rows), k + 1, vectors)
    scores, _ = _without_self(hits, rows, k)
    return rows, scores[:, -1]


def _without_self(hits: Hits, rows: Int64, k: int) -> tuple[Float32, Int64]:
    """Drop each query's own row (or the last hit, where ties pushed the own row out) from k + 1 hits."""
    own = hits.rows == rows[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(rows), k)
    return hits.scores[~own].reshape(shape), hits.rows[~own].reshape(shape)


def _recall(index: VectorIndex, vectors: Vectors, rows: Int64, floor: Float32, k: int) -> Recall:
    settings = index.settings
    wanted = min(k, vectors.n - 1) * len(rows)
    if wanted <= 0:
        return Recall(1.0, k, 0, settings.nprobe, settings.candidates)
    hits = index.search(vectors.take(rows), k + 1, vectors=vectors)
    scores, found = _without_self(hits, rows, k)
    good = (found >= 0) & (scores >= np.where(np.isfinite(floor), floor, -1.0)[:, None] - _SAME_SCORE)
    share = float(good.sum() / wanted)
    return Recall(min(share, 1.0), k, len(rows), settings.nprobe, settings.candidates)
