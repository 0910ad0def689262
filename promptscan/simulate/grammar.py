"""Grammars as graphs, expanded for many texts at once.

A node is asked for strings by every place it stands in. Nodes are visited parents first, each once per batch with all
its askers' rows together, then once more in the opposite order to put the strings together. So the cost of a batch
is a few array operations per node, however many paths lead to it, plus a look-up or a join per piece of text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, repeat
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.draws import Integers, Keys, mix, pick

Strings: TypeAlias = NDArray[np.object_]

_CHOICE_SALT, _LENGTH_SALT, _TURN_SALT, _CHOSEN_SALT, _FIRST_PLACE = 1, 2, 3, 4, 16


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a batch, all (texts,).

    Args:
        keys: uint64, the randomness of the whole text.
        topics: int64, topic number.
        sweep: int64, position in the campaign's sweep, 0 for all others.
    """

    keys: Keys
    topics: Integers
    sweep: Integers


@dataclass(frozen=True, slots=True)
class Rows:
    """Places in texts that want a string, all (n,).

    Args:
        keys: uint64, the randomness of the place.
        text: int64, which text.
    """

    keys: Keys
    text: Integers

    def take(self, rows: Integers, salt: int) -> Rows:
        """Return some of the rows, with fresh randomness."""
        return Rows(mix(self.keys[rows], salt), self.text[rows])

    def at(self, place: int) -> Rows:
        """Return the rows with fresh randomness for one place."""
        return Rows(mix(self.keys, place), self.text)


class Node(Protocol):
    """A compiled piece of grammar."""

    def children(self) -> Sequence[Node]:
        """Return the nodes it may ask."""
        ...

    def ask(self, rows: Rows, texts: Texts) -> tuple[list[Request], Finish]:
        """Return what it needs from its children for these rows, and how to make its own strings of the answers."""
        ...


Request: TypeAlias = tuple[Node, Rows]
Finish: TypeAlias = Callable[[list[Strings]], Strings]


