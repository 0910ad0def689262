"""Families at the extremes, through the whole build: nothing, one text, noise only, one family only, half a store, useless vectors."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import promptscan
from promptscan.config import Settings
from promptscan.registry import event_words, name_families
from promptscan.store import Generation
from tests.commands import promptscan as command
from tests.logs import GRADE, POC, WORDS, sample_rows, write_jsonl


def chatter(count: int, seed: int = 7) -> list[str]:
    dice = random.Random(seed)
    return [" ".join(dice.sample(WORDS, dice.randint(5, 12))) for _ in range(count)]


def scanned(folder: Path, texts: list[str], **options: Any) -> dict[str, str | None]:
    """Scan texts, one account each, and return text -> family."""
    rows = [{"text": text, "account_id": f"a{number}"} for number, text in enumerate(texts)]
    promptscan.scan(write_jsonl(folder / "log.jsonl", rows), settings=Settings(store=folder / "store", **options))
    return members(folder / "store")


def members(root: Path) -> dict[str, str | None]:
    with promptscan.open(root) as store:
        return {row["text"]: row["family_id"] for row in store.sql("SELECT text, family_id FROM texts").to_pylist()}


def every_view_answers(root: Path) -> None:
    for words in (["families"], ["families", "--depth", "3"], ["families", "--new"], ["templates"], ["accounts"], ["show", "text:0"]):
        ran = command("--store", root, *words, "--json")
        assert ran.code == 0, (words, ran.err)
    assert command("--store", root, "build", "--recluster").code == 0
    assert command("--store", root, "fsck", "--deep").code == 0


def test_no_text_becomes_a_family_where_all_is_noise(tmp_path: Path):
    found = scanned(tmp_path, chatter(60))
    assert set(found.values()) == {None}
    every_view_answers(tmp_path / "store")


def test_one_text_is_noise_and_the_next_day_may_make_a_family_of_it(tmp_path: Path):
    assert set(scanned(tmp_path, [POC.format("CVE-2024-1")]).values()) == {None}
    every_view_answers(tmp_path / "store")
    found = scanned(tmp_path, [POC.format(f"CVE-2024-{number}") for number in range(2, 12)])
    assert set(found.values()) == {"F-1"}
    assert len(found) == 11


def test_all_of_one_family(tmp_path: Path):
    found = scanned(tmp_path, [POC.format(f"CVE-2024-{number}") for number in range(60)])
    assert set(found.values()) == {"F-1"}
    every_view_answers(tmp_path / "store")
    with promptscan.open(tmp_path / "store") as store:
        (row,) = store.families().to_pylist()
        assert (row["n_texts"], row["capability"]) == (60, "cybersecurity")


def test_a_family_of_half_the_store_leaves_the_other_half_alone(tmp_path: Path):
    texts = [POC.format(f"CVE-2024-{number}") for number in range(120)]
    texts += [GRADE.format(a, a * 3, a * 4) for a in range(20)] + chatter(100)
    found = scanned(tmp_path, texts)
    half = {found[text] for text in texts[:120]}
    assert len(half) == 1
    assert None not in half
    assert {found[text] for text in texts[120:140]}.isdisjoint(half | {None})
    assert {found[text] for text in texts[140:]} == {None}
    with promptscan.open(tmp_path / "store") as store:
        said = {row["family_id"]: row["capability"] for row in store.families().to_pylist()}
    assert said[half.pop()] == "cybersecurity"  # it does not become what is ordinary


def test_ten_thousand_families_are_named_in_one_go():
    """Naming joins sorted pairs, so families that nothing links cost no more than their texts."""
    size = 5
    former = np.repeat(np.arange(10_000), size)
    names = [f"F-{number}" for number in range(1, 10_001)]
    order = np.random.default_rng(0).permutation(10_000)
    naming = name_families(order[former], former, names, 10_001)
    assert [naming.names[cluster] for cluster in order.tolist()] == names
    assert (naming.next_number, naming.events) == (10_001, ())


@pytest.fixture(scope="module")
def constant_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that says the same of every text."""
    from promptscan.encoders import StaticEncoder, load_encoder
    from promptscan.weights import quiet

    with quiet():
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding

        static = load_encoder("static")
        assert isinstance(static, StaticEncoder)
        rows = np.ones((static.weights.shape[0], 8), np.float32)
        folder = tmp_path_factory.mktemp("encoder") / "constant"
        SentenceTransformer(modules=[StaticEmbedding(static.tokenizer, embedding_weights=rows)], device="cpu").save(str(folder))
    return folder


def test_vectors_that_are_all_the_same_make_no_family_and_templates_still_do(tmp_path: Path, constant_encoder: Path):
    texts = [row["text"] for row in sample_rows()]
    found = scanned(tmp_path, texts, encoder=str(constant_encoder))
    kinds = [{found[text] for text in found if text.startswith(start)} for start in (POC[:30], GRADE[:20])]
    assert [len(kind) for kind in kinds] == [1, 1]
    assert kinds[0].isdisjoint(kinds[1] | {None})
    assert None in found.values()
    ran = command("--store", tmp_path / "store", "build", "--recluster")
    assert "all vectors are the same" in ran.err
    every_view_answers(tmp_path / "store")


def test_vectors_are_numbers_in_every_store(built: Path):
    with Generation.current(built) as generation:
        for segment in generation.manifest.of_kind("vectors"):
            for name in ("vectors.npy", "chunks.npy"):
                rows = np.load(built / segment.file(name).path).astype(np.float32)
                norms = np.linalg.norm(rows, axis=1)
                assert np.isfinite(rows).all()
                assert (np.isclose(norms, 1, atol=2e-3) | (norms == 0)).all()


def test_an_event_that_a_newer_version_wrote_is_shown_by_its_name():
    assert event_words("adopted", "F-2", 3, 4, 5) == "adopted"
