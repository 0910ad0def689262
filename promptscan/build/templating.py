"""The duplicates and templates stage: candidate pairs from both views, verified on text, grouped, and explained by slots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.build.graph import load_graph
from promptscan.fingerprint import Fingerprints
from promptscan.groups import Groups, duplicate_groups
from promptscan.postings import candidate_pairs
from promptscan.rules import template_key
from promptscan.skeleton import find_template
from promptscan.slots import describe_slot
from promptscan.sql import LOOKUP_GROUP, arrow, copy_parquet
from promptscan.store import Writer
from promptscan.templates import Template, slot_values
from promptscan.types import Progress
from promptscan.verify import Edges, Relation, similarity, verify_pairs

NEAR = 0.5  # chord, cosine 0.875: neighbours from here on are candidates too
NEAREST = 4  # of them; groups need a way to each other, not every pair
BUCKET = 4  # texts of one fingerprint that are all compared with all; more are compared with two of them
DUPLICATE = 0.8  # Indel similarity of characters that makes two texts duplicates
SAME_FRAME = (
    0.5  # share of the shorter text's words in passages of both that makes two texts candidates for one template
)
MEMBERS = 3  # texts a template needs at least

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TemplatesReport:
    """What was compared and found: pairs, duplicate groups and the texts in them, templates and theirs."""

    pairs: int = 0
    groups: int = 0
    duplicates: int = 0
    templates: int = 0
    templated: int = 0


@dataclass(slots=True)
class _Found:
    """Templates while they are collected, as columns."""

    forms: list[tuple[str, str, int, float]] = field(default_factory=list)
    slots: list[tuple[str, int, str, int, float]] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)
    values: list[tuple[str, int, int, str]] = field(default_factory=list)


def find_templates(writer: Writer, *, progress: Progress) -> TemplatesReport:
    """Group the draft's clean texts and find their templates, and write both as segments."""
    key = template_key(writer.manifest)
    with writer.connect() as con:
        texts = arrow(con, "SELECT clean FROM base_cleans ORDER BY clean_id")["clean"].to_pylist()
        a, b = _candidates(writer)
        progress("templates", 0, len(a))
        edges = verify_pairs(texts, a, b)
        progress("templates", len(a), len(a))
        groups = duplicate_groups(
            len(texts),
            edges.at_least({Relation.COPY: 1.0, Relation.EDIT: DUPLICATE}),
            lambda x, y: similarity(texts, x, y),
            min_score=DUPLICATE,
        )
        frames = _frames(texts, edges)
        found = _templates(texts, frames)
        writer.drop("duplicates")
        with writer.segment("duplicates", key=key, meta={"key": key}) as directory:
            _write_groups(con, groups, directory)
        writer.drop("templates")
        with writer.segment("templates", key=key, meta={"key": key}) as directory:
            _write_templates(con, found, directory)
    grouped = int((groups.labels >= 0).sum())
    return TemplatesReport(len(a), len(groups.medoids), grouped, len(found.forms), len(found.texts))


def _candidates(writer: Writer) -> tuple[Int64, Int64]:
    """Propose pairs: texts that share fingerprints, and near neighbours."""
    hashes, owners = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for segment in writer.manifest.of_kind("fingerprints"):
        loaded = {
            name: np.load(writer.verified(segment.file(f"{name}.npy")), mmap_mode="r", allow_pickle=False)
            for name in ("hashes", "indptr", "texts")
        }
        hashes.append(np.repeat(loaded["hashes"], np.diff(loaded["indptr"])))
        owners.append(loaded["texts"].astype(np.int64))
    all_hashes, all_owners = np.concatenate(hashes), np.concatenate(owners)
    order = np.argsort(all_owners, kind="stable")
    lexical = candidate_pairs(
        Fingerprints(all_hashes[order], all_owners[order], np.zeros(len(order), dtype=np.int32)), max_bucket=BUCKET
    )
    graph = load_graph(writer)
    source, column = np.nonzero(graph.distances[:, :NEAREST] <= NEAR)
    x, y = source.astype(np.int64), graph.neighbours[source, column].astype(np.int64)
    pairs = np.concatenate(
        [np.stack([lexical.a, lexical.b], axis=1), np.stack([np.minimum(x, y), np.maximum(x, y)], axis=1)]
    )
    pairs = np.unique(pairs, axis=0)
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])


def _frames(texts: Sequence[str], edges: Edges) -> Groups:
    """Group texts that share a frame: copies, edits, and texts with enough passages in common."""

    def alike(x: Int64, y: Int64) -> NDArray[np.float32]:
        compared = verify_pairs(texts, x, y)
        return np.where(compared.kind <= Relation.TEMPLATE, compared.score, np.float32(0))

    kept = edges.at_least(
        {Relation.COPY: 1.0, Relation.EDIT: SAME_FRAME, Relation.CONTAIN: 0.0, Relation.TEMPLATE: SAME_FRAME}
    )
    return duplicate_groups(len(texts), kept, alike, min_score=SAME_FRAME, floor=SAME_FRAME)


