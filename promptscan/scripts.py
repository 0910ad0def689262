"""Scripts: which writing system most of a text's letters are of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

_ASCII_LETTER = re.compile("[A-Za-z]")
_SLAB_CHARS = 1 << 22  # characters looked up at once, bounds memory; a longer text goes alone


class Script(IntEnum):
    """A writing system."""

    NONE = 0  # no letters at all
    LATIN = 1
    GREEK = 2
    CYRILLIC = 3
    ARMENIAN = 4
    HEBREW = 5
    ARABIC = 6
    DEVANAGARI = 7
    BENGALI = 8
    GURMUKHI = 9
    GUJARATI = 10
    ORIYA = 11
    TAMIL = 12
    TELUGU = 13
    KANNADA = 14
    MALAYALAM = 15
    SINHALA = 16
    THAI = 17
    LAO = 18
    TIBETAN = 19
    MYANMAR = 20
    GEORGIAN = 21
    ETHIOPIC = 22
    KHMER = 23
    HANGUL = 24
    KANA = 25
    HAN = 26


# First and last code point of the blocks of each script. Unicode Standard, Blocks.txt; of blocks that begin with digits and
# punctuation only the letters. What stands in no block (rare and historic scripts) counts as no letter.
_BLOCKS = {
    Script.LATIN: ((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x250, 0x2AF), (0x1E00, 0x1EFF), (0xFF21, 0xFF5A)),
    Script.GREEK: ((0x370, 0x3FF), (0x1F00, 0x1FFF)),
    Script.CYRILLIC: ((0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF), (0xA640, 0xA69F)),
    Script.ARMENIAN: ((0x531, 0x58A),),
    Script.HEBREW: ((0x5D0, 0x5F4), (0xFB1D, 0xFB4F)),
    Script.ARABIC: ((0x620, 0x65F), (0x66E, 0x6EF), (0x6FA, 0x6FF), (0x750, 0x77F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC)),
    Script.DEVANAGARI: ((0x900, 0x963), (0x971, 0x97F)),
    Script.BENGALI: ((0x980, 0x9E5), (0x9F0, 0x9FF)),
    Script.GURMUKHI: ((0xA00, 0xA65), (0xA70, 0xA7F)),
    Script.GUJARATI: ((0xA80, 0xAE5), (0xAF9, 0xAFF)),
    Script.ORIYA: ((0xB00, 0xB65), (0xB71, 0xB7F)),
    Script.TAMIL: ((0xB80, 0xBE5),),
    Script.TELUGU: ((0xC00, 0xC65),),
    Script.KANNADA: ((0xC80, 0xCE5),),
    Script.MALAYALAM: ((0xD00, 0xD65), (0xD7A, 0xD7F)),
    Script.SINHALA: ((0xD80, 0xDE5),),
    Script.THAI: ((0xE01, 0xE4E),),
    Script.LAO: ((0xE80, 0xECF), (0xEDC, 0xEFF)),
    Script.TIBETAN: ((0xF40, 0xFBC),),
    Script.MYANMAR: ((0x1000, 0x103F), (0x1050, 0x108F)),
    Script.GEORGIAN: ((0x10A0, 0x10FF), (0x1C90, 0x1CBF), (0x2D00, 0x2D2F)),
    Script.ETHIOPIC: ((0x1200, 0x135F), (0x1380, 0x139F)),
    Script.KHMER: ((0x1780, 0x17D3),),
    Script.HANGUL: ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF)),
    Script.KANA: ((0x3041, 0x3096), (0x30A1, 0x30FA), (0x31F0, 0x31FF), (0xFF66, 0xFF9D)),
    Script.HAN: (
        (0x2E80, 0x2FDF),
        (0x3005, 0x3007),
        (0x3400, 0x4DBF),
        (0x4E00, 0x9FFF),
        (0xF900, 0xFAFF),
        (0x20000, 0x323AF),
    ),
}

# Letters of an alphabet that one character stands for: a text in Chinese about `fibonacci(n)` is in Chinese.
_LETTERS = {Script.HAN: 3.0, Script.HANGUL: 2.0, Script.KANA: 2.0}

JAPANESE = 0.1
"""Share of kana among a text's kana and Han characters from which on it is Japanese, and all of them count as kana."""


def dominant_script(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Return the script that most letters of each text are of.

    Digits, punctuation, spaces and symbols have no script. One Han character counts as three letters, a kana or a syllable of
    Hangul as two. Japanese is written in kana and Han; its Han characters count as kana. Ties go to the lower number.

    Args:
        texts: any strings, n of them.

    Returns:
        `Script` of each, `NONE` for a text without letters. uint8 (n,).
    """
    dominant = np.zeros(len(texts), np.uint8)
    other = []
    for place, text in enumerate(texts):
        if not text.isascii():
            other.append(place)
        elif _ASCII_LETTER.search(text):
            dominant[place] = Script.LATIN
    dominant[other] = _dominant([texts[place] for place in other])
    return dominant


def _dominant(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Return the script that most letters of each text are of, by counting them."""
    dominant = np.zeros(len(texts), np.uint8)
    for start, stop in _slabs(texts):
        counts = _letters(texts[start:stop])
        kana, han = counts[:, Script.KANA], counts[:, Script.HAN]
        japanese = kana / _LETTERS[Script.KANA] >= JAPANESE * (
            kana / _LETTERS[Script.KANA] + han / _LETTERS[Script.HAN]
        )
        japanese &= kana > 0
        kana[japanese] += han[japanese]
        han[japanese] = 0
        dominant[start:stop] = counts.argmax(axis=1)  # no letters: all are 0, and so is the first, NONE
    return dominant


def _letters(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return how many letters of each script each text has. float64 (n, scripts)."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), "<u4")
    scripts = _TABLE[codes]
    lettered = np.flatnonzero(scripts)
    owner = np.repeat(np.arange(len(texts)), np.fromiter(map(len, texts), np.int64, len(texts)))[lettered]
    cells = owner * len(Script) + scripts[lettered]
    counts = np.bincount(cells, minlength=len(texts) * len(Script)).reshape(len(texts), len(Script))
    weighted: NDArray[np.float64] = counts * _WEIGHTS
    return weighted


def _slabs(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield ranges of texts of bounded length, at least one text each."""
    start = chars = 0
    for stop, text in enumerate(texts):
        if stop > start and chars + len(text) > _SLAB_CHARS:
            yield start, stop
            start, chars = stop, 0
        chars += len(text)
    if start < len(texts):
        yield start, len(texts)


def _table() -> NDArray[np.uint8]:
    table = np.zeros(0x110000, np.uint8)
    for script, blocks in _BLOCKS.items():
        for first, last in blocks:
            table[first : last + 1] = script
    table[[0xD7, 0xF7]] = Script.NONE  # × and ÷ stand among the Latin letters
    table[0xFF3B:0xFF41] = Script.NONE  # fullwidth punctuation between its capitals and small letters
    return table


_TABLE = _table()
_WEIGHTS = np.array([_LETTERS.get(script, 1.0) for script in Script])
