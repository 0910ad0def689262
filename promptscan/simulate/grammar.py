"""Grammars as word lists, expanded for many rows at once.

A rule is a list of alternatives; an alternative is text with braces:

    {name}          an alternative of the rule `name`
    {name!}         the same, and the same value wherever `{name!}` stands in one text
    {@name}         a word of the row's topic (`topics.toml`)
    {a|b|}          one of these, inline; may nest
    {2..50}         an integer; {0x8} eight hexadecimal digits
    {name*2-5:, }   two to five of them, joined by what follows the colon
    {name#}         the swept value of a campaign's slot (only in templates that list it under `sweep`)
    {{ and }}       braces

`^3 ` in front of an alternative makes it three times as likely. Rules may recurse only through text that ends.
Expansion walks the rule tree once per batch, with all rows that reached a node, so its cost per text is a few
list look-ups and one join.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.draws import Integers, Keys, mix, pick

Strings: TypeAlias = NDArray[np.object_]

_STICKY_SALT, _CHOICE_SALT, _LENGTH_SALT, _CHOSEN_SALT = 1 << 20, 1, 2, 4
_REPEAT = re.compile(r"(@?\w+[!#]?)\*(\d+)-(\d+)(?::(.*))?", re.DOTALL)
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_HEX = re.compile(r"0x(\d+)")
_WEIGHT = re.compile(r"\^(\d+) ")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that reached a node.

    Args:
        keys: uint64 (n,), the randomness of this place in the text.
        roots: uint64 (n,), the randomness of the whole text.
        topics: int64 (n,), topic number.
        sweep: int64 (n,), position in the campaign's sweep, 0 for all others.
    """

    keys: Keys
    roots: Keys
    topics: Integers
    sweep: Integers

    def take(self, rows: Integers) -> Rows:
        """Return some of the rows."""
        return Rows(self.keys[rows], self.roots[rows], self.topics[rows], self.sweep[rows])

    def at(self, place: int) -> Rows:
        """Return the rows with fresh randomness for one place."""
        return Rows(mix(self.keys, place), self.roots, self.topics, self.sweep)


class Node(Protocol):
    """A compiled piece of grammar."""

    def fill(self, rows: Rows) -> Strings:
        """Return one string per row, object (n,)."""
        ...


@dataclass(slots=True)
class Choice:
    """One of several alternatives; literal ones are a table look-up."""

    alternatives: list[str | Node] = field(default_factory=list)
    lookup: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    literals: Strings = field(default_factory=lambda: np.zeros(0, dtype=object))
    only_literals: bool = False

    def set(self, alternatives: list[str | Node], weights: list[int]) -> None:
        """Give the alternatives, with integer weights."""
        self.alternatives = alternatives
        self.lookup = np.repeat(np.arange(len(alternatives), dtype=np.int64), weights)
        self.literals = strings([each if isinstance(each, str) else "" for each in alternatives])
        self.only_literals = all(isinstance(each, str) for each in alternatives)

    def fill(self, rows: Rows) -> Strings:
        """Pick by key."""
        return self.chosen(self.lookup[pick(mix(rows.keys, _CHOICE_SALT), self.lookup.size)], rows)

    def chosen(self, which: Integers, rows: Rows) -> Strings:
        """Fill with given alternatives, `which` int64 (n,)."""
        filled: Strings = self.literals[which]
        if self.only_literals:
            return filled
        order = np.argsort(which.astype(np.uint16), kind="stable")
        bounds = np.searchsorted(which[order], np.arange(len(self.alternatives) + 1))
        for number, alternative in enumerate(self.alternatives):
            if bounds[number] == bounds[number + 1] or isinstance(alternative, str):
                continue
            members = order[bounds[number] : bounds[number + 1]]
            filled[members] = alternative.fill(rows.take(members).at(_CHOSEN_SALT))
        return filled