def _templates(texts: Sequence[str], frames: Groups) -> _Found:
    """Find the template of each group of at least three texts, and what its texts have in the slots."""
    found = _Found()
    for members, medoid in _members(frames):
        if len(members) < MEMBERS:
            continue
        own = [texts[member] for member in members]
        template = find_template(own, medoid)
        if template is None or not template.slots:
            continue
        _add(found, f"T-{int(members[0])}", template, members, slot_values(template, own))
    return found


def _members(groups: Groups) -> Iterator[tuple[Int64, int]]:
    """Yield the texts of each group, ascending, and the place of its medoid among them."""
    order = np.argsort(groups.labels, kind="stable")
    starts = np.searchsorted(groups.labels[order], np.arange(len(groups.medoids) + 1))
    for number, medoid in enumerate(groups.medoids):
        members = order[starts[number] : starts[number + 1]].astype(np.int64)
        yield members, int(np.searchsorted(members, medoid))


def _add(found: _Found, name: str, template: Template, members: Int64, values: Sequence[list[str] | None]) -> None:
    matched = [(int(member), own) for member, own in zip(members, values, strict=True) if own is not None]
    if len(matched) < MEMBERS:
        return
    slots = [describe_slot([own[place] for _, own in matched]) for place in range(len(template.slots))]
    found.forms.append((name, str(template), len(slots), template.compression))
    found.slots += [
        (name, number, slot.type.value, slot.n_values, slot.entropy) for number, slot in enumerate(slots, 1)
    ]
    found.texts += [(member, name) for member, _ in matched]
    found.values += [(name, number, member, value) for member, own in matched for number, value in enumerate(own, 1)]


def _write_groups(con: duckdb.DuckDBPyConnection, groups: Groups, directory: Path) -> None:
    """Write duplicate groups for the texts of their clean texts."""
    members = np.flatnonzero(groups.labels >= 0)
    con.register("grouped", pa.table({"clean_id": members, "duplicate_id": groups.labels[members]}))
    con.register(
        "medoids",
        pa.table(
            {
                "clean_id": groups.medoids,
                "duplicate_id": np.arange(len(groups.medoids)),
                "worst_score": groups.worst.astype(np.float64),
            }
        ),
    )
    member_rows = (
        "SELECT c.text_id, g.duplicate_id FROM grouped g JOIN base_text_cleans c USING (clean_id) ORDER BY c.text_id"
    )
    copy_parquet(con, member_rows, directory / "duplicate_members.parquet", group=LOOKUP_GROUP)
    group_rows = (
        "SELECT m.duplicate_id, min(c.text_id) AS medoid_text_id, m.worst_score FROM medoids m "
        "JOIN base_text_cleans c USING (clean_id) GROUP BY ALL ORDER BY m.duplicate_id"
    )
    copy_parquet(con, group_rows, directory / "duplicate_groups.parquet")


def _write_templates(con: duckdb.DuckDBPyConnection, found: _Found, directory: Path) -> None:
    """Write templates, their slots and what fills them."""
    columns = {
        "template_forms": (("template_id", "template", "n_slots", "compression"), ("s", "s", "i", "f"), found.forms),
        "slots": (("template_id", "slot", "type", "n_values", "entropy"), ("s", "i", "s", "l", "f"), found.slots),
        "by_clean": (("clean_id", "template_id"), ("l", "s"), found.texts),
        "values_by_clean": (("template_id", "slot", "clean_id", "value"), ("s", "i", "l", "s"), found.values),
    }
    types = {"s": pa.string(), "i": pa.int32(), "l": pa.int64(), "f": pa.float64()}
    for table, (names, kinds, rows) in columns.items():
        arrays = [pa.array([row[i] for row in rows], types[kind]) for i, kind in enumerate(kinds)]
        con.register(table, pa.Table.from_arrays(arrays, names=list(names)))
    queries = {
        "template_forms": "FROM template_forms ORDER BY template_id",
        "slots": "FROM slots ORDER BY template_id, slot",
        "template_texts": "SELECT c.text_id, t.template_id FROM by_clean t JOIN base_text_cleans c USING (clean_id) ORDER BY c.text_id",
        "slot_values": "SELECT v.template_id, v.slot, c.text_id, v.value FROM values_by_clean v JOIN base_text_cleans c USING (clean_id) ORDER BY ALL",
    }
    for table, query in queries.items():
        copy_parquet(con, query, directory / f"{table}.parquet", group=LOOKUP_GROUP)
