"""Which HDBSCAN settings find families: pair precision and recall on prompts with known families.

    python benchmarks/clustering.py --data PATH --encoder MODEL

PATH holds any of: `sim/log.parquet` (prompt_id, text) with `sim/truth.parquet` (prompt_id, label, campaign_id, family_id), and
`*.parquet` with the columns text and family (null: background). MODEL is a model2vec folder or name. Pure: share of the clustered texts that are of the largest family of their cluster
(background counts against it). A wrong pair is any two texts of a cluster that are not of one family. Results go to stdout.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from promptscan.cells import update_cells
from promptscan.clustering import cluster_graph
from promptscan.graph import Graph
from promptscan.neighbours import K, extend_graph
from promptscan.vectors import Vectors, unit

PUBLISHED = ("distill_pipelines", "t0_templates", "sharegpt_sample1k")
DEFAULT: dict[str, float | None] = {"min_cluster_size": 5, "min_samples": 5, "floor": 0.1, "cap": 0.5}
SWEEPS: dict[str, tuple[float | None, ...]] = {
    "cap": (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, None),
    "min_samples": (1, 3, 5, 8, 12),
    "min_cluster_size": (3, 5, 8, 12),
    "floor": (0.001, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3),
}


def main() -> None:
    """Embed, build the graph once per data set, and print one row per setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", required=True)
    arguments = parser.parse_args()
    from model2vec import StaticModel

    model = StaticModel.from_pretrained(arguments.encoder)
    for name, texts, families in data_sets(arguments.data):
        rows = unit(model.encode(texts)).astype(np.float16)
        vectors = Vectors([rows])
        start = time.perf_counter()
        graph = Graph.of([extend_graph(vectors, None, cells=update_cells(vectors))], k=K)
        seconds = time.perf_counter() - start
        print(f"\n{name}: {len(texts)} distinct texts, {(families >= 0).sum()} in families, graph in {seconds:.0f} s")
        print(
            "| setting | clusters | pure | pair precision | pair recall | families clustered | background clustered | seconds |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for setting in settings():
            print(row(graph, families, setting), flush=True)


def data_sets(folder: Path) -> Iterator[tuple[str, list[str], NDArray[np.int64]]]:
    """Name, distinct texts and the family of each (-1: background)."""
    if (folder / "sim" / "log.parquet").exists():
        log = pq.read_table(folder / "sim" / "log.parquet", columns=["prompt_id", "text"])
        truth = pq.read_table(folder / "sim" / "truth.parquet", columns=["prompt_id", "label", "family_id"])
        joined = log.join(truth, "prompt_id").select(["text", "label", "family_id"]).to_pydict()
        shared = [label in ("campaign", "benign_app", "popular_template") for label in joined["label"]]
        known = [f if s else None for f, s in zip(joined["family_id"], shared, strict=True)]
        yield "sim", *distinct(joined["text"], known)
    texts: list[str] = []
    families: list[object] = []
    for name in PUBLISHED:
        if (folder / f"{name}.parquet").exists():
            table = pq.read_table(folder / f"{name}.parquet", columns=["text", "family"])
            texts += table["text"].to_pylist()
            families += [
                None if f is None or name == PUBLISHED[-1] else f"{name}:{f}" for f in table["family"].to_pylist()
            ]
    if texts:
        yield "published", *distinct(texts, families)


def distinct(texts: list[str], families: list[object]) -> tuple[list[str], NDArray[np.int64]]:
    """Distinct texts in order of appearance, and the number of the family each was first seen in."""
    first: dict[str, object] = {}
    for text, family in zip(texts, families, strict=True):
        first.setdefault(text, family if isinstance(family, str) else None)
    number = {family: i for i, family in enumerate(sorted({f for f in first.values() if isinstance(f, str)}))}
    return list(first), np.array([number.get(f, -1) for f in first.values()], dtype=np.int64)  # type: ignore[call-overload]


def settings() -> Iterator[dict[str, float | None]]:
    """The default, and every sweep of one setting around it."""
    yield DEFAULT
    for name, values in SWEEPS.items():
        yield from ({**DEFAULT, name: value} for value in values if value != DEFAULT[name])


def row(graph: Graph, families: NDArray[np.int64], setting: dict[str, float | None]) -> str:
    """Cluster with one setting; a row of the table."""
    start = time.perf_counter()
    labels = cluster_graph(graph, **setting).labels  # type: ignore[arg-type]
    seconds = time.perf_counter() - start
    known, clustered = families >= 0, labels >= 0
    both = pairs(labels[known & clustered].astype(np.int64) * (families.max() + 1) + families[known & clustered])
    precision = both / max(
        1, pairs(labels[clustered].astype(np.int64))
    )  # a pair with a background text is a wrong pair
    recall = both / max(1, pairs(families[known]))
    joint, counts = np.unique(np.column_stack([labels, families])[clustered & known], axis=0, return_counts=True)
    largest = np.zeros(int(labels.max()) + 1)
    np.maximum.at(largest, joint[:, 0], counts)
    pure = largest.sum() / max(1, clustered.sum())
    changed = ", ".join(f"{k} {v}" for k, v in setting.items() if v != DEFAULT[k]) or f"default {DEFAULT}"
    shares = f"{clustered[known].mean():.3f} | {clustered[~known].mean():.3f}"
    return (
        f"| {changed} | {labels.max() + 1} | {pure:.3f} | {precision:.3f} | {recall:.3f} | {shares} | {seconds:.1f} |"
    )


def pairs(groups: NDArray[np.int64]) -> int:
    """Number of pairs of rows in the same group."""
    _, counts = np.unique(groups, return_counts=True)
    return int((counts * (counts - 1) // 2).sum())


if __name__ == "__main__":
    main()
