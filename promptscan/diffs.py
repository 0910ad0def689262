"""Differences: what one text has where another has something else, word by word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rapidfuzz.distance import Indel

from promptscan.words import Words, cut_words

COMPARED = 8_000
"""Characters of a text that are compared."""

GLUE = 1
"""Equal words between two differences that are too few to be read as agreement: they become part of one difference."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two texts differ; one side may be empty, never both.

    Attributes:
        before: what the first text has there.
        after: what the second text has there.
    """

    before: str
    after: str


def differences(before: str, after: str) -> list[Difference]:
    """Compare two texts by their words; white space does not count.

    Args:
        before: clean text; of more than 8,000 characters the first 8,000 are compared.
        after: likewise.

    Returns:
        The differences in the order of the texts, none for texts of the same words. Costs O(words² / 64).
    """
    left, right = cut_words(before[:COMPARED]), cut_words(after[:COMPARED])
    return [Difference(_words(left, a, b), _words(right, c, d)) for a, b, c, d in _changes(left, right)]


def _changes(left: Words, right: Words) -> Iterator[tuple[int, int, int, int]]:
    """Yield the words from a to b and from c to d that differ; neighbours become one change."""
    symbols: dict[str, int] = {}
    rows = [[symbols.setdefault(word, len(symbols)) for word in side.words] for side in (left, right)]
    open_change: tuple[int, int, int, int] | None = None
    for block in Indel.opcodes(rows[0], rows[1]):
        if block.tag == "equal":
            continue
        here = (block.src_start, block.src_end, block.dest_start, block.dest_end)
        if open_change is not None and here[0] - open_change[1] <= GLUE:
            open_change = (open_change[0], here[1], open_change[2], here[3])
            continue
        if open_change is not None:
            yield open_change
        open_change = here
    if open_change is not None:
        yield open_change


def _words(side: Words, first: int, last: int) -> str:
    return side.text[side.start[first] : side.end[last - 1]] if first < last else ""
