"""The comparing stage: candidate pairs of both views are verified on text once, and kept as typed edges.

Duplicates and templates are made from the edges, so other thresholds need neither candidates nor comparisons again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.build.graph import load_graph
from promptscan.candidates import Candidates, load_postings, propose
from promptscan.rules import edge_key
from promptscan.sql import LOOKUP_GROUP, arrow, copy_parquet
from promptscan.store import Writer
from promptscan.types import Progress
from promptscan.verify import Edges, Relation, verify_pairs

PART = 1 << 20  # pairs compared between two reports of progress

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CompareReport:
    """How many pairs were compared, how many are related, and how many of them in which way."""

    pairs: int
    related: int
    kinds: dict[str, int]


def compare(writer: Writer, *, progress: Progress) -> CompareReport:
    """Propose and verify pairs with the draft's new clean texts, and append those that are related."""
    done = sum(int(segment.meta["n"]) for segment in writer.manifest.of_kind("edges"))
    n = sum(int(segment.meta["n_cleans"]) for segment in writer.manifest.of_kind("cleans"))
    key = edge_key(writer.manifest)
    known = writer.find("edges", key)
    if known:
        writer.adopt(known)
        return CompareReport(int(known.meta["pairs"]), int(known.meta["related"]), known.meta["kinds"])
    candidates = propose(load_postings(writer), load_graph(writer), done)
    with writer.connect() as con:
        edges = _verified(con, candidates, progress)
        counts = np.bincount(edges.kind, minlength=len(Relation)).tolist()
        kinds = {kind.name.lower(): counts[kind] for kind in Relation}
        report = CompareReport(len(candidates.a), len(edges.a), kinds)
        meta = {"n": n - done, "first": done, "key": key, **asdict(report)}
        with writer.segment("edges", key=key, meta=meta) as directory:
            rows = pa.table({"clean_a": edges.a, "clean_b": edges.b, "kind": edges.kind, "score": edges.score})
            con.register("rows_to_save", rows)
            copy_parquet(
                con, "FROM rows_to_save ORDER BY clean_b, clean_a", directory / "edges.parquet", group=LOOKUP_GROUP
            )
    return report


def stored_edges(con: duckdb.DuckDBPyConnection, first: int) -> Edges:
    """Read the edges whose newer text has clean id `first` or later; a and b are clean ids, a < b."""
    rows = con.execute("SELECT clean_a, clean_b, kind, score FROM base_edges WHERE clean_b >= ?", [first]).fetchnumpy()
    order = np.lexsort((rows["clean_b"], rows["clean_a"]))
    return Edges(*(np.asarray(rows[name])[order] for name in ("clean_a", "clean_b", "kind", "score")))


def clean_texts(con: duckdb.DuckDBPyConnection, cleans: Int64) -> list[str]:
    """Return the clean texts of clean ids, in their order."""
    con.register("wanted", pa.table({"clean_id": cleans}))
    rows = arrow(con, "SELECT k.clean FROM wanted w JOIN base_cleans k USING (clean_id) ORDER BY w.clean_id")
    con.unregister("wanted")
    texts: list[str] = rows["clean"].to_pylist()
    return texts


def _verified(con: duckdb.DuckDBPyConnection, candidates: Candidates, progress: Progress) -> Edges:
    """Compare the texts of candidate pairs; leave out what nothing relates."""
    cleans, numbers = np.unique(np.stack([candidates.a, candidates.b]), return_inverse=True)
    a, b = numbers.reshape(2, -1).astype(np.int64)
    texts = clean_texts(con, cleans)
    kind, score = np.zeros(len(a), np.uint8), np.zeros(len(a), np.float32)
    progress("compare", 0, len(a))
    for start in range(0, len(a), PART):
        part = slice(start, start + PART)
        edges = verify_pairs(texts, a[part], b[part])
        kind[part], score[part] = edges.kind, edges.score
        progress("compare", min(start + PART, len(a)), len(a))
    reworded = kind == Relation.REWORD
    score[reworded] = candidates.cosine[reworded]
    kept = ~np.isnan(score)  # proposed by fingerprints alone, and found to have nothing in common
    return Edges(candidates.a[kept], candidates.b[kept], kind[kept], score[kept])
