"""The side-by-side benchmark: its measures, its table, and promptscan's own part of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.peers.contestants import alone_apart, promptscan
from benchmarks.peers.judge import agreement, by_column, by_pairs
from benchmarks.peers.report import table

ROOT = Path(__file__).resolve().parent.parent
FRAME = "Write a short and friendly answer to the following customer, who asks about {}; sign it with your first name."
TEXTS = [
    "How do I bake a cake without any eggs in the small oven that I have at home?",
    FRAME.format("the delivery of a very heavy wooden wardrobe from the north"),
    FRAME.format("how to return twelve blue shirts that were bought in spring"),
    "How do I bake a cake without any egg in the small oven that I have at home?",
    FRAME.format("an invoice which names some other company than her own one"),
    "An unrelated text that nobody else has sent to anyone.",
]


def test_equal_groupings_agree_and_names_do_not_matter():
    assert agreement(np.array([0, 0, 1, 2]), np.array([7, 7, 3, 9])) == {"precision": 1.0, "recall": 1.0, "ari": 1.0}


def test_agreement_counts_pairs():
    # gold pairs: 3 + 1; found: 1 + 3; common: 01 and none of the others but 34
    found = agreement(np.array([0, 0, 0, 1, 1]), np.array([5, 5, 6, 6, 6]))
    assert found == {"precision": 0.5, "recall": 0.5, "ari": pytest.approx((2 - 1.6) / (4 - 1.6), abs=1e-4)}


@pytest.mark.parametrize("labels", [[], [0], [0, 1, 2], [0, 0]])
def test_what_cannot_be_missed_agrees(labels: list[int]):
    same = np.array(labels, np.int64)
    assert agreement(same, same) == {"precision": 1.0, "recall": 1.0, "ari": 1.0}


def test_pairs_and_equal_texts_make_groups_and_wrong_pairs_do_not(tmp_path: Path):
    rows = [("a", "p", "1"), ("b", "p", "1"), ("a", "q", "1"), ("c", "q", "1"), ("d", "r", "0"), ("a", "r", "0")]
    columns = dict(zip(("text", "pair_id", "label"), map(list, zip(*rows, strict=True)), strict=True))
    pq.write_table(pa.table(columns), tmp_path / "pairs.parquet")
    gold = by_pairs(tmp_path / "pairs.parquet").gold
    assert len(set(gold[[0, 1, 2, 3, 5]].tolist())) == 1
    assert gold[4] != gold[0]


def test_rows_without_a_label_are_left_out(tmp_path: Path):
    pq.write_table(pa.table({"text": ["x", "y", "z"], "family": ["f", None, "f"]}), tmp_path / "set.parquet")
    labelled = by_column("family")(tmp_path / "set.parquet")
    assert labelled.texts == ["x", "z"]
    assert labelled.gold.tolist() == [0, 0]


def test_texts_alone_get_groups_of_their_own():
    assert alone_apart(np.array([-1, 0, 0, -1])).tolist() == [1, 0, 0, 4]
    assert len(alone_apart(np.zeros(0, np.int64))) == 0


def test_promptscan_finds_duplicates_and_templates():
    answer = promptscan(TEXTS)
    assert answer.duplicates is not None
    assert answer.templates is not None
    assert answer.duplicates[0] == answer.duplicates[3]
    assert len(set(answer.duplicates.tolist())) == len(TEXTS) - 1
    assert len(set(answer.templates[[1, 2, 4]].tolist())) == 1
    assert len(set(answer.templates.tolist())) == len(TEXTS) - 3


def test_a_contestant_alone_writes_its_groups_and_what_they_took(tmp_path: Path):
    (tmp_path / "texts").write_bytes("\0".join(TEXTS).encode())
    command = [
        sys.executable,
        "-m",
        "benchmarks.peers.alone",
        "promptscan",
        str(tmp_path / "texts"),
        str(tmp_path / "out"),
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["texts"] == len(TEXTS)
    assert set(result["seconds"]) == {"clean", "fingerprint", "candidates", "verify", "groups", "templates"}
    assert result["peak_rss_bytes"] >= result["input_rss_bytes"] > 1 << 20
    assert np.load(tmp_path / "out" / "duplicates.npy").shape == (len(TEXTS),)


def test_the_table_has_the_ratio_to_semhash_and_the_target():
    machine = {"processor": "P", "cores": 2, "memory_gib": 24, "load_1_minute": 0.5}
    one = {"machine": machine, "texts": 1_800_000, "peak_rss_bytes": 1 << 30, "counts": {}}
    ours = {
        **one,
        "seconds": {"verify": 50.0, "templates": 7.0},
        "groups": {"duplicates": 3, "templates": 4},
        "grouped": {"duplicates": 30, "templates": 40},
    }
    theirs = {**one, "seconds": {"index": 200.0}, "groups": {"duplicates": 2}, "grouped": {"duplicates": 20}}
    own = {"characters": 180.0, "promptscan": ours, "semhash": theirs, "drain3": {"failed": "stopped after 9 s"}}
    drawn = table({"sizes": {"1800000": own}, "sets": {}})
    assert "promptscan takes 0.250 of semhash's time for duplicates. Target: below 1" in drawn
    assert "| promptscan | templates | 57.0 |" in drawn
    assert "stopped after 9 s" in drawn
    own["semhash"] = {"machine": machine, "failed": "stopped after 100 s", "stopped": 100.0}
    assert "takes less than 0.500 of semhash's time" in table({"sizes": {"1800000": own}, "sets": {}})
