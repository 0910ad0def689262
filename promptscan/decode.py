"""decode: content hidden behind base64, hex, URL escapes, rot13, reversal or tag characters, as texts to be scanned too.

Everything is bounded: how deep it is nested, how many pieces of a text are decoded, how large they are. Ordinary texts cost two
regular expressions and two table look-ups per character; only what these point at is decoded.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import urllib.parse
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from promptscan.matchkey import buffers, slices

DEPTH = 2  # how many encodings may be wrapped around each other
PIECES = 16  # encoded passages of one text that are decoded, the longest first
LARGEST = 1 << 16  # characters of a passage that are decoded
SHORTEST = 8  # characters that a passage must decode to
WINDOW = 48  # characters over which rot13 and reversal are judged
# Bits by which a window must be likelier English when it is turned back than as it stands. Measured on English prompts of 40
# characters and more: .996 of rot13 and .974 of reversed ones reach them; of plain texts at most 4 in 1,000 of a set decode to anything. See
# docs/decisions/005-match-key-and-fingerprints.md.
ROT13_BITS = 36
REVERSED_BITS = 28
CHUNK = 1 << 18  # bytes of text judged at a time
# Rows and columns a to z and anything else: how common a pair of letters is in English, as whole bits above one in 4,096.
# Counted over open assistant and chat prompts with scripts/letter_pairs.py.
ENGLISH = (
    "034301303025460305451200305 200040001003003001002000101 401040042022005003142000003 300150004000003001202000006 "
    "404432201004351216540223207 200022003001004002012000005 200040022001012002101000005 400060004000004001021000104 "
    "214333300014364203550300024 000000000000000000000000000 000030001000000000100000003 400352004004004000222000305 "
    "410050003000103300101000104 303541503011013100452100106 112314202013452305335240005 300040012004003204122000103 "
    "000000000000000000002000000 402260104021224002332100305 202050034010003200353010106 401050065001005104323010306 "
    "212130101003330204440000003 200040003000001000000000001 300030033000013002000000003 000000000000000200020000002 "
    "000010000000003100110000005 000010000000000000000000000 655545446224545514674351400"
)
_BASE64 = r"[A-Za-z0-9+/_-]{20,}(?:\r?\n[A-Za-z0-9+/_-]{4,})*={0,2}"
_HEX = r"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ ,:]{0,2}){12,}"
_URL = r"(?:[^\s%]{0,32}%[0-9A-Fa-f]{2}){4,}[^\s%]*"
_TAGS = r"[\U000E0020-\U000E007E]{4,}"
# One scan by RE2 finds all texts that may hold one of the four. A run of `%41%42` or of hex pairs is caught by its start.
_SUSPECT = (
    r"[A-Za-z0-9+/_-]{20}|(?:%[0-9A-Fa-f]{2}[^\s%]{0,32}){4}|(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ ,:]{1,2}){4}"
    r"|(?:\\x[0-9A-Fa-f]{2}){4}|[\x{E0020}-\x{E007E}]{4}"
)


class Method(StrEnum):
    """How a passage was encoded."""

    BASE64 = "base64"
    HEX = "hex"
    URL = "url"
    TAGS = "tags"
    ROT13 = "rot13"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class Decoded:
    """Decoded texts, sorted by (text_index, order of discovery), each once per text.

    Attributes:
        text_index: row of the text that hides it. int64 (m,).
        method: a Method, or two joined by `+`, the outer one first. string (m,).
        text: at most LARGEST characters each. large_string (m,).
        characters: how many characters of the hiding text it was decoded from; 0 for what was inside another. int64 (m,).
    """

    text_index: NDArray[np.int64]
    method: pa.Array
    text: pa.Array
    characters: NDArray[np.int64]


def decoded(texts: pa.Array, *, depth: int = DEPTH) -> Decoded:
    """Find and decode what is hidden in texts.

    Args:
        texts: large_string (n,), no nulls.
        depth: how many encodings to undo one after the other, 0 or more.

    Returns:
        At most PIECES + 2 texts for each text and level. What decodes to no text (images, keys, hashes) is left out. rot13 and
        reversal are recognised by their letters, in English and, less surely, in languages with its alphabet, and are undone
        over the whole text: what was plain becomes noise, which matches nothing.
    """
    found: dict[tuple[int, str], str] = {}
    sizes: dict[tuple[int, str], int] = defaultdict(int)
    level = [(row, "", text) for row, text in _suspects(texts.cast(pa.large_string()))] if depth > 0 else []
    for remaining in range(depth - 1, -1, -1):
        new = []
        # The letters of keys, hashes and pictures say nothing. A run without a digit may be words without spaces.
        words = [_CODED.sub(lambda run: run[0] if run[0].isalpha() else " ", text) for _, _, text in level]
        bits = [side.tolist() for side in turned_bits(pa.array(words, pa.large_string()))]
        for (row, methods, text), letters, *turned in zip(level, words, *bits, strict=True):
            for method, plain, size in _undone(text, methods.rpartition("+")[2], letters, turned):
                if not methods:
                    sizes[row, plain] += size
                if found.setdefault((row, plain), methods_of := f"{methods}+{method}".lstrip("+")) is methods_of:
                    new.append((row, methods_of, plain))
        if not remaining or not new:
            break
        hits = dict(_suspects(pa.array([plain for _, _, plain in new], pa.large_string())))
        level = [(row, methods, plain) for place, (row, methods, plain) in enumerate(new) if place in hits]
    rows = sorted(found.items(), key=lambda item: item[0][0])
    return Decoded(
        np.array([row for (row, _), _ in rows], np.int64),
        pa.array([methods for _, methods in rows], pa.string()),
        pa.array([plain for (_, plain), _ in rows], pa.large_string()),
        np.array([sizes[hidden] for hidden, _ in rows], np.int64),
    )


def turned_bits(texts: pa.Array) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return how many bits likelier English the best window of each text is as rot13 and as reversed text, int32 (n,) each."""
    rot13, backward = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    for chunk in slices(texts, CHUNK):
        offsets, data = buffers(chunk)
        letters = _LETTER[data]
        pairs = letters[:-1].astype(np.int16) * 27 + letters[1:]
        rot13.append(_best_window(_ROT13_GAIN[pairs], offsets))
        backward.append(_best_window(_REVERSED_GAIN[pairs], offsets))
    return np.concatenate(rot13), np.concatenate(backward)


