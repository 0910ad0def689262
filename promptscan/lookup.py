"""Rows of Parquet files by number: one row group is read for a row, whatever the size of the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from promptscan.store import Files


class Lookup:
    """The rows of one table over all of a kind's segments, numbered from 0 in their order."""

    def __init__(self, files: Files, kind: str, table: str) -> None:
        """Open the table's file in every segment that has it; digests are checked first."""
        segments = [segment for segment in files.manifest.of_kind(kind) if segment.has(f"{table}.parquet")]
        paths = [files.verified(segment.file(f"{table}.parquet")) for segment in segments]
        self._files = [pq.ParquetFile(path, memory_map=True) for path in paths]
        self._groups = [
            (number, group) for number, file in enumerate(self._files) for group in range(file.num_row_groups)
        ]
        sizes = [self._files[number].metadata.row_group(group).num_rows for number, group in self._groups]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def take(self, rows: Sequence[int], columns: Sequence[str]) -> dict[int, tuple[Any, ...]]:
        """Return the values of some columns for each row that exists."""
        found: dict[int, tuple[Any, ...]] = {}
        wanted = np.unique([row for row in rows if 0 <= row < self._starts[-1]]).astype(np.int64)
        groups = np.searchsorted(self._starts, wanted, side="right") - 1
        for group in np.unique(groups).tolist():
            file, own = self._groups[group]
            members = wanted[groups == group]
            table = self._files[file].read_row_group(own, columns=list(columns), use_threads=False)
            taken = table.take(members - self._starts[group])
            values = [taken[column].to_pylist() for column in columns]
            found.update(zip(members.tolist(), zip(*values, strict=True), strict=True))
        return found
