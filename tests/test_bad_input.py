"""Input that nobody wants and everybody gets: an exit code, one line that says what to do, and nothing lost."""

from __future__ import annotations

import codecs
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.commands import promptscan, refused
from tests.logs import WORDS, sample_rows, write_jsonl


def rows_of(store: Path, query: str) -> list[dict[str, Any]]:
    """Run a query through the command line."""
    ran = promptscan("--store", store, "sql", query, "--json")
    assert ran.code == 0, ran.err
    return list(json.loads(ran.out)["rows"])


def ingest(store: Path, *words: str | Path, code: int = 0, stdin: bytes = b"") -> str:
    """Ingest, expect an exit code, return what was said."""
    ran = promptscan("--store", store, "ingest", *words, stdin=stdin)
    assert ran.code == code, ran.err
    assert "Traceback" not in ran.err
    return ran.err


def quarantined(store: Path) -> dict[str, str]:
    """Position -> reason."""
    return {str(row["position"]): row["reason"] for row in rows_of(store, "SELECT position, reason FROM quarantine")}


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv", "a.jsonl.gz"])
def test_an_empty_file_adds_nothing_and_is_no_error(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"") if name.endswith("gz") else b"")
    said = ingest(tmp_path / "s", path)
    assert "0 prompts added" in said
    assert "empty" in said


def test_an_empty_file_that_ought_to_be_parquet_is_quarantined_whole(tmp_path: Path):
    (tmp_path / "a.parquet").touch()
    ingest(tmp_path / "s", tmp_path / "a.parquet", code=4)
    assert rows_of(tmp_path / "s", "SELECT source, position FROM quarantine") == [
        {"source": str(tmp_path / "a.parquet"), "position": None}
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("search", "hi"),
        ("families",),
        ("accounts",),
        ("report",),
        ("sql", "select 1"),
        ("show", "F-1"),
        ("export", "prompts"),
    ],
)
def test_a_missing_store_is_named_with_the_command_that_makes_one(tmp_path: Path, words: tuple[str, ...]):
    line = refused(3, "--store", tmp_path / "nowhere", *words)
    assert "no store at" in line
    assert "scan FILE" in line
    assert not (tmp_path / "nowhere").exists()


def test_a_missing_store_is_damaged_for_fsck(tmp_path: Path):
    ran = promptscan("--store", tmp_path / "nowhere", "fsck")
    assert ran.code == 3
    assert "no store at" in ran.out + ran.err


