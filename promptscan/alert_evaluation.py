"""What alerts are worth against a truth file: when each campaign was known, which accounts were named, what was a false alarm."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from promptscan.sql import arrow, one, script, statements

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MAJORITY = 0.5  # an alert is a campaign's when at least this share of the accounts it names sent for that campaign
MEMBER = 0.5  # an account is named by an alert when its membership in the alert's campaign scores at least this
DAYS = (1, 3, 7, 45)
MEMBERS = (
    "SELECT DISTINCT alert_id, account_id FROM (SELECT alert_id, campaign_id FROM alerts UNION FROM alert_campaigns) "
    f"JOIN campaign_accounts USING (campaign_id) WHERE score >= {MEMBER} ORDER BY alert_id, account_id"
)


@dataclass(frozen=True, slots=True)
class AccountScore:
    """Accounts named against accounts that sent for a campaign.

    Attributes:
        day: days since the campaign's first prompt; None at the end of the log.
        active: accounts that had sent for it by then.
        flagged: accounts that correct alerts named then.
        precision: share of those that were active for it; None when there are none.
        recall: share of the active ones that were named; None when there are none.
    """

    day: int | None
    active: int
    flagged: int
    precision: float | None
    recall: float | None

    @classmethod
    def of(cls, day: int | None, active: int, flagged: int, hits: int) -> AccountScore:
        """Make it from counts."""
        return cls(day, active, flagged, hits / flagged if flagged else None, hits / active if active else None)


@dataclass(frozen=True, slots=True)
class CampaignDetection:
    """When one planted campaign was found, and how much of it.

    Attributes:
        campaign_id: from the truth.
        prompts, accounts: its prompts and the accounts that sent them, cover traffic included, relays that carry it not.
        first_ts: its first prompt that is no cover; None when the log has no times.
        alert_id, detected_at: the first correct alert; None when there is none.
        days: log time between the two, in days.
        by_day: accounts so many days after the first prompt, where there is a build not later than that.
        final: accounts at the end of the log.
    """

    campaign_id: str
    prompts: int
    accounts: int
    first_ts: datetime | None
    alert_id: str | None
    detected_at: datetime | None
    days: float | None
    by_day: tuple[AccountScore, ...]
    final: AccountScore


@dataclass(frozen=True, slots=True)
class AlertEvaluation:
    """Alerts against a truth file.

    Attributes:
        alerts: all that fired.
        false_alerts: those that were no campaign's when they fired.
        mixed: those of them most of whose accounts were in campaigns, though no one campaign had most.
        log_days: days on which the log has prompts, at least 1.
        false_per_day: false alerts a day of the log.
        campaigns: by campaign id.
        accounts: all alerts' accounts against all campaigns', at the end.
    """

    alerts: int
    false_alerts: int
    mixed: int
    log_days: int
    false_per_day: float
    campaigns: tuple[CampaignDetection, ...]
    accounts: AccountScore

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready document."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class History:
    """What alerts named after each build.

    Attributes:
        times: newest log time of each build, in the order of building; None without times.
        members: (snapshot, alert_id, account_id): snapshot is the place of the build in `times`.
    """

    times: tuple[datetime | None, ...]
    members: pa.Table


def present_history(con: duckdb.DuckDBPyConnection) -> History:
    """Return what a store's alerts name now."""
    newest = one(con, "SELECT max(ts) FROM prompts")[0]
    return History((newest,), arrow(con, f"SELECT 0 AS snapshot, * FROM ({MEMBERS})"))


def judge_alerts(con: duckdb.DuckDBPyConnection, history: History) -> AlertEvaluation:
    """Judge the alerts of a store.

    Args:
        con: connection with the store's views and with `truth_rows` (`promptscan.truth.register_truth`).
        history: what the alerts named after each build.
    """
    import pyarrow as pa

    snapshots = pa.table(
        {
            "snapshot": pa.array(range(len(history.times)), pa.int64()),
            "ts": pa.array(history.times, pa.timestamp("us")),
        }
    )
    con.register("snapshots", snapshots)
    con.register("members", history.members)
    con.register("days", pa.table({"day": pa.array(DAYS, pa.int32())}))
    con.execute("SET VARIABLE majority = ?", [MAJORITY])
    for statement in statements(script("judge_alerts")):
        con.execute(statement)
    alerts, wrong, mixed = one(
        con, "SELECT count(*), count(*) FILTER (wrong), count(*) FILTER (mixed) FROM alert_verdicts"
    )
    days = max(1, int(one(con, "SELECT count(DISTINCT ts::DATE) FROM prompts")[0]))
    total = AccountScore.of(*one(con, "FROM account_total"))
    return AlertEvaluation(alerts, wrong, mixed, days, wrong / days, _campaigns(con), total)


def _campaigns(con: duckdb.DuckDBPyConnection) -> tuple[CampaignDetection, ...]:
    scores: dict[str, list[AccountScore]] = {}
    query = "SELECT campaign_id, day, active, flagged, hits FROM day_scores ORDER BY campaign_id, day NULLS LAST"
    for campaign, *counts in con.execute(query).fetchall():
        scores.setdefault(campaign, []).append(AccountScore.of(*counts))
    found = con.execute(
        "SELECT campaign_id, prompts, accounts, first_ts, alert_id, detected_at "
        "FROM true_campaigns LEFT JOIN detections USING (campaign_id) ORDER BY campaign_id"
    ).fetchall()
    detections = []
    for campaign, prompts, accounts, first, alert, at in found:
        days = (at - first) / timedelta(days=1) if at is not None and first is not None else None
        own = scores.get(campaign, [])
        by_day = tuple(score for score in own if score.day is not None)
        final = next((score for score in own if score.day is None), AccountScore.of(None, 0, 0, 0))
        detections.append(CampaignDetection(campaign, prompts, accounts, first, alert, at, days, by_day, final))
    return tuple(detections)
