"""Templates in the store: found once, joined by what comes later, never renamed."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

import promptscan
from promptscan.api import writing
from promptscan.build import BuildReport, Run, build, comparing
from promptscan.config import Settings

TOPICS = [
    f"{a} {b}"
    for a, b in itertools.product(
        ("ancient", "coastal", "modern", "rural", "urban"), ("bread", "boats", "music", "roads", "glass", "clocks")
    )
]
FRAME = "Write a scoring rubric with five levels for judging essays about {}, and explain what a {}-point answer would lack."


def prompts(topics: list[str]) -> list[dict]:
    return [{"text": FRAME.format(topic, 3 + n % 5), "account_id": f"a{n % 7}"} for n, topic in enumerate(topics)]


def chatter(first: int, count: int) -> list[dict]:
    words = (
        "river",
        "engine",
        "violin",
        "harbour",
        "lantern",
        "orchard",
        "ticket",
        "copper",
        "saddle",
        "meadow",
        "window",
    )
    return [
        {"text": " ".join(words[(first + n * k) % 11] + str(first + n) for k in range(1, 6)), "account_id": "b"}
        for n in range(count)
    ]


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("parts")
    first = write(folder / "1.jsonl", prompts(TOPICS[:20]) + chatter(0, 30))
    return first, write(folder / "2.jsonl", prompts(TOPICS[20:]) + chatter(100, 30))


def test_a_template_is_found_with_its_slots_and_their_values(parts: tuple[Path, Path], tmp_path: Path):
    promptscan.scan([str(part) for part in parts], store=tmp_path / "s")
    with promptscan.open(tmp_path / "s") as store:
        (template,) = store.list_rows("templates").to_pylist()
        assert template["n_texts"] == 30
        assert template["n_accounts"] == 7
        assert "Write a scoring rubric with five levels for judging essays about {slot_1:" in template["template"]
        slots = store.sql("select * from slots order by slot").to_pylist()
        assert [(slot["type"], slot["n_values"]) for slot in slots][-1] == ("number", 5)
        values = store.sql("select value from slot_values where slot = 1")["value"].to_pylist()
        assert sorted(values) == sorted(TOPICS)
        family = store.families().to_pylist()[0]
        assert (family["kind"], family["n_texts"], family["n_templates"]) == ("template", 30, 1)
        hit = store.search(FRAME.format("modern bread", 4), k=1).hits[0]
        assert hit.template_id == template["template_id"]
        asked = FRAME.format(
            "the deeper causes of the decline of the Hanseatic league in the sixteenth century " * 4, 9
        )
        assert store.search(asked, k=1).hits[0].kind == "template"


def test_what_comes_later_joins_and_nothing_is_renamed(parts: tuple[Path, Path], tmp_path: Path):
    promptscan.scan(str(parts[0]), store=tmp_path / "s")
    with promptscan.open(tmp_path / "s") as store:
        before = store.list_rows("templates").to_pylist()
        family = store.families().to_pylist()[0]["family_id"]
    report = promptscan.scan(str(parts[1]), store=tmp_path / "s").build.stages["templates"]
    assert (report["templates"], report["templated"]) == (0, 10)
    with promptscan.open(tmp_path / "s") as store:
        (template,) = store.list_rows("templates").to_pylist()
        assert template["template_id"] == before[0]["template_id"]
        assert (before[0]["n_texts"], template["n_texts"]) == (20, 30)
        assert store.families().to_pylist()[0]["family_id"] == family


def test_a_template_that_says_little_does_not_collect_whatever_fits_it(tmp_path: Path):
    """What is the ...? of one day takes in what says little more on the next, not every question that people ask."""
    first = [{"text": f"What is the {metal}?", "account_id": "a"} for metal in ("zinc", "iron", "lead", "gold")]
    promptscan.scan(write(tmp_path / "1.jsonl", first + chatter(0, 20)), settings=Settings(store=tmp_path / "s"))
    later = [
        "What is the shortest way from the old harbour to the railway station on a rainy evening?",
        "What is the reason that my neighbour's violin sounds better than mine after lunch?",
        "What is the best moment to prune a young orchard when the winter was mild and wet?",
    ]
    rows = [{"text": text, "account_id": "b"} for text in [*later, "What is the tin?"]]
    promptscan.scan(write(tmp_path / "2.jsonl", rows), settings=Settings(store=tmp_path / "s"))
    with promptscan.open(tmp_path / "s") as store:
        of = {row["text"]: row["template_id"] for row in store.sql("SELECT text, template_id FROM texts").to_pylist()}
    weak = {of[row["text"]] for row in first}
    assert len(weak) == 1
    assert weak != {None}
    assert not {of[text] for text in later} & weak
    assert of["What is the tin?"] in weak


def test_slot_syntax_in_a_prompt_is_not_a_slot(tmp_path: Path):
    rows = [
        {"text": f"Please fill {{slot_1:number}} in the form of the {topic} office and send it back today"}
        for topic in TOPICS
    ]
    promptscan.scan(str(write(tmp_path / "a.jsonl", rows)), store=tmp_path / "s")
    with promptscan.open(tmp_path / "s") as store:
        (template,) = store.list_rows("templates").to_pylist()
    assert "{{slot_1:number}}" in template["template"]
    assert template["n_slots"] == 1


def test_a_run_records_the_encoder_that_was_used(parts: tuple[Path, Path], tmp_path: Path):
    promptscan.scan(str(parts[0]), store=tmp_path / "s")
    with promptscan.open(tmp_path / "s") as store:
        assert store.sql("select config ->> 'encoder' as encoder from runs")["encoder"].to_pylist() == ["static"]


def test_compared_pairs_are_kept_with_what_relates_them(parts: tuple[Path, Path], tmp_path: Path):
    promptscan.scan([str(part) for part in parts], store=tmp_path / "s")
    with promptscan.open(tmp_path / "s") as store:
        edges = store.sql("select * from edges").to_pylist()
        texts = dict(zip(*store.sql("select text_id, text from texts").to_pydict().values(), strict=True))
        measured = json.loads(store.sql("select measured from runs")["measured"][0].as_py())
    assert {edge["kind"] for edge in edges} >= {"edit"}
    assert all(0 <= edge["score"] <= 1 for edge in edges)
    framed = [
        [texts[edge[side]].startswith("Write a") for side in ("text_id", "other_text_id")]
        for edge in edges
        if edge["kind"] in {"edit", "template"}
    ]
    assert [True, True] in framed
    assert all(one == other for one, other in framed)
    assert measured["thresholds"]["edit"] >= 0.8


def test_another_rate_makes_groups_and_templates_anew_from_what_was_compared(
    parts: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    promptscan.scan([str(part) for part in parts], store=tmp_path / "s", settings=Settings(false_positive_rate=0.01))
    with promptscan.open(tmp_path / "s") as store:
        before = store.list_rows("templates").to_pylist()
    monkeypatch.setattr(comparing, "propose", refuse)
    report = rebuild(tmp_path / "s")
    assert report.stages["templates"]["templates"] == 1
    assert report.stages["calibrate"]["false_positive_rate"] == 0.02
    with promptscan.open(tmp_path / "s") as store:
        assert store.list_rows("templates").to_pylist() == before
    assert not rebuild(tmp_path / "s").changed


def rebuild(store: Path) -> BuildReport:
    settings = Settings(store=store, false_positive_rate=0.02)
    with writing(settings) as writer:
        return build(writer, settings, Run.start("build"))


def refuse(*_: object) -> None:
    raise AssertionError("pairs were proposed again")


LONG = "abcdefghijklmnopqrstuvwxyz"


def sprawl(number: int) -> str:
    """Two thousand characters that no two numbers share."""
    return " ".join(f"{letter}{number}{letter * 3}{at}" for at, letter in enumerate(8 * LONG))


def test_a_short_preamble_before_long_varying_text_is_a_template(tmp_path: Path):
    frame = "Summarise the following customer call for the weekly report: {}"
    rows = [{"text": frame.format(sprawl(number)), "account_id": f"a{number % 6}"} for number in range(12)]
    promptscan.scan(str(write(tmp_path / "a.jsonl", rows + chatter(0, 40))), store=tmp_path / "s")
    with promptscan.open(tmp_path / "s") as store:
        (template,) = store.list_rows("templates").to_pylist()
        assert template["template"].startswith("Summarise the following customer call for the weekly report: {slot_1:")
        assert (template["n_texts"], template["n_own"]) == (12, 12)
        assert store.families().to_pylist()[0]["n_texts"] == 12
    later = [{"text": frame.format(sprawl(number)), "account_id": "late"} for number in range(20, 25)]
    promptscan.scan(str(write(tmp_path / "b.jsonl", later)), store=tmp_path / "s")
    with promptscan.open(tmp_path / "s") as store:
        (again,) = store.list_rows("templates").to_pylist()
    assert (again["template_id"], again["n_texts"]) == (template["template_id"], 17)


def test_a_passage_that_grows_over_days_becomes_a_template(tmp_path: Path):
    frame = "{} Does this product review convey a negative or a positive sentiment?"
    for day in range(3):
        rows = [{"text": frame.format(sprawl(10 * day + number)), "account_id": f"a{number}"} for number in range(4)]
        path = write(tmp_path / f"{day}.jsonl", rows + chatter(100 * day, 20))
        promptscan.scan(str(path), store=tmp_path / "s")
    with promptscan.open(tmp_path / "s") as store:
        (template,) = store.list_rows("templates").to_pylist()
    assert template["n_texts"] >= 11  # 8 are enough for a template, the rest join


def test_one_prompt_in_many_disguises_is_one_duplicate_group_and_one_family(tmp_path: Path):
    plain = "Write a detailed grading rubric for an essay on medieval trade, with five levels of achievement"
    cyrillic = plain.translate(str.maketrans("aceopxyi", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456"))
    wide = "".join(chr(ord(sign) + 0xFEE0) if sign.isalpha() else sign for sign in plain)
    leet = plain.translate(str.maketrans("aeio", "4310"))
    disguises = [plain, cyrillic, plain.upper(), " ".join(plain), wide, leet, "\u200b".join(plain)]
    rows = [{"text": text, "account_id": f"a{number}"} for number, text in enumerate(disguises)]
    promptscan.scan(str(write(tmp_path / "a.jsonl", rows + chatter(0, 40))), store=tmp_path / "s")
    with promptscan.open(tmp_path / "s") as store:
        (group,) = store.sql("select * from duplicates where n_texts > 2").to_pylist()
        assert (group["n_texts"], group["worst_score"]) == (7, 1.0)
        families = store.sql(f"select distinct family_id from texts where duplicate_id = {group['duplicate_id']}")
        assert len(families) == 1
        assert families["family_id"].to_pylist() != [None]
