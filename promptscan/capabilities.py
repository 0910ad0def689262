"""Capabilities: what texts probe, as percentiles of their likeness to seed prompts among the store's own texts.

A cosine says little by itself: it moves with the encoder, the language and the length of a text. So vectors are whitened
by the store's background (Su et al. 2021, "Whitening sentence representations", section 3), which takes out what all its
texts have in common, a text's score for a capability is the mean cosine with the nearest of its seeds, and what is told is
the share of the background that scores lower.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from promptscan.seedbanks import OTHER, SeedBank
from promptscan.whitening import whitening

NEAREST = 5
"""Seeds of a capability that are nearest to a text, over which its cosine is averaged."""

CUE = 2.0
"""What a cue adds to a score, in standard deviations of the background's scores."""

CONVINCING = 0.9
"""Percentile from which a capability is a family's; a family without any is `other` (docs/decisions/012-capabilities.md)."""

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judge:
    """Scores texts against the capabilities of seed banks, on the scale of a background.

    Attributes:
        names: the capabilities, `other` not among them.
        cues: an RE2 pattern for each, empty where it has no cue.
        mean, whitening: what makes a vector's cosines comparable. float32 (d,) and (d, d).
        seeds: whitened seed vectors, unit norm, capability by capability. float32 (s, d).
        starts: first seed of each capability, then s. int64 (c + 1,).
        spread: standard deviation of the background's cosines. float64 (c,).
        background: scores of the background, each column ascending. float64 (b, c).
    """

    names: tuple[str, ...]
    cues: tuple[str, ...]
    mean: Float32
    whitening: Float32
    seeds: Float32
    starts: NDArray[np.int64]
    spread: Float64
    background: Float64

    def scores(self, vectors: Float32, texts: Sequence[str]) -> Float64:
        """Score texts.

        Args:
            vectors: float32 (n, d), unit norm or zero, one per text.
            texts: clean texts, n of them; a beginning and an end will do for long ones.

        Returns:
            float64 (n, c): higher is likelier. Only their order and `percentiles` mean something.
        """
        return self._cosines(vectors) + CUE * self.spread * self._cued(texts)

    def percentiles(self, scores: Float64) -> Float64:
        """Return the share of the background below each score, ties by half: float64 (n, c) in 0..1, from such scores."""
        share = np.empty(scores.shape, np.float64)
        for column, values in enumerate(self.background.T):
            below = np.searchsorted(values, scores[:, column], side="left")
            share[:, column] = (below + np.searchsorted(values, scores[:, column], side="right")) / (2 * len(values))
        return share

    def ranking(self, scores: Float64) -> tuple[NDArray[np.int64], Float64]:
        """Order the capabilities of each row, likeliest first.

        Args:
            scores: float64 (n, c), as of `scores`, or means of such.

        Returns:
            Columns in that order, int64 (n, c), and percentiles by column, float64 (n, c). Equal percentiles are ordered by
            how many standard deviations a score is above the background's mean.
        """
        share = self.percentiles(scores)
        above = (scores - self.background.mean(axis=0)) / np.maximum(self.background.std(axis=0), 1e-9)
        return np.lexsort((-np.round(above, 6), -share), axis=1).astype(np.int64), share

    def _cosines(self, vectors: Float32) -> Float64:
        """Return the mean cosine with the nearest seeds of each capability, float64 (n, c)."""
        cosines = _unit(_project(vectors, self.mean, self.whitening)) @ self.seeds.T
        out = np.empty((len(vectors), len(self.names)), np.float64)
        for column in range(len(self.names)):
            own = cosines[:, self.starts[column] : self.starts[column + 1]]
            k = min(NEAREST, own.shape[1])
            out[:, column] = np.partition(own, -k, axis=1)[:, -k:].mean(axis=1)
        out[~vectors.any(axis=1)] = -1.0  # no known token: like nothing
        return np.round(out, 6)

    def _cued(self, texts: Sequence[str]) -> Float64:
        """Tell which texts have a cue: 0 or 1, float64 (n, c)."""
        out = np.zeros((len(texts), len(self.names)), np.float64)
        lower = pc.utf8_lower(pa.array(texts, pa.large_string()))
        for column, pattern in enumerate(self.cues):
            if pattern:
                out[:, column] = pc.match_substring_regex(lower, pattern).to_numpy(zero_copy_only=False)
        return out


def make_judge(
    banks: Sequence[SeedBank], seed_vectors: Sequence[Float32], background: Float32, background_texts: Sequence[str]
) -> Judge:
    """Fit the scale of a background.

    Args:
        banks: the capabilities, and `other`, whose seeds join the background.
        seed_vectors: vectors of each bank's seeds, float32 (s_i, d), unit norm or zero.
        background: float32 (b, d): vectors of what is ordinary in the store; may have no rows when `banks` has `other`.
        background_texts: their texts.
    """
    kept = [(bank, vectors) for bank, vectors in zip(banks, seed_vectors, strict=True) if bank.capability != OTHER]
    for bank, vectors in zip(banks, seed_vectors, strict=True):
        if bank.capability == OTHER:
            background, background_texts = np.concatenate([background, vectors]), [*background_texts, *bank.texts]
    seeds = np.concatenate([vectors for _, vectors in kept])
    mean, matrix = background.mean(axis=0), whitening(np.concatenate([background, seeds]))
    names = tuple(bank.capability for bank, _ in kept)
    starts = np.concatenate([[0], np.cumsum([len(vectors) for _, vectors in kept])]).astype(np.int64)
    draft = Judge(
        names,
        tuple(_pattern(bank.cues) for bank, _ in kept),
        mean,
        matrix,
        _unit(_project(seeds, mean, matrix)),
        starts,
        np.ones(len(names)),
        np.empty((0, len(names))),
    )
    cosines = draft._cosines(background)  # noqa: SLF001 - of the same class, in the making
    spread = cosines.std(axis=0)
    scores = cosines + CUE * spread * draft._cued(background_texts)  # noqa: SLF001
    return Judge(names, draft.cues, mean, matrix, draft.seeds, starts, spread, np.sort(scores, axis=0))


def _pattern(cues: Sequence[str]) -> str:
    """Return an RE2 pattern that finds any of the cues; one that begins with a Latin letter begins a word."""
    lower = [cue.lower() for cue in cues]
    return "|".join((r"\b" if cue[0].isascii() and cue[0].isalnum() else "") + re.escape(cue) for cue in lower)


def _project(rows: Float32, mean: Float32, matrix: Float32) -> Float32:
    return np.asarray((rows - mean) @ matrix, dtype=np.float32)


def _unit(rows: Float32) -> Float32:
    """Scale rows to norm 1; zero rows stay zero."""
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, norm, out=np.zeros_like(rows), where=norm > 0), np.float32)
