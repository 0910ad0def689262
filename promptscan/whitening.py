"""Whitening: vectors without what all of them have in common, so that their cosines tell them apart.

Source: Su et al. 2021 (Whitening sentence representations for better semantics and faster retrieval), section 3; with shrinkage.
"""

from __future__ import annotations

import numpy as np

from promptscan.vectors import Float32

SHRINKAGE = 0.3
"""Share of the mean variance that is added to every direction's before whitening: rare directions are mostly noise."""


def whitening(rows: Float32) -> Float32:
    """Return the matrix that gives rows, less their mean, about equal variance in every direction: float32 (d, d), symmetric.

    Args:
        rows: float32 (n, d), n > 1.
    """
    variance, directions = np.linalg.eigh(np.cov(rows.astype(np.float64).T))
    scale = 1 / np.sqrt(np.maximum(variance, 0) + SHRINKAGE * variance.mean() + 1e-12)
    return np.asarray((directions * scale) @ directions.T, dtype=np.float32)
