"""The campaign benchmark: its measures, its logs, its table, and ablations on a small store."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.campaigns import alone
from benchmarks.campaigns.ablate import variant
from benchmarks.campaigns.baselines import alarms, exact, volume
from benchmarks.campaigns.grid import BENIGN, cells
from benchmarks.campaigns.report import table
from benchmarks.campaigns.scores import DAY, Truth, auroc, judge_accounts, judge_groups, read_truth
from benchmarks.campaigns.size import Size, measure

TRUTH = Truth({"a": 0.0, "b": 0.0, "c": 2 * DAY}, frozenset({"relay"}), ["a", "b", "c", "u", "v", "w", "x"], 0.0, 4)
START = datetime.fromisoformat("2026-01-05")


@pytest.mark.parametrize(
    ("scores", "positive", "area"),
    [
        ([3, 2, 1, 0], [1, 1, 0, 0], 1.0),
        ([0, 1, 2, 3], [1, 1, 0, 0], 0.0),
        ([1, 1, 1, 1], [1, 1, 0, 0], 0.5),
        ([2, 1, 1, 0], [1, 1, 0, 0], 0.875),
        ([1, 2], [1, 1], None),
    ],
)
def test_the_area_under_the_curve_counts_pairs_and_half_the_ties(scores: list[int], positive: list[int], area: float | None):
    assert auroc(np.array(scores, float), np.array(positive, bool)) == area


def test_carriers_are_neither_right_nor_wrong():
    judged = judge_accounts({"a": 1.0, "b": 1.0, "relay": 1.0}, {"a", "u", "relay"}, TRUTH)
    assert (judged["precision"], judged["recall"], judged["flagged"]) == (0.5, 1 / 3, 2)
    assert judged["auroc"] == pytest.approx((4 + 4 + 2) / 12)


def test_a_group_is_found_when_it_is_large_enough_and_mostly_the_campaigns():
    early = {"a": 0.1, "b": 0.2, "relay": 0.3, "u": 0.4, "v": 0.5}
    late = {"a": 0.1, "b": 0.2, "u": 0.3, "v": 0.4, "c": 3 * DAY}
    times = [day * DAY for day in range(1, 5)]
    assert judge_groups([early], TRUTH, times)["days"] == 1.0
    found = judge_groups([late, {"u": 0.0, "v": 0.0, "w": 0.0, "x": 0.0, "a": 0.0}, {"u": 0.0, "v": 0.0}], TRUTH, times)
    assert (found["days"], found["false_per_day"]) == (3.0, 1 / 4)
    assert "w" in found["members"]


def test_an_alarm_is_correct_when_one_of_its_groups_is_the_campaigns():
    raised = [{"t": DAY, "groups": [["u", "v", "a"], ["a", "b"]]}, {"t": DAY, "groups": [["u", "v"], []]}]
    assert alarms(raised, TRUTH) == {"alarms": 2, "days": 1.0, "false_per_day": 0.25}


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Six accounts of a campaign that send one text, and users who send their own, many a day."""
    rows = [(f"c{n}", f"bot{n}", START + timedelta(hours=n), "Grade this answer from one to ten please") for n in range(6)]
    rows += [(f"u{n}", f"user{n % 3}", START + timedelta(minutes=9 * n), f"my own question {n}") for n in range(60)]
    rows.sort(key=lambda row: row[2])
    names = ("prompt_id", "account_id", "ts", "text")
    pq.write_table(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), tmp_path / "log.parquet")
    ids = [row[0] for row in rows]
    campaign = ["c" if one[0] == "c" else None for one in ids]
    truth = {"prompt_id": ids, "campaign_id": campaign, "label": ["campaign" if one else "background" for one in campaign]}
    pq.write_table(pa.table(truth), tmp_path / "truth.parquet")
    return tmp_path / "log.parquet"


def test_shared_texts_find_what_is_copied_and_volume_what_is_loud(copied: Path):
    truth = read_truth(copied, copied.with_name("truth.parquet"))
    times = [START.timestamp() + DAY]
    assert len(truth.since) == 6
    assert truth.days == 1
    found = exact(copied, truth, times)
    assert (found["auroc"], found["precision"], found["recall"], found["false_per_day"]) == (1.0, 1.0, 1.0, 0.0)
    assert found["days"] is not None
    assert volume(copied, truth)["auroc"] == 0.0


