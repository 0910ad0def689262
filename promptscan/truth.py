"""Truth files: which prompts are a campaign's, as `promptscan simulate` or a person wrote it down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from promptscan.errors import BadDataError, UsageError
from promptscan.sql import one

COLUMNS = ("prompt_id", "campaign_id", "family_id", "label", "account_role")


def read_truth(path: Path) -> Any:
    """Read a truth file as an Arrow table of `COLUMNS`; those it may lack are NULL.

    Raises:
        UsageError: the file does not exist.
        BadDataError: it is no Parquet file with prompt_id and campaign_id.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise UsageError(f"--truth {path} does not exist; give the truth.parquet that `promptscan simulate` wrote")
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadDataError(f"{path} is no readable Parquet file ({str(error).splitlines()[0][:120]})") from None
    missing = {"prompt_id", "campaign_id"} - set(table.column_names)
    if missing:
        raise BadDataError(
            f"{path} lacks {', '.join(sorted(missing))}; wanted prompt_id, campaign_id, and optionally family_id, label"
        )
    for name in COLUMNS[2:]:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), pa.string()))
    return table.select(list(COLUMNS))


def register_truth(con: Any, path: Path) -> tuple[int, int]:
    """Make a truth file readable as `truth_rows`; returns how many prompts it has, and how many of them the store has.

    Raises:
        UsageError: the file does not exist.
        BadDataError: it can't be used, or shares no prompt with the store.
    """
    con.register("truth_rows", read_truth(path))
    query = "SELECT count(*), count(p.prompt_id) FROM truth_rows t LEFT JOIN prompts p USING (prompt_id)"
    total, found = one(con, query)
    if not found:
        raise BadDataError(f"{path} shares no prompt_id with the store; ingest the log it belongs to first")
    return int(total), int(found)
