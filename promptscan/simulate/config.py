"""What a simulation is asked for, checked at the border."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from promptscan.errors import UsageError

HIGHEST_RATE_CAP = 29
"""A campaign account never sends more prompts a day than this: the whole point is to look like a light user."""


class Capability(StrEnum):
    """What a campaign tries to copy; each has its templates in `capabilities.toml`."""

    SOFTWARE = "software"
    AGENTIC = "agentic"
    CYBERSECURITY = "cybersecurity"
    REASONING = "reasoning"
    GRADING = "grading"
    DATA_GENERATION = "data_generation"


@dataclass(frozen=True, slots=True)
class CampaignConfig:
    """One operation: who, what, how much, when.

    Args:
        name: the campaign_id in the truth table; unique.
        capability: which templates it sends.
        accounts: an integer is a number of accounts, a fraction in (0, 1) a share of all accounts.
        share: share of all prompts that are its templates, in (0, 0.5]; its cover traffic comes on top. Less is sent
            when its accounts cannot carry it under `rate_cap`.
        templates: how many of the capability's templates it uses.
        start_day: first day of the window on which it sends, 0 = the first.
        stop_day: first day on which it no longer sends; None = the end of the window.
        cover: share of its accounts' own traffic that is benign, in [0, 0.9].
        rate_cap: most prompts an account sends on one UTC day, cover included, 1..29.
        pivot: half of its traffic moves to the new model within 24 h of its release.
        shared: probability that an account draws its payment, ip and network from the campaign's small pools.
        replaced: share of its accounts that replace banned ones.
    """

    name: str
    capability: str = Capability.SOFTWARE.value
    accounts: int | float = 0.02
    share: float = 0.02
    templates: int = 4
    start_day: int = 0
    stop_day: int | None = None
    cover: float = 0.1
    rate_cap: int = 26
    pivot: bool = False
    shared: float = 0.3
    replaced: float = 0.2

    def __post_init__(self) -> None:
        """Refuse values that make no campaign."""
        where = f"campaign {self.name!r}"
        if not isinstance(self.name, str) or not self.name.strip():
            raise UsageError(f"campaign name: got {self.name!r}, wanted a non-empty string")
        names = [capability.value for capability in Capability]
        if self.capability not in names:
            raise UsageError(f"{where}: capability: got {self.capability!r}, wanted one of {', '.join(names)}")
        if isinstance(self.accounts, float):
            what = "a count (integer) or a share of all accounts"
            _number(where, "accounts", self.accounts, what, high=0.9, above=True)
        else:
            _integer(where, "accounts", self.accounts, 1, None)
        _number(where, "share", self.share, "a share of all prompts", high=0.5, above=True)
        _integer(where, "templates", self.templates, 1, None)
        _integer(where, "start_day", self.start_day, 0, None)
        if self.stop_day is not None:
            _integer(where, "stop_day", self.stop_day, self.start_day + 1, None)
        _number(where, "cover", self.cover, "a share of the accounts' traffic", high=0.9)
        _integer(where, "rate_cap", self.rate_cap, 1, HIGHEST_RATE_CAP)
        if not isinstance(self.pivot, bool):
            raise UsageError(f"{where}: pivot: got {self.pivot!r}, wanted true or false")
        _number(where, "shared", self.shared, "a probability", high=1.0)
        _number(where, "replaced", self.replaced, "a share of the accounts", high=0.9)


@dataclass(frozen=True, slots=True)
class SimulationConfig:
    """A whole log.

    Args:
        prompts: rows of the log, met exactly, >= 1.
        accounts: rows of the accounts table, >= 1.
        days: length of the window, >= 1.
        seed: >= 0; the same configuration and seed give the same bytes.
        start: midnight UTC of the first day.
        campaigns: empty = `default_campaigns(days)`.
        release_day: day on which the new model appears at noon UTC; None = the middle of the window.
    """

    prompts: int = 20_000
    accounts: int = 1_500
    days: int = 14
    seed: int = 0
    start: datetime = datetime(2026, 1, 5, tzinfo=UTC)
    campaigns: tuple[CampaignConfig, ...] = ()
    release_day: int | None = None

    def __post_init__(self) -> None:
        """Refuse values that make no log."""
        _integer("simulation", "prompts", self.prompts, 1, None)
        _integer("simulation", "accounts", self.accounts, 1, None)
        _integer("simulation", "days", self.days, 1, 3_650)
        _integer("simulation", "seed", self.seed, 0, None)
        if self.release_day is not None:
            _integer("simulation", "release_day", self.release_day, 0, None)
        start = self.start
        if (
            start.tzinfo is None
            or start.utcoffset()
            or (start.hour, start.minute, start.second, start.microsecond) != (0,) * 4
        ):
            raise UsageError(f"simulation: start: got {start.isoformat()}, wanted midnight UTC with its time zone")
        self._check_campaigns()

    def _check_campaigns(self) -> None:
        seen: set[str] = set()
        for campaign in self.campaigns:
            if campaign.name in seen:
                raise UsageError(f"campaign name: got {campaign.name!r} twice, wanted unique names")
            seen.add(campaign.name)
            if campaign.start_day >= self.days:
                raise UsageError(
                    f"campaign {campaign.name!r}: start_day: got {campaign.start_day}, "
                    f"wanted less than the {self.days} days of the window"
                )
        traffic = sum(campaign.share / (1 - campaign.cover) for campaign in self.campaigns)
        if traffic > 0.9:
            raise UsageError(f"campaigns: shares with cover sum to {traffic:.2f}, wanted at most 0.9; lower some share")
        wanted = sum(self.campaign_accounts(campaign) for campaign in self.campaigns)
        if wanted >= self.accounts:
            raise UsageError(
                f"campaigns: want {wanted} accounts of {self.accounts}, wanted fewer so that ordinary users are left; "
                "raise accounts or lower the campaigns' accounts"
            )

    def campaign_accounts(self, campaign: CampaignConfig) -> int:
        """Return the number of accounts of a campaign; a share of few accounts can round to none."""
        if isinstance(campaign.accounts, float):
            return round(campaign.accounts * self.accounts)
        return campaign.accounts

    def with_campaigns(self) -> SimulationConfig:
        """Return this configuration with the default mix filled in where none was given."""
        return self if self.campaigns else replace(self, campaigns=default_campaigns(self.days))


def default_campaigns(days: int) -> tuple[CampaignConfig, ...]:
    """Return the default mix: six campaigns, one per capability, 9.9 % of all prompts, fitted to a window of `days`."""

    def day(fraction: float) -> int:
        return int(days * fraction)

    def stop(fraction: float, start: int) -> int:
        return max(day(fraction), start + 1)

    return (
        CampaignConfig("north-star", "software", 0.035, 0.030, 6, 0, None, 0.08, 26, pivot=True, shared=0.35),
        CampaignConfig("paper-lantern", "agentic", 0.030, 0.022, 5, day(0.2), None, 0.12, 24, pivot=True, shared=0.2),
        CampaignConfig(
            "glass-harbour", "cybersecurity", 0.024, 0.018, 5, day(0.3), stop(0.9, day(0.3)), 0.2, 22, shared=0.3
        ),
        CampaignConfig("slow-river", "reasoning", 0.020, 0.014, 4, day(0.1), stop(0.7, day(0.1)), 0.15, 20, pivot=True),
        CampaignConfig("red-pencil", "grading", 0.012, 0.009, 3, day(0.5), None, 0.1, 26, shared=0.5),
        CampaignConfig("seed-bank", "data_generation", 0.010, 0.006, 3, day(0.6), None, 0.05, 28, shared=0.15),
    )


def load_campaigns(path: Path) -> tuple[CampaignConfig, ...]:
    """Read campaigns from a TOML file of `[[campaign]]` tables whose keys are the fields of `CampaignConfig`.

    Args:
        path: the file.

    Returns:
        The campaigns in file order, at least one.

    Raises:
        UsageError: the file cannot be read or a key or value is not usable.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror}), wanted a TOML file of [[campaign]] tables"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML ({error}), wanted [[campaign]] tables") from error
    unknown = sorted(set(document) - {"campaign"})
    if unknown:
        raise UsageError(f"{path}: got key {unknown[0]!r}, wanted only [[campaign]] tables")
    tables = document.get("campaign")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{path}: campaign: got {tables!r}, wanted at least one [[campaign]] table")
    return tuple(_campaign(path, number, table) for number, table in enumerate(tables, start=1))


def _campaign(path: Path, number: int, table: dict[str, Any]) -> CampaignConfig:
    known = [field.name for field in fields(CampaignConfig)]
    for key in table:
        if key not in known:
            raise UsageError(f"{path}: campaign {number}: got key {key!r}, wanted one of {', '.join(known)}")
    if "name" not in table:
        raise UsageError(f'{path}: campaign {number}: got no name, wanted name = "..."')
    try:
        return CampaignConfig(**table)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _integer(where: str, key: str, value: object, low: int, high: int | None) -> None:
    wanted = f"an integer of at least {low}" if high is None else f"an integer in {low}..{high}"
    if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
        raise UsageError(f"{where}: {key}: got {value!r}, wanted {wanted}")


def _number(
    where: str, key: str, value: object, what: str, *, low: float = 0.0, high: float, above: bool = False
) -> None:
    bounds = f"{'above' if above else 'from'} {low:g} to {high:g}"
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not usable or not (low <= float(value) <= high) or (above and value == low):  # type: ignore[arg-type]
        raise UsageError(f"{where}: {key}: got {value!r}, wanted {what}, {bounds}")
