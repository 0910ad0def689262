"""benchmarks/RESULTS.md: every stored result as a table beside its budget."""

from __future__ import annotations

from typing import Any

from benchmarks import families, pipeline, templates

TITLES = {
    "pipeline": "The main job at size",
    "families": "Families against planted campaigns (real texts on simulated accounts)",
    "templates": "Templates and slots against published templates",
    "encoders": "Encoders",
    "encoders-grid": "Choices inside the static encoder",
}
COMMANDS = {
    "pipeline": "python -m benchmarks.pipeline",
    "families": "python -m benchmarks.families --data DIR",
    "templates": "python -m benchmarks.templates --data DIR",
    "encoders": "python benchmarks/encoders.py --data DIR",
    "encoders-grid": "python benchmarks/encoders.py --data DIR --encoders static --grid",
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
    for name, result in results.items():
        body = {"pipeline": pipeline.table, "families": families.table, "templates": templates.table}.get(name, rows)(result)
        parts += [f"## {TITLES.get(name, name)}", "", f"`{COMMANDS.get(name, f'python -m benchmarks.{name}')}`", "", body, ""]
    return "\n".join(parts)


def rows(result: dict[str, Any]) -> str:
    """Draw a result that has a list of rows, with its machine."""
    listed = result.get("rows", [])
    columns = list(dict.fromkeys(key for row in listed for key in row if key != "digest"))
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(_cell(row.get(column)) for column in columns) + " |" for row in listed]
    facts = result.get("facts") or result.get("machine") or {}
    told = ", ".join(f"{key} {_cell(value)}" for key, value in facts.items() if not isinstance(value, dict))
    return "\n".join([*lines, "", f"Machine: {told}."])


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
