"""ingest: every format, every name of a field, every row once."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

import promptscan.ingest.load as load
from promptscan.build import Run, commit
from promptscan.config import Settings
from promptscan.errors import BadDataError
from promptscan.ingest import AccountsReport, IngestReport, ingest, ingest_accounts
from promptscan.store import Generation, open_writer
from tests.logs import sample_rows, write_jsonl

ROWS = sample_rows()[:12]
TABLE = pa.Table.from_pylist(ROWS)


def add(store: Path, *paths: str | Path, accounts: Path | None = None, **options: Any) -> IngestReport:
    """Ingest and commit."""
    with open_writer(store) as writer:
        if accounts is not None:
            ingest_accounts(writer, str(accounts))
        report = ingest(writer, [str(path) for path in paths], **options)
        commit(writer, Settings(store=store), Run.start("test"))
    return report


def add_accounts(store: Path, path: Path, mapping: Sequence[str] = ()) -> AccountsReport:
    with open_writer(store) as writer:
        report = ingest_accounts(writer, str(path), mapping=mapping)
        commit(writer, Settings(store=store), Run.start("test"))
    return report


def query(store: Path, sql: str) -> list[tuple[Any, ...]]:
    with Generation.current(store) as generation, generation.connect() as con:
        return list(con.execute(sql).fetchall())


def texts(store: Path) -> list[str]:
    return [row[0] for row in query(store, "SELECT text FROM prompts JOIN texts USING (text_id) ORDER BY prompt_id, text")]


def one_row(tmp_path: Path, row: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Ingest one JSON row; return its prompt with its text."""
    add(tmp_path / "s", write_jsonl(tmp_path / "one.jsonl", [row]), **options)
    with Generation.current(tmp_path / "s") as generation, generation.connect() as con:
        rows = con.sql("SELECT * FROM prompts JOIN texts USING (text_id)").to_arrow_table().to_pylist()
    assert len(rows) == 1
    return dict(rows[0])


def csv_bytes(delimiter: str = ",") -> bytes:
    out = io.BytesIO()
    pc.write_csv(TABLE, out, pc.WriteOptions(delimiter=delimiter))
    return out.getvalue()


def parquet_bytes() -> bytes:
    out = io.BytesIO()
    pq.write_table(TABLE, out)
    return out.getvalue()


