"""The probes step: which templates ask for the same thing, found anew from all of them; only new ones are embedded.

They are compared with each other and with reference prompts, the seeds that promptscan ships: prompts of all kinds, in
several languages, the same for every store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.build.embedding import store_encoder
from promptscan.build.grouped import save_rows
from promptscan.embed import embed_texts
from promptscan.normalise import clean
from promptscan.probes import join_templates, skeleton_text
from promptscan.rules import probe_key
from promptscan.seedbanks import banks_digest, load_banks
from promptscan.store import Writer
from promptscan.templates import read_template
from promptscan.vectors import Float16, Float32, Int64, Vectors


@dataclass(frozen=True, slots=True)
class ProbesReport:
    """How many templates there are, how many probes they are of, and how many skeletons were embedded."""

    templates: int = 0
    probes: int = 0
    embedded: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the store knows of its templates.

    Attributes:
        names: ids of the n templates, by number.
        fixed: fixed parts of each, and after them of the s frames that were made of them.
        parents: of each of these the index of the one it is a case of, -1 for none. int64 (n + s,).
    """

    names: list[str]
    fixed: list[tuple[str, ...]]
    parents: Int64


def join_probes(writer: Writer, device: str | None) -> ProbesReport:
    """Make the draft's probes anew from all of its templates.

    Raises:
        StoreError: the encoder is no longer that of the store's vectors.
        PromptscanError: it can't be loaded.
    """
    key = probe_key(writer.manifest)
    with writer.connect() as con:
        known = read_evidence(con)
        names = known.names
        texts = [skeleton_text(parts) for parts in known.fixed[: len(names)]]
        digests, vectors, embedded = _skeletons(writer, texts, device)
        reference = _reference(writer, device)
        probes = join_templates(known.fixed, known.parents, _rows(vectors), _rows(reference))
        writer.drop("probes")
        encoder = writer.manifest.encoder
        meta = {"key": key, "encoder": encoder.digest if encoder else "", "reference": banks_digest(load_banks())}
        with writer.segment("probes", key=key, meta=meta) as directory:
            joined = [(name, names[probe]) for name, probe in zip(names, probes.tolist(), strict=True)]
            save_rows(con, directory / "template_probes.parquet", "template_id:s probe_id:s", joined)
            np.save(directory / "digests.npy", digests, allow_pickle=False)
            np.save(directory / "skeletons.npy", vectors, allow_pickle=False)
            np.save(directory / "reference.npy", reference, allow_pickle=False)
    return ProbesReport(len(names), len(np.unique(probes)), embedded)


def read_evidence(con: duckdb.DuckDBPyConnection) -> Evidence:
    """Read what the templates say and which are cases of which."""
    rows = con.execute(
        "SELECT template_id, template FROM base_template_forms ORDER BY template_id[3:]::BIGINT"
    ).fetchall()
    frames = con.execute("SELECT template_id, template FROM base_frame_forms ORDER BY template_id").fetchall()
    names = [name for name, _ in rows]
    place = {name: index for index, (name, _) in enumerate([*rows, *frames])}
    fixed = [read_template(written)[0] for _, written in [*rows, *frames]]
    parents = np.full(len(place), -1, np.int64)
    for child, parent in con.execute("SELECT template_id, parent_id FROM base_template_parents").fetchall():
        parents[place[child]] = place[parent]
    return Evidence(names, fixed, parents)


def _skeletons(writer: Writer, texts: Sequence[str], device: str | None) -> tuple[NDArray[np.uint64], Float16, int]:
    """Return digests and vectors of skeleton texts, float16 (t, d), those of the build before again; and how many are new."""
    digests = np.array([_digest(text) for text in texts], np.uint64)
    known, vectors = np.zeros(0, np.uint64), np.zeros((0, 0), np.float16)
    encoder = writer.manifest.encoder
    for segment in writer.manifest.of_kind("probes"):
        if encoder is not None and segment.meta["encoder"] == encoder.digest:
            known = np.load(writer.verified(segment.file("digests.npy")), allow_pickle=False)
            vectors = np.load(writer.verified(segment.file("skeletons.npy")), allow_pickle=False)
    fresh = np.flatnonzero(~np.isin(digests, known))
    if len(fresh):
        found = embed_texts(store_encoder(writer, device), [texts[row] for row in fresh.tolist()]).vectors
        known = np.concatenate([known, digests[fresh]])
        vectors = np.concatenate([vectors.reshape(-1, found.shape[1]), found])
    order = np.argsort(known, kind="stable")
    return digests, vectors[order[np.searchsorted(known, digests, sorter=order)]], len(fresh)


def _reference(writer: Writer, device: str | None) -> Float16:
    """Return the vectors of the reference prompts, float16 (r, d), those of the build before if they are the same."""
    banks, encoder = load_banks(), writer.manifest.encoder
    for segment in writer.manifest.of_kind("probes"):
        same = segment.meta.get("reference") == banks_digest(banks)
        if same and encoder is not None and segment.meta["encoder"] == encoder.digest:
            return np.asarray(np.load(writer.verified(segment.file("reference.npy")), allow_pickle=False), np.float16)
    texts = [text for bank in banks for text in bank.texts]
    return embed_texts(store_encoder(writer, device), clean(pa.array(texts, pa.large_string()))[0].to_pylist()).vectors


def _rows(vectors: Float16) -> Float32:
    return Vectors([vectors]).range(0, len(vectors))


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
