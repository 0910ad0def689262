"""Nesting: templates below those they are cases of."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def nested(templates: pa.Table) -> pa.Table:
    """Put templates below the one they are a case of, their names indented; all else stays in its order."""
    listed = templates.to_pylist()
    names = {row["template_id"] for row in listed}
    cases: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for row in listed:
        parent = row.get("parent_id")
        cases[parent if parent in names else None].append(row)
    ordered: list[dict[str, Any]] = []
    waiting = [(row, 0) for row in reversed(cases[None])]
    while waiting:
        row, depth = waiting.pop()
        ordered.append({**row, "template_id": "  " * (depth - 1) + "└ " * bool(depth) + row["template_id"]})
        waiting += [(case, depth + 1) for case in reversed(cases[row["template_id"]])]
    return templates.from_pylist(ordered, schema=templates.schema)
