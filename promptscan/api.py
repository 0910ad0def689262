"""The Python interface: the same store, the same answers as the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from promptscan.config import Configured, Settings
from promptscan.errors import UsageError
from promptscan.sql import arrow, one, script
from promptscan.types import Progress, silent

if TYPE_CHECKING:
    import pyarrow as pa

    from promptscan.build import BuildReport, Run
    from promptscan.hits import SearchResult
    from promptscan.ingest import AccountsReport, IngestReport
    from promptscan.search import Searcher
    from promptscan.store import Generation

LISTS: Mapping[str, str] = {  # view -> order in which it is listed
    "families": "score DESC NULLS LAST, family_id",
    "templates": "n_accounts DESC, n_prompts DESC, template_id",
    "duplicates": "n_accounts DESC, n_prompts DESC, duplicate_id",
    "accounts": "n_prompts DESC, account_id",
    "campaigns": "score DESC NULLS LAST, n_accounts DESC, campaign_id",
    "alerts": "fired_at DESC NULLS LAST, score DESC NULLS LAST, alert_id",
}
BEGAN: Mapping[str, tuple[str, str]] = {  # view -> when a row began, and when it was last seen
    "families": ("first_ts", "last_ts"),
    "accounts": ("first_ts", "last_ts"),
    "campaigns": ("first_ts", "last_ts"),
    "alerts": ("fired_at", "fired_at"),
}
NEW: Mapping[str, str] = {  # view -> condition of what came with the last build
    "families": "family_id IN (SELECT family_id FROM family_events WHERE event IN ('born', 'split') "
    "AND run_id = (SELECT max(run_id) FROM family_events))",
    "accounts": "first_ts >= (SELECT max(ts)::DATE FROM prompts)",
    "campaigns": "campaign_id IN (SELECT campaign_id FROM alerts WHERE coalesce(fired_at >= (SELECT max(ts) FROM prompts), true))",
    "alerts": "coalesce(fired_at >= (SELECT max(ts) FROM prompts), true)",  # a log without times: all fired in it
}
SINCE = re.compile(r"(\d+)\s*(h|d|w)")
EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+|\([^)]*\)\s*)?", re.IGNORECASE)
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What a scan did: its ingest, its accounts file if one was given, and its build."""

    ingest: IngestReport
    build: BuildReport
    accounts: AccountsReport | None = None


