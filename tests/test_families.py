"""Families: names that last, events that explain them, one label for identical texts, and noise that is counted."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import promptscan
from promptscan.api import writing
from promptscan.build import Run, build
from promptscan.config import Settings
from promptscan.labels import shortened
from promptscan.registry import Event, Naming, name_families
from promptscan.reuse import Reuse, reuse, tokens
from tests.logs import POC, REPEATED, sample_rows, write_jsonl

Labels = NDArray[np.int64]


def dense(labels: list[int]) -> Labels:
    """Renumber labels from 0 without gaps; -1 stays."""
    found = sorted({label for label in labels if label >= 0})
    return np.array([found.index(label) if label >= 0 else -1 for label in labels], dtype=np.int64)


def labellings(size: int) -> st.SearchStrategy[Labels]:
    return st.lists(st.integers(-1, 5), min_size=size, max_size=size).map(dense)


@st.composite
def rebuilds(draw: st.DrawFn) -> tuple[Labels, Labels, list[str], int]:
    """A clustering, the families of the build before it, their names, and the next free number."""
    former = draw(st.integers(0, 30).flatmap(labellings))
    labels = draw(st.integers(len(former), len(former) + 10).flatmap(labellings))
    count = int(former.max(initial=-1)) + 1
    numbers = draw(st.lists(st.integers(1, 40), min_size=count, max_size=count, unique=True).map(sorted))
    return labels, former, [f"F-{number}" for number in numbers], max(numbers, default=0) + draw(st.integers(1, 5))


class TestRegistry:
    """Names over any two clusterings."""

    @given(rebuilds())
    def test_ids_are_never_used_twice(self, rebuild: tuple[Labels, Labels, list[str], int]):
        labels, _, former_names, next_number = rebuild
        naming = name_families(*rebuild)
        assert len(naming.names) == int(labels.max(initial=-1)) + 1
        assert len(set(naming.names)) == len(naming.names)
        fresh = [name for name in naming.names if name not in former_names]
        assert fresh == [f"F-{number}" for number in range(next_number, naming.next_number)]

    @given(rebuilds())
    def test_events_explain_every_name_that_comes_or_goes(self, rebuild: tuple[Labels, Labels, list[str], int]):
        former_names, naming = rebuild[2], name_families(*rebuild)
        by_event = {kind: [event for event in naming.events if event.event is kind] for kind in Event}
        came = [event.family_id for kind in (Event.BORN, Event.SPLIT) for event in by_event[kind]]
        went = [event.family_id for kind in (Event.DORMANT, Event.MERGED) for event in by_event[kind]]
        assert sorted(came) == sorted(set(naming.names) - set(former_names))
        assert sorted(went) == sorted(set(former_names) - set(naming.names))
        assert all(event.other in former_names for event in by_event[Event.SPLIT])
        assert all(event.other in naming.names for event in by_event[Event.MERGED])
        assert all(event.family_id in set(naming.names) & set(former_names) for event in by_event[Event.GROWN])

    @given(rebuilds())
    def test_the_same_clustering_keeps_its_names_without_events(self, rebuild: tuple[Labels, Labels, list[str], int]):
        labels = rebuild[0]
        first = name_families(*rebuild)
        again = name_families(labels, labels, first.names, first.next_number)
        assert again == Naming(first.names, first.next_number)

    def check(
        self, labels: list[int], former: list[int], names: list[str]
    ) -> tuple[tuple[str, ...], list[tuple[str, str, str | None]]]:
        naming = name_families(np.array(labels, dtype=np.int64), np.array(former, dtype=np.int64), names, 10)
        return naming.names, [(event.family_id, event.event.value, event.other) for event in naming.events]

    def test_a_family_that_splits_keeps_its_name_in_the_larger_part(self):
        assert self.check([0, 0, 0, 1, 1], [0] * 5, ["F-3"]) == (("F-3", "F-10"), [("F-10", "split", "F-3")])

    def test_families_that_merge_keep_the_name_of_the_larger(self):
        assert self.check([0] * 5, [0, 0, 1, 1, 1], ["F-3", "F-4"])[0] == ("F-4",)
        assert ("F-3", "merged", "F-4") in self.check([0] * 5, [0, 0, 1, 1, 1], ["F-3", "F-4"])[1]

    def test_a_family_whose_texts_are_noise_now_is_dormant_and_its_name_rests(self):
        assert self.check([-1, -1, 0, 0], [0, 0, -1, -1], ["F-3"]) == (
            ("F-10",),
            [("F-3", "dormant", None), ("F-10", "born", None)],
        )

    def test_a_name_does_not_follow_one_of_its_texts_to_others_that_were_in_no_family(self):
        merged = self.check([0] * 23 + [1] * 6, [0] * 9 + [1] * 14 + [0] + [-1] * 5, ["F-3", "F-4"])
        assert merged == (("F-4", "F-10"), [("F-3", "merged", "F-4"), ("F-4", "grown", None), ("F-10", "born", None)])

    def test_a_family_with_more_texts_has_grown(self):
        assert self.check([0, 0, 0, 0], [0, 0], ["F-3"]) == (("F-3",), [("F-3", "grown", None)])


def members(root: Path) -> dict[str, str | None]:
    """Text -> family."""
    with promptscan.open(root) as store:
        return {row["text"]: row["family_id"] for row in store.sql("SELECT text, family_id FROM texts").to_pylist()}


def scan(root: Path, path: Path) -> promptscan.ScanReport:
    return promptscan.scan(path, settings=Settings(store=root))


def rows_of(root: Path, query: str) -> list[dict[str, Any]]:
    with promptscan.open(root) as store:
        rows: list[dict[str, Any]] = store.sql(query).to_pylist()
    return rows


def test_families_are_what_was_planted(built: Path):
    found = members(built)
    kinds = {
        name: {family for text, family in found.items() if text.startswith(name)}
        for name in (POC[:30], "Grade the following", REPEATED)
    }
    assert all(len(families) == 1 and None not in families for families in kinds.values())
    assert len(set.union(*kinds.values())) == 3


def test_noise_is_null_and_counted(built: Path):
    row = rows_of(
        built,
        "SELECT count(*) FILTER (family_id IS NULL) AS noise, (SELECT count(*) FROM family_members) AS inside, count(*) AS n FROM texts",
    )[0]
    assert row["noise"] > 100
    assert row["noise"] + row["inside"] == row["n"]
    measured = rows_of(
        built, "SELECT count(*) AS n FROM family_members WHERE probability IS NULL OR probability NOT BETWEEN 0 AND 1"
    )
    assert measured == [{"n": 0}]


def test_a_repeated_text_is_a_family_by_itself(built: Path):
    query = (
        f"SELECT kind, n_texts, n_prompts, n_accounts, effective_accounts FROM families WHERE label = '{shortened(REPEATED)}'"
    )
    row = rows_of(built, query)[0]
    assert row["effective_accounts"] == pytest.approx(12)
    assert {name: row[name] for name in ("kind", "n_texts", "n_prompts", "n_accounts")} == {
        "kind": "copies",
        "n_texts": 1,
        "n_prompts": 36,
        "n_accounts": 12,
    }


def test_texts_that_look_the_same_have_one_label(tmp_path: Path):
    rows = sample_rows()
    rows += [
        row | {"prompt_id": f"z{number}", "text": row["text"] + "\u200b" * (1 + number % 3)}
        for number, row in enumerate(rows)
    ]
    scan(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", rows))
    labels: dict[str, set[str | None]] = {}
    for text, family in members(tmp_path / "s").items():
        labels.setdefault(text.replace("\u200b", ""), set()).add(family)
    assert {len(families) for families in labels.values()} == {1}


def test_a_shuffled_log_gives_the_same_families(built: Path, tmp_path: Path):
    rows = sample_rows()
    random.Random(9).shuffle(rows)
    scan(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", rows))
    assert members(tmp_path / "s") == members(built)
    query = "SELECT family_id, exemplar_text_id, n_texts, n_prompts, score FROM families ORDER BY 1"
    assert rows_of(tmp_path / "s", query) == rows_of(built, query)


def test_another_day_keeps_the_names_and_records_what_happened(store: Path, tmp_path: Path):
    before = members(store)
    day = [
        row
        | {
            "prompt_id": f"n{number}",
            "account_id": f"new-{number % 9}",
            "ts": "2026-02-01T00:00:00Z",
            "text": POC.format(f"CVE-2025-{2000 + number}"),
        }
        for number, row in enumerate(sample_rows()[:40])
    ]
    report = scan(store, write_jsonl(tmp_path / "day.jsonl", day))
    after = members(store)
    named = {text: family for text, family in before.items() if family is not None}
    assert {text: after[text] for text in named} == named
    assert {after[row["text"]] for row in day} == {before[POC.format("CVE-2024-1007")]}
    events = rows_of(
        store,
        "SELECT family_id, event FROM family_events WHERE run_id = (SELECT max(run_id) FROM runs) AND event = 'grown'",
    )
    assert events == [{"family_id": before[POC.format("CVE-2024-1007")], "event": "grown"}]
    assert report.build.stages["embed"]["texts"] == 40
    assert len(rows_of(store, "SELECT * FROM family_events WHERE event = 'born'")) == 3


def test_shares_and_scores_add_up(built: Path):
    with promptscan.open(built) as store, store.connect() as con:
        row = con.execute("""
            SELECT bool_and(a.share BETWEEN 0 AND 1), bool_and(f.effective_accounts BETWEEN 1 AND f.n_accounts + 1e-6),
                   bool_and(f.score <= f.effective_accounts + 1e-6)
            FROM family_accounts a JOIN families f USING (family_id)
        """).fetchone()
    assert row == (True, True, True)


def test_reuse_is_one_for_copies_and_low_for_strangers():
    assert reuse("a b c", []) == Reuse(1.0, 3)
    assert reuse("write code for me", ["Write code for me"]) == Reuse(1.0, 4)
    assert reuse("one two three four", ["five six seven eight"]) == Reuse(0.0, 0)
    assert reuse(POC.format(1), [POC.format(2)]).share > 0.9
    assert reuse("", [""]) == Reuse(0.0, 0)
    assert tokens("漢字 and Words!") == ["漢", "字", "and", "words", "!"]


def test_a_family_that_is_found_again_returns_under_its_name():
    gone = name_families(dense([-1, -1, -1]), dense([0, 0, 0]), ["F-3"], 10)
    assert [(event.event, event.n_before, event.n_texts) for event in gone.events] == [(Event.DORMANT, 3, 0)]
    back = name_families(dense([0, 0, 0, 0]), dense([0, 0, 0]), ["F-3"], 10, retired={"F-3"})
    assert back.names == ("F-3",)
    assert [(event.event, event.n_texts, event.n_shared) for event in back.events] == [(Event.RETURNED, 4, 3)]
    still = name_families(dense([-1, -1, -1]), dense([0, 0, 0]), ["F-3"], 10, retired={"F-3"})
    assert not still.events


def test_a_family_nobody_sends_is_dormant_until_it_is_sent_again(store: Path, tmp_path: Path):
    family = members(store)[POC.format("CVE-2024-1007")]

    def day(name: str, ts: str, text: str) -> None:
        rows = [
            {"prompt_id": f"{name}{n}", "account_id": f"late-{n}", "ts": ts, "text": f"{text} {n}"} for n in range(3)
        ]
        scan(store, write_jsonl(tmp_path / f"{name}.jsonl", rows))

    def events() -> list[str]:
        query = f"SELECT event FROM family_events WHERE family_id = '{family}' AND event IN ('dormant', 'returned') ORDER BY ts"
        return [row["event"] for row in rows_of(store, query)]

    day("a", "2027-03-01T00:00:00Z", "an unrelated remark about the weather in march")
    assert events() == ["dormant"]
    day("b", "2027-03-02T00:00:00Z", "another remark, about the price of tea")
    assert events() == ["dormant"]
    day("c", "2027-03-03T00:00:00Z", POC.format("CVE-2026-4711"))
    assert sorted(events()) == ["dormant", "returned"]


def test_a_retired_family_keeps_its_texts_and_comes_back(store: Path):
    before = members(store)
    family = before[POC.format("CVE-2024-1007")]
    with promptscan.open(store) as opened:
        kinds = {row["family_id"]: row["kind"] for row in opened.families().to_pylist()}
    assert kinds[family] in {"template", "cluster"}
    strict = Settings(store=store, min_family_size=10_000)
    for settings, expected in ((strict, None), (Settings(store=store), family)):
        with writing(settings) as writer:
            build(writer, settings, Run.start("build"))
        assert members(store)[POC.format("CVE-2024-1007")] == expected
    assert members(store) == before
