"""Template reuse: how much of their wording the texts of a family have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Indel

from promptscan.words import TOKEN

MAX_TOKENS = 400


def tokens(text: str) -> list[str]:
    """Cut a text into at most 400 lower-case tokens."""
    return TOKEN.findall(text.lower())[:MAX_TOKENS]


@dataclass(frozen=True, slots=True)
class Reuse:
    """How alike the texts of a family are worded.

    Attributes:
        share: median share of tokens in the longest common subsequence with the exemplar, 2 LCS / (tokens of both), 0..1.
        frame: median length of that subsequence, in tokens: how much wording there is to share.
    """

    share: float
    frame: int


def reuse(exemplar: str, members: Sequence[str]) -> Reuse:
    """Measure template reuse.

    Args:
        exemplar: the text that stands for the family.
        members: other texts of it, a sample will do.

    Returns:
        Medians over the members; a family of one text shares all of it.
    """
    frame = tokens(exemplar)
    if not members:
        return Reuse(1.0, len(frame))
    others = [tokens(member) for member in members]
    common = [
        Indel.similarity(frame, other) // 2 for other in others
    ]  # Indel similarity counts each shared token twice
    share = [2 * n / max(1, len(frame) + len(other)) for n, other in zip(common, others, strict=True)]
    middle = len(members) // 2
    return Reuse(sorted(share)[middle], sorted(common)[middle])
