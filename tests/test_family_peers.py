"""The measures of the family benchmarks, their tables, and promptscan's own part of them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from benchmarks.family_peers.__main__ import log_of
from benchmarks.family_peers.report import table
from benchmarks.family_peers.sets import sample
from benchmarks.partitions import ari, changed_pairs, singled, v_measure
from benchmarks.replay import moved_ids, split

ROOT = Path(__file__).resolve().parent.parent
GOLD = [0, 0, 0, 1, 1, 1]
FOUND = [0, 0, 1, 1, 2, 2]


def labels(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


def test_measures_are_those_of_the_papers():
    # pairs in both 2, gold 6, found 3, of 15: (2 - 1.2) / (4.5 - 1.2)
    assert ari(labels(*GOLD), labels(*FOUND)) == pytest.approx(0.8 / 3.3)
    # entropies in nats: gold ln 2, found ln 3, joint ln 6 / 3 * 1 + ln 3 * 2 / 3
    joint = np.log(6) / 3 + np.log(3) * 2 / 3
    shared = np.log(2) + np.log(3) - joint
    assert v_measure(labels(*GOLD), labels(*FOUND)) == pytest.approx(2 * shared / (np.log(2) + np.log(3)))


@pytest.mark.parametrize("numbers", [(), (0,), (0, 1, 2), (0, 0), (5, 5, 7)])
def test_equal_groupings_agree_whatever_their_names(numbers: tuple[int, ...]):
    same = labels(*numbers)
    assert ari(same, same * 3 + 1) == v_measure(same, same * 3 + 1) == 1.0
    assert changed_pairs(same, same * 3 + 1) == 0.0


def test_texts_in_no_family_are_each_alone():
    assert singled(labels(-1, 4, -1, 4)).tolist() == [5, 4, 7, 4]


def test_a_pair_changes_when_one_of_it_leaves_and_not_when_others_join():
    assert changed_pairs(labels(0, 0, 0, -1), labels(3, 3, 3, 3)) == 0.0
    assert changed_pairs(labels(0, 0, 0, -1), labels(3, 3, -1, 3)) == pytest.approx(2 / 3)
    assert changed_pairs(labels(0, 0), labels(-1, -1)) == 1.0


def test_an_id_moves_when_it_stands_for_other_texts():
    before = labels(1, 1, 1, 2, 2, 2, -1)
    assert moved_ids(before, before) == 0
    assert moved_ids(before, labels(1, 1, 1, 1, 1, 1, -1, 3, 3)) == 0  # merged, and a new one
    assert moved_ids(before, labels(2, 2, 2, 1, 1, 1, -1)) == 2
    assert moved_ids(before, labels(1, 1, 1, -1, -1, -1, -1, 2, 2)) == 1  # all of its texts left, others have its id
    assert moved_ids(before, labels(1, 1, 1, -1, -1, -1, -1)) == 0  # it is no more


def test_periods_are_in_order_and_hold_every_prompt(tmp_path: Path):
    times = [datetime(2026, 1, 1, 12) + timedelta(hours=6 * i) for i in (9, 0, 1, 2, 3, 4)]  # noqa: DTZ001
    pq.write_table(pa.table({"ts": times, "text": list("abcdef")}), tmp_path / "log.parquet")
    parts = [
        pq.read_table(part)["text"].to_pylist()
        for part in split(tmp_path / "log.parquet", timedelta(1), tmp_path / "p")
    ]
    assert parts == [["b", "c"], ["d", "e", "f"], ["a"]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("sharegpt_sample1k", "hh_rlhf_harmless_test", "oasst1_en_val", "oasst_eval_prompts"):
        columns = {"text": [f"{name} {i}" for i in range(4)], "family": pa.nulls(4, pa.string())}
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    families = ["many"] * 6 + ["few"] * 2 + [None]
    pq.write_table(
        pa.table({"text": [f"text {i}" for i in range(9)], "family": families}), tmp_path / "labelled.parquet"
    )
    return tmp_path


def test_a_sample_has_the_labels_that_can_be_found_and_background(data: Path):
    texts = sample(data, ("labelled",), 100, background=7)
    known = texts.gold >= 0
    assert sorted(np.array(texts.texts)[known]) == [f"text {i}" for i in range(6)]
    assert set(texts.gold[known].tolist()) == {0}
    assert (~known).sum() == 7
    assert (texts.source == np.where(known, 0, 1)).all()
    assert sample(data, ("labelled",), 100, background=7).texts == texts.texts


def test_a_set_without_labels_is_one(data: Path):
    texts = sample(data, ("labelled", "oasst1_en_val"), 100)
    assert np.bincount(texts.source).tolist() == [6]  # four texts are too few
    pq.write_table(
        pa.table({"text": [f"intent {i}" for i in range(5)], "family": pa.nulls(5, pa.string())}),
        data / "intents.parquet",
    )
    texts = sample(data, ("labelled", "intents"), 100)
    assert np.bincount(texts.source).tolist() == [6, 5]
    assert len(np.unique(texts.gold[texts.source == 1])) == 1


def test_promptscan_scans_the_logs_one_after_the_other_and_labels_every_text(tmp_path: Path):
    frame = "Write a short and friendly answer to the customer who asks about {}; sign it with your first name."
    words = ["wardrobes", "bread", "a late train", "invoices", "shirts", "a garden", "taxes", "music"]
    parts = [[frame.format(word) for word in words], ["an unrelated text", frame.format("an old boat")]]
    texts = [text for part in parts for text in part]
    first = 0
    for number, part in enumerate(parts):
        pq.write_table(log_of(part, first), tmp_path / f"log-{number}.parquet")
        first += len(part)
    (tmp_path / "texts").write_bytes("\0".join(texts).encode())
    np.save(tmp_path / "vectors.npy", np.zeros((len(texts), 2), np.float32))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "benchmarks.family_peers.alone", "promptscan", str(tmp_path), str(out)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    found = np.load(out / "labels.npy")
    assert set(found[[0, 1, 2, 3, 4, 5, 6, 7, 9]].tolist()) == {found[0]}
    assert found[0] > 0
    assert found[8] == -1
    result = json.loads((out / "result.json").read_text())
    assert result["peak_rss_bytes"] > result["input_rss_bytes"] > 0


def test_the_table_says_where_a_peer_is_ahead_and_who_failed():
    machine = {"processor": "P", "cores": 2, "memory_gib": 4.0, "load_1_minute": 0.5}
    one = {
        "machine": machine,
        "texts": 9,
        "labels": 2,
        "ari": 0.5,
        "v_measure": 0.6,
        "noise": 0.1,
        "background_in": None,
    }
    one |= {"seconds": 1.0, "peak_rss_bytes": 1 << 30, "in_families_by_set": [0.9]}
    results = {
        "sets": {
            "some": {
                "promptscan": one,
                "BERTopic": one | {"ari": 0.75},
                "EVoC": {"machine": machine, "failed": "stopped"},
            },
            "other": {"promptscan": one, "BERTopic": one | {"ari": 0.25, "background_in": 0.125}},
        },
        "churn": {"again": {"promptscan": {"changed": {"shuffled": 0.0}, "texts": 9, "families": 2}}},
    }
    drawn = table(results)
    assert "Ahead on 1 of 2; behind on some (BERTopic 0.750, promptscan 0.500)" in drawn
    assert "| some | 9 | 2 | 0.500 / 0.600 / 10% | 0.750 / 0.600 / 10% | stopped |" in drawn
    assert "0.250 / 0.600 / 10% / 12%" in drawn
    assert "| promptscan, again | 9 | 2 | 0.0% |" in drawn
