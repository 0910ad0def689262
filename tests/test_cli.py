"""The command line: quick help, exit codes, settings, and no text that can harm who reads it."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import promptscan as package
from promptscan.cli.root import COMMANDS
from tests.commands import Ran, promptscan, refused
from tests.logs import POC, write_jsonl

HEAVY = ("torch", "faiss", "duckdb", "numpy", "pyarrow", "rich", "jinja2", "hdbscan", "sentence_transformers")
ROOT = Path(__file__).parent.parent


def test_help_of_every_command_imports_nothing_heavy():
    words = [["--help"], *([name, "--help"] for name in COMMANDS), ["config", "show", "--help"], ["--version"]]
    code = f"""
import sys
from promptscan.cli import run
for words in {words!r}:
    assert run(words) == 0, words
    heavy = set(sys.modules) & set({HEAVY!r})
    assert not heavy, (words, heavy)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert f"promptscan {name} " in done.stdout


def test_the_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "promptscan", "--version"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, f"promptscan, version {package.__version__}\n")


@pytest.mark.parametrize("words", [["nonsense"], ["search", "--nonsense"], ["scan"], ["families", "-n", "0"], ["sql"]])
def test_what_click_refuses_is_a_usage_error(words: list[str]):
    ran = promptscan(*words)
    assert ran.code == 2
    assert ran.out == ""
    assert "Traceback" not in ran.err


def test_debug_shows_where_an_error_came_from(tmp_path: Path):
    with pytest.raises(package.StoreError):
        promptscan("--debug", "--store", tmp_path / "nowhere", "families")


