"""Star alignment: where each word of one text stands in each of many others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Indel

from promptscan.words import Words

_PASSES = 16  # words that a border between a slot and fixed text may move


def align(center: Words, others: Sequence[Words]) -> NDArray[np.int32]:
    """Align texts to a center by their longest common subsequences of words.

    Where the subsequence is ambiguous, a match that stands alone moves next to its neighbour: `. [slot] . Next` keeps
    `. Next` together. Costs O(words² / 64) per text (bit-parallel), words being bounded by `MAX_WORDS`.

    Args:
        center: the text whose words are the columns, c of them.
        others: m texts.

    Returns:
        The index of the word of each other text that stands for each word of the center, -1 for none; ascending along
        a row. int32 (m, c).

    Source: bit-parallel LCS: Hyyrö 2004; star alignment: Gusfield 1997, section 14.6.
    """
    symbols = _Symbols()
    columns, *rows = ([*map(symbols.__getitem__, some.words)] for some in (center, *others))
    position = np.full((len(rows), len(columns)), -1, np.int32)
    for row, other in zip(position, rows, strict=True):
        for block in Indel.opcodes(columns, other):
            if block.tag == "equal":
                row[block.src_start : block.src_end] = np.arange(block.dest_start, block.dest_end)
    if position.size:
        _close_ranks(position, np.array(columns), rows)
    return position


class _Symbols(dict[str, int]):
    """Numbers for words, equal for equal words."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


def _close_ranks(position: NDArray[np.int32], columns: NDArray[np.int64], rows: list[list[int]]) -> None:
    """Move matches that stand alone next to the match (or end of the text) after them, or else before them, in place."""
    width = max(map(len, rows)) + 1
    words = np.full((len(rows), width), -1, np.int64)
    for padded, row in zip(words, rows, strict=True):
        padded[: len(row)] = row
    length = np.array([len(row) for row in rows], np.int32)[:, None]
    _slide(position, columns, words, length)
    # the other way is the same movement seen from the end
    backwards = np.full_like(words, -1)
    for padded, row in zip(backwards, rows, strict=True):
        padded[: len(row)] = row[::-1]
    mirrored = np.where(position >= 0, length - 1 - position, -1)[:, ::-1]
    _slide(mirrored, columns[::-1], backwards, length)
    position[:] = np.where(mirrored >= 0, length - 1 - mirrored, -1)[:, ::-1]


def _slide(
    position: NDArray[np.int32], columns: NDArray[np.int64], words: NDArray[np.int64], length: NDArray[np.int32]
) -> None:
    """Move matches with a gap after them and none joined before them to the end of that gap, in place."""
    each = np.arange(len(position))[:, None]
    for _ in range(_PASSES):
        after = np.hstack([position[:, 1:], length])
        joined = np.zeros(position.shape, bool)
        joined[:, 1:] = (position[:, :-1] >= 0) & (position[:, :-1] == position[:, 1:] - 1)
        same = words[each, np.maximum(after - 1, 0)] == columns
        moves = (position >= 0) & (after > position + 1) & ~joined & same
        if not moves.any():
            return
        position[moves] = after[moves] - 1
