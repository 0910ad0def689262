"""banks: what a generation knows of people's examples. Their fingerprints, and which texts are made of them.

A text is *known* to a bank when nearly all of its fingerprints are in one of the bank's texts: it is a copy, a light edit or a
part of it. What someone adds to a benign example is not in the bank, so it does not make a text benign. A text is also
known to a bank of bad examples when it holds nearly all of one of them, whatever stands around it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.curation import Kind
from promptscan.disguise import examine
from promptscan.fingerprint import NGRAM, WINDOW, Fingerprints
from promptscan.folds import folds
from promptscan.postings import Postings, build_postings, containment
from promptscan.store import Files, Manifest

KNOWN = (
    0.8  # share of a text's fingerprints (or of a bad example's) that makes the text known; docs/decisions/010-banks.md
)
FREQUENT = 8  # texts of the benign banks with a fingerprint that make it common property; docs/decisions/010-banks.md
FEW = 3  # fingerprints below which sharing them says too little: the match keys have to be equal
WHOLE = 64  # bits of a fingerprint
HOT = 16  # texts of a bank with a fingerprint from which on it counts as shared with each of them, unlisted
STEP = 1 << 20  # fingerprints looked up at a time; memory is HOT times as many pairs at most

Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class BankIndex:
    """The fingerprints of a bank's texts, turned round.

    Attributes:
        hashes: ascending, each once. uint64 (u,).
        sizes: how many of the bank's texts have each. int64 (u,).
        indptr: the texts with hash i are texts[indptr[i]:indptr[i + 1]]; none are listed of more than HOT. int64 (u + 1,).
        texts: numbers of texts. int32.
        counts: fingerprints of each text. int64 (t,).
        hot: those of them that more than HOT texts have. int64 (t,).
        keys: digests of the match keys, ascending, each once. uint64.
        kind: what the texts are examples of.
        bits: how many low bits of fingerprints the bank has, and its hashes are; fewer than 64 in what others shared.
    """

    hashes: UInt64
    sizes: Int64
    indptr: Int64
    texts: NDArray[np.int32]
    counts: Int64
    hot: Int64
    keys: UInt64
    kind: Kind
    bits: int = WHOLE

    @classmethod
    def of_texts(cls, texts: pa.Array, kind: Kind) -> Self:
        """Fingerprint and index clean texts, large_string (t,)."""
        seen = examine(texts)
        found, keys = seen.fingerprints, np.unique(key_digests(seen.keys))
        return cls.of_fingerprints(found.hashes, found.texts, len(texts), keys, kind)

    @classmethod
    def of_fingerprints(
        cls, hashes: UInt64, owners: Int64, n: int, keys: UInt64, kind: Kind, *, bits: int = WHOLE
    ) -> Self:
        """Index the fingerprints of n examples.

        Args:
            hashes: those of the first example, then of the second, ...; no hash twice in one. uint64 (f,).
            owners: the example of each, ascending. int64 (f,).
            n: how many examples there are.
            keys: digests of their match keys, ascending, each once; none, and what shares few fingerprints is not known. uint64.
            kind: what they are examples of.
            bits: how many low bits of fingerprints the hashes are.
        """
        whole = build_postings(hashes, owners)
        sizes = np.diff(whole.indptr).astype(np.int64)
        rare = sizes <= HOT
        indptr = np.r_[0, np.where(rare, sizes, 0).cumsum()].astype(np.int64)
        crowded = whole.texts[np.repeat(~rare, sizes)]
        counts, hot = (np.bincount(some, minlength=n) for some in (whole.texts, crowded))
        listed = whole.texts[np.repeat(rare, sizes)]
        return cls(whole.hashes, sizes, indptr, listed, counts, hot, keys, kind, bits)

    def comparable(self, hashes: UInt64) -> UInt64:
        """Return as many bits of fingerprints as the bank has."""
        return hashes if self.bits == WHOLE else hashes & np.uint64((1 << self.bits) - 1)

    def has(self, hashes: UInt64) -> NDArray[np.bool_]:
        """Tell which fingerprints, each given once, the bank has."""
        return np.isin(self.comparable(hashes), self.hashes, assume_unique=self.bits == WHOLE)

    def save(self, directory: Path) -> None:
        """Write the arrays."""
        for name in _ARRAYS:
            np.save(directory / f"{name}.npy", getattr(self, name), allow_pickle=False)


_ARRAYS = tuple(field.name for field in fields(BankIndex) if field.name not in {"kind", "bits"})


@dataclass(frozen=True, slots=True)
class Known:
    """Texts that a bank knows, ascending.

    Attributes:
        texts: numbers of texts. int64 (k,).
        scores: share of the text that is in the bank; for bad banks that of an example in the text if it is larger.
            float64 (k,), KNOWN..1.
    """

    texts: Int64
    scores: NDArray[np.float64]


def load_banks(files: Files) -> dict[str, BankIndex]:
    """Map the banks of a generation or draft, by name."""
    loaded = {}
    for segment in files.manifest.of_kind("banks"):
        arrays: dict[str, Any] = {
            name: np.load(files.verified(segment.file(f"{name}.npy")), mmap_mode="r", allow_pickle=False)
            for name in _ARRAYS
        }
        kind, bits = Kind(segment.meta["kind"]), int(segment.meta.get("bits", WHOLE))
        loaded[str(segment.meta["bank"])] = BankIndex(**arrays, kind=kind, bits=bits)
    return loaded


def bank_digest(manifest: Manifest) -> str:
    """Digest what the benign banks leave out of the candidates; empty without such banks."""
    names = [one.name for one in manifest.of_kind("banks") if one.meta["kind"] == Kind.BENIGN]
    return hashlib.sha256("|".join([str(FREQUENT), *names]).encode()).hexdigest() if names else ""


def recipe() -> str:
    """Return what a bank's index depends on beside its texts."""
    return f"banks|{NGRAM}|{WINDOW}|{HOT}|{folds().version}"


