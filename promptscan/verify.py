"""Verification: what relates the texts of a candidate pair, checked on the texts themselves.

Candidates come from fingerprints and from the neighbour graph; both propose pairs that have nothing to do with each other.
Texts are clean texts. Whatever settles most pairs for the least work comes first, and no measure is taken twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from promptscan.errors import UsageError
from promptscan.pieces import COMPARED, Pieces, cores

EDIT = 0.8
"""Indel similarity of characters from which on two texts are edits of each other."""

CONTAIN = 0.9
"""Partial similarity of words from which on one text holds the other."""

TEMPLATE = 0.5
"""Share of the shorter text in passages of both, from which on two texts may be of one template."""

PASSAGE_CHARS = 30
"""Characters a contained text must have: shorter ones are found in others by chance."""

SHARED_WORDS = 6
"""Words in passages of both that two texts of one template have at least."""

_PAIRS = 1 << 16  # pairs compared at a time by a thread, bounds memory

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]


class Relation(IntEnum):
    """What relates two texts, strongest first."""

    COPY = 0  # equal; score 1
    EDIT = 1  # score: Indel similarity of characters
    CONTAIN = 2  # score: partial similarity of words of the shorter in the longer
    TEMPLATE = 3  # score: share of the words of the shorter in passages of both
    REWORD = 4  # nothing above; the proposer's word only. Score: Indel similarity of words
    TRANSLATE = 5  # a reword across scripts; `promptscan.rewords` tells it, and scores both by their vectors too


@dataclass(frozen=True, slots=True)
class Edges:
    """Verified pairs of texts.

    Attributes:
        a, b: text ids, as they were proposed. int64 (p,).
        kind: `Relation`. uint8 (p,).
        score: 0..1; what of depends on the kind. float32 (p,).
    """

    a: Int64
    b: Int64
    kind: NDArray[np.uint8]
    score: Float32

    def at_least(self, thresholds: dict[Relation, float]) -> Edges:
        """Return the edges of these kinds whose score reaches the threshold of their kind: nothing is read again."""
        wanted = np.full(len(Relation), np.inf)
        for relation, threshold in thresholds.items():
            wanted[relation] = threshold
        keep = self.score >= wanted[self.kind].astype(np.float32)
        return Edges(self.a[keep], self.b[keep], self.kind[keep], self.score[keep])


class Comparison:
    """Texts whose pairs are compared; a text is cut once, however many pairs it is in.

    Args:
        texts: clean texts.
        workers: threads, by default one per core; results do not depend on it.
    """

    def __init__(self, texts: Sequence[str], *, workers: int | None = None) -> None:
        self._pieces = Pieces(texts)
        self._workers = workers or cores()

    def verify(self, a: Int64, b: Int64) -> Edges:
        """Find what relates the texts of each pair.

        Args:
            a: one text of each pair, as an index of the texts. int64 (p,).
            b: the other. int64 (p,).

        Returns:
            One edge per pair, in order, of the strongest relation that holds, with its score kept for other thresholds.
            An equal text contained whole is found in texts of any length; all else in their compared characters.
        """
        self._pieces.check(a, b)
        equal = self._pieces.equal(a, b)
        kind = np.where(equal, Relation.COPY, Relation.REWORD).astype(np.uint8)
        score = equal.astype(np.float32)
        rows = np.flatnonzero(~equal)
        for start in range(0, len(rows), _PAIRS):
            some = rows[start : start + _PAIRS]
            near = self._pieces.edits(a[some], b[some], at_least=EDIT, workers=self._workers)
            score[some] = near
            kind[some[near >= np.float32(EDIT)]] = Relation.EDIT
        rows = rows[kind[rows] != Relation.EDIT]
        self._pieces.cut(a[rows], b[rows])
        parts = [rows[start : start + _PAIRS] for start in range(0, len(rows), _PAIRS)]
        with ThreadPoolExecutor(self._workers) as pool:
            for part, found in zip(
                parts, pool.map(lambda part: _by_words(self._pieces, a[part], b[part]), parts), strict=True
            ):
                kind[part], score[part] = found
        return Edges(a, b, kind, score)

    def similarity(self, a: Int64, b: Int64) -> Float32:
        """Return the Indel similarity of characters of each pair, 0..1, 1 for equal texts; the score of an edit."""
        self._pieces.check(a, b)
        near = self._pieces.edits(a, b, workers=self._workers)
        return np.where(self._pieces.equal(a, b), np.float32(1), near)

    def shared_wording(self, a: Int64, b: Int64) -> Float32:
        """Return the share of the shorter text's words in passages of both, 0..1, 1 for equal texts; the score of a template."""
        self._pieces.check(a, b)
        self._pieces.cut(a, b)
        shorter, _ = self._pieces.size(a, b)
        share = self._pieces.passages(a, b) / np.maximum(shorter, 1)
        return np.where(self._pieces.equal(a, b), 1, share).astype(np.float32)


