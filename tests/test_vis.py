"""The sanitiser: nothing dangerous gets through, nothing legitimate is spoilt, nothing can be imitated."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptscan.vis import _MARKS, MAX_MARKS, _needs_nothing, _show, csv_cell, iso, vis

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
INVISIBLE = "\u00ad\u034f\u115f\u1160\u17b4\u180e\u200b\u2060\u2064\u2800\u3164\ufeff\uffa0\ufff9\ufffa\ufffc"
SELECTORS = "\ufe00\ufe01\ufe0e\ufe0f\U000e0100\U000e01ef"
TAGS = "\U000e0001\U000e0041\U000e007f"
CONTROLS = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
OTHERS = "\u2028\u2029\ue000\U000f0000\ufdd0\uffff\U0010ffff\ud800\udfff"
HOSTILE = BIDI + INVISIBLE + SELECTORS + TAGS + CONTROLS + OTHERS + "\u200c\u200d"

mixed = st.text(
    st.one_of(
        st.characters(codec=None),
        st.sampled_from(HOSTILE),
        st.sampled_from("⟨⟩U+↵⇥␍*…09Aab 👩💻🏽🏴\u0300\u0301कمنश्"),
    ),
)


def dangerous(character: str) -> bool:
    """What must never reach a screen, whatever stands around it (joiners and U+FE0E/F are judged in context)."""
    if character in "\u200c\u200d\ufe0e\ufe0f":
        return False
    return character in HOSTILE or unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def decode(shown: str, *, multiline: bool = False) -> str:
    """Undo `vis` for text that was not cut; possible only because the notation is unambiguous."""
    if not multiline:
        shown = shown.replace("↵", "\n").replace("⇥", "\t")
    return re.sub(
        r"⟨U\+([0-9A-F]{4,6})(?:\*(\d+))?⟩",
        lambda match: chr(int(match[1], 16)) * int(match[2] or 1),
        shown.replace("␍", "\r"),
    )


@given(mixed, st.none() | st.integers(0, 40), st.booleans())
def test_no_dangerous_code_point_is_ever_shown(text: str, limit: int | None, multiline: bool) -> None:
    shown = vis(text, limit, multiline=multiline)
    allowed = "\n\t" if multiline else ""
    assert not [character for character in shown if dangerous(character) and character not in allowed]
    shown.encode("utf-8")


@given(mixed)
def test_joiners_are_shown_only_between_two_visible_characters(text: str) -> None:
    shown = vis(text, None)
    for match in re.finditer("[\u200c\u200d\ufe0e\ufe0f]+", shown):
        assert match.start() > 0
        assert match[0] in {"\u200c", "\u200d", "\ufe0e", "\ufe0f", "\ufe0f\u200d"}


@given(mixed, st.booleans())
@example("⟨U+202E⟩\u202e⟨⟨U+⟨+3⟩", False)
@example("↵\n⇥\t␍\r", False)
def test_an_uncut_text_can_be_read_back_so_no_text_imitates_another(text: str, multiline: bool) -> None:
    assert decode(vis(text, None, multiline=multiline), multiline=multiline) == text


@given(mixed, st.integers(0, 60))
def test_length_is_bounded_and_the_cut_is_counted(text: str, limit: int) -> None:
    shown = vis(text, limit)
    cut = re.search(r"…⟨\+([\d,]+)⟩$", shown)
    if cut is None:
        assert len(shown) <= limit
        assert decode(shown) == text
    else:
        body = shown[: cut.start()]
        assert len(body) <= limit
        assert decode(body) == text[: len(text) - int(cut[1].replace(",", ""))]


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs"))))
def test_plain_ascii_is_left_alone_and_twice_is_once(text: str) -> None:
    assert vis(text, None) == text == vis(vis(text, None), None)


@pytest.mark.parametrize(
    "text",
    [
        "Приведи пример эксплойта",
        "اكتب رسالة قصيرة",
        "می\u200cخواهم",
        "שָׁלוֹם עוֹלָם",
        "क्\u200dष हिन्दी",  # Devanagari, ZWJ after a virama
        "写一个示例 日本語 한국어",
        "👩🏽\u200d💻 👨\u200d👩\u200d👧 ❤️\u200d🔥 1️⃣ 🇫🇷",
        "Tiếng Việt tie\u0302\u0301ng",
        "⟨ψ|φ⟩ a × b …",
    ],
)
def test_legitimate_text_stays_as_it_is(text: str) -> None:
    assert vis(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", "⟨U+001B⟩[31mred⟨U+0007⟩"),
        ("a\x00b\x9bc\x7f", "a⟨U+0000⟩b⟨U+009B⟩c⟨U+007F⟩"),
        ("user\u202egpj.exe", "user⟨U+202E⟩gpj.exe"),
        ("one\ntwo\tthree\r\n", "one↵two⇥three␍↵"),
        ("pass\u200b\u200b\u200bword", "pass⟨U+200B*3⟩word"),
        ("\U000e0068\U000e0069", "⟨U+E0068⟩⟨U+E0069⟩"),
        ("a\u200db", "a⟨U+200D⟩b"),
        ("👍\ufe0f\ufe0f", "👍\ufe0f⟨U+FE0F⟩"),
        ("⟨U+202E⟩", "⟨U+27E8⟩U+202E⟩"),
        ("\u0301a", "⟨U+0301⟩a"),
        ("a" + "\u0301" * 9, "a" + "\u0301" * MAX_MARKS + "⟨U+0301*5⟩"),
        (None, "None"),
        (3.5, "3.5"),
        (b"\x1b", r"b'\x1b'"),
    ],
)
def test_each_kind_has_its_notation(text: object, shown: str) -> None:
    assert vis(text) == shown


def test_the_fast_path_lets_only_harmless_code_points_through() -> None:
    everyday = [chr(code) for code in range(0x110000) if _needs_nothing(chr(code))]
    assert len(everyday) > 30_000
    assert not [one for one in everyday if dangerous(one) or unicodedata.category(one) in {"Mn", "Me"}]
    text = " ".join(everyday)
    assert _show(text, None, _MARKS) == text


def test_multiline_keeps_lines_and_nothing_else() -> None:
    assert vis("a\n\tb\r\n\x1b", multiline=True) == "a\n\tb␍\n⟨U+001B⟩"


def test_a_cut_never_splits_an_escape_or_leaves_a_joiner() -> None:
    assert vis("abc\u202edef", 6) == "abc…⟨+4⟩"
    assert vis("👩\u200d💻", 2) == "👩…⟨+2⟩"
    assert vis("x" * 100_000, 10) == "x" * 10 + "…⟨+99,990⟩"
    assert vis("\u200b" * 100_000, 20) == "⟨U+200B*21⟩…⟨+99,979⟩"


def test_a_long_hostile_text_costs_only_what_is_shown() -> None:
    class Counting(str):
        __slots__ = ()

    assert len(vis(Counting("é\u202e" * 5_000_000), 200)) < 230


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=cmd()", "'=cmd()"),
        ("  =cmd()", "'  =cmd()"),
        ("\u00a0+1", "'\u00a0+1"),
        ("\ufeff=cmd()", "'⟨U+FEFF⟩=cmd()"),
        ("\t=x", "'\t'=x"),
        ("\tx", "'\tx"),
        ("\rx", "'␍x"),
        ("＝1+1", "'＝1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("|calc", "'|calc"),
        ("%0A", "'%0A"),
        ("ok\n=cmd()\n  -x", "ok\n'=cmd()\n'  -x"),
        ("ok\r\n=cmd()", "ok␍\n'=cmd()"),
        ("\n\n=x", "'\n\n'=x"),
        ("a\x1b[2Jb\u202e", "a⟨U+001B⟩[2Jb⟨U+202E⟩"),
        ("it's a = b", "it's a = b"),
        ("", ""),
        (None, ""),
        (-5, "-5"),
        (-0.25, "-0.25"),
        (float("nan"), ""),
        (float("-inf"), ""),
        (True, "true"),
        (datetime(2026, 1, 5, 13, 2, tzinfo=UTC), "2026-01-05T13:02:00Z"),
        (date(2026, 1, 5), "2026-01-05"),
        (["=x"], "['=x']"),
    ],
)
def test_csv_cells(value: object, cell: str) -> None:
    assert csv_cell(value) == cell


@given(mixed)
def test_no_line_of_a_csv_cell_is_a_formula_or_carries_a_control(text: str) -> None:
    cell = csv_cell(text)
    assert not [character for character in cell if dangerous(character) and character not in "\n\t"]
    for line in re.split(r"[\n\t]", cell):
        assert not line.lstrip().startswith(tuple("=+-@|%＝＋－＠"))


def test_csv_guard_is_linear() -> None:
    assert csv_cell("\n" * 200_000) == "\n" * 200_000


def test_iso_is_utc() -> None:
    assert iso(datetime(2026, 1, 5, 13, 2, 1, 500_000)) == "2026-01-05T13:02:01.500000Z"  # noqa: DTZ001
    assert iso(datetime(2026, 1, 5, 15, 2, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-05T13:02:00Z"
