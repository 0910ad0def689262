"""The clusters above listed families."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from promptscan.outline import Cluster, Outline, outline
from promptscan.sql import arrow, script

if TYPE_CHECKING:
    import duckdb


def families_outline(con: duckdb.DuckDBPyConnection) -> Outline | None:
    """Arrange a store's families under the clusters that hold several of them; None when it keeps no tree."""
    rows = arrow(con, script("family_outline")).to_pylist()
    return outline(rows) if rows else None


def outlined(rows: pa.Table, arranged: Outline, depth: int) -> tuple[pa.Table, list[Cluster]]:
    """Add to listed families the `cluster` they are shown in and the chord at which they are `joined_at`.

    Args:
        rows: families.
        arranged: all families.
        depth: levels of clusters to show, from the top.

    Returns:
        The rows, and the clusters that they are in, those above before those below.
    """
    names = rows["family_id"].to_pylist()
    paths = [arranged.places.get(name, ())[:depth] for name in names]
    shown = {node for path in paths for node in path}
    clusters = pa.array([path[-1] if path else None for path in paths], pa.int64())
    joined = pa.array([arranged.joined.get(name) for name in names], pa.float64())
    placed = rows.append_column("cluster", clusters).append_column("joined_at", joined)
    return placed, [cluster for node, cluster in arranged.clusters.items() if node in shown]