@dataclass(frozen=True, slots=True)
class Joined:
    """Fixed text and nodes, one after the other."""

    parts: tuple[str | Node, ...]

    def fill(self, rows: Rows) -> Strings:
        """Join the parts."""
        columns = [
            repeat(part) if isinstance(part, str) else part.fill(rows.at(place)).tolist()
            for place, part in enumerate(self.parts, start=16)
        ]
        return strings(list(map("".join, zip(*columns, strict=False))))


@dataclass(frozen=True, slots=True)
class Sticky:
    """A rule with one value per text."""

    rule: Choice
    salt: int

    def fill(self, rows: Rows) -> Strings:
        """Pick by the text's key instead of the place's."""
        return self.rule.fill(Rows(mix(rows.roots, self.salt), rows.roots, rows.topics, rows.sweep))


@dataclass(frozen=True, slots=True)
class Swept:
    """A campaign's slot: alternatives in list order, one digit of the sweep position."""

    rule: Choice
    salt: int
    stride: int

    def fill(self, rows: Rows) -> Strings:
        """Read the digit of the position."""
        at = Rows(mix(rows.roots, self.salt), rows.roots, rows.topics, rows.sweep)
        return self.rule.chosen((rows.sweep // self.stride) % len(self.rule.alternatives), at)


@dataclass(frozen=True, slots=True)
class Topical:
    """A word of the row's topic."""

    words: Strings
    first: Integers
    count: Integers

    def fill(self, rows: Rows) -> Strings:
        """Pick inside the topic's range."""
        chosen: Strings = self.words[self.first[rows.topics] + pick(mix(rows.keys, _CHOICE_SALT), self.count[rows.topics])]
        return chosen


@dataclass(frozen=True, slots=True)
class Number:
    """An integer of a range."""

    low: int
    high: int

    def fill(self, rows: Rows) -> Strings:
        """Draw and print."""
        return strings(list(map(str, (self.low + pick(rows.keys, self.high - self.low + 1)).tolist())))


@dataclass(frozen=True, slots=True)
class Hexadecimal:
    """Hexadecimal digits."""

    digits: int

    def fill(self, rows: Rows) -> Strings:
        """Print the key's low digits."""
        return strings([f"{key:016x}"[-self.digits :] for key in rows.keys.tolist()])


@dataclass(frozen=True, slots=True)
class Repeated:
    """Several of a node; all repetitions of all rows are filled in one go."""

    node: Node
    low: int
    high: int
    separator: str

    def fill(self, rows: Rows) -> Strings:
        """Draw the lengths, fill flat, join by row."""
        lengths = self.low + pick(mix(rows.keys, _LENGTH_SALT), self.high - self.low + 1)
        source = np.repeat(np.arange(lengths.size), lengths)
        ends = np.cumsum(lengths)
        turn = (np.arange(source.size) - np.repeat(ends - lengths, lengths)).astype(np.uint64)
        flat = rows.take(source)
        keys = mix(flat.keys + turn * np.uint64(0x9E3779B97F4A7C15), 3)
        words = self.node.fill(Rows(keys, flat.roots, flat.topics, flat.sweep)).tolist()
        edges = [0, *ends.tolist()]
        return strings([self.separator.join(words[a:b]) for a, b in zip(edges, edges[1:], strict=False)])


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
        for name, alternatives in rules.items():
            self._set(self._rules[name], list(alternatives), {})

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
        if len(options) > 1:
            choice = Choice()
            self._set(choice, options, strides)
            return choice
        name = body.rstrip("!#")
        if body.startswith("@"):
            return self._topics[body[1:]]
        if name not in self._rules:
            raise ValueError(f"grammar: no rule {name!r}")
        if body.endswith("!"):
            return Sticky(self._rules[name], self._salts[name])
        if body.endswith("#"):
            return Swept(self._rules[name], self._salts[name], strides[name])
        return self._rules[name]


def strings(values: list[str]) -> Strings:
    """Return a list of strings as an object array."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def fill(node: Node, keys: Keys, topics: Integers, sweep: Integers) -> list[str]:
    """Expand a node for rows; see `Rows` for the arguments."""
    return node.fill(Rows(mix(keys, 7), keys, topics, sweep)).tolist()  # type: ignore[no-any-return]


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
