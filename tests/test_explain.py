"""Why a text was found, and templates, groups and hits on a terminal: what shows the relation, safely."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

import promptscan
from promptscan.build import Run, commit
from promptscan.cli import painting
from promptscan.cli.listing import nested
from promptscan.config import Settings
from promptscan.diffs import Difference, differences
from promptscan.hits import Change, Kind, SlotPair, Why
from promptscan.matchkey import match_keys
from promptscan.passages import holding, key_places, longest
from promptscan.slots import Slot, SlotType
from promptscan.store import open_writer
from promptscan.templates import Template, write_template
from promptscan.why import Found, Reading, readings, reasons
from tests.commands import promptscan as command
from tests.logs import GRADE, NEAR, POC

SHOW = json.loads((Path(__file__).parent.parent / "docs" / "schemas" / "show.schema.json").read_text())
PASSAGE = "Rewrite the given prompt into a more complex version that needs several steps of reasoning"
PADDING = " ".join(f"word{number} about gardens and tides" for number in range(300))
TEMPLATE = Template(
    ("Write ", " lines about ", " for children."), (Slot(SlotType.NUMBER, 9, 3.0), Slot(SlotType.FREE_TEXT, 9, 3.0))
)


def cut(text: str, place: Any) -> str:
    return text[place.start : place.end]


class TestPassages:
    """Where the words of one text stand in another, as it was sent."""

    @pytest.mark.parametrize(
        "disguise",
        [
            lambda text: text,
            str.upper,
            lambda text: text.replace("o", "\u043e"),
            "\u200b".join,
            lambda text: text.replace(" ", "\n\n"),
            lambda text: text.replace("e", "3"),
            lambda text: "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text),
        ],
        ids=["plain", "upper", "homoglyphs", "zero-width", "newlines", "leet", "full-width"],
    )
    def test_a_passage_is_found_in_disguise(self, disguise: Any):
        hidden = disguise(PASSAGE)
        text = f"{PADDING} {hidden} {PADDING}"
        place = holding(PASSAGE, [text])[0]
        assert place is not None
        assert cut(text, place) == hidden

    def test_an_edit_in_the_middle_does_not_end_it(self):
        text = f"{PADDING} {PASSAGE.replace('complex', 'much harder')} {PADDING}"
        assert cut(text, holding(PASSAGE, [text])[0]) == PASSAGE.replace("complex", "much harder")

    def test_a_text_inside_the_query_is_all_passage(self):
        assert cut(PASSAGE, holding(f"{PADDING} {PASSAGE}", [PASSAGE])[0]) == PASSAGE

    def test_the_longest_run_of_words_is_whole_words(self):
        text = "Kindly rewrite the given prompt into a more complexioned verse."
        assert cut(text, longest(PASSAGE, [text])[0]) == "rewrite the given prompt into a more"
        chinese = "请你写一个示例程序来说明这个算法的原理和用途"
        assert (
            cut(f"你好，{chinese[2:18]}。再见", longest(chinese, [f"你好，{chinese[2:18]}。再见"])[0]) == chinese[2:18]
        )

    def test_nothing_in_common_is_none(self):
        for find in (holding, longest):
            assert find(PASSAGE, ["lemons and violins in the harbour", "", "。"]) == [None, None, None]
            assert find("", ["lemons", ""]) == [None, None]
            assert find(PASSAGE, []) == []

    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
    def test_every_letter_of_a_key_has_a_place(self, text: str):
        key = match_keys(pa.array([text], pa.large_string()))[0].as_py()
        places = key_places([text], [key])[0]
        assert len(places) == len(key)
        assert (places[1:] >= places[:-1]).all()
        assert not len(places) or (places[0] >= 0 and places[-1] < len(text))

    @given(st.text("abc xyz,.-\n019@$", max_size=40), st.text("klm opq,.\u200b\u0301", max_size=40))
    def test_places_are_those_of_the_letters(self, before: str, after: str):
        text = before + after
        key = match_keys(pa.array([text], pa.large_string()))[0].as_py()
        for letter, place in zip(key, key_places([text], [key])[0].tolist(), strict=True):
            assert match_keys(pa.array([f"x{text[place]}x"], pa.large_string()))[0].as_py() == f"x{letter}x"


class TestDifferences:
    """What one text has where another has something else."""

    def test_words_are_compared_and_neighbours_are_one(self):
        assert differences("Write 5 lines about cats.", "Write 12 lines about big dogs, now.") == [
            Difference("5", "12"), Difference("cats", "big dogs, now"),
        ]  # fmt: skip

    @given(
        st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=12),
        st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=12),
    )
    def test_differences_account_for_every_word(self, before: list[str], after: list[str]):
        found = differences(" ".join(before), " ".join(after))
        assert (before == after) == (not found)
        assert all(one.before or one.after for one in found)
        gained = sum(len(one.after.split()) - len(one.before.split()) for one in found)
        assert gained == len(after) - len(before)

    def test_a_long_text_costs_its_first_characters(self):
        assert differences("a " * 100_000, "a " * 200_000) == []


def explained(query: str, text: str, *, share: float = 0.0, template: Template | None = None) -> tuple[Kind, Why]:
    form = readings(text)[0].text
    read = readings(query)
    shares = (*[0.0] * (len(read) - 1), share)
    return reasons(read, [Found(text, form, shares, 0.5, template)])[0]


class TestWhy:
    """One explanation for each kind."""

    def test_a_copy_needs_none(self):
        assert explained(PASSAGE, PASSAGE, template=None) == (Kind.COPY, Why(cosine=0.5))

    def test_an_edit_says_what_differs(self):
        kind, why = explained(PASSAGE, PASSAGE.replace("several", "many"))
        assert (kind, why.differences, why.n_differences) == (Kind.EDIT, (Change("several", "many"),), 1)

    def test_differences_are_counted_beyond_those_listed(self):
        words = [f"word{number} stays here" for number in range(60)]
        kind, why = explained(" ".join(words), " ".join(words).replace("stays", "stay"))
        assert (kind, len(why.differences), why.n_differences) == (Kind.EDIT, 20, 60)

    def test_a_passage_deep_in_a_long_text(self):
        text = PADDING * 30 + PASSAGE + PADDING
        kind, why = explained(PASSAGE, text, share=1.0)
        assert kind is Kind.CONTAINS
        assert why.passage is not None
        assert (why.passage.text, text[why.passage.start : why.passage.end]) == (PASSAGE, PASSAGE)

    @pytest.mark.parametrize("hide", [lambda raw: base64.b64encode(raw).decode(), bytes.hex])
    def test_an_encoded_passage_in_a_text_or_in_the_query(self, hide: Any):
        hidden = hide(PASSAGE.encode())
        method = "hex" if set(hidden) <= set("0123456789abcdef") else "base64"
        kind, why = explained(PASSAGE, f"what is {hidden}", share=1.0)
        assert (kind, why.encoding) == (Kind.CONTAINS, method)
        assert why.passage is not None
        assert (why.passage.start, why.passage.end, why.passage.text) == (None, None, PASSAGE)
        kind, why = explained(f"what is {hidden}", f"{PADDING} {PASSAGE}", share=1.0)
        assert (kind, why.encoding) == (Kind.CONTAINS, method)
        assert why.passage is not None
        assert why.passage.text == PASSAGE

    def test_a_template_shows_both_values_of_each_slot(self):
        query, text = TEMPLATE.fill(["5", "the sea"]), TEMPLATE.fill(["12", "how a lighthouse keeper lives in winter"])
        kind, why = explained(query, text, template=TEMPLATE)
        assert (kind, why.slots) == (
            Kind.TEMPLATE,
            (
                SlotPair(1, "number", "5", "12"),
                SlotPair(2, "free_text", "the sea", "how a lighthouse keeper lives in winter"),
            ),
        )

    def test_a_similar_text_shows_the_words_both_have(self):
        kind, why = explained("explain your reasoning step by step", "cut point 8, step-by-step")
        assert kind is Kind.SIMILAR
        assert why.passage is not None
        assert (why.passage.start, why.passage.end, why.passage.text) == (13, 25, "step-by-step")

    def test_everything_handed_on_is_bounded(self):
        query = TEMPLATE.fill(["5", "x" * 5_000])
        _, why = explained(query, TEMPLATE.fill(["6", "y" * 5_000]), template=TEMPLATE)
        assert max(len(slot.text) for slot in why.slots) == 500
        _, why = explained(PASSAGE * 40, f"{PADDING} {PASSAGE * 40}", share=1.0)
        assert why.passage is not None
        assert len(why.passage.text) == 500
        assert why.passage.end - why.passage.start == len(PASSAGE) * 40  # type: ignore[operator]

    def test_readings_are_the_query_and_what_it_encodes(self):
        assert readings(PASSAGE) == (Reading(PASSAGE),)
        encoded = base64.b64encode(PASSAGE.encode()).decode()
        assert readings(encoded) == (Reading(encoded), Reading(PASSAGE, "base64"))


class TestSearch:
    """Explanations of a store's own hits."""

    def test_a_query_of_a_known_template_finds_hits_of_that_kind(self, built: Path):
        query = GRADE.format(
            "the number of bridges in Konigsberg that Euler crossed",
            "a handful of others",
            "nobody can say, not even on a sunny day",
        )
        with promptscan.open(built) as store:
            hit = store.search(query, k=1).hits[0]
        assert (hit.kind, hit.template_id is not None) == ("template", True)
        assert hit.why.slots[0].query == "the number of bridges in Konigsberg that Euler crossed"
        assert all(slot.text in hit.text for slot in hit.why.slots)

    def test_an_encoded_query_finds_what_it_encodes(self, built: Path):
        encoded = base64.b64encode(POC.format("CVE-2024-1007").encode()).decode()
        with promptscan.open(built) as store:
            hit = store.search(f"please decode {encoded}", k=1).hits[0]
        assert (hit.text, hit.kind, hit.why.encoding) == (POC.format("CVE-2024-1007"), "contains", "base64")

    def test_a_passage_is_part_of_the_text(self, built: Path):
        with promptscan.open(built) as store:
            hits = store.search("list the preconditions, and end with a detection rule for the whole of it", k=30).hits
        placed = [(hit, hit.why.passage) for hit in hits if hit.why.passage is not None]
        assert placed
        assert all(hit.text[place.start : place.end] == place.text for hit, place in placed)

    @pytest.mark.parametrize("width", [60, 80, 120])
    def test_on_a_terminal_text_and_reason_fit_below_each_hit(
        self, built: Path, width: int, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("COLUMNS", str(width))
        shown = command("--store", built, "search", POC.format("CVE-2031-1"), "-k", "3").out.splitlines()
        assert max(map(cell_len, shown)) <= width
        assert any(line.startswith("  why: 2031-1 → 2024-1") for line in shown), shown


@pytest.fixture
def nested_store(store: Path) -> Path:
    """A store whose two templates are parent and case."""
    with promptscan.open(store) as opened:
        names = opened.list_rows("templates")["template_id"].to_pylist()
    with open_writer(store) as writer:
        with writer.segment("nesting", key=hashlib.sha256(b"nesting").hexdigest(), meta={}) as directory:
            parents = pa.table({"template_id": names[1:2], "parent_id": names[:1]})
            pq.write_table(parents, directory / "template_parents.parquet")
        commit(writer, Settings(store=store), Run.start("test"))
    return store


def held(kind: str, store: Path, *words: str) -> dict[str, Any]:
    ran = command("--store", store, *words, "--json")
    assert ran.code == 0, ran.err
    document: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(document, SHOW)
    assert document["kind"] == kind
    return document


class TestShow:
    """One thing whole: what it is part of, and what differs."""

    def test_templates_are_listed_below_their_parent(self, nested_store: Path):
        shown = command("--store", nested_store, "templates").out
        assert re.search(r"^T-\d+ .*\n  \{1\} .*\n└ T-\d+ .*\n  \{1\} .+$", shown, re.MULTILINE), shown

    def test_children_without_their_parent_stand_alone_and_depth_indents(self):
        rows = pa.table(
            {"template_id": ["T-1", "T-2", "T-3", "T-4"], "parent_id": ["T-9", "T-4", "T-2", None], "n": [1, 2, 3, 4]}
        )
        assert nested(rows)["template_id"].to_pylist() == ["T-1", "T-4", "└ T-2", "  └ T-3"]
        assert nested(rows)["n"].to_pylist() == [1, 4, 2, 3]

    def test_a_template_shows_its_parent_its_cases_and_its_values(self, nested_store: Path):
        with promptscan.open(nested_store) as opened:
            rows = opened.sql("SELECT template_id, parent_id FROM templates WHERE parent_id IS NOT NULL").to_pylist()[0]
        case = held("template", nested_store, "show", rows["template_id"])
        assert case["parent"]["template_id"] == rows["parent_id"]
        assert case["children"] == []
        parent = held("template", nested_store, "show", rows["parent_id"])
        assert [one["template_id"] for one in parent["children"]] == [rows["template_id"]]
        for slot in parent["slots"]:
            assert 1 <= len(slot["values"]) <= 5
            assert sum(one["n_texts"] for one in slot["values"]) <= parent["template"]["n_texts"]
        example = parent["texts"][0]
        assert all(value in example["text"] for value in example["values"])
        shown = command("--store", nested_store, "show", rows["parent_id"]).out
        assert f"»{example['values'][0]}«" in shown

    def test_a_text_shows_its_template_and_its_group(self, built: Path):
        with promptscan.open(built) as store:
            near = store.sql(
                f"SELECT text_id, duplicate_id FROM texts WHERE starts_with(text, '{NEAR}') ORDER BY text_id DESC LIMIT 1"
            ).to_pylist()[0]
            prompt = store.sql(f"SELECT prompt_id FROM prompts WHERE text_id = {near['text_id']}").to_pylist()[0]
            grade = store.sql(
                "SELECT text_id, template_id FROM texts WHERE starts_with(text, 'Grade') LIMIT 1"
            ).to_pylist()[0]
        for kind, key in (("text", near["text_id"]), ("prompt", prompt["prompt_id"])):
            document = held(kind, built, "show", f"{kind}:{key}")
            assert document["duplicate"]["duplicate_id"] == near["duplicate_id"]
            assert 0.8 <= document["duplicate"]["score"] <= 1
        document = held("text", built, "show", f"text:{grade['text_id']}")
        assert document["template"]["template_id"] == grade["template_id"]
        assert document["slots"]
        assert all(slot["value"] in document["text"]["text"] for slot in document["slots"])

    def test_a_text_shows_the_texts_it_is_related_to(self, built: Path):
        with promptscan.open(built) as store:
            edges = store.sql("SELECT text_id, other_text_id, kind, score FROM edges").to_pylist()
        related: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
        for edge in edges:
            one, other, kind, score = edge.values()
            related[one].add((other, kind, score))
            related[other].add((one, kind, score))
        few = min(related, key=lambda text: (len(related[text]), text))
        assert 0 < len(related[few]) <= 15
        for text in (few, next(iter(related[few]))[0]):
            shown = held("text", built, "show", f"text:{text}")["related"]
            found = [(row["text_id"], row["kind"], row["score"]) for row in shown]
            assert set(found) <= related[text]
            assert len(found) == min(15, len(related[text]))

    def test_a_text_alone_has_no_template_and_no_group(self, built: Path):
        with promptscan.open(built) as store:
            alone = store.sql(
                "SELECT text_id FROM texts WHERE template_id IS NULL AND duplicate_id IS NULL LIMIT 1"
            ).to_pylist()[0]
        document = held("text", built, "show", f"text:{alone['text_id']}")
        assert (document["template"], document["slots"], document["duplicate"]) == (None, [], None)
        assert command("--store", built, "show", f"text:{alone['text_id']}").code == 0

    def test_a_group_shows_what_differs_from_its_medoid(self, built: Path):
        with promptscan.open(built) as store:
            row = store.sql(f"SELECT duplicate_id FROM texts WHERE starts_with(text, '{NEAR}') LIMIT 1").to_pylist()[0]
        document = held("duplicate", built, "show", f"duplicate:{row['duplicate_id']}")
        assert document["duplicate"]["text"].startswith(NEAR)
        texts = document["texts"]
        medoid = next(one for one in texts if one["text_id"] == document["duplicate"]["medoid_text_id"])
        assert (medoid["differences"], medoid["score"]) == ([], 1.0)
        assert {(one["medoid"], one["text"]) for text in texts for one in text["differences"]} <= {
            (".", "!"),
            ("!", "."),
        }
        listed = json.loads(command("--store", built, "duplicates", "--json").out)["duplicates"]
        assert next(one for one in listed if one["duplicate_id"] == row["duplicate_id"])["text"] == medoid["text"]


HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07\x9b31m", "user\u202egpj.exe\u2066", "[/x] [bold]b[/bold]", "{slot_1:number}", "{{slot_9:name}} {} }{",
    "\U000e0068\U000e0069 tags", "zero\u200bwidth", "one\u2028two\r\nthree\tfour\b", "»passage«", "⟨U+202E⟩", "\u0301" * 9, "",
]  # fmt: skip


