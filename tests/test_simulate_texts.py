"""The texts are varied enough to argue with."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from importlib import resources

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_matrix

from promptscan.simulate import NegativeKind, SimulationConfig, simulate
from promptscan.simulate.plan import Label, plan
from promptscan.simulate.texts import writers

SCRIPTS = {"zh": "[\u4e00-\u9fff]", "ja": "[\u3040-\u30ff]", "hi": "[\u0900-\u097f]"}
WORDS = {"es": "[¿ñ]|qué", "de": "[ßäöü]", "fr": "est-ce|c'est|[ûèê]", "pt": "[ãõ]|você"}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return the texts of a default run by label."""
    result = simulate(SimulationConfig(seed=3), tmp_path_factory.mktemp("texts"))
    prompts, truth = pq.read_table(result.prompts), pq.read_table(result.truth)
    return {label: prompts["text"].filter(pc.equal(truth["label"], label)).to_pylist() for label in result.labels}


def nearest_jaccard(texts: list[str], n: int = 5) -> np.ndarray:
    """Return each text's highest character n-gram Jaccard similarity to another text, float64 (texts,)."""
    vocabulary: dict[str, int] = {}
    columns: list[int] = []
    ends = [0]
    for text in texts:
        grams = {text[place : place + n] for place in range(max(1, len(text) - n + 1))}
        columns.extend(vocabulary.setdefault(gram, len(vocabulary)) for gram in grams)
        ends.append(len(columns))
    grams_of = csr_matrix((np.ones(len(columns), dtype=np.float32), columns, ends), shape=(len(texts), len(vocabulary)))
    size = np.diff(ends)
    transposed = grams_of.T.tocsr()
    best = np.zeros(len(texts))
    for begin in range(0, len(texts), 500):
        shared = (grams_of[begin : begin + 500] @ transposed).tocoo()
        row = shared.row + begin
        score = shared.data / (size[row] + size[shared.col] - shared.data)
        np.maximum.at(best, row, np.where(shared.col == row, 0.0, score))
    return best


def test_background_texts_are_unlike_each_other(texts: dict[str, list[str]]):
    # The whole run's 13,682 background texts: 5.6 %, most of it exact copies of what everybody types.
    near = nearest_jaccard(texts["background"][:5_000]) > 0.7
    assert near.mean() < 0.10
    long = np.array([len(text) > 60 for text in texts["background"][:5_000]])
    assert near[long].mean() < 0.01


def test_templates_do_look_alike(texts: dict[str, list[str]]):
    near = nearest_jaccard(texts["campaign"]) > 0.4
    assert near.mean() > 0.5
    assert (nearest_jaccard(texts["background"][:2_000]) > 0.4).mean() < 0.3


def test_strangers_share_some_exact_texts(texts: dict[str, list[str]]):
    counts: dict[str, int] = defaultdict(int)
    for text in texts["background"]:
        counts[text] += 1
    assert max(counts.values()) > 10


def test_lengths_are_heavy_tailed(texts: dict[str, list[str]]):
    lengths = np.array([len(text) for text in texts["background"]])
    assert np.quantile(lengths, 0.05) < 20
    assert 40 < np.median(lengths) < 200
    assert np.quantile(lengths, 0.99) > 1_000
    assert lengths.max() > 5_000


@pytest.mark.parametrize("language", [*SCRIPTS, *WORDS])
def test_languages(language: str, texts: dict[str, list[str]]):
    pattern = re.compile((SCRIPTS | WORDS)[language])
    share = np.mean([pattern.search(text) is not None for text in texts["background"]])
    assert 0.004 < share < 0.2


def test_english_is_the_majority(texts: dict[str, list[str]]):
    assert np.mean([text.isascii() for text in texts["background"]]) > 0.6


def test_no_braces_of_the_notation_are_left(texts: dict[str, list[str]]):
    notation = re.compile(r"\{@|\{\w+[!#]\}|\{\w+\*\d|\{\d+\.\.\d+\}|\^\d+ \{")
    assert not [text for label in texts for text in texts[label] if notation.search(text)]


def test_no_text_is_empty(texts: dict[str, list[str]]):
    assert all(text.strip() for label in texts for text in texts[label])


def test_there_are_thousands_of_fillers():
    assert len(writers().grammar.fillers()) >= 2_000


def test_each_template_has_a_family_and_unlike_templates_do_not_share_ids():
    planted = [writer for writer in writers().all if writer.template_id]
    assert len({writer.template_id for writer in planted}) == len(planted) >= 25
    assert all(writer.template_id.startswith(f"{writer.family_id}/") for writer in planted if writer.template_id)


def test_templates_come_one_of_each_task_first():
    families = [writers().all[number].family_id for number in writers().capabilities["software"]]
    assert families[:3] == ["software/implement", "software/repair", "software/refactor"]
    assert sorted(families[3:]) == sorted(families[:3])


def test_no_rule_is_defined_twice():
    folder = resources.files("promptscan.simulate")
    rules = ("words.toml", "technical.toml", "english.toml", "pastes.toml", "languages.toml")
    slots = ("public.toml", "capabilities.toml", "negatives.toml")
    documents = [tomllib.loads(folder.joinpath(name).read_text(encoding="utf-8")) for name in (*rules, *slots)]
    names = [name for document in documents for name in (document.get("slots") or document)]
    assert len(names) == len(set(names)) > 150


def test_every_capability_is_translated_into_every_language():
    known = writers()
    for numbers in known.capabilities.values():
        assert (known.translated[numbers, 0] == numbers).all()
        assert (
            len({known.all[number].template_id for number in known.translated[numbers[0]]}) == known.translated.shape[1]
        )


@pytest.mark.parametrize("kind", sorted(set(NegativeKind) - {NegativeKind.RELAY}))
def test_negatives_have_thousands_of_wordings_or_one_public_one(kind: NegativeKind):
    known = writers()
    n = 3_000
    rng = np.random.default_rng(1)
    batch = plan(
        np.zeros(n, dtype=np.int32), np.arange(n), Label.BACKGROUND, writer=rng.choice(known.negatives[kind], n),
        key=rng.integers(0, 1 << 63, n, dtype=np.uint64), topic=rng.integers(0, known.n_topics, n), session=np.arange(n),
        sweep=rng.integers(0, 1 << 20, n),
    )  # fmt: skip
    texts = known.write(batch, np.zeros(0, dtype=object))
    assert len(set(texts)) > (800 if kind == NegativeKind.VIRAL_PROMPT else 2_500)
