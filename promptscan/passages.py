"""Passages: where in a text the words of another stand, also when one of them is in disguise.

Both texts are compared by their match keys, so look-alike letters, invisible characters and white space hide nothing; the
place that is returned is one of the text as it was sent. Shared n-grams of the keys are the seeds; what lies between the
first and the last seed, and as far as the keys agree beyond them, is the passage.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz import fuzz

from promptscan.fingerprint import NGRAM, fingerprints
from promptscan.matchkey import match_keys
from promptscan.words import TOKEN

SEED = 10
"""Units that the shortest words in common worth showing have: `step by step`."""

ALIGNED = 320
"""Characters of the shorter key up to which two keys without a shared n-gram are aligned."""

NEAR = 64
"""Characters around the ends of a passage in which its first and last whole words are looked for."""

_SIGN = re.compile(r"[@$]")
_SIGN_IN_WORD = re.compile(r"(?<=[A-Za-z0-9@$])[@$]|[@$](?=[A-Za-z@$])")

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a text: characters `start` to `end`, the last one not included."""

    start: int
    end: int


def holding(query: str, texts: Sequence[str]) -> list[Passage | None]:
    """Find the stretch of each text that holds a query, or that a query holds.

    Args:
        query: any text.
        texts: n texts, as they were sent.

    Returns:
        For each text the stretch, about as long as the query, that has most of it; edits in between do not end it. None
        where the two share nothing.
    """
    return _found(query, texts, NGRAM, whole=True)


def longest(query: str, texts: Sequence[str]) -> list[Passage | None]:
    """Find the longest stretch of each text that a query has too, in whole words.

    Args:
        query: any text.
        texts: n texts, as they were sent.

    Returns:
        For each text the stretch; None where the two share no two words of 10 letters and digits together.
    """
    found = _found(query, texts, SEED, whole=False)
    return [None if place is None else _whole_words(text, place) for text, place in zip(texts, found, strict=True)]


def key_places(texts: Sequence[str], keys: Sequence[str]) -> list[Int64]:
    """Return for each character of a text's match key the character of the text that it comes from, ascending.

    Args:
        texts: n texts.
        keys: their match keys.

    Returns:
        n arrays int64 (len(key),). Exact but for signs (`@`, `$`) beside letters with marks, where a place may be off by
        those signs.
    """
    if not texts:
        return []
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    widths = np.split(_widths("".join(texts)), lengths.cumsum()[:-1])
    return [_spread(text, key, width) for text, key, width in zip(texts, keys, widths, strict=True)]


def _spread(text: str, key: str, width: Int64) -> Int64:
    if _SIGN.search(text):  # a sign alone is dropped, inside a word it is a letter
        width[[sign.start() for sign in _SIGN_IN_WORD.finditer(text)]] = 1
    places = np.repeat(np.arange(len(text)), width)
    return places[: len(key)] if len(places) >= len(key) else np.pad(places, (0, len(key) - len(places)), "maximum")


def _widths(text: str) -> Int64:
    """Return how many characters of a match key each character makes. int64 (len(text),)."""
    if text.isascii():
        return _ascii_widths()[np.frombuffer(text.encode(), np.uint8)]
    codes, which = np.unique(np.frombuffer(text.encode("utf-32-le"), "<u4"), return_inverse=True)
    return _alone(codes.astype("<u4").tobytes().decode("utf-32-le"))[which]


@cache
def _ascii_widths() -> Int64:
    return _alone("".join(map(chr, range(128))))


def _alone(characters: str) -> Int64:
    lengths = pc.utf8_length(match_keys(pa.array(list(characters), pa.large_string())))
    return np.asarray(lengths, np.int64)


def _whole_words(text: str, place: Passage) -> Passage | None:
    """Leave out the words that are cut by the ends of a passage; None if fewer than two are left."""
    begin = max(0, place.start - NEAR)
    inside = [
        word.span()
        for word in TOKEN.finditer(text, begin, place.end + NEAR)
        if word.start() >= place.start and word.end() <= place.end and word[0].isalnum()
    ]
    if len(inside) < 2:
        return None
    return Passage(inside[0][0], inside[-1][1])


def _found(query: str, texts: Sequence[str], n: int, *, whole: bool) -> list[Passage | None]:
    """Find what each text shares with a query: compare keys, then go back from keys to texts."""
    keys = match_keys(pa.array([query, *texts], pa.large_string()))
    prints = fingerprints(keys, n=n, w=1)  # every n-gram
    own, *others = keys.to_pylist()
    first = int(np.searchsorted(prints.texts, 1))  # the query's come first
    order = np.argsort(prints.hashes[:first], kind="stable")
    if not first:
        return [None] * len(texts)
    known, hashes = prints.hashes[:first][order], prints.hashes[first:]
    where = np.minimum(np.searchsorted(known, hashes), first - 1)
    seeds = np.flatnonzero(known[where] == hashes)
    at, source = (prints.positions[some].astype(np.int64) for some in (first + seeds, order[where[seeds]]))
    bounds = np.searchsorted(prints.texts[first + seeds], np.arange(1, len(keys) + 1))
    spans: dict[int, tuple[int, int]] = {}
    for number, (key, start, stop) in enumerate(zip(others, bounds[:-1], bounds[1:], strict=True)):
        span = _stretch(own, key, at[start:stop], source[start:stop], whole=whole)
        if span is not None:
            spans[number] = span
    origins = key_places([texts[number] for number in spans], [others[number] for number in spans])
    found: list[Passage | None] = [None] * len(texts)
    for (number, (start, end)), origin in zip(spans.items(), origins, strict=True):
        found[number] = Passage(int(origin[start]), int(origin[end - 1]) + 1)
    return found


def _stretch(query: str, key: str, at: Int64, source: Int64, *, whole: bool) -> tuple[int, int] | None:
    """Return the stretch of a key that seeds lead to.

    Args:
        query: key of the query.
        key: key of the text.
        at: where in `key` the seeds are, ascending. int64 (s,).
        source: where in `query` they are. int64 (s,).
        whole: the stretch of the query's length with most seeds, else the longest without a difference.
    """
    if not len(at):
        return _aligned(query, key) if whole else None
    if whole:
        within = np.searchsorted(at, at + len(query) + NGRAM, "right") - np.arange(len(at))
        first = int(within.argmax())
        last = first + int(within[first]) - 1
    else:
        first = last = _longest_run(at, source)
    start = int(at[first]) - _agree(query[: source[first]][::-1], key[: at[first]][::-1])
    end = int(at[last]) + _agree(query[source[last] :], key[at[last] :])
    return (start, end) if end > start else None


def _longest_run(at: Int64, source: Int64) -> int:
    """Return the first seed of the longest run of seeds that follow each other in both keys."""
    order = np.lexsort((at, at - source))
    at, shift = at[order], (at - source)[order]
    new = np.ones(len(at), bool)
    new[1:] = (np.diff(shift) != 0) | (np.diff(at) > 1)
    starts = np.flatnonzero(new)
    ends = np.r_[starts[1:], len(at)] - 1
    return int(order[starts[(at[ends] - at[starts]).argmax()]])


def _agree(a: str, b: str) -> int:
    """Return how many characters two strings have in common from their start, by halving."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _aligned(query: str, key: str) -> tuple[int, int] | None:
    """Align two keys without a shared n-gram, when the shorter one is short."""
    if not 0 < min(len(query), len(key)) <= ALIGNED:
        return None
    best = fuzz.partial_ratio_alignment(query, key, score_cutoff=80)
    return (best.dest_start, best.dest_end) if best and best.dest_end > best.dest_start else None
