"""postings: fingerprints turned round. From a hash to the texts that have it; from there to texts worth comparing.

Nothing here is quadratic in how many texts share a hash: a family of 100,000 copies is the normal case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.errors import UsageError
from promptscan.fingerprint import Fingerprints

PIECE = 1 << 22  # fingerprints sorted at a time; 8 to 16 times as many bytes
MAX_BUCKET = 8  # texts of a hash up to which all of them are paired with all


@dataclass(frozen=True, slots=True)
class Postings:
    """An inverted index: bucket i lists the texts that have hash i.

    Attributes:
        hashes: ascending, each once. uint64 (u,).
        indptr: bucket i is texts[indptr[i]:indptr[i + 1]]. int32 (u + 1,), int64 from 2**31 fingerprints on: most buckets have
            one text, so 8 + 4 + 4 bytes are stored for a fingerprint.
        texts: ascending within a bucket, each once. int32 (f,).
        stop: a number that is above those of all texts, where one is known without reading them.
    """

    hashes: NDArray[np.uint64]
    indptr: NDArray[np.int32] | NDArray[np.int64]
    texts: NDArray[np.int32]
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class Containment:
    """Indexed texts that share fingerprints with queries, sorted by (query, share descending, text).

    Attributes:
        queries: the query's text number. int64 (c,).
        texts: the indexed text. int32 (c,).
        shared: how many of the query's fingerprints it has. int32 (c,).
        share: the same as a share of the query's fingerprints, 0..1. float64 (c,).
    """

    queries: NDArray[np.int64]
    texts: NDArray[np.int32]
    shared: NDArray[np.int32]
    share: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Candidate pairs, a < b, sorted by (a, b), each once.

    Attributes:
        a, b: text numbers. int64 (p,).
        shared: in how many buckets the pair was proposed: at least 1, and at most the number of hashes the two share. int32 (p,).
    """

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    shared: NDArray[np.int32]


def build_postings(hashes: NDArray[np.uint64], texts: NDArray[np.integer]) -> Postings:
    """Invert fingerprints.

    Args:
        hashes: uint64 (f,), in any order.
        texts: text of each, ascending, below 2**31. Integer (f,). No (hash, text) twice.
    """
    _check(hashes, texts)
    unique, sizes, members = [], [], []
    for piece in _pieces(hashes):
        piece_hashes, piece_texts, starts = _by_hash(hashes[piece], texts[piece].astype(np.int32))
        unique.append(piece_hashes[starts])
        sizes.append(np.diff(np.r_[starts, len(piece_hashes)]))
        members.append(piece_texts)
    indptr = np.r_[0, np.concatenate(sizes).cumsum()]
    narrow = np.int32 if len(hashes) < 2**31 else np.int64
    return Postings(np.concatenate(unique), indptr.astype(narrow), np.concatenate(members))


def containment(query: Fingerprints, postings: Postings) -> Containment:
    """Find the indexed texts that share fingerprints with queries, and how much of each query they contain.

    Costs the summed sizes of the buckets that the queries hit; ask with a few thousand queries at a time.
    """
    bucket = np.searchsorted(postings.hashes, query.hashes)
    known = np.flatnonzero(bucket < len(postings.hashes))
    known = known[postings.hashes[bucket[known]] == query.hashes[known]]
    start, stop = (postings.indptr[bucket[known] + step].astype(np.int64) for step in (0, 1))
    sizes = stop - start
    within = np.arange(sizes.sum()) - np.repeat(np.r_[0, sizes.cumsum()[:-1]] if len(sizes) else sizes, sizes)
    numbers, query_of, asked = np.unique(query.texts, return_inverse=True, return_counts=True)
    found = postings.texts[np.repeat(start, sizes) + within].astype(np.uint64)
    pairs, shared = np.unique(_packed(np.repeat(query_of[known], sizes), found), return_counts=True)
    which, texts = (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(2**32 - 1)).astype(np.int32)
    share = shared / asked[which]
    order = np.lexsort((texts, -share, which))
    return Containment(numbers[which][order], texts[order], shared[order].astype(np.int32), share[order])


