"""How surprising an overlap is: logarithms of upper bounds of tail probabilities, for whole arrays at once.

Bounds, not tails: they err on the side of "not surprising", have a closed form, and do not underflow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ALPHA = 1e-2  # chance of any false link among all that are tested (Bonferroni)


def overlap_log_tail(shared: Floats, first: Floats, second: Floats, total: float) -> Floats:
    """Bound the chance that two sets drawn at random share so many.

    Args:
        shared: members that both sets have.
        first: size of the one.
        second: size of the other.
        total: size of the population both were drawn from.

    Returns:
        Natural logarithm of an upper bound of the hypergeometric tail P(X >= shared); 0 where the overlap is no more than expected.
        Source: Hoeffding 1963, theorem 1 and section 6 (holds for sampling without replacement); it holds for either
        set as the sample, so the tighter of both is taken.
    """
    return np.minimum(_chernoff(shared, first, second / total), _chernoff(shared, second, first / total))


def _chernoff(hits: Floats, draws: Floats, rate: Floats) -> Floats:
    share = np.minimum(hits / np.maximum(draws, 1), 1)
    rate = np.clip(rate, 1e-300, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        yes = np.where(share > 0, share * np.log(share / rate), 0)
        no = np.where(share < 1, (1 - share) * np.log((1 - share) / (1 - rate)), 0)
    return np.where(share > rate, -draws * (yes + no), 0.0)


def count_log_tail(count: Floats, expected: Floats) -> Floats:
    """Bound the chance of so many rare events: natural logarithm of the Chernoff bound of a Poisson tail.

    Source: Mitzenmacher, Upfal, Probability and Computing, theorem 5.4.
    """
    expected = np.maximum(expected, 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = count - expected - count * np.log(count / expected)
    return np.where(count > expected, bound, 0.0)


def significant(log_tail: Floats, tests: int) -> NDArray[np.bool_]:
    """Tell which tails are below ALPHA after `tests` looks."""
    return np.asarray(log_tail + np.log(max(tests, 1)) <= np.log(ALPHA))
