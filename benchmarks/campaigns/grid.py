"""The logs that are replayed: which operations, how large, how long, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MIX = "demo"
PRESETS = ("report-28.8m", "report-3.4m", "report-13m", "report-150k")
DAILY = "day"
MONTHS = "4*day,3d,8d,15d"  # builds on days 1 to 4, 7, 15, 30 and 45
BENIGN = "3d"
DAILY_BENIGN = 2  # seeds whose benign logs are built every day


@dataclass(frozen=True, slots=True)
class Cell:
    """One log and how it is replayed.

    Attributes:
        preset: of the simulator; `demo`: the six operations of its default log, whose shares are their own.
        prompts, days: size of the log.
        share: of its prompts that are the operation's; None: benign only.
        accounts: of the operation; None: the preset's own, which send 26 prompts a day each.
        seed: of the simulation.
        by: periods of the replay.
    """

    preset: str
    prompts: int
    days: int
    share: float | None
    accounts: int | None
    seed: int
    by: str

    @property
    def shape(self) -> str:
        """What several seeds have in common."""
        kind = "benign only" if self.share is None else f"{self.share:.2%}"
        if self.preset == MIX:
            kind = "six operations of 0.6 % to 3 %"
        if self.accounts:
            kind += f" by {self.accounts} accounts"
        return f"{self.preset}: {self.prompts:,} prompts in {self.days} days; {kind}"

    @property
    def name(self) -> str:
        """Unique name; results are kept under it."""
        return f"{self.shape}; seed {self.seed}"


def cells(seeds: int) -> Iterator[Cell]:
    """Yield all logs, seed by seed, and of a seed what tells most first.

    Benign logs, small shares, and a week are of the first preset only: the presets have their negatives in common.
    """
    first = PRESETS[0]
    for seed in range(seeds):
        yield Cell(MIX, 20_000, 14, 0.099, None, seed, DAILY)
        for preset in PRESETS:
            yield Cell(preset, 40_000, 2, 0.1, None, seed, DAILY)
            yield Cell(preset, 40_000, 2, 0.01, 20, seed, DAILY)
        yield Cell(first, 12_000, 45, None, None, seed, DAILY if seed < DAILY_BENIGN else BENIGN)
        yield Cell(first, 16_000, 8, 0.1, 40, seed, DAILY)
        yield Cell(first, 16_000, 8, 0.01, 20, seed, DAILY)
        yield Cell(first, 60_000, 3, 0.001, 10, seed, DAILY)
        yield Cell(first, 400_000, 2, 0.001, 20, seed, DAILY)
        yield Cell(first, 150_000, 3, 0.0001, None, seed, DAILY)
        for preset in PRESETS:
            yield Cell(preset, 20_000, 45, 0.1, 40, seed, MONTHS)
            yield Cell(preset, 20_000, 45, 0.01, 20, seed, MONTHS)
