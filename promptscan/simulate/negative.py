"""What hard negatives are asked for: ordinary traffic that looks like a campaign and is none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from promptscan.errors import UsageError
from promptscan.simulate.checks import count_or_share, integer, number


class NegativeKind(StrEnum):
    """The kinds; each is also the label of its prompts in the truth table."""

    VIRAL_PROMPT = "viral_prompt"
    VENDOR_APP = "vendor_app"
    HOMEWORK = "homework"
    BENCHMARK_REPLAY = "benchmark_replay"
    EVALUATION_COMPANY = "evaluation_company"
    TRANSLATION_AGENCY = "translation_agency"
    SEO_FARM = "seo_farm"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Habit:
    """Defaults of a kind.

    Args:
        accounts: share of all accounts.
        share: share of the ordinary traffic.
        size: accounts of one group: of a class, an organisation, a prompt's audience; of a relay: people behind an
            account.
        least: fewest accounts with which it still is what it is.
        members: it has accounts of its own; else its people are drawn from everybody.
        repertoire: different templates, assignments, or items of a benchmark.
    """

    accounts: float
    share: float
    size: int
    least: int
    members: bool
    repertoire: int


HABITS = {
    NegativeKind.VENDOR_APP: Habit(0.0035, 0.06, 12, 2, members=True, repertoire=1),
    NegativeKind.RELAY: Habit(0.002, 0.035, 50, 1, members=True, repertoire=1),
    NegativeKind.VIRAL_PROMPT: Habit(0.06, 0.008, 5_000, 10, members=False, repertoire=1),
    NegativeKind.BENCHMARK_REPLAY: Habit(0.004, 0.010, 30, 3, members=False, repertoire=150),
    NegativeKind.EVALUATION_COMPANY: Habit(0.006, 0.010, 15, 3, members=True, repertoire=3),
    NegativeKind.TRANSLATION_AGENCY: Habit(0.006, 0.010, 15, 3, members=True, repertoire=4),
    NegativeKind.HOMEWORK: Habit(0.03, 0.012, 60, 12, members=True, repertoire=3),
    NegativeKind.SEO_FARM: Habit(0.02, 0.010, 400, 8, members=True, repertoire=2),
}
"""In the order in which they get accounts where there are few."""


@dataclass(frozen=True, slots=True)
class NegativeConfig:
    """One hard negative; what is None is the kind's own (`HABITS`).

    Args:
        kind: which.
        accounts: an integer is a number of accounts, a fraction in (0, 1) a share of all accounts. More than `size`
            are several groups that have nothing to do with each other.
        share: share of the ordinary traffic (all but the campaigns'), in (0, 0.5].
        size: most accounts of one group: class, organisation, audience; of a relay: people behind one account.
        repertoire: different templates or assignments of a group, or items of a benchmark.
        start_day: day on which the prompt goes viral, or before whose end the homework is due; None = drawn by group.
    """

    kind: str
    accounts: int | float | None = None
    share: float | None = None
    size: int | None = None
    repertoire: int | None = None
    start_day: int | None = None

    def __post_init__(self) -> None:
        """Refuse values that make no negative."""
        names = [kind.value for kind in NegativeKind]
        if self.kind not in names:
            raise UsageError(f"negative: kind: got {self.kind!r}, wanted one of {', '.join(names)}")
        where = f"negative {self.kind!r}"
        if self.accounts is not None:
            count_or_share(where, "accounts", self.accounts)
        if self.share is not None:
            number(where, "share", self.share, "a share of the ordinary traffic", high=0.5, above=True)
        for key in ("size", "repertoire"):
            if getattr(self, key) is not None:
                integer(where, key, getattr(self, key), 1, 100_000)
        if self.start_day is not None:
            integer(where, "start_day", self.start_day, 0, None)

    @property
    def habit(self) -> Habit:
        """The knobs with the kind's own where none was given; `accounts` as the kind has it."""
        own = HABITS[NegativeKind(self.kind)]
        return Habit(
            own.accounts,
            own.share if self.share is None else self.share,
            own.size if self.size is None else self.size,
            own.least,
            members=own.members,
            repertoire=own.repertoire if self.repertoire is None else self.repertoire,
        )

    def wanted(self, accounts: int) -> int:
        """Return the accounts it wants of a log of `accounts`; a share is never less than the kind's least."""
        asked = self.habit.accounts if self.accounts is None else self.accounts
        return asked if isinstance(asked, int) else max(self.habit.least, round(asked * accounts))


def default_negatives() -> tuple[NegativeConfig, ...]:
    """Return one hard negative of each kind, 15.5 % of the ordinary traffic."""
    return tuple(NegativeConfig(kind.value) for kind in HABITS)