def test_groups_of_the_peers_have_their_accounts_and_when_they_joined():
    stamps = [START, START + timedelta(hours=1), START + timedelta(hours=2)]
    grouped = alone.grouped([0, 0, 2], pa.table({"ts": stamps, "account_id": ["a", "b", "a"]}))
    (group,) = grouped["groups"]
    assert set(group) == {"a", "b"}
    assert group["b"] - group["a"] == 3600
    assert grouped["scores"] == {"a": 0.5, "b": 1.0}


def test_the_grid_has_every_log_once_and_builds_benign_ones_daily_for_two_seeds():
    grid = list(cells(5))
    assert len({cell.name for cell in grid}) == len(grid)
    benign = [cell for cell in grid if cell.share is None]
    assert {cell.by for cell in benign if cell.seed < 2} == {"day"}
    assert {cell.by for cell in benign if cell.seed >= 2} == {BENIGN}


def test_a_variant_looks_at_the_store_anew_and_leaves_it_as_it_was(built: Path, tmp_path: Path):
    before = (built / "CURRENT").read_bytes()
    truth = tmp_path / "truth.parquet"
    ids = [f"p{number:03}" for number in range(330)]
    pq.write_table(pa.table({"prompt_id": ids, "campaign_id": ["c"] * 10 + [None] * 320}), truth)
    for views in (None, (True, False), (False, True), (False, False)):
        found = variant(built, truth, tmp_path, "partition", views)
        assert found["campaigns"]["c"]["prompts"] == 10
    assert (built / "CURRENT").read_bytes() == before


def test_the_made_up_store_has_its_size(tmp_path: Path):
    found = measure(Size(4_000, 500, 200), tmp_path / "store")
    assert (found["prompts"], found["campaigns"]) == (4_000, 5)
    assert 150 < found["families"] <= 200
    assert set(found["seconds"]) == {"evidence", "campaigns and alerts"}


def test_the_table_shows_every_part():
    score = {"active": 4, "flagged": 4, "precision": 1.0, "recall": 0.5}
    campaign = {"prompts": 9, "accounts": 4, "days": 0.9, "by_day": {"1": score}, "final": score}
    machine = {"processor": "p", "cores": 2, "memory_gib": 24.0, "load_1_minute": 1.0}
    log: dict[str, Any] = {
        "shape": "one", "by": "day", "campaigns": {"c": campaign}, "alerts": 1, "false_alerts": 0, "mixed": 0, "log_days": 8,
        "false_per_day": 0.0, "seconds": 5.0, "accounts": score, "auroc": 0.9, "machine": machine,
    }  # fmt: skip
    log["baselines"] = {"volume": {"auroc": 0.5, "precision": 0.1, "recall": 0.1, "days": None, "seconds": 1.0}, "kollude": {"failed": "no"}}
    log["ablations"] = {"all": {name: log[name] for name in ("campaigns", "accounts", "alerts", "false_alerts")}}
    missed = {**log, "campaigns": {"c": {**campaign, "days": None, "by_day": {}}}}
    del missed["baselines"], missed["ablations"]
    size = {
        "prompts": 10, "accounts": 2, "families": 1, "campaigns": 5, "alerts": 5, "found": 5, "seconds": {"evidence": 1.0},
        "peak_rss_bytes": 2**30, "machine": machine,
    }  # fmt: skip
    benign = {**missed, "campaigns": {}, "shape": "benign"}
    drawn = table(json.loads(json.dumps({"logs": {"1": log, "2": missed, "3": benign}, "real": log, "size": size})))
    assert "| one | day | 2 | 9 / 4 | 1/2 | 0.90 / never | 1.000 / 0.500 |" in drawn
    assert "| benign | day | 1 | 1 | 0.12 / 0.12 |" in drawn
    assert "1.00 GiB" in drawn
    assert "| one | kollude | no |" in drawn