def drawn(text: Any, *, colour: bool, width: int = 80) -> str:
    """Render as on a terminal with or without colours."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, color_system="truecolor" if colour else None)
    console.print(text)
    return stream.getvalue()


def is_safe(shown: str) -> bool:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    return not [
        one for one in plain if one != "\n" and unicodedata.category(one) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    ]


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("evil", HOSTILE)
class TestHostileValues:
    """What a slot holds, or the fixed text, is chosen by an attacker."""

    def test_templates(self, evil: str, colour: bool):
        written = write_template((f"fixed {evil} text", f"more {evil}"), ("number",))
        shown = drawn(painting.template(written, colour=colour), colour=colour)
        assert is_safe(shown)
        slot = "\x1b[36m{1:number}\x1b[0m" if colour else "text{slot_1:number}more"
        assert shown.count(slot) == 1
        assert shown.count("\x1b[36m") == colour

    def test_values_marks_and_differences(self, evil: str, colour: bool):
        slots = [{"slot": 1, "type": "name", "n_values": 3, "values": [{"value": evil, "n_texts": 2}] * 2}] * 4
        text = f"before {evil} after"
        for one in (
            painting.top_values(slots, 80, colour=colour),
            painting.marked(text, [(3, len(text) - 2, "bold")], colour=colour),
            painting.marked(text, [(3, len(text) - 2, "bold")], colour=colour, limit=9),
            painting.excerpt(text * 9, len(text), 2 * len(text), 60, colour=colour),
            painting.change(evil, evil[::-1], colour=colour),
        ):
            assert is_safe(drawn(one, colour=colour))
        assert painting.top_values(slots, 80, colour=colour).cell_len <= 80


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def evil_store(tmp_path: Path) -> Iterator[Path]:
    """A store of one template whose slot values are hostile."""
    rows = [
        {"text": f"Please summarise the quarterly report of the regional office for {evil} in three short sentences, number {n}.", "account_id": f"a{n}"}
        for n in range(4)
        for evil in HOSTILE
    ]  # fmt: skip
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert command("--store", tmp_path / "s", "scan", log).code == 0
    yield tmp_path / "s"
    shutil.rmtree(tmp_path / "s")


def test_no_screen_lets_hostile_values_through(evil_store: Path, monkeypatch: pytest.MonkeyPatch):
    with promptscan.open(evil_store) as store:
        template = store.list_rows("templates")["template_id"][0].as_py()
        group = store.list_rows("duplicates")["duplicate_id"][0].as_py()
    screens = [
        ("templates",), ("show", template), ("duplicates",), ("show", f"duplicate:{group}"), ("show", "text:5"),
        ("search", f"summarise the quarterly report of the regional office {HOSTILE[0]}", "-k", "30"),
    ]  # fmt: skip
    for words in screens:
        plain = command("--store", evil_store, *words)
        assert plain.code == 0, plain.err
        assert is_safe(plain.out)
        assert "\x1b" not in plain.out
        for no_colour in (False, True):
            shown = on_a_terminal(evil_store, words, monkeypatch, no_colour=no_colour)
            assert is_safe(shown)
            assert bool(re.search(r"\x1b\[[0-9;]*3\d", shown)) is not no_colour or "duplicates" in words


def on_a_terminal(store: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, *, no_colour: bool) -> str:
    from promptscan.cli import run

    received = io.BytesIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Terminal(received, encoding="utf-8"))
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("COLUMNS", "80")
        patch.delenv("NO_COLOR", raising=False)
        if no_colour:
            patch.setenv("NO_COLOR", "1")
        assert run(["--store", str(store), *words]) == 0
        sys.stdout.flush()
        return received.getvalue().decode()
