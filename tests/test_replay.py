"""replay: period by period, resumable, without a look at what comes later."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import promptscan
from promptscan.build import BuildReport, Run, commit
from promptscan.config import Settings
from promptscan.replay import ReplayReport, replay
from promptscan.sql import one
from promptscan.store import Writer
from promptscan.store.tables import TABLES
from promptscan.types import Progress
from tests.commands import promptscan as command
from tests.commands import refused
from tests.logs import START, sample_rows, write_jsonl

SCHEMA = Path(__file__).resolve().parent.parent / "docs" / "schemas" / "replay.schema.json"
EVENTS = "SELECT prompt_id, text, account_id, ts, source, position FROM prompts JOIN texts USING (text_id) ORDER BY prompt_id"


@pytest.fixture(scope="session")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An accounts file: every account a day older than the one before; one is of unknown age."""
    names = sorted({str(row["account_id"]) for row in sample_rows()})
    times = [None, *(START + timedelta(days=number / 10) for number in range(len(names) - 1))]
    path = tmp_path_factory.mktemp("accounts") / "accounts.parquet"
    pq.write_table(pa.table({"account_id": names, "created_at": pa.array(times, pa.timestamp("us"))}), path)
    return path


@pytest.fixture(scope="session")
def replayed(tmp_path_factory: pytest.TempPathFactory, log: Path, accounts: Path) -> tuple[Path, ReplayReport]:
    """A store that got the sample log in two periods, and the report; read only."""
    root = tmp_path_factory.mktemp("replayed") / "store"
    return root, replay(log, Settings(store=root), accounts=accounts, by="6d")


def rows(store: Path, query: str) -> list[dict[str, Any]]:
    with promptscan.open(store) as opened:
        return opened.sql(query).to_pylist()


def test_periods_add_up_to_the_log_with_the_same_identities(replayed: tuple[Path, ReplayReport], built: Path):
    store, report = replayed
    assert len(report.periods) == 2
    assert sum(period.prompts for period in report.periods) == 330
    assert rows(store, EVENTS) == rows(built, EVENTS)
    assert [period.newest for period in report.periods] == [
        max(row["ts"] for row in rows(store, EVENTS) if row["ts"] < period.end) for period in report.periods
    ]


def test_accounts_are_known_from_the_period_in_which_they_were_created(replayed: tuple[Path, ReplayReport]):
    store, report = replayed
    known = rows(store, "SELECT count(*) AS n FROM accounts WHERE created_at IS NOT NULL")[0]["n"]
    assert report.periods[0].accounts == 61, "the one of unknown age and ten a day"
    assert sum(period.accounts for period in report.periods) == known + 1
    newest = rows(store, "SELECT max(created_at) AS t FROM accounts")[0]["t"]
    assert newest < report.periods[-1].end


