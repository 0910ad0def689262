"""The nesting step: which templates are cases of which, and the frames that are shared but were not found by themselves."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from promptscan.build.grouped import save_rows
from promptscan.build.templating import known_templates
from promptscan.nesting import Hierarchy, build_hierarchy
from promptscan.store import Writer

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb


def nest_templates(writer: Writer) -> int:
    """Make the draft's nesting anew from all of its templates, unless it is that already; return how many have a parent."""
    names = [segment.name for segment in writer.manifest.of_kind("templates")]
    key = hashlib.sha256("|".join(["nesting", *names]).encode()).hexdigest()
    current = writer.manifest.of_kind("nesting")
    if current and current[0].meta["key"] == key:
        return int(current[0].meta["nested"])
    with writer.connect() as con:
        known = known_templates(con)
        hierarchy = build_hierarchy(list(known.values()))
        nested = int((hierarchy.parents >= 0).sum())
        writer.drop("nesting")
        with writer.segment("nesting", key=key, meta={"key": key, "nested": nested}) as directory:
            _save(con, directory, hierarchy, [f"T-{number}" for number in known])
    return nested


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
