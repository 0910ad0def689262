"""families: density clusters of the neighbour graph, and texts so often repeated that they are a family by themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from promptscan.assign import followed
from promptscan.cleans import CleanTexts
from promptscan.graph import Graph
from promptscan.hierarchy import family_nodes
from promptscan.labelling import label_families
from promptscan.membership import Groupings, Membership, find_all, find_new, renumbered
from promptscan.portraits import draw, portray, resampled, touched
from promptscan.regions import Regions, find_regions, grown_rows
from promptscan.registry import Event, FamilyEvent, Naming, fall_quiet, family_name, name_families
from promptscan.rules import FamilyRules, family_key
from promptscan.sent import Sent, count_sent, counted
from promptscan.sql import arrow, literal
from promptscan.store import Segment, Writer
from promptscan.vectors import Vectors

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
        numbers: int64 (n,), number of each text's family, -1 for none.
        regions: int32 (n,), region of the graph that each text is in; None where that is not known.
    """

    names: list[str]
    membership: Membership
    retired: IntArray
    n: int
    numbers: IntArray
    regions: Regions | None


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
        sent = count_sent(writer, con, graph.n)
        templates = _numbered(con, "template_id", "base_template_members", graph.n)
        former = _former(writer, con, templates)
        probes = _numbered(con, "coalesce(probe_id, template_id)", PROBE_MEMBERS, graph.n)
        duplicates = _numbered(con, "duplicate_id", "base_duplicate_members", graph.n)
        groups = Groupings(_units(templates, duplicates), duplicates, _units(probes, duplicates))
        basis = _basis(writer, rules)
        before = writer.manifest.of_kind("families")
        clustered_n = int(before[0].meta["clustered_n"]) if before and not recluster else 0
        whole = not clustered_n or before[0].meta["basis"] != basis or graph.n >= DOUBLED * clustered_n
        regions = find_regions(graph, groups.probes, None if whole else former.regions)
        if whole:
            found, clustered_n = find_all(graph, groups.probes, rules), graph.n
        else:
            stale = grown_rows(regions, former.n)
            found = find_new(graph, former.membership, groups, rules, first_new=former.n, stale=stale)
        labels, probability = found.labels, found.probabilities
        copies = _copies(labels, sent, rules.min_copies)
        labels[copies] = found.families + np.arange(len(copies))
        probability[copies] = 1.0
        known = np.where(former.membership.labels >= 0, former.membership.labels, former.retired)[: former.n]
        retired = frozenset(former.names[former.membership.families :])
        next_number = int(writer.manifest.state.get("next_family", 1))
        naming = name_families(labels, known, former.names, next_number, retired=retired)
        numbers = np.asarray([int(name[2:]) for name in naming.names], dtype=np.int64)
        own = np.where(labels >= 0, numbers[labels] if len(numbers) else -1, -1).astype(np.int64)
        described = _described(writer, con, former, own, naming.names, vectors, whole=whole)
        key = family_key(writer.manifest, rules)
        writer.remember(next_family=naming.next_number)
        changes = [*naming.events, *_quiet(con, naming, labels, sent)]
        events = _events(con, changes, run_id, now)
        nodes = _nodes(con, found, labels, naming.names)
        writer.drop("families")
        unique = hashlib.sha256(f"{key}|{run_id}".encode()).hexdigest()  # names depend on what came before
        meta = {"families": len(naming.names), "key": key, "clustered_n": clustered_n, "basis": basis}
        meta["counted"] = counted(writer)
        kinds = _kinds(labels, len(naming.names), templates, duplicates)
        members = np.flatnonzero(labels >= 0)
        with writer.segment("families", key=unique, meta=meta) as directory:
            _write(con, directory / "family_names.parquet", described | {"kind": pa.array(kinds, pa.string())})
            for name, array in (
                ("numbers", own),
                ("reach", found.reach),
                ("regions", regions),
                ("retired", _retired(labels, known, former.names, numbers)),
            ):
                np.save(directory / f"{name}.npy", array, allow_pickle=False)
            sent.save(directory)
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
            _write(con, directory / "family_nodes.parquet", nodes)
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
    width = int(duplicates.max(initial=-1)) + 2
    family, group = np.divmod(np.unique(labels[inside] * width + duplicates[inside] + 1), width)
    one_group = np.bincount(family, minlength=families) == 1
    one_group &= np.bincount(family, group > 0, families) == 1
    return [
        "template" if own else "copies" if size == 1 or same else "cluster"
        for own, size, same in zip(templated.tolist(), sizes.tolist(), one_group.tolist(), strict=True)
    ]


