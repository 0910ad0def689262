"""The duplicates and templates stage: new texts join known groups and templates, the rest is grouped and explained.

Nothing old is rewritten: each build appends the groups and templates it found and the texts that joined.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.anchored import ANCHORED, find_anchors
from promptscan.anchors import TemplateIndex
from promptscan.banks import frequent_fingerprints
from promptscan.build.comparing import disguised, stored_edges
from promptscan.build.grouped import save_duplicates, save_templates
from promptscan.calibrate import Thresholds
from promptscan.candidates import anchors_from, load_postings
from promptscan.cleans import CleanTexts
from promptscan.groups import Groups, duplicate_groups
from promptscan.nesting import fixed_bits
from promptscan.resemblance import Resemblance
from promptscan.rules import template_key
from promptscan.skeleton import find_template
from promptscan.slots import Slot, describe_slot
from promptscan.sql import arrow
from promptscan.store import Writer
from promptscan.templates import Template, read_template, slot_values
from promptscan.types import Progress
from promptscan.verify import Edges, Relation

MEMBERS = 3  # texts a template needs at least
JOINED = 65_536  # new texts matched to known templates at a time
REFUSED = 4  # passages of a text that may turn out to be no frame; bounds the work whatever texts have in common
TRIED_AGAIN = 1.25  # times the texts of a passage that was no frame, from which on it is tried again
TELLING = 48.0  # bits of fixed text below which a template is met by chance in millions of texts ("What is the ...?")
MOSTLY = 0.5  # share of a text, in bits, that such a template must be of it
JUST_JOINED = 0  # a template number where all that matters is that there is one

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TemplatesReport:
    """What was found: new duplicate groups and texts in groups; new templates and texts in templates."""

    groups: int = 0
    duplicates: int = 0
    templates: int = 0
    templated: int = 0


@dataclass(slots=True)
class _Local:
    """The texts that edges speak of, numbered from 0, and what is known of them.

    Attributes:
        cleans: clean id of each. int64 (m,), sorted.
        texts: their clean texts.
        wording: all clean texts.
        group, template: known duplicate group and template number of each, -1 for none. int64 (m,).
        edges: in local numbers.
        thresholds: scores that relate texts.
        resemblance: compares the texts.
    """

    cleans: Int64
    texts: list[str]
    wording: CleanTexts
    group: Int64
    template: Int64
    edges: Edges
    thresholds: Thresholds
    resemblance: Resemblance

    def duplicates(self) -> Edges:
        """Return the edges of copies and light edits."""
        return self.edges.at_least({Relation.COPY: 1.0, Relation.EDIT: self.thresholds.edit})

    def framed(self) -> Edges:
        """Return the edges of texts that may be of one template; copies are disguised ones, whose words do not align."""
        frame = self.thresholds.template
        return self.edges.at_least({Relation.EDIT: frame, Relation.CONTAIN: frame, Relation.TEMPLATE: frame})


@dataclass(slots=True)
class Found:
    """What a build adds, in clean ids.

    Attributes:
        groups: (duplicate id, clean id of the medoid, lowest score) of new duplicate groups.
        members: (clean id, duplicate id, score with the medoid) of texts that joined or founded a group.
        templates: (template number, template) of new ones.
        values: (clean id, template number, what it has in the slots) of texts that joined or founded one.
    """

    groups: list[tuple[int, int, float]] = field(default_factory=list)
    members: list[tuple[int, int, float]] = field(default_factory=list)
    templates: list[tuple[int, Template]] = field(default_factory=list)
    values: list[tuple[int, int, list[str]]] = field(default_factory=list)


def find_templates(writer: Writer, thresholds: Thresholds, *, progress: Progress) -> TemplatesReport:
    """Find duplicates and templates among the draft's new clean texts and what they are like, and append them.

    All are made again, from the stored edges, if those in the store are of another false-positive rate.
    """
    rate = thresholds.false_positive_rate
    if any(segment.meta["rate"] != rate for segment in writer.manifest.of_kind("templates")):
        writer.drop("duplicates")
        writer.drop("templates")
    done = sum(int(segment.meta["n"]) for segment in writer.manifest.of_kind("templates"))
    n = sum(int(segment.meta["n"]) for segment in writer.manifest.of_kind("edges"))
    found = Found()
    with writer.connect() as con:
        local = _local(writer, con, stored_edges(con, done), thresholds)
        steps: tuple[Callable[[], None], ...] = (
            partial(_join_groups, con, local, found),
            partial(_new_groups, local, found),
            partial(_join_templates, con, local, found, range(done, n)),
            partial(_anchored_templates, writer, con, local, found, range(done, n)),
            partial(_new_templates, local, found),
        )
        for number, step in enumerate(steps):
            progress("templates", number, len(steps))
            step()
        progress("templates", len(steps), len(steps))
        meta: dict[str, Any] = {"n": n - done, "rate": rate, "key": template_key(writer.manifest, rate)}
        save_duplicates(writer, con, found, meta)
        save_templates(writer, con, found, meta)
    return TemplatesReport(len(found.groups), len(found.members), len(found.templates), len(found.values))


def _local(writer: Writer, con: duckdb.DuckDBPyConnection, edges: Edges, thresholds: Thresholds) -> _Local:
    """Fetch the texts of edges, and what is known of them."""
    cleans, numbers = np.unique(np.stack([edges.a, edges.b]), return_inverse=True)
    a, b = numbers.reshape(2, -1).astype(np.int64)
    con.register("wanted", pa.table({"clean_id": cleans}))
    rows = arrow(
        con,
        "SELECT coalesce(d.duplicate_id, -1) AS duplicate_id, coalesce(CAST(t.template_id[3:] AS BIGINT), -1) AS template "
        "FROM wanted w LEFT JOIN base_duplicate_members d USING (clean_id) LEFT JOIN base_template_members t USING (clean_id) "
        "ORDER BY w.clean_id",
    )
    con.unregister("wanted")
    known = [np.asarray(rows[name].to_numpy(), dtype=np.int64).copy() for name in ("duplicate_id", "template")]
    own = Edges(a, b, edges.kind, edges.score)
    wording = CleanTexts(writer)
    texts = wording.take(cleans)
    resemblance = Resemblance(texts, disguised(con, cleans))
    return _Local(cleans, texts, wording, known[0], known[1], own, thresholds, resemblance)


def _join_groups(con: duckdb.DuckDBPyConnection, local: _Local, found: Found) -> None:
    """Let texts without a group join that of their most similar duplicate, if they are duplicates of its medoid."""
    edges = local.duplicates()
    text, other, score = _both_ways(edges)
    asks = (local.group[text] < 0) & (local.group[other] >= 0)
    text, wanted = _best(text[asks], local.group[other[asks]], score[asks])
    if not len(text):
        return
    con.register("wanted", pa.table({"duplicate_id": np.unique(wanted)}))
    rows = con.execute(
        "SELECT duplicate_id, medoid_clean_id FROM base_duplicate_groups SEMI JOIN wanted USING (duplicate_id) ORDER BY ALL"
    ).fetchnumpy()
    con.unregister("wanted")
    medoids = np.asarray(rows["medoid_clean_id"])[np.searchsorted(rows["duplicate_id"], wanted)]
    both, place = np.unique(np.concatenate([local.cleans[text], medoids]), return_inverse=True)
    resemblance = Resemblance(local.wording.take(both), disguised(con, both))
    near = resemblance.similarity(*np.split(place, 2))
    kept = near >= local.thresholds.edit
    local.group[text[kept]] = wanted[kept]
    found.members += zip(local.cleans[text[kept]].tolist(), wanted[kept].tolist(), near[kept].tolist(), strict=True)


def _new_groups(local: _Local, found: Found) -> None:
    """Group the texts that no known group took."""
    edges = _among(local.duplicates(), local.group < 0)
    similarity = local.resemblance.similarity
    groups = duplicate_groups(len(local.texts), edges, similarity, min_score=local.thresholds.edit)
    grouped = np.flatnonzero(groups.labels >= 0)
    scores = np.zeros(len(local.texts), np.float32)
    scores[grouped] = similarity(grouped, groups.medoids[groups.labels[grouped]])
    for members, medoid in _members(groups):
        name = int(local.cleans[members[0]])
        near = scores[members]
        local.group[members] = name
        found.groups.append((name, int(local.cleans[medoid]), float(near.min())))
        found.members += zip(local.cleans[members].tolist(), [name] * len(members), near.tolist(), strict=True)


def _join_templates(con: duckdb.DuckDBPyConnection, local: _Local, found: Found, new: range) -> None:
    """Match new texts to all known templates, by the rarest words of these.

    A template that says little takes in only texts that say little more than it: else one that was found on a quiet first day
    would collect for ever whatever fits it.
    """
    known = known_templates(con)
    if not known:
        return
    numbers, index = list(known), TemplateIndex.build(list(known.values()))
    says = cache(lambda place: fixed_bits(index.templates[place].fixed))
    query = "SELECT clean_id, clean FROM base_cleans WHERE clean_id >= $1 AND clean_id < $2 ORDER BY clean_id"
    for start in new[::JOINED]:
        rows = arrow(con, query, [start, min(start + JOINED, new.stop)])
        cleans, texts = rows["clean_id"].to_pylist(), rows["clean"].to_pylist()
        for clean_id, text, matched in zip(cleans, texts, index.assign(texts), strict=True):
            if matched is None:
                continue
            place, values = matched
            if says(place) >= TELLING or says(place) >= MOSTLY * fixed_bits((text,)):
                found.values.append((clean_id, numbers[place], values))
    joined = np.array([clean_id for clean_id, _, _ in found.values], np.int64)
    local.template[np.isin(local.cleans, joined)] = JUST_JOINED


def known_templates(con: duckdb.DuckDBPyConnection) -> dict[int, Template]:
    """Read all templates back from their written form, by number, ascending."""
    rows = con.execute(
        "SELECT template_id[3:]::BIGINT, template, compression FROM base_template_forms ORDER BY ALL"
    ).fetchall()
    templates = {}
    for number, written, compression in rows:
        fixed, types = read_template(written)
        templates[number] = Template(fixed, tuple(Slot(kind, 0, 0.0) for kind in types), compression)
    return templates


def _new_templates(local: _Local, found: Found) -> None:
    """Find the templates of texts that no known template explains."""
    edges = _among(local.framed(), local.template < 0)
    wording = local.resemblance.shared_wording
    frames = duplicate_groups(len(local.texts), edges, wording, min_score=local.thresholds.template)
    for members, medoid in _members(frames):
        if len(members) >= MEMBERS:
            own = [local.texts[member] for member in members]
            _explain(local.cleans[members], own, int(np.searchsorted(members, medoid)), MEMBERS, found)


def _anchored_templates(
    writer: Writer, con: duckdb.DuckDBPyConnection, local: _Local, found: Found, new: range
) -> None:
    """Find the templates of texts that share a passage with many others, however little of them it is."""
    taken = np.zeros(new.stop, bool)
    taken[np.asarray(con.execute("SELECT clean_id FROM base_template_members").fetchnumpy()["clean_id"], np.int64)] = (
        True
    )
    taken[[clean_id for clean_id, _, _ in found.values]] = True
    ignore = frequent_fingerprints(writer)
    anchors = find_anchors(anchors_from(load_postings(writer), new.start, ~taken, ignore=ignore))
    cleans = np.unique(anchors.texts)
    texts = dict(zip(cleans.tolist(), local.wording.take(cleans), strict=True))
    refused = np.zeros(new.stop, np.int8)
    for group in anchors.groups(taken):
        members = group[refused[group] < REFUSED]
        old = int((members < new.start).sum())
        if len(members) < ANCHORED or (old >= ANCHORED and not _grown(old, len(members))):
            continue
        own = [texts[member] for member in members.tolist()]
        shortest = min(range(len(own)), key=lambda i: (len(own[i]), own[i]))
        before = len(found.values)
        _explain(members, own, shortest, ANCHORED, found)
        taken[[clean_id for clean_id, _, _ in found.values[before:]]] = True
        refused[members[~taken[members]]] += 1
    local.template[taken[local.cleans] & (local.template < 0)] = JUST_JOINED


def _grown(before: int, now: int) -> bool:
    """Tell whether a number passed a power of `TRIED_AGAIN`: what a passage's texts had no frame for is not tried every day."""
    return math.floor(math.log(now, TRIED_AGAIN)) > math.floor(math.log(before, TRIED_AGAIN))


