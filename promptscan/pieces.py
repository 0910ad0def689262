"""What of texts is compared, cut once for all the pairs they are in, and measured by rapidfuzz over whole arrays of pairs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process
from rapidfuzz.distance import Indel, LCSseq

from promptscan.errors import UsageError
from promptscan.symbols import word_symbols

COMPARED = 4096
"""Characters of a text that are compared: of a longer one the first and the last 2,048, where frames are."""

PASSAGE_WORDS = 3
"""Words side by side in both texts that count as shared wording; fewer are shared by any two texts."""

UNCUT = -1

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]


class Pieces:
    """The compared pieces of texts.

    Measures take the texts of pairs, as indices of the texts, int64 (p,). Those of words need `cut` to have been called with
    the texts first; after that all of them may be called from several threads.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._words: list[str] = []  # of each text, once any is cut
        self._size = np.zeros(0, np.int64)  # words of each, `UNCUT` where not known

    def check(self, a: Int64, b: Int64) -> None:
        """Refuse pairs that are not of these texts."""
        if len(a) != len(b):
            raise UsageError(f"pairs of {len(a)} and {len(b)} ids: wanted as many")
        if len(a) and not 0 <= min(a.min(), b.min()) <= max(a.max(), b.max()) < len(self._texts):
            raise UsageError(f"pairs name texts outside 0 to {len(self._texts) - 1}")

    def cut(self, a: Int64, b: Int64) -> None:
        """Cut the texts of some pairs into words, unless they are."""
        n = len(self._texts)
        if len(self._words) < n:
            self._words = [""] * n
            self._size = np.full(n, UNCUT, np.int64)
        wanted = np.zeros(n, bool)
        wanted[a] = wanted[b] = True
        ids = np.flatnonzero(wanted & (self._size == UNCUT))
        words = word_symbols([_clip(self._texts[i]) for i in ids.tolist()])
        for i, symbols in zip(ids.tolist(), words, strict=True):
            self._words[i] = symbols
        self._size[ids] = np.fromiter(map(len, words), np.int64, len(words))

    def equal(self, a: Int64, b: Int64) -> NDArray[np.bool_]:
        """Tell which pairs are equal, whole."""
        texts = self._texts
        pairs = zip(a.tolist(), b.tolist(), strict=True)
        return np.fromiter((texts[x] == texts[y] for x, y in pairs), bool, len(a))

    def inside(self, a: Int64, b: Int64) -> NDArray[np.bool_]:
        """Tell which pairs have one text that holds the other, whole."""
        texts = self._texts
        pairs = ((texts[x], texts[y]) for x, y in zip(a.tolist(), b.tolist(), strict=True))
        return np.fromiter((x in y if len(x) <= len(y) else y in x for x, y in pairs), bool, len(a))

    def length(self, a: Int64, b: Int64) -> tuple[Int64, Int64]:
        """Return the characters of the shorter and of the longer text of each pair."""
        first, second = (np.fromiter((len(self._texts[i]) for i in ids.tolist()), np.int64, len(ids)) for ids in (a, b))
        return np.minimum(first, second), np.maximum(first, second)

    def size(self, a: Int64, b: Int64) -> tuple[Int64, Int64]:
        """Return the words of the shorter text of each pair, and of both together."""
        first, second = self._size[a], self._size[b]
        return np.minimum(first, second), first + second

    def edits(self, a: Int64, b: Int64, *, at_least: float = 0.0, workers: int = 1) -> Float32:
        """Return the Indel similarity of characters, 0..1; what is below `at_least` may be 0, and takes a third of the time."""
        score = np.zeros(len(a), np.float32)
        below = max(at_least - 1e-4, 0.0)  # rapidfuzz rounds the threshold as a distance
        shorter, longer = (np.minimum(length, COMPARED) for length in self.length(a, b))
        rows = np.flatnonzero(2 * shorter >= below * (shorter + longer))  # of lengths so different, none is similar
        texts = ([_clip(self._texts[i]) for i in ids[rows].tolist()] for ids in (a, b))
        score[rows] = _compare(Indel.normalized_similarity, *texts, workers=workers, cutoff=below)
        return score

    def common(self, a: Int64, b: Int64, *, workers: int = 1) -> Int64:
        """Return how many words are in the longest common subsequence."""
        return _compare(LCSseq.similarity, *self._symbols(a, b), workers=workers).astype(np.int64)

    def partial(self, a: Int64, b: Int64, *, workers: int = 1) -> Float32:
        """Return how much of the shorter text's words one stretch of the longer has, 0..1."""
        return _compare(fuzz.partial_ratio, *self._symbols(a, b), workers=workers) / np.float32(100)

    def passages(self, a: Int64, b: Int64) -> Int64:
        """Return how many words stand in passages of both."""
        return np.fromiter(map(_in_passages, *self._symbols(a, b)), np.int64, len(a))

    def _symbols(self, a: Int64, b: Int64) -> tuple[list[str], list[str]]:
        return [self._words[i] for i in a.tolist()], [self._words[i] for i in b.tolist()]


def cores() -> int:
    """Return how many threads this process may keep busy."""
    return len(os.sched_getaffinity(0))


def _compare(
    scorer: Callable[..., float], left: list[str], right: list[str], *, workers: int, cutoff: float | None = None
) -> Float32:
    scores: Float32 = process.cpdist(
        left, right, scorer=scorer, workers=workers, dtype=np.float32, score_cutoff=cutoff or None
    )
    return scores


def _clip(text: str) -> str:
    """Return the characters of a text that are compared."""
    return text if len(text) <= COMPARED else text[: COMPARED // 2] + text[-(COMPARED // 2) :]


def _in_passages(a: str, b: str) -> int:
    """Return how many words of two texts, a character each, are aligned side by side with enough others."""
    blocks = LCSseq.editops(a, b).as_matching_blocks()
    return sum([size for _, _, size in blocks if size >= PASSAGE_WORDS])
