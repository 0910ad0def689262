"""The index stage: FAISS over all rows, tuned and measured against exact search; a derived file of the generation."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from promptscan.errors import StoreError
from promptscan.index import Recall, VectorIndex, build_index, measure_recall, tune
from promptscan.rows import indexed_rows
from promptscan.store import Generation, Writer
from promptscan.vectors import Vectors

FILE = "index.faiss"
CHECK = 100  # queries that say whether a grown index still does what it was tuned to
GROWN = (
    1.05  # times the rows it was measured at last from which on a grown index is measured again: that reads all vectors
)
SLACK = 0.01  # by which it may fall short on those few before it is tuned again


@dataclass(frozen=True, slots=True)
class IndexReport:
    """The index that was built: rows, recipe, and recall@10 against exact search."""

    rows: int
    recipe: str
    recall: float


def index(writer: Writer, recall_target: float) -> IndexReport:
    """Build the index of the draft, from the live generation's where that is possible."""
    covered = [segment.name for segment in writer.manifest.of_kind("vectors")]
    rows = indexed_rows(writer)
    previous = _previous(writer, covered)
    built = build_index(rows.vectors, previous=previous)
    grown = previous is not None and built.settings.trained_n == previous.settings.trained_n
    tuned, measured = built, writer.manifest.measured.get("index", {})
    if not grown or measured.get("target") != recall_target or rows.vectors.n >= GROWN * measured.get("rows", 0):
        tuned, recall = _checked(built, rows.vectors, recall_target, grown=grown)
        measured = asdict(recall) | {"rows": rows.vectors.n, "target": recall_target}
        writer.measure(index=measured)
    path = writer.work / FILE
    path.write_bytes(tuned.to_bytes())
    writer.derive(FILE, path)
    writer.remember(index={"segments": covered, "settings": asdict(tuned.settings)})
    return IndexReport(rows.vectors.n, tuned.settings.recipe, measured["recall"])


def _previous(writer: Writer, covered: list[str]) -> VectorIndex | None:
    """Read the live generation's index if the draft's rows begin with its rows; a change of encoder leaves none of them."""
    if writer.parent is None:
        return None
    known = writer.parent.manifest.state.get("index", {}).get("segments", [])
    return load_index(writer.parent) if covered[: len(known)] == known else None


def _checked(index: VectorIndex, vectors: Vectors, target: float, *, grown: bool) -> tuple[VectorIndex, Recall]:
    """Measure a grown index, and tune it unless it still does nearly what it was tuned to."""
    if grown:
        recall = measure_recall(index, vectors, sample=CHECK)
        if recall.recall >= target - SLACK:
            return index, recall
    return tune(index, vectors, target=target)


def load_index(generation: Generation) -> VectorIndex | None:
    """Read a generation's index; None when it has none, or a damaged one (the next build makes it anew)."""
    path = generation.derived(FILE)
    state = generation.manifest.state.get("index")
    if path is None or state is None:
        return None
    try:
        return VectorIndex.from_bytes(path.read_bytes(), state["settings"])
    except StoreError:
        return None
