"""folds: what the match key makes of each code point, as tables that numpy looks whole batches up in.

The tables are for code points that NFKD has already decomposed. A table has one entry per code point; 0 means "dropped" in
`key` and "none" elsewhere.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from promptscan.normalise import INVISIBLE

# Letters that leet writes as digits meet their digit. Digits stay: numbers remain themselves, and nothing depends on context.
LEET = str.maketrans("oilzeastbg", "0112345789")
# Greek letters that pose as Latin ones: small eta has an n's shape (its capital an H's), omega is not in TR39's table.
BY_EYE = {0x3B7: "n", 0x3C9: "w"}
SEVERAL = 0xFFFFFFFF
SPELT_OUT = {"\xdf": "ss", "\u1e9e": "ss", "\xe6": "ae", "\xc6": "ae", "\u0153": "oe", "\u0152": "oe"}
LATIN, CYRILLIC, OTHER = 1, 2, 3  # kinds of anchors
_CODES = 0x110000
_LAST = 0x32400  # beyond lie unassigned, private and invisible code points
_CYRILLIC_SMALL = range(0x430, 0x460)
_EAST_ASIAN = (
    "CJK",
    "KANGXI",
    "HIRAGANA",
    "KATAKANA",
    "HANGUL",
    "HALFWIDTH",
    "BOPOMOFO",
    "YI ",
    "IDEOGRAPHIC",
    "TANGUT",
)
_STYLES = ("<font>", "<circle>", "<square>", "<wide>", "<super>", "<sub>")


@dataclass(frozen=True, slots=True)
class Folds:
    """Tables by code point, each (0x110000,).

    Attributes:
        bare: the one character that NFKD without combining marks leaves of it, 0 if none, SEVERAL if it takes more. uint32.
        key: the code point it becomes in the match key, 0 if it is dropped; case, leet, decimal digits and Latin shapes
            folded. uint32.
        look: the key's ASCII code of the character that a letter of another script looks like. uint8.
        strong: whether it does so in TR39 itself, for small letters. bool.
        cyrillic: the small Cyrillic letter that an ASCII letter looks like. uint32.
        anchor: LATIN, CYRILLIC or OTHER for what, folded, looks like nothing of another script. uint8.
        styled: before NFKD, an ASCII letter in a decorative shape. bool.
        mark: a combining mark that is dropped. bool.
        invisible: Default_Ignorable_Code_Point. bool.
        version: digest of the tables; another version of Python's Unicode database may give another.
    """

    bare: NDArray[np.uint32]
    key: NDArray[np.uint32]
    look: NDArray[np.uint8]
    strong: NDArray[np.bool_]
    cyrillic: NDArray[np.uint32]
    anchor: NDArray[np.uint8]
    styled: NDArray[np.bool_]
    mark: NDArray[np.bool_]
    invisible: NDArray[np.bool_]
    version: str


@lru_cache(maxsize=1)
def folds() -> Folds:
    """Return the tables, made at the first call (about a third of a second).

    Source: UTS 39 (confusables), UAX 15 (NFKD), Unicode Standard 3.13 (case folding, one to one), UCD (general category).
    """
    confusables = _confusables()
    latin = {code: target for code, target, kind in confusables if kind == "latin"}
    key = np.zeros(_CODES, np.uint32)
    key[:_LAST] = [_key(chr(code), latin) for code in range(_LAST)]
    invisible = _invisible()
    key[invisible] = 0
    look, strong = np.zeros(_CODES, np.uint8), np.zeros(_CODES, np.bool_)
    cyrillic = np.zeros(_CODES, np.uint32)
    for code, target, kind in reversed(confusables):
        if kind == "latin":
            continue
        look[code], strong[code] = ord(target.translate(LEET)), kind == "strong"
        if code in _CYRILLIC_SMALL and target.isalpha():
            cyrillic[[ord(target), ord(target.upper())]] = code
    for code, target in BY_EYE.items():
        look[code] = ord(target.translate(LEET))
    _close_over_case(key, look)
    styled, mark = np.zeros(_CODES, np.bool_), np.zeros(_CODES, np.bool_)
    styled[128:_LAST] = [_styled(chr(code)) for code in range(128, _LAST)]
    mark[128:_LAST] = [unicodedata.category(chr(code))[0] == "M" for code in range(128, _LAST)]
    mark &= (key == 0) & ~invisible
    anchor = _anchors(key, look, cyrillic)
    digest = hashlib.sha256()
    for table in (key, look, strong, cyrillic, anchor):
        digest.update(table.tobytes())
    return Folds(_bare_table(), key, look, strong, cyrillic, anchor, styled, mark, invisible, digest.hexdigest()[:16])


def _confusables() -> list[tuple[int, str, str]]:
    """Return code point, ASCII character and kind of every row of confusables.tsv."""
    lines = files("promptscan").joinpath("confusables.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return [(int(code, 16), target, kind) for code, target, kind in rows]


def _key(character: str, latin: dict[int, str]) -> int:
    """Return the key's code point of one decomposed character, 0 to drop it."""
    code = ord(character)
    if 0x3400 <= code <= 0x9FFF or code >= 0x20000:
        return code if unicodedata.category(character) == "Lo" else 0
    if code in latin:
        return ord(latin[code].translate(LEET))
    category = unicodedata.category(character)
    if category == "Nd":
        return ord("0") + unicodedata.decimal(character)
    if category == "Me" or category[0] not in "LNM" or unicodedata.combining(character):
        return 0
    folded = _bare(_bare(character).casefold()).strip()
    if len(folded) != 1:  # what folds to several characters stays (U+00DF and its like are spelt out before)
        return code if folded else 0
    return ord(latin.get(ord(folded), folded).translate(LEET))


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _bare_table() -> NDArray[np.uint32]:
    """Return what NFKD and the dropping of marks make of each code point by itself."""
    table = np.arange(_CODES, dtype=np.uint32)
    for code in (*range(128, 0x3400), *range(0xA000, 0xD800), *range(0xE000, 0x20000), *range(0x2F800, 0x2FA20)):
        character = chr(code)
        if character in SPELT_OUT or unicodedata.category(character) == "Cn":  # pyarrow's Unicode may be newer
            table[code] = SEVERAL
        elif unicodedata.decomposition(character) or unicodedata.combining(character) or 0xAC00 <= code < 0xD7A4:
            bare = _bare(character)
            table[code] = ord(bare) if len(bare) == 1 else SEVERAL if bare else 0
            if bare in SPELT_OUT:
                table[code] = SEVERAL
    return table