def frequent_fingerprints(files: Files, *, min_texts: int = FREQUENT) -> UInt64:
    """Return the hashes that at least `min_texts` texts of the benign banks together have, ascending. uint64 (h,).

    To be left out when texts are paired: what many public prompts have in common ties nobody together.
    """
    benign = [bank for bank in load_banks(files).values() if bank.kind is Kind.BENIGN]
    hashes = np.concatenate([np.zeros(0, np.uint64), *(bank.hashes for bank in benign)])
    sizes = np.concatenate([np.zeros(0, np.int64), *(bank.sizes for bank in benign)])
    unique, place = np.unique(hashes, return_inverse=True)
    found: UInt64 = unique[np.bincount(place, sizes, minlength=len(unique)) >= min_texts]
    return found


def known(texts: Sequence[str], banks: dict[str, BankIndex]) -> dict[str, Known]:
    """Return which of some clean texts each bank knows; texts are numbered from 0."""
    seen = examine(pa.array(texts, pa.large_string()))
    digests = key_digests(seen.keys)
    counts = np.bincount(seen.fingerprints.texts, minlength=len(texts))
    return {name: match(bank, seen.fingerprints, counts, lambda some: digests[some]) for name, bank in banks.items()}


def match(
    bank: BankIndex, found: Fingerprints, counts: Int64, keys_of: Callable[[Int64], UInt64], *, first: int = 0
) -> Known:
    """Find the texts that a bank knows.

    Args:
        bank: its index.
        found: fingerprints of texts, each once a text, ascending by text; those the bank has not may be missing.
        counts: how many each text has in all; text number `first` is at 0. int64.
        keys_of: returns the digests of the match keys of some texts (by number).
        first: number of the first text.

    Returns:
        Known texts. A fingerprint that more than HOT of the bank's texts have counts as shared with whichever text the others
        point at: the work follows the fingerprints of the texts, not the size of a crowd in the bank.
    """
    parts = [_best(bank, _part(found, *bounds), counts, first) for bounds in _steps(found.texts)]  # a text is never cut
    texts = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in parts)])
    scores = np.concatenate([np.zeros(0), *(part[1] for part in parts)])
    few = np.concatenate([np.zeros(0, np.bool_), *(part[2] for part in parts)])
    equal = np.isin(keys_of(texts[few]), bank.keys)
    kept = ~few
    kept[few] = equal
    scores[few] = 1.0
    return Known(texts[kept], scores[kept])


