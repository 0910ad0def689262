"""Real texts take the place of made-up ones."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from commands import promptscan
from simulating import Log, digests, run

from promptscan.errors import UsageError
from promptscan.simulate import CampaignConfig, SimulationConfig, simulate
from promptscan.simulate.corpus import load_corpus

TEXTS = [
    f"Zebra {number} asks {{why}} the river is {number * 7} miles long. It is a second sentence."
    for number in range(600)
]


def write(path: Path, texts: list[str]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"text": texts, "other": list(range(len(texts)))}), path)
    else:
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


def simulated(corpus: Path, out: Path, prompts: int = 2_000) -> Log:
    campaign = CampaignConfig("one", "grading", accounts=20, share=0.1, templates=3, cover=0.2)
    return run(SimulationConfig(prompts=prompts, accounts=150, seed=6, campaigns=(campaign,), corpus=corpus), out)


@pytest.mark.parametrize("name", ["texts.parquet", "texts.jsonl"])
def test_background_prompts_are_drawn_from_the_corpus(name: str, tmp_path: Path):
    log = simulated(write(tmp_path / name, TEXTS), tmp_path / "log")
    background = Counter(log.where("label", "background")["text"].to_pylist())
    real = {text: n for text, n in background.items() if text in set(TEXTS)}
    assert len(real) > 500
    assert max(real.values()) <= 4
    assert sum(n == 1 for n in real.values()) > 0.7 * len(real)
    assert any(n > 1 for n in real.values())


def test_campaigns_fill_their_free_slots_with_first_sentences(tmp_path: Path):
    texts = simulated(write(tmp_path / "texts.parquet", TEXTS), tmp_path / "log").where("label", "campaign")["text"]
    assert all("Zebra" in text and "asks {why} the river" in text for text in texts.to_pylist())
    assert not any("second sentence" in text for text in texts.to_pylist())


def test_cover_is_drawn_too_and_templates_of_others_are_not(tmp_path: Path):
    texts = [f"{text} {copy}" for text in TEXTS for copy in range(5)]
    log = simulated(write(tmp_path / "texts.parquet", texts), tmp_path / "log")
    assert all("Zebra" in text for text in log.where("label", "campaign_cover")["text"].to_pylist())
    for label in ("vendor_app", "popular_template", "homework", "seo_farm"):
        assert not any("Zebra" in text for text in log.where("label", label)["text"].to_pylist())


def test_a_small_corpus_leaves_the_rest_made_up(tmp_path: Path):
    log = simulated(write(tmp_path / "texts.parquet", TEXTS[:20]), tmp_path / "log")
    drawn = [text for text in log.where("label", "background")["text"].to_pylist() if "Zebra" in text]
    assert 10 < len(drawn) <= 80


def test_the_order_of_the_corpus_does_not_matter(tmp_path: Path):
    forwards = load_corpus(write(tmp_path / "a.parquet", [*TEXTS, TEXTS[0]]))
    backwards = load_corpus(write(tmp_path / "b.jsonl", TEXTS[::-1]))
    assert forwards.texts.tolist() == backwards.texts.tolist()
    assert len(forwards.texts) == len(TEXTS)
    assert load_corpus(tmp_path / "a.parquet", most=7).texts.tolist() == forwards.texts.tolist()[:7]


def test_equal_corpora_give_equal_bytes(tmp_path: Path):
    corpus = write(tmp_path / "texts.parquet", TEXTS)
    config = SimulationConfig(prompts=800, accounts=80, seed=3, corpus=corpus)
    assert digests(simulate(config, tmp_path / "a")) == digests(simulate(config, tmp_path / "b"))


def test_long_lines_are_cut_at_a_word(tmp_path: Path):
    corpus = load_corpus(write(tmp_path / "texts.jsonl", ["word " * 300, "one line\nand another", "^3 {odd|text} {{"]))
    fillers = corpus.fillers()
    assert max(map(len, fillers)) <= 240
    assert "one line" in fillers
    assert all(each.endswith("word") for each in fillers if each.startswith("word"))


def test_notation_in_a_corpus_is_text(tmp_path: Path):
    log = simulated(write(tmp_path / "texts.jsonl", ["^3 {odd|text} {{ {name} }"]), tmp_path / "log")
    assert all("^3 {odd|text} {{ {name} }" in text for text in log.where("label", "campaign")["text"].to_pylist())


def test_retries_repeat_real_texts(tmp_path: Path):
    texts = [f"{text} {copy}" for text in TEXTS for copy in range(5)]
    log = simulated(write(tmp_path / "texts.parquet", texts), tmp_path / "log")
    retries = log.where("label", "retry")
    sent = Counter(zip(log.prompts["account_id"].to_pylist(), log.prompts["text"].to_pylist(), strict=True))
    again = [
        sent[pair] > 1 for pair in zip(retries["account_id"].to_pylist(), retries["text"].to_pylist(), strict=True)
    ]
    assert sum(again) > 0.4 * len(again)
    assert pc.count_distinct(retries["text"]).as_py() > 10


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.jsonl", b"", r"no text in it \(it is empty\)"),
        ("other.jsonl", b'{"title": "x"}\n', r"wanted a file of prompts with a column text"),
        ("blank.jsonl", b'{"text": "  "}\n', r"wanted a file of prompts with a column text"),
        ("broken.parquet", b"PAR1 not really", r"no text in it \(file can't be read"),
    ],
)
def test_bad_corpora(name: str, content: bytes, message: str, tmp_path: Path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        simulate(SimulationConfig(prompts=100, accounts=30, corpus=tmp_path / name), tmp_path / "log")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "log").exists()


def test_a_corpus_that_is_not_there(tmp_path: Path):
    with pytest.raises(UsageError, match=r"missing\.parquet does not exist"):
        load_corpus(tmp_path / "missing.parquet")


def test_the_command_takes_a_corpus(tmp_path: Path):
    corpus = write(tmp_path / "texts.jsonl", TEXTS)
    size = ("--prompts", "300", "--accounts", "50")
    assert promptscan("simulate", *size, "--corpus", corpus, "--out", tmp_path / "log").code == 0
    assert any("Zebra" in text for text in pq.read_table(tmp_path / "log" / "prompts.parquet")["text"].to_pylist())
