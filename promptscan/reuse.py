"""Template reuse: how much of their wording the texts of a family have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rapidfuzz.distance import Indel

# a word, a single CJK character (their scripts write no spaces), or a punctuation mark
TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[^\w\s]")
MAX_TOKENS = 400


def tokens(text: str) -> list[str]:
    """Cut a text into at most 400 lower-case tokens."""
    return TOKEN.findall(text.lower())[:MAX_TOKENS]


def reuse(exemplar: str, members: Sequence[str]) -> float:
    """Measure template reuse.

    Args:
        exemplar: the text that stands for the family.
        members: other texts of it, a sample will do.

    Returns:
        Median over members of the share of tokens in the longest common subsequence with the exemplar,
        2 LCS / (tokens of both), 0..1; 1 for a family of one text.
    """
    if not members:
        return 1.0
    frame = tokens(exemplar)
    shared = sorted(Indel.normalized_similarity(frame, tokens(member)) for member in members)
    return float(shared[len(shared) // 2])
