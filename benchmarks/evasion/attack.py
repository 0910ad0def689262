"""What an attack is, and the share of characters that most of them touch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

Filler = Sequence[str]  # other people's texts, to pad with; never empty
Change = Callable[[str, Random, Filler], "str | Sequence[str]"]


@dataclass(frozen=True, slots=True)
class Attack:
    """One way of sending a text so that it is not found.

    Attributes:
        name: what is done.
        levels: how hard, weakest first where they have an order. A level makes of a text the texts that are sent instead;
            found is who finds any of them.
        graded: whether each level changes more than the one before.
        target: recall wanted; None where the wording changes and the figure is only reported.
        easier: what is wanted of single levels instead.
    """

    name: str
    levels: Mapping[str, Change]
    graded: bool = False
    target: float | None = 0.99
    easier: Mapping[str, float] = field(default_factory=dict)


class Sent(NamedTuple):
    """A text that is sent instead of an original."""

    row: int
    text: str


def apply(attack: Attack, level: str, texts: Sequence[str], filler: Filler, seed: int) -> list[Sent]:
    """Attack every text. The same text is attacked the same way whatever the others are."""
    sent = []
    for row, text in enumerate(texts):
        made = attack.levels[level](text, Random(f"{seed}|{attack.name}|{level}|{text}"), filler)
        sent += [Sent(row, one) for one in ([made] if isinstance(made, str) else made)]
    return sent


def each(share: float, change: Callable[[str, Random], str]) -> Change:
    """Change a share of the characters, one by one; a text has at least one changed if that is possible."""

    def made(text: str, rng: Random, _: Filler) -> str:
        changed = [change(c, rng) for c in text]
        able = [place for place, c in enumerate(text) if changed[place] != c]
        chosen = set(rng.sample(able, min(len(able), max(1, round(share * len(able))))))
        return "".join(changed[place] if place in chosen else c for place, c in enumerate(text))

    return made
