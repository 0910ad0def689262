"""Words as characters: each word of a text becomes one character, so that rapidfuzz compares words at the speed of C."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from promptscan.words import TOKEN

CHUNK = 1 << 19  # characters a step: its arrays stay in the processor's cache
_BASE = 0x9E3779B97F4A7C15 | 1  # odd, so that it has an inverse modulo 2**64
_SPREAD = np.uint64(0xD6E8FEB86659FD93)
_FIRST, _SYMBOLS = 0x1_0000, 0xF_0000  # symbols are the characters above the basic plane: no surrogate is among them
_SPACE, _LETTER, _SINGLE = 0, 1, 2

Int64 = NDArray[np.int64]


def word_symbols(texts: Sequence[str]) -> list[str]:
    """Return each text with one character per word, case folded; words are those of `words.TOKEN`.

    The character is a hash of the word, of 983,040, so two different words share one once in a million; a word has the same
    one in every call.
    """
    symbols: list[str] = []
    first = size = 0
    for end, text in enumerate(texts, 1):
        size += len(text)
        if size >= CHUNK or end == len(texts):
            symbols += _symbols([text.casefold() for text in texts[first:end]])
            first, size = end, 0
    return symbols


def _symbols(texts: list[str]) -> list[str]:
    """Do so for some texts, all words at once."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    length = np.fromiter(map(len, texts), np.int64, len(texts))
    bounds = np.concatenate([[0], np.cumsum(length)])
    kind = _kinds()[codes]
    letter = kind == _LETTER
    inside = np.zeros(len(codes) + 1, bool)  # a letter whose word began before it
    inside[1:-1] = letter[1:] & letter[:-1]
    inside[bounds] = False
    start = np.flatnonzero((kind != _SPACE) & ~inside[:-1])
    stop = np.flatnonzero((kind != _SPACE) & ~inside[1:]) + 1
    made = _hashes(codes, start, stop).tobytes().decode("utf-32-le")
    places = np.searchsorted(start, bounds).tolist()
    return [made[here:there] for here, there in pairwise(places)]


def _hashes(codes: NDArray[np.uint32], start: Int64, stop: Int64) -> NDArray[np.uint32]:
    """Return the symbol of the word in each span, uint32.

    A word's hash is its characters as digits of a number in base `_BASE`, modulo 2**64: the difference of two prefix sums,
    moved to the first place.
    """
    size = 1 << len(codes).bit_length()  # few sizes, each made once
    powers, back = _powers(_BASE, size)[: len(codes) + 1], _powers(pow(_BASE, -1, 1 << 64), size)[: len(codes) + 1]
    prefix = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum((codes + np.uint64(1)) * powers[:-1], out=prefix[1:])
    hashes = (prefix[stop] - prefix[start]) * back[start]
    hashes ^= hashes >> np.uint64(32)
    hashes *= _SPREAD
    symbols: NDArray[np.uint32] = ((hashes >> np.uint64(32)) % np.uint64(_SYMBOLS) + np.uint64(_FIRST)).astype(
        np.uint32
    )
    return symbols


@lru_cache(maxsize=8)
def _powers(base: int, size: int) -> NDArray[np.uint64]:
    """Return the powers of a number modulo 2**64, from the zeroth on. uint64 (size,)."""
    powers: NDArray[np.uint64] = np.concatenate([np.ones(1, np.uint64), np.full(size - 1, base, np.uint64)]).cumprod()
    return powers


@cache
def _kinds() -> NDArray[np.uint8]:
    """Return what every character is to `TOKEN`: white space, part of a word, or a word by itself. uint8 (0x110000,)."""
    kinds = np.full(0x11_0000, _SINGLE, np.uint8)
    every = "".join(map(chr, range(0x11_0000)))
    for match in re.finditer(r"\s+", every):
        kinds[match.start() : match.end()] = _SPACE
    twice = "".join(2 * letter for letter in "".join(re.findall(r"\w+", every)))  # what forms words stays together
    together = "".join(word for word in TOKEN.findall(twice) if len(word) > 1)
    kinds[np.frombuffer(together.encode("utf-32-le", "surrogatepass"), np.uint32)] = _LETTER
    return kinds
