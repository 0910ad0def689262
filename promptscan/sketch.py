"""sketch: match keys to 512 bits each, near in Hamming distance when the keys share many short passages.

Fingerprints need sixteen letters in a row that nobody touched. A short text in which every fifth letter is wrong has none, but
keeps half of its 3-grams. Its sketch is the signs of random projections of its 3-gram counts (SimHash), so texts that keep half
of their 3-grams differ in a third of the bits, unrelated ones in half. Of 1 M texts all are compared, in 2 ms on one core.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.fingerprint import mixed, rolling, units
from promptscan.matchkey import slices

BITS = 512
GRAM = 3  # units, as of fingerprints: letters, or one Chinese character
BUCKETS = 512  # into which 3-grams are hashed, with a sign
LONGEST = 2_048  # units beyond which a key has no sketch: its fingerprints survive in numbers
STEPS = 16  # of a count of 1
CHUNK = 1 << 18  # bytes of keys a step

Bits = NDArray[np.uint8]


def sketches(keys: pa.Array) -> Bits:
    """Return the sketches of match keys, uint8 (n, 64); zeros for keys of under 3 or over 2,048 units.

    Args:
        keys: large_string (n,), no nulls.

    Source: Charikar, Similarity estimation techniques from rounding algorithms, STOC 2002, section 3; the counts are hashed
    as by Weinberger et al., Feature hashing, ICML 2009.
    """
    parts = [np.zeros((0, BITS // 8), np.uint8)]
    for chunk in slices(keys.cast(pa.large_string()), CHUNK):
        some, starts = units(chunk)
        lengths = np.diff(starts)
        counts = _counts(some, starts, (lengths >= GRAM) & (lengths <= LONGEST))
        # What is said ten times counts three times. Whole numbers: their sums are exact in float32, in any order.
        damped = np.round(np.copysign(np.sqrt(np.abs(counts)) * STEPS, counts))
        parts.append(np.packbits(damped @ _projections() > 0, axis=1))
    return np.concatenate(parts)


def nearest(sketch: Bits, among: Bits, k: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the rows of the k sketches with the fewest bits different, int64 (<= k,), and how many bits, int32 (<= k,).

    By (bits, row); nothing for a sketch of zeros.

    Args:
        sketch: uint8 (64,).
        among: uint8 (n, 64), C-contiguous; may be mapped.
        k: rows wanted.
    """
    import faiss

    if not len(among) or not sketch.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int32)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # of one query, the others would only wait, and spin meanwhile
    try:
        distances, rows = faiss.knn_hamming(sketch[None], among, min(k, len(among)))
    finally:
        faiss.omp_set_num_threads(threads)
    order = np.lexsort((rows[0], distances[0]))
    return rows[0][order].astype(np.int64), distances[0][order].astype(np.int32)


def _counts(some: NDArray[np.uint64], starts: NDArray[np.int64], wanted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the hashed and signed 3-gram counts of each key, float32 (n, BUCKETS); zeros for keys that are not wanted."""
    n = len(starts) - 1
    if len(some) < GRAM:
        return np.zeros((n, BUCKETS), np.float32)
    key = np.repeat(np.arange(n), np.diff(starts))[: len(some) - GRAM + 1]
    inside = np.flatnonzero((np.arange(len(key)) + GRAM <= starts[key + 1]) & wanted[key])
    hashes = mixed(rolling(some, GRAM)[inside])
    bucket = key[inside] * BUCKETS + (hashes % np.uint64(BUCKETS)).astype(np.int64)
    sign = 1.0 - 2.0 * ((hashes >> np.uint64(32)) & np.uint64(1)).astype(np.float64)
    return np.bincount(bucket, sign, minlength=n * BUCKETS).astype(np.float32).reshape(n, BUCKETS)


@lru_cache(maxsize=1)
def _projections() -> NDArray[np.float32]:
    """Return random signs, float32 (BUCKETS, BITS); the same on every machine."""
    places = np.arange(BUCKETS * BITS, dtype=np.uint64).reshape(BUCKETS, BITS)
    return 1 - 2 * (mixed(mixed(places + np.uint64(1))) >> np.uint64(63)).astype(np.float32)
