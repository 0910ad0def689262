"""Benchmark results as Markdown: one section per result file, the same for every machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import (
    banks,
    capabilities,
    duplicates_table,
    families,
    fingerprints,
    pipeline,
    probes,
    replay,
    templates,
)
from benchmarks.campaigns import report as campaigns
from benchmarks.evasion import report as evasion
from benchmarks.family_peers import report as family_peers
from benchmarks.peers import report as peers

WIDE = 12  # columns beyond which a table is turned on its side


@dataclass(frozen=True, slots=True)
class Section:
    """How the result of one benchmark is shown.

    Attributes:
        title: of the section.
        command: what measures it again.
        draw: writes its body.
    """

    title: str
    command: str
    draw: Callable[[dict[str, Any]], str]


def document(results: dict[str, dict[str, Any]]) -> str:
    """Write all results as one Markdown document."""
    parts = [
        "# Results",
        "",
        "Generated from `benchmarks/results/*.json` by `make docs`; do not edit. Machines are shared and noisy: read ratios",
        "and orders of magnitude. Each section names the command that measures it again; `make bench` runs them.",
        "",
    ]
    places = {name: place for place, name in enumerate(SECTIONS)}
    for name in sorted(results, key=lambda name: (places.get(name, len(places)), name)):
        section = SECTIONS.get(name) or Section(name, f"python -m benchmarks.{name}", rows)
        parts += [f"## {section.title}", "", f"`{section.command}`", "", section.draw(results[name]), ""]
    return "\n".join(parts)


def rows(result: dict[str, Any]) -> str:
    """Draw a result that has a list of rows, with its machine."""
    listed = result.get("rows", [])
    columns = list(dict.fromkeys(key for row in listed for key in row if key != "digest"))
    grid = [columns, *([_cell(row.get(column)) for column in columns] for row in listed)]
    if len(columns) > WIDE:
        grid = [list(cells) for cells in zip(*grid, strict=True)]
    lines = ["| " + " | ".join(cells) + " |" for cells in grid]
    lines.insert(1, "|---" * len(grid[0]) + "|")
    facts = result.get("facts") or result.get("machine") or {}
    told = ", ".join(f"{key} {_cell(value)}" for key, value in facts.items() if not isinstance(value, dict))
    return "\n".join([*lines, "", f"Machine: {told}."])


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


SECTIONS: dict[str, Section] = {
    "pipeline": Section("The main job at size", "python -m benchmarks.pipeline", pipeline.table),
    "peers": Section("Duplicates and templates beside peers", "make peers DATA=DIR", peers.table),
    "families": Section(
        "Families against planted campaigns (real texts on simulated accounts)",
        "python -m benchmarks.families --data DIR",
        families.table,
    ),
    "probes": Section(
        "What each kind of evidence adds to families", "python -m benchmarks.probes --data DIR", probes.table
    ),
    "family_peers": Section("Families beside peers", "make family-peers DATA=DIR", family_peers.table),
    "campaigns": Section(
        "Campaigns: on which day they would have been known, and whose accounts", "make campaigns", campaigns.table
    ),
    "replay": Section(
        "A log period by period beside all at once",
        "python -m benchmarks.replay LOG.parquet [--step-days N]",
        replay.table,
    ),
    "duplicates": Section(
        "Related pairs and groups of duplicates against labels",
        "python -m benchmarks.duplicates --data DIR",
        duplicates_table.table,
    ),
    "templates": Section(
        "Templates and slots against published templates", "python -m benchmarks.templates --data DIR", templates.table
    ),
    "template_index": Section("Finding the templates of a text", "python -m benchmarks.template_index", rows),
    "banks": Section(
        "Banks of public prompts, and obfuscation of honest ones", "python -m benchmarks.banks --data DIR", banks.table
    ),
    "capabilities": Section(
        "Capabilities of published prompts", "python -m benchmarks.capabilities --data DIR", capabilities.table
    ),
    "evasion": Section(
        "Evasion: seventeen attacks, and what each view still finds",
        "python -m benchmarks.evasion --data DIR",
        evasion.table,
    ),
    "encoders": Section("Encoders", "python benchmarks/encoders.py --data DIR", rows),
    "encoders-grid": Section(
        "Choices inside the static encoder", "python benchmarks/encoders.py --data DIR --encoders static --grid", rows
    ),
    "fingerprints": Section(
        "Match key and fingerprints: which n and w",
        "python -m benchmarks.fingerprints --data DIR",
        fingerprints.table,
    ),
}