class TestSettings:
    """Built-in default < file < environment < flag."""

    def origins(self, *words: str) -> dict[str, tuple[str, str]]:
        ran = promptscan(*words, "config", "show", "--origin", "--json")
        assert ran.code == 0, ran.err
        return {row["setting"]: (row["value"], row["origin"]) for row in json.loads(ran.out)["settings"]}

    def test_each_origin_overrides_the_weaker_ones(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(tmp_path)
        home = tmp_path / "home" / "promptscan"
        home.mkdir(parents=True)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
        assert self.origins()["store"] == ("indexes/default", "default")
        (home / "config.toml").write_text('store = "user"\nmax_chars = 7\nmin_copies = 30\n')
        (tmp_path / "promptscan.toml").write_text('store = "folder"\nmax_chars = 8\n')
        assert self.origins()["store"] == ("folder", "promptscan.toml")
        assert self.origins()["min_copies"] == ("30", str(home / "config.toml"))
        monkeypatch.setenv("PROMPTSCAN_STORE", "environment")
        assert self.origins()["store"] == ("environment", "PROMPTSCAN_STORE")
        assert self.origins("--store", "flag")["store"] == ("flag", "--store")
        assert self.origins()["max_chars"] == ("8", "promptscan.toml")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("max_chars = ", "can't be read"), ('nonsense = "x"', "there is no setting 'nonsense'"), ("max_chars = 'many'", "wanted int"),
            ("max_bad_rows = 7", "out of range"), ("min_family_size = 1", "out of range"), ("keep_generations = 0", "out of range"),
        ],
    )  # fmt: skip
    def test_an_unusable_file_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, message: str
    ):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "promptscan.toml").write_text(content)
        line = refused(2, "config", "show")
        assert message in line
        assert "promptscan.toml" in line

    def test_an_unusable_variable_is_named(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("PROMPTSCAN_THREADS", "two")
        assert refused(2, "config", "show") == "Error: PROMPTSCAN_THREADS: threads = 'two' is not usable; wanted int"


class TestOperations:
    """fsck and doctor."""

    def test_fsck_of_a_sound_store(self, built: Path):
        assert json.loads(promptscan("--store", built, "fsck", "--deep", "--json").out)["problems"] == []

    def test_fsck_names_leftovers_without_alarm(self, store: Path):
        (store / "segments" / "vectors-left").mkdir()
        ran = promptscan("--store", store, "fsck", "--json")
        assert ran.code == 0
        assert json.loads(ran.out)["problems"][0] == {
            "severity": "leftover",
            "path": "segments/vectors-left",
            "message": "no generation names it; reused or pruned later",
        }

    def test_doctor_looks_at_everything_and_exits_with_what_it_found(self, built: Path, tmp_path: Path):
        ran = promptscan("--store", built, "doctor", "--json")
        rows = {row["check"]: row for row in json.loads(ran.out)["rows"]}
        assert set(rows) >= {"libraries", "memory", "disk", "encoder", "store"}
        assert "330 prompts" in rows["store"]["finding"]
        assert ran.code == (0 if all(row["ok"] == "ok" for row in rows.values()) else 1)
        assert "none at" in promptscan("--store", tmp_path / "none", "doctor", "--json").out


class TestQueries:
    """sql and export."""

    @pytest.mark.parametrize(
        "query",
        [
            "INSERT INTO prompts VALUES (1)", "DROP VIEW prompts", "CREATE TABLE t (a INT)", "UPDATE texts SET text = 'x'", "DELETE FROM texts",
            "COPY prompts TO '{out}'", "COPY (SELECT 1) TO '{out}'", "EXPORT DATABASE '{out}'", "ATTACH '{out}' AS a", "SELECT 1; SELECT 2",
            "SELECT 1; DROP VIEW prompts", "SET threads = 1", "PRAGMA database_list", "INSTALL httpfs", "LOAD httpfs", "SELECT * FROM read_text('/etc/passwd')",
            "SELECT * FROM read_csv('/etc/passwd')", "FROM '/etc/passwd'", "FROM glob('/*')", "SELECT getenv('HOME')", "SELECT * FROM nonsense",
            "FROM read_parquet('{store}/segments/*/*.parquet')", "EXPLAIN ANALYZE COPY prompts TO '{out}'", "CHECKPOINT", "", "not sql", "VACUUM",
            "SELECT * FROM read_blob('{store}/CURRENT')", "CALL pragma_version()", "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1", "EXPLAIN (ANALYZE) DROP VIEW prompts",
        ],
    )  # fmt: skip
    def test_sql_reads_this_store_and_nothing_else(self, built: Path, tmp_path: Path, query: str):
        refused(2, "--store", built, "sql", query.format(out=tmp_path / "out", store=built))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "query",
        [
            "SELECT 1 AS a",
            "FROM families",
            "WITH x AS (SELECT 1 AS a) FROM x",
            "SHOW TABLES",
            "DESCRIBE prompts",
            "EXPLAIN SELECT 1",
            "explain analyze select 1",
            "EXPLAIN (FORMAT json) SELECT 1",
            "VALUES (1)",
            "SUMMARIZE texts",
        ],
    )
    def test_sql_reads_in_every_form(self, built: Path, query: str):
        assert promptscan("--store", built, "sql", query).code == 0
        assert promptscan("--store", built, "sql", "-", "--json", stdin=query.encode()).code == 0

    def test_export_writes_a_view_in_every_format(self, built: Path, tmp_path: Path):
        for suffix in ("parquet", "csv", "jsonl", "json", "arrow"):
            assert promptscan("--store", built, "export", "texts", "--out", tmp_path / f"t.{suffix}").code == 0
        assert pq.read_table(tmp_path / "t.parquet").num_rows == 295
        assert len(list(csv.reader(io.StringIO((tmp_path / "t.csv").read_text())))) == 296
        assert len([json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]) == 295
        assert len(json.loads((tmp_path / "t.json").read_text())["rows"]) == 295
        assert pa.ipc.open_stream((tmp_path / "t.arrow").read_bytes()).read_all().num_rows == 295
        assert promptscan("--store", built, "export", "texts").out.splitlines()[0].startswith("text_id,text,")

    @pytest.mark.parametrize("view", ["nonsense", "base_prompts", "prompts; drop", "duckdb_views"])
    def test_export_knows_the_public_views_only(self, built: Path, view: str):
        assert "there is no view" in refused(2, "--store", built, "export", view)


