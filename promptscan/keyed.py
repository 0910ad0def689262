"""keyed: are two texts the same under their disguises? Compared are match keys, which have none.

Clean texts of a prompt and of its copy in look-alikes share no word, so whatever compares clean texts calls them unrelated.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import Indel

from promptscan.decode import decoded
from promptscan.errors import UsageError
from promptscan.matchkey import match_keys

COMPARED = 2_048  # characters of a key that are aligned
ALIKE = 0.66  # Indel similarity of keys from which on they say that one is made of the other
PASSAGE = 20  # letters of a key that are no coincidence in another one
NEEDLE = 64  # letters of a key that is looked for, with its typos, inside a longer one: one machine word, so it is fast
NEEDLE_ALIKE = 0.85  # partial similarity from which on it was found there
SPREAD = 0.7  # letters of the key for each character, below which a text is more filling than text (English has .8)


def forms(text: str) -> list[str]:
    """Return the match keys of a text and of what its encodings hide, without the empty and the repeated ones.

    Args:
        text: a clean text.
    """
    texts = pa.array([text], pa.large_string())
    keys = match_keys(pa.concat_arrays([texts, decoded(texts).text])).to_pylist()
    return [key for key in dict.fromkeys(keys) if key]


def key_similarity(key: str, other: str) -> float:
    """Return how surely one match key is, or holds, the other: 1 for the same, 0 for nothing to speak of.

    Args:
        key: of at most 2,048 characters all, of a longer one the first 2,048 are aligned; a key inside another is found anywhere.
        other: likewise.
    """
    short, long = sorted((key, other), key=len)
    if short == long or (len(short) >= PASSAGE and short in long):
        return float(bool(long))
    alike = Indel.normalized_similarity(short[:COMPARED], long[:COMPARED], score_cutoff=ALIKE)
    if alike >= ALIKE or not PASSAGE <= len(short) <= NEEDLE or len(long) > COMPARED:
        return alike
    partial = fuzz.partial_ratio(short, long, score_cutoff=100 * NEEDLE_ALIKE) / 100
    return partial if partial >= NEEDLE_ALIKE else 0.0


def sparsely_lettered(texts: pa.Array, keys: pa.Array) -> NDArray[np.bool_]:
    """Tell which texts have under .7 letters and numbers a character: they are spaced or dotted, and their words are torn.

    Args:
        texts: clean texts, large_string (n,), no nulls.
        keys: their match keys.
    """
    letters = pc.utf8_length(keys).to_numpy()
    return np.asarray((letters > 0) & (letters < SPREAD * pc.utf8_length(texts).to_numpy()))


def compare_keys(texts: pa.Array, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the `key_similarity` of pairs of texts, what their encodings hide included; the best over their forms.

    Args:
        texts: clean texts, large_string (n,), no nulls.
        a: one text of each pair. int64 (p,).
        b: the other. int64 (p,).

    Returns:
        float32 (p,), 0..1. For pairs with a text that is disguised (`disguise.Examined`): its words say too little.
    """
    if len(a) != len(b):
        raise UsageError(f"pairs of {len(a)} and {len(b)} ids: wanted as many")
    texts = texts.cast(pa.large_string())
    used, where = np.unique(np.concatenate([a, b]), return_inverse=True)
    some = texts.take(pa.array(used))
    hidden = decoded(some)
    keys = match_keys(pa.concat_arrays([some, hidden.text])).to_pylist()
    of = np.concatenate([np.arange(len(used)), hidden.text_index])
    order = np.argsort(of, kind="stable")
    first, count = np.searchsorted(of[order], np.arange(len(used))), np.bincount(of, minlength=len(used))
    left, right = where[: len(a)], where[len(a) :]
    times = count[left] * count[right]
    pair = np.repeat(np.arange(len(a)), times)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(times) - times, times)
    rows = order[first[left[pair]] + within // count[right[pair]]]
    columns = order[first[right[pair]] + within % count[right[pair]]]
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    scores = np.fromiter((key_similarity(keys[x], keys[y]) for x, y in pairs), np.float32, len(rows))
    best = np.zeros(len(a), np.float32)
    np.maximum.at(best, pair, scores)
    return best
