"""The fingerprint stage: an inverted index of the clean texts' fingerprints, in segments that are only added to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from promptscan.disguise import Examined, examine
from promptscan.fingerprint import NGRAM, WINDOW, concatenate
from promptscan.folds import folds
from promptscan.matchkey import buffers
from promptscan.normalise import pool_map
from promptscan.postings import build_postings
from promptscan.sketch import BITS, Bits, sketches
from promptscan.sql import LOOKUP_GROUP, arrow, copy_parquet
from promptscan.store import Writer
from promptscan.types import Progress

PART = 262_144  # texts a segment: bounds memory, and what a killed run loses
BATCH = 16_384  # texts a step
KEPT = 4_096  # letters of a match key that are kept, to be compared with those of queries


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
    recipe = f"fingerprints 4|{KEPT}|{NGRAM}|{WINDOW}|{BITS}|{folds().version}|{first}|{stop}|{parents}"
    key = hashlib.sha256(recipe.encode()).hexdigest()
    known = writer.find("fingerprints", key)
    if known:
        writer.adopt(known)
        return int(known.meta["fingerprints"]), int(known.meta["decoded"])
    parts, shares, sketched, keys, hidden = [], [], [], [], 0
    with ThreadPoolExecutor(2) as pool:
        for found, bits in pool_map(pool, _batch, _batches(con, first, stop)):
            parts.append(found.fingerprints)
            shares.append((found.folded, found.decoded, found.disguised))
            sketched.append(bits)
            keys.append(pc.utf8_slice_codeunits(found.keys, 0, KEPT))
            hidden += found.hiding
            progress("fingerprint", min(first + BATCH * len(parts), stop) - whole[0], whole[1] - whole[0])
    both = concatenate(parts)
    postings = build_postings(both.hashes, both.texts)
    meta = {"n": stop - first, "first": first, "fingerprints": len(both.hashes), "decoded": hidden}
    with writer.segment("fingerprints", key=key, meta=meta) as directory:
        for name in ("hashes", "indptr", "texts"):
            np.save(directory / f"{name}.npy", getattr(postings, name), allow_pickle=False)
        np.save(directory / "sizes.npy", np.bincount(both.texts - first, minlength=stop - first).astype(np.int32))
        folded, undone, disguised = (np.concatenate(share) for share in zip(*shares, strict=True))
        rows = np.flatnonzero(disguised)
        table = pa.table({"clean_id": rows + first, "folded": folded[rows], "decoded": undone[rows]})
        con.register("shares", table)
        copy_parquet(con, "FROM shares ORDER BY clean_id", directory / "clean_folds.parquet", group=LOOKUP_GROUP)
        con.unregister("shares")
        np.save(directory / "sketches.npy", np.concatenate(sketched), allow_pickle=False)
        offsets, data = buffers(pa.concat_arrays(keys))
        np.save(directory / "key_offsets.npy", offsets, allow_pickle=False)
        np.save(directory / "keys.npy", data, allow_pickle=False)
    return len(both.hashes), hidden


def _batches(con: duckdb.DuckDBPyConnection, first: int, stop: int) -> Iterator[pa.Table]:
    query = "SELECT clean_id, clean FROM base_cleans WHERE clean_id >= $1 AND clean_id < $2 ORDER BY clean_id"
    for start in range(first, stop, BATCH):
        yield arrow(con, query, [start, min(start + BATCH, stop)])


def _batch(table: pa.Table) -> tuple[Examined, Bits]:
    texts = table["clean"].combine_chunks().cast(pa.large_string())
    found = examine(texts, first_text=int(table["clean_id"][0].as_py()))
    return found, sketches(found.keys)
