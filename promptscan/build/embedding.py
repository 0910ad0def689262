"""The embed stage: vectors for clean texts that have none yet, in segments that a killed run leaves finished."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import duckdb
import numpy as np

from promptscan.config import DEFAULT_ENCODER
from promptscan.embed import embed_texts
from promptscan.encoders import Encoder, load_encoder
from promptscan.sql import arrow, literal, one
from promptscan.store import EncoderRef, Writer
from promptscan.types import Progress

PART = 131_072  # texts a segment: what a killed run loses at most


@dataclass(frozen=True, slots=True)
class EmbedReport:
    """How many clean texts were embedded, into how many chunk vectors beside their own."""

    texts: int = 0
    chunks: int = 0


def embed(writer: Writer, encoder_name: str, device: str | None, *, progress: Progress) -> EmbedReport:
    """Embed what is new in the draft.

    Raises:
        StoreError: the store has vectors of another encoder.
    """
    n_cleans = sum(int(segment.meta["n_cleans"]) for segment in writer.manifest.of_kind("cleans"))
    done = sum(int(segment.meta["n"]) for segment in writer.manifest.of_kind("vectors"))
    if done == n_cleans:
        return EmbedReport()
    encoder = load_encoder(encoder_name, device=device)
    identity = encoder.identity
    writer.use_encoder(EncoderRef(identity.name, identity.digest, identity.dim))
    chunks = 0
    with writer.connect() as con:
        for first in range(done, n_cleans, PART):
            stop = min(first + PART, n_cleans)
            chunks += _embed_part(writer, con, encoder, first, stop, (done, n_cleans), progress)
    return EmbedReport(n_cleans - done, chunks)


def store_encoder(writer: Writer, device: str | None) -> Encoder:
    """Load the encoder of the draft's vectors.

    Raises:
        StoreError: it is no longer the one that they were made with.
        PromptscanError: it can't be loaded.
    """
    encoder = load_encoder(writer.manifest.encoder.name if writer.manifest.encoder else DEFAULT_ENCODER, device=device)
    identity = encoder.identity
    writer.use_encoder(EncoderRef(identity.name, identity.digest, identity.dim))
    return encoder


def _embed_part(
    writer: Writer,
    con: duckdb.DuckDBPyConnection,
    encoder: Encoder,
    first: int,
    stop: int,
    whole: tuple[int, int],
    progress: Progress,
) -> int:
    """Embed the clean texts `first`..`stop` into a segment, or adopt the one that an interrupted run left."""
    rows = "base_cleans WHERE clean_id >= $1 AND clean_id < $2"
    digest = one(con, f"SELECT sha256(string_agg(digest::VARCHAR, '' ORDER BY clean_id)) FROM {rows}", [first, stop])
    key = hashlib.sha256(f"vectors|{first}|{digest}|{encoder.identity.digest}".encode()).hexdigest()
    known = writer.find("vectors", key)
    if known:
        writer.adopt(known)
        progress("embed", stop - whole[0], whole[1] - whole[0])
        return int(known.meta["chunks"])
    table = arrow(con, f"SELECT clean FROM {rows} ORDER BY clean_id", [first, stop])
    base = first - whole[0]
    result = embed_texts(
        encoder, table["clean"].to_pylist(), progress=lambda n: progress("embed", base + n, whole[1] - whole[0])
    )
    meta = {"n": stop - first, "first_clean": first, "chunks": len(result.chunk_text)}
    with writer.segment("vectors", key=key, meta=meta) as directory:
        np.save(directory / "vectors.npy", result.vectors, allow_pickle=False)
        np.save(directory / "chunks.npy", result.chunk_vectors, allow_pickle=False)
        np.save(directory / "chunk_cleans.npy", result.chunk_text + first, allow_pickle=False)
        spans = {"clean_id": result.chunk_text + first, "start_char": result.chunk_start, "end_char": result.chunk_end}
        con.register("spans", {name: np.ascontiguousarray(values) for name, values in spans.items()})
        query = "SELECT clean_id, row_number() OVER () - 1 AS chunk, start_char, end_char FROM spans"
        con.execute(
            f"COPY ({query}) TO {literal(str(directory / 'chunks.parquet'))} (FORMAT parquet, COMPRESSION zstd)"
        )
        con.unregister("spans")
    return len(result.chunk_text)
