"""The nesting step: which templates are cases of which, and the frames that are shared but were not found by themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from promptscan.build.grouped import save_rows
from promptscan.build.templating import known_templates
from promptscan.nesting import Hierarchy, build_hierarchy, extend_hierarchy
from promptscan.slots import Slot, SlotType
from promptscan.sql import literal
from promptscan.store import Writer
from promptscan.templates import Template, read_template

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

Int64 = NDArray[np.int64]


GROWN = 1.25  # times the templates that were nested together last from which on all are nested anew


def nest_templates(writer: Writer) -> int:
    """Nest the draft's templates, unless they are nested already; return how many have a parent.

    New ones are put under what is known; all are nested anew when known ones are gone, or when there are `GROWN` times as many
    as the last time.
    """
    names = [segment.name for segment in writer.manifest.of_kind("templates")]
    key = hashlib.sha256("|".join(["nesting", *names]).encode()).hexdigest()
    current = writer.manifest.of_kind("nesting")
    if current and current[0].meta["key"] == key:
        return int(current[0].meta["nested"])
    with writer.connect() as con:
        known = known_templates(con)
        covered = current[0].meta.get("segments", []) if current else []
        whole = not covered or names[: len(covered)] != covered or len(known) >= GROWN * current[0].meta["whole"]
        if whole:
            hierarchy = build_hierarchy(list(known.values()))
        else:
            hierarchy = extend_hierarchy(*_former(con, known, _found_since(writer, con, len(covered))))
        nested = int((hierarchy.parents >= 0).sum())
        nested_together = len(known) if whole else current[0].meta["whole"]
        meta = {"key": key, "nested": nested, "segments": names, "whole": nested_together}
        with writer.segment("nesting", key=key, meta=meta) as directory:
            _save(con, directory, hierarchy, [f"T-{number}" for number in known])
            writer.drop("nesting")
    return nested


def _found_since(writer: Writer, con: duckdb.DuckDBPyConnection, covered: int) -> list[int]:
    """Return the numbers of the templates in segments from number `covered` on."""
    segments = writer.manifest.of_kind("templates")[covered:]
    paths = ", ".join(literal(str(writer.verified(segment.file("template_forms.parquet")))) for segment in segments)
    rows = con.execute(f"SELECT template_id[3:]::BIGINT FROM read_parquet([{paths}])").fetchall()
    return [number for (number,) in rows]


def _former(
    con: duckdb.DuckDBPyConnection, known: dict[int, Template], found: Iterable[int]
) -> tuple[Hierarchy, Int64]:
    """Return all templates with the frames and parents of the last build, and the places of those found since."""
    slots: dict[str, list[Slot]] = {}
    rows = con.execute("SELECT template_id, type, n_values, entropy FROM base_frame_slots ORDER BY template_id, slot")
    for name, kind, n_values, entropy in rows.fetchall():
        slots.setdefault(name, []).append(Slot(SlotType(kind), n_values, entropy))
    forms = con.execute(
        "SELECT template_id, template, compression FROM base_frame_forms ORDER BY template_id"
    ).fetchall()
    frames = [Template(read_template(form)[0], tuple(slots[name]), compression) for name, form, compression in forms]
    names = [*(f"T-{number}" for number in known), *(name for name, _, _ in forms)]
    place = {name: index for index, name in enumerate(names)}
    parents = np.full(len(names), -1, np.int64)
    for child, parent in con.execute("SELECT template_id, parent_id FROM base_template_parents").fetchall():
        parents[place[child]] = place[parent]
    fresh = np.array(sorted(place[f"T-{number}"] for number in found), np.int64)
    return Hierarchy((*known.values(), *frames), parents), fresh


def _save(con: duckdb.DuckDBPyConnection, directory: Path, hierarchy: Hierarchy, found: list[str]) -> None:
    made = hierarchy.templates[len(found) :]
    written = [str(template) for template in made]
    names = [*found, *(_frame_name(form) for form in written)]
    parents = hierarchy.parents.tolist()
    ancestors = [(names[child], names[above]) for child in range(len(names)) for above in _above(parents, child)]
    forms = [
        (name, form, len(template.slots), template.compression)
        for name, form, template in zip(names[len(found) :], written, made, strict=True)
    ]
    slots = [
        (name, number, slot.type.value, slot.n_values, slot.entropy)
        for name, template in zip(names[len(found) :], made, strict=True)
        for number, slot in enumerate(template.slots, 1)
    ]
    links = [(names[child], names[parent]) for child, parent in enumerate(parents) if parent >= 0]
    save_rows(con, directory / "template_parents.parquet", "template_id:s parent_id:s", links)
    save_rows(con, directory / "template_ancestors.parquet", "template_id:s ancestor_id:s", ancestors)
    columns = "template_id:s template:s n_slots:i compression:f"
    save_rows(con, directory / "frame_forms.parquet", columns, forms)
    columns = "template_id:s slot:i type:s n_values:l entropy:f"
    save_rows(con, directory / "frame_slots.parquet", columns, slots)


def _above(parents: list[int], child: int) -> list[int]:
    """Return parent, grandparent and so on."""
    found = []
    while (child := parents[child]) >= 0:
        found.append(child)
    return found


def _frame_name(written: str) -> str:
    """Name a made frame by what it says, so that it keeps its id as long as it says it."""
    return f"T-x{hashlib.sha256(written.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"
