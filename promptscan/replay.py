"""replay: a log period by period through ingest and build, and when each alert first fired."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptscan.alert_evaluation import MEMBERS, AlertEvaluation, judge_alerts
from promptscan.api import Store, writing
from promptscan.config import Configured, Settings
from promptscan.periods import Schedule, Span, spans
from promptscan.replayed import FOLDER, FiredAlert, Growth, Period, all_kept, history, keep, kept
from promptscan.sql import arrow, literal, one
from promptscan.truth import read_truth, register_truth
from promptscan.types import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptscan.ingest import Batch, IngestReport

Hours = list[tuple[datetime | None, int]]
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - stored times are UTC without a zone; where a log without any time is put


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay did, or had done before.

    Attributes:
        periods: those with prompts, in the order of time.
        empty: periods between them that have none.
        timeless: rows without a usable time; they are in the first period.
        left: periods that `until` left for another run.
        quarantined: rows set apart.
        over_limit: names of sources of which more than `max_bad_rows` was bad.
        seconds: of all of it.
        evaluation: what the alerts are worth, where there is a truth.
    """

    periods: tuple[Period, ...]
    empty: int
    timeless: int
    left: int
    quarantined: int
    over_limit: tuple[str, ...]
    seconds: float
    evaluation: AlertEvaluation | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready document."""
        return asdict(self)


def replay(
    paths: str | Path | Sequence[str | Path],
    settings: Settings | None = None,
    *,
    store: str | Path | None = None,
    accounts: str | Path | None = None,
    mapping: Sequence[str] = (),
    by: str = "day",
    until: int | None = None,
    truth: str | Path | None = None,
    progress: Progress = silent,
) -> ReplayReport:
    """Feed a log to a store period by period, in the order of log time, and record when each alert fired.

    Each period is ingested and built as one generation, as a scheduled scan would have; of the accounts file it gets the
    accounts created before its end. Run again it goes on where it stopped, and adds nothing when it was done.

    Args:
        paths: files, globs, folders, URLs.
        settings: the configured ones when None.
        store: folder of the store; that of the settings when None.
        accounts: an accounts file.
        mapping: `field=column` pairs.
        by: length of a period; see `promptscan.periods.Schedule.parse`.
        until: stop after so many periods.
        truth: judge the alerts by this truth file.
        progress: called as stages advance.

    Raises:
        PromptscanError: see `promptscan.errors`; periods that were done stay done.
    """
    begin = time.perf_counter()
    schedule = Schedule.parse(by)
    if truth is not None:
        read_truth(Path(truth))  # before the hours that a replay may take
    settings = settings or Configured.load({"store": store}).settings
    settings = replace(settings, store=Path(store or settings.store).absolute())
    listed = [str(paths)] if isinstance(paths, str | Path) else [str(path) for path in paths]
    with _staged(settings, listed, mapping, progress) as (batch, hours):
        cut, timeless = _cut(schedule, hours, all_kept(settings.store))
        done = []
        for place, span in enumerate(cut[:until]):
            last = place + 1 == len(cut)
            done.append(_period(settings, batch, span, accounts, first=place == 0, last=last, progress=progress))
    periods = [one for one in all_kept(settings.store) if not any(now.start < one.start < now.end for now in done)]
    report = ReplayReport(
        tuple(periods),
        max((period.number for period in periods), default=0) - len(periods),
        timeless,
        len(cut) - len(done),
        sum(source.bad for source in batch.reports),
        tuple(batch.over_limit),
        0.0,
    )
    judged = _judge(settings, periods, Path(truth)) if truth is not None else None
    return replace(report, evaluation=judged, seconds=round(time.perf_counter() - begin, 3))


@contextmanager
def _staged(
    settings: Settings, paths: Sequence[str], mapping: Sequence[str], progress: Progress
) -> Iterator[tuple[Batch, Hours]]:
    """Read the input once, into a folder beside the generations that is gone afterwards; with it come its rows by hour."""
    from promptscan.ingest import stage_files

    work = settings.store / FOLDER / "staged"
    try:
        with writing(settings) as writer:
            batch = stage_files(
                writer,
                paths,
                work,
                mapping=mapping,
                max_chars=settings.max_chars,
                max_bad_rows=settings.max_bad_rows,
                progress=progress,
            )
            hours: Hours = []
            if batch.files:
                listed = ", ".join(literal(file) for file in batch.files)
                with writer.connect() as con:
                    hours = con.execute(
                        f"SELECT date_trunc('hour', ts) AS hour, count(*) FROM read_parquet([{listed}], union_by_name = true) "
                        "WHERE reason IS NULL GROUP BY hour ORDER BY hour"
                    ).fetchall()
        yield batch, hours
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _cut(schedule: Schedule, hours: Hours, before: Sequence[Period]) -> tuple[list[Span], int]:
    """Return the periods that have rows, and how many rows have no time; those are counted in the first."""
    timeless = sum(count for hour, count in hours if hour is None)
    timed = [(hour, count) for hour, count in hours if hour is not None]
    if not timed and timeless:
        return [Span(1, EPOCH, EPOCH + schedule.step, timeless)], timeless
    if timed and before and before[0].start < timed[0][0]:
        timed.insert(0, (before[0].start, 0))  # periods are counted from where the first replay began
    cut = spans(schedule, timed)
    if cut:
        cut[0] = replace(cut[0], rows=cut[0].rows + timeless)
    return cut, timeless


def _period(
    settings: Settings,
    batch: Batch,
    span: Span,
    accounts: str | Path | None,
    *,
    first: bool,
    last: bool,
    progress: Progress,
) -> Period:
    """Ingest and build one period, unless that was done before, and keep its record."""
    from promptscan.build import Run, build
    from promptscan.ingest import Part, ingest_accounts, load_staged

    before = kept(settings.store, span.start)
    if before is not None and before.rows == span.rows and not last:
        return before
    begin = time.perf_counter()
    run = Run.start("replay")
    with writing(settings) as writer:
        ahead = writer.parent is not None and _ahead(writer, span)
        with run.stage("ingest"):
            created = (None if first else span.start, span.end)
            known = ingest_accounts(writer, str(accounts), created=created) if accounts is not None else None
            report = load_staged(writer, batch, Part(span.start, span.end, timeless=first, last=last))
            run.note("ingest", report)
        built = build(writer, settings, run, progress=progress)
    if before is not None and before.rows == span.rows and not report.added:
        return before  # the last one again: its sources are in the ledger now
    seconds = time.perf_counter() - begin
    return _record(settings, span, report, 0 if known is None else known.rows, built, seconds, ahead=ahead)


def _ahead(writer: Any, span: Span) -> bool:
    """Say whether the store holds prompts of a time after a period."""
    with writer.connect() as con:
        return bool(one(con, "SELECT count(*) FROM base_prompts WHERE ts >= ?", [span.end])[0])


def _record(
    settings: Settings, span: Span, report: IngestReport, accounts: int, built: Any, seconds: float, *, ahead: bool
) -> Period:
    """Read what the store says after a period's build, and keep it."""
    told = {
        alert.alert_id for period in all_kept(settings.store) if period.start != span.start for alert in period.alerts
    }
    with Store(settings.store, settings) as store, store.connect() as con:
        oldest, newest, n_prompts = one(con, "SELECT min(ts), max(ts), count(*) FROM prompts")
        families, campaigns = one(con, "SELECT (SELECT count(*) FROM families), (SELECT count(*) FROM campaigns)")
        query = (
            "SELECT alert_id, fired_at, CASE WHEN ? IS NOT NULL THEN datediff('day', ?::DATE, fired_at::DATE) + 1 END, campaign_id, "
            "family_id, kind, severity, score, n_accounts, n_prompts, message FROM alerts ORDER BY alert_id[3:]::BIGINT"
        )
        alerts = [FiredAlert(*row) for row in con.execute(query, [oldest, oldest]).fetchall() if row[0] not in told]
        query = (
            "SELECT alert_id, n_accounts, n_prompts, n_families FROM alert_growth "
            "QUALIFY row_number() OVER (PARTITION BY alert_id ORDER BY ts DESC NULLS LAST, n_prompts DESC) = 1 "
            "ORDER BY alert_id[3:]::BIGINT"
        )
        growth = [Growth(*row) for row in con.execute(query).fetchall()]
        members = arrow(con, MEMBERS)
    period = Period(
        number=span.number,
        start=span.start,
        end=span.end,
        rows=span.rows,
        prompts=report.added,
        accounts=accounts,
        seconds=round(seconds, 3),
        stages=dict(built.seconds),
        generation=built.generation,
        newest=newest,
        n_prompts=n_prompts,
        n_families=families,
        n_campaigns=campaigns,
        ahead=ahead,
        alerts=tuple(alerts),
        growth=tuple(growth),
    )
    keep(settings.store, period, members)
    return period


def _judge(settings: Settings, periods: Sequence[Period], truth: Path) -> AlertEvaluation:
    with Store(settings.store, settings) as store, store.connect() as con:
        register_truth(con, truth)
        return judge_alerts(con, history(settings.store, periods))
