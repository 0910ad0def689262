"""The lexical view of a generation: which texts contain the passages of a query, whatever stands around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.candidates import load_postings
from promptscan.fingerprint import fingerprints
from promptscan.matchkey import match_keys
from promptscan.postings import Postings, containment
from promptscan.store import Files

ENOUGH = 3  # fingerprints a query must have; with fewer, sharing one says little
SHARE = 0.5  # share of the query's fingerprints from which on a text is worth showing

NOTHING = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))


@dataclass
class LexicalIndex:
    """The inverted fingerprint index of one generation; its arrays are mapped, not loaded."""

    files: Files

    @cached_property
    def _postings(self) -> list[Postings]:
        return load_postings(self.files)

    def search(self, cleaned: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the clean texts that contain much of a query.

        Args:
            cleaned: a clean text.

        Returns:
            Clean ids int64 (c,) and the share of the query's fingerprints that each has, float32 (c,) from 0.5 to 1; by (share
            descending, clean id). Nothing for a query of fewer than 3 fingerprints (about 40 letters).
        """
        query = fingerprints(match_keys(pa.array([cleaned], pa.large_string())))
        if len(query.hashes) < ENOUGH or not self._postings:
            return NOTHING
        found = [containment(query, postings) for postings in self._postings]
        texts = np.concatenate([one.texts for one in found]).astype(np.int64)
        shares = np.concatenate([one.share for one in found]).astype(np.float32)
        texts, shares = texts[shares >= SHARE], shares[shares >= SHARE]
        order = np.lexsort((texts, -shares))
        return texts[order], shares[order]
