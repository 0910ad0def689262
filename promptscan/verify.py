"""Verification: what relates the texts of a candidate pair, checked on the texts themselves.

Candidates come from fingerprints and from the neighbour graph; both propose pairs that have nothing to do with each other.
Texts are clean texts. Everything is measured by rapidfuzz over whole arrays of pairs, on bounded pieces of the texts.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process
from rapidfuzz.distance import Indel, LCSseq

from promptscan.errors import UsageError
from promptscan.words import TOKEN

COMPARED = 4096
"""Characters of a text that are compared: of a longer one the first and the last 2,048, where frames are."""

EDIT = 0.8
"""Indel similarity of characters from which on two texts are edits of each other."""

CONTAIN = 0.9
"""Partial similarity of words from which on one text holds the other."""

TEMPLATE = 0.5
"""Share of the shorter text in passages of both, from which on two texts may be of one template."""

PASSAGE_CHARS = 30
"""Characters a contained text must have: shorter ones are found in others by chance."""

PASSAGE_WORDS = 3
"""Words side by side in both texts that count as shared wording; fewer are shared by any two texts."""

SHARED_WORDS = 6
"""Words in such passages that two texts of one template have at least."""

_PAIRS = 1 << 18  # pairs verified at a time, bounds memory

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


def verify_pairs(texts: Sequence[str], a: Int64, b: Int64, *, workers: int | None = None) -> Edges:
    """Find what relates the texts of each pair.

    Args:
        texts: clean texts.
        a: one text of each pair, as an index of `texts`. int64 (p,).
        b: the other. int64 (p,).
        workers: threads, by default one per core; the result does not depend on it.

    Returns:
        One edge per pair, in order, of the strongest relation that holds, with its score kept for other thresholds.
        An equal text contained whole is found in texts of any length; all else in their compared characters.
    """
    _check(texts, a, b)
    kind = np.full(len(a), Relation.REWORD, np.uint8)
    score = np.zeros(len(a), np.float32)
    for start in range(0, len(a), _PAIRS):
        part = slice(start, start + _PAIRS)
        kind[part], score[part] = _verify(_Pieces(texts, a[part], b[part], _workers(workers)))
    return Edges(a, b, kind, score)


def similarity(texts: Sequence[str], a: Int64, b: Int64, *, workers: int | None = None) -> Float32:
    """Return the Indel similarity of characters of each pair, 0..1, 1 for equal texts; the score of an edit."""
    _check(texts, a, b)
    pieces = _Pieces(texts, a, b, _workers(workers))
    return np.where(pieces.equal(), np.float32(1), pieces.edits(np.arange(len(a))))


def shared_wording(texts: Sequence[str], a: Int64, b: Int64, *, workers: int | None = None) -> Float32:
    """Return the share of the shorter text's words in passages of both, 0..1, 1 for equal texts; the score of a template."""
    _check(texts, a, b)
    pieces = _Pieces(texts, a, b, _workers(workers))
    rows = np.arange(len(a))
    share = pieces.passages(rows) / np.maximum(pieces.shorter(rows), 1)
    return np.where(pieces.equal(), 1, share).astype(np.float32)


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


def _check(texts: Sequence[str], a: Int64, b: Int64) -> None:
    """Refuse pairs that are not of these texts."""
    if len(a) != len(b):
        raise UsageError(f"pairs of {len(a)} and {len(b)} ids: wanted as many")
    if len(a) and not 0 <= min(a.min(), b.min()) <= max(a.max(), b.max()) < len(texts):
        raise UsageError(f"pairs name texts outside 0 to {len(texts) - 1}")


def _workers(workers: int | None) -> int:
    return workers or len(os.sched_getaffinity(0))