def _copies(labels: IntArray, sent: Sent, min_copies: int) -> IntArray:
    """Find unclustered clean texts that enough prompts from enough accounts repeat."""
    often = (sent.prompts >= min_copies) & (sent.accounts >= max(2, min_copies // 4))
    return np.flatnonzero(often & (labels < 0))


def _former(writer: Writer, con: duckdb.DuckDBPyConnection, templates: IntArray) -> _Former:
    """Read the families of the last build."""
    n = len(templates)
    query = "SELECT family_id FROM base_family_names ORDER BY family_id[3:]::BIGINT"
    names = [str(name) for (name,) in con.execute(query).fetchall()]
    numbers = np.asarray([int(name[2:]) for name in names], dtype=np.int64)
    labels, probabilities = np.full(n, -1, dtype=np.int64), np.zeros(n)
    reach, retired = np.zeros(n, dtype=np.float32), np.full(n, -1, dtype=np.int64)
    own, regions, known = np.zeros(0, dtype=np.int64), None, 0
    for segment in writer.manifest.of_kind("families"):
        load = partial(_array, writer, segment)
        own, before = load("numbers"), load("reach")
        regions = load("regions") if segment.has("regions.npy") else None
        known = len(before)
        reach[:known], retired[:known] = before, load("retired")
        labels[:known] = np.where(own >= 0, np.searchsorted(numbers, own), -1)
        rows = con.execute("SELECT clean_id, probability FROM base_members").fetchnumpy()
        probabilities[rows["clean_id"]] = rows["probability"]
    gone = np.unique(retired[retired >= 0])
    retired = np.where(retired >= 0, len(names) + np.searchsorted(gone, retired), -1)
    with_template = np.zeros(len(names), dtype=bool)
    with_template[labels[(labels >= 0) & (templates >= 0)]] = True
    every = [*names, *(family_name(number) for number in gone.tolist())]
    return _Former(every, Membership(labels, probabilities, reach, with_template), retired, known, own, regions)


def _array(writer: Writer, segment: Segment, name: str) -> NDArray[Any]:
    loaded: NDArray[Any] = np.load(writer.verified(segment.file(f"{name}.npy")), allow_pickle=False)
    return loaded


def _described(
    writer: Writer,
    con: duckdb.DuckDBPyConnection,
    former: _Former,
    numbers: IntArray,
    names: Sequence[str],
    vectors: Vectors,
    *,
    whole: bool,
) -> dict[str, pa.Array]:
    """Describe the families, given their number for each text, int64 (n,); the same sample keeps what was made from it."""
    families = np.unique(numbers[numbers >= 0])
    before = np.concatenate([former.numbers, np.full(len(numbers) - former.n, -1, dtype=np.int64)])
    changed = touched(before, numbers)
    changed = changed[np.isin(changed, families)]
    fresh = families if whole else changed[resampled(before, numbers, changed)]
    portraits = dict(zip(fresh.tolist(), portray(draw(numbers, fresh), vectors, CleanTexts(writer)), strict=True))
    called = label_families(writer, con, numbers, families if whole else changed, portraits)
    firsts = np.concatenate([_array(writer, segment, "first_texts") for segment in writer.manifest.of_kind("cleans")])
    query = "SELECT family_id, label, exemplar_text_id, reuse, frame FROM base_family_names"
    kept = {row[0]: row[1:] for row in con.execute(query).fetchall()}
    rows = []
    for name in names:
        number = int(name[2:])
        if portrait := portraits.get(number):
            label, alike = called.get(number, ""), portrait.reuse
            rows.append((label, int(firsts[portrait.exemplar]), alike.share, alike.frame))
        else:
            rows.append((called.get(number, kept[name][0]), *kept[name][1:]))
    columns = ("label", pa.string()), ("exemplar_text_id", pa.int64()), ("reuse", pa.float64()), ("frame", pa.int32())
    found = {"family_id": pa.array(names, pa.string())}
    return found | {name: pa.array([row[at] for row in rows], kind) for at, (name, kind) in enumerate(columns)}


def _retired(labels: IntArray, known: IntArray, former_names: list[str], numbers: IntArray) -> IntArray:
    """Return the number of the family that each text without one was last in, if nothing else is left of it; else -1."""
    former = np.concatenate([known, np.full(len(labels) - len(known), -1, dtype=np.int64)])
    former_numbers = np.asarray(
        [*(int(name[2:]) for name in former_names), -1], dtype=np.int64
    )  # the last is read by -1
    retired = np.where(labels < 0, former_numbers[former], -1)
    return np.where(np.isin(retired, numbers), -1, retired)


def _quiet(con: duckdb.DuckDBPyConnection, naming: Naming, labels: IntArray, sent: Sent) -> list[FamilyEvent]:
    """Tell which families fell quiet or are sent again."""
    timed = np.flatnonzero((labels >= 0) & ~np.isnat(sent.last))
    if np.isnat(sent.last).all():
        return []
    latest = np.full(len(naming.names), np.iinfo(np.int64).min)  # NaT
    np.maximum.at(latest, labels[timed], sent.last[timed].astype(np.int64))
    last = latest.view("datetime64[us]")
    returned = {event.family_id for event in naming.events if event.event is Event.RETURNED}
    rows = con.execute(
        "SELECT family_id FROM base_family_events WHERE event IN ('dormant', 'returned') "
        "GROUP BY family_id HAVING arg_max(event, (ts, run_id)) = 'dormant'"
    ).fetchall()
    return fall_quiet(naming.names, last, np.nanmax(sent.last), {name for (name,) in rows} - returned)


def _numbered(con: duckdb.DuckDBPyConnection, name: str, table: str, n: int) -> IntArray:
    """Return which group of a table each clean text is in, numbered from 0 in the order of their names, -1 for none."""
    rows = arrow(con, f"SELECT clean_id, {name} AS name FROM {table}")
    encoded = rows["name"].combine_chunks().dictionary_encode()
    rank = pc.rank(encoded.dictionary).to_numpy().astype(np.int64) - 1
    numbers = np.full(n, -1, dtype=np.int64)
    numbers[rows["clean_id"].to_numpy()] = rank[encoded.indices.to_numpy()] if len(rows) else -1
    return numbers


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
