"""Recall of labelled pairs at stated false-positive rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.labelled import LabelledPairs
from promptscan.calibrate import Thresholds, calibrate
from promptscan.fingerprint import fingerprints
from promptscan.matchkey import match_keys
from promptscan.rewords import Cosine, type_rewords
from promptscan.verify import Edges, shared_wording, similarity, threshold_at, verify_pairs

RATES = (1e-2, 1e-3, 1e-4)
REACHES = (0.875, 0.7, 0.5)

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Negatives:
    """Pairs of unrelated texts.

    Attributes:
        scores: each score of all pairs. float32 (p,).
        thresholds: for each rate, calibrated on every second pair.
        observed: for each rate, the share of the other pairs that become edges of any kind.
    """

    scores: dict[str, Float32]
    thresholds: dict[float, Thresholds]
    observed: dict[float, float]


def negatives(texts: list[str], pairs: Int64, cosines: Mapping[str, Cosine]) -> Negatives:
    """Score unrelated pairs, and calibrate on half of them."""
    rates = [rate for rate in RATES if len(pairs) // 2 * rate >= 1]
    thresholds = {rate: calibrate(texts, cosines["cosine"], pairs[::2], false_positive_rate=rate) for rate in rates}
    others = typed(texts, pairs[1::2], cosines["cosine"])
    observed = {rate: len(others.at_least(thresholds[rate].by_relation()).a) / len(others.a) for rate in rates}
    return Negatives(scores(texts, pairs, cosines), thresholds, observed)


def recall(labelled: LabelledPairs, cosines: Mapping[str, Cosine], unrelated: Negatives) -> dict[str, dict[str, float]]:
    """Return for each score, and for edges, the share of the related pairs that is found at each rate that can be stated."""
    edges = typed(labelled.texts, labelled.related, cosines["cosine"])
    found = {
        name: {
            f"{rate:g}": float((own >= threshold_at(unrelated.scores[name], rate)).mean())
            for rate in unrelated.thresholds
        }
        for name, own in scores(labelled.texts, labelled.related, cosines).items()
    }
    found["edge"] = {
        f"{rate:g}": len(edges.at_least(thresholds.by_relation()).a) / len(edges.a)
        for rate, thresholds in unrelated.thresholds.items()
    }
    return found


def measured(labelled: LabelledPairs, cosines: Mapping[str, Cosine], human: Negatives) -> dict[str, Any]:
    """Return what is known of a set: recall against human prompts and against its own unrelated pairs."""
    own = negatives(labelled.texts, labelled.unrelated, cosines)
    return {
        "relation": labelled.relation,
        "pairs": len(labelled.related),
        "unrelated": len(labelled.unrelated),
        "human": recall(labelled, cosines, human),
        "own": recall(labelled, cosines, own),
        "own_observed": {f"{rate:g}": share for rate, share in own.observed.items()},
        "within_reach": within_reach(labelled, cosines["cosine"]),
        "own_reword": {f"{rate:g}": one.reword for rate, one in own.thresholds.items()},
    }


def within_reach(labelled: LabelledPairs, cosine: Cosine) -> dict[str, float]:
    """Return the share of related pairs that may be proposed, by the least cosine of proposed neighbours.

    A pair may be proposed when it has a fingerprint in common, or this cosine; other neighbours may still be nearer.
    """
    a, b = np.ascontiguousarray(labelled.related[:, 0]), np.ascontiguousarray(labelled.related[:, 1])
    shared, near = shared_fingerprints(labelled.texts, a, b) > 0, cosine(a, b)
    return {f"{least:g}": float((shared | (near >= least)).mean()) for least in REACHES}


def scores(texts: list[str], pairs: Int64, cosines: Mapping[str, Cosine]) -> dict[str, Float32]:
    """Return each score of pairs, float32 (p,)."""
    a, b = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    return {
        "similarity": similarity(texts, a, b),
        "shared": shared_wording(texts, a, b),
        "fingerprints": shared_fingerprints(texts, a, b),
        **{name: cosine(a, b) for name, cosine in cosines.items()},
    }


def typed(texts: list[str], pairs: Int64, cosine: Cosine) -> Edges:
    """Return the edges that a store would make of pairs, whatever their score."""
    a, b = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    return type_rewords(verify_pairs(texts, a, b), texts, cosine)


def shared_fingerprints(texts: list[str], a: Int64, b: Int64) -> Float32:
    """Return the share of the fingerprints of the text with fewer that the other one has too, 0 for none. float32 (p,)."""
    prints = fingerprints(match_keys(pa.array(texts, pa.large_string())))
    size = np.bincount(prints.texts, minlength=len(texts))
    first = np.cumsum(size) - size
    _, hashes = np.unique(prints.hashes, return_inverse=True)
    kinds = int(hashes.max(initial=0)) + 1
    fewer, more = np.where(size[a] <= size[b], a, b), np.where(size[a] <= size[b], b, a)
    pair = np.repeat(np.arange(len(a)), size[fewer])
    place = np.arange(len(pair)) - np.repeat(np.cumsum(size[fewer]) - size[fewer], size[fewer])
    wanted = more[pair] * kinds + hashes[first[fewer][pair] + place]
    has = np.isin(wanted, prints.texts * kinds + hashes)
    share = np.bincount(pair, has, minlength=len(a)) / np.maximum(size[fewer], 1)
    return share.astype(np.float32)
