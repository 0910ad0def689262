"""Labelled sets, and how well groups agree with their labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from benchmarks.partitions import ari, pairs_inside
from benchmarks.peers.contestants import numbered

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts of which it is known what belongs together.

    Attributes:
        texts: as they were sent.
        gold: group of each text. int64 (n,).
    """

    texts: list[str]
    gold: Int64


def by_column(column: str) -> Callable[[Path], Labelled]:
    """Return a reader of sets whose texts are grouped by a column; rows without it are left out."""

    def read(path: Path) -> Labelled:
        rows = pq.read_table(path, columns=["text", column])
        kept = rows.filter(rows[column].is_valid())
        return Labelled(kept["text"].to_pylist(), numbered(kept[column].to_pylist()))

    return read


def by_pairs(path: Path) -> Labelled:
    """Read a set of pairs of the same thing: whatever equal texts and pairs join is one group."""
    rows = pq.read_table(path, columns=["text", "pair_id", "label"]).to_pydict()
    text = numbered(rows["text"])
    same = np.array([str(label) == "1" for label in rows["label"]])
    pair = numbered(rows["pair_id"])
    node, other = text[same], pair[same] + len(text)
    graph = coo_array((np.ones(len(node), np.int8), (node, other)), shape=(2 * len(text), 2 * len(text)))
    _, component = connected_components(graph, directed=False)
    return Labelled(rows["text"], component[text].astype(np.int64))


DUPLICATES: dict[str, Callable[[Path], Labelled]] = {
    "awesome_prompts_revs": by_column("family"),
    "promptbench_adv": by_pairs,
    "msrp_pan": by_pairs,
}
"""Three revisions of one prompt; an instruction and what attacks made of it; paraphrases, which are no copies."""

TEMPLATES: dict[str, Callable[[Path], Labelled]] = {
    "distill_pipelines": by_column("template"),
    "judge_prompts": by_column("template"),
    "webarena_templates": by_column("template"),
}
"""Texts and the template each was filled from."""


def agreement(gold: Int64, found: Int64) -> dict[str, float]:
    """Compare two groupings over all pairs of texts.

    Args:
        gold: true group of each text. int64 (n,).
        found: group of each text. int64 (n,).

    Returns:
        Precision and recall of the pairs found, and the adjusted Rand index; 1 where nothing could be missed.
    """
    common, wanted, given = pairs_inside(gold, found)
    return {
        "precision": round(common / given, 4) if given else 1.0,
        "recall": round(common / wanted, 4) if wanted else 1.0,
        "ari": round(ari(gold, found), 4),
    }
