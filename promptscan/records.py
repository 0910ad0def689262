"""Records: values that programs wrote, lists and objects of JSON or Python, and what of a template is inside of them.

Texts filled with serialised data share the keys, quotes and brackets of it, which are no wording of the template: where
the data differ in shape (lists of other lengths, fields that some lack), the record is one value for whoever reads it,
and fields cut out of it match only texts that happen to have the same ones. A record of one shape in all texts is part
of the frame, and its fields are slots.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

PROSE = 8
"""Words in a row, inside one string of a record, that are fixed text and no key."""

_SCAN = 1 << 15  # characters of a record that are read
_TRIED = 16  # brackets of a template that may open a record
_TOKEN = re.compile(
    r"(?P<open>[\[{])|(?P<close>[\]}])|(?P<sign>[,:])|\s+|"
    r"(?P<scalar>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[-+]?\d[\w.+-]*|\b(?:true|false|null|True|False|None)\b)",
    re.DOTALL,
)
_OPENS = re.compile(r"[\[{]")
_CLOSES = {"]": "[", "}": "{"}
_WORD = re.compile(r"\w+")
_QUOTE = re.compile(r"[\"']")


def read_record(text: str, start: int) -> tuple[int, str] | None:
    """Read the list or object that begins at a place of a text.

    Args:
        text: any text.
        start: where its opening bracket is.

    Returns:
        Where it ends, and its shape: brackets, commas and colons, `x` for every string, number or word of the language.
        None when it is not closed within 32,768 characters or holds anything else.
    """
    shape, opened = [], list[str]()
    place, stop = start, min(len(text), start + _SCAN)
    while token := _TOKEN.match(text, place, stop):
        place = token.end()
        if token["open"]:
            opened.append(token[0])
        elif token["close"] and (not opened or opened.pop() != _CLOSES[token[0]]):
            return None
        shape.append("x" if token["scalar"] else token[0].strip())
        if not opened:
            return place, "".join(shape)
    return None


def fold_records(fixed: Sequence[str], values: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Make one slot of every record that has slots inside and differs in shape among the texts.

    A record with more than `PROSE` fixed words in a row stays as it is: they are wording.

    Args:
        fixed: the fixed parts of a template.
        values: what each of its texts has in the slots, at least one text.

    Returns:
        Fixed parts, fewer or the same.
    """
    texts = ["".join(part + value for part, value in zip(fixed, [*row, ""], strict=True)) for row in values]
    starts = [_starts(fixed, row) for row in values]
    openings = [(part, sign.start()) for part, some in enumerate(fixed) for sign in _OPENS.finditer(some)][:_TRIED]
    parts, done = [""], (0, 0)  # part and place in it
    for opening in openings:
        end = None if opening < done else _one_value(fixed, texts, starts, opening)
        if end is not None:
            before, *between = _cut(fixed, done, opening)
            parts[-1] += before
            parts += [*between, ""]
            done = end
    before, *between = _cut(fixed, done, (len(fixed) - 1, len(fixed[-1])))
    parts[-1] += before
    parts += between
    return (parts[0], *filter(None, parts[1:-1]), parts[-1]) if len(parts) > 1 else tuple(parts)


def _cut(fixed: Sequence[str], start: tuple[int, int], stop: tuple[int, int]) -> list[str]:
    """Return the fixed parts between two places, each a part and a place in it."""
    (first, begin), (last, end) = start, stop
    if first == last:
        return [fixed[first][begin:end]]
    return [fixed[first][begin:], *fixed[first + 1 : last], fixed[last][:end]]


def _starts(fixed: Sequence[str], row: Sequence[str]) -> list[int]:
    """Return where each fixed part begins in the text with these values."""
    starts, place = [], 0
    for part, value in zip(fixed, [*row, ""], strict=True):
        starts.append(place)
        place += len(part) + len(value)
    return starts


def _one_value(
    fixed: Sequence[str], texts: Sequence[str], starts: Sequence[Sequence[int]], opening: tuple[int, int]
) -> tuple[int, int] | None:
    """Return part and place behind the record that opens at a part and place, None when it is none or stays."""
    part, place = opening
    ends, shapes = set[tuple[int, int]](), set[str]()
    for text, begins in zip(texts, starts, strict=True):
        record = read_record(text, begins[part] + place)
        if record is None:
            return None
        stop, shape = record
        last = max(i for i, begin in enumerate(begins) if begin < stop)
        if last == part or stop - begins[last] > len(fixed[last]):
            return None
        ends.add((last, stop - begins[last]))
        shapes.add(shape)
        if len(ends) > 1:
            return None
    if len(shapes) == 1:
        return None
    [(last, behind)] = ends
    inside = _cut(fixed, opening, (last, behind))
    prose = max(len(_WORD.findall(string)) for some in inside for string in _QUOTE.split(some))
    return None if prose > PROSE else (last, behind)
