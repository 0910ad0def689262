"""Generations: readers keep theirs, writers make the next, and any DuckDB client can read the live one."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

import promptscan
from promptscan.config import Settings
from promptscan.errors import StoreError
from promptscan.store import EncoderRef, Generation, Manifest, open_writer, prune
from promptscan.store.files import verify, write_atomic
from tests.logs import sample_rows, write_jsonl

VIEWS = {
    "prompts": "prompt_id VARCHAR, text_id BIGINT, account_id VARCHAR, ts TIMESTAMP, model VARCHAR, session_id VARCHAR, source VARCHAR",
    "texts": "text_id BIGINT, text VARCHAR, n_chars INTEGER, n_prompts BIGINT, n_accounts BIGINT, first_ts TIMESTAMP, "
    "last_ts TIMESTAMP, obfuscation DOUBLE, duplicate_id BIGINT, template_id VARCHAR, family_id VARCHAR",
    "accounts": "account_id VARCHAR, n_prompts BIGINT, first_ts TIMESTAMP, last_ts TIMESTAMP, created_at TIMESTAMP",
    "entities": "account_id VARCHAR, kind VARCHAR, value VARCHAR",
    "duplicates": "duplicate_id BIGINT, medoid_text_id BIGINT, n_texts BIGINT, n_prompts BIGINT, n_accounts BIGINT, worst_score DOUBLE",
    "templates": "template_id VARCHAR, template VARCHAR, n_slots INTEGER, n_texts BIGINT, n_prompts BIGINT, n_accounts BIGINT, compression DOUBLE",
    "slots": "template_id VARCHAR, slot INTEGER, type VARCHAR, n_values BIGINT, entropy DOUBLE",
    "slot_values": "template_id VARCHAR, slot INTEGER, text_id BIGINT, value VARCHAR",
    "families": "family_id VARCHAR, label VARCHAR, exemplar_text_id BIGINT, n_templates BIGINT, n_texts BIGINT, n_prompts BIGINT, "
    "n_accounts BIGINT, first_ts TIMESTAMP, last_ts TIMESTAMP, capability VARCHAR, score DOUBLE",
    "family_members": "family_id VARCHAR, text_id BIGINT, probability DOUBLE",
    "family_events": "run_id VARCHAR, ts TIMESTAMP, family_id VARCHAR, event VARCHAR, other_family_id VARCHAR",
    "family_accounts": "family_id VARCHAR, account_id VARCHAR, n_prompts BIGINT, share DOUBLE, first_ts TIMESTAMP, last_ts TIMESTAMP",
    "banks": "bank VARCHAR, kind VARCHAR, n_texts BIGINT",
    "bank_hits": "text_id BIGINT, bank VARCHAR, kind VARCHAR, score DOUBLE",
    "campaigns": "campaign_id VARCHAR, score DOUBLE, n_accounts BIGINT, n_families BIGINT, n_prompts BIGINT, first_ts TIMESTAMP, "
    "last_ts TIMESTAMP, evidence JSON, counter_evidence JSON",
    "campaign_accounts": "campaign_id VARCHAR, account_id VARCHAR, score DOUBLE, reasons VARCHAR[]",
    "alerts": "alert_id VARCHAR, fired_at TIMESTAMP, campaign_id VARCHAR, family_id VARCHAR, kind VARCHAR, score DOUBLE, message VARCHAR",
    "runs": "run_id VARCHAR, started_at TIMESTAMP, finished_at TIMESTAMP, command VARCHAR, config JSON, versions JSON, n_prompts BIGINT, measured JSON",
    "quarantine": "source VARCHAR, position VARCHAR, reason VARCHAR, sample VARCHAR",
}


def scan(store: Path, *paths: Path, **settings: int) -> promptscan.ScanReport:
    return promptscan.scan(paths, settings=Settings(store=store, **settings))  # type: ignore[arg-type]


def catalog(store: Path) -> Path:
    number = json.loads((store / "CURRENT").read_bytes())["generation"]
    return store / "generations" / str(number) / "catalog.duckdb"


def day(tmp_path: Path, number: int) -> Path:
    """A small log of its own for each number."""
    rows = [row | {"prompt_id": f"d{number}-{row['prompt_id']}"} for row in sample_rows(number)[:15]]
    return write_jsonl(tmp_path / f"day-{number}.jsonl", rows)


@pytest.mark.parametrize("view", VIEWS)
def test_the_catalog_has_the_contract_s_views_for_any_duckdb_client(built: Path, view: str):
    with closing(duckdb.connect(str(catalog(built)), read_only=True)) as con:
        found = {row[0]: row[1] for row in con.execute(f"DESCRIBE {view}").fetchall()}
        con.execute(f"SELECT * FROM {view} LIMIT 3").fetchall()
    wanted = dict(column.rsplit(" ", 1) for column in VIEWS[view].split(", "))
    assert {name: found.get(name) for name in wanted} == wanted


def test_the_catalog_and_our_own_connection_show_the_same(built: Path):
    query = "SELECT (SELECT count(*) FROM prompts), (SELECT sum(n_prompts) FROM texts), (SELECT count(*) FROM families)"
    with (
        closing(duckdb.connect(str(catalog(built)), read_only=True)) as con,
        promptscan.open(built) as store,
        store.connect() as own,
    ):
        assert con.execute(query).fetchall() == own.execute(query).fetchall() == [(330, 330, 3)]


def test_several_clients_read_the_catalog_while_a_writer_commits(store: Path, tmp_path: Path):
    with closing(duckdb.connect(str(catalog(store)), read_only=True)) as con:
        scan(store, day(tmp_path, 1))
        assert con.execute("SELECT count(*) FROM prompts").fetchone() == (330,)
    with closing(duckdb.connect(str(catalog(store)), read_only=True)) as con:
        assert con.execute("SELECT count(*) FROM prompts").fetchone() == (345,)


def test_the_views_keep_their_promises_to_each_other(built: Path):
    with promptscan.open(built) as store, store.connect() as con:
        sums = con.execute("""
            SELECT (SELECT count(*) FROM prompts) = (SELECT sum(n_prompts) FROM accounts),
                   (SELECT count(*) FROM prompts) = (SELECT sum(n_prompts) FROM texts),
                   (SELECT sum(n_prompts) FROM families) = (SELECT sum(n_prompts) FROM family_accounts),
                   (SELECT count(*) FROM family_members) = (SELECT count(family_id) FROM texts),
                   (SELECT count(*) FROM prompts) = (SELECT count(DISTINCT prompt_id) FROM prompts),
                   (SELECT count(*) FROM texts) = (SELECT count(DISTINCT text) FROM texts)
        """).fetchone()
    assert sums == (True,) * 6


def test_a_reader_keeps_its_generation_while_others_come_and_are_pruned(store: Path, tmp_path: Path):
    with promptscan.open(store) as reader:
        before = reader.search("proof of concept").to_dict()
        for number in range(1, 3):
            scan(store, day(tmp_path, number), keep_generations=1)
        assert reader.generation.manifest.generation == 1
        assert reader.search("proof of concept").to_dict() == before
        assert reader.sql("SELECT count(*) AS n FROM prompts").to_pylist() == [{"n": 330}]
        assert sorted(path.name for path in (store / "generations").iterdir()) == ["1", "3"]
    scan(store, day(tmp_path, 3), keep_generations=1)
    assert sorted(path.name for path in (store / "generations").iterdir()) == ["4"]
    with promptscan.open(store) as reader:
        assert reader.sql("SELECT count(*) AS n FROM prompts").to_pylist() == [{"n": 375}]


def test_generations_share_segments_and_pruning_leaves_what_is_named(store: Path, tmp_path: Path):
    scan(store, day(tmp_path, 1))
    first, second = (Manifest.from_json((store / "generations" / n / "manifest.json").read_bytes(), n) for n in "12")
    shared = {segment.name for segment in first.segments} & {segment.name for segment in second.segments}
    assert {name.split("-")[0] for name in shared} >= {"prompts", "cleans", "vectors", "graph"}
    scan(store, day(tmp_path, 2), keep_generations=1)
    left = {path.name for path in (store / "segments").iterdir()}
    with promptscan.open(store) as reader:
        assert left == {segment.name for segment in reader.generation.manifest.segments}


def test_a_run_with_nothing_new_makes_no_generation(store: Path, log: Path):
    scan(store, log)  # publishes the catalog of the copy
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.name not in {"work", "writer.lock"}}
    report = scan(store, log)
    assert (report.build.changed, report.build.generation, report.ingest.added) == (False, 2, 0)
    assert "already ingested" in report.ingest.sources[0].note
    after = {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.name not in {"work", "writer.lock"}}
    assert {path for path in before if before[path] != after.get(path)} <= {store / "work", store}


def test_a_moved_store_works_and_the_next_build_publishes_it_again(built: Path, tmp_path: Path, log: Path):
    moved = Path(shutil.copytree(built, tmp_path / "else where's"))
    with promptscan.open(moved) as store:
        assert store.sql("SELECT count(*) AS n FROM texts").to_pylist() == [{"n": 295}]
        assert store.search("proof of concept", k=1).hits
    assert scan(moved, log).build.changed, "the catalog names the store's place"
    with closing(duckdb.connect(str(catalog(moved)), read_only=True)) as con:
        definition = con.execute("SELECT sql FROM duckdb_views() WHERE view_name = 'base_texts'").fetchone()
    assert definition is not None
    assert str(built) not in definition[0]
    assert not scan(moved, log).build.changed


def test_a_hard_linked_copy_is_a_backup(built: Path, tmp_path: Path):
    shutil.copytree(built, tmp_path / "backup", copy_function=lambda a, b: Path(b).hardlink_to(a))
    scan(tmp_path / "backup", day(tmp_path, 1))
    with promptscan.open(built) as old, promptscan.open(tmp_path / "backup") as new:
        assert old.sql("SELECT count(*) AS n FROM prompts").to_pylist() == [{"n": 330}]
        assert new.sql("SELECT count(*) AS n FROM prompts").to_pylist() == [{"n": 345}]


NAMED_BY_RUNS = ("families", "stats", "evidence", "campaigns", "alerts")
"""Segments that are named after the run that named the families, and those that are made from them."""


def test_equal_inputs_make_equal_segments_wherever_and_whenever(built: Path, log: Path, tmp_path: Path):
    scan(tmp_path / "again", log)
    names = [
        {
            path.name
            for path in (root / "segments").iterdir()
            if not path.name.startswith(NAMED_BY_RUNS)
        }
        for root in (built, tmp_path / "again")
    ]
    assert names[0] == names[1]


def test_a_draft_that_is_left_without_commit_leaves_the_store_as_it_was(store: Path):
    before = (store / "CURRENT").read_bytes()
    with pytest.raises(ZeroDivisionError), open_writer(store) as writer:  # noqa: PT012 - a run that dies in the middle
        with writer.segment("prompts", key="ab" * 32, meta={}) as directory:
            (directory / "a.parquet").write_bytes(b"x")
        raise ZeroDivisionError
    assert (store / "CURRENT").read_bytes() == before
    assert not list((store / "segments").glob(".*"))


def test_a_segment_that_fails_halfway_never_appears(store: Path):
    with open_writer(store) as writer:
        with pytest.raises(ZeroDivisionError), writer.segment("prompts", key="cd" * 32, meta={}) as directory:  # noqa: PT012
            (directory / "a.parquet").write_bytes(b"x")
            raise ZeroDivisionError
        assert writer.find("prompts", "cd" * 32) is None
        assert writer.parent is not None
        assert writer.manifest == writer.parent.manifest
    assert not list((store / "segments").glob("*cdcdcd*"))


def test_a_finished_segment_is_found_again_only_when_intact(store: Path):
    with open_writer(store) as writer:
        with writer.segment("extra", key="ef" * 32, meta={"n": 1}) as directory:
            (directory / "a.npy").write_bytes(b"12345")
        found = writer.find("extra", "ef" * 32)
        assert found is not None
        assert found.meta == {"n": 1}
        (store / found.files[0].path).write_bytes(b"12346")
        assert writer.find("extra", "ef" * 32) is None


def test_vectors_of_another_encoder_are_refused(store: Path):
    with open_writer(store) as writer, pytest.raises(StoreError, match="holds vectors of encoder static"):
        writer.use_encoder(EncoderRef("other", "0" * 64, 8))


def test_pruning_keeps_what_is_pinned_and_reports_what_it_removed(store: Path, tmp_path: Path):
    for number in range(1, 4):
        scan(store, day(tmp_path, number), keep_generations=9)
    with Generation.current(store):
        assert prune(store, keep=2) == [2, 1]
        assert prune(store, keep=2) == []


def test_an_atomic_write_that_fails_keeps_the_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "CURRENT"
    write_atomic(path, b"old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_verify_tells_missing_resized_and_changed_apart(built: Path, store: Path):
    with promptscan.open(built) as reader:
        ref = reader.generation.manifest.of_kind("vectors")[0].file("vectors.npy")
    path = store / ref.path
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(StoreError, match="bytes where"):
        verify(store, ref)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(StoreError, match="does not match its digest"):
        verify(store, ref)
    path.unlink()
    with pytest.raises(StoreError, match="is missing"):
        verify(store, ref)
