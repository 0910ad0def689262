"""Sharing between stores: templates leave without a word of them, and whoever imports them finds them in the next build."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow as pa
import pytest

import promptscan
from promptscan import indicators, sharing, state
from promptscan.banks import HOT, BankIndex, known
from promptscan.curation import Kind, add_texts, banks
from promptscan.errors import BadDataError, UsageError
from promptscan.indicator_sets import (
    import_indicators,
    index_of,
    indicator_banks,
    indicator_index,
    indicator_sets,
    remove_indicators,
)
from promptscan.indicators import BITS, Chooser, read, written
from promptscan.matchkey import match_keys
from promptscan.sharing import share
from promptscan.verdicts import Decision, give
from tests.commands import promptscan as command
from tests.commands import refused
from tests.logs import GRADE, POC, REPEATED

SCHEMAS = Path(__file__).resolve().parent.parent / "docs" / "schemas"
UNKNOWN = "What is a good way to keep basil alive on a kitchen window in winter when there is hardly any sunlight?"


@pytest.fixture
def root(planted: Path, tmp_path: Path) -> Path:
    """A copy to write to."""
    return Path(shutil.copytree(planted, tmp_path / "campaigns"))


@pytest.fixture(scope="module")
def shared(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the store with campaigns shares; read only."""
    folder = tmp_path_factory.mktemp("shared")
    root = Path(shutil.copytree(planted, folder / "store"))
    share(root, folder / "acme.json")
    return folder / "acme.json"


def marked(root: Path) -> dict[str, set[str]]:
    """Bank -> texts that it knows, in the live generation."""
    found: dict[str, set[str]] = {}
    with promptscan.open(root) as store:
        for row in store.sql("SELECT bank, text FROM bank_hits JOIN texts USING (text_id)").to_pylist():
            found.setdefault(row["bank"], set()).add(row["text"])
    return found


def audit(root: Path, action: str) -> list[tuple[str, int]]:
    with state.reading(root) as con:
        assert con is not None
        rows = con.execute("SELECT subject, n FROM audit WHERE action = ? ORDER BY audit_id", (action,))
        return [tuple(row) for row in rows]


# What leaves.


def test_no_twelve_characters_of_any_prompt_account_or_slot_value_are_in_the_file(planted: Path, shared: Path):
    out = shared.read_text()
    with promptscan.open(planted) as store:
        texts = store.sql("SELECT text FROM texts")["text"].to_pylist()
        accounts = store.sql("SELECT account_id FROM accounts")["account_id"].to_pylist()
        ids = store.sql("SELECT template_id FROM templates UNION ALL SELECT family_id FROM families")
    keys = match_keys(pa.array(texts, pa.large_string())).to_pylist()
    pieces = {text[place : place + 12] for text in [*texts, *keys] for place in range(len(text) - 11)}
    assert len(pieces) > 10_000
    assert not [piece for piece in pieces if piece in out or piece in out.casefold()]
    assert not [name for name in accounts if name in out]
    assert not [name for name in ids["template_id"].to_pylist() if f'"{name}"' in out]
    assert "CVE" not in out


def test_a_file_follows_its_schema_and_says_what_templates_are_like(shared: Path):
    document = json.loads(shared.read_text())
    jsonschema.validate(document, json.loads((SCHEMAS / "indicators.schema.json").read_text()))
    poc = next(one for one in document["templates"] if one["capability"] == "cybersecurity")
    assert [slot["type"] for slot in poc["slots"]] == ["number"]
    assert (poc["prompts"], poc["accounts"], poc["first_day"], poc["last_day"]) == (10, 10, "2026-01-05", "2026-01-13")
    assert any(one["slots"] == [] for one in document["templates"])


def test_equal_stores_share_equal_files_and_each_export_is_audited(root: Path, shared: Path, tmp_path: Path):
    share(root, tmp_path / "other.json")
    assert (tmp_path / "other.json").read_bytes() == shared.read_bytes()
    share(root, tmp_path / "one.json", campaign="C-2")
    assert audit(root, "indicators export") == [("all campaigns", 3), ("C-2", 1)]


