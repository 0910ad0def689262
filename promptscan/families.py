"""families: density clusters of the neighbour graph, and texts so often repeated that they are a family by themselves."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.clustering import cluster_graph
from promptscan.graph import Graph
from promptscan.registry import Naming, name_families
from promptscan.reuse import Reuse, reuse
from promptscan.rules import FamilyRules, family_key
from promptscan.sql import literal
from promptscan.store import Writer
from promptscan.union import unite
from promptscan.vectors import Vectors

EXEMPLARS = 64  # members of a family its exemplar is chosen from
SAMPLE = 24  # members compared with the exemplar to measure template reuse
LABEL = 80  # characters

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FamiliesReport:
    """How many families there are, and how the clean texts fell: in families, or noise."""

    families: int = 0
    clustered: int = 0
    noise: int = 0
    born: int = 0


def find_families(
    writer: Writer, graph: Graph, vectors: Vectors, rules: FamilyRules, *, run_id: str, now: str
) -> FamiliesReport:
    """Cluster the draft's graph, name the clusters, and write them as a segment."""
    with writer.connect() as con:
        weights = con.execute(
            "SELECT clean_id, count(*) AS n_prompts, count(DISTINCT account_id) AS n_accounts "
            "FROM base_prompts JOIN base_text_cleans USING (text_id) GROUP BY clean_id ORDER BY clean_id"
        ).fetchnumpy()
        clustering = cluster_graph(graph, min_cluster_size=rules.min_family_size, min_samples=rules.min_samples)
        templated = _templates(con, graph.n)
        labels, with_template = unite(clustering.labels.astype(np.int64), templated, rules.min_family_size)
        copies = _copies(labels, weights, rules.min_copies)
        labels[copies] = int(labels.max(initial=-1)) + 1 + np.arange(len(copies))
        former, former_names = _former(con, graph.n)
        naming = name_families(labels, former, former_names, int(writer.manifest.state.get("next_family", 1)))
        exemplars = _exemplars(labels, vectors)
        reuses, texts = _describe(con, labels, exemplars)
        key = family_key(writer.manifest, rules)
        writer.remember(next_family=naming.next_number)
        events = _events(con, naming, run_id, now)
        writer.drop("families")
        unique = hashlib.sha256(f"{key}|{run_id}".encode()).hexdigest()  # names depend on what came before
        with writer.segment("families", key=unique, meta={"families": len(naming.names), "key": key}) as directory:
            kinds = ["template" if own else "cluster" for own in with_template] + ["copies"] * len(copies)
            _write(
                con,
                directory / "family_names.parquet",
                {
                    "family_id": pa.array(naming.names, pa.string()),
                    "label": pa.array([text[:LABEL] for text in texts], pa.string()),
                    "exemplar_text_id": _text_ids(con, exemplars),
                    "reuse": pa.array([found.share for found in reuses], pa.float64()),
                    "frame": pa.array([found.frame for found in reuses], pa.int32()),
                    "kind": pa.array(kinds, pa.string()),
                },
            )
            members = np.flatnonzero(labels >= 0)
            numbers = np.asarray([int(name[2:]) for name in naming.names], dtype=np.int64)
            own = np.where(labels >= 0, numbers[labels] if len(numbers) else -1, -1)
            np.save(directory / "numbers.npy", own.astype(np.int64), allow_pickle=False)
            probability = clustering.probabilities.astype(np.float64)
            probability[copies] = probability[templated >= 0] = 1.0  # the text itself says that it belongs
            _write(
                con,
                directory / "members.parquet",
                {
                    "clean_id": pa.array(members),
                    "family_id": pa.array(naming.names, pa.string()).take(pa.array(labels[members])),
                    "probability": pa.array(probability[members]),
                },
            )
            _write(con, directory / "family_events.parquet", events)
    born = sum(event.event == "born" for event in naming.events)
    return FamiliesReport(len(naming.names), len(members), graph.n - len(members), born)


