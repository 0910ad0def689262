"""fingerprint: match keys to fingerprints, so that whoever shares a passage shares a number.

Winnowing: hash every n-gram of the key, and of each window of `w` n-grams in a row keep the least. Two texts that share a
passage share its windows, so they keep the same n-gram of it.

A *unit* is what a Latin letter is: one per character of an alphabet, two per kana, three per Han character, which say about
as much as two and three letters do. n-grams and windows count units, so a shared passage is found from `guarantee(n, w)`
letters, or a third as many Chinese characters. (Korean keys are decomposed; each of their letters is a unit.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.errors import UsageError
from promptscan.matchkey import buffers, code_points, slices

NGRAM = 16  # units of a fingerprint; see docs/decisions/005-match-key-and-fingerprints.md
WINDOW = 16  # n-grams of which at least one is kept
CHUNK = 1 << 18  # units a step: its arrays stay in the processor's cache
_BASE = 0x9E3779B97F4A7C15 | 1
_BITS = np.uint64(28)  # low bits of a hash that hold the position while minima are taken
_LOW = np.uint64((1 << 28) - 1)
_NONE = np.uint64(2**64 - 1)


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Fingerprints of texts: a set of hashes for each, sorted by (text, position).

    Attributes:
        hashes: uint64 (f,).
        texts: number of the text, counted from `first_text`. int64 (f,).
        positions: character of the key at which the hash first occurs. int32 (f,).
    """

    hashes: NDArray[np.uint64]
    texts: NDArray[np.int64]
    positions: NDArray[np.int32]


def guarantee(n: int = NGRAM, w: int = WINDOW) -> int:
    """Return the length in units from which a shared passage is always found."""
    return n + w - 1


def fingerprints(keys: pa.Array, *, n: int = NGRAM, w: int = WINDOW, first_text: int = 0) -> Fingerprints:
    """Fingerprint match keys.

    Args:
        keys: large_string (t,), no nulls. Of a key beyond 2**28 units, the first 2**28 are read.
        n: units of an n-gram.
        w: n-grams of a window, 1 .. n.
        first_text: number of the first key.

    Returns:
        About 2 / (w + 1) fingerprints per unit. Any two keys with a common passage of at least `guarantee(n, w)` units have a
        common hash. A key shorter than n has one fingerprint, of the whole; an empty key has none. A hash that recurs in a
        text is kept where it first occurs, so runs and repetitions cost nothing.

    Raises:
        UsageError: if n or w is out of range.

    Source: Schleimer, Wilkerson and Aiken, Winnowing, SIGMOD 2003, section 3 (rightmost minimum). Their robust variant
    thins out runs; keeping each hash once per text thins out every repetition and leaves the set of hashes as it is.
    """
    if not 1 <= w <= n:
        raise UsageError(f"fingerprints need 1 <= w <= n, got n={n} and w={w}")
    parts = []
    for chunk in slices(keys.cast(pa.large_string()), CHUNK):
        parts.append(_fingerprint_chunk(chunk, n, w, first_text))
        first_text += len(chunk)
    return concatenate(parts)


def concatenate(parts: list[Fingerprints]) -> Fingerprints:
    """Join fingerprints of consecutive texts."""
    none = Fingerprints(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int32))
    parts = [none, *parts]
    return Fingerprints(
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.texts for part in parts]),
        np.concatenate([part.positions for part in parts]),
    )


def _fingerprint_chunk(keys: pa.Array, n: int, w: int, first: int) -> Fingerprints:
    some, unit_starts, place, starts = _units(keys)
    at, hashes = _winnow(some, unit_starts, n, w)
    lengths = np.diff(unit_starts)
    short = np.flatnonzero((lengths > 0) & (lengths < n))
    at, hashes = np.r_[at, unit_starts[short]], np.r_[hashes, _whole(some, unit_starts[short], lengths[short], n)]
    order = np.argsort(at, kind="stable")
    at, hashes = at[order], hashes[order]
    text = np.searchsorted(unit_starts, at, "right") - 1
    new = _first_in_text(hashes, text)
    at, hashes, text = at[new], hashes[new], text[new]
    character = at if place is None else place[at]
    return Fingerprints(hashes, text + first, (character - starts[text]).astype(np.int32))


