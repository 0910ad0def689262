"""Attacks on single characters: what is read stays nearly the same, the string does not."""

from __future__ import annotations

from functools import partial
from random import Random

from benchmarks.evasion.attack import Attack, Change, Filler, each
from benchmarks.evasion.shapes import CYRILLIC, GREEK, LETTERS, OTHERS, fonts, look_alike, replaced

INVISIBLE = ("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u034f", "\U000e0020", "\U000e0061")
SPACES = (" ", "\t", "\n", "\u00a0", "\u2003", "\u3000", "\u2028")
PUNCTUATION = ".,-_*~|'\"/:;!^`"
BIDI = ("\u202a", "\u202b", "\u202d", "\u2066", "\u2067", "\u2068", "\u200e", "\u200f")
MARKS = [chr(code) for code in range(0x300, 0x34F)]
LEET = {"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7"}
LEET_SIGNS = {**LEET, "a": "@", "s": "$", "l": "1", "b": "8", "g": "9", "z": "2"}
LEET_DRAWN = {
    **LEET_SIGNS, "d": "|)", "h": "#", "k": "|<", "m": "|\\/|", "n": "|\\|", "v": "\\/", "w": "\\/\\/", "u": "|_|"
}  # fmt: skip


def typos(share: float) -> Change:
    """Replace, drop, double or swap a share of the characters, each as often."""

    def made(text: str, rng: Random, _: Filler) -> str:
        characters = list(text)
        for place in rng.sample(range(len(text)), min(len(text), max(1, round(share * len(text))))):
            kind, letter = rng.randrange(4), rng.choice(LETTERS)
            if kind == 3 and place + 1 < len(characters):
                characters[place], characters[place + 1] = characters[place + 1], characters[place]
            else:
                characters[place] = (letter, "", characters[place] + letter, letter)[kind]
        return "".join(characters)

    return made


def _beside(*choices: str) -> partial[str]:
    """Put one of some strings behind a character."""
    return partial(lambda some, character, rng: character + rng.choice(some), choices)


def _random_case(character: str, rng: Random) -> str:
    return rng.choice((character.upper(), character.lower()))


def _alternating(text: str, _: Random, __: Filler) -> str:
    return "".join(c.upper() if place % 2 else c.lower() for place, c in enumerate(text))


def _table(table: dict[str, str], *, of_lower: bool = False) -> partial[str]:
    lists = look_alike(table)
    return partial(lambda character, rng: replaced(lists, character.lower() if of_lower else character, rng))


def _marks(count: int) -> partial[str]:
    return partial(lambda character, rng: character + "".join(rng.choices(MARKS, k=count)) * character.isalpha())


def _overridden(text: str, _: Random, __: Filler) -> str:
    """Store the text backwards and let a right-to-left override show it forwards."""
    return "\n".join(f"\u202e{line[::-1]}\u202c" for line in text.split("\n"))


def _overridden_words(text: str, rng: Random, _: Filler) -> str:
    return "".join(
        f"\u202e{w[::-1]}\u202c" if len(w) > 2 and not w.isspace() and rng.random() < 0.5 else w for w in _words(text)
    )


def _words(text: str) -> list[str]:
    """Cut a text into words and what stands between them."""
    parts: list[str] = []
    for character in text:
        if parts and parts[-1][-1].isspace() == character.isspace():
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def _backspaced(character: str, rng: Random) -> str:
    """Write a wrong letter and a backspace before a character."""
    return f"{rng.choice(LETTERS)}\b{character}"


def _fonts() -> dict[str, Change]:
    alphabets = fonts()
    levels = {name: each(1, _table(table, of_lower="a" not in table)) for name, table in alphabets.items()}
    mixed = look_alike(*alphabets.values())
    return {**levels, "all mixed": each(1, partial(replaced, mixed))}


def character_attacks() -> list[Attack]:
    """Return the attacks on characters."""
    everything = look_alike(CYRILLIC, GREEK, OTHERS)
    return [
        Attack(
            "case",
            {
                "upper": lambda text, _, __: text.upper(),
                "alternating": _alternating,
                "random": each(1, _random_case),
            },
        ),
        Attack(
            "white space",
            {
                "10 %": each(0.1, _beside(*SPACES)),
                "50 %": each(0.5, _beside(*SPACES)),
                "every letter": each(1, _beside(" ")),
                "none left": lambda text, _, __: "".join(text.split()),
            },
        ),
        Attack("punctuation", {f"{s:.0%}": each(s, _beside(*PUNCTUATION)) for s in (0.1, 0.3, 1.0)}, graded=True),
        Attack("invisible", {f"{s:.0%}": each(s, _beside(*INVISIBLE)) for s in (0.1, 0.5, 1.0)}, graded=True),
        Attack(
            "look-alikes",
            {
                "10 %": each(0.1, partial(replaced, everything)),
                "30 %": each(0.3, partial(replaced, everything)),
                "100 %": each(1, partial(replaced, everything)),
                "Cyrillic": each(1, _table(CYRILLIC)),
                "Greek": each(1, _table(GREEK)),
                "others": each(1, _table(OTHERS)),
            },
        ),
        Attack("fonts", _fonts()),
        Attack(
            "marks",
            {
                "1 on 30 %": each(0.3, _marks(1)),
                "1 on each": each(1, _marks(1)),
                "8 on each": each(1, _marks(8)),
            },
            graded=True,
        ),
        Attack(
            "bidi and deletions",
            {
                "controls 30 %": each(0.3, _beside(*BIDI)),
                "override, whole": _overridden,
                "override, words": _overridden_words,
                "backspaces 10 %": each(0.1, _backspaced),
                "backspaces 30 %": each(0.3, _backspaced),
            },
        ),
        Attack("typos", {f"{s:.0%}": typos(s) for s in (0.02, 0.05, 0.1, 0.2)}, graded=True, easier={"20%": 0.95}),
        Attack(
            "leet",
            {
                "50 %": each(0.5, _table(LEET, of_lower=True)),
                "100 %": each(1, _table(LEET, of_lower=True)),
                "signs": each(1, _table(LEET_SIGNS, of_lower=True)),
                "drawn": each(1, _table(LEET_DRAWN, of_lower=True)),
            },
        ),
    ]
