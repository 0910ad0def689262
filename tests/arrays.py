"""Vectors with the shapes real texts give: tight groups, loose groups, background, zero rows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from promptscan.vectors import Vectors, unit


def clustered(
    n: int, d: int = 32, *, groups: int = 20, spread: float = 0.35, noise: float = 0.3, seed: int = 0
) -> NDArray[np.float32]:
    """float32 (n, d), unit norm: `groups` groups around random centres, a share `noise` of background."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.standard_normal((groups, d)))
    rows = centres[rng.integers(0, groups, n)] + spread * rng.standard_normal((n, d)) / np.sqrt(d)
    background = rng.random(n) < noise
    rows[background] = rng.standard_normal((int(background.sum()), d))
    return unit(rows)


def as_vectors(rows: NDArray[np.float32], *, parts: int = 1) -> Vectors:
    """The same rows as float16, cut into parts of unequal sizes."""
    edges = np.linspace(0, 1, parts + 1) ** 2
    cuts = (edges * len(rows)).astype(int)
    return Vectors([rows[a:b].astype(np.float16) for a, b in pairwise(cuts)], dimension=rows.shape[1])