@dataclass(slots=True, eq=False)
class Choice:
    """One of several alternatives; literal ones are a table look-up."""

    alternatives: list[str | Node] = field(default_factory=list)
    lookup: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    literals: Strings = field(default_factory=lambda: np.zeros(0, dtype=object))

    def set(self, alternatives: list[str | Node], weights: list[int]) -> None:
        """Give the alternatives, with integer weights."""
        self.alternatives = alternatives
        self.lookup = np.repeat(np.arange(len(alternatives), dtype=np.int64), weights)
        self.literals = strings([each if isinstance(each, str) else "" for each in alternatives])

    def children(self) -> Sequence[Node]:
        """Return the alternatives that are nodes."""
        return [each for each in self.alternatives if not isinstance(each, str)]

    def ask(self, rows: Rows, texts: Texts) -> tuple[list[Request], Finish]:
        """Pick by key."""
        del texts
        return self.chosen(self.lookup[pick(mix(rows.keys, _CHOICE_SALT), self.lookup.size)], rows)

    def chosen(self, which: Integers, rows: Rows) -> tuple[list[Request], Finish]:
        """Use given alternatives, `which` int64 (n,)."""
        members: list[Integers] = []
        requests: list[Request] = []
        if any(not isinstance(each, str) for each in self.alternatives):
            order = np.argsort(which.astype(np.uint16), kind="stable")
            bounds = np.searchsorted(which[order], np.arange(len(self.alternatives) + 1)).tolist()
            for alternative, (begin, end) in zip(self.alternatives, pairwise(bounds), strict=True):
                if begin < end and not isinstance(alternative, str):
                    members.append(order[begin:end])
                    requests.append((alternative, rows.take(members[-1], _CHOSEN_SALT)))

        def finish(answers: list[Strings]) -> Strings:
            filled: Strings = self.literals[which]
            for places, answer in zip(members, answers, strict=True):
                filled[places] = answer
            return filled

        return requests, finish


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Fixed text and nodes, one after the other."""

    parts: tuple[str | Node, ...]

    def children(self) -> Sequence[Node]:
        """Return the parts that are nodes."""
        return [part for part in self.parts if not isinstance(part, str)]

    def ask(self, rows: Rows, texts: Texts) -> tuple[list[Request], Finish]:
        """Ask each part at its own place."""
        del texts
        requests = [(node, rows.at(place)) for place, node in enumerate(self.children(), start=_FIRST_PLACE)]

        def finish(answers: list[Strings]) -> Strings:
            nodes = iter(answers)
            columns = [repeat(part) if isinstance(part, str) else next(nodes).tolist() for part in self.parts]
            return strings(list(map("".join, zip(*columns, strict=False))))

        return requests, finish


@dataclass(frozen=True, slots=True, eq=False)
class Sticky:
    """A rule with one value per text."""

    rule: Choice
    salt: int

    def children(self) -> Sequence[Node]:
        """Return the rule."""
        return [self.rule]

    def ask(self, rows: Rows, texts: Texts) -> tuple[list[Request], Finish]:
        """Ask with the text's key instead of the place's."""
        return [(self.rule, Rows(mix(texts.keys[rows.text], self.salt), rows.text))], _only


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """A campaign's slot: alternatives in list order, one digit of the sweep position."""

    rule: Choice
    salt: int
    stride: int

    def children(self) -> Sequence[Node]:
        """Return the rule's alternatives, which it asks past the rule's own choice."""
        return self.rule.children()

    def ask(self, rows: Rows, texts: Texts) -> tuple[list[Request], Finish]:
        """Read the digit of the position.

        The slower digits are shifted by the faster ones: still every combination once, but all slots move from
        one prompt to the next.
        """
        position = texts.sweep[rows.text]
        digit = (position // self.stride + position % self.stride) % len(self.rule.alternatives)
        return self.rule.chosen(digit, Rows(mix(texts.keys[rows.text], self.salt), rows.text))


@dataclass(frozen=True, slots=True, eq=False)
class Topical:
    """A word of the text's topic.

    Args:
        words: the words of all topics, object (words,).
        first: int64 (topics,), where a topic's words begin.
        count: int64 (topics,), how many there are.
    """

    words: Strings
    first: Integers
    count: Integers

    def children(self) -> Sequence[Node]:
        """Return nothing."""
        return ()

    def ask(self, rows: Rows, texts: Texts) -> tuple[list[Request], Finish]:
        """Pick inside the topic's range."""
        topics = texts.topics[rows.text]
        which = self.first[topics] + pick(mix(rows.keys, _CHOICE_SALT), self.count[topics])
        return [], lambda _: self.words[which]


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """An integer of a range, both ends included."""

    low: int
    high: int

    def children(self) -> Sequence[Node]:
        """Return nothing."""
        return ()

    def ask(self, rows: Rows, texts: Texts) -> tuple[list[Request], Finish]:
        """Draw and print."""
        del texts
        drawn = self.low + pick(rows.keys, self.high - self.low + 1)
        return [], lambda _: strings(list(map(str, drawn.tolist())))


@dataclass(frozen=True, slots=True, eq=False)
class Hexadecimal:
    """Hexadecimal digits."""

    digits: int

    def children(self) -> Sequence[Node]:
        """Return nothing."""
        return ()

    def ask(self, rows: Rows, texts: Texts) -> tuple[list[Request], Finish]:
        """Print the key's low digits."""
        del texts
        return [], lambda _: strings([f"{key:016x}"[-self.digits :] for key in rows.keys.tolist()])


@dataclass(frozen=True, slots=True, eq=False)
class Repeated:
    """Several of a node, joined."""

    node: Node
    low: int
    high: int
    separator: str

    def children(self) -> Sequence[Node]:
        """Return the repeated node."""
        return [self.node]

    def ask(self, rows: Rows, texts: Texts) -> tuple[list[Request], Finish]:
        """Draw the lengths and ask for all repetitions of all rows in one go."""
        del texts
        lengths = self.low + pick(mix(rows.keys, _LENGTH_SALT), self.high - self.low + 1)
        ends = np.cumsum(lengths)
        source = np.repeat(np.arange(lengths.size), lengths)
        turn = np.arange(source.size) - np.repeat(ends - lengths, lengths)
        keys = mix(mix(rows.keys, _TURN_SALT)[source] + turn.astype(np.uint64), _TURN_SALT)

        def finish(answers: list[Strings]) -> Strings:
            words = answers[0].tolist()
            return strings([self.separator.join(words[a:b]) for a, b in pairwise([0, *ends.tolist()])])

        return [(self.node, Rows(keys, rows.text[source]))], finish


class Press:
    """Expands the nodes reachable from some roots.

    Args:
        roots: the nodes that will be asked for.

    Raises:
        ValueError: a node leads back to itself.
    """

    def __init__(self, roots: Sequence[Node]) -> None:
        self._order = _parents_first(roots)

    def expand(self, requests: Sequence[Request], texts: Texts) -> list[Strings]:
        """Answer requests to root nodes.

        Args:
            requests: nodes and the rows that want them.
            texts: the batch the rows point into.

        Returns:
            One object (n,) array of strings per request.
        """
        inbox: dict[Node, list[Rows]] = {}
        wanted = [_post(inbox, request) for request in requests]
        pending: list[tuple[Node, list[int], list[tuple[Node, int]], Finish]] = []
        for node in self._order:
            askers = inbox.pop(node, None)
            if askers is None:
                continue
            rows = Rows(np.concatenate([each.keys for each in askers]), np.concatenate([each.text for each in askers]))
            asked, finish = node.ask(rows, texts)
            cuts = np.cumsum([each.text.size for each in askers]).tolist()
            pending.append((node, cuts, [_post(inbox, request) for request in asked], finish))
        answers: dict[tuple[Node, int], Strings] = {}
        while pending:
            node, cuts, tickets, finish = pending.pop()
            filled = finish([answers.pop(ticket) for ticket in tickets])
            for number, (begin, end) in enumerate(pairwise([0, *cuts])):
                answers[node, number] = filled[begin:end]
        return [answers[ticket] for ticket in wanted]


def strings(values: list[str]) -> Strings:
    """Return a list of strings as an object array."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _only(answers: list[Strings]) -> Strings:
    return answers[0]


def _post(inbox: dict[Node, list[Rows]], request: Request) -> tuple[Node, int]:
    """Put a request into its node's inbox; return the ticket of the answer."""
    node, rows = request
    box = inbox.setdefault(node, [])
    box.append(rows)
    return node, len(box) - 1


def _parents_first(roots: Sequence[Node]) -> list[Node]:
    """Order the reachable nodes so that each stands before its children."""
    done: dict[Node, bool] = {}
    order: list[Node] = []

    def visit(node: Node) -> None:
        if node in done:
            if not done[node]:
                raise ValueError(f"grammar: a rule leads back to itself: {node!r:.200}")
            return
        done[node] = False
        for child in node.children():
            visit(child)
        done[node] = True
        order.append(node)

    for root in roots:
        visit(root)
    return order[::-1]
