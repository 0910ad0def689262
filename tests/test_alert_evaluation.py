"""Alerts against a truth: days to detect, accounts by day, false alerts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa
import pytest

from promptscan.alert_evaluation import AlertEvaluation, History, judge_alerts

START = datetime.fromisoformat("2026-01-05")


def day(number: float) -> datetime:
    """A time so many days after the log's first midnight."""
    return START + timedelta(days=number)


class Judged:
    """A log of one prompt a row, and alerts on it."""

    def __init__(self) -> None:
        self.prompts: list[tuple[str, str, datetime | None, str | None, str, str]] = []
        self.alerts: list[tuple[str, datetime | None]] = []

    def sent(self, account: str, time: datetime | None, campaign: str | None = None, label: str = "campaign", role: str = "campaign") -> None:
        self.prompts.append((f"p{len(self.prompts)}", account, time, campaign, label, role))

    def fired(self, alert: str, time: datetime | None) -> None:
        self.alerts.append((alert, time))

    def judge(self, *snapshots: tuple[datetime | None, dict[str, Sequence[str]]]) -> AlertEvaluation:
        rows = [(n, alert, one) for n, (_, named) in enumerate(snapshots) for alert, ones in named.items() for one in ones]
        names = ("snapshot", "alert_id", "account_id")
        types = (pa.int64(), pa.string(), pa.string())
        members = pa.table({name: pa.array([row[i] for row in rows], types[i]) for i, name in enumerate(names)})
        with duckdb.connect() as con:
            con.execute("CREATE TABLE prompts (prompt_id VARCHAR, account_id VARCHAR, ts TIMESTAMP)")
            con.execute("CREATE TABLE truth_rows (prompt_id VARCHAR, campaign_id VARCHAR, label VARCHAR, account_role VARCHAR)")
            con.execute("CREATE TABLE alerts (alert_id VARCHAR, fired_at TIMESTAMP)")
            con.executemany("INSERT INTO prompts VALUES (?, ?, ?)", [row[:3] for row in self.prompts])
            con.executemany("INSERT INTO truth_rows VALUES (?, ?, ?, ?)", [(row[0], *row[3:]) for row in self.prompts])
            if self.alerts:
                con.executemany("INSERT INTO alerts VALUES (?, ?)", self.alerts)
            return judge_alerts(con, History(tuple(time for time, _ in snapshots), members))


@pytest.fixture
def log() -> Judged:
    """Campaign c: accounts a0 … a3 from day 0, a4 from day 5; everybody's cover; users u0 … u9 every day to day 9."""
    log = Judged()
    for number in range(4):
        log.sent(f"a{number}", day(0.1), "c")
    log.sent("a4", day(5.5), "c")
    for number in range(10):
        log.sent(f"u{number}", day(number + 0.5), None, "background")
    return log


def test_an_alert_is_correct_when_half_of_its_accounts_are_the_campaigns(log: Judged):
    log.fired("A-1", day(0.9))
    half = log.judge((day(0.9), {"A-1": ["a0", "u0"]}), (day(9.5), {"A-1": ["a0", "u0"]}))
    assert (half.campaigns[0].alert_id, half.false_alerts) == ("A-1", 0)
    assert half.campaigns[0].days == pytest.approx(0.8)
    less = log.judge((day(0.9), {"A-1": ["a0", "u0", "u1"]}), (day(9.5), {"A-1": ["a0", "u0", "u1"]}))
    assert (less.campaigns[0].alert_id, less.campaigns[0].days, less.false_alerts) == (None, None, 1)
    assert less.false_per_day == pytest.approx(1 / 10)