def candidate_pairs(
    fingerprints: Fingerprints, *, max_bucket: int = MAX_BUCKET, ignore: NDArray[np.uint64] | None = None
) -> Pairs:
    """Propose pairs of texts to compare, without comparing every two texts that share a hash.

    Args:
        fingerprints: of all texts; text numbers below 2**31.
        max_bucket: up to how many texts of one hash are paired all with all, 2 or more.
        ignore: hashes to leave out, such as the frequent ones of a benign bank. uint64 (i,).

    Returns:
        A bucket of m > max_bucket texts proposes two stars, at most 2 (m - 1) pairs: every text with the first text, and every
        text with the first that has the same *sketch*, the least of its hashes that are not ignored (near-copies have the
        same one with the probability of their Jaccard similarity; Broder 1997). What holds for hashes not ignored:

        1. Two texts that share a hash which at most max_bucket texts have are a pair.
        2. Two texts that share a hash are joined by a path of at most two pairs, each of which shares that hash.
        3. So no text that shares a hash with another is left without a pair, and the components of the pairs are those of
           "shares a hash with": a family comes out whole, whatever its size.

        `shared` counts proposals. For rule 1 it is the number of shared hashes with small buckets.

    Raises:
        UsageError: if max_bucket is below 2.
    """
    if max_bucket < 2:
        raise UsageError(f"max_bucket must be at least 2, got {max_bucket}")
    hashes, texts = fingerprints.hashes, fingerprints.texts
    _check(hashes, texts)
    ignored = np.unique(ignore) if ignore is not None else np.zeros(0, np.uint64)
    sketch = _sketches(hashes, texts, ignored)
    proposed, counts = np.zeros(0, np.uint64), np.zeros(0, np.int32)
    waiting: list[tuple[NDArray[np.uint64], NDArray[np.int32]]] = []
    for piece in _pieces(hashes):
        kept = piece[~_among(hashes[piece], ignored)]
        piece_hashes, piece_texts, starts = _by_hash(hashes[kept], texts[kept])
        sizes = np.diff(np.r_[starts, len(piece_hashes)])
        small = _all_pairs(piece_texts, sizes, max_bucket)
        waiting.append(_counted(np.concatenate([*small, *_stars(piece_texts, sizes, max_bucket, sketch)])))
        if sum(len(pairs) for pairs, _ in waiting) > max(len(proposed), 4 * PIECE):
            proposed, counts = _merged([(proposed, counts), *waiting])
            waiting = []
    proposed, counts = _merged([(proposed, counts), *waiting])
    return Pairs(
        (proposed >> np.uint64(32)).astype(np.int64), (proposed & np.uint64(2**32 - 1)).astype(np.int64), counts
    )


def _check(hashes: NDArray[np.uint64], texts: NDArray[np.integer]) -> None:
    if len(texts) and (texts[0] < 0 or texts[-1] >= 2**31 or (np.diff(texts) < 0).any()):
        raise UsageError("texts of fingerprints must ascend from 0 and stay below 2**31")
    if len(hashes) != len(texts):
        raise UsageError(f"as many hashes as texts were wanted, got {len(hashes)} and {len(texts)}")


def _pieces(hashes: NDArray[np.uint64]) -> Iterator[NDArray[np.int64]]:
    """Yield the positions of the hashes of one range after another, ranges ascending, about PIECE at a time."""
    bits = max(int(np.ceil(np.log2(max(len(hashes), 1) / PIECE))), 0)
    if not bits:
        yield np.arange(len(hashes))
        return
    place = (hashes >> np.uint64(64 - bits)).astype(np.uint16)
    for number in range(1 << bits):
        yield np.flatnonzero(place == number)


