"""Words: texts cut where wording is compared, with the place of every word in its text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

# a word, a single CJK character (their scripts write no spaces), or a punctuation mark
TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[^\w\s]")

MAX_WORDS = 8192
"""Words of a text that are told apart; of a longer text the middle counts as one word, so that work is bounded."""


@dataclass(frozen=True)
class Words:
    """The words of a text; what stands between two words is white space.

    Attributes:
        text: the text.
        words: at most `MAX_WORDS` + 1 strings, in order.
    """

    text: str
    words: list[str]

    @property
    def start(self) -> NDArray[np.int64]:
        """Character of the text that each word begins at, int64 (w,)."""
        return self._bounds[:, 0]

    @property
    def end(self) -> NDArray[np.int64]:
        """Character of the text after each word, int64 (w,)."""
        return self._bounds[:, 1]

    @cached_property
    def _bounds(self) -> NDArray[np.int64]:
        """Where each word is, int64 (w, 2): few who compare words ask."""
        return np.array(_shortened([match.span() for match in TOKEN.finditer(self.text)]), np.int64).reshape(-1, 2)


def cut_words(text: str) -> Words:
    """Cut a text into words. Of more than 8,192 the first and the last 4,096 stay, all between becomes one word."""
    words = TOKEN.findall(text)
    if len(words) > MAX_WORDS:
        words = [text[start:end] for start, end in _shortened([match.span() for match in TOKEN.finditer(text)])]
    return Words(text, words)


def _shortened(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Make one word of all between the first and the last 4,096, if there are more."""
    if len(spans) <= MAX_WORDS:
        return spans
    half = MAX_WORDS // 2
    return [*spans[:half], (spans[half][0], spans[-half - 1][1]), *spans[-half:]]
