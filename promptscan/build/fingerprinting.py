"""The fingerprint stage: an inverted index of the clean texts' fingerprints, in segments that are only added to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.decode import decoded
from promptscan.fingerprint import NGRAM, WINDOW, Fingerprints, concatenate, fingerprints
from promptscan.folds import folds
from promptscan.matchkey import match_keys
from promptscan.normalise import pool_map
from promptscan.postings import build_postings
from promptscan.sql import arrow
from promptscan.store import Writer
from promptscan.types import Progress

PART = 262_144  # texts a segment: bounds memory, and what a killed run loses
BATCH = 16_384  # texts a step


@dataclass(frozen=True, slots=True)
class FingerprintReport:
    """How many clean texts were fingerprinted, with how many fingerprints, and how many hid encoded content."""

    texts: int = 0
    fingerprints: int = 0
    decoded: int = 0


def fingerprint(writer: Writer, *, progress: Progress) -> FingerprintReport:
    """Fingerprint what is new in the draft, what its encodings hide included."""
    n_cleans = sum(int(segment.meta["n_cleans"]) for segment in writer.manifest.of_kind("cleans"))
    done = sum(int(segment.meta["n"]) for segment in writer.manifest.of_kind("fingerprints"))
    total = hidden = 0
    with writer.connect() as con:
        for first in range(done, n_cleans, PART):
            stop = min(first + PART, n_cleans)
            made, found = _part(writer, con, first, stop, (done, n_cleans), progress)
            total, hidden = total + made, hidden + found
    return FingerprintReport(n_cleans - done, total, hidden)


def _part(
    writer: Writer, con: duckdb.DuckDBPyConnection, first: int, stop: int, whole: tuple[int, int], progress: Progress
) -> tuple[int, int]:
    """Fingerprint the clean texts `first`..`stop` into a segment, or adopt what an interrupted run left."""
    parents = "|".join(segment.name for segment in writer.manifest.of_kind("cleans"))
    recipe = f"fingerprints|{NGRAM}|{WINDOW}|{folds().version}|{first}|{stop}|{parents}"
    key = hashlib.sha256(recipe.encode()).hexdigest()
    known = writer.find("fingerprints", key)
    if known:
        writer.adopt(known)
        return int(known.meta["fingerprints"]), int(known.meta["decoded"])
    parts, hidden = [], 0
    with ThreadPoolExecutor(2) as pool:
        for own, found in pool_map(pool, _batch, _batches(con, first, stop)):
            parts.append(own)
            hidden += found
            progress("fingerprint", min(first + BATCH * len(parts), stop) - whole[0], whole[1] - whole[0])
    both = concatenate(parts)
    postings = build_postings(both.hashes, both.texts)
    meta = {"n": stop - first, "first": first, "fingerprints": len(both.hashes), "decoded": hidden}
    with writer.segment("fingerprints", key=key, meta=meta) as directory:
        for name in ("hashes", "indptr", "texts"):
            np.save(directory / f"{name}.npy", getattr(postings, name), allow_pickle=False)
    return len(both.hashes), hidden


def _batches(con: duckdb.DuckDBPyConnection, first: int, stop: int) -> Iterator[pa.Table]:
    query = "SELECT clean_id, clean FROM base_cleans WHERE clean_id >= $1 AND clean_id < $2 ORDER BY clean_id"
    for start in range(first, stop, BATCH):
        yield arrow(con, query, [start, min(start + BATCH, stop)])


def _batch(table: pa.Table) -> tuple[Fingerprints, int]:
    """Fingerprint some texts and what they hide; a hash stands once a text."""
    texts = table["clean"].combine_chunks().cast(pa.large_string())
    first = int(table["clean_id"][0].as_py())
    own = fingerprints(match_keys(texts), first_text=first)
    hidden = decoded(texts)
    if not len(hidden.text_index):
        return own, 0
    inner = fingerprints(match_keys(hidden.text))
    owners: NDArray[np.int64] = hidden.text_index[inner.texts] + first
    hashes, numbers = np.concatenate([own.hashes, inner.hashes]), np.concatenate([own.texts, owners])
    positions = np.concatenate([own.positions, np.full(len(owners), -1, dtype=np.int32)])
    order = np.lexsort((hashes, numbers))
    hashes, numbers, positions = hashes[order], numbers[order], positions[order]
    once = np.ones(len(hashes), dtype=bool)
    once[1:] = (hashes[1:] != hashes[:-1]) | (numbers[1:] != numbers[:-1])
    return Fingerprints(hashes[once], numbers[once], positions[once]), len(np.unique(hidden.text_index))
