"""Slots: what kind of thing the texts of a template put into one place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

MOST = 0.9
"""Share of the texts whose value must look like a type for the slot to be of it."""

ENUM_VALUES = 32
"""Most values of an enumeration."""

ENUM_REPEATS = 4
"""How often the values of an enumeration must recur on average; fewer, and any list of names would be one."""

LOOKED_AT = 512
"""Characters of a value that decide its type."""


class SlotType(StrEnum):
    """What the values of a slot are; a slot has the first of these that fits."""

    CONST = "const"
    NUMBER = "number"
    LANGUAGE = "language"
    URL = "url"
    ENUM = "enum"
    ID = "id"
    CODE = "code"
    NAME = "name"
    FREE_TEXT = "free_text"


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a template.

    Attributes:
        type: what its values are.
        n_values: distinct values.
        entropy: of the values, in bits; log2 of the number of texts when every text has its own.
    """

    type: SlotType
    n_values: int
    entropy: float


# every quantifier runs over a class of its own and the values are cut, so no value makes these slow
_NUMBER = re.compile(r"[-+−#$€£¥~]?\s?\d[\d.,:/\s]*(?:e[-+]?\d+)?\s?[%°]?", re.IGNORECASE)
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]{1,9}://|www\.)\S+", re.IGNORECASE)
_ID = re.compile(r"(?=\S*\d)[\w./:@#-]{4,128}|[0-9a-f-]{16,64}|\S+@\S+", re.IGNORECASE)
_CODE = re.compile(
    r"[{};]\s|[;{}]$|\w\(\w*[),]|[=!<>]=|=>|->|\+=|</?\w+>|::|\w\.\w+\(|```|"
    r"\b(?:def|import|return|class|function|var|const|SELECT|public|void|print|include)\b"
)
_CODE_SIGNS = 3
_RECORD = re.compile(r"\{\s?[\"']|\[\s?[\"'{]")
_NAME = re.compile(r"\W{0,2}[^\W\d_][\w'’.-]*(?:\W{1,2}[\w'’.&-]+){0,4}\W{0,2}")
_LANGUAGE_NAMES = """
    afrikaans albanian amharic arabic armenian azerbaijani basque belarusian bengali bosnian bulgarian burmese cantonese
    catalan cebuano chinese croatian czech danish dutch english esperanto estonian farsi filipino finnish french galician
    georgian german greek gujarati haitian hausa hebrew hindi hungarian icelandic igbo indonesian irish italian japanese
    javanese kannada kazakh khmer korean kurdish kyrgyz lao latin latvian lithuanian macedonian malagasy malay malayalam
    maltese mandarin maori marathi mongolian nepali norwegian odia pashto persian polish portuguese punjabi quechua
    romanian russian sanskrit serbian sindhi sinhala slovak slovenian somali spanish sundanese swahili swedish tagalog
    tajik tamil tatar telugu thai tibetan turkish turkmen ukrainian urdu uyghur uzbek vietnamese welsh xhosa yiddish
    yoruba zulu
    ada apl assembly awk bash c c# c++ clojure cobol common-lisp crystal cuda d dart elixir elm erlang f# fortran go golang
    groovy haskell html java javascript julia kotlin latex lisp lua matlab nim objective-c ocaml pascal perl php powershell
    prolog python python3 r racket ruby rust sas scala scheme shell smalltalk solidity sql swift tcl typescript verilog vhdl
    visual-basic zig
"""
_LANGUAGES = frozenset(_LANGUAGE_NAMES.split())


def _is_language(value: str) -> bool:
    words = value.strip(" .,:;'\"()").casefold().replace(" ", "-")
    return words in _LANGUAGES or words.split("-(")[0] in _LANGUAGES


def _is_code(value: str) -> bool:
    if _RECORD.match(value):
        return True
    return sum(1 for _, _ in zip(_CODE.finditer(value), range(_CODE_SIGNS), strict=False)) == _CODE_SIGNS


def _is_name(value: str) -> bool:
    return (
        bool(_NAME.fullmatch(value))
        and sum(word[:1].isupper() for word in value.split()) * 2 > len(value.split())
        and not value.endswith((".", "?", "!"))
    )


def describe_slot(values: Sequence[str]) -> Slot:
    """Type a slot by the values that texts have in it.

    Args:
        values: one per text, at least one; empty values are looked at only when there is nothing else.

    Returns:
        The slot; the same for values in any order.
    """
    counts = Counter(values)
    share = np.array(sorted(counts.values()), float) / len(values)
    entropy = max(0.0, float(-(share * np.log2(share)).sum()))
    if len(counts) == 1:
        return Slot(SlotType.CONST, 1, 0.0)
    filled = {value[:LOOKED_AT].strip(): n for value, n in counts.items() if value.strip()}
    return Slot(_type(filled, len(counts)), len(counts), entropy)


def _type(counts: dict[str, int], n_values: int) -> SlotType:
    """Return the first type that fits distinct values with their numbers of texts."""
    texts = sum(counts.values())
    if _most(_NUMBER.fullmatch, counts, texts):
        return SlotType.NUMBER
    if _most(_is_language, counts, texts):
        return SlotType.LANGUAGE
    if _most(_URL.fullmatch, counts, texts):
        return SlotType.URL
    if n_values <= ENUM_VALUES and texts >= ENUM_REPEATS * n_values:
        return SlotType.ENUM
    if _most(_ID.fullmatch, counts, texts):
        return SlotType.ID
    if _most(_is_code, counts, texts):
        return SlotType.CODE
    if _most(_is_name, counts, texts):
        return SlotType.NAME
    return SlotType.FREE_TEXT


def _most(looks: Callable[[str], object], counts: dict[str, int], texts: int) -> bool:
    """Tell whether enough texts have a value that looks like a type; stops at the value that makes them too few."""
    left = texts
    for value, n in counts.items():
        if not looks(value):
            left -= n
            if left < MOST * texts:
                return False
    return True
