"""From options to a configuration: a preset or the default log, scaled, with or without campaigns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from promptscan.errors import UsageError
from promptscan.simulate.checks import integer
from promptscan.simulate.config import SimulationConfig
from promptscan.simulate.presets import load_preset, scaled
from promptscan.simulate.scenario import Scenario, load_scenario


def requested(
    *,
    prompts: int | None = None,
    accounts: int | None = None,
    days: int | None = None,
    seed: int = 0,
    campaigns: str | None = None,
    preset: str | None = None,
    scale: float = 1.0,
    share: float | None = None,
    benign_only: bool = False,
    corpus: str | None = None,
) -> SimulationConfig:
    """Return what the options of `promptscan simulate` ask for.

    Args:
        prompts: rows; with a preset instead of a scale.
        accounts: rows of the accounts table, before scaling; no preset.
        days: length of the window; of a preset the first days.
        seed: of the simulation.
        campaigns: TOML file of `[[campaign]]` and `[[negative]]` tables.
        preset: name of a preset.
        scale: see `scaled`.
        share: see `scaled`.
        benign_only: no campaigns; negatives stay.
        corpus: file of real texts.

    Raises:
        UsageError: a value is out of range, a file cannot be read, or options exclude each other.
    """
    if preset is not None:
        for name, value in (("accounts", accounts), ("campaigns", campaigns)):
            if value is not None:
                raise UsageError(
                    f"--{name}: got {value} with --preset {preset}, which has its own; leave one of them out"
                )
        config = load_preset(preset).config
        if prompts is not None:
            integer("simulation", "prompts", prompts, 1, None)
            if scale != 1.0:
                raise UsageError(f"--prompts {prompts} and --scale {scale} both say how large; leave one of them out")
            scale = prompts / round(config.prompts * (days or config.days) / config.days)
    else:
        scenario = load_scenario(Path(campaigns)) if campaigns else Scenario(None, None, {})
        config = SimulationConfig(
            prompts=20_000 if prompts is None else prompts,
            accounts=1_500 if accounts is None else accounts,
            days=14 if days is None else days,
            campaigns=() if benign_only else scenario.campaigns,
            negatives=scenario.negatives,
        )
        days = None
    if benign_only:
        if share is not None:
            raise UsageError(f"--share {share} and --benign-only: there are no campaigns; leave one of them out")
        config = replace(config, campaigns=())
    if preset is not None or share is not None or scale != 1.0:
        config = scaled(config, scale=scale, share=share, days=days)
    return replace(config, seed=seed, corpus=Path(corpus) if corpus else None)