def test_a_campaign_or_a_family_can_be_asked_for_and_benign_campaigns_stay_at_home(root: Path, tmp_path: Path):
    with promptscan.open(root) as store:
        (family,) = store.sql("SELECT family_id FROM campaign_families WHERE campaign_id = 'C-2'")[
            "family_id"
        ].to_pylist()
    one = share(root, tmp_path / "a.json", campaign="C-2").indicators
    assert share(root, tmp_path / "b.json", family=family).indicators == one
    give(root, "C-2", Decision.BENIGN)
    assert set(share(root, tmp_path / "c.json").indicators).isdisjoint(one)
    give(root, "C-1", Decision.BENIGN)
    assert "no campaigns to share" in refused(2, "--store", root, "indicators", "export", "--out", tmp_path / "d.json")
    assert not (tmp_path / "d.json").exists()


def test_what_can_t_be_shared_is_said_and_no_file_is_written(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    words = ("--store", root, "indicators", "export", "--out", tmp_path / "x.json")
    assert "no campaign 'C-9'" in refused(2, *words, "--campaign", "C-9")
    assert "no family 'F-99'" in refused(2, *words, "--family", "F-99")
    assert "choose one" in refused(2, *words, "--family", "F-1", "--campaign", "C-1")
    monkeypatch.setattr(sharing, "ACCOUNTS", 1_000)
    assert "nothing of C-1 can be shared" in refused(2, *words, "--campaign", "C-1")
    monkeypatch.setattr(sharing, "ACCOUNTS", 2)
    monkeypatch.setattr(sharing, "LEAST", 60)
    assert "2 templates have too little fixed text" in refused(2, *words, "--campaign", "C-1")
    assert not (tmp_path / "x.json").exists()
    assert not (root / state.FILE).exists()


# What comes in.


def test_the_next_build_marks_what_others_shared_and_forgets_it_when_it_is_removed(store: Path, shared: Path):
    assert command("--store", store, "indicators", "import", shared).code == 0
    assert command("--store", store, "build").code == 0
    found = marked(store)
    assert set(found) == {"indicators:acme"}
    with promptscan.open(store) as opened:
        members = set(opened.sql("SELECT text FROM texts WHERE family_id IS NOT NULL")["text"].to_pylist())
        shares = opened.sql("SELECT DISTINCT bad_share FROM families")["bad_share"].to_pylist()
        listed = opened.sql("FROM banks").to_pylist()
    assert found["indicators:acme"] == members
    assert shares == [1.0]
    assert listed == [{"bank": "indicators:acme", "kind": "bad", "n_texts": 3}]
    assert command("--store", store, "indicators", "remove", "acme").code == 0
    assert command("--store", store, "build").code == 0
    assert marked(store) == {}


def test_new_values_padding_and_disguise_do_not_help(shared: Path, tmp_path: Path):
    import_indicators(tmp_path, shared)
    index = indicator_index(tmp_path, "indicators:acme")
    texts = [
        POC.format("an overflow in the parser of a name server nobody has heard of"),
        f"{UNKNOWN} {POC.format('CVE-1999-0001').upper()} {UNKNOWN}",
        POC.format("x").replace("a", "\u0430").replace("o", "0"),
        REPEATED,
        UNKNOWN,
        GRADE.format(1, 2, 3)[:60],
        "You are a senior penetration tester.",
        "",
    ]
    found = known(texts, {"acme": index})["acme"]
    assert found.texts.tolist() == [0, 1, 2, 3]
    assert (found.scores >= 0.8).all()


def test_importing_again_changes_nothing_and_another_file_replaces_it(tmp_path: Path, shared: Path):
    first = import_indicators(tmp_path, shared)
    again = import_indicators(tmp_path, shared)
    assert (first.new, again.new, again.changed) == (True, False, False)
    assert again.kept == first.kept
    other = tmp_path / "other.json"
    other.write_bytes(written(read(shared.read_bytes())[:1]))
    replaced = import_indicators(tmp_path, other, "acme")
    assert (replaced.new, replaced.changed, replaced.kept.n_templates) == (False, True, 1)
    assert [one.digest for one in indicator_sets(tmp_path)] == [replaced.kept.digest]
    assert audit(tmp_path, "indicators import") == [("acme", 3), ("acme", 1)]
    assert remove_indicators(tmp_path, "acme") == 1
    assert audit(tmp_path, "indicators remove") == [("acme", 1)]
    assert indicator_banks(tmp_path) == []


def test_indicators_and_a_bank_of_the_same_name_stand_side_by_side(tmp_path: Path, shared: Path):
    add_texts(tmp_path, "acme", [pa.array([UNKNOWN], pa.large_string())])
    import_indicators(tmp_path, shared)
    assert [bank.bank for bank in banks(tmp_path)] == ["acme"]
    assert [bank.bank for bank in indicator_banks(tmp_path)] == ["indicators:acme"]


@pytest.mark.parametrize("name", ["", "../up", "a b", "-x", "x" * 65, "\u202ex"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, shared: Path, name: str):
    with pytest.raises(UsageError, match="can't name indicators"):
        import_indicators(tmp_path / "store", shared, name)
    assert not (tmp_path / "store").exists()


def test_a_file_that_is_no_document_writes_nothing(tmp_path: Path, shared: Path):
    bad = tmp_path / "bad.json"
    words = ("--store", tmp_path / "store", "indicators", "import", bad)
    assert "is no file" in refused(2, *words)
    for content, reason in (
        (b"\x00\x01", "no JSON"),
        (shared.read_bytes().replace(b'"version": 1', b'"version": 7'), "version 7"),
    ):
        bad.write_bytes(content)
        assert reason in refused(4, *words)
    assert not (tmp_path / "store").exists()


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(indicators, "MAX_BYTES", 50)
    monkeypatch.setattr("promptscan.indicator_sets.MAX_BYTES", 50)
    with pytest.raises(BadDataError, match="MiB"):
        import_indicators(tmp_path, shared)


def test_sets_are_listed(tmp_path: Path, shared: Path):
    import_indicators(tmp_path, shared)
    document = json.loads(command("--store", tmp_path, "indicators", "list", "--json").out)
    jsonschema.validate(document, json.loads((SCHEMAS / "indicator-sets.schema.json").read_text()))
    assert [(row["name"], row["n_templates"]) for row in document["indicators"]] == [("acme", 3)]
    assert command("--store", tmp_path, "indicators", "list").out.splitlines()[1].split()[:2] == ["acme", "3"]
    assert "no indicators 'b'" in refused(2, "--store", tmp_path, "indicators", "remove", "b")


# Banks of fewer bits.


def test_the_cases_of_one_frame_are_no_crowd_that_hides_it():
    parts = POC.split("{}")
    chosen = Chooser(np.zeros(0, np.uint64)).choose(parts)
    cases = [tuple(sorted({*chosen, 7 + number})) for number in range(HOT + 4)]
    for crowd in ([chosen] * (HOT + 4), [*cases, chosen]):
        index = index_of(crowd)
        assert index.counts.tolist() == [len(chosen)]
        assert known([UNKNOWN, f"{UNKNOWN} {POC.format('x')} {UNKNOWN}"], {"b": index})["b"].texts.tolist() == [1]
    assert index_of(cases).counts.tolist() == [len(chosen) + 1] * len(cases)
    assert len(index_of([]).hashes) == 0


def test_a_fingerprint_that_two_of_a_text_fall_on_counts_once():
    whole = BankIndex.of_texts(pa.array([POC.format("CVE-1")], pa.large_string()), Kind.BAD)
    few = BankIndex.of_fingerprints(
        np.array([0, 1, 2, 3], np.uint64), np.zeros(4, np.int64), 1, np.zeros(0, np.uint64), Kind.BAD, bits=2
    )
    assert known([POC.format("CVE-1")], {"b": few})["b"].scores.max() <= 1.0
    assert replace(whole, bits=64).comparable(whole.hashes) is whole.hashes
    assert set(few.comparable(whole.hashes).tolist()) <= {0, 1, 2, 3}


def test_fingerprints_by_chance_know_nothing_of_a_log(built: Path):
    with promptscan.open(built) as store:
        texts = store.sql("SELECT text FROM texts")["text"].to_pylist()
    drawn = np.random.default_rng(0).integers(0, 1 << BITS, (5_000, 3))
    index = index_of([tuple(sorted(one)) for one in drawn.tolist()])
    assert len(index.counts) == 5_000
    assert len(known([*texts, " ".join(texts)], {"b": index})["b"].texts) == 0