def test_a_second_run_adds_nothing_and_says_the_same(replayed: tuple[Path, ReplayReport], log: Path, tmp_path: Path):
    store = Path(shutil.copytree(replayed[0], tmp_path / "store"))
    again = replay(log, Settings(store=store), by="6d")
    assert again.periods == replayed[1].periods
    assert rows(store, EVENTS) == rows(replayed[0], EVENTS)
    assert promptscan.scan(log, store=store).ingest.added == 0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds only commit; a build after the second day of the sample log finds a campaign of two accounts."""

    def build(writer: Writer, settings: Settings, run: Run, *, progress: Progress) -> BuildReport:
        del progress
        with writer.connect() as con:
            newest = one(con, "SELECT max(ts) FROM base_prompts")[0]
        if newest is not None and newest > START + timedelta(days=2) and not writer.manifest.of_kind("alerts"):
            plant(writer, newest)
        return commit(writer, settings, run)

    monkeypatch.setattr("promptscan.build.build", build)


def plant(writer: Writer, fired_at: datetime) -> None:
    """Put a campaign of two accounts, one that is hardly its, and its alert into a draft."""
    people = {"account_id": ["poc-01", "poc-02", "user-01"], "score": [0.9, 0.5, 0.4]}
    tables = {
        "campaigns": {"campaign_id": ["C-1"], "score": [9.0], "n_accounts": [2]},
        "campaign_accounts": {"campaign_id": ["C-1"] * 3, **people},
        "alerts": {"alert_id": ["A-1"], "fired_at": [fired_at], "campaign_id": ["C-1"], "message": ["\x1b[31mtwo"]},
        "alert_growth": {"alert_id": ["A-1"], "ts": [fired_at], "n_accounts": [2], "n_prompts": [7], "n_families": [1]},
    }
    for kind in ("campaigns", "alerts"):
        with writer.segment(kind, key="f" * 24, meta={}) as directory:
            for name, columns in tables.items():
                if TABLES[name].kind == kind:
                    pq.write_table(whole(name, pa.table(columns)), directory / f"{name}.parquet")


def whole(name: str, table: pa.Table) -> pa.Table:
    """Add the columns that a base table has beside those that are given, without values."""
    with duckdb.connect() as con:
        con.register("given", table)
        chosen = ", ".join(
            f"CAST({column if column in table.column_names else 'NULL'} AS {kind}) AS {column}"
            for column, kind in TABLES[name].columns.items()
        )
        return con.sql(f"SELECT {chosen} FROM given").to_arrow_table()


@pytest.mark.usefixtures("quick")
def test_a_replay_goes_on_where_it_stopped(log: Path, tmp_path: Path):
    parts, whole_one = Settings(store=tmp_path / "parts"), Settings(store=tmp_path / "whole")
    part = replay(log, parts, by="2*day,3d", until=2)
    assert (len(part.periods), part.left) == (2, 3)
    done, once = replay(log, parts, by="2*day,3d"), replay(log, whole_one, by="2*day,3d")
    assert done.left == 0
    assert done.periods[:2] == part.periods
    assert rows(parts.store, EVENTS) == rows(whole_one.store, EVENTS)
    assert [period.alerts for period in done.periods] == [period.alerts for period in once.periods]


@pytest.mark.usefixtures("quick")
def test_a_period_whose_record_was_lost_is_recorded_again_without_adding(log: Path, tmp_path: Path):
    settings = Settings(store=tmp_path / "store")
    first = replay(log, settings, until=3)
    sorted((settings.store / "replay").glob("*.json"))[2].unlink()
    again = replay(log, settings, until=3)
    assert [period.n_prompts for period in again.periods] == [period.n_prompts for period in first.periods]
    assert [period.alerts for period in again.periods] == [period.alerts for period in first.periods]
    assert again.periods[2].prompts == 0
    assert not any(period.ahead for period in again.periods)


@pytest.mark.usefixtures("quick")
def test_a_store_that_held_later_prompts_is_said_to_look_ahead(log: Path, tmp_path: Path):
    settings = Settings(store=tmp_path / "store")
    later = [dict(row, prompt_id=f"late-{row['prompt_id']}") for row in sample_rows()[-3:]]
    replay(write_jsonl(tmp_path / "later.jsonl", later), settings)
    report = replay(log, settings, by="week", until=1)
    assert [period.ahead for period in report.periods] == [True, False]


@pytest.mark.usefixtures("quick")
def test_a_log_that_goes_on_is_counted_from_its_first_day(tmp_path: Path):
    settings, some = Settings(store=tmp_path / "store"), sample_rows()
    replay(write_jsonl(tmp_path / "1.jsonl", some[:60]), settings)
    report = replay(write_jsonl(tmp_path / "2.jsonl", some[60:100]), settings)
    assert [period.number for period in report.periods] == [1, 2, 3]
    assert report.periods[-1].n_prompts == 100


@pytest.mark.usefixtures("quick")
def test_rows_without_a_time_come_first_and_jumping_clocks_leave_gaps(tmp_path: Path):
    some = sample_rows()[:20]
    some[3]["ts"] = None
    some[4]["ts"] = "1999-01-01T00:00:00Z"
    some[5]["ts"] = "9999-12-31T23:59:59Z"
    some[6]["ts"] = "yesterday"
    report = replay(write_jsonl(tmp_path / "log.jsonl", some), Settings(store=tmp_path / "store", max_bad_rows=1.0))
    assert [period.rows for period in report.periods] == [2, 16, 1]
    assert (report.timeless, report.quarantined) == (1, 1)
    assert report.periods[-1].n_prompts == 19
    assert report.empty == report.periods[-1].number - 3 > 10_000


@pytest.mark.usefixtures("quick")
def test_a_log_without_any_time_is_one_period(tmp_path: Path):
    some = [dict(row, ts=None) for row in sample_rows()[:20]]
    (period,) = replay(write_jsonl(tmp_path / "log.jsonl", some), Settings(store=tmp_path / "store")).periods
    assert (period.number, period.prompts, period.newest) == (1, 20, None)


@pytest.mark.usefixtures("quick")
def test_an_empty_log_has_no_periods(tmp_path: Path):
    report = replay(write_jsonl(tmp_path / "log.jsonl", []), Settings(store=tmp_path / "store"))
    assert (report.periods, report.empty, report.left) == ((), 0, 0)


@pytest.mark.usefixtures("quick")
def test_an_alert_is_told_once_and_judged_by_what_it_named(log: Path, tmp_path: Path):
    store, truth = tmp_path / "store", tmp_path / "truth.parquet"
    said = [(str(row["prompt_id"]), "poc" if str(row["account_id"]).startswith("poc") else None) for row in sample_rows()]
    pq.write_table(pa.table({"prompt_id": [one for one, _ in said], "campaign_id": [other for _, other in said]}), truth)
    report = replay(log, Settings(store=store), truth=truth)
    assert [(period.number, alert.alert_id, alert.day) for period in report.periods for alert in period.alerts] == [
        (3, "A-1", 3)
    ]
    assert [grown.n_prompts for grown in report.periods[-1].growth] == [7]
    judged = report.evaluation
    assert judged is not None
    assert (judged.alerts, judged.false_alerts) == (1, 0)
    (found,) = judged.campaigns
    assert found.final.flagged == 2, "a membership below one half names nobody"
    assert found.days is not None
    assert 2 < found.days < 3

    ran = command("--store", store, "replay", log, "--truth", truth)
    assert ran.code == 0, ran.err
    assert "A-1 fired 2026-01-07" in ran.out
    assert "\x1b[31m" not in ran.out
    document = json.loads(command("--store", store, "replay", log, "--truth", truth, "--json").out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["evaluation"]["campaigns"][0]["days"] == pytest.approx(found.days)
    listed = command("--store", store, "replay", log, "--csv").out.splitlines()
    assert len(listed) == 1 + len(report.periods)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--by", "fortnight"), "--by 'fortnight' is not usable"),
        (("--truth", "nowhere.parquet"), "--truth nowhere.parquet does not exist"),
        (("--accounts", "nowhere.parquet"), "nowhere.parquet does not exist"),
    ],
)
def test_what_can_not_be_used_is_refused(words: tuple[str, ...], message: str, log: Path, tmp_path: Path):
    assert message in refused(2, "--store", tmp_path / "store", "replay", log, *words)
