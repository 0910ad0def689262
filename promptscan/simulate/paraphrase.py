"""Rewording: the fixed text of a campaign's prompt said differently, as an operator does who expects to be compared.

What stands before the first line break is reworded: synonyms, sentences in another order, openers and closers, slips.
It is not what a model would write: grammar may suffer, structure stays.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from promptscan.simulate.draws import mix, pick, uniform
from promptscan.simulate.grammar import Strings
from promptscan.simulate.habits import swap_letters
from promptscan.simulate.plan import Plan

_REPLACED, _OPENED, _CLOSED, _SWAPPED, _SHORTENED, _SLIPPED = 0.65, 0.45, 0.35, 0.5, 0.3, 0.2
_SALT = 81
_SENTENCE = re.compile(r"(?<=[.;]) ")
_ARTICLE = re.compile(r" (?:the|a|an)(?= )")


@dataclass(frozen=True, slots=True)
class _Thesaurus:
    """What can stand for what; `pattern` finds the keys of `words`, whole and in any case."""

    pattern: re.Pattern[str]
    words: dict[str, list[str]]
    openers: list[str]
    closers: list[str]


def reword(texts: Strings, batch: Plan) -> None:
    """Reword the prompts that are marked so, in place; a function of the row alone.

    Args:
        texts: object (n,).
        batch: their rows.
    """
    rows = np.flatnonzero(batch.reworded)
    if not rows.size:
        return
    known = _thesaurus()
    luck = mix(batch.key[rows] ^ batch.ts[rows].astype(np.uint64), _SALT)
    opened, closed, swapped, shortened = (
        (uniform(mix(luck, salt)) < share).tolist()
        for salt, share in ((1, _OPENED), (2, _CLOSED), (3, _SWAPPED), (4, _SHORTENED))
    )
    opener, closer = pick(mix(luck, 5), len(known.openers)).tolist(), pick(mix(luck, 6), len(known.closers)).tolist()
    for place, (row, seed) in enumerate(zip(rows.tolist(), luck.tolist(), strict=True)):
        head, line, rest = texts[row].partition("\n")
        head = _replaced(known, head, seed)
        if swapped[place]:
            head = _reordered(head, seed)
        if shortened[place]:
            head = _ARTICLE.sub("", head, count=2)
        if opened[place]:
            head = known.openers[opener[place]] + head
        if closed[place]:
            head += known.closers[closer[place]]
        texts[row] = head + line + rest
    slipped = uniform(mix(luck, 7)) < _SLIPPED
    swap_letters(texts, rows[slipped], luck[slipped])


def _replaced(known: _Thesaurus, text: str, seed: int) -> str:
    """Replace words; bits of the seed, 61 apart and again, say which and with what."""
    turn = 0

    def other(match: re.Match[str]) -> str:
        nonlocal turn
        turn += 1
        word = match[0]
        drawn = (seed * (2 * turn + 1) * 0x9E3779B97F4A7C15 & (1 << 64) - 1) >> 40
        if (drawn & 1023) / 1024 >= _REPLACED:
            return word
        choices = known.words[word.lower()]
        choice = choices[(drawn >> 10) % len(choices)]
        return choice[0].upper() + choice[1:] if word[0].isupper() else choice

    return known.pattern.sub(other, text)


def _reordered(text: str, seed: int) -> str:
    """Move one of the inner sentences behind the next; the last one may lead to what follows and stays."""
    sentences = _SENTENCE.split(text)
    if len(sentences) < 4:
        return text
    place = 1 + seed % (len(sentences) - 3)
    sentences[place], sentences[place + 1] = sentences[place + 1], sentences[place]
    return " ".join(sentences)


@cache
def _thesaurus() -> _Thesaurus:
    file = resources.files("promptscan.simulate").joinpath("synonyms.toml")
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    words = {key: [word.strip() for word in value.split(";")] for key, value in document["words"].items()}
    longest = sorted(words, key=lambda word: (-len(word), word))
    pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, longest)) + r")\b", re.IGNORECASE)
    return _Thesaurus(
        pattern,
        words,
        [f"{each.strip()} " for each in document["openers"].split(";")],
        [f" {each.strip()}" for each in document["closers"].split(";")],
    )
