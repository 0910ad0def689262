"""Words: texts cut where wording is compared, with the place of every word in its text."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# a word, a single CJK character (their scripts write no spaces), or a punctuation mark
TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[^\w\s]")

MAX_WORDS = 8192
"""Words of a text that are told apart; of a longer text the middle counts as one word, so that work is bounded."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text; what stands between two words is white space.

    Attributes:
        text: the text.
        words: at most `MAX_WORDS` + 1 strings, in order.
        start, end: characters of the text that each word is. int64 (w,).
    """

    text: str
    words: list[str]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


def cut_words(text: str) -> Words:
    """Cut a text into words. Of more than 8,192 the first and the last 4,096 stay, all between becomes one word."""
    spans = [match.span() for match in TOKEN.finditer(text)]
    if len(spans) > MAX_WORDS:
        half = MAX_WORDS // 2
        spans[half:-half] = [(spans[half][0], spans[-half - 1][1])]
    bounds = np.array(spans, np.int64).reshape(-1, 2)
    return Words(text, [text[start:end] for start, end in spans], bounds[:, 0], bounds[:, 1])
