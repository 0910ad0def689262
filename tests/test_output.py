"""The one way out: formats, files, pipes, terminals, and what hostile text may do to them (nothing)."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from promptscan.cli import console
from promptscan.cli.output import Column, Format, OutputOptions, Role, emit, output_options, progress, say
from promptscan.cli.table import GAP, fit
from promptscan.errors import UsageError

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "{{7*7}} {% raw %} ${x} %s {task.description}",
    "\x1b[2J\x1b]0;owned\x07\x9b31m",
    "user\u202egpj.exe\u2066",
    "NUL\x00DEL\x7f\r\b",
    "\U000e0068\U000e0069 tags",
    "[/x] [bold]b[/bold] [link=file:///etc]l[/link] :smile:",
    "=cmd|' /C calc'!A0\n=1+1",
    "A\u200b" * 3,
    "x" * 100_000,
]
TABLE = pa.table(
    {
        "family_id": [f"F-{number:04}" for number in range(len(HOSTILE))],
        "label": HOSTILE,
        "n_prompts": pa.array([1_234_567, -5, *[None] * 8], pa.int64()),
        "score": [0.91234, float("nan"), float("inf"), *[None] * 7],
        "first_ts": pa.array([datetime(2026, 1, 5, 13, 2), *[None] * 9], pa.timestamp("us")),  # noqa: DTZ001
        "text": HOSTILE[::-1],
    },
)
PLAIN = pa.table(
    {
        "family_id": ["F-0001", "F-0002"],
        "label": ["proof of concept for a CVE", None],
        "n_prompts": [18_231, 7],
        "n_accounts": [1_412, 3],
        "first_ts": pa.array([datetime(2026, 1, 5, 13, 2, tzinfo=UTC), None], pa.timestamp("ns", "UTC")),
        "score": [0.91234, float("nan")],
        "share": [0.125, None],
        "text": ["Write a proof of concept for CVE-2024-1234\nand explain every step of it in turn", "写一个示例" * 20],
    },
)


def run(table: pa.Table, *arguments: str, width: int = 80, **emit_options: object) -> Result:
    """Run a command whose whole work is `emit`."""

    @click.command()
    @output_options
    def command(output: OutputOptions) -> None:
        emit(table, output, **emit_options)

    return CliRunner(env={"COLUMNS": str(width), "FORCE_COLOR": None}).invoke(
        command, arguments, catch_exceptions=False
    )


def is_safe(text: str, *, ascii_only: bool = False) -> bool:
    unsafe = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return (not ascii_only or text.isascii()) and not [
        one for one in text if one not in "\n\t" and unicodedata.category(one) in unsafe
    ]


def test_a_table_of_80_columns() -> None:
    assert run(PLAIN.drop(["share"]), title="Families").stdout == (
        "Families\n"
        "family id  label        prompts  accounts  first ts          score  text\n"
        "F-0001     proof of c…   18,231     1,412  2026-01-05 13:02  0.912  Write a pro…\n"
        "F-0002     ·                  7         3  ·                     ·  写一个示例 …\n"
    )


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for table in (PLAIN, TABLE):
        assert max(cell_len(line) for line in run(table, width=width).stdout.splitlines()) <= width


def test_a_table_too_wide_for_the_terminal_becomes_blocks() -> None:
    shown = run(PLAIN, width=40).stdout
    assert shown.startswith("— 1\nfamily id  F-0001\nlabel      proof of concept for a CVE\nprompts    18,231\n")


def test_columns_choose_order_header_and_role() -> None:
    columns = (Column("n_prompts", "sent", Role.ID), Column("family_id"))
    assert run(PLAIN, columns=columns).stdout == "sent   family id\n18231  F-0001\n7      F-0002\n"


def test_an_empty_table_says_so() -> None:
    assert run(PLAIN.slice(0, 0), title="Families").stdout == "Families\nnothing found\n"
    assert json.loads(run(PLAIN.slice(0, 0), "--json").stdout) == {"rows": []}
    assert run(PLAIN.slice(0, 0), "--jsonl").stdout == ""
    assert run(PLAIN.slice(0, 0), "--csv").stdout.count("\n") == 1


@given(st.lists(st.tuples(st.sampled_from(Role), st.integers(1, 300)), min_size=1, max_size=9), st.integers(20, 200))
def test_fitting_never_exceeds_the_width_and_never_cuts_a_number(columns: list[tuple[Role, int]], width: int) -> None:
    roles = [role for role, _ in columns]
    natural = [size for _, size in columns]
    widths = fit(natural, roles, width)
    if widths is None:
        return
    assert sum(widths) + GAP * (len(widths) - 1) <= width
    for role, before, after in zip(roles, natural, widths, strict=True):
        assert after == before or (role in {Role.TEXT, Role.LABEL, Role.ID} and 8 <= after < before)


def test_json_is_one_document() -> None:
    rows = json.loads(run(PLAIN, "--json").stdout)["rows"]
    assert rows[0]["first_ts"] == "2026-01-05T13:02:00Z"
    assert rows[1] == {
        "family_id": "F-0002",
        "label": None,
        "n_prompts": 7,
        "n_accounts": 3,
        "first_ts": None,
        "score": None,
        "share": None,
        "text": "写一个示例" * 20,
    }
    assert json.loads(run(PLAIN, "--json", document={"hits": [{"at": datetime(2026, 1, 5, tzinfo=UTC)}]}).stdout) == {
        "hits": [{"at": "2026-01-05T00:00:00Z"}],
    }


def test_jsonl_keeps_the_raw_text_in_pure_ascii() -> None:
    shown = run(TABLE, "--jsonl").stdout
    assert is_safe(shown, ascii_only=True)
    assert [json.loads(line)["label"] for line in shown.splitlines()] == HOSTILE


def test_csv_opens_safely() -> None:
    shown = run(TABLE, "--csv").stdout
    assert is_safe(shown)
    header, *records = csv.reader(io.StringIO(shown))
    assert header == TABLE.column_names
    assert records[0][2] == "1234567"
    assert records[1][2:4] == ["-5", ""]
    assert records[7][1] == "'=cmd|' /C calc'!A0\n'=1+1"
    assert not [one for record in records for one in record if one.startswith(("=", "+", "@", "|"))]


def test_nested_and_odd_values() -> None:
    table = pa.table({"reasons": [["=x", "b"]], "pair": [{"a": 1, "b": None}], "raw": [b"\x1b"], "big": [2**62]})
    assert json.loads(run(table, "--jsonl").stdout) == {
        "reasons": ["=x", "b"],
        "pair": {"a": 1, "b": None},
        "raw": "1b",
        "big": 2**62,
    }
    assert (
        run(table, "--csv").stdout
        == 'reasons,pair,raw,big\n"[""=x"", ""b""]","{""a"": 1, ""b"": null}",1b,' + str(2**62) + "\n"
    )
    assert "=x, b" in run(table).stdout


@pytest.mark.parametrize("width", [50, 80, 160])
def test_a_terminal_table_of_hostile_texts_is_harmless_and_literal(width: int) -> None:
    shown = run(TABLE, width=width, title="[/x]\x1b[2J").stdout
    assert is_safe(shown)
    assert "[/x]⟨U+001B⟩[2J" in shown
    assert ":smil" in run(TABLE.select(["label"]), width=160).stdout


def test_arrow_and_parquet_round_trip(tmp_path: Path) -> None:
    texts = TABLE.drop(["score"])  # its NaN is not equal to itself
    assert pa.ipc.open_stream(run(texts, "--arrow").stdout_bytes).read_all().equals(texts)
    for name in ("out.parquet", "out.arrow"):
        result = run(PLAIN, "-o", str(tmp_path / name))
        assert result.stdout == ""
        assert result.stderr == f"wrote {tmp_path / name}\n"
    assert pq.read_table(tmp_path / "out.parquet")["text"].equals(PLAIN["text"])
    assert pa.ipc.open_stream(tmp_path / "out.arrow").read_all()["text"].equals(PLAIN["text"])


def test_a_file_takes_its_format_from_its_suffix_unless_a_flag_says_otherwise(tmp_path: Path) -> None:
    run(PLAIN, "-o", str(tmp_path / "a.csv"))
    run(PLAIN, "-o", str(tmp_path / "a.txt"), "--csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "a.txt").read_bytes()
    with pytest.raises(UsageError, match=r"a\.xlsx: expected a name that ends in \.json, \.jsonl"):
        run(PLAIN, "-o", str(tmp_path / "a.xlsx"))
    assert run(PLAIN, "-o", "-", "--csv").stdout.encode() == (tmp_path / "a.csv").read_bytes()


def test_a_folder_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder; expected the name of a file"):
        run(PLAIN, "-o", str(tmp_path), "--csv")


def terminal(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """Make stdout a terminal of 100 columns, and return what it receives."""

    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    received = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Terminal(received, encoding="utf-8"))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    return received


def test_the_only_sequences_a_terminal_gets_are_our_own_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    emit(TABLE, OutputOptions(), title="Families")
    shown = screen.getvalue().decode()
    assert "\x1b[1m" in shown
    assert is_safe(re.sub(r"\x1b\[[0-9;]*m", "", shown))
    assert "\x1b[2J" not in shown


def test_binary_data_is_not_sent_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    with pytest.raises(UsageError, match="not to a terminal"):
        emit(PLAIN, OutputOptions(Format.ARROW))
    assert screen.getvalue() == b""


def test_a_terminal_that_knows_no_unicode_still_gets_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    received = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(received, encoding="ascii"))
    emit(PLAIN.select(["family_id", "label"]), OutputOptions())
    assert received.getvalue().splitlines()[-1] == rb"F-0002     \xb7"


def test_two_formats_are_refused() -> None:
    with pytest.raises(UsageError, match="--json and --csv were given together"):
        run(PLAIN, "--csv", "--json")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")

    def batches() -> Iterator[pa.RecordBatch]:
        yield PLAIN.to_batches()[0]
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        emit(
            pa.RecordBatchReader.from_batches(PLAIN.schema, batches()),
            OutputOptions.of([], str(target)),
        )
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


STREAMING = """
import pyarrow as pa
from promptscan.cli.output import Format, OutputOptions, emit
emit(pa.table({"text": ["x" * 100] * 50_000}), OutputOptions(Format(%r)))
"""


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "arrow", "table"])
def test_a_reader_that_stops_early_ends_the_output_quietly(form: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", STREAMING % form], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_importing_the_output_layer_is_light() -> None:
    heavy = "{'rich', 'pyarrow', 'numpy', 'duckdb', 'jinja2', 'faiss', 'torch'}"
    script = f"import sys, promptscan.cli.output as o; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_talk_goes_to_stderr_through_vis(capsys: pytest.CaptureFixture[str]) -> None:
    say("read \x1b[2Jevil\u202e.jsonl\nok [/x]")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "read ⟨U+001B⟩[2Jevil⟨U+202E⟩.jsonl\nok [/x]\n")


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("embedding", 10) as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")


def terminal_on_stderr(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    return screen


@pytest.mark.parametrize("no_color", [True, False])
def test_no_color_is_honoured(no_color: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    screen = terminal_on_stderr(monkeypatch)
    with progress("embedding", 10) as advance:
        advance(10)
    coloured = re.search(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7])[;m]", screen.getvalue())
    assert (coloured is None) == no_color


@pytest.mark.parametrize("description", [*HOSTILE, "{task.fields[x]}"])
def test_progress_on_a_terminal_shows_hostile_descriptions_literally(
    description: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    screen = terminal_on_stderr(monkeypatch)
    with progress(description, 10) as advance:
        advance(4)
        advance(6)
    shown = screen.getvalue()
    assert "10/10" in shown
    for sequence in ("[2J", "]0;", "\x07", "\x9b", "\x00", "\u202e", "\u200b", "\U000e0068"):
        assert sequence not in shown.replace("⟨U+001B⟩[2J", "").replace("⟨U+001B⟩]0;", "")
    assert console.vis(description, 60)[:20] in shown
