"""The lexical view of a generation: texts that have the query's letters, whatever was done to them or stands around them.

Three steps, each on match keys: fingerprints propose texts that share a passage, sketches propose texts that share many short
ones, and the keys of the best proposals are compared.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.candidates import load_postings
from promptscan.fingerprint import fingerprints
from promptscan.keyed import key_similarity
from promptscan.matchkey import match_keys
from promptscan.postings import Postings, containment
from promptscan.sketch import Bits, nearest, sketches
from promptscan.store import Files

ENOUGH = 3  # fingerprints a text must have for the share of them to say something; shorter ones are compared letter by letter
SHARE = 0.5  # share of the fingerprints of the query, or of the text, from which on the other contains enough of it
SURE = 0.9  # share from which on keys need not be compared any more
PASSAGES = 8  # texts with a shared passage whose keys are compared
NEAREST = 16  # texts with the nearest sketches whose keys are compared

Found = tuple[NDArray[np.int64], NDArray[np.float32]]
NOTHING: Found = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))


@dataclass
class LexicalIndex:
    """The inverted fingerprint index and the sketches of one generation; its arrays are mapped, not loaded."""

    files: Files

    @cached_property
    def _postings(self) -> list[Postings]:
        return load_postings(self.files)

    @cached_property
    def _sizes(self) -> list[tuple[int, NDArray[np.int32]]]:
        """The first clean id of each segment, and how many fingerprints each of its texts has."""
        return [
            (first, np.load(path, mmap_mode="r", allow_pickle=False)) for first, path in self._files_of("sizes.npy")
        ]

    @cached_property
    def _sketches(self) -> list[tuple[int, Bits]]:
        """The first clean id of each segment, and its sketches."""
        return [
            (first, np.load(path, mmap_mode="r", allow_pickle=False)) for first, path in self._files_of("sketches.npy")
        ]

    def _files_of(self, name: str) -> list[tuple[int, Path]]:
        """Return the first clean id of each segment, and its file of this name."""
        segments = self.files.manifest.of_kind("fingerprints")
        return [(int(segment.meta["first"]), self.files.verified(segment.file(name))) for segment in segments]

    @cached_property
    def _keys(self) -> list[tuple[int, NDArray[np.int64], NDArray[np.uint8]]]:
        """The first clean id of each segment, and where each match key begins in its letters, UTF-8."""
        paths = zip(self._files_of("key_offsets.npy"), self._files_of("keys.npy"), strict=True)
        return [
            (
                first,
                np.load(starts, mmap_mode="r", allow_pickle=False),
                np.load(data, mmap_mode="r", allow_pickle=False),
            )
            for (first, starts), (_, data) in paths
        ]

    def _key(self, clean_id: int) -> str:
        """Return the match key of a clean text, its first 4,096 letters."""
        segment = bisect_right(self._keys, clean_id, key=lambda one: one[0]) - 1
        first, starts, data = self._keys[segment]
        start, stop = starts[clean_id - first], starts[clean_id - first + 1]
        return data[start:stop].tobytes().decode()

    def search(self, cleaned: str) -> Found:
        """Find the clean texts that are a query in disguise, that contain much of it, or that it contains much of.

        Args:
            cleaned: a clean text; what is encoded in it is for the caller to search for (`why.readings`).

        Returns:
            Clean ids int64 (c,) and scores float32 (c,) from 0.5 to 1, by (score descending, clean id). A score is the larger
            of the share of fingerprints (of the query or of the text, whichever has fewer) that the other has too, and the
            similarity of the keys.
        """
        if not self._postings:
            return NOTHING
        texts, scores = self._of_key(match_keys(pa.array([cleaned], pa.large_string()))[0].as_py())
        order = np.lexsort((texts, -scores))
        texts, scores = texts[order], scores[order]
        _, first = np.unique(texts, return_index=True)  # a text may be there twice: its best score comes first
        first = np.sort(first[scores[first] >= SHARE])
        return texts[first], scores[first].astype(np.float32)

    def _of_key(self, key: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the texts that a query finds and their scores; some texts twice."""
        keys = pa.array([key], pa.large_string())
        query = fingerprints(keys)
        found = [containment(query, postings) for postings in self._postings]
        texts = np.concatenate([part.texts for part in found]).astype(np.int64)
        shared = np.concatenate([part.shared for part in found])
        size = np.concatenate([own[part.texts - first] for part, (first, own) in zip(found, self._sizes, strict=True)])
        fewer = np.minimum(size, len(query.hashes))
        share = shared / np.maximum(fewer, 1)
        telling = (share >= SHARE) & (fewer >= ENOUGH)
        unsure = np.flatnonzero(~(telling & (share >= SURE)))
        best = unsure[np.lexsort((texts[unsure], -(share * shared)[unsure]))[:PASSAGES]]
        sketch = sketches(keys)[0]
        proposed = np.unique(np.concatenate([texts[best], self._nearest(sketch)]))
        alike = np.array([key_similarity(key, self._key(text)) for text in proposed.tolist()], np.float64)
        return np.concatenate([texts[telling], proposed]), np.concatenate([share[telling], alike])

    def _nearest(self, sketch: Bits) -> NDArray[np.int64]:
        """Return the clean ids with the nearest sketches over all segments."""
        found = [
            (first + rows, apart) for first, own in self._sketches for rows, apart in [nearest(sketch, own, NEAREST)]
        ]
        texts = np.concatenate([np.zeros(0, np.int64), *(texts for texts, _ in found)])
        apart = np.concatenate([np.zeros(0, np.int32), *(apart for _, apart in found)])
        return texts[np.lexsort((texts, apart))[:NEAREST]]