class Store:
    """The newest generation of a store, read-only; a context manager."""

    def __init__(self, path: str | Path, settings: Settings | None = None) -> None:
        """Open the live generation.

        Raises:
            StoreError: there is no store, or it is damaged or newer than this promptscan.
        """
        from promptscan.store import Generation

        self._settings = settings or Configured.load().settings
        self._generation = Generation.current(Path(path).absolute())
        self._searcher: Searcher | None = None

    def __enter__(self) -> Self:
        """Use the store in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the store."""
        self.close()

    @property
    def generation(self) -> Generation:
        """The generation that is open."""
        return self._generation

    def close(self) -> None:
        """Let go of the generation."""
        if self._searcher is not None:
            self._searcher.close()
        self._generation.close()

    def search(
        self,
        text: str | None = None,
        *,
        id: str | None = None,  # noqa: A002 - the name users know
        family: str | None = None,
        **options: Any,
    ) -> SearchResult:
        """Find prompts like a text, like a prompt of the store, or like a family's exemplar.

        Args:
            text: any text.
            id: a prompt id.
            family: a family id.
            options: `k`, `where`, `threshold`; see `promptscan.search.Searcher.search_vectors`.

        Raises:
            UsageError: not exactly one of text, id and family, or an unusable option.
        """
        if sum(given is not None for given in (text, id, family)) != 1:
            raise UsageError("search wants one of a text, an id or a family")
        searcher = self.searcher
        if id is not None:
            return searcher.by_id(id, **options)
        if family is not None:
            return searcher.by_family(family, **options)
        return searcher.by_text(text or "", **options)

    @property
    def searcher(self) -> Searcher:
        """The object that searches this generation."""
        if self._searcher is None:
            from promptscan.search import Searcher

            self._searcher = Searcher(self._generation, self._settings.torch_device, self._settings.memory_limit)
        return self._searcher

    def families(self, **options: Any) -> pa.Table:
        """List families, best score first; see `list_rows` for the options."""
        return self.list_rows("families", **options)

    def accounts(self, **options: Any) -> pa.Table:
        """List accounts, most prompts first, with the campaign each is surest part of; see `list_rows` for the options."""
        return self.list_rows("accounts", **options)

    def campaigns(self, **options: Any) -> pa.Table:
        """List campaigns, highest score first; see `list_rows` for the options."""
        return self.list_rows("campaigns", **options)

    def alerts(self, **options: Any) -> pa.Table:
        """List alerts, newest first; see `list_rows` for the options."""
        return self.list_rows("alerts", **options)

    def list_rows(
        self,
        view: str,
        *,
        since: str | datetime | None = None,
        new: bool = False,
        where: str | None = None,
        sort: str | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """List the rows of a view.

        Args:
            view: `families`, `templates`, `duplicates`, `accounts`, `campaigns` or `alerts`.
            since: only what was last seen (of alerts: what fired) then or later: a date, or an age before the newest prompt
                such as `7d`.
            new: only what was first seen since then (with `since`), or came with the last build.
            where: a condition on the view's columns.
            sort: a column to sort by; `-column` for the largest first.
            limit: at most so many rows.

        Raises:
            UsageError: an option is unusable.
        """
        import duckdb

        from promptscan.search import filtered

        with self.connect() as con:
            relation = con.sql(script("list_accounts") if view == "accounts" else f"SELECT * FROM {view}")
            if (since is not None or new) and view not in BEGAN:
                raise UsageError(f"{view} have no times of their own; --since and --new are for {', '.join(BEGAN)}")
            if since is not None:
                column = duckdb.ColumnExpression(BEGAN[view][0 if new else 1])
                relation = relation.filter(column >= duckdb.ConstantExpression(moment(con, since)))
            elif new:
                relation = relation.filter(NEW[view])
            if where is not None:
                relation = filtered(con, relation, where)
            ordered = relation.order(_order(sort, relation.columns) if sort else LISTS[view])
            return (ordered.limit(limit) if limit is not None else ordered).to_arrow_table()

    @contextmanager
    def connect(self) -> Iterator[Any]:
        """Open a locked-down, read-only DuckDB connection with the store's views."""
        with self._generation.connect(
            memory_limit=self._settings.memory_limit, threads=self._settings.threads or None
        ) as con:
            yield con

    def sql(self, query: str) -> pa.Table:
        """Run one read-only query over the store's views.

        Raises:
            UsageError: it is not one SELECT, or DuckDB refuses it.
        """
        import duckdb

        with self.connect() as con:
            explained = EXPLAIN.match(query)
            try:
                parsed = con.extract_statements(query[explained.end() :] if explained else query)
            except duckdb.Error as error:
                raise UsageError(f"not SQL: {_first_line(error)}") from None
            if len(parsed) != 1 or parsed[0].type != duckdb.StatementType.SELECT:
                raise UsageError("sql reads only: wanted one SELECT (or DESCRIBE, SHOW, EXPLAIN)")
            try:
                return arrow(con, query)
            except duckdb.Error as error:
                raise UsageError(f"the query failed: {_first_line(error)}") from None


def open_store(path: str | Path) -> Store:
    """Open the newest generation of a store, read-only; `promptscan.open` is this function."""
    return Store(path)


def scan(
    paths: str | Path | Sequence[str | Path],
    *,
    store: str | Path | None = None,
    accounts: str | Path | None = None,
    mapping: Sequence[str] = (),
    progress: Progress = silent,
    settings: Settings | None = None,
    command: str = "scan",
) -> ScanReport:
    """Ingest files and build everything that is missing, as one new generation.

    Args:
        paths: files, globs, folders, URLs.
        store: folder of the store; that of the settings when None.
        accounts: an accounts file.
        mapping: `field=column` pairs.
        progress: called as stages advance.
        settings: the configured ones when None.
        command: recorded in the `runs` view.

    Raises:
        PromptscanError: see `promptscan.errors`; the store is as it was before.
    """
    from promptscan.build import Run, build

    if settings is None:
        settings = Configured.load({"store": store}).settings
    elif store is not None:
        settings = replace(settings, store=Path(store))
    listed = [str(paths)] if isinstance(paths, str | Path) else [str(path) for path in paths]
    run = Run.start(command)
    with writing(settings) as writer:
        report, known = read_in(writer, settings, run, listed, accounts=accounts, mapping=mapping, progress=progress)
        return ScanReport(report, build(writer, settings, run, progress=progress), known)


def read_in(
    writer: Any,
    settings: Settings,
    run: Run,
    paths: Sequence[str],
    *,
    accounts: str | Path | None,
    mapping: Sequence[str],
    progress: Progress,
) -> tuple[IngestReport, AccountsReport | None]:
    """Ingest files, and an accounts file if there is one, into a draft; timed and noted as the run's `ingest`."""
    from promptscan.ingest import ingest, ingest_accounts

    with run.stage("ingest"):
        known = ingest_accounts(writer, str(accounts)) if accounts is not None else None
        report = ingest(
            writer,
            paths,
            mapping=mapping,
            max_chars=settings.max_chars,
            max_bad_rows=settings.max_bad_rows,
            progress=progress,
        )
        run.note("ingest", report)
    return report, known


@contextmanager
def writing(settings: Settings) -> Iterator[Any]:
    """Open the configured store for writing."""
    from promptscan.store import open_writer

    with open_writer(
        settings.store,
        memory_limit=settings.memory_limit,
        threads=settings.threads or None,
        keep_generations=settings.keep_generations,
    ) as writer:
        yield writer


def moment(con: Any, since: str | datetime) -> datetime:
    """Resolve a date, a time, or an age before the newest prompt."""
    if isinstance(since, datetime):
        return since.astimezone(UTC).replace(tzinfo=None) if since.tzinfo else since
    age = SINCE.fullmatch(since.strip())
    if age:
        newest = one(con, "SELECT max(ts) FROM prompts")[0] or datetime.now(UTC).replace(tzinfo=None)
        try:
            return newest - int(age[1]) * UNITS[age[2]]
        except OverflowError:
            return datetime(1970, 1, 1)  # noqa: DTZ001 - stored times are UTC without a zone
    try:
        return moment(con, datetime.fromisoformat(since))
    except ValueError:
        raise UsageError(
            f"--since {since!r} is not usable; wanted a date such as 2026-01-31, or an age such as 12h, 7d, 2w"
        ) from None


def _order(sort: str, columns: Sequence[str]) -> str:
    name, down = sort.lstrip("-"), sort.startswith("-")
    if name not in columns:
        raise UsageError(f"--sort {sort!r}: there is no such column; columns are {', '.join(columns)}")
    return f'"{name}" {"DESC" if down else "ASC"} NULLS LAST, "{columns[0]}"'


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]
