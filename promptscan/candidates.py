"""Candidates: pairs of clean texts worth comparing, of which at least one is new. Both views propose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from promptscan.fingerprint import Fingerprints
from promptscan.graph import Graph
from promptscan.postings import Postings, candidate_pairs
from promptscan.store import Files

NEAR = 0.775  # chord, cosine 0.7: neighbours from here on are candidates (docs/decisions/007)
NEAREST = 4  # of them; groups need a way to each other, not every pair
BUCKET = 4  # texts of one fingerprint that are all compared with all; more are compared with two of them
OLD = 64  # old texts of one fingerprint and segment that may share a passage with new ones

Int64 = NDArray[np.int64]


def load_postings(files: Files) -> list[Postings]:
    """Map the inverted fingerprint index of every segment; nothing is read yet."""
    found = []
    for segment in files.manifest.of_kind("fingerprints"):
        hashes, indptr, texts = (
            np.load(files.verified(segment.file(f"{name}.npy")), mmap_mode="r", allow_pickle=False)
            for name in ("hashes", "indptr", "texts")
        )
        found.append(Postings(hashes, indptr, texts, int(segment.meta["first"]) + int(segment.meta["n"])))
    return found


def propose(
    postings: list[Postings],
    graph: Graph,
    first_new: int,
    *,
    ignore: NDArray[np.uint64] | None = None,
    near: float = NEAR,
    nearest: int = NEAREST,
) -> Int64:
    """Propose pairs.

    Args:
        postings: inverted fingerprint index, segment by segment.
        graph: the neighbour graph.
        first_new: clean id of the first new text; older ones were compared with each other before.
        ignore: fingerprints that propose nothing, such as the frequent ones of benign banks. uint64 (i,), sorted.
        near: largest distance of a neighbour that is proposed, chord, 0..2.
        nearest: most neighbours of a text that are proposed.

    Returns:
        int64 (p, 2), a < b, b new; sorted, each once. Of a fingerprint's old texts only the first few are proposed, which is
        enough to meet their group; the cost follows the new texts and the fingerprints they share.
    """
    fresh = [_texts_from(one, first_new) for one in postings]
    hashes = np.unique(np.concatenate([np.zeros(0, np.uint64), *(found.hashes for found in fresh)]))
    if ignore is not None:
        hashes = np.setdiff1d(hashes, ignore, assume_unique=True)
    old = [_first_of(one, hashes, first_new) for one in postings]
    both = [*fresh, *old]
    owners = np.concatenate([np.zeros(0, np.int64), *(found.texts for found in both)])
    order = np.argsort(owners, kind="stable")
    listed = np.concatenate([np.zeros(0, np.uint64), *(found.hashes for found in both)])[order]
    lexical = candidate_pairs(
        Fingerprints(listed, owners[order], np.zeros(len(order), dtype=np.int32)), max_bucket=BUCKET, ignore=ignore
    )
    closest_to, chords = graph.neighbours[:, :nearest], graph.distances[:, :nearest]
    with_new = closest_to >= first_new
    with_new[first_new:] = True
    source, column = np.nonzero(with_new & (chords <= near))
    target = closest_to[source, column].astype(np.int64)
    a = np.concatenate([lexical.a, np.minimum(source, target)])
    b = np.concatenate([lexical.b, np.maximum(source, target)])
    codes = np.sort((a << 32 | b)[b >= first_new])
    codes = codes[np.diff(codes, prepend=-1) > 0]
    return np.stack([codes >> 32, codes & 0xFFFFFFFF], axis=1)


def anchors_from(
    postings: list[Postings], first_new: int, free: NDArray[np.bool_], *, ignore: NDArray[np.uint64]
) -> Fingerprints:
    """Return the fingerprints that new texts have, of all texts that have them, so that shared passages can be found.

    Args:
        postings: inverted fingerprint index, segment by segment.
        first_new: clean id of the first new text.
        free: texts that count, by clean id. bool (n,).
        ignore: fingerprints to leave out. uint64 (i,), sorted.

    Returns:
        Each hash once a text; of a hash's old texts at most `OLD` of each segment, the first ones, are looked at.
    """
    parts = [_texts_from(one, first_new) for one in postings]
    if first_new:
        wanted = np.unique(np.concatenate([np.zeros(0, np.uint64), *(found.hashes for found in parts)]))
        parts += [_first_of(one, wanted, first_new, OLD) for one in postings]
    hashes = np.concatenate([np.zeros(0, np.uint64), *(found.hashes for found in parts)])
    owners = np.concatenate([np.zeros(0, np.int64), *(found.texts for found in parts)])
    kept = free[owners]
    if len(ignore):
        kept &= ~np.isin(hashes, ignore)
    return Fingerprints(hashes[kept], owners[kept], np.zeros(int(kept.sum()), dtype=np.int32))


def _texts_from(postings: Postings, first: int) -> Fingerprints:
    """Return the fingerprints of the texts from number `first` on."""
    if not len(postings.texts) or (postings.stop is not None and postings.stop <= first):
        return _nothing()
    owners = np.asarray(postings.texts, dtype=np.int64)
    kept = owners >= first
    hashes = np.repeat(np.asarray(postings.hashes), np.diff(postings.indptr))[kept]
    return Fingerprints(hashes, owners[kept], np.zeros(int(kept.sum()), dtype=np.int32))


def _first_of(postings: Postings, hashes: NDArray[np.uint64], first_new: int, most: int = BUCKET) -> Fingerprints:
    """Return, for each of some hashes, the first few old texts that have it."""
    if not len(hashes) or not len(postings.hashes):
        return _nothing()
    bucket = np.minimum(np.searchsorted(postings.hashes, hashes), len(postings.hashes) - 1)
    known = np.flatnonzero(np.asarray(postings.hashes[bucket]) == hashes)
    start, stop = postings.indptr[bucket[known]], postings.indptr[bucket[known] + 1]
    counts = np.minimum(stop - start, most)
    places = np.repeat(start, counts) + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    owners = np.asarray(postings.texts[places], dtype=np.int64)
    old = owners < first_new
    return Fingerprints(np.repeat(hashes[known], counts)[old], owners[old], np.zeros(int(old.sum()), dtype=np.int32))


def _nothing() -> Fingerprints:
    return Fingerprints(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int32))
