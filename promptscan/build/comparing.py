"""The comparing stage: candidate pairs of both views are verified on text once, and kept as typed edges.

Duplicates and templates are made from the edges, so other thresholds need neither candidates nor comparisons again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.banks import frequent_fingerprints
from promptscan.build.graph import load_graph
from promptscan.candidates import load_postings, propose
from promptscan.cleans import CleanTexts
from promptscan.resemblance import Resemblance
from promptscan.rewords import type_rewords
from promptscan.rows import text_vectors
from promptscan.rules import edge_key
from promptscan.sql import LOOKUP_GROUP, copy_parquet
from promptscan.store import Writer
from promptscan.types import Progress
from promptscan.verify import Edges, Relation

PART = 1 << 20  # pairs compared between two reports of progress
LOOSE = (
    0.4  # score from which on a pair without shared wording is kept; thresholds are higher, from .5 at a rate of 1e-3
)

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CompareReport:
    """How many pairs were compared, how many of them share wording, and how many edges of each kind were kept."""

    pairs: int
    worded: int
    kinds: dict[str, int]


def compare(writer: Writer, *, progress: Progress) -> CompareReport:
    """Propose and verify pairs with the draft's new clean texts, and append those that are related."""
    done = sum(int(segment.meta["n"]) for segment in writer.manifest.of_kind("edges"))
    n = sum(int(segment.meta["n_cleans"]) for segment in writer.manifest.of_kind("cleans"))
    key = edge_key(writer.manifest)
    known = writer.find("edges", key)
    if known:
        writer.adopt(known)
        return CompareReport(int(known.meta["pairs"]), int(known.meta["worded"]), known.meta["kinds"])
    pairs = propose(load_postings(writer), load_graph(writer), done, ignore=frequent_fingerprints(writer))
    with writer.connect() as con:
        edges = _verified(writer, con, pairs, progress)
        counts = np.bincount(edges.kind, minlength=len(Relation)).tolist()
        kinds = {kind.name.lower(): counts[kind] for kind in Relation}
        report = CompareReport(len(pairs), sum(counts[: Relation.REWORD]), kinds)
        meta = {"n": n - done, "first": done, "key": key, **asdict(report)}
        with writer.segment("edges", key=key, meta=meta) as directory:
            rows = pa.table({"clean_a": edges.a, "clean_b": edges.b, "kind": edges.kind, "score": edges.score})
            con.register("rows_to_save", rows)
            query = "FROM rows_to_save ORDER BY clean_b, clean_a"
            copy_parquet(con, query, directory / "edges.parquet", group=LOOKUP_GROUP)
    return report


def stored_edges(con: duckdb.DuckDBPyConnection, first: int = 0) -> Edges:
    """Read the edges whose newer text has clean id `first` or later; a and b are clean ids, a < b, sorted by (a, b)."""
    rows = con.execute("SELECT clean_a, clean_b, kind, score FROM base_edges WHERE clean_b >= ?", [first]).fetchnumpy()
    order = np.lexsort((rows["clean_b"], rows["clean_a"]))
    return Edges(*(np.asarray(rows[name])[order] for name in ("clean_a", "clean_b", "kind", "score")))


def disguised(con: duckdb.DuckDBPyConnection, cleans: Int64) -> NDArray[np.bool_]:
    """Tell which of some clean ids, which ascend, are of disguised texts."""
    known = con.execute("SELECT clean_id FROM base_clean_folds").fetchnumpy()["clean_id"]
    return np.isin(cleans, np.asarray(known))


def _verified(writer: Writer, con: duckdb.DuckDBPyConnection, pairs: Int64, progress: Progress) -> Edges:
    """Compare the texts of candidate pairs; leave out what nothing relates."""
    vectors = text_vectors(writer)
    cleans, numbers = np.unique(pairs, return_inverse=True)
    numbers = numbers.reshape(pairs.shape).astype(np.int64)
    texts = CleanTexts(writer).take(cleans)
    comparison = Resemblance(texts, disguised(con, cleans))
    found = [_none()]
    progress("compare", 0, len(pairs))
    for start in range(0, len(pairs), PART):
        a, b = (np.ascontiguousarray(numbers[start : start + PART, side]) for side in (0, 1))
        edges = type_rewords(comparison.verify(a, b), texts, lambda x, y: vectors.cosines(cleans[x], cleans[y]))
        kept = (edges.kind < Relation.REWORD) | (edges.score >= LOOSE)
        found.append(Edges(cleans[a[kept]], cleans[b[kept]], edges.kind[kept], edges.score[kept]))
        progress("compare", min(start + PART, len(pairs)), len(pairs))
    return Edges(
        np.concatenate([part.a for part in found]),
        np.concatenate([part.b for part in found]),
        np.concatenate([part.kind for part in found]),
        np.concatenate([part.score for part in found]),
    )


def _none() -> Edges:
    nothing = np.zeros(0, np.int64)
    return Edges(nothing, nothing, np.zeros(0, np.uint8), np.zeros(0, np.float32))
