"""shown: texts that store something else than they show. What is read, by a person or by a model, is what must be compared.

Three ways of writing a text so that its string is none of its words: a right-to-left override around letters stored backwards,
wrong letters followed by a backspace, and tag characters, which nothing shows and language models read.
"""

from __future__ import annotations

import re

import pyarrow as pa

SUSPECT = r"[\x08\x{202E}]|[\x{E0020}-\x{E007E}]{8}"
"""RE2 pattern of the texts that `as_shown` may change; all others stay as they are."""

_OVERRIDE, _POP = "\u202e", "\u202c"
_PARAGRAPH_ENDS = "\n\r\x1c\x1d\x1e\x85\u2029"
_BACKWARD = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")  # scripts that an override shows as they are stored
_TAGS = re.compile("[\U000e0020-\U000e007e]{8,}")  # the tags of a flag are at most six


def as_shown(texts: pa.Array) -> pa.Array:
    """Return the characters of texts in the order they are read, deleted ones left out, tags as the letters they stand for.

    Args:
        texts: large_string (n,), no nulls.

    Source: UAX 9 (right-to-left override), Unicode Standard 23.9 (tag characters).
    """
    return pa.array([_shown(text) for text in texts.to_pylist()], pa.large_string())


def _shown(text: str) -> str:
    text = _TAGS.sub(lambda run: "".join(chr(ord(tag) - 0xE0000) for tag in run[0]), text)
    if _OVERRIDE in text:
        text = _forwards(text)
    return _without_deleted(text) if "\b" in text else text


def _forwards(text: str) -> str:
    """Turn round what stands in right-to-left overrides; overrides inside one another show as one."""
    shown: list[str] = []
    run: list[str] = []
    depth = 0
    for character in [*text, "\n"]:
        if depth and character in _PARAGRAPH_ENDS:
            depth = 0
        elif character == _OVERRIDE:
            depth += 1
        elif character == _POP and depth:
            depth -= 1
        elif depth:
            run.append(character)
        if not depth:
            shown += run if _BACKWARD.search("".join(run)) else run[::-1]
            run = []
            if character not in (_OVERRIDE, _POP):
                shown.append(character)
    return "".join(shown[:-1])


def _without_deleted(text: str) -> str:
    """Let each backspace delete the character before it, in its line."""
    kept: list[str] = []
    for character in text:
        if character != "\b":
            kept.append(character)
        elif kept and kept[-1] != "\n":
            kept.pop()
    return "".join(kept)