class TestLists:
    """families, accounts, show."""

    def test_families_are_listed_by_score(self, built: Path):
        rows = json.loads(promptscan("--store", built, "families", "--json").out)["families"]
        assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
        assert {row["kind"] for row in rows} == {"template", "copies"}
        assert len(json.loads(promptscan("--store", built, "families", "-n", "1", "--json").out)["families"]) == 1

    def test_lists_can_be_sorted_and_filtered(self, built: Path):
        words = ("--store", built, "accounts", "--json")
        fewest = json.loads(promptscan(*words, "--sort", "n_prompts", "-n", "3").out)["accounts"]
        most = json.loads(promptscan(*words, "--sort", "-n_prompts", "-n", "3").out)["accounts"]
        assert fewest[0]["n_prompts"] < most[0]["n_prompts"]
        poc = json.loads(promptscan(*words, "--where", "account_id LIKE 'poc-%'").out)["accounts"]
        assert len(poc) == 24

    @pytest.mark.parametrize(
        "words",
        [("--sort", "nonsense"), ("--where", "nonsense"), ("--since", "tomorrowish"), ("--sort", 'a" DESC; --')],
    )
    def test_unusable_list_options_are_usage_errors(self, built: Path, words: tuple[str, ...]):
        refused(2, "--store", built, "families", *words)

    def test_since_counts_back_from_the_newest_prompt(self, built: Path):
        def count(since: str) -> int:
            return len(json.loads(promptscan("--store", built, "accounts", "--since", since, "--json").out)["accounts"])

        assert count("1h") < count("1d") < count("999999999w") == count("2026-01-01")

    @pytest.mark.parametrize(
        "kind", ["family:F-1", "F-1", "account:poc-01", "poc-01", "prompt:p007", "p007", "text:3", "3"]
    )
    def test_show_finds_anything_by_its_id(self, built: Path, kind: str):
        ran = promptscan("--store", built, "show", kind)
        assert (ran.code, ran.err) == (0, "")
        assert kind.rsplit(":", maxsplit=1)[-1] in ran.out
        assert (
            json.loads(promptscan("--store", built, "show", kind, "--json").out)["id"]
            == kind.rsplit(":", maxsplit=1)[-1]
        )

    def test_show_of_nothing_known_is_a_usage_error(self, built: Path):
        for identifier in ("F-99", "nobody", "text:99999999999999999999", "account:", ""):
            refused(2, "--store", built, "show", identifier)


def test_report_exits_with_ten_when_asked_and_there_is_news(built: Path, tmp_path: Path):
    words = ("--store", built, "report", "--out", tmp_path, "--format", "json")
    assert promptscan(*words).code == 0
    assert promptscan(*words, "--exit-code").code == 10
    assert promptscan(*words, "--exit-code", "--since", "2100-01-01").code == 0
    assert "wanted html or json" in refused(2, "--store", built, "report", "--format", "pdf")


def test_eval_judges_families_by_a_truth_file(built: Path, tmp_path: Path):
    with package.open(built) as store:
        table = store.sql(
            "SELECT prompt_id, CASE WHEN account_id LIKE 'poc-%' THEN 'C1' END AS campaign_id FROM prompts"
        )
    pq.write_table(table, tmp_path / "truth.parquet")
    ran = promptscan("--store", built, "eval", "--truth", tmp_path / "truth.parquet", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert [
        (c["campaign_id"], c["prompts"], c["accounts"], c["precision"], c["recall"]) for c in found["campaigns"]
    ] == [("C1", 80, 24, 1.0, 1.0)]
    assert (found["benign"], found["benign_in_campaign_families"]) == (250, 0.0)
    assert "does not exist" in refused(2, "--store", built, "eval", "--truth", tmp_path / "none")
    pq.write_table(pa.table({"prompt_id": ["p1"]}), tmp_path / "short.parquet")
    assert "lacks campaign_id" in refused(4, "--store", built, "eval", "--truth", tmp_path / "short.parquet")
    pq.write_table(pa.table({"prompt_id": ["zzz"], "campaign_id": ["C"]}), tmp_path / "other.parquet")
    assert "shares no prompt_id" in refused(4, "--store", built, "eval", "--truth", tmp_path / "other.parquet")


HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07\x9b31m red",
    "user\u202egpj.exe\u2066 bidi",
    "[/x] [bold]b[/bold] [link=file:///etc]l[/link] markup",
    "=cmd|' /C calc'!A0",
    "\U000e0068\U000e0069\U000e0074 tags",
    "zero\u200bwidth\u200d and \ufeff",
    "line\u2028separator\r\nreturn\b",
]


