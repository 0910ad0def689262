"""What single texts probe, by the judge that the last build made: it is kept, so that reading it costs one text.

A family's score is a mean over its texts, one text's is not: a tenth of all ordinary texts is beyond the percentile .9 of each
capability. So a text must be farther out to convince (docs/decisions/012-capabilities.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from promptscan.capabilities import Float32, Float64, Judge
from promptscan.sql import first
from promptscan.store import Files
from promptscan.vectors import Vectors

FILE = "judge.npz"
TEXT_CONVINCING = 0.95
"""Percentile from which on a capability is a single text's."""

HALF = 2_000  # characters at the beginning, and as many at the end, in which cues are looked for
EXCERPT = (
    f"CASE WHEN length(clean) > {2 * HALF} THEN clean[1:{HALF}] || chr(10) || clean[-{HALF}:] ELSE clean END AS clean"
)
SHOWN = 4  # capabilities that are shown of one text, as of one family


def save_judge(judge: Judge, directory: Path) -> None:
    """Write a judge beside the capabilities that it found."""
    kept: dict[str, Any] = {item.name: np.asarray(getattr(judge, item.name)) for item in fields(Judge)}
    with (directory / FILE).open("wb") as file:
        np.savez(file, **kept)


def load_judge(files: Files) -> Judge | None:
    """Read the judge of a generation; None where there are no families to judge yet.

    Raises:
        StoreError: its file is damaged.
    """
    for segment in files.manifest.of_kind("capabilities"):
        if not segment.has(FILE):
            continue  # of an earlier promptscan; the next build makes it
        with np.load(files.verified(segment.file(FILE)), allow_pickle=False) as kept:
            found = {item.name: kept[item.name] for item in fields(Judge)}
        return Judge(**found | {name: tuple(found[name].tolist()) for name in ("names", "cues")})
    return None


def text_probes(files: Files, con: duckdb.DuckDBPyConnection, text_id: int) -> pa.Table:
    """Tell what one text probes.

    Args:
        files: a generation.
        con: a connection with its views.
        text_id: the text.

    Returns:
        The likeliest capabilities, best first: capability, percentile (0 to 1: share of the ordinary texts that are less like
        it), convincing. No rows for a text without a vector, or in a store whose families were not judged.
    """
    judge = load_judge(files)
    row = first(con, "SELECT clean_id FROM base_text_cleans WHERE text_id = $1", [text_id])
    if judge is None or row is None:
        return _rows([], np.zeros(0))
    vector = _vector(files, int(row[0]))
    excerpt = first(con, f"SELECT {EXCERPT} FROM base_cleans WHERE clean_id = $1", [row[0]])
    if vector is None or excerpt is None:
        return _rows([], np.zeros(0))
    order, share = judge.ranking(judge.scores(vector, [excerpt[0]]))
    best = order[0, :SHOWN]
    return _rows([judge.names[column] for column in best.tolist()], share[0, best])


def _vector(files: Files, clean_id: int) -> Float32 | None:
    """Read one vector, float32 (1, d), from the one segment that has it: checking all of them would cost the history."""
    start = 0
    for segment in files.manifest.of_kind("vectors"):
        stop = start + int(segment.meta["n"])
        if start <= clean_id < stop:
            rows = Vectors.open([files.verified(segment.file("vectors.npy"))])
            return rows.range(clean_id - start, clean_id - start + 1)
        start = stop
    return None


def _rows(names: Sequence[str], share: Float64) -> pa.Table:
    return pa.table(
        {
            "capability": pa.array(names, pa.string()),
            "percentile": pa.array(np.round(share, 6)),
            "convincing": pa.array(share >= TEXT_CONVINCING),
        }
    )
