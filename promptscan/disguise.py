"""disguise: what texts say and what they hide. Their fingerprints, and how much of them was made to look like something else.

Texts are folded once, for both. Three things disguise a text; each is a share of its characters, and they are found in this
order, each in what the one before left:

    invisible   characters that show nothing                     (`normalise.clean`, over the text as it was sent)
    folded      look-alikes, leet, stacked marks                 (`matchkey.fold`, over the clean text)
    decoded     passages in base64, hex, URL escapes, tags, rot13, reversed      (`decode.decoded`, over the clean text)

A text's *obfuscation* is the share that any of them disguises, `1 - (1 - invisible)(1 - folded)(1 - decoded)`: exact for
invisible characters, which folding no longer sees; as if independent for the other two. `sql/views.sql` combines them by text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from promptscan.decode import decoded
from promptscan.fingerprint import Fingerprints, fingerprints
from promptscan.keyed import sparsely_lettered
from promptscan.matchkey import fold


@dataclass(frozen=True, slots=True)
class Examined:
    """Texts seen through.

    Attributes:
        keys: match keys. large_string (n,).
        fingerprints: of the texts and of what their encodings hide, each hash once a text, sorted by (text, hash); positions
            are -1 for hidden ones.
        folded: share of each text's characters that the match key undisguised, float64 (n,), 0..1.
        decoded: share of each text's characters that had to be decoded, float64 (n,), 0..1.
        disguised: whether a text says more by its match key than by its words (something is folded or decoded, or letters are sparse), bool (n,).
        hiding: how many of the texts hide anything encoded.
    """

    keys: pa.Array
    fingerprints: Fingerprints
    folded: NDArray[np.float64]
    decoded: NDArray[np.float64]
    disguised: NDArray[np.bool_]
    hiding: int


def examine(texts: pa.Array, *, first_text: int = 0) -> Examined:
    """Fold, decode and fingerprint clean texts.

    Args:
        texts: large_string (n,), no nulls.
        first_text: number of the first.
    """
    keys = fold(texts)
    own = fingerprints(keys.keys, first_text=first_text)
    hidden = decoded(texts)
    sparse = sparsely_lettered(texts, keys.keys)
    if not len(hidden.text_index):
        disguised = (keys.obfuscation > 0) | sparse
        return Examined(keys.keys, _once(own), keys.obfuscation, np.zeros(len(texts)), disguised, 0)
    inner = fingerprints(fold(hidden.text).keys)
    both = Fingerprints(
        np.concatenate([own.hashes, inner.hashes]),
        np.concatenate([own.texts, hidden.text_index[inner.texts] + first_text]),
        np.concatenate([own.positions, np.full(len(inner.hashes), -1, dtype=np.int32)]),
    )
    length = np.maximum(pc.utf8_length(texts).to_numpy(), 1)
    share = np.bincount(hidden.text_index, hidden.characters, minlength=len(texts)) / length
    hiding = len(np.unique(hidden.text_index))
    disguised = (keys.obfuscation > 0) | (share > 0) | sparse
    return Examined(keys.keys, _once(both), keys.obfuscation, np.minimum(share, 1.0), disguised, hiding)


def _once(found: Fingerprints) -> Fingerprints:
    """Sort by (text, hash) and keep each hash of a text once."""
    order = np.lexsort((found.hashes, found.texts))
    hashes, texts, positions = found.hashes[order], found.texts[order], found.positions[order]
    once = np.ones(len(hashes), dtype=bool)
    once[1:] = (hashes[1:] != hashes[:-1]) | (texts[1:] != texts[:-1])
    return Fingerprints(hashes[once], texts[once], positions[once])
