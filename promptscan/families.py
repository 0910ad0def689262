"""families: density clusters of the neighbour graph, and texts so often repeated that they are a family by themselves."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.assign import followed
from promptscan.graph import Graph
from promptscan.hierarchy import family_nodes
from promptscan.labelling import MEMBERS, label_families
from promptscan.membership import Groupings, Membership, find_all, find_new, renumbered
from promptscan.registry import Event, FamilyEvent, Naming, fall_quiet, family_name, name_families
from promptscan.reuse import Reuse, reuse
from promptscan.rules import FamilyRules, family_key
from promptscan.sql import literal
from promptscan.store import Writer
from promptscan.vectors import Vectors

EXEMPLARS = 64  # members of a family its exemplar is chosen from
SAMPLE = 24  # members compared with the exemplar to measure template reuse
PROBE_MEMBERS = "base_template_members LEFT JOIN base_template_probes USING (template_id)"
ALIKE = 1e-4  # spread of the vectors below which nearness says nothing: they are the same up to rounding
DOUBLED = 2  # times the texts that were clustered together last

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FamiliesReport:
    """How many families there are, and how the clean texts fell: in families, or noise."""

    families: int = 0
    clustered: int = 0
    noise: int = 0
    born: int = 0
    whole: bool = True  # whether all texts were clustered, or only what no known family took
    alike: bool = False  # whether all vectors are the same, so that nothing was clustered by them


@dataclass(frozen=True, slots=True)
class _Former:
    """The families of the last build.

    Attributes:
        names: their ids, by number, and then those of retired families.
        membership: of the texts there were then, and of the new ones as noise; its families are numbered like the names.
        retired: int64 (n,), index of the retired family that each text was last in, -1 for none.
        n: texts there were then.
    """

    names: list[str]
    membership: Membership
    retired: IntArray
    n: int


def find_families(
    writer: Writer,
    graph: Graph,
    vectors: Vectors,
    rules: FamilyRules,
    *,
    run_id: str,
    now: str,
    recluster: bool = False,
) -> FamiliesReport:
    """Find the draft's families, name them, and write them as a segment.

    Known families take in what is theirs, and only the rest is clustered; all texts are when `recluster` says so, when the rules
    are others, and when there are twice as many texts as the last time. Where all vectors are the same, as those of a broken
    encoder, families come from templates and duplicates alone: else everything would be one family.
    """
    alike = graph.n >= rules.min_family_size and vectors.spread() < ALIKE
    graph = graph.unlinked() if alike else graph
    with writer.connect() as con:
        weights = con.execute(
            "SELECT clean_id, count(*) AS n_prompts, count(DISTINCT account_id) AS n_accounts, max(ts) AS last_ts "
            "FROM base_prompts JOIN base_text_cleans USING (text_id) GROUP BY clean_id ORDER BY clean_id"
        ).fetchnumpy()
        templates = _numbered(con, "template_id", "base_template_members", graph.n)
        former = _former(writer, con, templates)
        probes = _numbered(con, "coalesce(probe_id, template_id)", PROBE_MEMBERS, graph.n)
        duplicates = _numbered(con, "duplicate_id", "base_duplicate_members", graph.n)
        groups = Groupings(_units(templates, duplicates), duplicates, _units(probes, duplicates))
        basis = _basis(writer, rules)
        before = writer.manifest.of_kind("families")
        clustered_n = int(before[0].meta["clustered_n"]) if before and not recluster else 0
        whole = not clustered_n or before[0].meta["basis"] != basis or graph.n >= DOUBLED * clustered_n
        if whole:
            found, clustered_n = find_all(graph, groups.probes, rules), graph.n
        else:
            found = find_new(graph, former.membership, groups, rules, first_new=former.n)
        labels, probability = found.labels, found.probabilities
        copies = _copies(labels, weights, rules.min_copies)
        labels[copies] = found.families + np.arange(len(copies))
        probability[copies] = 1.0
        known = np.where(former.membership.labels >= 0, former.membership.labels, former.retired)[: former.n]
        retired = frozenset(former.names[former.membership.families :])
        next_number = int(writer.manifest.state.get("next_family", 1))
        naming = name_families(labels, known, former.names, next_number, retired=retired)
        exemplars = _exemplars(labels, vectors)
        reuses, texts, samples = _describe(con, labels, exemplars)
        called = label_families(con, labels, naming.names, texts, samples)
        key = family_key(writer.manifest, rules)
        writer.remember(next_family=naming.next_number)
        changes = [*naming.events, *_quiet(con, naming, labels, weights)]
        events = _events(con, changes, run_id, now)
        writer.drop("families")
        unique = hashlib.sha256(f"{key}|{run_id}".encode()).hexdigest()  # names depend on what came before
        meta = {"families": len(naming.names), "key": key, "clustered_n": clustered_n, "basis": basis}
        kinds = _kinds(labels, len(naming.names), templates, duplicates)
        with writer.segment("families", key=unique, meta=meta) as directory:
            _write(
                con,
                directory / "family_names.parquet",
                {
                    "family_id": pa.array(naming.names, pa.string()),
                    "label": pa.array(called, pa.string()),
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
            np.save(directory / "reach.npy", found.reach, allow_pickle=False)
            np.save(directory / "retired.npy", _retired(labels, known, former.names, numbers), allow_pickle=False)
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
            _write(con, directory / "family_nodes.parquet", _nodes(con, found, labels, naming.names))
    born = sum(event.event == "born" for event in naming.events)
    return FamiliesReport(len(naming.names), len(members), graph.n - len(members), born, whole, alike)


def _basis(writer: Writer, rules: FamilyRules) -> str:
    """Digest what makes known families no longer those of the settings when it changes."""
    rates = sorted({segment.meta["rate"] for segment in writer.manifest.of_kind("templates")})
    return hashlib.sha256(json.dumps([astuple(rules), rates]).encode()).hexdigest()


def _units(templates: IntArray, duplicates: IntArray) -> IntArray:
    """Number what holds texts together whatever their vectors: templates (or probes), and duplicate groups that are of none."""
    units = np.where(templates >= 0, templates, followed(duplicates, templates))
    alone = (units < 0) & (duplicates >= 0)
    units[alone] = int(templates.max(initial=-1)) + 1 + duplicates[alone]
    return renumbered(units)


def _kinds(labels: IntArray, families: int, templates: IntArray, duplicates: IntArray) -> list[str]:
    """Name what each family is: with a template, one text or copies of it, or a density cluster."""
    inside = np.flatnonzero(labels >= 0)
    templated = np.zeros(families, dtype=bool)
    templated[labels[inside[templates[inside] >= 0]]] = True
    sizes = np.bincount(labels[inside], minlength=families)
    groups = np.unique(np.stack([labels[inside], np.where(duplicates[inside] >= 0, duplicates[inside], -1)]), axis=1)
    one_group = np.bincount(groups[0], minlength=families) == 1
    one_group &= np.bincount(groups[0], groups[1] >= 0, families) == 1
    return [
        "template" if own else "copies" if size == 1 or same else "cluster"
        for own, size, same in zip(templated.tolist(), sizes.tolist(), one_group.tolist(), strict=True)
    ]


def _copies(labels: IntArray, weights: dict[str, Any], min_copies: int) -> IntArray:
    """Find unclustered clean texts that enough prompts from enough accounts repeat."""
    often = (weights["n_prompts"] >= min_copies) & (weights["n_accounts"] >= max(2, min_copies // 4))
    candidates = np.asarray(weights["clean_id"])[often]
    return np.asarray(candidates[labels[candidates] < 0], dtype=np.int64)


def _former(writer: Writer, con: duckdb.DuckDBPyConnection, templates: IntArray) -> _Former:
    """Read the families of the last build."""
    n = len(templates)
    names = con.execute("SELECT family_id FROM base_family_names ORDER BY family_id[3:]::BIGINT").fetchnumpy()[
        "family_id"
    ]
    rows = con.execute("SELECT clean_id, family_id[3:]::BIGINT AS number, probability FROM base_members").fetchnumpy()
    labels, probabilities = np.full(n, -1, dtype=np.int64), np.zeros(n)
    numbers = np.asarray([int(name[2:]) for name in names], dtype=np.int64)
    labels[rows["clean_id"]] = np.searchsorted(numbers, rows["number"])
    probabilities[rows["clean_id"]] = rows["probability"]
    reach, retired, known = np.zeros(n, dtype=np.float32), np.full(n, -1, dtype=np.int64), 0
    for segment in writer.manifest.of_kind("families"):
        before = np.load(writer.verified(segment.file("reach.npy")), allow_pickle=False)
        known = len(before)
        reach[:known] = before
        retired[:known] = np.load(writer.verified(segment.file("retired.npy")), allow_pickle=False)
    gone = np.unique(retired[retired >= 0])
    retired = np.where(retired >= 0, len(names) + np.searchsorted(gone, retired), -1)
    with_template = np.zeros(len(names), dtype=bool)
    with_template[labels[(labels >= 0) & (templates >= 0)]] = True
    every = [*(str(name) for name in names), *(family_name(number) for number in gone.tolist())]
    return _Former(every, Membership(labels, probabilities, reach, with_template), retired, known)


def _retired(labels: IntArray, known: IntArray, former_names: list[str], numbers: IntArray) -> IntArray:
    """Return the number of the family that each text without one was last in, if nothing else is left of it; else -1."""
    former = np.concatenate([known, np.full(len(labels) - len(known), -1, dtype=np.int64)])
    former_numbers = np.asarray(
        [*(int(name[2:]) for name in former_names), -1], dtype=np.int64
    )  # the last is read by -1
    retired = np.where(labels < 0, former_numbers[former], -1)
    return np.where(np.isin(retired, numbers), -1, retired)


def _quiet(
    con: duckdb.DuckDBPyConnection, naming: Naming, labels: IntArray, weights: dict[str, Any]
) -> list[FamilyEvent]:
    """Tell which families fell quiet or are sent again."""
    when = np.ma.filled(np.ma.asarray(weights["last_ts"]), np.datetime64("NaT")).astype("datetime64[us]")
    own = labels[np.asarray(weights["clean_id"])]
    timed = (own >= 0) & ~np.isnat(when)
    last = np.full(len(naming.names), np.datetime64("NaT"), "datetime64[us]")
    order = np.argsort(when[timed], kind="stable")
    last[own[timed][order]] = when[timed][order]  # the last one stays
    if np.isnat(when).all():
        return []
    returned = {event.family_id for event in naming.events if event.event is Event.RETURNED}
    rows = con.execute(
        "SELECT family_id FROM base_family_events WHERE event IN ('dormant', 'returned') "
        "GROUP BY family_id HAVING arg_max(event, (ts, run_id)) = 'dormant'"
    ).fetchall()
    return fall_quiet(naming.names, last, np.nanmax(when), {name for (name,) in rows} - returned)


def _numbered(con: duckdb.DuckDBPyConnection, name: str, table: str, n: int) -> IntArray:
    """Return which group of a table each clean text is in, numbered from 0, -1 for none."""
    rows = con.execute(f"SELECT clean_id, dense_rank() OVER (ORDER BY {name}) - 1 AS number FROM {table}").fetchnumpy()
    numbers = np.full(n, -1, dtype=np.int64)
    numbers[np.asarray(rows["clean_id"], dtype=np.int64)] = np.asarray(rows["number"], dtype=np.int64)
    return numbers


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


def _describe(
    con: duckdb.DuckDBPyConnection, labels: IntArray, exemplars: IntArray
) -> tuple[list[Reuse], list[str], list[list[str]]]:
    """Return template reuse, exemplar text and a few texts of each family."""
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
    samples = [[text[int(row)] for row in _spread(rows_of, MEMBERS)] for rows_of in picked]
    return reuses, [text[int(exemplar)] for exemplar in exemplars], samples


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


def _events(
    con: duckdb.DuckDBPyConnection, events: Sequence[FamilyEvent], run_id: str, now: str
) -> dict[str, pa.Array]:
    """Append this build's events to those on record."""
    before = con.sql(
        "SELECT run_id, strftime(ts, '%Y-%m-%dT%H:%M:%S') AS ts, family_id, event, other_family_id, n_before, n_texts, n_shared "
        "FROM base_family_events"
    ).to_arrow_table()
    columns: dict[str, Sequence[Any]] = {
        "run_id": [run_id] * len(events),
        "ts": [now] * len(events),
        "family_id": [event.family_id for event in events],
        "event": [event.event.value for event in events],
        "other_family_id": [event.other for event in events],
        "n_before": [event.n_before for event in events],
        "n_texts": [event.n_texts for event in events],
        "n_shared": [event.n_shared for event in events],
    }
    merged = {
        name: pa.concat_arrays([*before[name].chunks, pa.array(values, before[name].type)])
        for name, values in columns.items()
    }
    merged["ts"] = merged["ts"].cast(pa.timestamp("us"))
    return merged


def _nodes(
    con: duckdb.DuckDBPyConnection, found: Membership, labels: IntArray, names: Sequence[str]
) -> dict[str, pa.Array]:
    """Return the hierarchy of this clustering, or that of the last one of all texts."""
    if found.tree is not None:
        table = family_nodes(found.tree, labels, names)
    else:
        table = con.sql("FROM base_family_nodes ORDER BY node").to_arrow_table()
    return {name: table[name].combine_chunks() for name in table.column_names}


def _write(con: duckdb.DuckDBPyConnection, path: Path, columns: dict[str, pa.Array]) -> None:
    con.register("rows_to_write", pa.table(columns))
    con.execute(
        f"COPY (FROM rows_to_write) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 8192)"
    )
    con.unregister("rows_to_write")