def _best_window(gain: NDArray[np.int8], offsets: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the largest sum of WINDOW gains in a row of each text, of all its gains if it has fewer. int32 (n,)."""
    best = np.zeros(len(offsets) - 1, np.int32)
    lengths = np.maximum(np.diff(offsets) - 1, 0)  # pairs of each text
    filled = np.flatnonzero(lengths)
    if not len(filled):
        return best
    sums = np.r_[np.int32(0), np.cumsum(gain, dtype=np.int32)]
    start, length = offsets[filled], lengths[filled]
    best[filled] = sums[start + np.minimum(length, WINDOW)] - sums[start]
    long = filled[length > WINDOW]
    if len(long):
        windows = sums[WINDOW:] - sums[:-WINDOW]
        first, last = offsets[long], offsets[long] + lengths[long] - WINDOW
        bounds = np.column_stack([first, last + 1]).ravel()
        best[long] = np.maximum.reduceat(np.r_[windows, windows[-1:]], bounds)[::2]
    return best


def _suspects(texts: pa.Array) -> Iterator[tuple[int, str]]:
    """Yield row and text of those worth a closer look."""
    rot13, backward = turned_bits(texts)
    suspect = pc.match_substring_regex(texts, _SUSPECT).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(suspect | (rot13 >= ROT13_BITS) | (backward >= REVERSED_BITS))
    yield from zip(rows.tolist(), texts.take(pa.array(rows)).to_pylist(), strict=True)


def _undone(text: str, last: str, words: str, turned: Sequence[int]) -> Iterator[tuple[Method, str, int]]:
    """Yield what one text decodes to, and how many of its characters that was.

    What turns a text round is not undone twice in a row (`last`); `turned` are the bits of `turned_bits` of its words.
    """
    for method, pattern, decode in _PASSAGES:
        for passage in sorted(pattern.findall(text), key=len, reverse=True)[:PIECES]:
            plain = decode(passage[: 4 * LARGEST])
            if _is_text(plain):
                yield method, plain[:LARGEST], len(passage)
    rot13, backward = turned
    if rot13 >= ROT13_BITS and last != Method.ROT13:
        yield Method.ROT13, codecs.encode(text[:LARGEST], "rot13"), _turned(words, _ROT13_GAIN, ROT13_BITS)
    if backward >= REVERSED_BITS and last != Method.REVERSED:
        yield Method.REVERSED, text[:LARGEST][::-1], _turned(words, _REVERSED_GAIN, REVERSED_BITS)


def _turned(text: str, gain: NDArray[np.int8], bits: int) -> int:
    """Count the characters of a text that stand in a window as likely as `bits` to be turned round."""
    letters = _LETTER[np.frombuffer(text.encode("ascii", "replace"), np.uint8)]
    gains = gain[letters[:-1].astype(np.int16) * 27 + letters[1:]]
    window = min(WINDOW, len(gains))
    sums = np.r_[np.int32(0), np.cumsum(gains, dtype=np.int32)]
    starts = np.flatnonzero(sums[window:] - sums[:-window] >= bits)
    return int(np.minimum(np.diff(np.r_[starts, len(text)]), window + 1).sum())


def _is_text(plain: str) -> bool:
    """Tell whether a decoded passage is something to read: no control characters, and mostly letters or encoded again."""
    if len(plain) < SHORTEST or _CONTROL.search(plain):
        return False
    readable = sum(character.isalpha() or character.isspace() or ord(character) > 0x2FF for character in plain)
    return readable >= 0.6 * len(plain) or any(pattern.search(plain) for _, pattern, _ in _PASSAGES)


def _from_base64(passage: str) -> str:
    alphabet = re.sub(r"[\s=]", "", passage).translate(str.maketrans("-_", "+/"))
    usable = alphabet[: len(alphabet) - (len(alphabet) % 4 == 1)]
    return _utf8(base64.b64decode(usable + "=" * (-len(usable) % 4)))


def _from_hex(passage: str) -> str:
    digits = re.sub(r"0x|\\x|[ ,:]", "", passage)
    return _utf8(binascii.unhexlify(digits[: len(digits) // 2 * 2]))


def _from_url(passage: str) -> str:
    return _utf8(urllib.parse.unquote_to_bytes(passage.replace("+", " ")))


def _from_tags(passage: str) -> str:
    return "".join(chr(ord(character) - 0xE0000) for character in passage)


def _utf8(data: bytes) -> str:
    """Return UTF-8 as text, empty if it is none; a character cut off at the end does not matter."""
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return ""


def _gains() -> tuple[NDArray[np.uint8], NDArray[np.int8], NDArray[np.int8]]:
    """Return the row of ENGLISH of each byte, and what each pair of rows gains by rot13 and by reversal, (729,) each."""
    letter = np.full(256, 26, np.uint8)
    for place in range(26):
        letter[[ord("a") + place, ord("A") + place]] = place
    bits = np.array([[int(bit) for bit in row] for row in "".join(ENGLISH).split()], np.int8)
    turned = np.r_[(np.arange(26) + 13) % 26, 26]
    return letter, (bits[np.ix_(turned, turned)] - bits).ravel(), (bits.T - bits).ravel()


_CONTROL = re.compile(r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]")
_CODED = re.compile(r"[A-Za-z0-9+/_-]{20,}")
_LETTER, _ROT13_GAIN, _REVERSED_GAIN = _gains()
_PASSAGES: tuple[tuple[Method, re.Pattern[str], Callable[[str], str]], ...] = (
    (Method.HEX, re.compile(_HEX), _from_hex),
    (Method.BASE64, re.compile(_BASE64), _from_base64),
    (Method.URL, re.compile(_URL), _from_url),
    (Method.TAGS, re.compile(_TAGS), _from_tags),
)