class TestStoreWithoutPrompts:
    """Every reading command works on a store that holds nothing."""

    @pytest.fixture(scope="class")
    @classmethod
    def empty(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        root = tmp_path_factory.mktemp("empty")
        (root / "a.jsonl").touch()
        assert promptscan("--store", root / "s", "scan", root / "a.jsonl").code == 0
        return root / "s"

    @pytest.mark.parametrize(
        "words", [("families",), ("accounts",), ("families", "--new"), ("families", "--since", "7d")]
    )
    def test_lists_are_empty(self, empty: Path, words: tuple[str, ...]):
        ran = promptscan("--store", empty, *words)
        assert (ran.code, ran.out) == (0, "nothing found\n")
        assert json.loads(promptscan("--store", empty, *words, "--json").out) == {words[0]: []}

    def test_views_are_there_with_no_row(self, empty: Path):
        assert rows_of(empty, "SELECT (SELECT count(*) FROM prompts) AS p, (SELECT count(*) FROM families) AS f") == [
            {"p": 0, "f": 0}
        ]

    def test_report_is_written(self, empty: Path, tmp_path: Path):
        ran = promptscan("--store", empty, "report", "--out", tmp_path / "r", "--exit-code")
        assert ran.code == 0, ran.err
        assert (tmp_path / "r" / "report.html").exists()

    def test_fsck_finds_it_sound(self, empty: Path):
        assert promptscan("--store", empty, "fsck", "--deep").code == 0

    def test_search_says_that_there_is_nothing_to_search(self, empty: Path):
        assert "promptscan build" in refused(3, "--store", empty, "search", "hi")
        assert "no prompt has the id" in refused(2, "--store", empty, "search", "--id", "p1")

    def test_a_second_scan_of_nothing_changes_nothing(self, empty: Path):
        before = (empty / "CURRENT").read_bytes()
        assert promptscan("--store", empty, "scan", empty.parent / "a.jsonl").code == 0
        assert (empty / "CURRENT").read_bytes() == before


def test_one_prompt_makes_a_store_that_answers(tmp_path: Path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": "a lonely prompt", "id": "only"}])
    assert promptscan("--store", tmp_path / "s", "scan", path).code == 0
    ran = promptscan("--store", tmp_path / "s", "search", "a lonely prompt", "--json")
    assert [(hit["prompt_id"], hit["kind"]) for hit in json.loads(ran.out)["hits"]] == [("only", "copy")]
    assert rows_of(tmp_path / "s", "SELECT family_id FROM texts") == [{"family_id": None}]


def test_all_identical_prompts_are_one_text_and_one_family(tmp_path: Path):
    rows = [{"text": "say exactly this", "account": f"a{number % 9}", "id": f"p{number}"} for number in range(40)]
    assert promptscan("--store", tmp_path / "s", "scan", write_jsonl(tmp_path / "a.jsonl", rows)).code == 0
    families = rows_of(tmp_path / "s", "SELECT n_texts, n_prompts, n_accounts FROM families")
    assert families == [{"n_texts": 1, "n_prompts": 40, "n_accounts": 9}]
    hits = json.loads(promptscan("--store", tmp_path / "s", "search", "say exactly this", "--json").out)["hits"]
    assert [(hit["n_prompts"], hit["n_accounts"]) for hit in hits] == [(40, 9)]


def test_a_twenty_megabyte_prompt_is_quarantined_or_searchable_to_its_end(tmp_path: Path):
    end = " ".join(WORDS * 8)
    text = ("internationalization" + " " * 180) * 105_000 + end
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": text, "id": "huge"}, {"text": "short", "id": "small"}])
    ingest(tmp_path / "s", path, code=4)
    assert quarantined(tmp_path / "s")["1"] == f"text of {len(text)} characters is over --max-chars 1000000"
    assert promptscan("--store", tmp_path / "t", "scan", path, "--max-chars", str(1 << 25)).code == 0
    hits = json.loads(promptscan("--store", tmp_path / "t", "search", end[:400], "-k", "1", "--json").out)["hits"]
    assert [hit["prompt_id"] for hit in hits] == ["huge"]
    assert hits[0]["score"] > 0.6
    table = promptscan("--store", tmp_path / "t", "search", end[:400]).out
    assert len(table) < 10_000


def test_a_nul_is_quarantined_wherever_it_stands(tmp_path: Path):
    rows = [
        {"text": "a\0b"},
        {"text": "ok", "account": "x\0y"},
        {"text": "ok", "id": "\0"},
        {"text": "ok", "model": "m\0"},
        {"text": "fine"},
    ]
    ingest(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", rows), code=4)
    reasons = quarantined(tmp_path / "s")
    assert {reasons[number] for number in "123"} == {"NUL character"}
    assert len(rows_of(tmp_path / "s", "FROM prompts")) + len(reasons) == len(rows)


def test_lone_surrogates_become_replacement_characters(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"text": "lone \\ud800 high"}\n{"text": "low \\udfff\\u0041"}\n{"text": "pair \\ud83d\\ude00"}\n'
    )
    ingest(tmp_path / "s", path)
    texts = {row["text"] for row in rows_of(tmp_path / "s", "SELECT text FROM texts")}
    assert {text.replace("\ufffd\ufffd\ufffd", "\ufffd") for text in texts} == {
        "lone \ufffd high",
        "low \ufffdA",
        "pair \U0001f600",
    }


def test_a_latin_1_line_is_quarantined_and_the_rest_is_kept(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"text": "grün"}\n'.encode() + '{"text": "grün"}\n'.encode("latin-1") + b'{"text": "blau"}\n')
    ingest(tmp_path / "s", path, code=4)
    assert quarantined(tmp_path / "s") == {"2": "not UTF-8 (byte 12)"}
    assert rows_of(tmp_path / "s", "SELECT text FROM texts ORDER BY text") == [{"text": "blau"}, {"text": "grün"}]


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8])
def test_a_byte_order_mark_says_how_a_file_is_encoded(tmp_path: Path, mark: bytes):
    encoding = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be", codecs.BOM_UTF8: "utf-8"}[mark]
    path = tmp_path / "a.jsonl"
    path.write_bytes(mark + '{"text": "größer 漢字 \U0001f600"}\n{"text": "zwei"}\n'.encode(encoding))
    ingest(tmp_path / "s", path)
    assert rows_of(tmp_path / "s", "SELECT text FROM texts ORDER BY text") == [
        {"text": "größer 漢字 \U0001f600"},
        {"text": "zwei"},
    ]