def _by_hash(
    hashes: NDArray[np.uint64], texts: NDArray[np.integer]
) -> tuple[NDArray[np.uint64], NDArray[np.integer], NDArray[np.int64]]:
    """Return hashes and texts in the order of (hash, text), and where each bucket starts."""
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    return hashes, texts[order], np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]][: len(hashes)])


def _packed(a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Return pairs of numbers below 2**32 as one number each, in the same order."""
    return (a.astype(np.uint64) << np.uint64(32)) | b.astype(np.uint64)


def _all_pairs(texts: NDArray[np.integer], sizes: NDArray[np.int64], max_bucket: int) -> list[NDArray[np.uint64]]:
    """Pair all with all in the buckets of 2 .. max_bucket."""
    small = (sizes > 1) & (sizes <= max_bucket)
    texts, sizes = texts[np.repeat(small, sizes)], sizes[small]
    after = np.repeat(sizes.cumsum(), sizes)  # where each text's bucket ends
    found = []
    for step in range(1, max_bucket):
        at = np.flatnonzero(np.arange(step, len(texts) + step) < after)
        found.append(_packed(texts[at], texts[at + step]))
    return found


def _stars(
    texts: NDArray[np.integer], sizes: NDArray[np.int64], max_bucket: int, sketch: NDArray[np.uint64]
) -> list[NDArray[np.uint64]]:
    """Pair the texts of larger buckets with the first of the bucket, and with the first of those with the same sketch."""
    large = sizes > max_bucket
    texts, sizes = texts[np.repeat(large, sizes)], sizes[large]
    bucket = np.repeat(np.arange(len(sizes)), sizes)
    first = texts[np.r_[0, sizes.cumsum()[:-1]][bucket]] if len(sizes) else texts
    order = np.lexsort((sketch[texts], bucket))  # stable: texts ascend within a sketch
    like = sketch[texts][order]
    turns = np.r_[True, (like[1:] != like[:-1]) | (bucket[order][1:] != bucket[order][:-1])][: len(order)]
    leader = texts[order][np.maximum.accumulate(np.where(turns, np.arange(len(order)), 0))]
    other = texts[order]
    near = (other != leader) & (leader != first[order])
    far = texts != first
    return [_packed(first[far], texts[far]), _packed(leader[near], other[near])]


def _sketches(
    hashes: NDArray[np.uint64], texts: NDArray[np.integer], ignored: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Return the least hash of each text that is not ignored, uint64 (last text + 1,)."""
    sketch = np.full(int(texts[-1]) + 1 if len(texts) else 0, 2**64 - 1, np.uint64)
    for start in range(0, len(hashes), PIECE):
        some, of = hashes[start : start + PIECE], texts[start : start + PIECE]
        some = np.where(_among(some, ignored), np.uint64(2**64 - 1), some)
        starts = np.flatnonzero(np.r_[True, of[1:] != of[:-1]])
        sketch[of[starts]] = np.minimum(sketch[of[starts]], np.minimum.reduceat(some, starts))
    return sketch


def _among(hashes: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell which hashes are among `wanted`, which ascend."""
    if not len(wanted):
        return np.zeros(len(hashes), np.bool_)
    return np.asarray(wanted[np.minimum(np.searchsorted(wanted, hashes), len(wanted) - 1)] == hashes)


def _counted(pairs: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    unique, counts = np.unique(pairs, return_counts=True)
    return unique, counts.astype(np.int32)


def _merged(parts: list[tuple[NDArray[np.uint64], NDArray[np.int32]]]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Add up the counts of equal pairs."""
    pairs, counts = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    order = np.argsort(pairs)
    pairs, counts = pairs[order], counts[order]
    starts = np.flatnonzero(np.r_[True, pairs[1:] != pairs[:-1]][: len(pairs)])
    return pairs[starts], np.add.reduceat(counts, starts, dtype=np.int32) if len(starts) else counts
