"""The neighbours stage: the k-nearest-neighbour graph of the clean texts, appended to by each build."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from promptscan.cells import Cells, update_cells
from promptscan.graph import Graph, GraphDelta
from promptscan.neighbours import K, extend_graph, measure
from promptscan.rows import text_vectors
from promptscan.store import Files, Segment, Writer
from promptscan.types import Progress

GROWN = (
    1.05  # times the texts it was measured at last from which on the graph is measured again: that reads all vectors
)
ARRAYS = ("indptr", "indices", "distances", "reverse_source", "reverse_target", "reverse_distance")


@dataclass(frozen=True, slots=True)
class GraphReport:
    """What was added to the graph, and how much of exact search a sample of it has."""

    texts: int
    intersection: float
    close: float


def extend(writer: Writer, *, progress: Progress) -> GraphReport | None:
    """Add the draft's new clean texts to its graph; None when there are none."""
    segments = writer.manifest.of_kind("graph")
    done = sum(int(segment.meta["n"]) for segment in segments)
    vectors = text_vectors(writer)
    if vectors.n == done:
        return None
    parents = "|".join(
        segment.name for segment in writer.manifest.segments if segment.kind in {"vectors", "graph", "cells"}
    )
    key = hashlib.sha256(f"graph|{K}|{done}|{vectors.n}|{parents}".encode()).hexdigest()
    cells = update_cells(vectors, _load_cells(writer))
    old = load_graph(writer) if segments else None
    known = writer.find("graph", key)
    if known:
        writer.adopt(known)
    else:
        scratch = writer.work / f"graph-{key[:24]}"
        scratch.mkdir(exist_ok=True)
        delta = extend_graph(
            vectors, old, cells=cells, scratch=scratch, progress=lambda n, total: progress("neighbours", n, total)
        )
        with writer.segment("graph", key=key, meta={"n": vectors.n - done, "first": done}) as directory:
            for name in ARRAYS:
                np.save(directory / f"{name}.npy", getattr(delta, name), allow_pickle=False)
        _clear(scratch)
    _store_cells(writer, cells, key)
    newest = _load_delta(writer, writer.manifest.of_kind("graph")[-1])
    graph = old.extended([newest]) if old else Graph.of([newest], k=K)
    writer.keep("graph", graph)
    measured = writer.manifest.measured.get("neighbours", {})
    if not done or vectors.n >= GROWN * measured.get("texts", 0):
        measured = asdict(measure(graph, vectors)) | {"texts": vectors.n}
        writer.measure(neighbours=measured)
    return GraphReport(vectors.n - done, measured["intersection"], measured["close"])


def load_graph(files: Files) -> Graph:
    """Read the graph of a generation or a draft; the draft's is read once."""
    kept = files.kept("graph") if isinstance(files, Writer) else None
    if isinstance(kept, Graph):
        return kept
    graph = Graph.of([_load_delta(files, segment) for segment in files.manifest.of_kind("graph")], k=K)
    if isinstance(files, Writer):
        files.keep("graph", graph)
    return graph


def _load_delta(files: Files, segment: Segment) -> GraphDelta:
    arrays = [np.load(files.verified(segment.file(f"{name}.npy")), allow_pickle=False) for name in ARRAYS]
    return GraphDelta(int(segment.meta["first"]), *arrays)


def _load_cells(writer: Writer) -> Cells | None:
    segments = writer.manifest.of_kind("cells")
    if not segments:
        return None
    loaded = {
        name: np.load(writer.verified(segments[0].file(f"{name}.npy")), allow_pickle=False)
        for name in ("centroids", "assignment")
    }
    return Cells(**loaded, **segments[0].meta)


def _store_cells(writer: Writer, cells: Cells, key: str) -> None:
    """Replace the cells by those that the graph was extended with."""
    writer.drop("cells")
    meta = {"trained_n": cells.trained_n}
    with writer.segment("cells", key=key, meta=meta) as directory:
        np.save(directory / "centroids.npy", cells.centroids, allow_pickle=False)
        np.save(directory / "assignment.npy", cells.assignment, allow_pickle=False)


def _clear(scratch: Path) -> None:
    for path in scratch.iterdir():
        path.unlink()
    scratch.rmdir()
