"""What a simulation is asked for, checked at the border."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from promptscan.errors import UsageError
from promptscan.simulate.checks import integer
from promptscan.simulate.knobs import CampaignConfig
from promptscan.simulate.negative import NegativeConfig, NegativeKind, default_negatives

MOST = 1_000
"""Campaigns, and negatives, of one log."""


@dataclass(frozen=True, slots=True)
class SimulationConfig:
    """A whole log.

    Args:
        prompts: rows of the log, met exactly, >= 1.
        accounts: rows of the accounts table, >= 1.
        days: length of the window, >= 1.
        seed: >= 0; the same configuration and seed give the same bytes.
        start: midnight UTC of the first day.
        campaigns: None = `default_campaigns(days)`; empty = a log without any.
        release_day: day on which the new model appears at noon UTC; None = the middle of the window.
        negatives: None = `default_negatives()`; empty = none but popular templates and retries.
        corpus: file of real texts for background prompts and slots; None = all texts are made up.
    """

    prompts: int = 20_000
    accounts: int = 1_500
    days: int = 14
    seed: int = 0
    start: datetime = datetime(2026, 1, 5, tzinfo=UTC)
    campaigns: tuple[CampaignConfig, ...] | None = None
    release_day: int | None = None
    negatives: tuple[NegativeConfig, ...] | None = None
    corpus: Path | None = None

    def __post_init__(self) -> None:
        """Refuse values that make no log."""
        integer("simulation", "prompts", self.prompts, 1, None)
        integer("simulation", "accounts", self.accounts, 1, None)
        integer("simulation", "days", self.days, 1, 3_650)
        integer("simulation", "seed", self.seed, 0, None)
        if self.release_day is not None:
            integer("simulation", "release_day", self.release_day, 0, None)
        start = self.start
        if (
            start.tzinfo is None
            or start.utcoffset()
            or (start.hour, start.minute, start.second, start.microsecond) != (0,) * 4
        ):
            raise UsageError(f"simulation: start: got {start.isoformat()}, wanted midnight UTC with its time zone")
        self._check_campaigns()
        self._check_negatives()

    def _check_campaigns(self) -> None:
        campaigns = self.campaigns or ()
        seen: set[str] = set()
        for campaign in campaigns:
            if campaign.name in seen:
                raise UsageError(f"campaign name: got {campaign.name!r} twice, wanted unique names")
            seen.add(campaign.name)
            self._check_day(f"campaign {campaign.name!r}", campaign.start_day)
            if campaign.relay and not any(each.kind == NegativeKind.RELAY for each in self.all_negatives()):
                raise UsageError(
                    f"campaign {campaign.name!r}: relay: got {campaign.relay}, but the log has no negative of kind 'relay'"
                )
        if len(campaigns) > MOST:
            raise UsageError(f"campaigns: got {len(campaigns)}, wanted at most {MOST}")
        traffic = sum(campaign.share / (1 - campaign.cover) for campaign in campaigns)
        if traffic > 0.9:
            raise UsageError(f"campaigns: shares with cover sum to {traffic:.2f}, wanted at most 0.9; lower some share")
        wanted = sum(self.campaign_accounts(campaign) for campaign in campaigns)
        if wanted >= self.accounts:
            raise UsageError(
                f"campaigns: want {wanted} accounts of {self.accounts}, wanted fewer so that ordinary users are left; "
                "raise accounts or lower the campaigns' accounts"
            )

    def _check_negatives(self) -> None:
        negatives = self.negatives or ()
        if len(negatives) > MOST:
            raise UsageError(f"negatives: got {len(negatives)}, wanted at most {MOST}")
        for negative in negatives:
            if negative.start_day is not None:
                self._check_day(f"negative {negative.kind!r}", negative.start_day)
        traffic = sum(negative.habit.share for negative in negatives)
        if traffic > 0.9:
            raise UsageError(f"negatives: shares sum to {traffic:.2f}, wanted at most 0.9; lower some share")
        spare = self.accounts - sum(self.campaign_accounts(campaign) for campaign in self.campaigns or ())
        asked = sum(each.accounts for each in negatives if isinstance(each.accounts, int) and each.habit.members)
        if asked >= spare:
            raise UsageError(
                f"negatives: want {asked} accounts of the {spare} that are no campaign's, wanted fewer so that ordinary "
                "users are left"
            )

    def _check_day(self, where: str, day: int) -> None:
        if day >= self.days:
            raise UsageError(f"{where}: start_day: got {day}, wanted less than the {self.days} days of the window")

    def campaign_accounts(self, campaign: CampaignConfig) -> int:
        """Return the number of accounts of a campaign; a share of few accounts can round to none."""
        if isinstance(campaign.accounts, float):
            return round(campaign.accounts * self.accounts)
        return campaign.accounts

    def negative_accounts(self) -> tuple[int, ...]:
        """Return the accounts of each negative; 0 for one that finds no accounts of its own, or needs none.

        Shares together leave half of the accounts that are no campaign's to everybody else: where there are few, the
        kinds that come first get theirs.
        """
        negatives = self.all_negatives()
        spare = self.accounts - sum(self.campaign_accounts(campaign) for campaign in self.all_campaigns())
        wanted = [each.wanted(self.accounts) if each.habit.members else 0 for each in negatives]
        counted = [isinstance(each.accounts, int) for each in negatives]
        left = (spare // 2 if spare >= 20 else 0) - sum(n for n, fixed in zip(wanted, counted, strict=True) if fixed)
        given = []
        for n, fixed in zip(wanted, counted, strict=True):
            fits = fixed or n <= left
            given.append(n if fits else 0)
            left -= n if fits and not fixed else 0
        return tuple(given)

    def all_campaigns(self) -> tuple[CampaignConfig, ...]:
        """Return the campaigns, the default mix where none were given."""
        return default_campaigns(self.days) if self.campaigns is None else self.campaigns

    def all_negatives(self) -> tuple[NegativeConfig, ...]:
        """Return the hard negatives, one of each kind where none were given."""
        return default_negatives() if self.negatives is None else self.negatives

    def complete(self) -> SimulationConfig:
        """Return this configuration with the default mix and the default negatives filled in where none were given."""
        return replace(self, campaigns=self.all_campaigns(), negatives=self.all_negatives())


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
