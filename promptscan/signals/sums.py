"""Sums by group."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def summed(group: NDArray[np.int64], values: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return the sum of the values of each of n groups, float64 (n,)."""
    return np.asarray(np.bincount(group, values, n), dtype=np.float64)
