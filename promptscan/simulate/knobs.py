"""What a campaign is asked for: who, what, how much, when, how well hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum

from promptscan.errors import UsageError
from promptscan.simulate.checks import boolean, count_or_share, integer, number

HIGHEST_RATE_CAP = 29
"""A campaign account never sends more prompts a day than this: the whole point is to look like a light user."""

LOWEST_SHARE = 0.0001
FOREIGN = ("es", "de", "fr", "pt", "zh", "ja", "hi")
"""Languages a campaign can use beside English."""


class Capability(StrEnum):
    """What a campaign tries to copy; each has its templates in `capabilities.toml`."""

    SOFTWARE = "software"
    AGENTIC = "agentic"
    CYBERSECURITY = "cybersecurity"
    REASONING = "reasoning"
    GRADING = "grading"
    DATA_GENERATION = "data_generation"


@dataclass(frozen=True, slots=True)
class Shared:
    """Probability that an account takes an entity from the campaign's small pool instead of one of its own.

    Args:
        payment: of a payment; there is one for every nine accounts of the campaign.
        ip: of addresses in three blocks; there is one for every four accounts that take one.
        asn: of one of three networks.
        user_agent: of the operator's client.
        email_domain: of one of two registered domains.
    """

    payment: float = 0.3
    ip: float = 0.3
    asn: float = 0.3
    user_agent: float = 0.3
    email_domain: float = 0.3

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        for each in fields(self):
            number("shared", each.name, getattr(self, each.name), "a probability", high=1.0)


@dataclass(frozen=True, slots=True)
class CampaignConfig:
    """One operation.

    Args:
        name: the campaign_id in the truth table; unique.
        capability: which templates it sends; several take turns.
        accounts: an integer is a number of accounts, a fraction in (0, 1) a share of all accounts.
        share: share of all prompts that are its templates, 0.0001 to 0.5; its cover traffic comes on top. Less is sent
            when its accounts cannot carry it under `rate_cap`.
        templates: how many of the capabilities' templates it uses.
        start_day: first day of the window on which it sends, 0 = the first.
        stop_day: first day on which it no longer sends; None = the end of the window.
        cover: share of its accounts' own traffic that is benign, in [0, 0.9].
        rate_cap: most prompts an account sends on one UTC day, cover included, 1..29.
        pivot: half of its traffic moves to the new model within 24 h of its release.
        shared: one probability for all of `Shared`, or one each.
        replaced: share of its accounts that replace banned ones.
        slot_entropy: n prompts of a template have about n ** slot_entropy different fillings; 1 = none comes twice.
        paraphrase: chance that the fixed text of an English prompt is reworded, in [0, 1].
        languages: share of its prompts by language beside English, such as {"es": 0.2}; they sum to at most 1.
        relay: share of its prompts that goes through the log's relays, whose accounts carry other customers too.
        account_age_days: how long its accounts lie idle before their first prompt, 0..3650.
        slow_start: days over which its daily traffic grows to full size.
    """

    name: str
    capability: str | tuple[str, ...] = Capability.SOFTWARE.value
    accounts: int | float = 0.02
    share: float = 0.02
    templates: int = 4
    start_day: int = 0
    stop_day: int | None = None
    cover: float = 0.1
    rate_cap: int = 26
    pivot: bool = False
    shared: float | Shared = 0.3
    replaced: float = 0.2
    slot_entropy: float = 1.0
    paraphrase: float = 0.0
    languages: Mapping[str, float] = field(default_factory=dict)
    relay: float = 0.0
    account_age_days: float = 0.0
    slow_start: int = 0

    def __post_init__(self) -> None:
        """Refuse values that make no campaign."""
        where = f"campaign {self.name!r}"
        if not isinstance(self.name, str) or not self.name.strip():
            raise UsageError(f"campaign name: got {self.name!r}, wanted a non-empty string")
        _check_capability(where, self.capability)
        count_or_share(where, "accounts", self.accounts)
        number(where, "share", self.share, "a share of all prompts", low=LOWEST_SHARE, high=0.5)
        integer(where, "templates", self.templates, 1, None)
        integer(where, "start_day", self.start_day, 0, None)
        if self.stop_day is not None:
            integer(where, "stop_day", self.stop_day, self.start_day + 1, None)
        number(where, "cover", self.cover, "a share of the accounts' traffic", high=0.9)
        integer(where, "rate_cap", self.rate_cap, 1, HIGHEST_RATE_CAP)
        boolean(where, "pivot", self.pivot)
        if not isinstance(self.shared, Shared):
            number(where, "shared", self.shared, "a probability", high=1.0)
        number(where, "replaced", self.replaced, "a share of the accounts", high=0.9)
        number(where, "slot_entropy", self.slot_entropy, "an exponent", high=1.0)
        number(where, "paraphrase", self.paraphrase, "a probability", high=1.0)
        _check_languages(where, self.languages)
        number(where, "relay", self.relay, "a share of its prompts", high=1.0)
        number(where, "account_age_days", self.account_age_days, "a number of days", high=3_650.0)
        integer(where, "slow_start", self.slow_start, 0, 3_650)

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The capabilities in the order in which they take turns."""
        return (self.capability,) if isinstance(self.capability, str) else tuple(self.capability)

    @property
    def sharing(self) -> Shared:
        """The probability of each shared entity."""
        return self.shared if isinstance(self.shared, Shared) else Shared(*[self.shared] * len(fields(Shared)))


def _check_capability(where: str, value: object) -> None:
    names = [capability.value for capability in Capability]
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, (list, tuple)) or not several or len(set(map(str, several))) < len(several):
        raise UsageError(f"{where}: capability: got {value!r}, wanted a name or a list of different ones")
    for each in several:
        if each not in names:
            raise UsageError(f"{where}: capability: got {each!r}, wanted one of {', '.join(names)}")


def _check_languages(where: str, languages: object) -> None:
    if not isinstance(languages, Mapping):
        raise UsageError(f"{where}: languages: got {languages!r}, wanted a table such as {{ es = 0.2 }}")
    for name, share in languages.items():
        if name not in FOREIGN:
            raise UsageError(
                f"{where}: languages: got {name!r}, wanted one of {', '.join(FOREIGN)}; the rest is English"
            )
        number(where, f"languages: {name}", share, "a share of its prompts", high=1.0, above=True)
    if sum(languages.values()) > 1 + 1e-9:
        raise UsageError(f"{where}: languages: shares sum to {sum(languages.values()):.2f}, wanted at most 1")
