"""What a replay keeps of each period beside the store, so that it can go on where it stopped and be judged later.

`STORE/replay/` holds two files a period, named after its start: `….parquet` with the accounts that each alert named after the
period's build, and `….json` with the record, which is written last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from promptscan.alert_evaluation import History
from promptscan.atomic import replacing

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "replay"
_TIMES = frozenset({"start", "end", "newest", "fired_at"})


@dataclass(frozen=True, slots=True)
class FiredAlert:
    """An alert that fired in a period; as in the view `alerts`, with the day of the log, from 1."""

    alert_id: str
    fired_at: datetime | None
    day: int | None
    campaign_id: str | None
    family_id: str | None
    kind: str | None
    severity: str | None
    score: float | None
    n_accounts: int | None
    n_prompts: int | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Growth:
    """How large an alert's campaign was after a period; the newest row of the view `alert_growth`."""

    alert_id: str
    n_accounts: int
    n_prompts: int
    n_families: int


@dataclass(frozen=True, slots=True)
class Period:
    """One period of a replay.

    Attributes:
        number: from 1; periods without prompts, which are left out, count too.
        start, end: UTC without a zone; rows without a time are in the first period.
        rows: rows of the input in it.
        prompts: prompts it added to the store.
        accounts: rows of the accounts file it added.
        seconds: of ingest and build; stages: of each stage.
        generation: the live one afterwards.
        newest: newest log time in the store afterwards; None without times.
        n_prompts, n_families, n_campaigns: in the store afterwards.
        ahead: the store held later prompts before, so what fired may have seen the future.
        alerts: those that fired.
        growth: all alerts so far.
    """

    number: int
    start: datetime
    end: datetime
    rows: int
    prompts: int
    accounts: int
    seconds: float
    stages: Mapping[str, float]
    generation: int
    newest: datetime | None
    n_prompts: int
    n_families: int
    n_campaigns: int
    ahead: bool
    alerts: tuple[FiredAlert, ...]
    growth: tuple[Growth, ...]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Make it from what JSON holds of it."""
        values = {field.name: _value(field.name, document[field.name]) for field in fields(cls)}
        values["alerts"] = tuple(
            FiredAlert(**{name: _value(name, value) for name, value in alert.items()}) for alert in document["alerts"]
        )
        values["growth"] = tuple(Growth(**row) for row in document["growth"])
        return cls(**values)


def _value(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name in _TIMES and value is not None else value


def keep(store: Path, period: Period, members: pa.Table) -> None:
    """Write a period's record.

    Args:
        store: the store.
        period: the record.
        members: (alert_id, account_id) of every alert so far.
    """
    import pyarrow.parquet as pq

    path = _path(store, period.start)
    with replacing(path.with_suffix(".parquet")) as file:
        pq.write_table(members, file, compression="zstd")
    document = asdict(period)
    with replacing(path) as file:
        file.write(json.dumps(document, default=lambda value: value.isoformat(), indent=1).encode("ascii"))


def kept(store: Path, start: datetime) -> Period | None:
    """Return the record of the period that begins then; None when there is none that can be read."""
    try:
        return Period.of(json.loads(_path(store, start).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def all_kept(store: Path) -> list[Period]:
    """Return every record of a store, in the order of time."""
    found = []
    for path in sorted((store / FOLDER).glob("*.json")):
        period = kept(store, datetime.strptime(path.stem, _NAME))  # noqa: DTZ007 - stored times are UTC without a zone
        if period is not None:
            found.append(period)
    return found


def history(store: Path, periods: Sequence[Period]) -> History:
    """Return what the alerts named after each period."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("snapshot", pa.int64()), ("alert_id", pa.string()), ("account_id", pa.string())])
    tables = [schema.empty_table()]
    for snapshot, period in enumerate(periods):
        members = pq.read_table(_path(store, period.start).with_suffix(".parquet"))
        columns = [pa.array([snapshot] * len(members), pa.int64()), members["alert_id"], members["account_id"]]
        tables.append(pa.table(columns, schema=schema))
    return History(tuple(period.newest for period in periods), pa.concat_tables(tables))


_NAME = "%Y%m%dT%H"  # periods begin at whole hours


def _path(store: Path, start: datetime) -> Path:
    return store / FOLDER / f"{start:{_NAME}}.json"
