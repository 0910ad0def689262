"""Texts for a terminal with something marked in them: templates, passages, slot values, differences.

Every piece of data passes `vis` before it becomes part of a rich `Text`; colours and marks are ours alone. Where there is no
colour (no terminal, NO_COLOR), slots are written `{slot_1:number}` and passages stand between » and «.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from promptscan.vis import vis

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

WHOLE = 4_000
"""Characters of a text that are shown where it is shown whole."""

VALUE = 28
"""Columns of a slot value in a list."""

ROOM = 24
"""Columns that the values of one slot need to say something."""

SLOT_STYLES = {  # legible on dark and on light terminals
    "const": "dim",
    "number": "cyan",
    "language": "underline green",
    "url": "underline blue",
    "enum": "green",
    "id": "blue",
    "code": "magenta",
    "name": "underline magenta",
    "free_text": "yellow",
}
PASSAGE_STYLE = "bold yellow"
GONE_STYLE, NEW_STYLE = "red", "green"

_MARK = re.compile(r"(?P<brace>\{\{|\}\})|\{slot_(?P<slot>\d{1,9}):(?P<type>[a-z_]{1,32})\}")


def template(written: str, *, colour: bool, limit: int = WHOLE) -> Text:
    """Draw a written template: slots as coloured `{1:number}`, or as they are written where there is no colour.

    With colour the doubled braces of the fixed text are single again: only a slot is coloured.
    """
    from rich.text import Text

    if not colour:
        return Text(vis(written, limit))
    drawn, place = Text(), 0
    for mark in _MARK.finditer(written, 0, limit):
        drawn.append(vis(written[place : mark.start()], None))
        place = mark.end()
        if mark["brace"]:
            drawn.append(mark["brace"][0])
        else:
            drawn.append(f"{{{mark['slot']}:{mark['type']}}}", slot_style(mark["type"]))
    return drawn.append(vis(written[place:], max(limit - place, 0)))


def slot_style(kind: object) -> str:
    """Return the colour of a type of slot."""
    return SLOT_STYLES.get(str(kind), SLOT_STYLES["free_text"])


def marked(
    text: str, spans: Iterable[tuple[int, int, str]], *, colour: bool, limit: int = WHOLE, lines: bool = False
) -> Text:
    """Draw a text with some of its characters marked.

    Args:
        text: any text.
        spans: (first character, character after the last, style), ascending, not overlapping.
        colour: whether styles are seen; else spans stand between » and «.
        limit: characters of the text that are drawn.
        lines: keep the text's own lines.
    """
    from rich.text import Text

    drawn, place = Text(), 0
    for start, end, style in spans:
        if start >= limit:
            break
        drawn.append(vis(text[place:start], None, multiline=lines))
        piece = vis(text[start : min(end, limit)], None, multiline=lines)
        drawn.append(piece if colour else f"»{piece}«", style)
        place = min(end, limit)
    return drawn.append(vis(text[place:], max(limit - place, 0), multiline=lines))


def excerpt(text: str, start: int, end: int, width: int, *, colour: bool) -> Text:
    """Draw about `width` columns of a text around a passage, the passage marked."""
    lead = max(8, (width - (end - start)) // 3)
    first = 0 if end <= width - 4 else max(0, start - lead)
    shown = text[first : max(first + 2 * width, 1)]
    cut = marked(shown, [(start - first, min(end - first, len(shown)), PASSAGE_STYLE)], colour=colour, limit=2 * width)
    return line(cut if not first else plain("…") + cut, width)


def line(text: Text, width: int) -> Text:
    """Cut a drawn text to one line of at most `width` columns."""
    text.truncate(width, overflow="ellipsis")
    return text


def wrapped(text: Text, width: int, most: int, console: Console) -> list[Text]:
    """Break a drawn text into at most so many lines of at most `width` columns."""
    lines = list(text.wrap(console, width, overflow="fold"))
    if len(lines) > most:
        lines = lines[:most]
        lines[-1].truncate(width - 1)
        lines[-1].append("…")
    for one in lines:
        one.rstrip()
    return lines


def change(before: str, after: str, *, colour: bool) -> Text:
    """Draw a difference: `before → after`, `+after`, or `−before`."""
    gone, added = (GONE_STYLE, NEW_STYLE) if colour else ("", "")
    old = line(plain(vis(before, 4 * VALUE), gone), 2 * VALUE)
    new = line(plain(vis(after, 4 * VALUE), added), 2 * VALUE)
    if not before:
        return plain("+", added) + new
    if not after:
        return plain("−", gone) + old
    return old + plain(" → ", "dim") + new


def changes(found: Sequence[Mapping[str, Any]], before: str, after: str, n: int, *, colour: bool) -> Text:
    """Draw differences, given as mappings with what is `before` and `after`; `n` is how many there are in all."""
    drawn = [change(one[before], one[after], colour=colour) for one in found]
    if n > len(found):
        drawn.append(plain(f"{n - len(found):,} more", "dim"))
    return joined(drawn)


def joined(parts: Sequence[Text]) -> Text:
    """Join drawn parts by a dim dot."""
    return plain(" · ", "dim").join(parts)


def top_values(slots: Sequence[Mapping[str, Any]], width: int, *, colour: bool) -> Text:
    """Draw the commonest values of a template's slots on one line, as many slots as have room."""
    more = len(f" · +{len(slots):,} slots")
    shown = max(1, min(len(slots), (width - more) // ROOM))
    share = (width - 3 * (shown - 1) - (more if shown < len(slots) else 0)) // shown
    parts = []
    for slot in slots[:shown]:
        name = plain(f"{{{slot['slot']}}} ", slot_style(slot["type"]) if colour else "")
        parts.append(line(name + values(slot["values"], slot["n_values"]), share))
    if shown < len(slots):
        parts.append(plain(f"+{len(slots) - shown:,} slot{'s' * (len(slots) - shown > 1)}", "dim"))
    return joined(parts)


def values(common: Sequence[Mapping[str, Any]], n_values: int, width: int = VALUE) -> Text:
    """Draw values with how many texts have them, commonest first, each at most `width` columns, and how many more there are.

    A frame made from its cases has no texts of its own, hence no values.
    """
    if not common:
        return plain("see its cases", "dim")
    drawn = plain("")
    for number, one in enumerate(common):
        drawn.append(" | " if number else "", "dim")
        drawn += line(plain(vis(one["value"], 2 * width)), width) if one["value"] else plain("(nothing)", "dim")
        if one["n_texts"] > 1:
            drawn.append(f" ×{one['n_texts']:,}", "dim")
    if n_values > len(common):
        drawn.append(f" and {n_values - len(common):,} more", "dim")
    return drawn


def slot_spans(fixed: Sequence[str], types: Sequence[str], own: Sequence[str], text: str) -> list[tuple[int, int, str]]:
    """Find what a text has in the slots of its template; a value that is not found is left out.

    Args:
        fixed: the template's fixed parts.
        types: of its slots.
        own: the text's values.
        text: as it was sent.

    Returns:
        (first character, character after the last, style) of each value that is not empty, ascending.
    """
    spans, place = [], 0
    for part, kind, value in zip(fixed, types, own, strict=False):
        place += len(part) if text.startswith(part, place) else 0
        start = text.find(value, place) if value else -1
        if start >= 0:
            place = start + len(value)
            spans.append((start, place, f"bold {slot_style(kind)}"))
    return spans


def plain(content: str, style: str = "") -> Text:
    """Draw what is safe already, in a style."""
    from rich.text import Text

    return Text().append(content, style)  # a style of the whole would reach what is joined to it