def _copies(labels: IntArray, weights: dict[str, Any], min_copies: int) -> IntArray:
    """Find unclustered clean texts that enough prompts from enough accounts repeat."""
    often = (weights["n_prompts"] >= min_copies) & (weights["n_accounts"] >= max(2, min_copies // 4))
    candidates = np.asarray(weights["clean_id"])[often]
    return np.asarray(candidates[labels[candidates] < 0], dtype=np.int64)


def _former(con: duckdb.DuckDBPyConnection, n: int) -> tuple[IntArray, list[str]]:
    """Return each clean text's family in the last build, by index into the sorted list of their ids."""
    names = [
        row[0]
        for row in con.execute("SELECT family_id FROM base_family_names ORDER BY family_id[3:]::BIGINT").fetchall()
    ]
    members = con.execute("SELECT clean_id, family_id FROM base_members").fetchnumpy()
    former = np.full(n, -1, dtype=np.int64)
    if names and len(members["clean_id"]):
        number = {name: index for index, name in enumerate(names)}
        unique, inverse = np.unique(np.asarray(members["family_id"], dtype=object).astype(str), return_inverse=True)
        former[members["clean_id"]] = np.asarray([number[name] for name in unique])[inverse]
    return former, names


def _templates(con: duckdb.DuckDBPyConnection, n: int) -> IntArray:
    """Return the template of each clean text, numbered from 0, -1 for none."""
    rows = con.execute(
        "SELECT clean_id, dense_rank() OVER (ORDER BY template_id) - 1 AS template FROM base_template_members"
    ).fetchnumpy()
    templates = np.full(n, -1, dtype=np.int64)
    templates[np.asarray(rows["clean_id"], dtype=np.int64)] = np.asarray(rows["template"], dtype=np.int64)
    return templates


def _exemplars(labels: IntArray, vectors: Vectors) -> IntArray:
    """Choose the member nearest to the mean of a sample of each family; ties go to the lowest clean id."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(int(labels.max(initial=-1)) + 2))
    chosen = []
    for start, stop in itertools.pairwise(starts.tolist()):
        rows = _spread(order[start:stop].astype(np.int64), EXEMPLARS)
        block = vectors.take(rows)
        chosen.append(int(rows[int(np.argmax(np.round(block @ block.mean(axis=0), 6)))]))
    return np.asarray(chosen, dtype=np.int64)


def _describe(con: duckdb.DuckDBPyConnection, labels: IntArray, exemplars: IntArray) -> tuple[list[Reuse], list[str]]:
    """Return template reuse and exemplar text of each family."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(len(exemplars) + 1))
    picked = [_spread(order[starts[i] : starts[i + 1]], SAMPLE) for i in range(len(exemplars))]
    wanted = np.unique(np.concatenate([exemplars, *picked])) if len(exemplars) else np.zeros(0, dtype=np.int64)
    con.register("wanted", pa.table({"clean_id": pa.array(wanted)}))
    rows = con.execute("SELECT clean_id, clean[1:4000] FROM base_cleans SEMI JOIN wanted USING (clean_id)").fetchall()
    con.unregister("wanted")
    text = dict(rows)
    reuses = [
        reuse(text[int(exemplar)], [text[int(row)] for row in rows_of if row != exemplar])
        for exemplar, rows_of in zip(exemplars, picked, strict=True)
    ]
    return reuses, [text[int(exemplar)] for exemplar in exemplars]


def _spread(rows: IntArray, size: int) -> IntArray:
    """Take at most `size` rows, evenly spread."""
    return rows if len(rows) <= size else rows[np.linspace(0, len(rows) - 1, size).astype(np.int64)]


def _text_ids(con: duckdb.DuckDBPyConnection, cleans: IntArray) -> pa.Array:
    """Return the lowest text id of each clean text."""
    con.register("wanted", pa.table({"position": np.arange(len(cleans)), "clean_id": cleans}))
    found = con.sql(
        "SELECT min(text_id) AS text_id FROM wanted JOIN base_text_cleans USING (clean_id) GROUP BY position ORDER BY position"
    ).to_arrow_table()
    con.unregister("wanted")
    return found["text_id"].combine_chunks()


def _events(con: duckdb.DuckDBPyConnection, naming: Naming, run_id: str, now: str) -> dict[str, pa.Array]:
    """Append this build's events to those on record."""
    before = con.sql(
        "SELECT run_id, strftime(ts, '%Y-%m-%dT%H:%M:%S') AS ts, family_id, event, other_family_id FROM base_family_events"
    ).to_arrow_table()
    columns: dict[str, Sequence[Any]] = {
        "run_id": [run_id] * len(naming.events),
        "ts": [now] * len(naming.events),
        "family_id": [event.family_id for event in naming.events],
        "event": [event.event.value for event in naming.events],
        "other_family_id": [event.other for event in naming.events],
    }
    merged = {
        name: pa.concat_arrays([*before[name].chunks, pa.array(values, pa.string())])
        for name, values in columns.items()
    }
    merged["ts"] = merged["ts"].cast(pa.timestamp("us"))
    return merged


def _write(con: duckdb.DuckDBPyConnection, path: Path, columns: dict[str, pa.Array]) -> None:
    con.register("rows_to_write", pa.table(columns))
    con.execute(
        f"COPY (FROM rows_to_write) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 8192)"
    )
    con.unregister("rows_to_write")
