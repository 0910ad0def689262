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

COMPARED = 2_048  # characters of a key that are aligned
ALIKE = 0.66  # Indel similarity of keys from which on they say that one is made of the other
PASSAGE = 20  # letters of a key that are no coincidence in another one
NEEDLE = 64  # letters of a key that is looked for, with its typos, inside a longer one: one machine word, so it is fast
NEEDLE_ALIKE = 0.85  # partial similarity from which on it was found there
SPREAD = 0.7  # letters of the key for each character, below which a text is more filling than text (English has .8)


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