def _explain(cleans: Int64, texts: list[str], medoid: int, least: int, found: Found) -> None:
    """Add the template of some texts, if they have one that explains at least so many of them."""
    template = find_template(texts, medoid)
    if template is None or not template.slots:
        return
    values = slot_values(template, texts)
    matched = [(int(clean), filled) for clean, filled in zip(cleans, values, strict=True) if filled is not None]
    if len(matched) < least:
        return
    slots = [describe_slot([filled[place] for _, filled in matched]) for place in range(len(template.slots))]
    name = matched[0][0]
    found.templates.append((name, replace(template, slots=tuple(slots))))
    found.values += [(clean, name, filled) for clean, filled in matched]


def _among(edges: Edges, allowed: NDArray[np.bool_]) -> Edges:
    """Keep the edges whose both texts are allowed."""
    kept = allowed[edges.a] & allowed[edges.b]
    return Edges(edges.a[kept], edges.b[kept], edges.kind[kept], edges.score[kept])


def _both_ways(edges: Edges) -> tuple[Int64, Int64, Float32]:
    return (
        np.concatenate([edges.a, edges.b]),
        np.concatenate([edges.b, edges.a]),
        np.concatenate([edges.score, edges.score]),
    )


def _best(text: Int64, wanted: Int64, score: Float32) -> tuple[Int64, Int64]:
    """Keep for each text what it wants most; ties go to the lowest."""
    order = np.lexsort((wanted, -score, text))
    text, wanted = text[order], wanted[order]
    _, first = np.unique(text, return_index=True)
    return text[first], wanted[first]


def _members(groups: Groups) -> Iterator[tuple[Int64, int]]:
    """Yield the texts of each group, ascending, and its medoid."""
    order = np.argsort(groups.labels, kind="stable")
    starts = np.searchsorted(groups.labels[order], np.arange(len(groups.medoids) + 1))
    for number, medoid in enumerate(groups.medoids.tolist()):
        yield order[starts[number] : starts[number + 1]].astype(np.int64), medoid
