"""The capabilities stage: what each family probes, judged by a sample of its texts and by its template."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.build.embedding import store_encoder
from promptscan.capabilities import CONVINCING, Judge, make_judge
from promptscan.cleans import CleanTexts
from promptscan.encoders import Encoder
from promptscan.judgement import HALF, save_judge
from promptscan.normalise import clean
from promptscan.portraits import draw
from promptscan.probes import skeleton_text
from promptscan.registry import family_name
from promptscan.rows import text_vectors
from promptscan.rules import background_n, capability_key
from promptscan.seedbanks import OTHER, SeedBank, banks_digest
from promptscan.sql import LOOKUP_GROUP, copy_parquet
from promptscan.store import Files, Segment, Writer
from promptscan.templates import read_template

MEMBERS = 16  # texts of a family that are judged, its exemplar among them
BACKGROUND = 4_096  # texts whose scores are the scale
TEMPLATE = 0.5  # weight of the template beside the texts

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CapabilitiesReport:
    """How many families were judged, how many probe something, and how many texts the background has."""

    families: int = 0
    probing: int = 0
    background: int = 0


def find_capabilities(writer: Writer, banks: Sequence[SeedBank], device: str | None) -> CapabilitiesReport:
    """Judge the draft's families and write what they probe as a segment.

    Raises:
        StoreError: the encoder is no longer that of the store's vectors.
        PromptscanError: it can't be loaded.
    """
    key = capability_key(writer.manifest, banks)
    before = writer.manifest.of_kind("capabilities")
    writer.drop("capabilities")
    known = writer.find("capabilities", key)
    if known:
        writer.adopt(known)
        return _report(known)
    encoder = store_encoder(writer, device)
    meta: dict[str, Any] = {"background_n": background_n(before, writer.manifest), "banks": banks_digest(banks)}
    meta |= {"encoder": encoder.identity.digest, "cleans": writer.manifest.of_kind("cleans")[0].name}
    same = [one for one in before if all(one.meta.get(name) == meta[name] for name in ("background_n", "cleans"))]
    with writer.connect() as con:
        drawn = _array(writer, same[0], "background") if same else draw_background(con)
        judge = store_judge(writer, drawn, encoder, banks)
        asked = _asked(writer, con)
        same = [one for one in same if all(one.meta[name] == meta[name] for name in ("banks", "encoder"))]
        scores = _scores(writer, encoder, judge, asked, same)
        order, share = judge.ranking(scores)
        con.register("found", _table([family_name(number) for number in asked.families], judge.names, order, share))
        probing = int((share >= CONVINCING).any(axis=1).sum())
        meta |= {"families": len(asked.families), "probing": probing, "background": len(judge.background)}
        with writer.segment("capabilities", key=key, meta=meta) as directory:
            copy_parquet(con, "FROM found", directory / "capabilities.parquet", group=LOOKUP_GROUP)
            save_judge(judge, directory)
            for name, array in (("background", drawn), ("scores", scores), ("signatures", asked.signatures)):
                np.save(directory / f"{name}.npy", array, allow_pickle=False)
        con.unregister("found")
    return _report(writer.manifest.of_kind("capabilities")[0])


def _report(segment: Segment) -> CapabilitiesReport:
    return CapabilitiesReport(**{name: int(segment.meta[name]) for name in ("families", "probing", "background")})


def _array(files: Files, segment: Segment, name: str) -> NDArray[Any]:
    loaded: NDArray[Any] = np.load(files.verified(segment.file(f"{name}.npy")), allow_pickle=False)
    return loaded


def draw_background(con: duckdb.DuckDBPyConnection) -> Int64:
    """Draw a store's background: a sample of the texts of no family, and of families one text of each; clean ids, sorted.

    So a campaign does not become what is ordinary by its size. It stays the same until the store has grown by a share.
    """
    ids = con.execute(
        "SELECT clean_id FROM base_cleans ANTI JOIN base_members USING (clean_id) UNION "
        "SELECT clean_id FROM base_family_names JOIN base_text_cleans ON text_id = exemplar_text_id ORDER BY clean_id"
    ).fetchnumpy()["clean_id"]
    drawn = np.random.default_rng(0).permutation(np.asarray(ids, dtype=np.int64))[:BACKGROUND]
    return np.asarray(np.sort(drawn), dtype=np.int64)


def store_judge(writer: Writer, drawn: Int64, encoder: Encoder, banks: Sequence[SeedBank]) -> Judge:
    """Make the judge of a store with the background of some clean texts."""
    seeds = [encoder.encode(clean(pa.array(bank.texts, pa.large_string()))[0].to_pylist()) for bank in banks]
    return make_judge(banks, seeds, text_vectors(writer).take(drawn), _excerpts(writer, drawn))


def _excerpts(writer: Writer, cleans: Int64) -> list[str]:
    texts = CleanTexts(writer).take(cleans)
    return [text if len(text) <= 2 * HALF else f"{text[:HALF]}\n{text[-HALF:]}" for text in texts]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What families are judged by.

    Attributes:
        families: int64 (f,), their numbers, ascending.
        rows: clean ids of the texts of each, its exemplar among them; ascending.
        fixed: the fixed text of the template that most of its texts have, if half of them do; else nothing.
        signatures: uint64 (f,), digest of all of this: equal where a family is judged by the same.
    """

    families: Int64
    rows: list[Int64]
    fixed: list[str]
    signatures: NDArray[np.uint64]


