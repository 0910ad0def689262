"""Resemblance: comparison of texts that looks through their disguises.

Clean texts of a prompt and of its copy in look-alikes share no word. Where one text of a pair is disguised, their match keys,
which have no disguise, decide whether they are copies, edits, or one inside the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Indel

from promptscan.decode import decoded
from promptscan.errors import UsageError
from promptscan.keyed import COMPARED, PASSAGE
from promptscan.matchkey import match_keys
from promptscan.pieces import cores
from promptscan.verify import EDIT, Comparison, Edges, Relation

HIDES = 0.5  # share of a text in an encoding from which on it is compared as what it hides

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]


class Resemblance:
    """Compares the texts it was made with, as often as one likes.

    Args:
        texts: n clean texts.
        disguised: which of them say more by their match key than by their words. bool (n,).
    """

    def __init__(self, texts: Sequence[str], disguised: NDArray[np.bool_]) -> None:
        if len(disguised) != len(texts):
            raise UsageError(f"{len(texts)} texts and {len(disguised)} marks of disguise: wanted as many")
        self._texts, self._disguised = texts, disguised
        self._comparison = Comparison(texts)

    def verify(self, a: Int64, b: Int64) -> Edges:
        """Find what relates the texts of each pair, as `Comparison.verify` does; keys may find a stronger relation.

        Equal keys are a copy, an Indel similarity of keys of .8 an edit, a key of 20 letters or more inside the other contained.
        """
        edges = self._comparison.verify(a, b)
        kind, score = edges.kind.copy(), edges.score.copy()
        worded = (edges.kind == Relation.CONTAIN) | (edges.kind == Relation.TEMPLATE)
        cased = worded & (edges.score >= np.float32(EDIT))  # the same words, maybe in other letters
        rows = np.flatnonzero((edges.kind > Relation.EDIT) & (self._disguised[a] | self._disguised[b] | cased))
        alike, inside = self._by_keys(a[rows], b[rows])
        contained = (kind[rows] > Relation.CONTAIN) & inside
        kind[rows[contained]], score[rows[contained]] = Relation.CONTAIN, 1.0
        edited = alike >= np.float32(EDIT)
        kind[rows[edited]] = np.where(alike[edited] == 1, Relation.COPY, Relation.EDIT)
        score[rows[edited]] = alike[edited]
        return Edges(a, b, kind, score)

    def similarity(self, a: Int64, b: Int64) -> Float32:
        """Return the Indel similarity of characters of each pair, or of their keys' where that is higher; 0..1."""
        near = self._comparison.similarity(a, b)
        rows = np.flatnonzero(near < np.float32(EDIT))
        rows = rows[self._disguised[a[rows]] | self._disguised[b[rows]] | self._same_but_for_case(a[rows], b[rows])]
        near[rows] = np.maximum(near[rows], self._by_keys(a[rows], b[rows])[0])
        return near

    def _same_but_for_case(self, a: Int64, b: Int64) -> NDArray[np.bool_]:
        pairs = zip(a.tolist(), b.tolist(), strict=True)
        texts = self._texts
        same = (len(texts[x]) == len(texts[y]) and texts[x].casefold() == texts[y].casefold() for x, y in pairs)
        return np.fromiter(same, bool, len(a))

    def shared_wording(self, a: Int64, b: Int64) -> Float32:
        """Return the share of the shorter text's words in passages of both, as `Comparison.shared_wording` does."""
        return self._comparison.shared_wording(a, b)

    def _by_keys(self, a: Int64, b: Int64) -> tuple[Float32, NDArray[np.bool_]]:
        """Return the similarity of the keys of each pair, 0 below .8, and whether one is inside the other."""
        used, where = np.unique(np.concatenate([a, b]), return_inverse=True)
        keys = _plain_keys([self._texts[i] for i in used.tolist()])
        left = [keys[i] for i in where[: len(a)].tolist()]
        right = [keys[i] for i in where[len(a) :].tolist()]
        alike = process.cpdist(
            [key[:COMPARED] for key in left],
            [key[:COMPARED] for key in right],
            scorer=Indel.normalized_similarity,
            score_cutoff=EDIT,
            workers=cores(),
            dtype=np.float32,
        )
        pairs = list(zip(left, right, strict=True))
        equal = np.fromiter((x == y != "" for x, y in pairs), bool, len(pairs))
        both = np.fromiter((min(len(x), len(y)) for x, y in pairs), np.int64, len(pairs))
        inside = np.fromiter((x in y or y in x for x, y in pairs), bool, len(pairs)) & (both >= PASSAGE)
        near = np.where(equal, 1, np.minimum(alike, np.nextafter(np.float32(1), np.float32(0))))
        return np.where(both > 0, near, 0).astype(np.float32), inside & ~equal


def _plain_keys(texts: list[str]) -> list[str]:
    """Return the match key of each text, or of what it hides where that is most of it."""
    array = pa.array(texts, pa.large_string())
    keys: list[str] = match_keys(array).to_pylist()
    hidden = decoded(array)
    length = np.maximum(pc.utf8_length(array).to_numpy(), 1)
    for index, key, characters in zip(
        hidden.text_index.tolist(), match_keys(hidden.text).to_pylist(), hidden.characters.tolist(), strict=True
    ):
        if characters >= HIDES * length[index]:
            keys[index] = key
    return keys
