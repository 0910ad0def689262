"""Anchors: which of many templates a text may be of, told by the rarest words of their fixed text.

A text of a template has 90 % of its fixed words. So it has one of any set of fixed words that is more than 10 % of them:
the rarest such set are the template's anchors, and a text is compared with the templates whose anchors it has, not with
all. The counts of all fixed words then leave few to align.

Source: prefix filtering, Chaudhuri, Ganti and Kaushik, A Primitive Operator for Similarity Joins, ICDE 2006, section 4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from promptscan.templates import ENOUGH, Template, match
from promptscan.words import TOKEN

TRIED = 8
"""Templates worth trying for one text, at most."""

ANCHORED = 512
"""Templates looked at for one text, at most: those with the rarest anchors. Only texts that share a common word with
hundreds of templates which have no rarer one have more."""

_FIRST = (2, 8)  # rarest words of each template that are looked up before all of them
_CELLS = 1 << 24  # texts x words at a time

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TemplateIndex:
    """Templates by the words of their fixed text; v distinct words, e in all templates together.

    Attributes:
        templates: n of them.
        numbers: the number of each word, ascending with the word.
        starts: places where the words of each template begin in the next three. int64 (n + 1,).
        words: of each template, the rarest first. int64 (e,).
        times: how often each occurs in the fixed text. int64 (e,).
        firm: false where it touches a slot, so that a value may lengthen it. bool (e,).
        spare: words that a text of each template may lack. int64 (n,).
        bits: rarity of each word, -log2 of the share of texts and templates that have it. float64 (v,).
        anchor_starts: places where the templates of each word begin in the next. int64 (v + 1,).
        anchored: templates that each word is an anchor of, ascending. int64 (a,).
    """

    templates: tuple[Template, ...]
    numbers: dict[str, int]
    starts: Int64
    words: Int64
    times: Int64
    firm: NDArray[np.bool_]
    spare: Int64
    bits: NDArray[np.float64]
    anchor_starts: Int64
    anchored: Int64

    @classmethod
    def build(
        cls, templates: Sequence[Template], counts: Mapping[str, int] | None = None, *, enough: float = ENOUGH
    ) -> TemplateIndex:
        """Index templates.

        Args:
            templates: any number; one without a word is never found.
            counts: texts that have each word, as `count_words` gives them; makes the search faster, not different.
            enough: share of a template's fixed words that a text must have; 1 for exact matches alone.
        """
        found = [_fixed_words(template.fixed) for template in templates]
        vocabulary = sorted(set().union(*(own for own, _ in found)))
        numbers = {word: number for number, word in enumerate(vocabulary)}
        sizes = np.array([len(own) for own, _ in found], np.int64)
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        words = _integers(numbers[word] for own, _ in found for word in own)
        times = _integers(chain.from_iterable(own.values() for own, _ in found))
        firm = np.array([word in safe for own, safe in found for word in own], bool)
        template = np.repeat(np.arange(len(templates)), sizes)

        holders = np.bincount(words, minlength=len(vocabulary))
        texts = _integers((counts or {}).get(word, 0) for word in vocabulary)
        cost = holders * (holders + texts)  # pairs that the word would make
        order = np.lexsort((words, cost[words], ~firm, template))
        words, times, firm = words[order], times[order], firm[order]

        total = np.bincount(template, times, len(templates))
        spare = np.floor(total - np.maximum(1.0, enough * total) + 1e-9).astype(np.int64)
        before = np.cumsum(times) - times
        before -= before[starts[:-1][template]] if len(words) else 0
        chosen = before <= spare[template]
        by_word = np.lexsort((template[chosen], words[chosen]))
        anchors = np.bincount(words[chosen], minlength=len(vocabulary))
        seen = holders + texts
        return cls(
            tuple(templates),
            numbers,
            starts,
            words,
            times,
            firm,
            spare,
            np.log2((1 + seen.max(initial=0) + len(templates)) / (1.0 + seen)),
            np.concatenate([[0], np.cumsum(anchors)]).astype(np.int64),
            template[chosen][by_word],
        )

    def candidates(self, texts: Sequence[str], *, tried: int = TRIED) -> tuple[Int64, Int64]:
        """Find the templates worth trying for each text.

        Every template that matches a text is among them, but where more than `tried` share nearly all of their words
        with the text, more than `ANCHORED` an anchor, or all words of a template touch a slot.

        Args:
            texts: m texts, normalised the way the templates' texts were.
            tried: most templates per text.

        Returns:
            Text and template of each pair, by text, the template with most and rarest words in the text first. int64 (p,).
        """
        step = max(1, _CELLS // (len(self.numbers) + 1))
        found = [
            (begin + rows, templates)
            for begin in range(0, len(texts), step)
            for rows, templates in [self._candidates(texts[begin : begin + step], tried)]
        ]
        nothing = np.zeros(0, np.int64)
        return (
            np.concatenate([nothing, *(rows for rows, _ in found)]),
            np.concatenate([nothing, *(templates for _, templates in found)]),
        )

    def assign(self, texts: Sequence[str], *, tried: int = TRIED) -> list[tuple[int, list[str]] | None]:
        """Match each text to the first of its candidates that it is of.

        Returns:
            For each text the number of the template and what it has in the slots, None where it is of none.
        """
        found: list[tuple[int, list[str]] | None] = [None] * len(texts)
        for text, template in zip(*(some.tolist() for some in self.candidates(texts, tried=tried)), strict=True):
            if found[text] is None and (values := match(self.templates[template], texts[text])) is not None:
                found[text] = (template, values)
        return found

    def _candidates(self, texts: Sequence[str], tried: int) -> tuple[Int64, Int64]:
        """Find the candidates of a few texts."""
        known = [[self.numbers[word] for word in _words(text) & self.numbers.keys()] for text in texts]
        row = np.repeat(np.arange(len(texts)), [len(own) for own in known])
        word = _integers(chain.from_iterable(known))
        has = np.zeros((len(texts), len(self.numbers) + 1), bool)
        has[row, word] = True
        row, template = self._anchored_pairs(row, word)
        for first in _FIRST:
            pair, place, here = self._looked_up(has, row, template, first)
            kept = self._lacked(pair, place, here, len(row)) <= self.spare[template]
            row, template = row[kept], template[kept]
        codes = np.sort(row * len(self.templates) + template)
        codes = codes[np.diff(codes, prepend=-1) > 0]  # np.unique hashes, which takes four times as long
        row, template = np.divmod(codes, max(1, len(self.templates)))
        pair, place, here = self._looked_up(has, row, template, None)
        kept = self._lacked(pair, place, here, len(row)) <= self.spare[template]
        score = np.bincount(pair, here * self.times[place] * self.bits[self.words[place]], len(row))[kept]
        row, template = row[kept], template[kept]
        order = np.lexsort((template, -score, row))
        row, template = row[order], template[order]
        kept = _rank(row) < tried
        return row[kept], template[kept]

    def _anchored_pairs(self, row: Int64, word: Int64) -> tuple[Int64, Int64]:
        """Return pairs of texts and templates of which the text has an anchor; the rarest anchors where there are many."""
        count = self.anchor_starts[word + 1] - self.anchor_starts[word]
        order = np.lexsort((word, count, row))
        row, word, count = row[order], word[order], count[order]
        pair, place = _expand(self.anchor_starts[word], count)
        row, template = row[pair], self.anchored[place]
        few = _rank(row) < ANCHORED
        return row[few], template[few]

    def _looked_up(
        self, has: NDArray[np.bool_], row: Int64, template: Int64, first: int | None
    ) -> tuple[Int64, Int64, NDArray[np.bool_]]:
        """Return for the words of each template, or its first ones, their pair, their place, and if the text has them."""
        count = self.starts[template + 1] - self.starts[template]
        pair, place = _expand(self.starts[template], count if first is None else np.minimum(count, first))
        return pair, place, has[row[pair], self.words[place]]

    def _lacked(self, pair: Int64, place: Int64, here: NDArray[np.bool_], n: int) -> NDArray[np.float64]:
        """Return how many fixed words the text of each of n pairs lacks for sure."""
        lacks = np.bincount(pair, weights=(~here & self.firm[place]) * self.times[place], minlength=n)
        return lacks.astype(np.float64, copy=False)


def count_words(texts: Iterable[str]) -> Counter[str]:
    """Count the texts that have each word, for `TemplateIndex.build`; a sample is enough."""
    return Counter(chain.from_iterable(map(_words, texts)))


def _words(text: str) -> set[str]:
    return set(TOKEN.findall(text.casefold()))


@lru_cache(maxsize=1 << 16)  # a build indexes the same templates more than once
def _fixed_words(fixed: tuple[str, ...]) -> tuple[Counter[str], set[str]]:
    """Return how often each fixed word occurs, and the words that somewhere do not touch a slot."""
    counts, safe = Counter[str](), set[str]()
    for number, part in enumerate(fixed):
        folded = part.casefold()
        for found in TOKEN.finditer(folded):
            counts[found[0]] += 1
            opens = number > 0 and found.start() == 0
            closes = number < len(fixed) - 1 and found.end() == len(folded)
            if not ((opens or closes) and found[0][-1].isalnum()):
                safe.add(found[0])
    return counts, safe


def _integers(numbers: Iterable[int]) -> Int64:
    return np.fromiter(numbers, np.int64)


def _expand(starts: Int64, counts: Int64) -> tuple[Int64, Int64]:
    """Return for each range its number, repeated, and the places in it."""
    pair = np.repeat(np.arange(len(starts)), counts)
    return pair, np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts) + starts[pair]


def _rank(sorted_rows: Int64) -> Int64:
    """Return the place of each row among its equals."""
    return np.arange(len(sorted_rows)) - np.searchsorted(sorted_rows, sorted_rows)
