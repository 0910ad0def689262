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


def _list_presets(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    """Name the presets and leave."""
    if not value:
        return
    from promptscan.simulate import load_preset, preset_names

    for name in preset_names():
        click.echo(f"{name:<14}  {load_preset(name).description}")
    ctx.exit()


@click.command("simulate")
@click.option(
    "--out", required=True, metavar="DIR", help="Folder for prompts.parquet, accounts.parquet, truth.parquet."
)
@click.option("--prompts", type=int, help="[default: 20000; a preset's own]")
@click.option("--accounts", type=int, help="[default: 1500; a preset's own]")
@click.option("--days", type=int, help="[default: 14; a preset's own, of which it gives the first]")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--campaigns", metavar="FILE.toml", help="[[campaign]] and [[negative]] tables to plant instead of the default mix."
)
@click.option("--preset", metavar="NAME", help="A log after a public report, such as report-28.8m; see --list-presets.")
@click.option("--scale", type=float, default=1.0, show_default=True, help="Factor of prompts and accounts.")
@click.option(
    "--share", type=float, help="The campaigns' share of all prompts, 0.0001 to 0.5; their accounts follow it."
)
@click.option("--benign-only", is_flag=True, help="No campaigns; everything that only looks like one stays.")
@click.option("--corpus", metavar="FILE", help="Real texts for background prompts and campaigns' slots.")
@click.option(
    "--list-presets", is_flag=True, is_eager=True, expose_value=False, callback=_list_presets, help="Name the presets."
)
def simulate_command(seed: int, out: str, **asked: Any) -> int:
    """Write a realistic log with planted campaigns, its accounts, and the truth; equal seeds give equal logs."""
    from promptscan.simulate import requested, simulate

    made = simulate(requested(seed=seed, **asked), Path(out))
    planted = ", ".join(f"{name} {n:,}" for name, n in made.campaigns.items()) or "nothing"
    say(f"{made.n_prompts:,} prompts of {made.n_accounts:,} accounts; planted: {planted}")
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
    click.echo(f"  promptscan --store {result.store} alerts")
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