def _asked(writer: Writer, con: duckdb.DuckDBPyConnection) -> _Asked:
    """Choose what the families are judged by."""
    (segment,) = writer.manifest.of_kind("families")
    numbers = _array(writer, segment, "numbers")
    found = con.execute(
        "SELECT family_id[3:]::BIGINT AS family, clean_id FROM base_family_names "
        "JOIN base_text_cleans ON text_id = exemplar_text_id ORDER BY family"
    ).fetchnumpy()
    families = np.asarray(found["family"], dtype=np.int64)
    samples = draw(numbers, families, MEMBERS)
    rows = []
    for place, exemplar in enumerate(np.asarray(found["clean_id"]).tolist()):
        own = samples.of(place, MEMBERS)
        own = own if exemplar in own else np.append(own[: MEMBERS - 1], exemplar)
        rows.append(np.sort(own).astype(np.int64))
    written = _templates(con, numbers)
    fixed = [
        skeleton_text(read_template(written[number])[0]) if number in written else "" for number in families.tolist()
    ]
    return _Asked(
        families, rows, fixed, np.array([_signature(*one) for one in zip(rows, fixed, strict=True)], np.uint64)
    )


def _signature(rows: Int64, fixed: str) -> int:
    digest = hashlib.blake2b(rows.tobytes() + fixed.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def _scores(writer: Writer, encoder: Encoder, judge: Judge, asked: _Asked, before: Sequence[Segment]) -> Float64:
    """Return the scores of the families, float64 (f, c), those that the same judge gave for the same texts as they were."""
    scores = np.zeros((len(asked.families), len(judge.names)))
    fresh = np.arange(len(asked.families))
    for segment in before:
        signatures, kept = _array(writer, segment, "signatures"), _array(writer, segment, "scores")
        order = np.argsort(signatures, kind="stable")
        place = np.searchsorted(signatures, asked.signatures, sorter=order)
        place = order[np.minimum(place, len(order) - 1)] if len(order) else place
        known = signatures[place] == asked.signatures if len(order) else np.zeros(len(place), bool)
        scores[known] = kept[place[known]]
        fresh = np.flatnonzero(~known)
    if len(fresh):
        rows, fixed = [asked.rows[place] for place in fresh.tolist()], [asked.fixed[place] for place in fresh.tolist()]
        scores[fresh] = _judged(writer, encoder, judge, rows, fixed)
    return scores


def _judged(writer: Writer, encoder: Encoder, judge: Judge, rows: Sequence[Int64], fixed: Sequence[str]) -> Float64:
    """Return the scores of families, float64 (f, c): means over their texts, and half their template's."""
    owner = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
    cleans = np.concatenate(rows)
    scores = np.zeros((len(rows), len(judge.names)))
    np.add.at(scores, owner, judge.scores(text_vectors(writer).take(cleans), _excerpts(writer, cleans)))
    scores /= np.bincount(owner)[:, None]
    templated = [number for number, text in enumerate(fixed) if text]
    frames = [fixed[number] for number in templated]
    if frames:
        scores[templated] *= 1 - TEMPLATE
        scores[templated] += TEMPLATE * judge.scores(encoder.encode(frames), frames)
    return scores


def _templates(con: duckdb.DuckDBPyConnection, numbers: Int64) -> dict[int, str]:
    """Return the template that most texts of a family have, if half of them do, by the family's number."""
    rows = con.execute("SELECT clean_id, template_id[3:]::BIGINT AS template FROM base_template_members").fetchnumpy()
    if not len(rows["clean_id"]):
        return {}
    cleans, templates = (np.asarray(rows[name], dtype=np.int64) for name in ("clean_id", "template"))
    owned = numbers[cleans] >= 0
    width = int(templates.max()) + 1
    codes, counts = np.unique(numbers[cleans[owned]] * width + templates[owned], return_counts=True)
    family, template = np.divmod(codes, width)
    order = np.lexsort((template, -counts, family))
    family, template, counts = family[order], template[order], counts[order]
    most = np.diff(family, prepend=-1) > 0
    most &= 2 * counts >= np.bincount(numbers[numbers >= 0])[family]
    con.register("wanted", pa.table({"family": family[most], "template": template[most]}))
    query = "SELECT family, f.template FROM wanted w JOIN base_template_forms f ON f.template_id = 'T-' || w.template::VARCHAR"
    found = dict(con.execute(query).fetchall())
    con.unregister("wanted")
    return found


def _table(
    families: Sequence[str], names: Sequence[str], order: NDArray[np.int64], share: NDArray[np.float64]
) -> pa.Table:
    """Write capabilities by rank; `other` stands after the last convincing one, with what was wanted as its percentile."""
    ranked = np.take_along_axis(share, order, axis=1)
    width = len(names) + 1
    place = (ranked >= CONVINCING).sum(axis=1)
    columns = np.insert(order, 0, len(names), axis=1)
    values = np.insert(ranked, 0, CONVINCING, axis=1)
    rank = np.tile(np.arange(1, width + 1), (len(families), 1))
    rank[:, 1:] -= np.arange(width - 1) < place[:, None]
    rank[:, 0] = place + 1
    listed = pa.array([*names, OTHER])
    table = pa.table(
        {
            "family_id": pa.array(np.repeat(np.asarray(families, dtype=object), width), pa.string()),
            "capability": listed.take(pa.array(columns.ravel())),
            "percentile": pa.array(np.round(values.ravel(), 6)),
            "rank": pa.array(rank.ravel(), pa.int32()),
        }
    )
    return table.take(pa.array(np.lexsort((rank.ravel(), np.repeat(np.arange(len(families)), width)))))
