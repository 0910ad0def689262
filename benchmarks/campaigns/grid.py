"""The logs that are replayed: which operations, how large, how long, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PRESETS = ("report-28.8m", "report-3.4m", "report-13m", "report-150k")
WEEK = "day"
MONTHS = "4*day,3d,8d,15d"  # builds on days 1 to 4, 7, 15, 30 and 45
BENIGN = "3d"
DAILY_BENIGN = 2  # seeds whose benign logs are built every day


@dataclass(frozen=True, slots=True)
class Cell:
    """One log and how it is replayed.

    Attributes:
        preset: of the simulator.
        prompts, days: size of the log.
        share: of its prompts that are the campaigns'; None: benign only.
        seed: of the simulation.
        by: periods of the replay.
    """

    preset: str
    prompts: int
    days: int
    share: float | None
    seed: int
    by: str

    @property
    def shape(self) -> str:
        """What several seeds have in common."""
        kind = "benign only" if self.share is None else f"{self.share:.2%} of traffic"
        return f"{self.preset}, {self.prompts:,} prompts in {self.days} days, {kind}"

    @property
    def name(self) -> str:
        """Unique name; results are kept under it."""
        return f"{self.shape}, seed {self.seed}"


def cells(seeds: int) -> Iterator[Cell]:
    """Yield all logs, seed by seed, and of a seed what tells most first."""
    for seed in range(seeds):
        for preset in PRESETS:
            for share in (0.1, 0.01):
                yield Cell(preset, 16_000, 8, share, seed, WEEK)
            yield Cell(preset, 12_000, 45, None, seed, "day" if seed < DAILY_BENIGN else BENIGN)
            yield Cell(preset, 20_000, 45, 0.01, seed, MONTHS)
        for preset in PRESETS:
            yield Cell(preset, 20_000, 45, 0.1, seed, MONTHS)
            yield Cell(preset, 120_000, 8, 0.001, seed, "4*day,3d")
            yield Cell(preset, 120_000, 8, 0.0001, seed, "4*day,3d")
