"""What an analyst sees of campaigns, alerts and accounts: lists, pages, documents, and what they say when there is nothing."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.cells import cell_len

import promptscan
from promptscan.build import Run, commit
from promptscan.cli.accounts import age
from promptscan.cli.evidence import number
from promptscan.cli.trends import levels
from promptscan.config import Settings
from promptscan.sql import copy_parquet, literal
from promptscan.store import open_writer
from promptscan.store.tables import TABLES
from tests.campaign_store import with_campaigns
from tests.commands import promptscan as command
from tests.commands import refused
from tests.logs import sample_rows, write_jsonl
from tests.test_explain import HOSTILE, is_safe, on_a_terminal

SCHEMAS = Path(__file__).parent.parent / "docs" / "schemas"
EVIL = "".join(HOSTILE)
SHOWN = (("campaigns",), ("alerts",), ("accounts",), ("show", "C-1"), ("show", "A-2"), ("show", "account:poc-07"))


def document(store: Path, *words: str, schema: str | None = None) -> dict[str, Any]:
    """The JSON document of a command, held to its schema."""
    ran = command("--store", store, *words, "--json")
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(found, json.loads((SCHEMAS / f"{schema or words[0]}.schema.json").read_text()))
    return found


def replant(store: Path, kind: str, **queries: str) -> Path:
    """Replace tables of a kind of segment by queries over the base tables, as a new generation."""
    with open_writer(store) as writer:
        with writer.connect() as con:
            tables = {
                name: con.sql(queries.get(name, f"FROM base_{name}")).to_arrow_table()
                for name, table in TABLES.items()
                if table.kind == kind
            }
            writer.drop(kind)
            key = hashlib.sha256(repr((kind, sorted(queries.items()))).encode()).hexdigest()
            with writer.segment(kind, key=key, meta={}) as directory:
                for name, table in tables.items():
                    con.register("planted", table)
                    copy_parquet(con, "FROM planted", directory / f"{name}.parquet")
        commit(writer, Settings(store=store), Run.start("test"))
    return store


@pytest.fixture(scope="module")
def planted(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with campaigns; read only."""
    root = tmp_path_factory.mktemp("planted") / "store"
    shutil.copytree(built, root)
    with_campaigns(root)
    return root


@pytest.fixture
def own(planted: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(planted, tmp_path / "planted"))