def test_accounts_are_counted_by_the_day_on_which_they_were_known(log: Judged):
    log.fired("A-1", day(0.9))
    judged = log.judge(
        (day(0.9), {"A-1": ["a0", "a1", "a2"]}),
        (day(2.9), {"A-1": ["a0", "a1", "a2", "a3", "u0"]}),
        (day(6.9), {"A-1": ["a0", "a1", "a2", "a3", "a4"]}),
        (day(9.5), {"A-1": ["a0", "a1", "a2", "a3", "a4"]}),
    )
    (found,) = judged.campaigns
    assert [(score.day, score.active, score.flagged) for score in found.by_day] == [(1, 4, 3), (3, 4, 5), (7, 5, 5)]
    assert [score.precision for score in found.by_day] == [1, 0.8, 1]
    assert [score.recall for score in found.by_day] == [0.75, 1, 1]
    assert (found.final.day, found.final.recall, judged.accounts.recall) == (None, 1, 1)


def test_an_account_is_not_the_campaigns_before_it_sent_for_it(log: Judged):
    log.fired("A-1", day(0.9))
    judged = log.judge((day(0.9), {"A-1": ["a4"]}), (day(9.5), {"A-1": ["a4"]}))
    assert judged.false_alerts == 1
    assert judged.campaigns[0].detected_at == day(9.5), "it became correct when a4 sent, known with the next build"


def test_an_alert_that_turns_into_a_campaign_is_dated_by_the_build_that_shows_it(log: Judged):
    log.fired("A-1", day(0.9))
    judged = log.judge((day(0.9), {"A-1": ["u0", "u1"]}), (day(3.9), {"A-1": ["u0", "a0", "a1"]}))
    assert judged.campaigns[0].detected_at == day(3.9)
    assert judged.false_alerts == 1


def test_cover_makes_a_member_but_does_not_start_a_campaign():
    log = Judged()
    log.sent("a0", day(0), "c", "campaign_cover")
    log.sent("a1", day(1), "c")
    log.fired("A-1", day(1.5))
    (found,) = log.judge((day(1.5), {"A-1": ["a0"]})).campaigns
    assert (found.first_ts, found.accounts, found.days) == (day(1), 2, 0.5)


def test_an_alert_on_several_campaigns_at_once_is_false_and_said_to_be_mixed():
    log = Judged()
    for campaign in "xyz":
        for number in range(3):
            log.sent(f"{campaign}{number}", day(0), campaign)
    log.sent("u", day(0), None, "background")
    log.fired("A-1", day(0.5))
    log.fired("A-2", day(0.5))
    judged = log.judge((day(0.5), {"A-1": ["x0", "y0", "z0"], "A-2": ["u"]}))
    assert (judged.alerts, judged.false_alerts, judged.mixed) == (2, 2, 1)


def test_a_relay_that_carries_campaign_prompts_is_neither_right_nor_wrong_to_name(log: Judged):
    log.sent("r0", day(0.2), "c", role="relay")
    log.sent("r1", day(0.2), None, "relay", role="relay")
    log.fired("A-1", day(0.9))
    (found,) = log.judge((day(0.9), {"A-1": ["a0", "a1", "r0", "r1"]})).campaigns
    assert (found.final.active, found.final.flagged, found.accounts) == (4, 3, 5)
    assert found.final.precision == pytest.approx(2 / 3)
    assert log.judge((day(0.9), {"A-1": ["r0", "u0"]})).false_alerts == 0, "it does carry the campaign"


def test_an_alert_that_names_nobody_is_false(log: Judged):
    log.fired("A-1", day(0.9))
    judged = log.judge((day(0.9), {}))
    assert (judged.alerts, judged.false_alerts) == (1, 1)
    assert judged.accounts.precision is None


def test_a_log_without_times_is_judged_at_its_end():
    log = Judged()
    log.sent("a0", None, "c")
    log.sent("u0", None, None, "background")
    log.fired("A-1", None)
    judged = log.judge((None, {"A-1": ["a0"]}))
    assert judged.campaigns[0].alert_id == "A-1"
    assert (judged.campaigns[0].days, judged.campaigns[0].by_day) == (None, ())
    assert judged.campaigns[0].final.recall == 1


def test_without_alerts_every_campaign_is_missed_and_nothing_is_false(log: Judged):
    judged = log.judge((day(9.5), {}))
    assert (judged.alerts, judged.false_alerts, judged.log_days) == (0, 0, 10)
    assert judged.campaigns[0].final.recall == 0
    assert judged.campaigns[0].final.precision is None