def _invisible() -> NDArray[np.bool_]:
    """Return which code points normalise.INVISIBLE names."""
    codes = np.r_[0:0xD800, 0xE000:0x20000, 0xE0000:0xE1000]
    characters = pa.array([chr(code) for code in codes.tolist()], pa.large_string())
    found = np.zeros(_CODES, np.bool_)
    found[codes] = pc.match_substring_regex(characters, f"[{INVISIBLE}]").to_numpy(zero_copy_only=False)
    return found


def _close_over_case(key: NDArray[np.uint32], look: NDArray[np.uint8]) -> None:
    """Let a letter look like something in both cases or in neither: what a first fold leaves, a second leaves too."""
    small = key[:_LAST].astype(np.int64)
    cased = np.flatnonzero((small != np.arange(_LAST)) & (small > 127))
    for code in cased[(look[cased] > 0) & (look[small[cased]] == 0)].tolist():
        look[small[code]] = look[code]
    cased = cased[(look[small[cased]] > 0) & (look[cased] == 0)]
    look[cased] = look[small[cased]]


def _styled(character: str) -> bool:
    """Tell whether a character, not yet decomposed, is a decorative ASCII letter (and no flag, ordinal or trade mark)."""
    decomposition = unicodedata.decomposition(character)
    if decomposition:
        bare = _bare(character)
        return decomposition.startswith(_STYLES) and len(bare) == 1 and bare.isascii() and bare.isalpha()
    name = unicodedata.name(character, "")
    return name.startswith(("LATIN LETTER SMALL CAPITAL", "NEGATIVE CIRCLED LATIN", "NEGATIVE SQUARED LATIN"))


def _anchors(key: NDArray[np.uint32], look: NDArray[np.uint8], cyrillic: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return what each code point of a key tells about the script around it."""
    anchor = np.zeros(_CODES, np.uint8)
    codes = np.flatnonzero(key[:_LAST] == np.arange(_LAST))
    codes = codes[(codes > 127) & (codes < 0x20000) & (look[codes] == 0)]
    foreign = [
        code
        for code in codes[(codes < 0x3400) | (codes > 0x9FFF)].tolist()
        if unicodedata.category(chr(code))[0] == "L" and not unicodedata.name(chr(code), "").startswith(_EAST_ASIAN)
    ]
    anchor[foreign] = OTHER
    anchor[0x400:0x530][anchor[0x400:0x530] > 0] = CYRILLIC
    for letter in "abcdefghijklmnopqrstuvwxyz":
        if not cyrillic[ord(letter)] and key[ord(letter)] == ord(letter):
            anchor[ord(letter)] = LATIN
    return anchor
