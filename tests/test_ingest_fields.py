"""ingest: which column is which, chat messages, kept columns, accounts files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from promptscan.errors import BadDataError
from promptscan.ingest import AccountsReport
from tests.ingesting import ROWS, add, add_accounts, one_row, query, texts
from tests.logs import write_jsonl


class TestFields:
    """Which column is which."""

    @pytest.mark.parametrize(
        "name", ["text", "prompt", "content", "input", "query", "instruction", "messages", "Text", "PROMPT"]
    )
    def test_text_is_found_under_its_accepted_names(self, tmp_path: Path, name: str):
        assert one_row(tmp_path, {name: "hello there"})["text"] == "hello there"

    def test_the_first_accepted_name_wins(self, tmp_path: Path):
        row = {
            "messages": "no",
            "input": "no",
            "prompt": "yes",
            "user": "no",
            "account": "yes",
            "date": "2020-01-01",
            "timestamp": "2026-01-01",
        }
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
        row = {
            "text": "no",
            "body": {"req.x": 1, "request": {"said": "yes"}},
            "meta": {"who": {"id": "u1"}},
            "when": 1767571200,
        }
        mapping = ["text=body.request.said", "account_id=meta.who.id", "ts=when"]
        found = one_row(tmp_path, row, mapping=mapping)
        assert (found["text"], found["account_id"], found["ts"].isoformat()) == ("yes", "u1", "2026-01-05T00:00:00")

    def test_a_mapping_to_a_column_that_is_not_there_quarantines(self, tmp_path: Path):
        report = add(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", [{"text": "hello"}]), mapping=["text=body"])
        assert (report.added, report.quarantined, len(report.over_limit)) == (0, 1, 1)

    def test_fields_may_change_their_names_from_row_to_row(self, tmp_path: Path):
        rows = [
            {"prompt": "a", "user": "x"},
            {"text": "b", "account": "y"},
            {"messages": [{"role": "user", "content": "c"}]},
        ]
        add(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", rows))
        assert sorted(texts(tmp_path / "s")) == ["a", "b", "c"]
        assert query(tmp_path / "s", "SELECT account_id FROM prompts ORDER BY 1") == [("unknown",), ("x",), ("y",)]


MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "never this"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "second"},
            {"type": "image_url", "image_url": "x"},
            {"type": "text", "text": "third"},
        ],
    },
]


class TestMessages:
    """Chat logs: the user's turns are the text, the system's are kept apart."""

    def check(self, store: Path) -> None:
        assert query(store, "SELECT text, system_prompt FROM prompts JOIN texts USING (text_id)") == [
            ("first\n\nsecond\nthird", "Be brief.")
        ]

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
        rows: list[dict[str, Any]] = [
            {"messages": MESSAGES[:1]},
            {"messages": []},
            {"messages": [1, None, "x"]},
            {"messages": [{"role": "user"}]},
        ]
        report = add(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", rows))
        assert (report.added, report.quarantined) == (0, 4)
        assert query(tmp_path / "s", "SELECT DISTINCT reason FROM quarantine") == [("no text",)]


class TestKeptColumns:
    """What no field uses is kept."""

    def test_types_stay_and_nested_values_become_json(self, tmp_path: Path):
        table = pa.table({"text": ["a"], "n": [7], "share": [0.5], "ok": [True], "tags": [["x", "y"]], "model": ["m"]})
        pq.write_table(table, tmp_path / "a.parquet")
        add(tmp_path / "s", tmp_path / "a.parquet")
        assert query(tmp_path / "s", "SELECT n, share, ok, tags, model FROM prompts") == [
            (7, 0.5, True, '["x","y"]', "m")
        ]

    def test_a_name_of_ours_is_kept_under_another(self, tmp_path: Path):
        found = one_row(tmp_path, {"text": "a", "source": "their source", "text_id": 9, "Position": "p", "extra": "e"})
        assert found["source"] == str(tmp_path / "one.jsonl")
        assert (found["source_kept"], found["text_id_kept"], found["Position_kept"]) == ("their source", "9", "p")
        assert "e" in json.dumps(
            {name: value for name, value in found.items() if name.startswith("extra")}, default=str
        )

    def test_names_that_differ_in_case_only_lose_nothing(self, tmp_path: Path):
        found = one_row(tmp_path, {"text": "a", "Foo": "1", "foo": "2", "FOO": "3"})
        assert sorted(value for name, value in found.items() if name.lower() == "foo") == ["1"] or json.loads(
            found["extra"]
        )
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
        rows = [
            {"account_id": "x", "created_at": "2026-01-01 10:00:00", "ip": "10.0.0.1", "plan": "free"},
            {"account_id": "y", "created_at": None, "ip": None, "plan": "pro"},
        ]
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
        add_accounts(
            tmp_path / "s",
            write_jsonl(
                tmp_path / "a.jsonl", [{"account_id": "x", "plan": "free"}, {"account_id": "y", "plan": "free"}]
            ),
        )
        add_accounts(tmp_path / "s", write_jsonl(tmp_path / "b.jsonl", [{"account_id": "x", "plan": "pro"}]))
        assert query(tmp_path / "s", "SELECT account_id, plan FROM accounts ORDER BY 1") == [
            ("x", "pro"),
            ("y", "free"),
        ]

    def test_rows_without_an_id_are_counted_and_a_file_without_ids_is_refused(self, tmp_path: Path):
        path = write_jsonl(
            tmp_path / "a.jsonl", [{"account_id": "x"}, {"account_id": ""}, {"plan": "p"}, {"account_id": "a\0b"}]
        )
        assert add_accounts(tmp_path / "s", path) == AccountsReport(str(path), rows=1, bad=3)
        with pytest.raises(BadDataError, match="has no account id"):
            add_accounts(tmp_path / "t", write_jsonl(tmp_path / "b.jsonl", [{"plan": "p"}]))

    def test_columns_can_be_mapped(self, tmp_path: Path):
        path = write_jsonl(tmp_path / "a.jsonl", [{"who": {"id": "x"}, "since": 1767571200}])
        add_accounts(tmp_path / "s", path, ["account_id=who.id", "created_at=since"])
        assert query(tmp_path / "s", "SELECT account_id, created_at::VARCHAR FROM accounts") == [
            ("x", "2026-01-05 00:00:00")
        ]

    def test_accounts_with_and_without_prompts_are_listed(self, tmp_path: Path):
        path = write_jsonl(
            tmp_path / "a.jsonl", [{"account_id": "never-wrote"}, {"account_id": ROWS[0]["account_id"], "plan": "pro"}]
        )
        add(tmp_path / "s", write_jsonl(tmp_path / "p.jsonl", ROWS), accounts=path)
        assert ("never-wrote",) in query(tmp_path / "s", "SELECT account_id FROM accounts")
