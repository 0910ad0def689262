"""Labels: the words that set the texts of a family apart from those of all others.

Class-based TF-IDF (Grootendorst 2022, "BERTopic", section 3.3): all texts of a class are one document, a term weighs
tf(term, class) × log(1 + A / f(term)), with A the mean number of terms of a class and f the term's number in all classes.
Here a term counts once per text, so that no text can shout; terms are words, pairs of words, and in scripts without
spaces pairs of characters; and a pair of words is no rarer than either, or `of the` would be a topic.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from promptscan.templates import read_template

SEPARATOR = " · "
LENGTH = 80  # characters of a label
TERMS = 3  # of a label
WORDS = 120  # of a text that count, from its beginning
LONGEST = 24  # characters of a word that is shown
SHARE = 0.4  # of a class's texts that have a term of its label
KEPT = 0.5  # of the best label's weight at which the former label stays
_TRIED = 24  # best terms of a class that its label is chosen from

_CJK = r"\u3040-\u30ff\u3400-\u9fff"
_MARKS = r"\u0300-\u036f\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0dff\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff"
# a CJK character, a word with the marks that belong to it, or a sign that ends a phrase
_TOKEN = re.compile(rf"[{_CJK}]|[^\W_{_CJK}](?:[^\W{_CJK}]|[{_MARKS}]|['’](?=\w)|[+#](?!\w))*|[^\w\s]")
_SIGN = re.compile(r"[^\w\s]")

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClassTerms:
    """Terms of classes of texts and their c-TF-IDF.

    Attributes:
        words: sorted vocabulary.
        codes: terms, ascending: a word is its number, a pair a·v + b + v for v words. int64 (t,).
        weights: c-TF-IDF. float64 (classes, t).
        shares: share of the texts of a class that have a term. float64 (classes, t).
    """

    words: tuple[str, ...]
    codes: Int64
    weights: csr_array
    shares: csr_array

    def label(self, number: int) -> str:
        """Return the label of a class; empty when its texts have no term in common."""
        label = SEPARATOR.join(self._term(code) for code in self._chosen(number))
        return label if len(label) <= LENGTH else label[:LENGTH].rpartition(SEPARATOR)[0]  # two words fit in any case

    def still_holds(self, number: int, label: str) -> bool:
        """Tell whether a former label still weighs at least half of what the best one does, in this class."""
        best = sum(self._weight(number, code) for code in self._chosen(number))
        known = [self._code(term) for term in label.split(SEPARATOR)]
        held = sum(self._weight(number, code) for code in known if code is not None)
        return best > 0 and held >= KEPT * best

    def _chosen(self, number: int) -> list[int]:
        """Choose terms for a class: heaviest first, of equals the longer one; none that shares a word with one before."""
        row = slice(self.weights.indptr[number], self.weights.indptr[number + 1])
        common = self.shares.data[row] >= SHARE
        columns, weights = self.weights.indices[row][common], self.weights.data[row][common]
        heaviest = np.lexsort((columns, -np.round(weights, 9)))[:_TRIED]
        codes = self.codes[columns[heaviest]].tolist()
        tried = sorted(
            (-weight, -len(self._term(code)), code)
            for weight, code in zip(np.round(weights[heaviest], 9).tolist(), codes, strict=True)
        )
        chosen: list[int] = []
        used: set[int] = set()
        for negative, _, code in tried:
            own = set(self._parts(code))
            if negative < 0 and not own & used and len(chosen) < TERMS:
                chosen.append(code)
                used |= own
        return chosen

    def _parts(self, code: int) -> tuple[int, ...]:
        v = len(self.words)
        return (code,) if code < v else divmod(code - v, v)

    def _term(self, code: int) -> str:
        parts = [self.words[part] for part in self._parts(code)]
        return ("" if _is_cjk(parts[0]) else " ").join(part[:LONGEST] for part in parts)

    def _code(self, term: str) -> int | None:
        """Return the code of a written term, None for one that is not known."""
        words = list(term) if term and _is_cjk(term) else term.split(" ")
        found = [bisect_left(self.words, word) for word in words]
        if not 1 <= len(found) <= 2 or any(
            place == len(self.words) or self.words[place] != word for place, word in zip(found, words, strict=True)
        ):
            return None
        return found[0] if len(found) == 1 else len(self.words) + found[0] * len(self.words) + found[1]

    def _weight(self, number: int, code: int) -> float:
        column = int(np.searchsorted(self.codes, code))
        if column == len(self.codes) or self.codes[column] != code:
            return 0.0
        row = slice(self.weights.indptr[number], self.weights.indptr[number + 1])
        place = int(np.searchsorted(self.weights.indices[row], column))
        found = self.weights.indices[row][place : place + 1].tolist() == [column]
        return float(self.weights.data[row][place]) if found else 0.0


def class_terms(classes: Sequence[Sequence[str]]) -> ClassTerms:
    """Weigh the terms of classes.

    Args:
        classes: texts of each class, families first or in whatever order; what is no family's may come as classes too, so
            that everyday words weigh little.
    """
    owner = np.repeat(np.arange(len(classes)), [len(texts) for texts in classes])
    text, words, ids = _words([text for texts in classes for text in texts])
    terms = _terms(text, ids, words)
    codes, columns = np.unique(terms[1], return_inverse=True)
    once = np.sort(terms[0] * max(1, len(codes)) + columns)
    once = once[
        np.diff(once, prepend=-1) > 0
    ]  # each term once per text; np.unique hashes, which takes four times as long
    place = np.divmod(once, max(1, len(codes)))
    counts = csr_array((np.ones(len(once)), (owner[place[0]], place[1])), shape=(len(classes), len(codes)))
    counts.sum_duplicates()
    counts.sort_indices()
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64)
    inverse = np.log1p(totals.sum() / max(1, len(classes)) / np.maximum(np.asarray(counts.sum(axis=0)), 1))
    inverse = _no_rarer(codes, inverse, words)
    rows = np.repeat(np.arange(len(classes)), np.diff(counts.indptr))
    sizes = np.array([max(1, len(texts)) for texts in classes], dtype=np.float64)
    weights, shares = counts.copy(), counts.copy()
    weights.data = counts.data / totals[rows] * inverse[counts.indices]
    shares.data = counts.data / sizes[rows]
    return ClassTerms(words, codes, weights, shares)


def _no_rarer(codes: Int64, inverse: Float64, words: tuple[str, ...]) -> Float64:
    """Bound log(1 + A / f) of pairs of words by that of both words; a word that is no term by itself counts as everyday."""
    v = len(words)
    of_word = np.array([np.inf if _is_cjk(word) else 0.0 for word in words])
    single = codes < v
    of_word[codes[single]] = inverse[single]
    bounded = inverse.copy()
    left, right = np.divmod(codes[~single] - v, max(1, v))
    bounded[~single] = np.minimum(inverse[~single], np.minimum(of_word[left], of_word[right]))
    return bounded


def template_label(written: str) -> str:
    """Return a template's fixed text as a label, an ellipsis for each slot."""
    fixed, _ = read_template(written)
    return shortened(" … ".join(fixed))


