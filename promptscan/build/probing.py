"""The capabilities stage: what each family probes, judged by a sample of its texts and by its template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.build.embedding import store_encoder
from promptscan.capabilities import CONVINCING, Judge, make_judge
from promptscan.encoders import Encoder
from promptscan.judgement import EXCERPT, save_judge
from promptscan.normalise import clean
from promptscan.probes import skeleton_text
from promptscan.rows import text_vectors
from promptscan.rules import capability_key
from promptscan.seedbanks import OTHER, SeedBank
from promptscan.sql import LOOKUP_GROUP, arrow, copy_parquet
from promptscan.store import Writer
from promptscan.templates import read_template

MEMBERS = 16  # texts of a family that are judged, its exemplar among them
BACKGROUND = 4_096  # texts whose scores are the scale
TEMPLATE = 0.5  # weight of the template beside the texts


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
    writer.drop("capabilities")
    known = writer.find("capabilities", key)
    if known:
        writer.adopt(known)
        return CapabilitiesReport(**known.meta)
    meta: dict[str, int] = {}
    with writer.connect() as con:
        encoder = store_encoder(writer, device)
        judge = store_judge(writer, con, encoder, banks)
        families, scores = _family_scores(writer, con, encoder, judge)
        order, share = judge.ranking(scores)
        con.register("found", _table(families, judge.names, order, share))
        probing = int((share >= CONVINCING).any(axis=1).sum())
        meta |= {"families": len(families), "probing": probing, "background": len(judge.background)}
        with writer.segment("capabilities", key=key, meta=meta) as directory:
            copy_parquet(con, "FROM found", directory / "capabilities.parquet", group=LOOKUP_GROUP)
            save_judge(judge, directory)
        con.unregister("found")
    return CapabilitiesReport(**meta)


def store_judge(writer: Writer, con: duckdb.DuckDBPyConnection, encoder: Encoder, banks: Sequence[SeedBank]) -> Judge:
    """Make the judge of a store: its background is a sample of the texts of no family, and of families one text of each.

    So a campaign does not become what is ordinary by its size.
    """
    ids = con.execute(
        "SELECT clean_id FROM base_cleans ANTI JOIN base_members USING (clean_id) UNION "
        "SELECT clean_id FROM base_family_names JOIN base_text_cleans ON text_id = exemplar_text_id ORDER BY clean_id"
    ).fetchnumpy()["clean_id"]
    drawn = np.sort(np.random.default_rng(0).permutation(np.asarray(ids, dtype=np.int64))[:BACKGROUND])
    con.register("wanted", pa.table({"clean_id": drawn}))
    texts = arrow(con, f"SELECT {EXCERPT} FROM base_cleans SEMI JOIN wanted USING (clean_id) ORDER BY clean_id")
    con.unregister("wanted")
    seeds = [encoder.encode(clean(pa.array(bank.texts, pa.large_string()))[0].to_pylist()) for bank in banks]
    return make_judge(banks, seeds, text_vectors(writer).take(drawn), texts["clean"].to_pylist())


def _family_scores(
    writer: Writer, con: duckdb.DuckDBPyConnection, encoder: Encoder, judge: Judge
) -> tuple[list[str], NDArray[np.float64]]:
    """Return the families and their scores, float64 (f, c): means over their texts, and half their template's."""
    rows = arrow(
        con,
        "WITH ranked AS (SELECT m.family_id, m.clean_id, row_number() OVER (PARTITION BY m.family_id "
        "ORDER BY m.clean_id <> c.clean_id, (m.clean_id * 2654435761) % 4294967296) AS place FROM base_members m "
        "JOIN base_family_names f USING (family_id) JOIN base_text_cleans c ON c.text_id = f.exemplar_text_id) "
        f"SELECT family_id, clean_id, {EXCERPT} FROM ranked JOIN base_cleans USING (clean_id) WHERE place <= {MEMBERS} "
        "ORDER BY family_id[3:]::BIGINT, clean_id",
    )
    encoded = rows["family_id"].combine_chunks().dictionary_encode()
    families, owner = encoded.dictionary.to_pylist(), np.asarray(encoded.indices, dtype=np.int64)
    scores = np.zeros((len(families), len(judge.names)))
    if not families:
        return [], scores
    vectors = text_vectors(writer).take(rows["clean_id"].to_numpy())
    np.add.at(scores, owner, judge.scores(vectors, rows["clean"].to_pylist()))
    scores /= np.bincount(owner)[:, None]
    fixed = _templates(con)
    templated = [number for number, name in enumerate(families) if name in fixed]
    frames = [fixed[families[number]] for number in templated]
    if frames:
        scores[templated] *= 1 - TEMPLATE
        scores[templated] += TEMPLATE * judge.scores(encoder.encode(frames), frames)
    return families, scores


def _templates(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the fixed text of the template that most texts of a family have, if half of them do."""
    rows = con.execute(
        "WITH sized AS (SELECT family_id, count(*) AS n_texts FROM base_members GROUP BY family_id), "
        "counted AS (SELECT family_id, template_id, count(*) AS n FROM base_members JOIN base_template_members USING (clean_id) "
        "GROUP BY family_id, template_id) "
        "SELECT family_id, template FROM counted JOIN sized USING (family_id) JOIN base_template_forms USING (template_id) "
        "WHERE 2 * n >= n_texts "
        "QUALIFY row_number() OVER (PARTITION BY family_id ORDER BY n DESC, template_id[3:]::BIGINT) = 1"
    ).fetchall()
    return {family: skeleton_text(read_template(written)[0]) for family, written in rows}


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
