"""The notation of the grammars: word lists with braces, compiled to the nodes of `grammar.py`.

A rule is a list of alternatives; an alternative is text with braces:

    {name}          an alternative of the rule `name`
    {name!}         the same, and the same value wherever `{name!}` stands in one text
    {@name}         a word of the row's topic (`topics.toml`)
    {a|b|}          one of these, inline; may nest
    {2..50}         an integer; {0x8} eight hexadecimal digits
    {name*2-5:, }   two to five of them, joined by what follows the colon
    {name#}         the swept value of a campaign's slot (only in templates that list it under `sweep`)
    {{ and }}       braces

`^3 ` in front of an alternative makes it three times as likely. No rule may lead back to itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from promptscan.simulate.grammar import (
    Choice,
    Hexadecimal,
    Joined,
    Node,
    Number,
    Repeated,
    Sticky,
    Swept,
    Topical,
    strings,
)

_STICKY_SALT = 1 << 20
_REPEAT = re.compile(r"(@?\w+[!#]?)\*(\d+)-(\d+)(?::(.*))?", re.DOTALL)
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_HEX = re.compile(r"0x(\d+)")
_WEIGHT = re.compile(r"\^(\d+) ")


class Grammar:
    """Compiled rules.

    Args:
        rules: alternatives by rule name.
        topics: words by list name, one list of words per topic.
    """

    def __init__(self, rules: Mapping[str, Sequence[str]], topics: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._salts = {name: _STICKY_SALT + number for number, name in enumerate(rules)}
        self._topics = {name: _topical(lists) for name, lists in topics.items()}
        self._rules = {name: Choice() for name in rules}
        self._fixed = {text for texts in rules.values() for text in texts if "{" not in text}
        self._fixed |= {word for lists in topics.values() for words in lists for word in words}
        for name, alternatives in rules.items():
            self._set(self._rules[name], list(alternatives), {})

    def fillers(self) -> frozenset[str]:
        """Return the words and phrases that fill slots, without those made of others."""
        return frozenset(self._fixed)

    def size(self, rule: str) -> int:
        """Return the number of alternatives of a rule."""
        return len(self._rules[rule].alternatives)

    def compile(self, alternatives: Sequence[str], sweep: Sequence[str] = ()) -> Node:
        """Compile the variants of one template.

        Args:
            alternatives: surface variants.
            sweep: rules swept by `{name#}`, the fastest first.
        """
        strides: dict[str, int] = {}
        stride = 1
        for name in sweep:
            strides[name] = stride
            stride *= self.size(name)
        choice = Choice()
        self._set(choice, list(alternatives), strides)
        return choice

    def rule(self, name: str) -> Node:
        """Return a compiled rule."""
        return self._rules[name]

    def _set(self, choice: Choice, alternatives: list[str], strides: Mapping[str, int]) -> None:
        weights, texts = [], []
        for alternative in alternatives:
            weight = _WEIGHT.match(alternative)
            weights.append(int(weight[1]) if weight else 1)
            texts.append(alternative[weight.end() :] if weight else alternative)
        choice.set([self._parse(text, strides) for text in texts], weights)

    def _parse(self, text: str, strides: Mapping[str, int]) -> str | Node:
        parts: list[str | Node] = []
        for is_brace, piece in _split(text):
            node = self._brace(piece, strides) if is_brace else piece
            if isinstance(node, str) and parts and isinstance(parts[-1], str):
                parts[-1] += node
            else:
                parts.append(node)
        if not parts:
            return ""
        return parts[0] if len(parts) == 1 else Joined(tuple(parts))

    def _brace(self, body: str, strides: Mapping[str, int]) -> Node:
        if span := _RANGE.fullmatch(body):
            return Number(int(span[1]), int(span[2]))
        if digits := _HEX.fullmatch(body):
            return Hexadecimal(int(digits[1]))
        if again := _REPEAT.fullmatch(body):
            return Repeated(self._brace(again[1], strides), int(again[2]), int(again[3]), again[4] or "")
        options = _options(body)
        if len(options) == 1:
            return self._named(body, strides)
        choice = Choice()
        self._set(choice, options, strides)
        return choice

    def _named(self, body: str, strides: Mapping[str, int]) -> Node:
        name = body.rstrip("!#")
        known = self._topics if body.startswith("@") else self._rules
        if name.lstrip("@") not in known:
            raise ValueError(f"grammar: no rule {name!r}")
        if body.startswith("@"):
            return self._topics[body[1:]]
        rule = self._rules[name]
        if body.endswith("!"):
            return Sticky(rule, self._salts[name])
        return Swept(rule, self._salts[name], strides[name]) if body.endswith("#") else rule


def _topical(lists: Sequence[Sequence[str]]) -> Topical:
    count = np.array([len(words) for words in lists], dtype=np.int64)
    return Topical(strings([word for words in lists for word in words]), np.cumsum(count) - count, count)


def _split(text: str) -> list[tuple[bool, str]]:
    """Cut a text into literal pieces and the bodies of its outermost braces."""
    pieces: list[tuple[bool, str]] = []
    position = start = 0
    while position < len(text):
        pair = text[position : position + 2]
        if pair in ("{{", "}}"):
            pieces += [(False, text[start:position]), (False, pair[0])]
            position = start = position + 2
        elif text[position] == "{":
            end = _closing(text, position)
            pieces += [(False, text[start:position]), (True, text[position + 1 : end])]
            position = start = end + 1
        else:
            position += 1
    pieces.append((False, text[start:]))
    return [piece for piece in pieces if piece[1]]


def _closing(text: str, opening: int) -> int:
    depth = 0
    for position in range(opening, len(text)):
        depth += (text[position] == "{") - (text[position] == "}")
        if depth == 0:
            return position
    raise ValueError(f"grammar: no closing brace in {text!r}")


def _options(body: str) -> list[str]:
    """Cut the body of a brace at its own bars, not at those of nested braces."""
    options, depth, start = [], 0, 0
    for position, character in enumerate(body):
        depth += (character == "{") - (character == "}")
        if character == "|" and depth == 0:
            options.append(body[start:position])
            start = position + 1
    return [*options, body[start:]]
