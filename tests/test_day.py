"""One more day: what was read or measured before is used again, until the store has grown."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

import promptscan
from promptscan.build.graph import load_graph
from promptscan.config import Settings
from promptscan.store import Generation, open_writer
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
