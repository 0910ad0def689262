"""The enforcement queue: accounts once each, surest first, with reasons; nobody who was judged benign; no prompt."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import promptscan
from promptscan.verdicts import Decision, give
from tests.campaign_store import HOSTILE, with_campaigns, without_campaigns
from tests.commands import promptscan as command
from tests.commands import refused


@pytest.fixture
def root(planted: Path, tmp_path: Path) -> Path:
    """A copy to write to."""
    return Path(shutil.copytree(planted, tmp_path / "store"))


def queue(root: Path, *words: str) -> list[dict[str, Any]]:
    ran = command("--store", root, "export", "enforcement", "--jsonl", *words)
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]


def members(root: Path) -> dict[str, set[tuple[str, float]]]:
    """Account -> (campaign, score) of each campaign it is in."""
    found: dict[str, set[tuple[str, float]]] = {}
    with promptscan.open(root) as store:
        for row in store.sql("FROM campaign_accounts").to_pylist():
            found.setdefault(row["account_id"], set()).add((row["campaign_id"], row["score"]))
    return found


def test_every_likely_account_stands_once_with_its_surest_campaign_best_first(planted: Path):
    rows = queue(planted)
    known = members(planted)
    assert {row["account_id"] for row in rows} == {
        name for name, found in known.items() if max(score for _, score in found) >= 0.5
    }
    assert len({row["account_id"] for row in rows}) == len(rows)
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    assert all(
        (row["campaign_id"], row["score"]) == max(known[row["account_id"]], key=lambda one: one[1]) for row in rows
    )


def test_a_row_says_what_the_account_did_and_shares(planted: Path):
    row = next(row for row in queue(planted) if row["account_id"] == "poc-03")
    with promptscan.open(planted) as store:
        (family,) = store.sql("SELECT family_id FROM family_accounts WHERE account_id = 'poc-03'").to_pylist()
        own = store.sql("SELECT kind, value FROM entities WHERE account_id = 'poc-03'").to_pylist()
        (account,) = store.sql("SELECT * FROM campaign_accounts WHERE account_id = 'poc-03'").to_pylist()
    assert row["families"] == [family["family_id"]]
    assert row["severity"] == "high"
    assert (row["n_prompts"], row["share"], row["reasons"]) == (
        account["n_prompts"],
        account["share"],
        account["reasons"],
    )
    assert row["shared_entities"]
    assert all({"kind": one["kind"], "value": one["value"]} in own for one in row["shared_entities"])
    assert row["campaign_verdict"] is row["account_verdict"] is None


def test_an_account_in_two_campaigns_names_the_other(root: Path, monkeypatch: pytest.MonkeyPatch):
    from tests import campaign_store

    tables = campaign_store.TABLES["campaigns"]
    both = f"{tables['campaign_accounts']} UNION ALL SELECT 'C-2', 'poc-03', .6, ['too'], 1, .1, NULL, NULL"
    monkeypatch.setitem(tables, "campaign_accounts", f"FROM ({both})")
    with_campaigns(root)
    assert [(row["campaign_id"], row["other_campaigns"]) for row in queue(root) if row["account_id"] == "poc-03"] == [
        ("C-1", ["C-2"])
    ]
    assert [row["campaign_id"] for row in queue(root, "--campaign", "C-2") if row["account_id"] == "poc-03"] == ["C-2"]
    give(root, "C-1", Decision.BENIGN)
    assert [(row["campaign_id"], row["other_campaigns"]) for row in queue(root) if row["account_id"] == "poc-03"] == [
        ("C-2", [])
    ]


def test_a_campaign_and_a_least_score_can_be_asked_for(planted: Path):
    assert {row["campaign_id"] for row in queue(planted, "--campaign", "C-2")} == {"C-2"}
    assert {row["score"] for row in queue(planted, "--min-score", "0.85")} == {0.9}
    assert 0.4 in {row["score"] for row in queue(planted, "--min-score", "0")}
    assert queue(planted, "--min-score", "1") == []


@pytest.mark.parametrize(("subject", "gone"), [("C-2", "C-2"), ("A-1", "C-1")])
def test_a_campaign_that_was_judged_benign_is_left_out(root: Path, subject: str, gone: str):
    give(root, subject, Decision.BENIGN)
    left = {row["campaign_id"] for row in queue(root)}
    assert left == {"C-1", "C-2"} - {gone}


def test_a_verdict_on_the_campaign_itself_goes_before_that_on_its_alert(root: Path):
    give(root, "C-1", Decision.CONFIRMED)
    give(root, "A-1", Decision.BENIGN)
    assert {row["campaign_verdict"] for row in queue(root, "--campaign", "C-1")} == {"confirmed"}


def test_an_account_that_was_judged_benign_is_left_out_and_other_verdicts_are_shown(root: Path):
    give(root, "poc-03", Decision.BENIGN)
    give(root, "poc-04", Decision.CONFIRMED)
    rows = {row["account_id"]: row for row in queue(root)}
    assert "poc-03" not in rows
    assert rows["poc-04"]["account_verdict"] == "confirmed"


def test_csv_joins_lists_and_runs_no_formula(planted: Path):
    ran = command("--store", planted, "export", "enforcement")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert len(rows) == len(queue(planted))
    assert rows[0]["reasons"].startswith("shares C-1 evenly | ")
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
    assert HOSTILE not in ran.out
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert ";" not in ran.out  # the list separator of half of Europe's spreadsheets: what follows would be a cell


def test_no_prompt_is_in_it(planted: Path):
    with promptscan.open(planted) as store:
        texts = store.sql("SELECT text FROM texts WHERE family_id IS NOT NULL")["text"].to_pylist()
    out = command("--store", planted, "export", "enforcement", "--min-score", "0").out
    assert not any(text[place : place + 16] in out for text in texts for place in range(0, len(text) - 16, 4))


def test_it_is_written_to_files_of_any_kind(planted: Path, tmp_path: Path):
    for name in ("q.parquet", "q.csv", "q.jsonl"):
        assert command("--store", planted, "export", "enforcement", "--out", tmp_path / name).code == 0
    assert pq.read_table(tmp_path / "q.parquet")["reasons"][0].as_py() == queue(planted)[0]["reasons"]
    assert "shares C-1 evenly | " in (tmp_path / "q.csv").read_text()


def test_a_store_without_campaigns_has_an_empty_queue(store: Path):
    without_campaigns(store)
    ran = command("--store", store, "export", "enforcement")
    assert ran.code == 0
    assert ran.out.splitlines() == [ran.out.strip()]
    assert ran.out.startswith("account_id,campaign_id,score,")


def test_options_that_make_no_sense_are_refused(planted: Path):
    words = ("--store", planted, "export")
    assert "no campaign 'C-9'" in refused(2, *words, "enforcement", "--campaign", "C-9")
    assert "are for `export enforcement`" in refused(2, *words, "families", "--campaign", "C-1")
    assert command(*words, "enforcement", "--min-score", "2").code == 2
