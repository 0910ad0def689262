"""ingest: every format, every kind of time, no row lost."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from promptscan.ingest import ingest
from promptscan.store import open_writer
from tests.ingesting import ROWS, add, one_row, query, texts
from tests.logs import write_jsonl

TABLE = pa.Table.from_pylist(ROWS)


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
    for store, paths in {
        "a": [tmp_path / "log"],
        "b": [f"{tmp_path}/log/**/*.jsonl"],
        "c": [deep / "0.jsonl", deep, f"{deep}/?.jsonl"],
    }.items():
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


def test_a_table_that_breaks_off_while_it_is_read_is_quarantined_whole(tmp_path: Path):
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"text": [f"text number {number} " * 9 for number in range(2000)]}),
        path,
        compression="zstd",
        use_dictionary=False,
    )
    data = bytearray(path.read_bytes())
    data[200:1200] = b"\xff" * 1000
    path.write_bytes(data)
    report = add(tmp_path / "s", path, write_jsonl(tmp_path / "b.jsonl", ROWS))
    assert (report.added, report.quarantined, report.over_limit) == (12, 1, (str(path),))


def test_elements_of_an_array_that_are_no_object_are_quarantined(tmp_path: Path):
    (tmp_path / "a.json").write_text('[{"text": "a"}, 7, null, {}, ["x"], {"text": "b"}]')
    report = add(tmp_path / "s", tmp_path / "a.json")
    assert (report.added, report.quarantined) == (2, 4)


def test_a_lone_surrogate_in_an_array_costs_nothing(tmp_path: Path):
    (tmp_path / "a.json").write_bytes(b'[{"text": "a"}, {"text": "lone \\ud800"}, 7]')
    report = add(tmp_path / "s", tmp_path / "a.json")
    assert (report.added, report.quarantined) == (2, 1)


def test_formats_do_not_mix_up_in_one_call(tmp_path: Path):
    names = ["1.jsonl", "2.json", "3.csv", "4.parquet", "5.json", "6.jsonl", "7.csv"]
    for name in names:
        row = {"text": f"from {name}"}
        if name.endswith("csv"):
            (tmp_path / name).write_text(f"text\n{row['text']}\n")
        elif name.endswith("parquet"):
            pq.write_table(pa.Table.from_pylist([row]), tmp_path / name)
        else:
            (tmp_path / name).write_text(json.dumps([row] if name.endswith("json") else row))
    add(tmp_path / "s", *(tmp_path / name for name in names))
    assert sorted(texts(tmp_path / "s")) == sorted(f"from {name}" for name in names)


def test_a_thousand_keys_do_not_hide_the_text(tmp_path: Path):
    rows = [{"text": "hello", **{f"a{number}": number for number in range(1200)}}, {"text": "rare", "zz": "kept"}]
    report = add(tmp_path / "s", write_jsonl(tmp_path / "a.jsonl", rows))
    assert report.added == 2
    extras = query(tmp_path / "s", "SELECT extra FROM prompts")
    assert any('"zz"' in extra and '"kept"' in extra for (extra,) in extras)


def test_a_long_prompt_in_a_csv_is_whole(tmp_path: Path):
    text = "a long, long prompt " * 40_000
    pc.write_csv(pa.table({"text": [text, "b"]}), tmp_path / "a.csv")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes().replace(b'"b"', b'"c"')))
    assert add(tmp_path / "s", tmp_path / "a.csv", tmp_path / "b.csv.gz").quarantined == 0
    assert min(texts(tmp_path / "s")) == text


def test_a_source_over_the_limit_is_named(tmp_path: Path):
    path = write_jsonl(tmp_path / "a.jsonl", [*ROWS, {"text": None}])
    assert add(tmp_path / "s", path, max_bad_rows=0.05).over_limit == (str(path),)
    assert add(tmp_path / "t", path, max_bad_rows=0.08).over_limit == ()


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.text(max_size=8),
    st.sampled_from(["\x00", "\ud800", "a\udfffb", "\u2028", "\\", '"', "2026-01-05", "1e400", "\U000e0041", " "]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [
        "text",
        "prompt",
        "messages",
        "ts",
        "date",
        "account_id",
        "org_id",
        "id",
        "ip",
        "model",
        "source",
        "Text",
        'odd "name"',
        "a.b",
        "extra",
        "",
    ]
) | st.text(max_size=4)
JSON_ROWS = st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=8)


@settings(max_examples=25)
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
