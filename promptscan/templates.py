"""Templates: fixed text with typed slots; written as one line, filled, and matched to any text.

A template is written with its slots as `{slot_1:number}` and with every brace of its fixed text doubled, as in Python's
format strings: a prompt that holds `{slot_1:number}` itself is written `{{slot_1:number}}`, so no text can pass for a slot.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from promptscan.align import align
from promptscan.errors import UsageError
from promptscan.slots import Slot, SlotType
from promptscan.words import Words, cut_words

ENOUGH = 0.9
"""Share of a template's fixed words that a text which differs in them must have, in order, to be of the template."""

_MARK = re.compile(r"\{\{|\}\}|\{slot_(\d{1,9}):([a-z_]{1,32})\}|[{}]")


@dataclass(frozen=True, slots=True)
class Template:
    """Fixed text with slots between its parts.

    Attributes:
        fixed: one more than there are slots, in order; the first and the last may be empty (a slot at the very start or
            end), those between never are: adjacent slots are one slot.
        slots: in order.
        compression: share of the description that the template saves on the texts it was found in, below 1.
        support: share of those texts that match it.
    """

    fixed: tuple[str, ...]
    slots: tuple[Slot, ...]
    compression: float = 0.0
    support: float = 1.0

    def __post_init__(self) -> None:
        """Refuse parts that are not a template."""
        if len(self.fixed) != len(self.slots) + 1 or not all(self.fixed[1:-1]):
            raise UsageError(
                f"{len(self.fixed)} fixed parts for {len(self.slots)} slots: wanted one more, none empty between"
            )

    def __str__(self) -> str:
        """Write the template on one line, braces of the fixed text doubled."""
        return write_template(self.fixed, [slot.type for slot in self.slots])

    def fill(self, values: Sequence[str]) -> str:
        """Return the text that has these values in its slots."""
        if len(values) != len(self.slots):
            raise UsageError(f"{len(values)} values for {len(self.slots)} slots")
        return "".join(part + value for part, value in zip(self.fixed, [*values, ""], strict=True))


def write_template(fixed: Sequence[str], types: Sequence[str]) -> str:
    """Write fixed parts and slot types as one string, slots numbered from 1."""
    escaped = [part.replace("{", "{{").replace("}", "}}") for part in fixed]
    marks = [f"{{slot_{number}:{kind}}}" for number, kind in enumerate(types, 1)]
    return "".join(part + mark for part, mark in zip(escaped, [*marks, ""], strict=True))


@lru_cache(maxsize=1 << 16)  # a build reads all of them several times
def read_template(written: str) -> tuple[tuple[str, ...], tuple[SlotType, ...]]:
    """Return the fixed parts and slot types of a written template.

    Raises:
        UsageError: it has a single brace, or slots that are not numbered 1, 2, 3.
    """
    fixed, types, place = [""], list[SlotType](), 0
    for mark in _MARK.finditer(written):
        fixed[-1] += written[place : mark.start()]
        place = mark.end()
        if mark[0] in {"{{", "}}"}:
            fixed[-1] += mark[0][0]
        elif mark[1] == str(len(types) + 1) and mark[2] in set(SlotType):
            types.append(SlotType(mark[2]))
            fixed.append("")
        else:
            raise UsageError(f"{mark[0]} at character {mark.start()} of a template: wanted {{{{, }}}} or the next slot")
    fixed[-1] += written[place:]
    return tuple(fixed), tuple(types)


def match(template: Template, text: str, *, exact: bool = False) -> list[str] | None:
    """Return what a text has in the slots of a template, or None when it is not of the template.

    The fixed parts are searched from left to right, each at its first occurrence after the one before; that finds a
    match whenever there is one, in time linear in the text, and needs no regular expression. `fill` of the values is
    the text. A text that differs in white space, case or a few fixed words is aligned instead: it must have 90 % of the
    fixed words in order, and one of every part. Its values are stripped, and hold the words that replaced fixed ones at
    their border.

    Args:
        template: the template.
        text: any text, normalised the way the template's texts were.
        exact: leave out the alignment.
    """
    values = _exact(template.fixed, text)
    return _aligned(template.fixed, text) if values is None and not exact else values


def slot_values(template: Template, texts: Sequence[str], *, exact: bool = False) -> list[list[str] | None]:
    """Match many texts: some 400,000 a second where three slots match exactly, 6,000 where texts must be aligned."""
    return [match(template, text, exact=exact) for text in texts]


def _exact(fixed: tuple[str, ...], text: str) -> list[str] | None:
    """Return the values of a text that has all fixed parts."""
    first, last = fixed[0], fixed[-1]
    if len(fixed) == 1:
        return [] if text == first else None
    place, stop = len(first), len(text) - len(last)
    if stop < place or not text.startswith(first) or not text.endswith(last):
        return None
    values = []
    for part in fixed[1:-1]:
        found = text.find(part, place, stop)
        if found < 0:
            return None
        values.append(text[place:found])
        place = found + len(part)
    values.append(text[place:stop])
    return values


@lru_cache(maxsize=4096)
def _anchors(fixed: tuple[str, ...]) -> tuple[Words, NDArray[np.int64], Counter[str], int]:
    """Return the fixed words in one row, the part each is of, how often each occurs, and how many parts have any."""
    cut = [cut_words(part.casefold()) for part in fixed]
    words = [word for part in cut for word in part.words]
    sizes = [len(part.words) for part in cut]
    return (
        Words("", words),
        np.repeat(np.arange(len(cut)), sizes),
        Counter(words),
        len(cut) - sizes.count(0),
    )


@lru_cache(maxsize=16)
def _folded(text: str) -> tuple[Words, Counter[str]]:
    """Return the words of a text without case, and how often each occurs; a text is tried with one template after another."""
    place = cut_words(text)
    words = [word.casefold() for word in place.words]
    return Words(text, words), Counter(words)


def _aligned(fixed: tuple[str, ...], text: str) -> list[str] | None:
    """Return the values of a text that has nearly all fixed words."""
    anchors, part_of, counts, parts = _anchors(fixed)
    wanted = max(1.0, ENOUGH * len(anchors.words))
    place, own = _folded(text)
    if sum(min(count, own[word]) for word, count in counts.items() if word in own) < wanted:
        return None
    position = align(anchors, [place])[0]
    here = position >= 0
    part, where = part_of[here], position[here]
    if len(part) < wanted or np.count_nonzero(np.diff(part)) + min(1, len(part)) != parts:
        return None
    if len(fixed) == 1:
        return [] if len(place.words) <= len(anchors.words) / ENOUGH else None
    values = []
    for slot in range(len(fixed) - 1):
        before, after = np.searchsorted(part, slot, side="right"), np.searchsorted(part, slot + 1)
        start = place.end[where[before - 1]] if before else 0
        stop = place.start[where[after]] if after < len(where) else len(text)
        values.append(text[start:stop].strip())
    return values
