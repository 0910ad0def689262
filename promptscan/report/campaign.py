"""What a report says of campaigns and alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from promptscan.recorded import Evidence


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a family or a campaign."""

    day: date
    n_prompts: int
    n_accounts: int


@dataclass(frozen=True, slots=True)
class CampaignAccount:
    """An account of a campaign and why it is in it; `share` is of its own prompts, 0..1."""

    account_id: str
    score: float | None
    n_prompts: int | None
    share: float | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CampaignFamily:
    """A family of a campaign: prompts and accounts are the campaign's; `template` may be cut, `score` is log10 of an e-value."""

    family_id: str
    label: str | None
    capability: str | None
    percentile: float | None
    n_prompts: int | None
    n_accounts: int | None
    score: float | None
    reason: str | None
    template: str | None


@dataclass(frozen=True, slots=True)
class CampaignEntity:
    """What accounts of a campaign share, how many others have it too, and its rarity."""

    kind: str | None
    value: str | None
    n_accounts: int | None
    n_others: int | None
    weight: float | None


@dataclass(frozen=True, slots=True)
class Campaign:
    """A set of accounts that act together, with what speaks for it and against it, strongest first.

    `verdict` is what a person decided about it or its alert. `accounts`, `families` and `entities` are the head of what the store has.
    """

    campaign_id: str
    score: float | None
    severity: str | None
    label: str | None
    capability: str | None
    n_accounts: int
    n_families: int
    n_prompts: int
    first_ts: datetime | None
    last_ts: datetime | None
    alert_id: str | None
    fired_at: datetime | None
    verdict: str | None
    evidence: tuple[Evidence, ...]
    counter_evidence: tuple[Evidence, ...]
    families: tuple[CampaignFamily, ...]
    accounts: tuple[CampaignAccount, ...]
    entities: tuple[CampaignEntity, ...]
    days: tuple[Day, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """An alarm that fired, at the log's time, with its campaign as it is now.

    Attributes:
        n_accounts, n_prompts: when it fired.
        campaign_now: the campaign that its campaign is, or became part of; None when it is none any more.
        n_accounts_now, n_prompts_now, first_ts, label, capability: of the campaign now; None when it is none any more.
        why: the strongest evidence, in sentences.
        against: what speaks against it most, in sentences.
        verdict: what a person decided about it or its campaign.
    """

    alert_id: str
    fired_at: datetime | None
    kind: str | None
    severity: str | None
    campaign_id: str | None
    campaign_now: str | None
    family_id: str | None
    score: float | None
    message: str | None
    n_accounts: int | None
    n_prompts: int | None
    n_accounts_now: int | None
    n_prompts_now: int | None
    first_ts: datetime | None
    label: str | None
    capability: str | None
    verdict: str | None
    why: tuple[str, ...]
    against: tuple[str, ...]