def verify_pairs(texts: Sequence[str], a: Int64, b: Int64, *, workers: int | None = None) -> Edges:
    """Find what relates the texts of each pair, as `Comparison.verify` does."""
    return Comparison(texts, workers=workers).verify(a, b)


def similarity(texts: Sequence[str], a: Int64, b: Int64, *, workers: int | None = None) -> Float32:
    """Return the Indel similarity of characters of each pair, as `Comparison.similarity` does."""
    return Comparison(texts, workers=workers).similarity(a, b)


def shared_wording(texts: Sequence[str], a: Int64, b: Int64, *, workers: int | None = None) -> Float32:
    """Return the share of the shorter text's words in passages of both, as `Comparison.shared_wording` does."""
    return Comparison(texts, workers=workers).shared_wording(a, b)


def threshold_at(background: NDArray[np.floating], false_positive_rate: float) -> float:
    """Return the lowest threshold that at most this share of unrelated pairs reaches.

    Args:
        background: scores of one kind for pairs of unrelated texts, such as random pairs of the store.
        false_positive_rate: 0..1, not below one in the number of pairs: fewer pairs cannot show a lower rate.
    """
    n = len(background)
    if not 0 < false_positive_rate < 1 or n * false_positive_rate < 1:
        raise UsageError(
            f"false-positive rate {false_positive_rate} from {n} background pairs: wanted 0 to 1, and at least one "
            "pair that may be wrong; take more pairs"
        )
    allowed = int(n * false_positive_rate + 1e-9)
    descending = np.sort(np.asarray(background, np.float32))[::-1]
    if allowed >= n:
        return 0.0
    return float(np.nextafter(descending[allowed], np.float32(np.inf)))


def _by_words(pieces: Pieces, a: Int64, b: Int64) -> tuple[NDArray[np.uint8], Float32]:
    """Return kinds and scores of pairs that are no edits, from what their words have in common.

    The longest common subsequence bounds all that follows: a text inside another one shares all words with it but those
    it was cut through, a partial match nearly all, and passages are part of the subsequence.
    """
    short, long = pieces.length(a, b)
    shorter, both = pieces.size(a, b)
    common = pieces.common(a, b)
    kind = np.full(len(a), Relation.REWORD, np.uint8)
    score = (1 - (both - 2 * common) / np.maximum(both, 1)).astype(np.float32)

    def settle(rows: Int64, relation: Relation, scores: Float32, holds: NDArray[np.bool_]) -> None:
        kind[rows[holds]], score[rows[holds]] = relation, scores[holds]

    rows = np.flatnonzero((short >= PASSAGE_CHARS) & ((common >= shorter - 2) | (long > COMPARED)))
    settle(rows, Relation.CONTAIN, np.ones(len(rows), np.float32), pieces.inside(a[rows], b[rows]))
    rows = np.flatnonzero(
        (kind == Relation.REWORD) & (short >= PASSAGE_CHARS) & (common >= CONTAIN * np.maximum(shorter, 1) * 0.9)
    )
    scores = pieces.partial(a[rows], b[rows])
    settle(rows, Relation.CONTAIN, scores, scores >= np.float32(CONTAIN))
    enough = np.maximum(TEMPLATE * np.maximum(shorter, 1), SHARED_WORDS)
    rows = np.flatnonzero((kind == Relation.REWORD) & (common >= enough))
    words = pieces.passages(a[rows], b[rows])
    settle(rows, Relation.TEMPLATE, (words / np.maximum(shorter[rows], 1)).astype(np.float32), words >= enough[rows])
    return kind, score
