"""What every part of the traffic is scheduled from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.config import SimulationConfig
from promptscan.simulate.draws import mix
from promptscan.simulate.negative import NegativeConfig, NegativeKind
from promptscan.simulate.plan import Plan
from promptscan.simulate.population import Population
from promptscan.simulate.texts import Writers

_POSITIONS = 1 << 20


@dataclass(frozen=True, slots=True)
class Log:
    """A simulation on its way: what was asked for, who is there, who words it."""

    config: SimulationConfig
    population: Population
    writers: Writers

    @property
    def weekday(self) -> int:
        """Of the first day, Monday = 0."""
        return self.config.start.weekday()

    def template(
        self, kind: NegativeKind, group: NDArray[np.int64], number: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the writer and the sweep position of a group's templates.

        Args:
            kind: the negative.
            group: int64 (n,).
            number: int64 (n,), of the template in the group's repertoire.

        Returns:
            int64 (n,) each; one value per group and number, unlike that of other groups.
        """
        known = np.array(self.writers.negatives[kind], dtype=np.int64)
        seed = self.config.seed % (1 << 62) + 71
        fixed = mix((group * 131 + number).astype(np.uint64), seed) % np.uint64(_POSITIONS)
        return known[(group + number) % known.size], fixed.astype(np.int64)


Traffic: TypeAlias = Callable[[np.random.Generator, Log, NegativeConfig, NDArray[np.int64], int], Plan]
"""Schedules n prompts of a hard negative; the array holds its accounts, or everybody it can draw people from."""
