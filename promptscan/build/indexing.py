"""The index stage: FAISS over all rows, tuned and measured against exact search; a derived file of the generation."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from promptscan.errors import StoreError
from promptscan.index import VectorIndex, build_index, measure_recall, tune
from promptscan.rows import indexed_rows
from promptscan.store import Generation, Writer

FILE = "index.faiss"
CHECK = 100  # queries that say whether a grown index still does what it was tuned to
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
    previous = load_index(writer.parent) if writer.parent else None
    built = build_index(rows.vectors, previous=previous)
    grown = (
        previous is not None and built.settings.nlist > 0 and built.settings.trained_n == previous.settings.trained_n
    )
    tuned, recall = built, measure_recall(built, rows.vectors, sample=CHECK) if grown else None
    if recall is None or recall.recall < recall_target - SLACK:
        tuned, recall = tune(built, rows.vectors, target=recall_target)
    path = writer.work / FILE
    path.write_bytes(tuned.to_bytes())
    writer.derive(FILE, path)
    writer.remember(index={"segments": covered, "settings": asdict(tuned.settings)})
    writer.measure(index=asdict(recall))
    return IndexReport(rows.vectors.n, tuned.settings.recipe, recall.recall)


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
