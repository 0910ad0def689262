"""How an evaluation of alerts is shown; eval and replay do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from promptscan.cli.output import OutputOptions, emit
from promptscan.cli.table import Column, Role
from promptscan.vis import vis

if TYPE_CHECKING:
    from promptscan.alert_evaluation import AccountScore, AlertEvaluation

COLUMNS = [
    Column("campaign_id", "campaign"),
    Column("accounts"),
    Column("alert_id", "alert"),
    Column("days", "days to it", role=Role.SCORE),
    Column("precision", role=Role.SHARE),
    Column("recall", role=Role.SHARE),
]


def show_alert_evaluation(evaluation: AlertEvaluation, output: OutputOptions) -> None:
    """Output when each campaign was known and how well; the rest in words."""
    import pyarrow as pa

    rows: list[dict[str, Any]] = [
        {
            "campaign_id": found.campaign_id,
            "accounts": found.accounts,
            "alert_id": found.alert_id,
            "days": found.days,
            "precision": found.final.precision,
            "recall": found.final.recall,
        }
        for found in evaluation.campaigns
    ]
    kinds = {"accounts": pa.int64(), "days": pa.float64()}
    kinds |= {"precision": pa.float64(), "recall": pa.float64()}
    schema = pa.schema([(column.name, kinds.get(column.name, pa.string())) for column in COLUMNS])
    emit(pa.Table.from_pylist(rows, schema=schema), output, title="Alerts on planted campaigns", columns=COLUMNS)
    for found in evaluation.campaigns:
        if found.by_day:
            told = ", ".join(f"day {score.day} {_both(score)}" for score in found.by_day)
            click.echo(f"{vis(found.campaign_id)}: precision/recall on {told}")
    mixed = f" ({evaluation.mixed:,} of them on several campaigns at once)" if evaluation.mixed else ""
    click.echo(
        f"{evaluation.alerts:,} alerts in {evaluation.log_days:,} days, {evaluation.false_alerts:,} false{mixed}: "
        f"{evaluation.false_per_day:.2f} a day; accounts of all campaigns: precision {_share(evaluation.accounts.precision)}, "
        f"recall {_share(evaluation.accounts.recall)}"
    )


def _both(score: AccountScore) -> str:
    return f"{_share(score.precision)}/{_share(score.recall)}"


def _share(value: float | None) -> str:
    return "·" if value is None else f"{value:.1%}"
