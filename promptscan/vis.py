"""The one sanitiser: everything printed from data goes through `vis` (screens, HTML) or `csv_cell` (CSV).

Prompts are attacker-controlled text shown to privileged people. A raw one can move a terminal's cursor, reorder a line
(bidi overrides), hide an instruction (zero-width and tag characters) or run a formula in a spreadsheet. What `vis`
returns holds none of the code points that can; it shows them instead:

    newline ↵   tab ⇥   carriage return ␍   any other ⟨U+202E⟩, repeated ⟨U+200B*12⟩   cut text …⟨+99,800⟩

The notation cannot be imitated: a text's own ↵ ⇥ ␍, and its ⟨ where it would start an escape, are escaped themselves. So
an uncut result stands for exactly one text; the price is that `vis` must be applied once, at the sink (twice is ugly,
never unsafe).

What stays readable, and why it is safe to let it:
- letters of every script, assigned symbols, and visible spaces such as U+00A0 and U+3000;
- ZWJ and ZWNJ, one at a time, between two letters of an Arabic or Indic script, which need them for spelling, and ZWJ
  between two emoji; everywhere else they are invisible ballast;
- U+FE0E and U+FE0F directly after an emoji or inside a keycap. All other variation selectors and all tag characters are
  escaped, even in flags and ideographic variants, because whole messages are smuggled in them;
- up to four combining marks on a base character (Vietnamese and pointed Hebrew need three). The rest are escaped.
Code points that this Python's Unicode tables do not know are escaped: nobody can say what a terminal does with them.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from itertools import groupby
from math import isfinite

MAX_MARKS = 4
"""Combining marks shown on one base character."""

_MARKS = {"\n": "↵", "\t": "⇥", "\r": "␍"}
_MULTILINE_MARKS = {"\n": "\n", "\t": "\t", "\r": "␍"}
_OWN_SIGNS = frozenset(_MARKS.values())

# Control, format, surrogate, private use, unassigned (with all noncharacters), line and paragraph separator.
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARK_CATEGORIES = frozenset({"Mn", "Me"})
# Drawn as nothing although their category is a letter, a mark or a symbol.
_INVISIBLE = frozenset(
    "\u034f"  # combining grapheme joiner
    "\u115f\u1160\u3164\uffa0"  # Hangul fillers
    "\u17b4\u17b5"  # Khmer inherent vowels
    "\u180b\u180c\u180d\u180f"  # Mongolian variation selectors
    "\u2800"  # braille blank
    "\ufffc"  # object replacement
    "\U00016fe4"  # Khitan small script filler
    "\U0001d159",  # musical null notehead
) | {chr(code) for span in (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0)) for code in span}  # variation selectors

_ZWNJ, _ZWJ, _TEXT_STYLE, _EMOJI_STYLE, _KEYCAP = "\u200c", "\u200d", "\ufe0e", "\ufe0f", "\u20e3"
_JOINING_SCRIPTS = re.compile(
    "[\u0620-\u065f\u066e-\u06d3\u06d5-\u06dc\u06fa-\u06ff\u0750-\u077f\u08a0-\u08ff"  # Arabic
    "\u0710-\u074a\u07ca-\u07ea"  # Syriac, N'Ko
    "\u0900-\u0dff\u1000-\u109f\u1780-\u17d3\ua8e0-\ua8ff]",  # Indic, Myanmar, Khmer
)
_EMOJI = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf"
    "\u2934\u2935\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]",
)
# Blocks without marks, joiners, emoji with variants or signs of our notation (isprintable() rules out the rest).
_EVERYDAY = re.compile(
    "[ -~\u00a1-\u02ff\u0370-\u0482\u048a-\u0556\u05d0-\u05ea\u0620-\u064a\u0660-\u066f\u0904-\u0939\u0e01-\u0e30"
    "\u2010-\u205e\u20a0-\u20bf\u2100-\u21b4\u2200-\u22ff\u2460-\u27af\u3001-\u3029\u3030-\u3096\u309b-\u30ff"
    "\u3400-\u9fff\uac00-\ud7a3\uff01-\uff9f\U0001f300-\U0001f6ff]*",
)


def vis(text: object, limit: int | None = 200, *, multiline: bool = False) -> str:
    """Return `text` safe to show, with every dangerous code point visible (see the module's notation).

    Args:
        text: What to show; anything but a string is shown as its `str`.
        limit: Most characters of the result, the closing `…⟨+n⟩` not counted (n = characters of `text` left out, after
            a cut that never splits an escape). None shows all.
        multiline: Keep newlines and tabs, for a `<pre>` or a block of a terminal.

    Returns:
        A string free of control, bidi, invisible, private-use and unassigned code points.
    """
    raw = text if isinstance(text, str) else str(text)
    head = raw if limit is None else raw[: max(limit, 0)]  # a character never shows as less than one
    if _needs_nothing(head.replace("\n", " ").replace("\t", " ") if multiline else head):
        return head if len(head) == len(raw) else head + _cut_sign(len(raw) - len(head))
    return _show(raw, limit, _MULTILINE_MARKS if multiline else _MARKS)


def _needs_nothing(text: str) -> bool:
    """Whether `text` is made of everyday letters and signs only: the common case, answered at C speed."""
    return text.isprintable() and (text.isascii() or _EVERYDAY.fullmatch(text) is not None)


def _show(raw: str, limit: int | None, marks: dict[str, str]) -> str:
    """Show up to `limit` characters' worth of `raw`, piece by piece."""
    if limit is None:
        return "".join(piece for piece, _ in _pieces(raw, marks))
    shown: list[str] = []
    room, position = max(limit, 0), 0
    for piece, width in _pieces(raw[: room + 1], marks):
        if len(piece) > room:
            break
        shown.append(piece)
        room -= len(piece)
        position += width
    if position < len(raw):
        while shown and shown[-1] in (_ZWJ, _ZWNJ):  # a joiner with nothing to join is invisible ballast
            shown.pop()
            position -= 1
        shown.append(_cut_sign(len(raw) - position))
    return "".join(shown)


def _pieces(raw: str, marks: dict[str, str]) -> list[tuple[str, int]]:
    """Split `raw` into what to show and how many characters each piece stands for; equal escapes in a row are one."""
    plain = [_safe(raw, index, marks) for index in range(len(raw))]
    stack = MAX_MARKS  # no base yet: a mark may not sit on whatever was printed before
    for index, character in enumerate(raw):
        if plain[index] is None or plain[index] != character or character in "\n\t":
            stack = MAX_MARKS
        elif unicodedata.category(character) in _MARK_CATEGORIES:
            stack += 1
            if stack > MAX_MARKS:
                plain[index] = None
        elif character not in (_ZWJ, _ZWNJ, _EMOJI_STYLE, _TEXT_STYLE):
            stack = 0
    pieces: list[tuple[str, int]] = []
    for (hidden, character), run in groupby(zip((one is None for one in plain), raw, strict=True)):
        count = sum(1 for _ in run)
        if not hidden:
            pieces.extend([(marks.get(character, character), 1)] * count)
        else:
            pieces.append((_escape(character, count), count))
    return pieces


def _safe(raw: str, index: int, marks: dict[str, str]) -> str | None:
    """Return how the character at `index` may be shown as it is, or None where it has to be escaped."""
    character = raw[index]
    if " " <= character <= "~":
        return character
    if character in marks:
        return marks[character]
    if character in _OWN_SIGNS or (character == "⟨" and raw[index + 1 : index + 2] in ("U", "+")):
        return None
    if character in (_ZWNJ, _ZWJ, _TEXT_STYLE, _EMOJI_STYLE):
        return character if _joins(raw, index) else None
    if character in _INVISIBLE or unicodedata.category(character) in _UNSAFE_CATEGORIES:
        return None
    return character


def _joins(raw: str, index: int) -> bool:
    """Whether the joiner or style selector at `index` does the work it exists for (module docstring)."""
    character, before, after = raw[index], raw[max(index - 1, 0) : index], raw[index + 1 : index + 2]
    if character in (_TEXT_STYLE, _EMOJI_STYLE):
        return bool(_EMOJI.fullmatch(before)) or (after == _KEYCAP and before != "" and before in "0123456789#*")
    if character == _ZWJ and _EMOJI.fullmatch(after):
        base = raw[max(index - 2, 0) : max(index - 1, 0)] if before == _EMOJI_STYLE else before
        return bool(_EMOJI.fullmatch(base))
    return bool(_JOINING_SCRIPTS.fullmatch(before) and _JOINING_SCRIPTS.fullmatch(after))


def _escape(character: str, count: int) -> str:
    times = f"*{count}" if count > 1 else ""
    return f"⟨U+{ord(character):04X}{times}⟩"


def _cut_sign(count: int) -> str:
    return f"…⟨+{count:,}⟩"


# What makes a spreadsheet read a cell as a formula or a command, with the full-width and small forms that some programs
# fold. Blanks before it do not help: programs trim them. Both expressions are linear in the text.
_RUNS = r"[=+\-@|%＝＋－＠｜％﹢﹣﹦﹪﹫−]"
_ESCAPED = r"⟨U\+[0-9A-F]+(?:\*\d+)?⟩|␍"
_FORMULA = re.compile(rf"\t|␍|(?:\s|{_ESCAPED})*{_RUNS}")
_FORMULA_INSIDE = re.compile(rf"([\n\t])(?=(?:[^\S\n\t]|{_ESCAPED})*{_RUNS})")


def csv_cell(value: object) -> str:
    """Return one CSV field's content: numbers as numbers, text without formulas and without terminal controls.

    A text that a spreadsheet could run, also after leading white space or after an embedded newline or tab, gets a `'`
    before it. Control and invisible characters are shown as by `vis` (newlines and tabs stay): CSV is read by people,
    in terminals and spreadsheets. Programs that need the raw text read JSON, Arrow or Parquet.

    Returns:
        The field, not yet quoted; None, NaN and infinities are empty; times are ISO 8601 with Z.
    """
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value).lower()  # true and false for booleans
    if isinstance(value, float):
        return repr(value) if isfinite(value) else ""
    if isinstance(value, date):  # a datetime is a date
        return iso(value) if isinstance(value, datetime) else value.isoformat()
    raw = value if isinstance(value, str) else str(value)
    shown = vis(raw, limit=None, multiline=True)
    guarded = _FORMULA_INSIDE.sub(r"\1'", shown)
    return f"'{guarded}" if _FORMULA.match(shown) else guarded


def iso(moment: datetime) -> str:
    """Return a time as ISO 8601 in UTC with Z; a time without a zone is UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")
