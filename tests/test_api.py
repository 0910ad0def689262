"""The Python interface: its names, its types, and a round trip."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest

import promptscan
from promptscan.config import Settings
from promptscan.errors import BadDataError, PromptscanError, StoreError, StoreLockedError, UsageError
from tests.logs import sample_rows, write_jsonl

EXPORTED = [
    "BadDataError",
    "PromptscanError",
    "ReplayReport",
    "ScanReport",
    "Store",
    "StoreError",
    "StoreLockedError",
    "UsageError",
    "__version__",
    "open",
    "replay",
    "scan",
]


@pytest.fixture
def opened(built: Path) -> Iterator[promptscan.Store]:
    with promptscan.open(built) as store:
        yield store


def test_exported_names_are_a_contract():
    assert sorted(promptscan.__all__) == EXPORTED
    assert all(hasattr(promptscan, name) for name in EXPORTED)


@pytest.mark.parametrize(
    ("error", "code"),
    [(PromptscanError, 1), (UsageError, 2), (StoreError, 3), (StoreLockedError, 3), (BadDataError, 4)],
)
def test_every_error_has_its_exit_code(error: type[PromptscanError], code: int):
    assert error.exit_code == code
    assert issubclass(error, PromptscanError)


def test_scan_open_search_is_a_round_trip(tmp_path: Path):
    rows = sample_rows()[:40]
    accounts = write_jsonl(tmp_path / "accounts.jsonl", [{"account_id": rows[0]["account_id"], "plan": "free"}])
    paths = [write_jsonl(tmp_path / "a.jsonl", rows[:20]), str(write_jsonl(tmp_path / "b.jsonl", rows[20:]))]
    seen: list[tuple[str, int, int | None]] = []
    report = promptscan.scan(paths, store=tmp_path / "s", accounts=accounts, progress=lambda *step: seen.append(step))
    assert (report.ingest.added, report.build.changed, report.build.generation) == (40, True, 1)
    assert report.accounts is not None
    assert {stage for stage, _, _ in seen} >= {"ingest", "normalise", "embed"}
    assert all(total is None or 0 <= done <= total for _, done, total in seen)
    with promptscan.open(tmp_path / "s") as store:
        for row in rows[:5]:
            hit = store.search(row["text"], k=1).hits[0]
            assert (hit.kind, round(hit.score, 3)) == ("copy", 1.0)
        assert store.accounts(where="plan = 'free'").num_rows == 1
        run = store.sql("SELECT command, n_prompts, versions ->> 'promptscan' AS version FROM runs").to_pylist()
    assert run == [{"command": "scan", "n_prompts": 40, "version": promptscan.__version__}]


def test_results_are_arrow_and_speak_its_protocol(opened: promptscan.Store):
    for result in (opened.families(), opened.accounts(), opened.sql("SELECT 1 AS a")):
        assert isinstance(result, pa.Table)
    hits = opened.search("proof of concept", k=3)
    assert pa.table(hits).equals(hits.to_arrow())


def test_lists_take_times_of_every_kind(opened: promptscan.Store):
    newest = opened.sql("SELECT max(ts) AS ts FROM prompts").to_pylist()[0]["ts"]
    moment = newest - timedelta(days=1)
    tokyo = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=9)))
    counts = {
        opened.accounts(since=since).num_rows
        for since in (
            "1d",
            "24h",
            " 1 d",
            moment,
            moment.isoformat(),
            moment.replace(tzinfo=UTC),
            tokyo,
            tokyo.isoformat(),
        )
    }
    assert len(counts) == 1
    assert 0 < counts.pop() < opened.accounts().num_rows
    assert opened.accounts(since=datetime.max.replace(tzinfo=UTC) - timedelta(days=1)).num_rows == 0
    for since in ("soon", "7x", "", "2026-13-01"):
        with pytest.raises(UsageError, match="--since"):
            opened.accounts(since=since)


def test_new_lists_what_came_last(store: Path, tmp_path: Path):
    with promptscan.open(store) as before:
        assert before.families(new=True).num_rows == 3
    rows = [
        row | {"prompt_id": f"n{index}", "text": f"Compose a haiku about harbour number {index} in winter fog, please"}
        for index, row in enumerate(sample_rows()[:30])
    ]
    promptscan.scan(write_jsonl(tmp_path / "a.jsonl", rows), settings=Settings(store=store))
    with promptscan.open(store) as after:
        fresh = after.families(new=True).to_pylist()
        assert [row["label"][:15] for row in fresh] == ["Compose a haiku"]
        assert after.families(new=True, since="2026-01-05").num_rows == 4


def test_a_list_can_be_limited_sorted_and_filtered(opened: promptscan.Store):
    rows = opened.accounts(where="account_id LIKE 'poc-%'", sort="-account_id", limit=2).to_pylist()
    assert [row["account_id"] for row in rows] == ["poc-23", "poc-22"]
    for options in ({"sort": "nonsense"}, {"where": "nonsense"}, {"where": "1; 2"}):
        with pytest.raises(UsageError):
            opened.accounts(**options)


def test_a_closed_store_lets_go_of_its_generation(store: Path):
    with promptscan.open(store) as opened:
        opened.search("proof of concept")
    opened.close()


def test_data_frames_are_the_reader_s_choice(opened: promptscan.Store):
    hits = opened.search("proof of concept", k=3)
    pytest.importorskip("pandas")
    assert len(hits.df()) == 3