class TestLists:
    """`promptscan campaigns`, `alerts`, `accounts`."""

    def test_campaigns_come_with_evidence_days_and_alert(self, planted: Path):
        first, second = document(planted, "campaigns")["campaigns"]
        assert (first["campaign_id"], first["alert_id"], second["campaign_id"]) == ("C-1", "A-1", "C-2")
        assert [one["kind"] for one in first["evidence"]] == ["evenness", "shared_payment_id"]
        assert first["counter_evidence"][0]["sentence"] == "A tenth of its texts is known to a benign bank."
        assert sum(day["n_prompts"] for day in first["days"]) == first["n_prompts"]

    def test_alerts_come_with_their_campaign_as_it_is_now_and_how_it_grew(self, own: Path):
        replant(own, "alerts", alerts="SELECT * REPLACE (3 AS n_accounts, 9 AS n_prompts) FROM base_alerts")
        rows = {row["alert_id"]: row for row in document(own, "alerts")["alerts"]}
        campaigns = {row["campaign_id"]: row for row in document(own, "campaigns")["campaigns"]}
        for row in rows.values():
            assert (row["n_accounts"], row["n_prompts"]) == (3, 9)
            assert row["n_accounts_now"] == campaigns[row["campaign_id"]]["n_accounts"] > 3
            assert row["growth"][-1]["n_accounts"] == row["n_accounts_now"]

    def test_eighty_columns_say_what_who_since_when_and_why_and_why_not(
        self, planted: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("COLUMNS", "80")
        head, *lines = command("--store", planted, "campaigns").out.splitlines()
        assert head.split() == ["campaign", "severity", "score", "accounts", "prompts", "since", "accounts/day"]
        at = next(number for number, line in enumerate(lines) if line.startswith("C-1"))
        told = "\n".join(lines[at:])
        assert "high" in lines[at]
        assert "2026-01-0" in lines[at]
        assert "  + 24 accounts share the prompts evenly" in told
        assert "  − A tenth of its texts is known to a benign bank." in told
        assert "  alert A-1 fired 2026-01-1" in told
        head, *lines = command("--store", planted, "alerts").out.splitlines()
        assert head.split() == ["alert", "fired", "severity", "campaign", "accounts", "now", "prompts", "now"]
        assert any("accounts share a family evenly." in line for line in lines)

    def test_since_is_about_the_time_of_firing_and_new_about_the_last_build(self, own: Path):
        with promptscan.open(own) as store:
            newest = store.sql("SELECT max(ts) AS ts FROM prompts")["ts"][0].as_py()
        early = f"SELECT * REPLACE (CASE campaign_id WHEN 'C-1' THEN {literal(str(newest))}::TIMESTAMP ELSE '2026-01-06' END AS fired_at) FROM base_alerts"
        replant(own, "alerts", alerts=early)
        assert [row["alert_id"] for row in document(own, "alerts")["alerts"]] == ["A-1", "A-2"]
        for words in (("--new",), ("--since", "2026-01-07"), ("--new", "--since", "2026-01-07")):
            assert [row["alert_id"] for row in document(own, "alerts", *words)["alerts"]] == ["A-1"]
        assert [row["campaign_id"] for row in document(own, "campaigns", "--new")["campaigns"]] == ["C-1"]
        assert len(document(own, "campaigns", "--since", "2026-01-07")["campaigns"]) == 2
        assert document(own, "campaigns", "--new", "--since", "2026-01-07")["campaigns"] == []
        assert [row["campaign_id"] for row in document(own, "campaigns", "--sort", "score", "-n", "1")["campaigns"]] == ["C-2"]
        assert len(document(own, "campaigns", "--where", "severity = 'critical'")["campaigns"]) == 1
        with promptscan.open(own) as store:
            assert store.alerts(new=True)["alert_id"].to_pylist() == ["A-1"]
            assert store.campaigns(where="n_families = 2")["campaign_id"].to_pylist() == ["C-1"]

    def test_a_log_without_times_has_new_alerts(self, own: Path):
        replant(own, "alerts", alerts="SELECT * REPLACE (NULL::TIMESTAMP AS fired_at) FROM base_alerts")
        assert len(document(own, "alerts", "--new")["alerts"]) == 2
        assert len(document(own, "campaigns", "--new")["campaigns"]) == 2

    def test_accounts_have_their_surest_campaign_and_can_be_chosen_by_it(self, planted: Path):
        rows = document(planted, "accounts")["accounts"]
        inside = document(planted, "accounts", "--where", "campaign_id = 'C-1'", "--sort", "-campaign_score")["accounts"]
        assert 0 < len(inside) < len(rows)
        scores = [row["campaign_score"] for row in inside]
        assert scores == sorted(scores, reverse=True)
        assert {row["campaign_id"] for row in rows} == {"C-1", "C-2", None}
        for row in rows:
            assert (row["campaign_id"] is None) == (row["n_campaigns"] == 0) == (row["campaign_share"] is None)
            assert row["age_days"] is None

    def test_an_account_of_two_campaigns_is_listed_once_with_the_surer_one(self, own: Path):
        both = "FROM base_campaign_accounts UNION ALL SELECT * REPLACE ('C-2' AS campaign_id, .99 AS score) FROM base_campaign_accounts WHERE account_id = 'poc-07'"
        before = len(document(own, "accounts")["accounts"])
        replant(own, "campaigns", campaign_accounts=both)
        rows = document(own, "accounts")["accounts"]
        assert len(rows) == before
        [row] = [row for row in rows if row["account_id"] == "poc-07"]
        assert (row["campaign_id"], row["campaign_score"], row["n_campaigns"]) == ("C-2", 0.99, 2)
        shown = document(own, "show", "account:poc-07", schema="show")
        assert [one["campaign_id"] for one in shown["campaigns"]] == ["C-2", "C-1"]

    def test_columns_of_the_accounts_file_do_not_hide_ours(self, own: Path, tmp_path: Path):
        known = tmp_path / "accounts.jsonl"
        known.write_text(
            json.dumps({"account_id": "poc-07", "created_at": "2026-01-01", "campaign_id": "spring", "n_families": "many"})
            + "\n"
        )
        assert command("--store", own, "ingest", write_jsonl(tmp_path / "log.jsonl", sample_rows()), "--accounts", known).code == 0
        [row] = [row for row in document(own, "accounts")["accounts"] if row["account_id"] == "poc-07"]
        assert (row["campaign_id"], row["n_families"]) == ("C-1", 1)
        assert 4 < row["age_days"] < 20

    @pytest.mark.parametrize("width", [60, 80, 140])
    @pytest.mark.parametrize("words", SHOWN, ids=" ".join)
    def test_nothing_is_wider_than_the_terminal(
        self, planted: Path, monkeypatch: pytest.MonkeyPatch, width: int, words: tuple[str, ...]
    ):
        monkeypatch.setenv("COLUMNS", str(width))
        ran = command("--store", planted, *words)
        assert (ran.code, ran.err) == (0, "")
        assert max(map(cell_len, ran.out.splitlines())) <= width

    def test_csv_has_every_column_and_no_formula(self, planted: Path):
        rows = list(csv.DictReader(io.StringIO(command("--store", planted, "campaigns", "--csv").out)))
        assert json.loads(rows[0]["evidence"])[0]["kind"] == "evenness"
        written = command("--store", planted, "sql", "from campaign_entities", "--csv").out
        assert "'=HYPERLINK" in written
        assert is_safe(written)


class TestPages:
    """`promptscan show` of a campaign, an alert, an account, a family."""

    def test_a_campaign_is_told_whole(self, planted: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("COLUMNS", "80")
        lines = command("--store", planted, "show", "C-1").out.splitlines()
        titles = ["Alert", "How it grew", "What speaks for it", "What speaks against it", "Families, most prompts first"]
        titles += ["Prompts that show it", "Shared by its accounts", "Accounts, surest first"]
        places = [lines.index(title) for title in titles]
        assert places == sorted(places)
        assert lines[0] == "Campaign C-1 · high · score 9.3"
        assert any(line.startswith("Accounts and prompts per day, 2026-01-05 to ") for line in lines)
        head = lines[places[2] + 1].split()
        assert head == ["evidence", "found", "by", "chance", "of", "strength"]
        assert lines[places[2] + 2].split() == ["evenness", "0.94", "0.41", "24", "■■■■■", "6.2"]
        assert "shares C-1 evenly; =HYPERLINK(1)⟨U+001B⟩[31m⟨U+202E⟩" in lines[places[7] + 3]
        assert lines[places[3] + 1].split() == ["evidence", "found", "of"]  # nothing against it has a strength
        assert any("{slot_1:number}" in line for line in lines[places[4] : places[5]])

    def test_a_page_and_its_list_entry_are_one_thing(self, planted: Path):
        assert command("--store", planted, "campaigns", "C-1").out == command("--store", planted, "show", "C-1").out
        assert command("--store", planted, "alerts", "A-1").out == command("--store", planted, "show", "alert:A-1").out

    @pytest.mark.parametrize("identifier", ["C-1", "A-1", "account:poc-07", "account:user-01", "F-1"])
    def test_documents_follow_their_schema(self, planted: Path, identifier: str):
        found = document(planted, "show", identifier, schema="show")
        assert found[found["kind"]][f"{found['kind']}_id"] == found["id"]

    def test_what_there_was_too_little_data_for_stands_apart(self, own: Path, monkeypatch: pytest.MonkeyPatch):
        evidence = [
            {"kind": "pivot", "sufficient": False, "sentence": "No model was released meanwhile."},
            {"kind": "focus", "value": 0.5, "log10_e": 1.2, "sufficient": True, "sentence": "Half of it."},
            {"kind": "language", "value": 1.1, "log10_e": -0.2, "sufficient": True, "sentence": "They write in one language."},
        ]
        as_json = literal(json.dumps(evidence))
        replant(own, "campaigns", campaigns=f"SELECT * REPLACE ({as_json}::JSON AS evidence, '[]'::JSON AS counter_evidence) FROM base_campaigns")
        monkeypatch.setenv("COLUMNS", "80")
        lines = command("--store", own, "show", "C-1").out.splitlines()
        at = lines.index("What speaks for it")
        assert lines[at + 2].startswith("focus")
        assert lines[at + 4 : at + 8] == [
            "Looked at, and no more than chance gives",
            "  language: They write in one language.",
            "Too little data to say",
            "  pivot: No model was released meanwhile.",
        ]
        assert lines[lines.index("What speaks against it") + 1].startswith("  Nothing that was looked for speaks against it.")
        assert "  + Half of it." in command("--store", own, "campaigns").out
        assert document(own, "show", "C-1", schema="show")["counter_evidence"] == []

    def test_exemplars_are_cut_and_of_the_campaign(self, own: Path):
        texts = document(own, "show", "C-1", schema="show")["texts"]
        families = {row["family_id"] for row in document(own, "show", "C-1", schema="show")["families"]}
        assert 2 <= len(texts) <= 3
        assert {row["family_id"] for row in texts} == families
        assert len({row["text_id"] for row in texts}) == len(texts)

    def test_an_alert_says_when_it_fired_and_what_became_of_it(self, own: Path):
        replant(
            own,
            "alerts",
            alert_growth="SELECT alert_id, ts - INTERVAL (2 - i) DAY AS ts, n_accounts - 2 + i AS n_accounts, n_prompts, n_families "
            "FROM base_alert_growth, range(3) r(i)",
        )
        shown = command("--store", own, "show", "A-1").out
        assert shown.startswith("Alert A-1 · high · score 6.2\n  fired 2026-01-1")
        assert "  36 accounts share a family evenly.\n" in shown
        assert "campaign C-1 now: " in shown
        assert "How it grew\n  ▇" in shown or "How it grew\n  █" in shown
        growth = document(own, "show", "A-1", schema="show")["growth"]
        assert [row["n_accounts"] for row in growth] == sorted(row["n_accounts"] for row in growth)

    def test_what_an_alert_says_is_parted_into_what_why_and_why_not(self, own: Path, monkeypatch: pytest.MonkeyPatch):
        message = "36 accounts ask “x Why: y”. Why: They do it at once. Why it may be wrong: A bank knows it."
        replant(own, "alerts", alerts=f"SELECT * REPLACE ({literal(message)} AS message) FROM base_alerts")
        monkeypatch.setenv("COLUMNS", "80")
        assert "  36 accounts ask “x Why: y”.\n  + They do it at once.\n  − A bank knows it.\n" in command("--store", own, "alerts").out
        shown = command("--store", own, "show", "A-1").out
        assert "  36 accounts ask “x Why: y”.\n  why: They do it at once.\n  why it may be wrong: A bank knows it.\n" in shown

    def test_an_alert_whose_campaign_is_gone_is_still_shown(self, own: Path):
        for gone in ("'C-77'", "NULL"):
            replant(own, "alerts", alerts=f"SELECT * REPLACE ({gone} AS campaign_id) FROM base_alerts")
            shown = command("--store", own, "show", "A-1")
            assert shown.code == 0, shown.err
            assert ("campaign C-77 is no campaign any more" in shown.out) == (gone != "NULL")
            assert document(own, "show", "A-1", schema="show")["accounts"] == []
            assert document(own, "alerts")["alerts"][0]["n_accounts_now"] is None

    def test_an_account_is_told_with_its_campaigns_and_what_speaks_against(self, planted: Path):
        shown = command("--store", planted, "show", "account:poc-07").out
        assert "Campaigns it is part of\n" in shown
        assert "  shares C-1 evenly; " in shown
        assert "alert A-1 fired" in shown
        assert "\nWhat speaks against it\n" in shown
        found = document(planted, "show", "account:poc-07", schema="show")
        assert sum(day["n_prompts"] for day in found["days"]) == found["account"]["n_prompts"]
        assert sum(day["n_in_campaigns"] for day in found["days"]) == found["campaigns"][0]["n_prompts"]
        assert [row["campaign_id"] for row in found["families"]] == ["C-1"]
        assert found["shared"]
        assert {row["campaign_id"] for row in found["counter_evidence"]} == {"C-1"}

    def test_other_traffic_and_few_prompts_speak_against_an_account(self, own: Path):
        row = "SELECT 'C-1' AS campaign_id, 'user-01' AS account_id, .4 AS score, NULL::VARCHAR[] AS reasons, 0 AS n_prompts, 0. AS share, NULL::TIMESTAMP AS first_ts, NULL::TIMESTAMP AS last_ts"
        replant(own, "campaigns", campaign_accounts=f"FROM base_campaign_accounts UNION ALL {row}")
        found = document(own, "show", "account:user-01", schema="show")
        assert [one["kind"] for one in found["counter_evidence"]] == ["diverse", "few", "bank"]
        assert found["counter_evidence"][0]["value"] == 1
        assert "prompts are in no family of its campaigns" in command("--store", own, "show", "account:user-01").out

    def test_an_account_of_no_campaign_has_nothing_against_it(self, planted: Path):
        found = document(planted, "show", "account:user-01", schema="show")
        assert (found["campaigns"], found["counter_evidence"], found["shared"]) == ([], [], [])
        assert "campaign" not in command("--store", planted, "show", "account:user-01").out

    def test_a_family_says_its_campaign_both_axes_and_its_evidence(self, planted: Path):
        shown = command("--store", planted, "show", "F-1").out
        assert "Part of\ncampaign" in shown
        assert "Both axes  passed\n  template handed on: 0.90 of 1; accounts act as one: strength 6.20, wanted 3.00" in shown
        found = document(planted, "show", "F-1", schema="show")
        assert [one["kind"] for one in found["evidence"]] == ["evenness"]
        assert [one["kind"] for one in found["counter_evidence"]] == ["bank"]

    def test_a_terminal_without_unicode_gets_marks_in_ascii(self, planted: Path, monkeypatch: pytest.MonkeyPatch):
        from promptscan.cli import run

        received = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(received, encoding="ascii"))
        monkeypatch.setenv("COLUMNS", "80")
        assert run(["--store", str(planted), "show", "C-2"]) == 0
        assert b"##### 6.2" in received.getvalue()


class TestBadInput:
    """Nothing there, nothing known, and what an attacker wrote."""

    @pytest.mark.parametrize("view", ["campaigns", "alerts"])
    def test_a_store_that_was_not_searched_says_so(self, own: Path, view: str):
        with open_writer(own) as writer:
            for kind in ("campaigns", "alerts"):
                writer.drop(kind)
            commit(writer, Settings(store=own), Run.start("test"))
        ran = command("--store", own, view)
        assert (ran.code, ran.out, len(ran.lines)) == (0, "nothing found\n", 1)
        assert "`promptscan build` does" in ran.err
        assert document(own, view) == {view: []}

    def test_a_store_where_nothing_was_found_says_that(self, own: Path):
        replant(own, "campaigns", campaigns="FROM base_campaigns LIMIT 0")
        replant(own, "alerts", alerts="FROM base_alerts LIMIT 0")
        assert command("--store", own, "campaigns").err.startswith("no campaign was found: ")
        assert command("--store", own, "alerts").err.startswith("no campaign was found: ")

    def test_a_condition_that_nothing_meets_is_no_news(self, planted: Path):
        ran = command("--store", planted, "campaigns", "--where", "score > 1e9")
        assert (ran.code, ran.out, ran.err) == (0, "nothing found\n", "")

    @pytest.mark.parametrize("identifier", ["C-9", "A-9", "campaign:", "campaign:A-1", "alert:C-1", "C-\x1b[31m"])
    def test_an_unknown_id_is_a_usage_error(self, planted: Path, identifier: str):
        said = refused(2, "--store", planted, "show", identifier)
        assert "nothing in the store has the id" in said
        assert is_safe(said)

    def test_an_alert_whose_campaign_became_part_of_another_leads_there(self, own: Path):
        replant(
            own,
            "campaigns",
            campaigns="FROM base_campaigns WHERE campaign_id = 'C-1'",
            campaign_merges="SELECT 'C-2' AS campaign_id, 'C-1' AS into_id",
        )
        listed = {row["alert_id"]: row for row in document(own, "alerts")["alerts"]}
        assert [listed[name]["campaign_now"] for name in ("A-1", "A-2")] == ["C-1", "C-1"]
        assert listed["A-1"]["n_accounts_now"] == listed["A-2"]["n_accounts_now"]
        assert "C-2 is part of C-1 now" in command("--store", own, "alerts").out
        assert "campaign C-1 (was C-2) now: " in command("--store", own, "show", "A-2").out
        assert command("--store", own, "show", "C-2").out == command("--store", own, "show", "C-1").out
        assert command("--store", own, "report", "--since", "2000-01-01", "--out", own / "r").code == 0
        assert "C-1</a> (was C-2)" in (own / "r" / "report.html").read_text()

    def test_unknown_times_and_numbers_are_shown_as_unknown(self, own: Path):
        nothing = "NULL::TIMESTAMP AS first_ts, NULL::TIMESTAMP AS last_ts"
        replant(
            own,
            "campaigns",
            campaigns=f"SELECT * REPLACE ({nothing}, NULL AS score, NULL AS evidence, NULL AS counter_evidence, NULL AS severity, NULL AS label) FROM base_campaigns",
            campaign_accounts=f"SELECT * REPLACE ({nothing}, NULL AS score, NULL AS reasons, NULL AS share) FROM base_campaign_accounts",
            campaign_families="SELECT * REPLACE (NULL AS score, NULL AS reason, 'F-99' AS family_id) FROM base_campaign_families",
            campaign_entities="SELECT * REPLACE (NULL AS weight, NULL AS value) FROM base_campaign_entities",
            campaign_days="SELECT * REPLACE (NULL::DATE AS day) FROM base_campaign_days",
        )
        replant(
            own,
            "alerts",
            alerts="SELECT * REPLACE (NULL::TIMESTAMP AS fired_at, NULL AS severity, NULL AS message, NULL AS score, NULL AS n_accounts) FROM base_alerts",
            alert_growth="SELECT * REPLACE (NULL::TIMESTAMP AS ts, NULL AS n_accounts) FROM base_alert_growth",
        )
        for words in SHOWN:
            ran = command("--store", own, *words)
            assert ran.code == 0, ran.err
            assert "None" not in ran.out
            document(own, *words, schema="show" if words[0] == "show" else None)
        assert command("--store", own, "report", "--out", own / "r").code == 0

    def test_evidence_of_another_version_is_shown_as_far_as_it_goes(self, own: Path):
        older = literal(json.dumps({"evenness": 0.94, "asns": ["AS1"]}))
        newer = literal(json.dumps([{"kind": "later", "weight": [1], "sentence": "It is so."}, 7, None]))
        replant(own, "campaigns", campaigns=f"SELECT * REPLACE ({older}::JSON AS evidence, {newer}::JSON AS counter_evidence) FROM base_campaigns")
        for words in (("campaigns",), ("show", "A-1"), ("show", "account:poc-07")):
            document(own, *words, schema="show" if words[0] == "show" else None)
        shown = command("--store", own, "show", "C-1").out
        for told in ("evenness   0.94", '["AS1"]', "later", "It is so."):
            assert told in shown
        assert command("--store", own, "report", "--out", own / "r").code == 0

    def test_numbers_without_end_are_shown_as_unknown(self, own: Path):
        endless = "'inf'::DOUBLE AS log10_e, 'nan'::DOUBLE AS value, '-inf'::DOUBLE AS expected"
        replant(own, "evidence", family_evidence=f"SELECT * REPLACE ({endless}) FROM base_family_evidence")
        replant(own, "campaigns", campaign_families="SELECT * REPLACE ('nan'::DOUBLE AS score) FROM base_campaign_families")
        lines = command("--store", own, "show", "F-1").out.splitlines()
        assert lines[lines.index("What speaks for a campaign") + 2].split() == ["evenness", "·", "·", "24", "·"]
        assert command("--store", own, "show", "C-1").code == 0
        assert document(own, "show", "F-1", schema="show")["evidence"][0]["log10_e"] is None

    def test_hostile_values_reach_no_sink(self, own: Path, monkeypatch: pytest.MonkeyPatch):
        evil = literal(EVIL)
        evidence = literal(json.dumps([{"kind": EVIL, "family_id": EVIL, "value": 1, "sufficient": n == 0, "sentence": EVIL} for n in range(2)]))
        replant(
            own,
            "campaigns",
            campaigns=f"SELECT * REPLACE ({evil} AS label, {evil} AS capability, {evil} AS severity, {evidence}::JSON AS evidence, {evidence}::JSON AS counter_evidence) FROM base_campaigns",
            campaign_accounts=f"SELECT * REPLACE ([{evil}, {evil}] AS reasons) FROM base_campaign_accounts UNION ALL SELECT * REPLACE ({evil} AS account_id, 1 AS score) FROM base_campaign_accounts",
            campaign_families=f"SELECT * REPLACE ({evil} AS reason) FROM base_campaign_families UNION ALL SELECT * REPLACE ({evil} AS family_id) FROM base_campaign_families",
            campaign_entities=f"SELECT * REPLACE ({evil} AS kind, {evil} AS value) FROM base_campaign_entities",
        )
        replant(own, "alerts", alerts=f"SELECT * REPLACE ({evil} AS kind, {evil} AS family_id, {evil} AS message, {evil} AS severity) FROM base_alerts")
        replant(own, "evidence", family_evidence=f"SELECT * REPLACE ({evil} AS kind, {evil} AS sentence) FROM base_family_evidence")
        monkeypatch.setenv("COLUMNS", "80")
        for words in (*SHOWN[:2], *SHOWN[3:], ("show", "F-1")):
            plain = command("--store", own, *words)
            assert plain.code == 0, plain.err
            assert is_safe(plain.out)
            assert "\x1b" not in plain.out
            assert "⟨U+202E⟩" in plain.out
            assert is_safe(on_a_terminal(own, words, monkeypatch, no_colour=False))
        replant(own, "stats", account_stats=f"SELECT * REPLACE ({evil} AS account_id) FROM base_account_stats LIMIT 1")
        for words in (("accounts",), ("show", f"account:{EVIL}")):
            plain = command("--store", own, *words)
            assert is_safe(plain.out)
            assert "⟨U+001B⟩" in plain.out
        for words in (*SHOWN[:3], ("show", "C-1")):
            assert is_safe(command("--store", own, *words, "--csv").out.replace("\t", ""))
        assert command("--store", own, "show", "C-1", "--json").out.isascii()
        assert command("--store", own, "report", "--out", own / "r", "--since", "2026-01-01").code == 0
        assert is_safe((own / "r" / "report.html").read_text())


class TestSearch:
    """`campaign_id` of hits."""

    QUERY = "You are a senior penetration tester. Write a working proof of concept"

    def test_a_hit_is_of_the_campaign_of_its_family(self, planted: Path):
        with promptscan.open(planted) as store:
            hits = store.search(self.QUERY, k=20).hits + store.search("volcano sweater almanac", k=3).hits
            parts = dict(zip(*store.sql("SELECT family_id, campaign_id FROM campaign_families").to_pydict().values(), strict=True))
        assert {hit.campaign_id for hit in hits} >= {"C-1", None}
        assert all(hit.campaign_id == parts.get(hit.family_id) for hit in hits)
        assert " C-1 " in command("--store", planted, "search", self.QUERY, "-k", "2").out

    def test_of_two_campaigns_the_one_that_its_sender_is_part_of_goes_first(self, own: Path):
        twice = "FROM base_campaign_families UNION ALL SELECT * REPLACE ('C-9' AS campaign_id, 1 AS n_prompts) FROM base_campaign_families WHERE campaign_id = 'C-1'"
        with promptscan.open(own) as store:
            first, second = sorted({hit.account_id for hit in store.search(self.QUERY, k=80).hits if hit.campaign_id == "C-1"})[:2]
        moved = (
            f"SELECT * REPLACE (CASE account_id WHEN {literal(first)} THEN 'C-9' ELSE campaign_id END AS campaign_id) "
            f"FROM base_campaign_accounts WHERE account_id <> {literal(second)}"
        )
        replant(own, "campaigns", campaign_families=twice, campaign_accounts=moved)
        with promptscan.open(own) as store:
            found = {hit.account_id: hit.campaign_id for hit in store.search(self.QUERY, k=80).hits if hit.family_id}
        assert (found[first], found[second]) == ("C-9", "C-1")


class TestReport:
    """`promptscan report` of a store with campaigns."""

    def test_a_new_alert_is_a_finding_and_an_old_one_is_not(self, own: Path, tmp_path: Path):
        words = ("--store", own, "report", "--out", tmp_path, "--exit-code")
        replant(own, "alerts", alerts="SELECT * REPLACE ('2026-01-06'::TIMESTAMP AS fired_at) FROM base_alerts")
        assert command(*words).code == 0  # the run that planted them brought no family either
        with promptscan.open(own) as store:
            newest = store.sql("SELECT max(ts) AS ts FROM prompts")["ts"][0].as_py()
        replant(own, "alerts", alerts=f"SELECT * REPLACE ({literal(str(newest))}::TIMESTAMP AS fired_at) FROM base_alerts")
        assert command(*words).code == 10
        told = json.loads((tmp_path / "report.json").read_text())
        jsonschema.validate(told, json.loads((SCHEMAS / "report.schema.json").read_text()))
        assert (told["last_build"], told["facts"]["n_alerts"], told["facts"]["n_events"]) == (True, 2, 0)
        assert [one["alert_id"] for one in told["alerts"]] == ["A-1", "A-2"]

    def test_the_page_has_alerts_then_campaigns_then_families(self, planted: Path, tmp_path: Path):
        assert command("--store", planted, "report", "--out", tmp_path, "--since", "2026-01-01").code == 0
        page = (tmp_path / "report.html").read_text()
        places = [page.index(f'<section id="{name}">') for name in ("alerts", "campaigns", "new", "families")]
        assert places == sorted(places)
        assert "24 accounts share the prompts evenly" in page[places[0] : places[1]]
        assert "A tenth of its texts is known to a benign bank." in page[places[0] : places[1]]
        assert "12 of its 24 accounts pay with one payment id." in page[places[1] : places[2]]
        assert 'href="#campaign-1"' in page[places[3] :]


@pytest.mark.parametrize(
    ("days", "told"), [(0.01, "<1 h"), (0.5, "12 h"), (1.99, "48 h"), (2, "2 d"), (1605.2, "1,605 d"), (-0.5, "later")]
)
def test_ages_are_told_in_hours_then_days(days: float, told: str):
    assert age(days) == told


@pytest.mark.parametrize(("value", "told"), [(0, "0"), (0.0213, "0.0213"), (12, "12"), (1234.5, "1,234"), (3.14159, "3.14")])
def test_numbers_are_as_short_as_a_person_needs(value: float, told: str):
    assert number(value) == told


def test_levels_end_with_the_last_size_and_peak_at_the_largest():
    assert levels([0, 1, 4, 8], 10) == " ▁▄█"
    assert len(levels(list(range(1, 100)), 20)) == 20
    assert levels(list(range(1, 100)), 20)[-1] == "█"
    assert levels([], 5) == ""
