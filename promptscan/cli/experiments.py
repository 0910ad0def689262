"""simulate, demo, eval: logs whose truth is known, and what is found of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptscan.cli.bars import stage_bars
from promptscan.cli.console import say
from promptscan.cli.judging import show_alert_evaluation
from promptscan.cli.output import OutputOptions, emit, output_options
from promptscan.cli.root import configured
from promptscan.cli.table import Column, Role
from promptscan.cli.writing import say_scan

if TYPE_CHECKING:
    from promptscan.evaluation import Evaluation

COLUMNS = [
    Column("campaign_id", "campaign"),
    Column("prompts"),
    Column("accounts"),
    Column("families"),
    Column("precision", role=Role.SHARE),
    Column("recall", role=Role.SHARE),
    Column("account_recall", "acct recall", role=Role.SHARE),
    Column("best_rank", "rank"),
]


@click.command("simulate")
@click.option(
    "--out", required=True, metavar="DIR", help="Folder for prompts.parquet, accounts.parquet, truth.parquet."
)
@click.option("--prompts", type=int, default=20_000, show_default=True)
@click.option("--accounts", type=int, default=1_500, show_default=True)
@click.option("--days", type=int, default=14, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--campaigns", metavar="FILE.toml", help="Campaigns to plant instead of the default mix.")
def simulate_command(out: str, prompts: int, accounts: int, days: int, seed: int, campaigns: str | None) -> int:
    """Write a realistic log with planted campaigns, its accounts, and the truth; equal seeds give equal logs."""
    from promptscan.simulate import SimulationConfig, load_campaigns, simulate

    planted = load_campaigns(Path(campaigns)) if campaigns else ()
    config = SimulationConfig(prompts=prompts, accounts=accounts, days=days, seed=seed, campaigns=planted)
    made = simulate(config, Path(out))
    say(
        f"{made.n_prompts:,} prompts of {made.n_accounts:,} accounts; planted: "
        + ", ".join(f"{name} {n:,}" for name, n in made.campaigns.items())
    )
    for path in (made.prompts, made.accounts, made.truth):
        click.echo(path)
    return 0


@click.command("eval")
@click.option("--truth", required=True, metavar="FILE", help="truth.parquet: prompt_id, campaign_id, family_id, label.")
@output_options
@click.pass_context
def eval_command(ctx: click.Context, truth: str, output: OutputOptions) -> int:
    """Compare the store's families with the truth: what was found of each campaign, and what of it is not theirs."""
    from promptscan.api import Store
    from promptscan.evaluation import evaluate

    settings = configured(ctx).settings
    with Store(settings.store, settings) as store:
        show_evaluation(evaluate(store, Path(truth)), output)
    return 0


@click.command("demo")
@click.option(
    "--out", default="promptscan-demo", show_default=True, metavar="DIR", help="Folder for log, store and report."
)
@click.option("--prompts", type=click.IntRange(min=100), default=20_000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def demo_command(out: str, prompts: int, seed: int) -> int:
    """Simulate a log with planted campaigns, scan it, and show what was found of them."""
    from promptscan.demo import demo

    say(f"simulating {prompts:,} prompts with planted campaigns, then scanning them ...")
    with stage_bars() as progress:
        result = demo(Path(out), prompts=prompts, seed=seed, progress=progress)
    say_scan(result.scan)
    show_evaluation(result.evaluation, OutputOptions())
    click.echo(f"\nDone in {result.seconds:.0f} s. Next:")
    click.echo(f"  promptscan --store {result.store} families")
    click.echo(f'  promptscan --store {result.store} search "explain your reasoning step by step"')
    click.echo(f"Report (opens offline): {result.report.absolute()}")
    return 0


def show_evaluation(evaluation: Evaluation, output: OutputOptions) -> None:
    """Output an evaluation: the campaigns as a table, the rest in words."""
    import pyarrow as pa

    rows: list[dict[str, Any]] = [
        {name: getattr(score, name) for name in score.__dataclass_fields__} for score in evaluation.campaigns
    ]
    schema = pa.schema(
        [("campaign_id", pa.string()), ("prompts", pa.int64()), ("accounts", pa.int64()), ("families", pa.int64())]
        + [(name, pa.float64()) for name in ("precision", "recall", "account_precision", "account_recall")]
        + [("best_rank", pa.int64())]
    )
    table = pa.Table.from_pylist(rows, schema=schema)
    emit(table, output, title="Planted campaigns found", columns=COLUMNS, document=evaluation.to_dict())
    if output.is_table:
        ari = "not defined" if evaluation.ari is None else f"{evaluation.ari:.2f}"
        click.echo(
            f"{evaluation.prompts:,} prompts judged; {evaluation.benign_in_campaign_families:.2%} of {evaluation.benign:,} benign "
            f"prompts are in a campaign's family, {evaluation.benign_clustered:.1%} in any; family ARI {ari}"
        )
        if evaluation.alerts.alerts:
            show_alert_evaluation(evaluation.alerts, output)
