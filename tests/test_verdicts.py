"""What people decide: kept with its history, its examples in banks as long as it counts, shown where its subject is shown."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest

import promptscan
from promptscan import state, verdicts
from promptscan.curation import add_texts, bank_texts, banks
from promptscan.errors import StoreError, UsageError
from promptscan.sql import script
from promptscan.verdicts import Decision, current_verdicts, give, verdict_digest, verdict_marks, withdraw
from tests.commands import promptscan as command
from tests.commands import refused

SCHEMAS = Path(__file__).resolve().parent.parent / "docs" / "schemas"
BENIGN, CONFIRMED = "verdicts-benign", "verdicts-confirmed"


@pytest.fixture
def root(planted: Path, tmp_path: Path) -> Path:
    """A copy to write to."""
    return Path(shutil.copytree(planted, tmp_path / "store"))


def texts_of(root: Path, campaign: str) -> set[str]:
    with promptscan.open(root) as store:
        query = f"SELECT DISTINCT text FROM texts SEMI JOIN (FROM campaign_families WHERE campaign_id = '{campaign}') USING (family_id)"
        return set(store.sql(query)["text"].to_pylist())


def family_of(root: Path, account: str) -> str:
    with promptscan.open(root) as store:
        query = f"SELECT family_id FROM family_accounts WHERE account_id = '{account}'"
        return str(store.sql(query)["family_id"][0].as_py())


def sizes(root: Path) -> dict[str, int]:
    return {bank.bank: bank.n_texts for bank in banks(root)}


def test_the_last_verdict_on_a_subject_counts_and_all_are_kept(root: Path):
    give(root, "C-1", Decision.UNSURE, "first look")
    give(root, "A-1", Decision.CONFIRMED)
    give(root, "C-1", Decision.BENIGN, "their own app")
    give(root, "poc-03", Decision.UNSURE)
    withdraw(root, "A-1")
    now = current_verdicts(root)
    assert {subject: (one.verdict, one.note) for subject, one in now.items()} == {
        "C-1": (Decision.BENIGN, "their own app"),
        "account:poc-03": (Decision.UNSURE, ""),
    }
    assert [(one.subject, one.verdict.value) for one in verdicts.verdicts(root)] == [
        ("C-1", "unsure"),
        ("A-1", "confirmed"),
        ("C-1", "benign"),
        ("account:poc-03", "unsure"),
        ("A-1", "withdrawn"),
    ]
    marks = verdict_marks(root)
    assert marks.schema.names == ["subject", "verdict", "note", "ts", "actor"]
    assert marks["subject"].to_pylist() == ["C-1", "account:poc-03"]


def test_every_decision_is_audited(root: Path):
    give(root, "C-1", Decision.CONFIRMED, "x")
    withdraw(root, "C-1")
    with state.reading(root) as con:
        assert con is not None
        rows = con.execute("SELECT action, subject, n, details FROM audit WHERE action = 'verdict'").fetchall()
    n = len(texts_of(root, "C-1"))
    assert [(row["subject"], row["n"], json.loads(row["details"])["verdict"]) for row in rows] == [
        ("C-1", n, "confirmed"),
        ("C-1", 0, "withdrawn"),
    ]


def test_a_campaign_s_texts_are_examples_for_as_long_as_the_verdict_counts(root: Path):
    wanted = texts_of(root, "C-1")
    assert give(root, "C-1", Decision.CONFIRMED).n_texts == len(wanted)
    assert set(bank_texts(root, CONFIRMED).to_pylist()) == wanted
    give(root, "C-1", Decision.BENIGN)
    assert sizes(root) == {BENIGN: len(wanted)}
    give(root, "C-1", Decision.UNSURE)
    assert sizes(root) == {}
    give(root, "A-1", Decision.BENIGN)
    assert set(bank_texts(root, BENIGN).to_pylist()) == wanted
    withdraw(root, "A-1")
    assert sizes(root) == {}


def test_a_text_stays_while_another_verdict_holds_it(root: Path):
    family = family_of(root, "poc-03")
    n = give(root, family, Decision.CONFIRMED).n_texts
    whole = give(root, "C-1", Decision.CONFIRMED).n_texts
    assert whole > n
    withdraw(root, "C-1")
    assert sizes(root) == {CONFIRMED: n}
    give(root, "C-1", Decision.BENIGN)
    assert sizes(root) == {BENIGN: whole, CONFIRMED: n}


def test_texts_beyond_the_cap_are_left_out_from_the_least_sent(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(verdicts, "CAP", 1)
    give(root, "C-1", Decision.BENIGN)
    (kept,) = bank_texts(root, BENIGN).to_pylist()
    with promptscan.open(root) as store:
        sent = {row["text"]: row["n_prompts"] for row in store.sql("SELECT text, n_prompts FROM texts").to_pylist()}
    assert sent[kept] == max(sent[text] for text in texts_of(root, "C-1"))


def test_a_verdict_on_an_account_keeps_no_texts(root: Path):
    assert give(root, "poc-03", Decision.CONFIRMED).bank is None
    assert sizes(root) == {}


def test_the_next_build_marks_what_was_judged_and_the_one_after_a_withdrawal_forgets(root: Path):
    family = family_of(root, "poc-03")
    assert command("--store", root, "verdict", family, "benign").code == 0
    assert command("--store", root, "build").code == 0
    with promptscan.open(root) as store:
        (row,) = store.sql(f"SELECT benign_share, bad_share FROM families WHERE family_id = '{family}'").to_pylist()
    assert row == {"benign_share": 1.0, "bad_share": 0.0}
    assert command("--store", root, "verdict", "withdraw", family).code == 0
    assert command("--store", root, "build").code == 0
    with promptscan.open(root) as store:
        assert store.sql("SELECT count(*) AS n FROM bank_hits")["n"].to_pylist() == [0]


def test_a_digest_changes_with_what_counts_only(root: Path):
    assert verdict_digest(root) == ""
    give(root, "C-1", Decision.BENIGN)
    one = verdict_digest(root)
    give(root, "C-1", Decision.BENIGN, "again")
    assert verdict_digest(root) == one
    give(root, "C-2", Decision.BENIGN)
    assert verdict_digest(root) != one
    withdraw(root, "C-2")
    withdraw(root, "C-1")
    assert verdict_digest(root) == ""


# Subjects.


def test_what_is_not_in_the_store_can_t_be_judged_and_no_file_is_made_to_say_so(root: Path):
    for subject in ("F-99", "C-9", "A-9", "nobody", "account:C-1", "template:T-1", "", "x\0y"):
        assert refused(2, "--store", root, "verdict", "give", subject, "benign")
    assert not (root / state.FILE).exists()


def test_an_account_that_is_called_like_a_campaign_is_judged_by_its_kind(root: Path):
    give(root, "account:poc-03", Decision.BENIGN)
    give(root, "campaign:C-1", Decision.BENIGN)
    assert set(current_verdicts(root)) == {"account:poc-03", "C-1"}
    withdraw(root, "poc-03")
    withdraw(root, "campaign:C-1")
    assert current_verdicts(root) == {}


def test_a_verdict_outlives_its_subject_and_can_be_withdrawn_then(root: Path):
    give(root, "C-1", Decision.CONFIRMED)
    shutil.rmtree(root / "generations")
    (root / "CURRENT").unlink()
    assert set(current_verdicts(root)) == {"C-1"}
    withdraw(root, "C-1")
    assert sizes(root) == {}


def test_notes_that_can_t_be_kept_are_refused(root: Path):
    with pytest.raises(UsageError, match="at most 2,000"):
        give(root, "C-1", Decision.BENIGN, "x" * 2_001)
    for note in ("a\0b", "a\udc80"):
        with pytest.raises(UsageError, match="no text"):
            give(root, "C-1", Decision.BENIGN, note)
    with pytest.raises(UsageError, match="verdict withdraw"):
        give(root, "C-1", Decision.WITHDRAWN)
    assert current_verdicts(root) == {}


def test_there_is_nothing_to_withdraw_twice(root: Path):
    give(root, "C-1", Decision.BENIGN)
    withdraw(root, "C-1")
    assert "no verdict on 'C-1'" in refused(2, "--store", root, "verdict", "withdraw", "C-1")


def test_a_store_that_is_none_is_said(tmp_path: Path):
    assert "no store at" in refused(3, "--store", tmp_path, "verdict", "C-1", "benign")
    assert json.loads(command("--store", tmp_path, "verdict", "list", "--json").out) == {"verdicts": []}
    assert not list(tmp_path.iterdir())


# The banks of verdicts.


def test_only_verdicts_fill_and_empty_their_banks(root: Path):
    words = ("--store", root, "bank", "add", BENIGN, "-")
    assert "promptscan verdict" in refused(2, *words, stdin=b'{"text": "hello"}')
    give(root, "C-1", Decision.BENIGN)
    assert "promptscan verdict" in refused(2, "--store", root, "bank", "remove", BENIGN)
    assert sizes(root)[BENIGN] > 0


# The file's schema.


def of_version_1(root: Path) -> None:
    """Write the state as promptscan wrote it before there were verdicts."""
    root.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(root / state.FILE)) as con:
        con.executescript(script("state_1"))
        con.execute("INSERT INTO banks VALUES ('old', 'bad', 'kept', '2026-01-01', '2026-01-01', 1, 'd')")
        con.execute("INSERT INTO bank_texts VALUES ('old', x'00', 'An example')")
        con.execute("PRAGMA user_version = 1")
        con.commit()


def test_state_of_the_first_version_reads_without_verdicts_and_is_led_on_by_a_change(root: Path):
    of_version_1(root)
    assert current_verdicts(root) == {}
    assert sizes(root) == {"old": 1}
    give(root, "C-2", Decision.UNSURE)
    with closing(sqlite3.connect(root / state.FILE)) as con:
        assert con.execute("PRAGMA user_version").fetchone() == (2,)
    assert sizes(root) == {"old": 1}
    assert bank_texts(root, "old").to_pylist() == ["An example"]
    assert set(current_verdicts(root)) == {"C-2"}


def test_an_older_promptscan_refuses_the_newer_file_by_name(root: Path, monkeypatch: pytest.MonkeyPatch):
    give(root, "C-2", Decision.UNSURE)
    monkeypatch.setattr(state, "VERSION", 1)
    with pytest.raises(StoreError, match=r"state\.sqlite has schema 2; this promptscan reads up to 1"):
        banks(root)
    with pytest.raises(StoreError, match="upgrade promptscan"):
        add_texts(root, "mine", [])


# What people see.


def shown(root: Path, *words: str, schema: str) -> dict:
    ran = command("--store", root, *words, "--json")
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    jsonschema.validate(document, json.loads((SCHEMAS / f"{schema}.schema.json").read_text()))
    return document


def test_a_page_shows_the_verdict_that_counts(root: Path):
    family = family_of(root, "poc-03")
    assert shown(root, "show", family, schema="show")["verdict"] is None
    give(root, family, Decision.CONFIRMED, "see case 17 \x1b[31m")
    give(root, "poc-03", Decision.BENIGN)
    assert shown(root, "show", family, schema="show")["verdict"]["verdict"] == "confirmed"
    assert shown(root, "show", "account:poc-03", schema="show")["verdict"]["verdict"] == "benign"
    page = command("--store", root, "show", family).out
    assert "confirmed" in page
    assert "see case 17 ⟨U+001B⟩[31m" in page
    assert "verdict" not in shown(root, "show", "text:0", schema="show")


def test_verdicts_are_listed_with_their_history_and_safely(root: Path):
    give(root, "C-1", Decision.BENIGN, "=1+1 \x1b[31m[bold]")
    give(root, "C-1", Decision.UNSURE, "=1+1 \x1b[31m[bold]")
    assert [row["verdict"] for row in shown(root, "verdict", "list", schema="verdicts")["verdicts"]] == ["unsure"]
    history = shown(root, "verdict", "list", "--history", schema="verdicts")["verdicts"]
    assert [row["verdict"] for row in history] == ["benign", "unsure"]
    assert ",'=1+1 ⟨U+001B⟩[31m[bold]," in command("--store", root, "verdict", "list", "--csv").out
    assert "\x1b" not in command("--store", root, "verdict", "list").out


def test_the_command_says_what_it_kept(root: Path):
    ran = command("--store", root, "verdict", "C-1", "confirmed", "--note", "x")
    assert ran.code == 0
    assert ran.err.startswith(f"C-1: confirmed; {len(texts_of(root, 'C-1'))} texts are in bank {CONFIRMED}")
    assert command("--store", root, "verdict", "C-1", "unsure").err == "C-1: unsure\n"
    assert command("--store", root, "verdict", "C-1", "maybe").code == 2


@pytest.mark.parametrize(
    ("view", "subject", "judged"),
    [
        ("campaigns", "C-1", "C-1"),
        ("campaigns", "A-1", "C-1"),
        ("alerts", "A-2", "A-2"),
        ("alerts", "C-2", "A-2"),
        ("families", "F-1", "F-1"),
        ("accounts", "poc-03", "poc-03"),
    ],
)
def test_lists_say_what_was_decided(root: Path, view: str, subject: str, judged: str):
    give(root, subject, Decision.BENIGN, "their own \x1b[31mapp\u202e")
    listed = json.loads(command("--store", root, view, "--json").out)
    jsonschema.validate(listed, json.loads((SCHEMAS / f"{view}.schema.json").read_text()))
    key = {"campaigns": "campaign_id", "alerts": "alert_id", "families": "family_id", "accounts": "account_id"}[view]
    said = {row[key]: row["verdict"]["verdict"] for row in listed[view] if row["verdict"]}
    assert said == {judged: "benign"}
    shown = command("--store", root, view).out
    assert "judged benign by " in shown
    assert "their own " in shown
    assert "\x1b[31m" not in shown
    assert "\u202e" not in shown
    withdraw(root, subject)
    assert not any(row["verdict"] for row in json.loads(command("--store", root, view, "--json").out)[view])


def test_a_report_marks_what_was_decided(root: Path, tmp_path: Path):
    give(root, "C-1", Decision.CONFIRMED)
    give(root, "A-2", Decision.BENIGN)
    give(root, "F-1", Decision.UNSURE)
    assert command("--store", root, "report", "--since", "2000-01-01", "--out", tmp_path).code == 0
    written = json.loads(next(tmp_path.glob("*.json")).read_text())
    jsonschema.validate(written, json.loads((SCHEMAS / "report.schema.json").read_text()))
    assert {one["campaign_id"]: one["verdict"] for one in written["campaigns"]} == {"C-1": "confirmed", "C-2": "benign"}
    assert {one["alert_id"]: one["verdict"] for one in written["alerts"]} == {"A-1": "confirmed", "A-2": "benign"}
    assert {one["family_id"]: one["verdict"] for one in written["families"]}["F-1"] == "unsure"
    page = next(tmp_path.glob("*.html")).read_text()
    assert {f"judged {one}" in page for one in ("confirmed", "benign", "unsure")} == {True}
