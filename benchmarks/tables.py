"""benchmarks/RESULTS.md: every stored result as a table beside its budget."""

from __future__ import annotations

from typing import Any

from benchmarks import banks, families, fingerprints, pipeline, templates
from benchmarks.evasion import report as evasion

WIDE = 12  # columns beyond which a table is turned on its side

TITLES = {
    "pipeline": "The main job at size",
    "families": "Families against planted campaigns (real texts on simulated accounts)",
    "templates": "Templates and slots against published templates",
    "banks": "Banks of public prompts, and obfuscation of honest ones",
    "evasion": "Evasion: seventeen attacks, and what each view still finds",
    "encoders": "Encoders",
    "encoders-grid": "Choices inside the static encoder",
    "fingerprints": "Match key and fingerprints: which n and w",
}
COMMANDS = {
    "pipeline": "python -m benchmarks.pipeline",
    "families": "python -m benchmarks.families --data DIR",
    "templates": "python -m benchmarks.templates --data DIR",
    "banks": "python -m benchmarks.banks --data DIR",
    "evasion": "python -m benchmarks.evasion --data DIR",
    "encoders": "python benchmarks/encoders.py --data DIR",
    "encoders-grid": "python benchmarks/encoders.py --data DIR --encoders static --grid",
    "fingerprints": "python -m benchmarks.fingerprints --data DIR",
}

DRAWN = {
    "pipeline": pipeline.table,
    "families": families.table,
    "templates": templates.table,
    "banks": banks.table,
    "evasion": evasion.table,
    "fingerprints": fingerprints.table,
}


def document(results: dict[str, dict[str, Any]]) -> str:
    """Write all results as one Markdown document."""
    parts = [
        "# Results",
        "",
        "Generated from `benchmarks/results/*.json` by `make docs`; do not edit. Machines are shared and noisy: read ratios",
        "and orders of magnitude. Each section names the command that measures it again; `make bench` runs them.",
        "",
    ]
    for name in sorted(results, key=lambda name: (list(TITLES).index(name) if name in TITLES else len(TITLES), name)):
        result = results[name]
        body = DRAWN.get(name, rows)(result)
        parts += [
            f"## {TITLES.get(name, name)}",
            "",
            f"`{COMMANDS.get(name, f'python -m benchmarks.{name}')}`",
            "",
            body,
            "",
        ]
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
