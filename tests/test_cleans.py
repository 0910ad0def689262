"""Clean texts by number: those of the tables, in the order asked for, in stores of any build."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import promptscan
from promptscan.cleans import FILE, CleanTexts
from promptscan.config import Settings
from promptscan.errors import StoreError
from promptscan.store import Generation
from tests.logs import sample_rows, write_jsonl


def wanted(store: Path) -> list[str]:
    with Generation.current(store) as generation, generation.connect() as con:
        return [text for (text,) in con.execute("SELECT clean FROM base_cleans ORDER BY clean_id").fetchall()]


def test_texts_are_those_of_the_tables_in_any_order_and_twice(store: Path, tmp_path: Path):
    rows = [dict(row, prompt_id=f"x{n}", text=row["text"] + "\u0100 é") for n, row in enumerate(sample_rows()[:20])]
    promptscan.scan(write_jsonl(tmp_path / "more.jsonl", rows), settings=Settings(store=store))
    texts = wanted(store)
    asked = np.random.default_rng(0).integers(len(texts), size=2 * len(texts))
    with Generation.current(store) as generation:
        assert len(generation.manifest.of_kind("cleans")) == 2
        assert CleanTexts(generation).take(asked) == [texts[row] for row in asked.tolist()]
        assert CleanTexts(generation).take(np.arange(len(texts))) == texts
        assert CleanTexts(generation).take(np.zeros(0, np.int64)) == []


def test_a_file_that_was_cut_short_is_an_error_of_the_store(store: Path):
    path = next((store / "segments").glob(f"cleans-*/{FILE}"))
    path.write_bytes(path.read_bytes()[:-20])
    with Generation.current(store) as generation, pytest.raises(StoreError, match="fsck"):
        CleanTexts(generation)
