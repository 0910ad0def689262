"""Capabilities: well-formed seeds, percentiles that mean what they say, and families told by what they probe."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import promptscan
from promptscan.capabilities import CONVINCING, Judge, make_judge
from promptscan.config import Configured, Settings
from promptscan.encoders import Encoder, load_encoder
from promptscan.errors import UsageError
from promptscan.judgement import load_judge, save_judge
from promptscan.labels import shortened
from promptscan.seedbanks import OTHER, SeedBank, banks_digest, load_banks
from tests.commands import promptscan as command
from tests.commands import refused
from tests.logs import POC, REPEATED, WORDS

CODE = [
    f"{verb} a {language} {thing} that {task} and add unit tests for it."
    for verb, language, thing, task in itertools.product(
        ("Write", "Debug"),
        ("Python", "Kotlin"),
        ("class", "script"),
        ("reads a JSON file", "sorts an array of records"),
    )
]
GARDEN = """capability = "gardening"
[seeds]
en = ["When should I prune roses?", "How deep do tulip bulbs go?", "What soil do tomatoes like?",
      "My basil has yellow leaves, what is wrong?", "Which hedge grows fast in the shade?", "How do I compost leaves?"]
"""


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("static")


@pytest.fixture(scope="module")
def chatter() -> list[str]:
    dice = np.random.default_rng(3)
    return [" ".join(dice.choice(WORDS, dice.integers(5, 12)).tolist()) for _ in range(400)]


@pytest.fixture(scope="module")
def judge(encoder: Encoder, chatter: list[str]) -> Judge:
    banks = load_banks()
    return make_judge(banks, [encoder.encode(bank.texts) for bank in banks], encoder.encode(chatter), chatter)


def told(judge: Judge, encoder: Encoder, texts: list[str]) -> tuple[str, float]:
    """Return the first capability of texts taken as a family, and its percentile."""
    order, share = judge.ranking(judge.scores(encoder.encode(texts), texts).mean(axis=0)[None])
    return judge.names[order[0, 0]], float(share[0, order[0, 0]])


class TestSeeds:
    """The banks that ship."""

    def test_there_are_enough_in_several_languages(self):
        banks = load_banks()
        assert len(banks) >= 13
        assert OTHER in {bank.capability for bank in banks}
        for bank in banks:
            languages = [language for language, _ in bank.seeds]
            assert len(bank.seeds) >= 30, bank.capability
            assert {"en", "zh", "ru", "es", "de", "fr", "ja", "ar", "hi"} <= set(languages), bank.capability
            assert languages.count("en") < 0.7 * len(languages), bank.capability
            assert bank.about

    def test_no_prompt_speaks_for_two_capabilities(self):
        texts = [text.casefold() for bank in load_banks() for text in bank.texts]
        assert len(set(texts)) == len(texts)

    def test_what_issue_and_documents_name_is_there(self):
        names = {bank.capability: bank for bank in load_banks()}
        assert {"software engineering", "agentic reasoning", "cybersecurity", "maths", "translation"} <= set(names)
        assert names["reasoning traces"].cues
        assert names["rubric grading"].cues


class TestUserBanks:
    """Files dropped into a folder."""

    def test_a_new_capability_is_added_and_a_known_one_replaced(self, tmp_path: Path):
        (tmp_path / "a.toml").write_text(GARDEN)
        (tmp_path / "b.toml").write_text(GARDEN.replace("gardening", "maths"))
        (tmp_path / "notes.txt").write_text("not a bank")
        banks = {bank.capability: bank for bank in load_banks(tmp_path)}
        assert len(banks) == len(load_banks()) + 1
        assert banks["maths"].texts == banks["gardening"].texts
        assert banks_digest(load_banks(tmp_path)) != banks_digest(load_banks())
        assert {bank.capability for bank in load_banks(tmp_path / "a.toml")} == {*banks}

    def test_of_two_places_the_later_one_wins(self, tmp_path: Path):
        for name in ("dropped", "set"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "mine.toml").write_text(f'about = "{name}"\n' + GARDEN.replace("gardening", "maths"))
        found = {bank.capability: bank.about for bank in load_banks(tmp_path / "dropped", tmp_path / "set")}
        assert found["maths"] == "set"
        assert {bank.capability: bank.about for bank in load_banks(None, tmp_path / "dropped")}["maths"] == "dropped"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("capability = [", r"can't be read: .*; wanted a TOML file"),
            ("", r"capability is missing; wanted a string"),
            ("capability = 3", r"capability is 3; wanted a string"),
            ('capability = " "', r"capability is empty"),
            ('capability = "x"', r"wanted a table \[seeds\]"),
            ('capability = "x"\nseeds = ["a"]', r"wanted a table \[seeds\]"),
            ('capability = "x"\n[seeds]\nen = "a"', r"seeds.en is 'a'; wanted a list of strings"),
            (
                'capability = "x"\n[seeds]\nen = ["a", " "]',
                r"seeds.en is .*; wanted a list of strings that are not empty",
            ),
            ('capability = "x"\n[seeds]\nen = ["a", "b"]', r"2 seeds; wanted 5 to 10000"),
            ('capability = "x"\ncues = [1]\n[seeds]\nen = ["a"]', r"cues is \[1\]; wanted a list of strings"),
            (
                'capability = "x"\nwords = []\n[seeds]\nen = ["a"]',
                r"unknown key 'words'; wanted capability, about, cues, seeds",
            ),
        ],
    )
    def test_a_malformed_file_is_refused_in_one_line_that_names_it(self, tmp_path: Path, text: str, message: str):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        with pytest.raises(UsageError, match=message) as caught:
            load_banks(tmp_path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_place_that_is_not_there_and_a_name_twice_are_refused(self, tmp_path: Path):
        with pytest.raises(UsageError, match="no such file or folder"):
            load_banks(tmp_path / "nowhere")
        for name in ("a", "b"):
            (tmp_path / f"{name}.toml").write_text(GARDEN)
        with pytest.raises(UsageError, match=r"b\.toml: .*a\.toml has capability 'gardening' too"):
            load_banks(tmp_path)

    def test_the_setting_is_a_path_and_unset_by_default(self, tmp_path: Path):
        assert Configured.load(environ={}).settings.capability_seeds is None
        given = {"PROMPTSCAN_CAPABILITY_SEEDS": str(tmp_path)}
        assert Configured.load(environ=given).settings.capability_seeds == tmp_path


class TestJudge:
    """Scores and percentiles, on arrays."""

    def test_percentiles_are_uniform_on_the_background(self, judge: Judge):
        share = np.sort(judge.percentiles(judge.background), axis=0)
        n = len(share)
        wanted = (np.arange(n) + 0.5) / n
        without_cues = [column for column, cue in enumerate(judge.cues) if not cue]
        assert np.abs(share[:, without_cues] - wanted[:, None]).max() < 0.02
        assert np.allclose(share.mean(axis=0), 0.5, atol=1e-9)

    def test_code_is_software_engineering(self, judge: Judge, encoder: Encoder):
        name, share = told(judge, encoder, CODE)
        assert name == "software engineering"
        assert share >= CONVINCING

    @pytest.mark.parametrize(
        ("texts", "capability"),
        [
            (
                ["请用 Java 编写一个函数,计算数组的平均值。", "用 Python 写一段代码,读取文件并统计行数。"],
                "software engineering",
            ),
            (["Rate this reply from 1 to 5 with the rubric and give a verdict."], "rubric grading"),
            (["Traduce esta carta al inglés, por favor.", "Traduce el menú al alemán."], "translation"),
            (["Think step by step and show your reasoning, then answer: who is the tallest?"], "reasoning traces"),
            (["What is 17 times 23?", "Solve 4x - 3 = 9 for x."], "maths"),
        ],
    )
    def test_plain_examples_are_told(self, judge: Judge, encoder: Encoder, texts: list[str], capability: str):
        assert told(judge, encoder, texts)[0] == capability

    def test_noise_is_other(self, judge: Judge, encoder: Encoder):
        dice = np.random.default_rng(8)
        groups = [[" ".join(dice.choice(WORDS, 9).tolist()) for _ in range(12)] for _ in range(40)]
        shares = [told(judge, encoder, group)[1] for group in groups]
        assert np.mean(np.array(shares) < CONVINCING) >= 0.95

    def test_a_cue_counts_as_a_word_only(self, judge: Judge, encoder: Encoder):
        column = judge.names.index("rubric grading")
        vector = np.repeat(encoder.encode(["a plain text"]), 3, axis=0)
        plain, inside, cue = judge.scores(vector, ["a plain text", "generate the list", "RATE THE list"])[:, column]
        assert plain == inside < cue

    def test_a_text_without_known_words_is_like_nothing(self, judge: Judge):
        nothing = np.zeros((1, judge.mean.shape[0]), np.float32)
        assert judge.percentiles(judge.scores(nothing, [""])).max() < 0.5

    def test_order_of_the_background_changes_nothing(self, judge: Judge, encoder: Encoder, chatter: list[str]):
        banks = load_banks()
        seeds = [encoder.encode(bank.texts) for bank in banks]
        other = make_judge(banks, seeds, encoder.encode(chatter[::-1]), chatter[::-1])
        assert told(other, encoder, CODE) == pytest.approx(told(judge, encoder, CODE))

    def test_without_any_text_of_the_store_everyday_prompts_are_the_background(self, encoder: Encoder):
        banks = load_banks()
        empty = np.zeros((0, 256), np.float32)
        alone = make_judge(banks, [encoder.encode(bank.texts) for bank in banks], empty, [])
        assert len(alone.background) == len(next(bank for bank in banks if bank.capability == OTHER).seeds)
        assert told(alone, encoder, CODE)[0] == "software engineering"

    def test_vectors_that_are_all_the_same_give_numbers(self):
        bank = [SeedBank(name, "", (), (("en", "a"),) * 5) for name in ("x", OTHER)]
        same = np.tile(np.eye(1, 8, dtype=np.float32), (5, 1))
        flat = make_judge(bank, [same, same], same, ["a"] * 5)
        assert flat.percentiles(flat.scores(same, ["a"] * 5)).tolist() == [[0.5]] * 5


def rows(root: Path, query: str) -> list[dict[str, Any]]:
    with promptscan.open(root) as store:
        found: list[dict[str, Any]] = store.sql(query).to_pylist()
    return found


class TestStore:
    """The stage."""

    def test_families_say_what_they_probe(self, built: Path):
        said = "SELECT t.text, f.capability FROM families f JOIN texts t ON t.text_id = f.exemplar_text_id"
        found = {row["text"][:20]: row["capability"] for row in rows(built, said)}
        assert found[POC[:20]] == "cybersecurity"
        assert found["Grade the following "] == "rubric grading"

    def test_every_family_has_every_capability_once_and_other_parts_them(self, built: Path):
        found = rows(built, "SELECT * FROM capabilities ORDER BY family_id, rank")
        width = len(load_banks())
        assert len(found) == 3 * width
        for start in range(0, len(found), width):
            own = found[start : start + width]
            assert [row["rank"] for row in own] == list(range(1, width + 1))
            assert len({row["capability"] for row in own}) == width
            share: NDArray[np.float64] = np.array([row["percentile"] for row in own])
            assert (np.diff(share) <= 0).all()
            place = [row["capability"] for row in own].index(OTHER)
            assert (share[:place] >= CONVINCING).all()
            assert (share[place + 1 :] < CONVINCING).all()

    def test_new_seeds_judge_again_and_nothing_else_is_done(self, store: Path, tmp_path: Path, log: Path):
        (tmp_path / "sea.toml").write_text(
            'capability = "sea shanties"\n[seeds]\nen = '
            + json.dumps([f"Sing the shipping forecast as a {kind} with herring and gales" for kind in WORDS[:6]])
        )
        settings = Settings(store=store, capability_seeds=tmp_path)
        report = promptscan.scan(log, settings=settings).build
        assert report.stages["capabilities"]["families"] == 3
        assert not {"embed", "templates", "families"} & set(report.stages)
        assert not promptscan.scan(log, settings=settings).build.changed
        said = f"SELECT capability FROM families WHERE label = '{shortened(REPEATED)}'"
        assert rows(store, said) == [{"capability": "sea shanties"}]

    @pytest.mark.parametrize("how", ["setting", "flag", "folder"])
    def test_a_bad_seed_file_stops_the_command_in_one_line(
        self, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
    ):
        folder = store / "seeds" if how == "folder" else tmp_path
        (folder / "mine.toml").write_text("capability = 1")
        if how == "setting":
            monkeypatch.setenv("PROMPTSCAN_CAPABILITY_SEEDS", str(tmp_path))
        words = ("--seeds", str(tmp_path)) if how == "flag" else ()
        current = (store / "CURRENT").read_bytes()
        assert "mine.toml: capability is 1; wanted a string" in refused(2, "--store", store, "build", *words)
        assert (store / "CURRENT").read_bytes() == current

    @pytest.mark.parametrize("how", ["flag", "folder"])
    def test_a_file_dropped_into_the_store_or_named_by_a_flag_is_a_capability(
        self, store: Path, tmp_path: Path, how: str
    ):
        path = (store / "seeds" if how == "folder" else tmp_path) / "sea.toml"
        path.write_text(
            'capability = "sea shanties"\n[seeds]\nen = '
            + json.dumps([f"Sing the shipping forecast as a {kind} with herring and gales" for kind in WORDS[:6]])
        )
        ran = command("--store", store, "build", *(("--seeds", str(path)) if how == "flag" else ()))
        assert ran.code == 0, ran.err
        said = f"SELECT capability FROM families WHERE label = '{shortened(REPEATED)}'"
        assert rows(store, said) == [{"capability": "sea shanties"}]


def probes(root: Path, identifier: str) -> list[dict[str, Any]]:
    ran = command("--store", root, "show", identifier, "--json")
    assert ran.code == 0, ran.err
    found: list[dict[str, Any]] = json.loads(ran.out)["probes"]
    return found


class TestTexts:
    """What a single text probes."""

    def test_text_and_prompt_say_what_the_text_probes(self, built: Path):
        for start, capability in ((POC[:20], "cybersecurity"), ("Grade the following", "rubric grading")):
            said = f"SELECT text_id, prompt_id FROM prompts JOIN texts USING (text_id) WHERE starts_with(text, '{start}') LIMIT 1"
            row = rows(built, said)[0]
            by_text, by_prompt = probes(built, f"text:{row['text_id']}"), probes(built, f"prompt:{row['prompt_id']}")
            assert by_text == by_prompt
            assert (by_text[0]["capability"], by_text[0]["convincing"]) == (capability, True)
            assert [one["percentile"] for one in by_text] == sorted((one["percentile"] for one in by_text), reverse=True)
            assert capability in command("--store", built, "show", f"text:{row['text_id']}").out

    def test_a_text_of_no_family_has_percentiles_too(self, built: Path):
        row = rows(built, "SELECT text_id FROM texts WHERE family_id IS NULL LIMIT 1")[0]
        found = probes(built, f"text:{row['text_id']}")
        assert len(found) == 4
        assert all(0 <= one["percentile"] <= 1 for one in found)

    def test_neither_an_encoder_nor_other_texts_are_read(self, built: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("promptscan.encoders.load_encoder", lambda *_, **__: pytest.fail("the encoder was loaded"))
        monkeypatch.setattr("promptscan.rows.text_vectors", lambda *_: pytest.fail("all vectors were opened"))
        assert probes(built, "text:0")

    def test_the_judge_that_is_kept_judges_like_the_one_that_was_made(self, judge: Judge, tmp_path: Path):
        save_judge(judge, tmp_path)
        segment = SimpleNamespace(has=lambda _: True, file=lambda name: tmp_path / name)
        files = SimpleNamespace(manifest=SimpleNamespace(of_kind=lambda _: [segment]), verified=lambda path: path)
        again = load_judge(files)
        assert again is not None
        assert (again.names, again.cues) == (judge.names, judge.cues)
        vectors = judge.seeds[:7]
        assert (again.scores(vectors, CODE[:7]) == judge.scores(vectors, CODE[:7])).all()

    def test_a_store_without_families_says_nothing(self, tmp_path: Path):
        ran = command("--store", tmp_path / "s", "scan", "-", stdin=b'{"text": "good morning", "prompt_id": "p"}')
        assert ran.code == 0, ran.err
        assert probes(tmp_path / "s", "p") in ([], probes(tmp_path / "s", "text:0"))
