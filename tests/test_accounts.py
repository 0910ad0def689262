"""Joins with accounts: adding a day gives what counting everything gives."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import promptscan
from promptscan.accounts import ORDER, AccountsStage, join_accounts
from promptscan.api import writing
from promptscan.build import Run, build
from promptscan.config import Settings
from promptscan.counts import ARRAYS, Counts
from promptscan.store import Writer, open_writer
from tests.logs import POC, REPEATED, sample_rows, write_jsonl


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two days: the second has known texts, new ones, and accounts before and after all others in order."""
    root = tmp_path_factory.mktemp("grown")
    rows = sample_rows()
    day = [dict(row, prompt_id=f"again-{row['prompt_id']}", account_id="aaa") for row in rows[:40]]
    day += [dict(rows[0], prompt_id=f"new-{n}", text=POC.format(f"CVE-2027-{n}"), account_id="zzz") for n in range(9)]
    day += [dict(rows[0], prompt_id="earlier", text=REPEATED, ts="2025-12-31T00:00:00Z", account_id="poc-01")]
    for number, part in enumerate((rows, day)):
        promptscan.scan(write_jsonl(root / f"{number}.jsonl", part), settings=Settings(store=root / "store"))
    return root / "store"


def stats(writer: Writer) -> Path:
    (segment,) = writer.manifest.of_kind("stats")
    return writer.root / "segments" / segment.name


def test_adding_a_day_gives_what_counting_everything_gives(grown: Path, tmp_path: Path):
    with open_writer(grown) as writer:
        kept = Path(shutil.copytree(stats(writer), tmp_path / "kept"))
    store = Path(shutil.copytree(grown, tmp_path / "store"))
    with open_writer(store) as writer:
        shutil.rmtree(stats(writer))
        writer.drop("stats")
        report = join_accounts(writer)
        assert report == AccountsStage(
            **{name: writer.manifest.of_kind("stats")[0].meta[name] for name in ("accounts", "pairs")}
        )
        for table in ORDER:
            assert pq.read_table(kept / f"{table}.parquet").equals(pq.read_table(stats(writer) / f"{table}.parquet")), (
                table
            )
        for name in ARRAYS:
            assert np.array_equal(np.load(kept / f"{name}.npy"), np.load(stats(writer) / f"{name}.npy")), name


def again(store: Path) -> list[str]:
    """Count a store's joins from nothing, and return the tables that differ from those it has."""
    with open_writer(store) as writer:
        kept = stats(writer)
        held = {path.name: path.read_bytes() for path in kept.iterdir()}
        tables = {table: pq.read_table(kept / f"{table}.parquet") for table in ORDER}
        arrays = {name: np.load(kept / f"{name}.npy") for name in ARRAYS}
        shutil.rmtree(kept)
        writer.drop("stats")
        join_accounts(writer)
        made = stats(writer)
        other = [name for name, table in tables.items() if not pq.read_table(made / f"{name}.parquet").equals(table)]
        other += [name for name, array in arrays.items() if not np.array_equal(np.load(made / f"{name}.npy"), array)]
        for name, data in held.items():
            (made / name).write_bytes(data)
    return other


@pytest.mark.parametrize("seed", range(2))
def test_day_after_day_the_joins_are_those_of_counting_everything(tmp_path: Path, seed: int):
    store, dice = tmp_path / "store", random.Random(seed)
    rows = sample_rows(seed)
    dice.shuffle(rows)
    clock = [dict(row, ts=None) if dice.random() < 0.1 else row for row in rows]
    families = set()
    for day in range(3):
        part = clock[day * 110 : (day + 1) * 110] + dice.sample(clock[: (day + 1) * 110], 20)  # known ones are sent again
        renamed = [dict(row, prompt_id=f"{day}-{n}", account_id=f"user-{dice.randrange(30)}") for n, row in enumerate(part)]
        promptscan.scan(write_jsonl(tmp_path / f"{day}.jsonl", renamed), settings=Settings(store=store))
        with open_writer(store) as writer:
            families.add(int(writer.manifest.of_kind("families")[0].meta["families"]))
        assert not again(store), day
    assert len(families) > 1, "families came while days were added"


def test_families_that_lose_texts_are_counted_again(grown: Path, tmp_path: Path):
    store = Path(shutil.copytree(grown, tmp_path / "store"))
    settings = Settings(store=store, min_family_size=70)
    with writing(settings) as writer:
        before = int(writer.manifest.of_kind("families")[0].meta["families"])
        build(writer, settings, Run.start("test"), recluster=True)
        assert int(writer.manifest.of_kind("families")[0].meta["families"]) < before
    assert not again(store)


def test_rows_of_texts_that_were_not_sent_again_are_kept(grown: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    counted: list[str] = []
    of_prompts = Counts.of_prompts
    monkeypatch.setattr(
        Counts, "of_prompts", lambda *given, **named: counted.append("all") or of_prompts(*given, **named)
    )
    store = Path(shutil.copytree(grown, tmp_path / "store"))
    row = dict(sample_rows()[5], prompt_id="third day")
    promptscan.scan(write_jsonl(tmp_path / "2.jsonl", [row]), settings=Settings(store=store))
    assert not counted
    with open_writer(store) as writer:
        assert int(np.load(stats(writer) / "text_prompts.npy").sum()) == len(sample_rows()) + 50 + 1


def test_counts_are_extended_by_texts_and_accounts_in_any_order():
    counts = Counts(None, np.array([2, 1]), np.array([0, 2, 3]), np.array([0, 1, 1]))
    more = counts.extended(np.array([1, 3]), np.array([2, 0, 0, 2]), np.array([0, 1, 2, 0]), n_texts=4)
    assert more.prompts.tolist() == [4, 1, 2, 0]
    assert [more.accounts[more.indptr[i] : more.indptr[i + 1]].tolist() for i in range(4)] == [[1, 2, 3], [3], [0], []]