def units(keys: pa.Array) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the units of match keys, one key after the other, and where each key begins, int64 (t + 1,).

    Args:
        keys: large_string (t,), no nulls.
    """
    return _units(keys)[:2]


def _units(
    keys: pa.Array,
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64] | None, NDArray[np.int64]]:
    """Return units, where each key begins in them, the character of each unit (None if each is one), and each key's first."""
    codes: NDArray[np.uint8] | NDArray[np.uint32]
    starts, codes = buffers(keys)
    if len(codes) and codes.max() > 127:
        codes, starts = code_points(keys)
    weights = _weights(codes)
    some = codes.astype(np.uint64) * np.uint64(4)
    if weights is None:
        return some, starts, None, starts
    before = np.r_[0, weights.cumsum()]
    place = np.repeat(np.arange(len(codes)), weights)
    some = some[place] + (np.arange(len(place)) - before[place]).astype(np.uint64)
    return some, before[starts], place, starts


def _weights(codes: NDArray[np.uint8] | NDArray[np.uint32]) -> NDArray[np.int64] | None:
    """Return the units of each character, int64; None if each is one."""
    if codes.dtype == np.uint8 or codes.max() < 0x3040:
        return None
    kana = (codes >= 0x3040) & (codes <= 0x30FF)
    han = ((codes >= 0x3400) & (codes <= 0x9FFF)) | (codes >= 0x20000)
    return np.ones(len(codes), np.int64) + kana + 2 * han


def _winnow(
    units: NDArray[np.uint64], starts: NDArray[np.int64], n: int, w: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Return positions (in units, ascending) and hashes of the n-grams that are the rightmost least of a window.

    While minima are taken, a hash's low bits hold its distance from the end: equal high bits are decided by position, the
    same way in every text. As w <= n, the n - 1 positions at a text's end where no n-gram starts keep windows inside it.
    """
    lengths = np.minimum(np.diff(starts), int(_LOW))
    grams = np.maximum(lengths - n + 1, 0)
    if not grams.any():
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)
    hashes = mixed(rolling(units, n))
    place = _LOW - np.arange(len(units), dtype=np.uint64) % _LOW
    least = np.full(len(units) + w - 1, _NONE)
    is_gram = _spans(starts, grams)
    np.copyto(least[: len(hashes)], (hashes & ~_LOW) | place[: len(hashes)], where=is_gram[: len(hashes)])
    span = 1
    while 2 * span <= w:
        least = np.minimum(least[:-span], least[span:])
        span *= 2
    if span < w:
        least = np.minimum(least[: span - w], least[w - span :])
    windows = np.where(grams > 0, np.maximum(grams - w + 1, 1), 0)
    chosen = (_LOW - (least[_spans(starts, windows)] & _LOW)).astype(np.int64)
    chosen = chosen[np.r_[True, chosen[1:] != chosen[:-1]]]
    return chosen, hashes[chosen]


def _spans(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return a mask over all units that is true for the first `counts` of each text."""
    turns = np.empty(2 * len(counts), np.int64)
    turns[::2], turns[1::2] = counts, np.diff(starts) - counts
    return np.repeat(np.tile([True, False], len(counts)), turns)


def _power(exponent: int) -> np.uint64:
    return np.uint64(pow(_BASE, exponent, 2**64))


def rolling(units: NDArray[np.uint64], n: int) -> NDArray[np.uint64]:
    """Return the polynomial hash modulo 2**64 of the n units from each position, uint64 (m - n + 1,).

    Doubling: the hash of a + b units is the hash of the first a, shifted by b, plus that of the other b.
    """
    whole, length = None, 0
    doubled, span = units, 1
    while True:
        if n & span:
            if whole is None:
                whole, length = doubled, span
            else:
                size = len(units) - length - span + 1
                whole = doubled[:size] * _power(length) + whole[span : span + size]
                length += span
        if length == n and whole is not None:
            return whole
        size = len(doubled) - span
        doubled = doubled[:size] * _power(span) + doubled[span : span + size]
        span *= 2


def _whole(
    units: NDArray[np.uint64], starts: NDArray[np.int64], lengths: NDArray[np.int64], n: int
) -> NDArray[np.uint64]:
    """Return a hash of all units of each of some texts shorter than n, uint64 (s,)."""
    hashes = np.zeros(len(starts), np.uint64)
    for step in range(n - 1 if len(starts) else 0):
        unit = units[np.minimum(starts + step, len(units) - 1)]
        hashes = np.where(step < lengths, hashes * _power(1) + unit, hashes)
    return mixed(hashes + lengths.astype(np.uint64) * _power(n))


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return values mapped one to one onto evenly spread ones (the finaliser of SplitMix64, Steele et al., OOPSLA 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _first_in_text(hashes: NDArray[np.uint64], text: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which hashes occur for the first time in their text."""
    both = mixed(hashes + text.astype(np.uint64) * _power(1))
    ordered = np.sort(both)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    first = np.ones(len(hashes), np.bool_)
    if len(repeated):
        again = np.flatnonzero(np.isin(both, repeated))
        first[again] = False
        first[again[np.unique(both[again], return_index=True)[1]]] = True
    return first
