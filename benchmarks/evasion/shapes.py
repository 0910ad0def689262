"""Look-alikes and decorative letters. The look-alikes were picked by eye from Unicode's charts, not from its confusables."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from random import Random

CYRILLIC = {
    "a": "\u0430", "c": "\u0441", "e": "\u0435", "o": "\u043e", "p": "\u0440", "x": "\u0445", "y": "\u0443", "i": "\u0456",
    "s": "\u0455", "j": "\u0458", "h": "\u04bb", "d": "\u0501", "q": "\u051b", "w": "\u051d", "l": "\u04cf",
    "A": "\u0410", "B": "\u0412", "C": "\u0421", "E": "\u0415", "H": "\u041d", "I": "\u0406", "J": "\u0408", "K": "\u041a",
    "M": "\u041c", "O": "\u041e", "P": "\u0420", "S": "\u0405", "T": "\u0422", "X": "\u0425", "Y": "\u04ae",
}  # fmt: skip
GREEK = {
    "a": "\u03b1", "i": "\u03b9", "k": "\u03ba", "n": "\u03b7", "o": "\u03bf", "p": "\u03c1", "u": "\u03c5", "v": "\u03bd",
    "w": "\u03c9", "x": "\u03c7", "y": "\u03b3", "j": "\u03f3",
    "A": "\u0391", "B": "\u0392", "E": "\u0395", "H": "\u0397", "I": "\u0399", "K": "\u039a", "M": "\u039c", "N": "\u039d",
    "O": "\u039f", "P": "\u03a1", "T": "\u03a4", "X": "\u03a7", "Y": "\u03a5", "Z": "\u0396",
}  # fmt: skip
OTHERS = {
    "a": "\u0251", "g": "\u0261", "h": "\u0570", "i": "\u0131", "l": "\u01c0", "n": "\u0578", "o": "\u0585", "q": "\u0566",
    "u": "\u057d", "f": "\u0192", "t": "\u01ad", "b": "\u0184", "z": "\u1d22", "v": "\u1d20", "w": "\u1d21", "s": "\ua731",
    "A": "\u13aa", "B": "\u13f4", "C": "\u13df", "D": "\u13a0", "E": "\u13ac", "G": "\u13c0", "H": "\u13bb", "J": "\u13ab",
    "K": "\u13e6", "L": "\u13de", "M": "\u13b7", "P": "\u13e2", "R": "\ua4e3", "S": "\u13da", "T": "\u13a2", "V": "\u13d9",
    "W": "\u13b3", "Z": "\u13c3", "F": "\ua4dd", "N": "\ua4e0", "U": "\ua4f4", "X": "\ua4eb", "Y": "\ua4ec", "O": "\ua4f3",
}  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SMALL_CAPITALS = dict(zip("abcdefghijklmnoprtuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ", strict=True))


def look_alike(*tables: dict[str, str]) -> dict[str, list[str]]:
    """Join tables: letter to all that look like it."""
    return {letter: [t[letter] for t in tables if letter in t] for letter in sorted({c for t in tables for c in t})}


def fonts() -> dict[str, dict[str, str]]:
    """Return named alphabets of decorative letters, found by their Unicode names."""
    styles = {
        "bold": "MATHEMATICAL BOLD {case} {letter}",
        "script": "MATHEMATICAL BOLD SCRIPT {case} {letter}",
        "fraktur": "MATHEMATICAL BOLD FRAKTUR {case} {letter}",
        "double-struck": "MATHEMATICAL DOUBLE-STRUCK {case} {letter}",
        "monospace": "MATHEMATICAL MONOSPACE {case} {letter}",
        "fullwidth": "FULLWIDTH LATIN {case} LETTER {letter}",
        "circled": "CIRCLED LATIN {case} LETTER {letter}",
        "parenthesised": "PARENTHESIZED LATIN {case} LETTER {letter}",
        "squared": "SQUARED LATIN CAPITAL LETTER {letter}",
        "negative squared": "NEGATIVE SQUARED LATIN CAPITAL LETTER {letter}",
        "negative circled": "NEGATIVE CIRCLED LATIN CAPITAL LETTER {letter}",
    }
    found = {name: dict(_alphabet(pattern)) for name, pattern in styles.items()}
    return {**found, "small capitals": SMALL_CAPITALS}


def _alphabet(pattern: str) -> Iterator[tuple[str, str]]:
    for letter in LETTERS:
        for case, own in (("SMALL", letter), ("CAPITAL", letter.upper())):
            try:
                yield own, unicodedata.lookup(pattern.format(case=case, letter=letter.upper()))
            except KeyError:  # a few letters of an alphabet stand elsewhere in Unicode
                continue


def replaced(table: dict[str, list[str]], character: str, rng: Random) -> str:
    """Replace a character by one of those a table has for it."""
    return rng.choice(table[character]) if character in table else character