class TestHostileText:
    """Attackers choose texts, account ids, file names, column names and prompt ids."""

    @pytest.fixture(scope="class")
    @classmethod
    def hostile(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        root = tmp_path_factory.mktemp("hostile")
        rows: list[dict[str, Any]] = []
        for number in range(12):
            for index, evil in enumerate(HOSTILE):
                text = POC.format(f"CVE-{number}{index}") + " " + evil
                rows.append(
                    {
                        "text": text,
                        "account_id": f"{evil} {number}",
                        "id": f"{evil} {number}",
                        "model": evil,
                        "ip": evil,
                        evil: evil,
                        "ts": 1767571200 + number,
                    }
                )
        rows.append({"text": None, "\x1b[31mcolumn": "\x1b[31m"})
        path = root / "log\x1b[31m\u202e[bold].jsonl"
        write_jsonl(path, rows)
        ran = promptscan("--store", root / "s", "scan", path, "--max-bad-rows", "0.5")
        assert ran.code == 0, ran.err
        check(ran)
        return root / "s"

    @pytest.mark.parametrize(
        "words",
        [
            ("search", "proof of concept"), ("search", HOSTILE[0]), ("search", "--id", f"{HOSTILE[0]} 3"), ("families",), ("families", "F-1"), ("accounts",),
            ("accounts", f"{HOSTILE[1]} 3"), ("show", f"{HOSTILE[2]} 3"), ("show", "text:1"), ("sql", "FROM prompts"), ("sql", "FROM texts"), ("sql", "FROM quarantine"),
            ("sql", "FROM entities"), ("sql", 'SELECT 1 AS "\x1b[31m\u202e"'), ("sql", "\x1b[31m"), ("search", "x", "--where", "\x1b[31m\u202e = 1"), ("search", "--id", "\x1b[2J"),
            ("show", "\u202e\x1b[2J"), ("families", "--sort", "\x1b[2J"), ("export", "\x1b[2J"), ("ingest", "/nowhere/\x1b[2J\u202e"), ("fsck",), ("eval", "--truth", "\x1b[2J"),
            ("\x1b[2J",), ("search", "--\x1b[2J"), ("report", "--format", "\x1b[2J"), ("report", "--since", "\x1b[2J"), ("ingest", "x", "--map", "\x1b[2J"),
        ],
    )  # fmt: skip
    def test_nothing_raw_reaches_a_terminal(self, hostile: Path, words: tuple[str, ...], tmp_path: Path):
        out = ("--out", tmp_path) if words[0] == "report" else ()
        check(promptscan("--store", hostile, *words, *out))

    @pytest.mark.parametrize(
        "words",
        [("search", "proof"), ("accounts",), ("families",), ("sql", "FROM prompts"), ("show", f"{HOSTILE[2]} 3")],
    )
    def test_json_is_ascii_and_holds_the_raw_text(self, hostile: Path, words: tuple[str, ...]):
        ran = promptscan("--store", hostile, *words, "--json")
        assert ran.code == 0, ran.err
        assert re.fullmatch(r"[\n -~]*", ran.out)
        json.loads(ran.out)
        lines = promptscan("--store", hostile, *words, "--jsonl").out
        assert re.fullmatch(r"[\n -~]*", lines)

    @pytest.mark.parametrize(
        "words",
        [("search", "proof"), ("accounts",), ("sql", "FROM prompts"), ("export", "texts"), ("export", "quarantine")],
    )
    def test_csv_runs_no_formula(self, hostile: Path, words: tuple[str, ...]):
        ran = promptscan("--store", hostile, *words, "--csv")
        check(ran)
        for row in csv.reader(io.StringIO(ran.out)):
            assert not any(re.match(r"\s*[=+@|%\-][^0-9.]", field) for field in row), row

    def test_files_hold_the_raw_text(self, hostile: Path, tmp_path: Path):
        assert promptscan("--store", hostile, "export", "prompts", "-o", tmp_path / "p.parquet").code == 0
        table = pq.read_table(tmp_path / "p.parquet")
        assert set(table["model"].to_pylist()) >= set(HOSTILE)
        assert set(HOSTILE) & set(table.column_names) or "extra" in table.column_names


def check(ran: Ran) -> None:
    """No control, bidi, invisible or private character, and no traceback, on either stream."""
    for stream in (ran.out, ran.err):
        bad = {
            character
            for character in stream
            if unicodedata.category(character) in {"Cc", "Cf", "Co", "Cn", "Zl", "Zp"} and character not in "\n\t"
        }
        assert not bad, (ran.code, bad, stream[:400])
        assert "Traceback" not in stream
    assert ran.code in {0, 2, 4}, ran.err


def test_a_second_scan_says_that_nothing_is_new(store: Path, log: Path):
    promptscan("--store", store, "build")
    ran = promptscan("--store", store, "scan", log)
    assert ran.code == 0
    assert "nothing new" in ran.err
    assert ran.out == ""


def test_ingest_then_build_is_scan(log: Path, built: Path, tmp_path: Path):
    assert promptscan("--store", tmp_path / "s", "ingest", log).code == 0
    assert "promptscan build" in refused(3, "--store", tmp_path / "s", "search", "hi there")
    assert promptscan("--store", tmp_path / "s", "build").code == 0
    query = "SELECT text_id, text, family_id FROM texts ORDER BY text_id"
    with package.open(tmp_path / "s") as steps, package.open(built) as whole:
        assert steps.sql(query).equals(whole.sql(query))


def test_a_setting_given_as_flag_reaches_the_build(log: Path, tmp_path: Path):
    assert promptscan("--store", tmp_path / "s", "scan", log, "--min-family-size", "70").code == 0
    with package.open(tmp_path / "s") as store:
        assert [row["n_texts"] for row in store.families(where="kind <> 'copies'").to_pylist()] == [80]