def shortened(text: str) -> str:
    """Return a text in one line of at most `LENGTH` characters, cut behind a word where it has words, and with an ellipsis."""
    text = " ".join(text[: 2 * LENGTH].split())
    if len(text) <= LENGTH:
        return text
    words = text[: LENGTH - 1].rpartition(" ")[0].rstrip(" …")
    return (words if len(words) >= LENGTH // 2 else text[: LENGTH - 2]) + " …"


def _words(texts: Sequence[str]) -> tuple[Int64, tuple[str, ...], Int64]:
    """Cut texts: the text of each word, the sorted vocabulary, and the number of each word in it; int64 (w,) both."""
    cut = [_TOKEN.findall(text[: WORDS * LONGEST].lower())[:WORDS] for text in texts]
    text = np.repeat(np.arange(len(cut)), [len(words) for words in cut])
    encoded = pa.array([word for words in cut for word in words], pa.string()).dictionary_encode()
    vocabulary = encoded.dictionary.to_pylist()
    order = sorted(range(len(vocabulary)), key=vocabulary.__getitem__)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    ids = rank[np.asarray(encoded.indices)] if len(text) else np.zeros(0, dtype=np.int64)
    return text.astype(np.int64), tuple(vocabulary[place] for place in order), ids


def _terms(text: Int64, ids: Int64, words: tuple[str, ...]) -> tuple[Int64, Int64]:
    """Return text and code of every term: words that say something alone, and neighbours that no sign parts."""
    v = len(words)
    sign = np.array([bool(_SIGN.fullmatch(word)) for word in words], dtype=bool)
    cjk = np.array([_is_cjk(word) for word in words], dtype=bool)
    alone = np.array([len(word) > 1 and not word.isdecimal() for word in words], dtype=bool) & ~sign & ~cjk
    single = alone[ids] if v else np.zeros(0, dtype=bool)
    left, right = ids[:-1], ids[1:]
    both = (text[:-1] == text[1:]) & (left != right)
    if v:
        both &= ~sign[left] & ~sign[right] & (cjk[left] == cjk[right]) & (cjk[left] | alone[left] | alone[right])
    pair = v + left[both] * v + right[both]
    return np.concatenate([text[single], text[:-1][both]]), np.concatenate([ids[single], pair])


def _is_cjk(word: str) -> bool:
    return "\u3040" <= word[0] <= "\u30ff" or "\u3400" <= word[0] <= "\u9fff"
