"""The banks stage: people's examples become part of the generation, and texts that they know are marked.

Indicators that others shared are banks of bad examples of which nothing but fingerprints is known.

New texts are compared with all banks, all texts with new banks. Hits name the bank by its digest, so those of banks that were
changed or removed stay in their segments and are seen no more.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.banks import BankIndex, key_digests, load_banks, match, recipe
from promptscan.cleans import CleanTexts
from promptscan.curation import Bank, bank_texts, banks
from promptscan.fingerprint import Fingerprints
from promptscan.indicator_sets import SHARED, indicator_banks, indicator_index
from promptscan.matchkey import match_keys
from promptscan.sql import LOOKUP_GROUP, copy_parquet
from promptscan.store import Segment, Writer
from promptscan.types import Progress

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BanksReport:
    """How many banks there are, with how many texts, and how many hits were added (a text may have one of each bank)."""

    banks: int = 0
    examples: int = 0
    hits: int = 0


def keep_banks(writer: Writer, *, progress: Progress) -> BanksReport | None:
    """Bring the draft's banks and hits up to date; None when nothing was to do."""
    current = [*banks(writer.root), *indicator_banks(writer.root)]
    before = writer.manifest.of_kind("banks")
    with writer.connect() as con:
        segments = [_segment(writer, con, bank) for bank in current]
        if [segment.name for segment in segments] != [segment.name for segment in before]:
            writer.drop("banks")
            for segment in segments:
                writer.adopt(segment)
        hits = _mark(writer, con, segments, progress)
    if hits is None and writer.manifest.of_kind("banks") == before:
        return None
    return BanksReport(len(current), sum(bank.n_texts for bank in current), hits or 0)


def _segment(writer: Writer, con: duckdb.DuckDBPyConnection, bank: Bank) -> Segment:
    """Index a bank's texts into a segment, or take the one that there is."""
    key = hashlib.sha256(f"{recipe()}|{bank.bank}|{bank.kind}|{bank.digest}".encode()).hexdigest()
    known = next((one for one in writer.manifest.of_kind("banks") if one.meta["digest"] == key), None)
    known = known or writer.find("banks", key)
    if known:
        return known
    shared = bank.bank.startswith(SHARED)
    index = (
        indicator_index(writer.root, bank.bank)
        if shared
        else BankIndex.of_texts(bank_texts(writer.root, bank.bank), bank.kind)
    )
    meta = {"bank": bank.bank, "kind": bank.kind.value, "n": bank.n_texts, "digest": key, "bits": index.bits}
    with writer.segment("banks", key=key, meta=meta) as directory:
        index.save(directory)
        row = {"bank_digest": [key], "bank": [bank.bank], "kind": [bank.kind.value], "n_texts": [bank.n_texts]}
        con.register("bank_row", pa.table(row))
        copy_parquet(con, "FROM bank_row", directory / "banks.parquet")
        con.unregister("bank_row")
    return writer.manifest.of_kind("banks")[-1]


def _mark(writer: Writer, con: duckdb.DuckDBPyConnection, segments: list[Segment], progress: Progress) -> int | None:
    """Find what banks know among the texts that were not compared with them yet; returns the new hits, None if no such text."""
    n = sum(int(segment.meta["n"]) for segment in writer.manifest.of_kind("fingerprints"))
    waiting: dict[int, list[Segment]] = defaultdict(list)  # banks by the first text that they have not seen
    for segment in segments:
        seen = [one for one in writer.manifest.of_kind("bank_hits") if segment.meta["digest"] in one.meta["banks"]]
        waiting[max((int(one.meta["stop"]) for one in seen), default=0)].append(segment)
    total: int | None = None
    for first, asking in sorted(waiting.items()):
        if first < n:
            total = (total or 0) + _mark_from(writer, con, asking, first, n, progress)
    return total


def _mark_from(
    writer: Writer, con: duckdb.DuckDBPyConnection, asking: list[Segment], first: int, stop: int, progress: Progress
) -> int:
    """Compare the texts `first`..`stop` with some banks, into a segment; or adopt what an interrupted run left."""
    digests = [str(segment.meta["digest"]) for segment in asking]
    parents = [segment.name for segment in writer.manifest.of_kind("fingerprints")]
    key = hashlib.sha256("|".join(["bank_hits", str(first), str(stop), *digests, *parents]).encode()).hexdigest()
    known = writer.find("bank_hits", key)
    if known:
        writer.adopt(known)
        return int(known.meta["hits"])
    loaded = load_banks(writer)
    rows: list[tuple[Int64, str, NDArray[np.float64]]] = []
    for segment in writer.manifest.of_kind("fingerprints"):
        start, end = int(segment.meta["first"]), int(segment.meta["first"]) + int(segment.meta["n"])
        if end <= first:
            continue
        for bank in asking:
            index = loaded[str(bank.meta["bank"])]
            found, counts = _fingerprints(writer, segment, index, first)
            hits = match(index, found, counts, lambda some: _keys(writer, some), first=start)
            rows.append((hits.texts, str(bank.meta["digest"]), hits.scores))
        progress("banks", end - first, stop - first)
    table = pa.table(
        {
            "clean_id": np.concatenate([texts for texts, _, _ in rows]),
            "bank_digest": [digest for texts, digest, _ in rows for _ in range(len(texts))],
            "score": np.concatenate([scores for _, _, scores in rows]),
        },
        schema=pa.schema([("clean_id", pa.int64()), ("bank_digest", pa.string()), ("score", pa.float64())]),
    )
    meta = {"banks": digests, "first": first, "stop": stop, "hits": len(table)}
    with writer.segment("bank_hits", key=key, meta=meta) as directory:
        con.register("hits", table)
        copy_parquet(con, "FROM hits ORDER BY ALL", directory / "bank_hits.parquet", group=LOOKUP_GROUP)
        con.unregister("hits")
    return len(table)


def _fingerprints(writer: Writer, segment: Segment, bank: BankIndex, first: int) -> tuple[Fingerprints, Int64]:
    """Return the fingerprints that texts from number `first` on share with a bank, and how many each text of the segment has."""
    hashes, indptr, texts, counts = (
        np.load(writer.verified(segment.file(f"{name}.npy")), mmap_mode="r", allow_pickle=False)
        for name in ("hashes", "indptr", "texts", "sizes")
    )
    shared = np.flatnonzero(bank.has(hashes))
    sizes = indptr[shared + 1] - indptr[shared]
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    owners = np.asarray(texts[np.repeat(indptr[shared], sizes) + within], dtype=np.int64)
    listed = np.repeat(np.asarray(hashes[shared]), sizes)
    order = np.argsort(owners, kind="stable")
    order = order[owners[order] >= first]
    return Fingerprints(listed[order], owners[order], np.zeros(len(order), np.int32)), counts


def _keys(writer: Writer, clean_ids: Int64) -> NDArray[np.uint64]:
    """Return the digests of the match keys of some clean texts, ascending by id."""
    return key_digests(match_keys(CleanTexts(writer).array(clean_ids)))