JSONL = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
FILES = {
    "a.parquet": parquet_bytes(),
    "a.pq": parquet_bytes(),
    "unnamed-parquet": parquet_bytes(),
    "a.jsonl": JSONL,
    "a.ndjson": JSONL,
    "unnamed-jsonl": JSONL,
    "no-newline-at-end.jsonl": JSONL[:-1],
    "windows.jsonl": JSONL.replace(b"\n", b"\r\n"),
    "blank-lines.jsonl": JSONL.replace(b"\n", b"\n\n  \n"),
    "array.json": json.dumps(ROWS).encode(),
    "array-indented.json": json.dumps(ROWS, indent=2).encode(),
    "lines.json": JSONL,
    "a.csv": csv_bytes(),
    "a.tsv": csv_bytes("\t"),
    "a.jsonl.gz": gzip.compress(JSONL),
    "a.jsonl.zst": zstandard.compress(JSONL),
    "two-frames.jsonl.zst": zstandard.compress(JSONL[:100]) + zstandard.compress(JSONL[100:]),
    "a.csv.gz": gzip.compress(csv_bytes()),
    "a.csv.zst": zstandard.compress(csv_bytes()),
    "array.json.gz": gzip.compress(json.dumps(ROWS).encode()),
    "wrong-name.jsonl": gzip.compress(JSONL),
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_prompts(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(FILES[name])
    report = add(tmp_path / "s", tmp_path / name)
    assert (report.added, report.quarantined) == (12, 0), query(tmp_path / "s", "FROM quarantine")
    found = query(
        tmp_path / "s",
        "SELECT prompt_id, account_id, strftime(ts, '%Y-%m-%dT%H:%M:%SZ'), model, ip, CAST(tokens AS BIGINT), text "
        "FROM prompts JOIN texts USING (text_id) ORDER BY prompt_id",
    )
    assert found == [tuple(row.values()) for row in ROWS]
    assert query(tmp_path / "s", "SELECT DISTINCT source FROM prompts") == [(str(tmp_path / name),)]


def test_globs_folders_and_repeated_paths_name_each_file_once(tmp_path: Path):
    deep = tmp_path / "log" / "2026" / "01"
    deep.mkdir(parents=True)
    for number in range(3):
        write_jsonl(deep / f"{number}.jsonl", ROWS[4 * number : 4 * number + 4])
    (deep / "README.txt").write_text("not a log")
    for store, paths in {"a": [tmp_path / "log"], "b": [f"{tmp_path}/log/**/*.jsonl"], "c": [deep / "0.jsonl", deep, f"{deep}/?.jsonl"]}.items():
        assert len(add(tmp_path / store, *paths).sources) == 3
        assert sorted(texts(tmp_path / store)) == sorted(row["text"] for row in ROWS)


def test_standard_input_is_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for data in (JSONL, gzip.compress(JSONL), parquet_bytes()):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        report = add(tmp_path / "s", "-")
        assert (report.added + report.known, report.sources[0].name) == (12, "-")
    assert len(texts(tmp_path / "s")) == 12


def test_fsspec_urls_are_fetched(tmp_path: Path):
    fsspec = pytest.importorskip("fsspec")
    for name in ("a.jsonl", "a.csv.gz", "a.parquet"):
        with fsspec.open(f"memory://logs/{name}", "wb") as out:
            out.write(FILES[name])
        assert add(tmp_path / name, f"memory://logs/{name}").added == 12
        assert query(tmp_path / name, "SELECT DISTINCT source FROM prompts") == [(f"memory://logs/{name}",)]


class TestFields:
    """Which column is which."""

    @pytest.mark.parametrize("name", ["text", "prompt", "content", "input", "query", "instruction", "messages", "Text", "PROMPT"])
    def test_text_is_found_under_its_accepted_names(self, tmp_path: Path, name: str):
        assert one_row(tmp_path, {name: "hello there"})["text"] == "hello there"

    def test_the_first_accepted_name_wins(self, tmp_path: Path):
        row = {"messages": "no", "input": "no", "prompt": "yes", "user": "no", "account": "yes", "date": "2020-01-01", "timestamp": "2026-01-01"}
        found = one_row(tmp_path, row)
        assert (found["text"], found["account_id"], found["ts"].year) == ("yes", "yes", 2026)

    def test_an_absent_account_is_unknown_and_an_absent_id_is_made_of_the_row(self, tmp_path: Path):
        found = one_row(tmp_path, {"text": "hello", "account_id": ""})
        assert found["account_id"] == "unknown"
        assert len(found["prompt_id"]) == 32
        assert found["ts"] is None

    @pytest.mark.parametrize("name", ["account_id", "account", "user_id", "user", "actor", "org_id"])
    def test_accounts_have_many_names(self, tmp_path: Path, name: str):
        assert one_row(tmp_path, {"text": "hello", name: 77})["account_id"] == "77"

    def test_a_mapping_overrides_and_reaches_into_nested_columns(self, tmp_path: Path):
        row = {"text": "no", "body": {"req.x": 1, "request": {"said": "yes"}}, "meta": {"who": {"id": "u1"}}, "when": 1767571200}
        mapping = ["text=body.request.said", "account_id=meta.who.id", "ts=when"]
        found = one_row(tmp_path, row, mapping=mapping)
        assert (found["text"], found["account_id"], found["ts"].isoformat()) == ("yes", "u1", "2026-01-05T00:00:00")

    def test_a_mapping_to_a_column_that_is_not_there_quarantines(self, tmp_path: Path):
        report = add(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", [{"text": "hello"}]), mapping=["text=body"])
        assert (report.added, report.quarantined, len(report.over_limit)) == (0, 1, 1)

    def test_fields_may_change_their_names_from_row_to_row(self, tmp_path: Path):
        rows = [{"prompt": "a", "user": "x"}, {"text": "b", "account": "y"}, {"messages": [{"role": "user", "content": "c"}]}]
        add(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", rows))
        assert sorted(texts(tmp_path / "s")) == ["a", "b", "c"]
        assert query(tmp_path / "s", "SELECT account_id FROM prompts ORDER BY 1") == [("unknown",), ("x",), ("y",)]


MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "never this"},
    {"role": "user", "content": [{"type": "text", "text": "second"}, {"type": "image_url", "image_url": "x"}, {"type": "text", "text": "third"}]},
]


class TestMessages:
    """Chat logs: the user's turns are the text, the system's are kept apart."""

    def check(self, store: Path) -> None:
        assert query(store, "SELECT text, system_prompt FROM prompts JOIN texts USING (text_id)") == [("first\n\nsecond\nthird", "Be brief.")]

    def test_in_json(self, tmp_path: Path):
        add(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", [{"messages": MESSAGES}]))
        self.check(tmp_path / "s")

    def test_in_a_csv_string(self, tmp_path: Path):
        pc.write_csv(pa.table({"messages": [json.dumps(MESSAGES)]}), tmp_path / "a.csv")
        add(tmp_path / "s", tmp_path / "a.csv")
        self.check(tmp_path / "s")

    def test_in_a_parquet_list_of_structs(self, tmp_path: Path):
        flat = [*MESSAGES[:3], {"role": "user", "content": "second\nthird"}]
        pq.write_table(pa.table({"messages": pa.array([flat])}), tmp_path / "a.parquet")
        add(tmp_path / "s", tmp_path / "a.parquet")
        self.check(tmp_path / "s")

    def test_in_a_nested_column(self, tmp_path: Path):
        row = {"request": {"body": {"messages": MESSAGES}}}
        add(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", [row]), mapping=["text=request.body.messages"])
        self.check(tmp_path / "s")

    def test_developer_turns_are_system_turns_and_human_is_user(self, tmp_path: Path):
        said = [{"role": "developer", "content": "rules"}, {"role": "human", "content": "hi"}]
        found = one_row(tmp_path, {"messages": said})
        assert (found["text"], found["system_prompt"]) == ("hi", "rules")

    def test_without_a_user_turn_there_is_no_text(self, tmp_path: Path):
        rows: list[dict[str, Any]] = [{"messages": MESSAGES[:1]}, {"messages": []}, {"messages": [1, None, "x"]}, {"messages": [{"role": "user"}]}]
        report = add(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", rows))
        assert (report.added, report.quarantined) == (0, 4)
        assert query(tmp_path / "s", "SELECT DISTINCT reason FROM quarantine") == [("no text",)]


class TestKeptColumns:
    """What no field uses is kept."""

    def test_types_stay_and_nested_values_become_json(self, tmp_path: Path):
        table = pa.table({"text": ["a"], "n": [7], "share": [0.5], "ok": [True], "tags": [["x", "y"]], "model": ["m"]})
        pq.write_table(table, tmp_path / "a.parquet")
        add(tmp_path / "s", tmp_path / "a.parquet")
        assert query(tmp_path / "s", "SELECT n, share, ok, tags, model FROM prompts") == [(7, 0.5, True, '["x","y"]', "m")]

    def test_a_name_of_ours_is_kept_under_another(self, tmp_path: Path):
        found = one_row(tmp_path, {"text": "a", "source": "their source", "text_id": 9, "Position": "p", "extra": "e"})
        assert found["source"] == str(tmp_path / "one.jsonl")
        assert (found["source_kept"], found["text_id_kept"], found["Position_kept"]) == ("their source", "9", "p")
        assert "e" in json.dumps({name: value for name, value in found.items() if name.startswith("extra")}, default=str)

    def test_names_that_differ_in_case_only_lose_nothing(self, tmp_path: Path):
        found = one_row(tmp_path, {"text": "a", "Foo": "1", "foo": "2", "FOO": "3"})
        assert sorted(value for name, value in found.items() if name.lower() == "foo") == ["1"] or json.loads(found["extra"])
        everything = json.dumps(found, default=str)
        assert all(f'"{value}"' in everything or f'\\"{value}\\"' in everything for value in "123")

    def test_beyond_64_columns_the_rest_shares_one(self, tmp_path: Path):
        row = {"text": "a", **{f"c{number:03}": str(number) for number in range(100)}}
        found = one_row(tmp_path, row)
        separate = {name: value for name, value in found.items() if name.startswith("c") and name[1:].isdigit()}
        assert len(separate) == 64
        assert separate | json.loads(found["extra"]) == {name: value for name, value in row.items() if name != "text"}

    def test_columns_that_disagree_between_files_become_text(self, tmp_path: Path):
        pq.write_table(pa.table({"text": ["a"], "n": [7]}), tmp_path / "a.parquet")
        pq.write_table(pa.table({"text": ["b"], "n": ["seven"]}), tmp_path / "b.parquet")
        add(tmp_path / "s", tmp_path / "a.parquet", tmp_path / "b.parquet")
        add(tmp_path / "t", tmp_path / "a.parquet")
        add(tmp_path / "t", tmp_path / "b.parquet")
        for store in "st":
            assert query(tmp_path / store, "SELECT n FROM prompts ORDER BY 1") == [("7",), ("seven",)]

    def test_named_columns_become_entities(self, tmp_path: Path):
        row = {"text": "a", "account": "x", "ip": "10.0.0.1", "asn": 64500, "country": None, "email_domain": "e.org"}
        one_row(tmp_path, row)
        assert query(tmp_path / "s", "SELECT * FROM entities ORDER BY ALL") == [
            ("x", "asn", "64500"), ("x", "email_domain", "e.org"), ("x", "ip", "10.0.0.1"),
        ]  # fmt: skip


class TestAccounts:
    """The accounts file."""

    @pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl"])
    def test_every_format_gives_the_same_accounts(self, tmp_path: Path, name: str):
        rows = [{"account_id": "x", "created_at": "2026-01-01 10:00:00", "ip": "10.0.0.1", "plan": "free"}, {"account_id": "y", "created_at": None, "ip": None, "plan": "pro"}]
        table = pa.Table.from_pylist(rows)
        path = tmp_path / name
        if name.endswith("parquet"):
            pq.write_table(table, path)
        elif name.endswith("csv"):
            pc.write_csv(table, path)
        else:
            write_jsonl(path, rows)
        assert add_accounts(tmp_path / "s", path) == AccountsReport(str(path), rows=2)
        assert query(tmp_path / "s", "SELECT account_id, created_at::VARCHAR, plan, n_prompts FROM accounts ORDER BY 1") == [
            ("x", "2026-01-01 10:00:00", "free", 0), ("y", None, "pro", 0),
        ]  # fmt: skip
        assert query(tmp_path / "s", "FROM entities") == [("x", "ip", "10.0.0.1")]
        assert add_accounts(tmp_path / "s", path).known
        assert query(tmp_path / "s", "SELECT count(*) FROM accounts") == [(2,)]

    def test_the_latest_file_wins(self, tmp_path: Path):
        add_accounts(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", [{"account_id": "x", "plan": "free"}, {"account_id": "y", "plan": "free"}]))
        add_accounts(tmp_path / "s", write_jsonl(tmp_path / "b.jsonl", [{"account_id": "x", "plan": "pro"}]))
        assert query(tmp_path / "s", "SELECT account_id, plan FROM accounts ORDER BY 1") == [("x", "pro"), ("y", "free")]

    def test_rows_without_an_id_are_counted_and_a_file_without_ids_is_refused(self, tmp_path: Path):
        path = write_jsonl(tmp_path / "a.jsonl", [{"account_id": "x"}, {"account_id": ""}, {"plan": "p"}, {"account_id": "a\0b"}])
        assert add_accounts(tmp_path / "s", path) == AccountsReport(str(path), rows=1, bad=3)
        with pytest.raises(BadDataError, match="has no account id"):
            add_accounts(tmp_path / "t", write_jsonl(tmp_path / "b.jsonl", [{"plan": "p"}]))

    def test_columns_can_be_mapped(self, tmp_path: Path):
        path = write_jsonl(tmp_path / "a.jsonl", [{"who": {"id": "x"}, "since": 1767571200}])
        add_accounts(tmp_path / "s", path, ["account_id=who.id", "created_at=since"])
        assert query(tmp_path / "s", "SELECT account_id, created_at::VARCHAR FROM accounts") == [("x", "2026-01-05 00:00:00")]

    def test_accounts_with_and_without_prompts_are_listed(self, tmp_path: Path):
        path = write_jsonl(tmp_path / "a.jsonl", [{"account_id": "never-wrote"}, {"account_id": ROWS[0]["account_id"], "plan": "pro"}])
        add(tmp_path / "s", write_jsonl(tmp_path / "p.jsonl", ROWS), accounts=path)
        assert ("never-wrote",) in query(tmp_path / "s", "SELECT account_id FROM accounts")


@pytest.mark.parametrize(
    ("given_time", "stored"),
    [
        ("2026-01-05T13:02:03Z", "2026-01-05 13:02:03"),
        ("2026-01-05T13:02:03.123456+02:00", "2026-01-05 11:02:03.123456"),
        ("2026-01-05 13:02:03", "2026-01-05 13:02:03"),
        ("2026-01-05", "2026-01-05 00:00:00"),
        (1767618123, "2026-01-05 13:02:03"),
        (1767618123.5, "2026-01-05 13:02:03.5"),
        ("1767618123", "2026-01-05 13:02:03"),
        (1767618123123, "2026-01-05 13:02:03.123"),
        (1767618123123456, "2026-01-05 13:02:03.123456"),
        (1767618123123456000, "2026-01-05 13:02:03.123456"),
        (0, "1970-01-01 00:00:00"),
        ("", None),
        (None, None),
    ],
)
def test_times_are_utc_whatever_their_form(tmp_path: Path, given_time: object, stored: str | None):
    one_row(tmp_path, {"text": "a", "ts": given_time})
    assert query(tmp_path / "s", "SELECT ts::VARCHAR FROM prompts") == [(stored,)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_parquet_timestamps_are_utc_whatever_their_unit_and_zone(tmp_path: Path, unit: str, zone: str | None):
    array = pa.array([1767618123], pa.timestamp("s", zone)).cast(pa.timestamp(unit, zone))
    pq.write_table(pa.table({"text": ["a"], "ts": array}), tmp_path / "a.parquet")
    add(tmp_path / "s", tmp_path / "a.parquet")
    assert query(tmp_path / "s", "SELECT ts::VARCHAR FROM prompts") == [("2026-01-05 13:02:03",)]


class TestAgain:
    """The same rows are added once, however they come back."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = write_jsonl(tmp_path / "a.jsonl", ROWS)
        assert add(tmp_path / "s", path).added == 12
        return path

    def test_same_file(self, tmp_path: Path, path: Path):
        report = add(tmp_path / "s", path)
        assert (report.added, report.sources[0].note) == (0, f"already ingested as {path}")

    def test_a_copy_under_another_name(self, tmp_path: Path, path: Path):
        (tmp_path / "copy.jsonl").write_bytes(path.read_bytes())
        assert add(tmp_path / "s", tmp_path / "copy.jsonl").added == 0
        assert len(texts(tmp_path / "s")) == 12

    def test_other_order_other_format(self, tmp_path: Path, path: Path):
        del path
        report = add(tmp_path / "s", write_jsonl(tmp_path / "b.jsonl", ROWS[::-1]))
        assert (report.added, report.known) == (0, 12)
        pq.write_table(TABLE, tmp_path / "c.parquet")
        assert add(tmp_path / "s", tmp_path / "c.parquet").known == 12

    def test_a_grown_log_is_read_from_where_it_ended(self, tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch):
        seen: list[tuple[int, int]] = []
        read = load.read

        def spy(con: Any, source: Any, *, skip_bytes: int, skip_lines: int) -> Any:
            seen.append((skip_bytes, skip_lines))
            return read(con, source, skip_bytes=skip_bytes, skip_lines=skip_lines)

        monkeypatch.setattr(load, "read", spy)
        size = path.stat().st_size
        with path.open("a") as out:
            out.write('{"text": "new one"}\n{"text": 5}\n')
        report = add(tmp_path / "s", path)
        assert (report.added, report.known, report.quarantined) == (1, 0, 1)
        assert seen == [(size, 12)]
        assert query(tmp_path / "s", "SELECT position FROM quarantine") == [("14",)]
        assert add(tmp_path / "s", path).added == 0

    def test_a_log_whose_last_line_was_incomplete(self, tmp_path: Path):
        path = tmp_path / "b.jsonl"
        path.write_bytes(JSONL[:-20])
        assert (add(tmp_path / "s", path).added, len(texts(tmp_path / "s"))) == (11, 11)
        path.write_bytes(JSONL)
        assert add(tmp_path / "s", path).added == 1
        assert len(texts(tmp_path / "s")) == 12

    def test_a_log_without_ids_that_grew(self, tmp_path: Path):
        rows = [{"text": "same words", "account": "a"} for _ in range(5)]
        path = write_jsonl(tmp_path / "b.jsonl", rows[:3])
        assert add(tmp_path / "s", path).added == 3, "equal rows at different lines are different prompts"
        write_jsonl(path, rows)
        assert add(tmp_path / "s", path).added == 2

    def test_a_rotated_log_under_the_same_name(self, tmp_path: Path, path: Path):
        write_jsonl(path, [{"text": f"quite different {number}"} for number in range(3)])
        assert add(tmp_path / "s", path).added == 3

    def test_the_same_bad_row_is_quarantined_once(self, tmp_path: Path):
        path = write_jsonl(tmp_path / "b.jsonl", [{"text": None}, {"text": "a"}])
        assert add(tmp_path / "s", path).quarantined == 1
        with path.open("a") as out:
            out.write('{"text": "b"}\n')
        assert add(tmp_path / "s", path).quarantined == 0
        assert query(tmp_path / "s", "SELECT source, position, reason FROM quarantine") == [(str(path), "1", "no text")]

    def test_two_files_of_one_call_that_overlap(self, tmp_path: Path):
        a, b = write_jsonl(tmp_path / "b1.jsonl", ROWS[:8]), write_jsonl(tmp_path / "b2.jsonl", ROWS[4:])
        report = add(tmp_path / "t", a, b)
        assert (report.added, report.known) == (12, 4)


def test_a_table_that_breaks_off_while_it_is_read_is_quarantined_whole(tmp_path: Path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"text number {number} " * 9 for number in range(2000)]}), path, compression="zstd", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[200:1200] = b"\xff" * 1000
    path.write_bytes(data)
    report = add(tmp_path / "s", path, write_jsonl(tmp_path / "b.jsonl", ROWS))
    assert (report.added, report.quarantined, report.over_limit) == (12, 1, (str(path),))


def test_elements_of_an_array_that_are_no_object_are_quarantined(tmp_path: Path):
    (tmp_path / "a.json").write_text('[{"text": "a"}, 7, null, {}, ["x"], {"text": "b"}]')
    report = add(tmp_path / "s", tmp_path / "a.json")
    assert (report.added, report.quarantined) == (2, 4)


def test_a_long_prompt_in_a_csv_is_whole(tmp_path: Path):
    text = "a long, long prompt " * 40_000
    pc.write_csv(pa.table({"text": [text, "b"]}), tmp_path / "a.csv")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes().replace(b'"b"', b'"c"')))
    assert add(tmp_path / "s", tmp_path / "a.csv", tmp_path / "b.csv.gz").quarantined == 0
    assert sorted(set(texts(tmp_path / "s")))[0] == text


def test_ids_of_texts_do_not_depend_on_the_order_of_the_rows(tmp_path: Path):
    for store, rows in {"a": ROWS, "b": ROWS[::-1]}.items():
        add(tmp_path / store, write_jsonl(tmp_path / f"{store}.jsonl", rows))
    assert query(tmp_path / "a", "SELECT text_id, text FROM texts ORDER BY 1") == query(tmp_path / "b", "SELECT text_id, text FROM texts ORDER BY 1")


def test_a_source_over_the_limit_is_named(tmp_path: Path):
    path = write_jsonl(tmp_path / "a.jsonl", [*ROWS, {"text": None}])
    assert add(tmp_path / "s", path, max_bad_rows=0.05).over_limit == (str(path),)
    assert add(tmp_path / "t", path, max_bad_rows=0.08).over_limit == ()


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.text(max_size=8),
    st.sampled_from(["\x00", "\ud800", "a\udfffb", "\u2028", "\\", '"', "2026-01-05", "1e400", "\U000e0041", " "]),
)  # fmt: skip
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=5)
NAMES = st.sampled_from(["text", "prompt", "messages", "ts", "date", "account_id", "org_id", "id", "ip", "model", "source", "Text", 'odd "name"', "a.b", "extra", ""]) | st.text(max_size=4)
JSON_ROWS = st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=8)


@settings(max_examples=40)
@given(rows=JSON_ROWS)
def test_no_row_is_lost_whatever_it_holds(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]):
    tmp_path = tmp_path_factory.mktemp("rows")
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    with open_writer(tmp_path / "s") as writer:
        report = ingest(writer, [str(path)])
        assert report.added + report.known + report.quarantined == len(rows)
        assert report.sources[0].rows == len(rows)
        again = ingest(writer, [str(write_jsonl(tmp_path / "b.jsonl", [row for row in rows if "id" in row]))])
        assert again.added == 0, "a row with an id is known wherever it comes from"
        with writer.connect() as con:
            counted = con.execute("SELECT (SELECT count(*) FROM prompts), (SELECT count(*) FROM quarantine)").fetchall()
    assert counted == [(report.added, report.quarantined + again.quarantined)]


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


@settings(max_examples=15)
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8))
def test_no_parquet_row_is_lost(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]):
    tmp_path = tmp_path_factory.mktemp("rows")
    pq.write_table(pa.table({"text": [a for a, _ in rows], "account_id": [b for _, b in rows]}), tmp_path / "a.parquet")
    with open_writer(tmp_path / "s") as writer:
        report = ingest(writer, [str(tmp_path / "a.parquet")])
        with writer.connect() as con:
            found = con.execute("SELECT text FROM prompts JOIN texts USING (text_id)").fetchall()
    assert report.added + report.known + report.quarantined == len(rows)
    assert sorted(row[0] for row in found) == sorted(text for text, _ in rows if text.strip(" \t\n\r\f\v"))
