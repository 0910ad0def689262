"""search: prompts like this, and who sent them. The index proposes, the exact vectors rank, the texts explain."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from promptscan.build.indexing import load_index
from promptscan.describe import Asked, Describer, Group, Scope
from promptscan.embed import embed_texts
from promptscan.encoders import Encoder, load_encoder
from promptscan.errors import StoreError, UsageError
from promptscan.exact import exact_search, range_search
from promptscan.hits import SearchResult
from promptscan.index import VectorIndex
from promptscan.lexical import LexicalIndex
from promptscan.normalise import clean_one
from promptscan.rows import IndexedRows, indexed_rows
from promptscan.sql import first, script, statements
from promptscan.store import Generation
from promptscan.why import Reading, readings

SAME = 0.985  # cosine from which on two hits are shown as one
FETCH = 4  # rows asked of the index per wanted hit: windows of one text and near-identical texts fold into one hit
MAX_FETCH = 4_096  # rows looked at before folding stops and the answer says that it was cut
MAX_QUERY_WINDOWS = 64  # windows of a long query that are searched for: its own vector, and evenly spread windows
MAX_HITS = 10_000  # hits of a threshold search

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]
Contained = tuple[Int64, Float32]  # clean ids and shares, by (share descending, clean id)


@dataclass(slots=True)
class _Candidates:
    """Clean texts in the order of their best row: (score descending, clean id)."""

    clean_ids: Int64
    scores: Float32
    exhausted: bool


@dataclass
class Searcher:
    """Searches one generation; loads what it needs once. Safe to share between threads: queries take turns."""

    generation: Generation
    device: str | None = None
    memory_limit: str = "4GB"
    _closing: ExitStack = field(default_factory=ExitStack)
    _turn: threading.RLock = field(default_factory=threading.RLock)

    @cached_property
    def rows(self) -> IndexedRows:
        """All rows of the index."""
        if not self.generation.manifest.of_kind("vectors"):
            raise StoreError(f"store {self.generation.root} has no vectors yet; run `promptscan build`")
        return indexed_rows(self.generation)

    @cached_property
    def index(self) -> VectorIndex | None:
        """The index; None when it is damaged, then search is exact."""
        return load_index(self.generation)

    @cached_property
    def encoder(self) -> Encoder:
        """The store's encoder, checked against the digest of its vectors."""
        known = self.generation.manifest.encoder
        if known is None:
            raise StoreError(f"store {self.generation.root} has no vectors yet; run `promptscan build`")
        encoder = load_encoder(known.name, device=self.device)
        if encoder.identity.digest != known.digest:
            raise StoreError(
                f"encoder {known.name} has changed: its digest is {encoder.identity.digest[:12]}, the store's vectors are of "
                f"{known.digest[:12]}; install the version that built the store, or build a new store"
            )
        return encoder

    @cached_property
    def lexical(self) -> LexicalIndex:
        """The fingerprint index."""
        return LexicalIndex(self.generation)

    @cached_property
    def describer(self) -> Describer:
        """What turns found texts into hits."""
        return Describer(self.generation, lambda: self.con)

    @cached_property
    def con(self) -> duckdb.DuckDBPyConnection:
        """A locked-down connection to the generation's views."""
        return self._closing.enter_context(self.generation.connect(memory_limit=self.memory_limit, threads=1))

    def close(self) -> None:
        """Close the connection; the generation stays its owner's."""
        self._closing.close()

    def by_text(self, text: str, **options: Any) -> SearchResult:
        """Search with a text; see `search_vectors` for the options.

        Raises:
            UsageError: the text is empty once cleaned, or an option is unusable.
        """
        cleaned = clean_one(text.encode("utf-8", "replace").decode())
        if not cleaned:
            raise UsageError("the query has no visible text; give some")
        read = readings(cleaned)
        embedded = embed_texts(self.encoder, [reading.text for reading in read])
        windows = embedded.chunk_vectors[_spread(len(embedded.chunk_vectors), MAX_QUERY_WINDOWS - len(read))]
        queries = np.concatenate([embedded.vectors, windows]).astype(np.float32)
        return self.search_vectors(queries, read, {"text": text}, **options)

    def by_id(self, prompt_id: str, **options: Any) -> SearchResult:
        """Search with the text of a prompt in the store; no encoder is needed.

        Raises:
            UsageError: no prompt has this id.
        """
        found = self._stored(
            "SELECT clean_id, clean FROM base_prompts JOIN base_text_cleans USING (text_id) JOIN base_cleans USING (clean_id) "
            "WHERE prompt_id = ? LIMIT 1",
            prompt_id,
        )
        if found is None:
            raise UsageError(
                f'no prompt has the id {prompt_id!r}; `promptscan sql "select prompt_id from prompts"` lists them'
            )
        return self.search_vectors(*found, {"id": prompt_id}, **options)

    def by_family(self, family_id: str, **options: Any) -> SearchResult:
        """Search with the exemplar of a family.

        Raises:
            UsageError: no family has this id.
        """
        found = self._stored(
            "SELECT clean_id, clean FROM base_family_names f JOIN base_text_cleans c ON c.text_id = f.exemplar_text_id "
            "JOIN base_cleans USING (clean_id) WHERE family_id = ?",
            family_id,
        )
        if found is None:
            raise UsageError(f"no family has the id {family_id!r}; `promptscan families` lists them")
        return self.search_vectors(*found, {"family": family_id}, **options)

    def _stored(self, query: str, key: str) -> tuple[Float32, tuple[Reading, ...]] | None:
        """Return vector and clean form of the text that a query finds by its key."""
        with self._turn:
            row = first(self.con, query, [key])
        return None if row is None else (self._own_vectors([row[0]]), readings(row[1]))

    def search_vectors(
        self,
        queries: Float32,
        read: tuple[Reading, ...],
        query: dict[str, Any],
        *,
        k: int = 10,
        where: str | None = None,
        threshold: float | None = None,
    ) -> SearchResult:
        """Find the texts nearest to any of a query's vectors.

        Args:
            queries: float32 (q, d), unit norm: the query's own vector, and those of what is encoded in it and of windows.
            read: the query as it stands and what is encoded in it, to find passages of and to explain hits with.
            query: what to report as the query.
            k: hits wanted; near-identical texts count as one.
            where: a condition on prompts (docs/where.md), for example `ts >= '2026-01-05' AND model = 'm-large'`.
            threshold: return every text with at least this cosine instead of the best k, up to 10,000.

        Returns:
            Hits and whether there are more.

        Raises:
            UsageError: k, threshold or where is unusable.
        """
        if not 1 <= k <= MAX_HITS:
            raise UsageError(f"-k {k} is out of range; wanted 1 to {MAX_HITS}")
        if threshold is not None and not -1 <= threshold <= 1:
            raise UsageError(f"--threshold {threshold} is out of range; wanted a cosine from -1 to 1")
        query = {**query, "k": k, "where": where, "threshold": threshold}
        with self._turn, self._filtered(where) as (scope, allowed):
            each = [self._contained(reading.text, allowed) for reading in read]
            contained = each[0] if len(each) == 1 else _merged(each)
            if threshold is None:
                groups, more, exact = self._nearest(queries, k, contained, allowed)
            else:
                groups, more, exact = self._within(queries, threshold, contained, allowed)
            shares = tuple(dict(zip(cleans.tolist(), some.tolist(), strict=True)) for cleans, some in each)
            hits = self.describer.hits(groups, Asked(read, shares, lambda ids: self._cosines(queries, ids)), scope)
        return SearchResult(query, more, 1.0 if exact else self._recall(), tuple(hits))

    def _recall(self) -> float:
        return float(self.generation.manifest.measured.get("index", {}).get("recall", 1.0))

    @contextmanager
    def _filtered(self, where: str | None) -> Iterator[tuple[Scope, Int64 | None]]:
        """Yield (relations to report from, sorted clean ids to search in or None for all)."""
        if where is None:
            yield self.describer.everything, None
            return
        relation = filtered(self.con, script("searchable"), where)
        try:
            relation.project("prompt_id, text_id, account_id, ts, clean_id").create("matching")
            for statement in statements(script("search_filter")):
                self.con.execute(statement)
            found = self.con.execute(
                "SELECT DISTINCT clean_id FROM matching WHERE clean_id IS NOT NULL ORDER BY clean_id"
            ).fetchnumpy()
            yield self.describer.matching(), np.asarray(found["clean_id"], dtype=np.int64)
        except duckdb.Error as error:
            raise UsageError(f"--where {where!r} failed: {str(error).strip().splitlines()[0][:200]}") from None
        finally:
            for table in ("matching", "matching_stats"):
                self.con.execute(f"DROP TABLE IF EXISTS {table}")

    def _nearest(
        self, queries: Float32, k: int, contained: Contained, allowed: Int64 | None
    ) -> tuple[list[Group], bool, bool]:
        """Fetch more and more rows until k distinct hits are found, the rows are exhausted, or the bound is met."""
        row_filter = None if allowed is None else self._rows_of(allowed)
        fetch = max(64, FETCH * k)
        while True:
            found = self._candidates(queries, fetch, row_filter, contained)
            groups = self._fold(found, k + 1)
            if len(groups) > k or found.exhausted or fetch >= max(MAX_FETCH, FETCH * k):
                break
            fetch *= 4
        more = len(groups) > k or not found.exhausted
        return groups[:k], more, self.index is None

    def _within(
        self, queries: Float32, threshold: float, contained: Contained, allowed: Int64 | None
    ) -> tuple[list[Group], bool, bool]:
        """Score every row exactly; nothing at or above the threshold is missed below the limit."""
        row_filter = None if allowed is None else self._rows_of(allowed)
        parts = [
            range_search(one, threshold, vectors=self.rows.vectors, allowed=row_filter, limit=4 * MAX_HITS)
            for one in queries
        ]
        enough = contained[1] >= threshold
        found = self._unique(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.scores for part in parts]),
            (contained[0][enough], contained[1][enough]),
        )
        cut = any(part.truncated for part in parts) or len(found.clean_ids) > MAX_HITS
        best = zip(found.clean_ids[:MAX_HITS].tolist(), found.scores[:MAX_HITS].tolist(), strict=True)
        groups: list[Group] = [[pair] for pair in best]
        return groups, cut, True

    def _contained(self, cleaned: str, allowed: Int64 | None) -> Contained:
        """Find the clean texts that contain much of the query, of those a filter leaves."""
        cleans, shares = self.lexical.search(cleaned)
        if allowed is None or not len(cleans):
            return cleans, shares
        kept = np.isin(cleans, allowed)
        return cleans[kept], shares[kept]

    def _candidates(self, queries: Float32, fetch: int, allowed: Int64 | None, contained: Contained) -> _Candidates:
        if self.index is None:
            hits = exact_search(queries, fetch, self.rows.vectors, allowed=allowed)
        else:
            hits = self.index.search(queries, fetch, vectors=self.rows.vectors, allowed=allowed)
        total = self.rows.vectors.n if allowed is None else len(allowed)
        own = (contained[0][:fetch], contained[1][:fetch])
        exhausted = fetch >= total and fetch >= len(contained[0])
        return self._unique(hits.rows.ravel(), hits.scores.ravel(), own, exhausted=exhausted)

    def _unique(self, rows: Int64, scores: Float32, contained: Contained, *, exhausted: bool = True) -> _Candidates:
        """Keep the best score of each clean text over its rows and its containment."""
        scores, rows = scores[rows >= 0], rows[rows >= 0]
        cleans = np.concatenate([self.rows.clean_ids[rows], contained[0]])
        scores = np.concatenate([scores, contained[1]])
        order = np.lexsort((cleans, -scores))
        cleans, scores = cleans[order], scores[order]
        _, first = np.unique(cleans, return_index=True)
        first.sort()
        return _Candidates(cleans[first], scores[first], exhausted)

    def _fold(self, found: _Candidates, wanted: int) -> list[Group]:
        """Group near-identical texts under the best of them, until there are `wanted` groups."""
        vectors = self._own_vectors(found.clean_ids)
        heads: list[int] = []
        groups: list[Group] = []
        for position, (clean_id, score) in enumerate(zip(found.clean_ids.tolist(), found.scores.tolist(), strict=True)):
            same = np.flatnonzero(vectors[heads] @ vectors[position] >= SAME) if heads else np.zeros(0, dtype=np.int64)
            if len(same):
                groups[int(same[0])].append((clean_id, score))
            elif len(groups) < wanted:
                heads.append(position)
                groups.append([(clean_id, score)])
        return groups

    def _cosines(self, queries: Float32, cleans: Int64) -> Float32:
        """Return the cosine of each clean text's own vector with the nearest vector of the query. float32 (n,)."""
        found: Float32 = (self._own_vectors(cleans) @ queries.T).max(axis=1, initial=-1)
        return found

    def _rows_of(self, cleans: Int64) -> Int64:
        """Return the sorted rows of some clean texts, their windows included."""
        wanted = np.zeros(len(self.rows.first_rows), dtype=bool)
        wanted[cleans] = True
        return np.flatnonzero(wanted[self.rows.clean_ids]).astype(np.int64)

    def _own_vectors(self, cleans: Sequence[int] | Int64) -> Float32:
        return self.rows.vectors.take(self.rows.first_rows[np.asarray(cleans, dtype=np.int64)])


def filtered(
    con: duckdb.DuckDBPyConnection, query: str | duckdb.DuckDBPyRelation, where: str
) -> duckdb.DuckDBPyRelation:
    """Filter a query of ours by a user's condition, on a locked-down connection.

    The condition is parsed as one SQL expression, never pasted into a statement.

    Raises:
        UsageError: it is not one expression, or not about the query's columns.
    """
    relation = con.sql(query) if isinstance(query, str) else query
    try:
        return relation.filter(duckdb.SQLExpression(where))
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise UsageError(
            f"--where {where!r} is not usable: {reason}; columns are {', '.join(relation.columns)}"
        ) from None


def _merged(parts: Sequence[Contained]) -> Contained:
    """Join what contains the readings of a query: the best share of each clean text."""
    cleans, shares = (np.concatenate(some) for some in zip(*parts, strict=True))
    order = np.lexsort((cleans, -shares))
    cleans, shares = cleans[order], shares[order]
    first = np.sort(np.unique(cleans, return_index=True)[1])
    return cleans[first], shares[first]


def _spread(n: int, size: int) -> Int64:
    return np.arange(n) if n <= size else np.linspace(0, n - 1, size).astype(np.int64)
