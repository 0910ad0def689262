"""releases: when the models that prompts name became available, from a TOML file of the user's, or from the log itself.

[models]
"aster-3" = 2026-01-12T12:00:00Z
"""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import numpy as np

from promptscan.errors import UsageError

SETTLED = "3 days"  # after the log's first prompt, from which a model that was never seen before is a new one
SENDERS = 5  # accounts that ask a model in a log before it counts as released


def read_releases(path: Path | None) -> dict[str, np.datetime64]:
    """Read a `models.toml`: a table `models` of names and dates or times, those without a zone in UTC.

    Raises:
        UsageError: it can't be read, or holds anything else.
    """
    if path is None:
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"models file {path} can't be read: {error}") from None
    models = document.get("models")
    if not isinstance(models, dict) or set(document) != {"models"}:
        raise UsageError(f"models file {path}: wanted one table [models] of names and release dates")
    return {name: _moment(path, name, value) for name, value in models.items()}


def seen_releases(con: duckdb.DuckDBPyConnection) -> dict[str, np.datetime64]:
    """Return the models that first appear in the store's log after its first days, and when."""
    rows = con.execute(
        "SELECT model, min(ts) AS since FROM base_prompts WHERE model IS NOT NULL AND ts IS NOT NULL GROUP BY model "
        "HAVING count(DISTINCT account_id) >= $1 "
        f"AND since > (SELECT min(ts) FROM base_prompts) + INTERVAL {SETTLED} ORDER BY model",
        [SENDERS],
    ).fetchall()
    return {model: np.datetime64(since, "us") for model, since in rows}


def _moment(path: Path, name: str, value: object) -> np.datetime64:
    if isinstance(value, datetime):
        plain = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return np.datetime64(plain, "us")
    if isinstance(value, date):
        return np.datetime64(value.isoformat(), "us")
    raise UsageError(f"models file {path}: {name} = {value!r}; wanted a date such as 2026-01-12, or a time")