def test_texts_of_a_wrong_type_are_quarantined_with_the_type(tmp_path: Path):
    rows = [
        {"text": 7},
        {"text": {"a": 1}},
        {"text": True},
        {"text": None},
        {"text": ""},
        {"text": " \n\t"},
        {"text": "good"},
    ]
    ingest(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", rows), code=4)
    reasons = quarantined(tmp_path / "s")
    assert {number: reason.split(":")[0] for number, reason in reasons.items()} == {
        "1": "wrong type", "2": "wrong type", "3": "wrong type", "4": "no text", "5": "no text", "6": "no text",
    }  # fmt: skip
    pq.write_table(pa.table({"text": [1.5, 2.5]}), tmp_path / "b.parquet")
    ingest(tmp_path / "t", tmp_path / "b.parquet", code=4)
    assert set(quarantined(tmp_path / "t").values()) == {
        "wrong type: text is DOUBLE, wanted a string or a list of messages"
    }


def test_lines_that_are_no_object_are_quarantined(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"text": "good"}\n[1, 2]\n"word"\n7\nnull\n{"text": "cut off\n{"text": "good too"}\n' + "[" * 100_000 + "\n"
    )
    ingest(tmp_path / "s", path, code=4)
    assert set(quarantined(tmp_path / "s")) == {"2", "3", "4", "5", "6", "8"}
    assert len(rows_of(tmp_path / "s", "FROM prompts")) == 2


def test_a_file_without_a_text_column_is_quarantined_row_by_row(tmp_path: Path):
    (tmp_path / "a.csv").write_text("account,body\nx,hello\ny,world\n")
    said = ingest(tmp_path / "s", tmp_path / "a.csv", code=4)
    assert "2 of 2 rows quarantined" in said
    assert set(quarantined(tmp_path / "s").values()) == {"no text: none of the accepted columns is there"}


def test_one_id_for_two_texts_keeps_both_and_says_so(tmp_path: Path):
    rows = [{"id": "dup", "text": "first"}, {"id": "dup", "text": "second"}, {"id": "dup", "text": "first"}]
    said = ingest(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", rows))
    assert "1 prompts had the id of another prompt" in said
    kept = rows_of(tmp_path / "s", "SELECT prompt_id, text FROM prompts JOIN texts USING (text_id) ORDER BY prompt_id")
    assert [row["text"] for row in kept] == ["first", "second"]
    assert kept[0]["prompt_id"] == "dup"
    assert kept[1]["prompt_id"].startswith("dup~")


def test_times_from_1970_to_9999_are_kept_and_others_quarantined(tmp_path: Path):
    good = ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0", "253402300799", "2026-02-28 12:00:00+14:00"]
    bad = ["1969-12-31T23:59:59Z", "-5", "10000-01-01T00:00:00Z", "yesterday", "2026-02-30", "1e300", "nan", "infinity"]
    rows = [{"text": f"t{number}", "ts": moment} for number, moment in enumerate([*good, *bad])]
    ingest(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", rows), code=4)
    kept = rows_of(tmp_path / "s", "SELECT ts::VARCHAR AS ts FROM prompts JOIN texts USING (text_id) ORDER BY text")
    assert [row["ts"] for row in kept] == [
        "1970-01-01 00:00:00", "9999-12-31 23:59:59", "1970-01-01 00:00:00", "9999-12-31 23:59:59", "2026-02-27 22:00:00",
    ]  # fmt: skip
    assert sorted(quarantined(tmp_path / "s"), key=int) == [
        str(len(good) + number) for number in range(1, len(bad) + 1)
    ]


def test_a_file_that_shrank_is_read_again_and_loses_nothing(tmp_path: Path):
    rows = sample_rows()[:20]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    ingest(tmp_path / "s", path)
    write_jsonl(path, rows[:5])
    assert "0 prompts added, 5 known already" in ingest(tmp_path / "s", path)
    assert len(rows_of(tmp_path / "s", "FROM prompts")) == 20


def test_a_broken_link_is_quarantined_and_the_other_files_are_read(tmp_path: Path):
    (tmp_path / "gone.jsonl").symlink_to(tmp_path / "nothing")
    good = write_jsonl(tmp_path / "a.jsonl", [{"text": "good"}])
    ingest(tmp_path / "s", tmp_path / "gone.jsonl", good, code=4)
    assert rows_of(tmp_path / "s", "SELECT reason FROM quarantine") == [
        {"reason": "file can't be read: No such file or directory"}
    ]
    assert len(rows_of(tmp_path / "s", "FROM prompts")) == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"PAR1" + bytes(range(256)) * 9),
        ("b.parquet", b"not a parquet file at all"),
        ("c.jsonl.gz", b"\x1f\x8b\x08" + b"garbage" * 20),
        ("d.jsonl.zst", b"\x28\xb5\x2f\xfd" + b"garbage" * 20),
        ("e.csv.gz", b"plain text, not gzip\n1,2\n"),
        ("f.bin", bytes(range(1, 255)) * 4),
    ],
)
def test_garbage_under_any_name_is_quarantined_whole(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    ingest(tmp_path / "s", tmp_path / name, code=4)
    kept = rows_of(tmp_path / "s", "SELECT source, position, reason FROM quarantine")
    assert [row["source"] for row in kept] == [str(tmp_path / name)]
    assert kept[0]["reason"].startswith("file can't be read: ")
    ingest(tmp_path / "s", tmp_path / name, code=4)
    assert len(rows_of(tmp_path / "s", "FROM quarantine")) == 1, "the same finding is kept once"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_a_file_without_permission_is_quarantined(tmp_path: Path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": "secret"}])
    path.chmod(0)
    assert "Permission denied" in ingest(tmp_path / "s", path, code=4)


def test_nothing_to_read_is_a_usage_error(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("not a log")
    assert "has no file to read" in refused(2, "--store", tmp_path / "s", "ingest", tmp_path / "folder")
    assert "does not exist" in refused(2, "--store", tmp_path / "s", "ingest", tmp_path / "missing.jsonl")
    assert "does not exist" in refused(2, "--store", tmp_path / "s", "ingest", f"{tmp_path}/*.nothing")


@pytest.mark.parametrize(
    "name",
    [
        "with space.jsonl",
        'it\'s "quoted".jsonl',
        "a*b?[c].jsonl",
        "[ab].csv",
        "a\nb.jsonl",
        "semi;--.csv",
        "%s{}.parquet",
        "ü漢.json",
    ],
)
def test_odd_paths_are_paths(tmp_path: Path, name: str):
    path = tmp_path / name
    if name.endswith("csv"):
        path.write_text("text\nhello there\n")
    elif name.endswith("parquet"):
        pq.write_table(pa.table({"text": ["hello there"]}), path)
    else:
        write_jsonl(path, [{"text": "hello there"}])
    ingest(tmp_path / 'a store\'s [odd] "name"', path)
    assert rows_of(
        tmp_path / 'a store\'s [odd] "name"', "SELECT source, text FROM prompts JOIN texts USING (text_id)"
    ) == [{"source": str(path), "text": "hello there"}]


def test_a_name_that_is_no_unicode_is_a_path_too(tmp_path: Path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jsonl"))
    write_jsonl(path, [{"text": "hello there"}])
    ingest(tmp_path / "s", path)
    assert rows_of(tmp_path / "s", "SELECT source FROM prompts") == [{"source": f"{tmp_path}/caf\\xe9.jsonl"}]


def test_standard_input_that_is_empty_or_no_text_ends_well(tmp_path: Path):
    assert "0 prompts added" in ingest(tmp_path / "s", "-", stdin=b"")
    ingest(tmp_path / "s", "-", stdin=b"\xff\xfe\xff\xff\x00garbage", code=4)
    assert "1 prompts added" in ingest(tmp_path / "s", "-", stdin=b'{"text": "piped"}')


@pytest.mark.parametrize(
    "words",
    [
        ("--map", "nonsense=text"), ("--map", "text"), ("--map", "text="), ("--max-chars", "0"), ("--max-bad-rows", "2"),
        ("--accounts", "missing.csv"),
    ],
)  # fmt: skip
def test_unusable_options_are_usage_errors(tmp_path: Path, log: Path, words: tuple[str, ...]):
    refused(2, "--store", tmp_path / "s", "ingest", log, *words)


def test_the_limit_of_bad_rows_decides_the_exit_code_and_nothing_else(tmp_path: Path):
    path = write_jsonl(tmp_path / "a.jsonl", [*sample_rows()[:98], {"text": None}, {"text": 5}])
    assert "more bad rows than --max-bad-rows allows" in ingest(tmp_path / "s", path, code=4)
    assert ingest(tmp_path / "t", path, "--max-bad-rows", "0.02")
    for name in "st":
        assert len(rows_of(tmp_path / name, "FROM prompts")) == 98
        assert len(rows_of(tmp_path / name, "FROM quarantine")) == 2
