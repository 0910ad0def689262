"""Presets: operations of the size of public reports, in a background of stated size, scaled down to what one wants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources

from promptscan.errors import UsageError
from promptscan.simulate.checks import integer, number
from promptscan.simulate.config import SimulationConfig
from promptscan.simulate.knobs import LOWEST_SHARE, CampaignConfig
from promptscan.simulate.negative import NegativeConfig
from promptscan.simulate.scenario import parse_scenario

FEWEST_CAMPAIGN_ACCOUNTS = 5
FEWEST_ACCOUNTS, FEWEST_PROMPTS = 100, 1_000
_SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class Preset:
    """A log at full size.

    Args:
        name: such as "report-150k".
        description: one line.
        config: at scale 1.
    """

    name: str
    description: str
    config: SimulationConfig


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets, the smallest operation first."""
    files = resources.files("promptscan.simulate").joinpath("presets").iterdir()
    names = [file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX)]
    return tuple(sorted(names, key=lambda name: load_preset(name).config.accounts))


def load_preset(name: str) -> Preset:
    """Read a preset.

    Raises:
        UsageError: there is none of this name.
    """
    file = resources.files("promptscan.simulate").joinpath("presets", f"{name}{_SUFFIX}")
    if not name.replace("-", "").replace(".", "").isalnum() or not file.is_file():
        raise UsageError(f"preset: got {name!r}, wanted one of {', '.join(preset_names())}")
    scenario = parse_scenario(file.read_text(encoding="utf-8"), f"preset {name}", extra=("log",))
    log = dict(scenario.log)
    description = log.pop("description")
    return Preset(
        name, description, SimulationConfig(campaigns=scenario.campaigns, negatives=scenario.negatives, **log)
    )


def scaled(
    config: SimulationConfig, *, scale: float = 1.0, share: float | None = None, days: int | None = None
) -> SimulationConfig:
    """Return a smaller or larger log like this one.

    An account sends as much a day as before: fewer prompts come from fewer accounts, of the campaigns and of all
    others. Never fewer than 5 accounts of a campaign, 100 of the log besides, and 1,000 prompts.

    Args:
        config: the log.
        scale: factor of prompts and accounts, above 0 to 10.
        share: the campaigns' share of all prompts, 0.0001 to 0.5, instead of the configured; their accounts follow it.
        days: length of the window, the first days of the configured one; prompts follow it, accounts do not.

    Raises:
        UsageError: a value is out of range.
    """
    number("simulation", "scale", scale, "a factor", high=10.0, above=True)
    campaigns = config.all_campaigns()
    factor = 1.0
    if share is not None:
        number("simulation", "share", share, "a share of all prompts", low=LOWEST_SHARE, high=0.5)
        factor = share / max(sum(campaign.share for campaign in campaigns), LOWEST_SHARE)
    window = config.days
    if days is not None:
        integer("simulation", "days", days, 1, 3_650)
        window = days
    planted = tuple(_campaign(config, campaign, scale, factor, window) for campaign in campaigns)
    fewest = FEWEST_ACCOUNTS + sum(int(campaign.accounts) for campaign in planted)
    release = config.release_day
    return replace(
        config,
        prompts=max(min(config.prompts, FEWEST_PROMPTS), round(config.prompts * scale * window / config.days)),
        accounts=max(min(config.accounts, fewest), round(config.accounts * scale)),
        days=window,
        release_day=None if release is None or release >= window else release,
        campaigns=planted,
        negatives=tuple(_negative(negative, scale, window) for negative in config.all_negatives()),
    )


def _campaign(
    config: SimulationConfig, campaign: CampaignConfig, scale: float, factor: float, days: int
) -> CampaignConfig:
    accounts = config.campaign_accounts(campaign)
    stop = campaign.stop_day
    return replace(
        campaign,
        accounts=max(min(accounts, FEWEST_CAMPAIGN_ACCOUNTS), round(accounts * scale * factor)),
        share=round(campaign.share * factor, 12),  # the asked share, not one below the lowest
        start_day=min(campaign.start_day, days - 1),
        stop_day=None if stop is None or stop >= days else stop,
    )


def _negative(negative: NegativeConfig, scale: float, days: int) -> NegativeConfig:
    accounts, start = negative.accounts, negative.start_day
    if isinstance(accounts, int):
        accounts = max(min(accounts, negative.habit.least), round(accounts * scale))
    return replace(negative, accounts=accounts, start_day=None if start is None or start >= days else start)
