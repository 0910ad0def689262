"""One more day: what was read or measured before is used again, until the store has grown."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import promptscan
from promptscan.build import probing
from promptscan.build.graph import load_graph
from promptscan.build.probing import find_capabilities
from promptscan.cleans import CleanTexts
from promptscan.config import Settings
from promptscan.portraits import draw, portray
from promptscan.rows import text_vectors
from promptscan.seedbanks import load_banks
from promptscan.sent import ARRAYS, count_sent
from promptscan.store import Generation, Segment, Writer, open_writer
from tests.logs import GRADE, WORDS, sample_rows, write_jsonl


def add(store: Path, folder: Path, texts: list[str]) -> dict[str, object]:
    """Scan texts as one more day and return what the live generation measured."""
    first = sample_rows()[0]
    rows = [dict(first, prompt_id=f"{folder.name}-{n}-{len(texts)}", text=text) for n, text in enumerate(texts)]
    promptscan.scan(write_jsonl(folder / f"{len(texts)}.jsonl", rows), settings=Settings(store=store))
    with Generation.current(store) as generation:
        return dict(generation.manifest.measured["neighbours"])


def test_the_graph_is_measured_again_when_the_store_has_grown(store: Path, tmp_path: Path):
    with Generation.current(store) as generation:
        before = dict(generation.manifest.measured["neighbours"])
    assert add(store, tmp_path, ["A single text that nobody sent before"]) == before
    dice = random.Random(7)
    assert int(str(add(store, tmp_path, [" ".join(dice.sample(WORDS, 9)) for _ in range(40)])["texts"])) > 200


def test_a_draft_reads_its_graph_once_and_as_it_is_stored(store: Path, tmp_path: Path):
    add(store, tmp_path, ["A single text that nobody sent before"])
    with open_writer(store) as writer:
        graph = load_graph(writer)
        assert load_graph(writer) is graph
        writer.drop("graph")
        assert writer.kept("graph") is None
    with Generation.current(store) as generation:
        stored = load_graph(generation)
    assert np.array_equal(stored.neighbours, graph.neighbours)
    assert np.array_equal(stored.distances, graph.distances)


def test_a_new_case_of_a_template_keeps_what_was_nested(store: Path, tmp_path: Path):
    def hierarchy() -> list[dict[str, object]]:
        with promptscan.open(store) as opened:
            query = "SELECT template_id, parent_id FROM templates ORDER BY template_id"
            return list(opened.sql(query).to_pylist())

    before = hierarchy()
    french = [GRADE.format(a, a, a) + f" Then translate score number {a} into formal French verse." for a in range(12)]
    add(store, tmp_path, french)
    after = hierarchy()
    assert [row for row in after if row in before] == before
    with open_writer(store) as writer:
        covered = writer.manifest.of_kind("nesting")[0].meta["segments"]
        assert covered == [segment.name for segment in writer.manifest.of_kind("templates")]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of three days, with families that grow and families that do not."""
    root = tmp_path_factory.mktemp("days")
    rows = sample_rows(3)
    random.Random(3).shuffle(rows)
    for day, part in enumerate((rows[:290], rows[290:310], rows[310:])):
        promptscan.scan(write_jsonl(root / f"{day}.jsonl", part), settings=Settings(store=root / "store"))
    return root / "store"


def test_what_stands_for_a_family_is_what_its_texts_give_however_they_came(days: Path):
    with open_writer(days) as writer, writer.connect() as con:
        (segment,) = writer.manifest.of_kind("families")
        numbers = np.load(writer.verified(segment.file("numbers.npy")))
        query = "SELECT family_id[3:]::BIGINT, clean_id, reuse, frame FROM base_family_names JOIN base_cleans k "
        rows = con.execute(query + "ON k.text_id = exemplar_text_id ORDER BY 1").fetchall()
        families = np.array([row[0] for row in rows])
        found = portray(draw(numbers, families), text_vectors(writer), CleanTexts(writer))
    assert rows == [
        (family, one.exemplar, one.reuse.share, one.reuse.frame)
        for family, one in zip(families.tolist(), found, strict=True)
    ]
    assert len(rows) >= 3


def test_capabilities_that_were_kept_are_those_of_judging_again(
    days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = Path(shutil.copytree(days, tmp_path / "store"))
    with open_writer(store) as writer:
        (segment,) = writer.manifest.of_kind("capabilities")
        assert segment.meta["background_n"] < sum(int(one.meta["n_cleans"]) for one in writer.manifest.of_kind("cleans"))
        kept = pq.read_table(writer.verified(segment.file("capabilities.parquet")))
        nothing = np.zeros(0, np.uint64)
        read = probing._array

        def forgotten(files: Writer, one: Segment, name: str) -> NDArray[Any]:
            return nothing if name == "signatures" else read(files, one, name)

        monkeypatch.setattr(probing, "_array", forgotten)
        monkeypatch.setattr(Writer, "find", lambda *_: None)
        find_capabilities(writer, load_banks(None), None)
        again = pq.read_table(writer.root / "segments" / segment.name / "capabilities.parquet")
    assert again.equals(kept)


def test_a_day_counts_prompts_as_counting_all_does(days: Path):
    with open_writer(days) as writer, writer.connect() as con:
        (segment,) = writer.manifest.of_kind("families")
        kept = [np.load(writer.verified(segment.file(f"{name}.npy"))) for name in ARRAYS]
        writer.drop("families")
        sent = count_sent(writer, con, len(kept[0]))
    assert [array.tolist() for array in kept] == [
        sent.prompts.tolist(),
        sent.accounts.tolist(),
        sent.last.astype(np.int64).tolist(),
    ]


def test_a_later_day_judges_only_families_that_changed(days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Path(shutil.copytree(days, tmp_path / "store"))
    judged: list[int] = []
    known = probing._judged

    def counted(writer: Writer, encoder: Any, judge: Any, rows: list[Any], fixed: list[str]) -> NDArray[np.float64]:
        judged.append(len(rows))
        return known(writer, encoder, judge, rows, fixed)

    monkeypatch.setattr(probing, "_judged", counted)
    add(store, tmp_path, ["A single text that nobody sent before"])
    assert sum(judged) == 0
    add(store, tmp_path, [GRADE.format(a, a, a) for a in range(900, 908)])
    assert sum(judged) == 1


def test_the_index_is_measured_again_when_the_store_has_grown(store: Path, tmp_path: Path):
    def measured() -> dict[str, Any]:
        with Generation.current(store) as generation:
            return dict(generation.manifest.measured["index"])

    before = measured()
    add(store, tmp_path, ["A single text that nobody sent before"])
    assert measured() == before
    dice = random.Random(7)
    add(store, tmp_path, [" ".join(dice.sample(WORDS, 9)) for _ in range(40)])
    assert measured()["rows"] > before["rows"]