def key_digests(keys: pa.Array) -> UInt64:
    """Return a 64-bit digest of each match key, uint64 (n,)."""
    digests = (hashlib.blake2b(key.encode(), digest_size=8).digest() for key in keys.to_pylist())
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def _best(
    bank: BankIndex, found: Fingerprints, counts: Int64, first: int
) -> tuple[Int64, NDArray[np.float64], NDArray[np.bool_]]:
    """Return the texts with a score of at least KNOWN, their scores, and which of these rest on few fingerprints."""
    mine = _shared(bank, found)
    crowded = mine.texts[bank.sizes[np.searchsorted(bank.hashes, mine.hashes)] > HOT]
    hot_texts, hot = np.unique(crowded, return_counts=True)
    pairs = containment(mine, Postings(bank.hashes, bank.indptr, bank.texts))
    text = np.concatenate([pairs.queries, hot_texts])
    listed = np.concatenate([pairs.shared.astype(np.int64), np.zeros(len(hot_texts), np.int64)])
    shared_hot = np.concatenate([_at(hot_texts, hot, pairs.queries), hot])
    shared = listed + shared_hot
    score = shared / counts[text - first]
    if bank.kind is Kind.BAD:
        example = np.concatenate([pairs.texts.astype(np.int64), np.full(len(hot_texts), -1)])
        in_text = (listed + np.minimum(shared_hot, bank.hot[example])) / bank.counts[example]
        score = np.maximum(score, np.where((example >= 0) & (shared >= FEW), in_text, 0.0))
    order = np.lexsort((-score, text))
    text, score, shared = text[order], np.minimum(score[order], 1.0), shared[order]
    best = np.r_[True, text[1:] != text[:-1]][: len(text)] & (score >= KNOWN)
    return text[best], score[best], shared[best] < FEW


def _shared(bank: BankIndex, found: Fingerprints) -> Fingerprints:
    """Return the fingerprints that the bank has, as it has them, each once a text."""
    hashes = bank.comparable(found.hashes)
    place = np.minimum(np.searchsorted(bank.hashes, hashes), max(len(bank.hashes) - 1, 0))
    has = bank.hashes[place] == hashes if len(bank.hashes) else np.zeros(len(place), np.bool_)
    mine = Fingerprints(hashes[has], found.texts[has], found.positions[has])
    if bank.bits == WHOLE:
        return mine
    order = np.lexsort((mine.hashes, mine.texts))
    hashes, texts = mine.hashes[order], mine.texts[order]
    new = np.r_[True, (hashes[1:] != hashes[:-1]) | (texts[1:] != texts[:-1])][: len(texts)]
    return Fingerprints(hashes[new], texts[new], mine.positions[order][new])


def _at(texts: Int64, values: Int64, wanted: Int64) -> Int64:
    """Look up the values of some texts (ascending), 0 for others."""
    if not len(texts):
        return np.zeros(len(wanted), np.int64)
    place = np.minimum(np.searchsorted(texts, wanted), len(texts) - 1)
    return np.where(texts[place] == wanted, values[place], 0)


def _part(found: Fingerprints, start: int, stop: int) -> Fingerprints:
    return Fingerprints(found.hashes[start:stop], found.texts[start:stop], found.positions[start:stop])


def _steps(texts: Int64) -> list[tuple[int, int]]:
    """Cut ascending texts into spans of about STEP that begin with a text's first fingerprint."""
    cuts = np.unique(np.searchsorted(texts, texts[::STEP]))
    bounds = [*cuts.tolist(), len(texts)]
    return [(a, b) for a, b in pairwise(bounds) if a < b]