class _Pieces:
    """The compared pieces of the texts of some pairs, each cut once."""

    def __init__(self, texts: Sequence[str], a: Int64, b: Int64, workers: int) -> None:
        ids, where = np.unique(np.concatenate([a, b]), return_inverse=True)
        self.whole = [texts[i] for i in ids.tolist()]
        self.length = np.fromiter(map(len, self.whole), np.int64, len(ids))
        self.chars = [_clip(text) for text in self.whole]
        self.a, self.b = where[: len(a)], where[len(a) :]
        self.workers = workers
        self._words: list[str] | None = None

    def equal(self) -> NDArray[np.bool_]:
        """Tell which pairs are equal, whole."""
        whole = self.whole
        pairs = zip(self.a.tolist(), self.b.tolist(), strict=True)
        return np.fromiter((whole[x] == whole[y] for x, y in pairs), bool, len(self.a))

    def words(self) -> list[str]:
        """Return each text with one character per word: rapidfuzz compares those at the speed of C."""
        if self._words is None:
            self._words = [_symbols(text) for text in self.chars]
        return self._words

    def edits(self, rows: Int64) -> Float32:
        """Return the Indel similarity of characters of some pairs."""
        return self._compare(Indel.normalized_similarity, self.chars, rows)

    def rewords(self, rows: Int64) -> Float32:
        """Return the Indel similarity of words of some pairs."""
        return self._compare(Indel.normalized_similarity, self.words(), rows)

    def shared(self, rows: Int64) -> Float32:
        """Return how many words of some pairs are in their longest common subsequence."""
        return self._compare(LCSseq.similarity, self.words(), rows)

    def partial(self, rows: Int64) -> Float32:
        """Return how much of the shorter text's words one stretch of the longer has, for some pairs."""
        return self._compare(fuzz.partial_ratio, self.words(), rows) / np.float32(100)

    def shorter(self, rows: Int64) -> Int64:
        """Return the words of the shorter text of some pairs."""
        count = np.fromiter(map(len, self.words()), np.int64, len(self.chars))
        return np.minimum(count[self.a[rows]], count[self.b[rows]])

    def inside(self, rows: Int64) -> NDArray[np.bool_]:
        """Tell for some pairs whether the longer text holds the shorter one, whole."""
        swap = self.length[self.a] > self.length[self.b]
        short, long = np.where(swap, self.b, self.a)[rows], np.where(swap, self.a, self.b)[rows]
        whole = self.whole
        pairs = zip(short.tolist(), long.tolist(), strict=True)
        found = np.fromiter((whole[x] in whole[y] for x, y in pairs), bool, len(rows))
        return found & (self.length[short] >= PASSAGE_CHARS)

    def passages(self, rows: Int64) -> Float32:
        """Return the words of some pairs that stand in passages of both."""
        words = self.words()
        pairs = zip(self.a[rows].tolist(), self.b[rows].tolist(), strict=True)
        return np.fromiter((_in_passages(words[x], words[y]) for x, y in pairs), np.float32, len(rows))

    def _compare(self, scorer: Callable[..., float], pieces: list[str], rows: Int64) -> Float32:
        """Score some pairs."""
        left = [pieces[i] for i in self.a[rows].tolist()]
        right = [pieces[i] for i in self.b[rows].tolist()]
        scores: Float32 = process.cpdist(left, right, scorer=scorer, workers=self.workers, dtype=np.float32)
        return scores


def _verify(pieces: _Pieces) -> tuple[NDArray[np.uint8], Float32]:
    """Return kinds and scores, each relation tried on the pairs that no stronger one holds for."""
    equal = pieces.equal()
    kind = np.where(equal, Relation.COPY, Relation.REWORD).astype(np.uint8)
    score = equal.astype(np.float32)

    def settle(rows: Int64, relation: Relation, scores: Float32, holds: NDArray[np.bool_]) -> Int64:
        kind[rows[holds]], score[rows[holds]] = relation, scores[holds]
        return rows[~holds]

    rows = np.flatnonzero(~equal)
    scores = pieces.edits(rows)
    rows = settle(rows, Relation.EDIT, scores, scores >= EDIT)
    held = pieces.inside(rows)
    rows = settle(rows, Relation.CONTAIN, np.ones(len(rows), np.float32), held)
    shorter, common = np.maximum(pieces.shorter(rows), 1), pieces.shared(rows)
    lengths = np.minimum(pieces.length[pieces.a[rows]], pieces.length[pieces.b[rows]])
    maybe = (common >= CONTAIN * shorter * 0.9) & (lengths >= PASSAGE_CHARS)  # a partial match shares nearly all words
    scores = np.zeros(len(rows), np.float32)
    scores[maybe] = pieces.partial(rows[maybe])
    holds = scores >= CONTAIN
    shorter, common = shorter[~holds], common[~holds]
    rows = settle(rows, Relation.CONTAIN, scores, holds)
    maybe = common >= np.maximum(TEMPLATE * shorter, SHARED_WORDS)  # passages are part of the subsequence
    scores = np.zeros(len(rows), np.float32)
    scores[maybe] = pieces.passages(rows[maybe])
    holds = (scores >= SHARED_WORDS) & (scores >= TEMPLATE * shorter)
    rows = settle(rows, Relation.TEMPLATE, (scores / shorter).astype(np.float32), holds)
    score[rows] = pieces.rewords(rows)
    return kind, score


def _clip(text: str) -> str:
    """Return the characters of a text that are compared."""
    return text if len(text) <= COMPARED else text[: COMPARED // 2] + text[-(COMPARED // 2) :]


@lru_cache(maxsize=1 << 18)  # a text is in several pairs, and in its group's
def _symbols(text: str) -> str:
    """Return one character for each word: a checksum of it, so two words share a character once in a million."""
    return "".join(
        [
            chr(zlib.crc32(word.encode("utf-8", "surrogatepass")) % 0xF_0000 + 0x1_0000)
            for word in TOKEN.findall(text.casefold())
        ]
    )


def _in_passages(a: str, b: str) -> int:
    """Return how many words of two texts, a character each, are aligned side by side with enough others."""
    blocks = (block.src_end - block.src_start for block in LCSseq.opcodes(a, b) if block.tag == "equal")
    return sum(size for size in blocks if size >= PASSAGE_WORDS)
