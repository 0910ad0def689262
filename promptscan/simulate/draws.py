"""Counter-based random draws: a value is a pure function of a 64-bit key, whatever the batch it is drawn in.

Texts are written in batches, in time order, long after the schedule was made. Because every draw is a hash of the
row's own key, a text does not depend on the batch size or on its neighbours, and a retry repeats a text by
repeating its key. Schedules use `numpy.random.Generator` as usual.

Source: SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", figure 16).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Keys: TypeAlias = NDArray[np.uint64]
Integers: TypeAlias = NDArray[np.int64]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def mix(keys: Keys, salt: int) -> Keys:
    """Hash keys with a salt; for one salt a bijection of the 64-bit numbers.

    Args:
        keys: uint64 (n,).
        salt: any non-negative integer; different salts give independent streams.

    Returns:
        uint64 (n,), uniform.
    """
    hashed = keys + np.uint64((salt + 1) * _GOLDEN & _MASK)
    hashed ^= hashed >> np.uint64(30)
    hashed *= _FIRST
    hashed ^= hashed >> np.uint64(27)
    hashed *= _SECOND
    hashed ^= hashed >> np.uint64(31)
    return hashed


def pick(keys: Keys, n: int | Integers) -> Integers:
    """Map hashed keys to 0..n-1 (n below 2**31, one for all rows or one per row)."""
    return (((keys >> np.uint64(32)) * np.asarray(n, dtype=np.uint64)) >> np.uint64(32)).astype(np.int64)


def uniform(keys: Keys) -> NDArray[np.float64]:
    """Map hashed keys to [0, 1) with 53 bits."""
    return (keys >> np.uint64(11)).astype(np.float64) * 2.0**-53
