"""A change of encoder: only when it is asked for, in a new generation, and families keep their ids."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from pathlib import Path

import pytest

import promptscan
from promptscan.errors import StoreError
from promptscan.store import EncoderRef, Generation, open_writer
from tests.commands import promptscan as command
from tests.commands import refused
from tests.logs import sample_rows, write_jsonl
from tests.test_faults import KILLED, python

OF_ENCODER = ("vectors", "graph", "cells", "edges", "templates", "probes", "capabilities")


def members(root: Path) -> dict[str, str | None]:
    """Text -> family."""
    with promptscan.open(root) as store:
        return {row["text"]: row["family_id"] for row in store.sql("SELECT text, family_id FROM texts").to_pylist()}


def segments(root: Path, *kinds: str) -> set[str]:
    with Generation.current(root) as generation:
        return {segment.name for segment in generation.manifest.segments if segment.kind in kinds}


def encoder(root: Path) -> str:
    with Generation.current(root) as generation:
        assert generation.manifest.encoder is not None
        return generation.manifest.encoder.name


def test_without_recluster_another_encoder_is_refused_and_told_how(store: Path, other_encoder: Path):
    line = refused(3, "--store", store, "build", "--encoder", other_encoder)
    assert f"build --encoder {other_encoder} --recluster" in line
    assert encoder(store) == "static"


@pytest.fixture(scope="module")
def changed_once(built: Path, other_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose encoder was changed; read only."""
    root = Path(shutil.copytree(built, tmp_path_factory.mktemp("changed") / "store"))
    ran = command("--store", root, "build", "--encoder", other_encoder, "--recluster")
    assert ran.code == 0, ran.err
    assert f"texts are embedded with {other_encoder} instead of static" in ran.err
    return root


class TestChanged:
    """A store whose encoder was changed."""

    @pytest.fixture
    def before(self, built: Path) -> dict[str, str | None]:
        return members(built)

    @pytest.fixture
    def changed(self, changed_once: Path, tmp_path: Path) -> Path:
        """A copy to write to, settled in its place."""
        root = Path(shutil.copytree(changed_once, tmp_path / "store"))
        assert command("--store", root, "build").code == 0
        return root

    def test_families_keep_their_ids(self, changed_once: Path, before: dict[str, str | None]):
        after = members(changed_once)
        assert after.keys() == before.keys()
        kept = [text for text, family in before.items() if family is not None and after[text] is not None]
        assert len(kept) > 0.95 * sum(family is not None for family in before.values())
        assert {text: after[text] for text in kept} == {text: before[text] for text in kept}

    def test_everything_that_comes_from_vectors_is_of_the_new_one(self, changed_once: Path, built: Path):
        assert not segments(changed_once, *OF_ENCODER) & segments(built, *OF_ENCODER)
        assert segments(changed_once, "prompts", "cleans", "fingerprints") == segments(
            built, "prompts", "cleans", "fingerprints"
        )
        with Generation.current(changed_once) as generation:
            assert {s.meta["encoder"] for s in generation.manifest.of_kind("probes")} == {
                generation.manifest.encoder.digest
            }
            assert generation.manifest.encoder.dim == 48
        assert command("--store", changed_once, "fsck", "--deep").code == 0

    def test_search_and_further_days_use_it(self, changed: Path, tmp_path: Path, other_encoder: Path):
        with promptscan.open(changed) as store:
            text = store.sql("SELECT text FROM texts WHERE family_id = 'F-1' LIMIT 1")["text"][0].as_py()
            assert store.search(text, k=1).hits[0].family_id == "F-1"
        assert command("--store", changed, "build").err.startswith("nothing new")
        assert "--encoder static --recluster" in refused(3, "--store", changed, "build", "--encoder", "static")
        more = [row | {"prompt_id": f"q{row['prompt_id']}"} for row in sample_rows(1)[:40]]
        ran = command("--store", changed, "scan", write_jsonl(tmp_path / "more.jsonl", more))
        assert ran.code == 0, ran.err
        assert encoder(changed) == str(other_encoder)

    def test_the_way_back_takes_over_the_vectors_of_before(
        self, changed: Path, built: Path, before: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("promptscan.build.embedding.embed_texts", lambda *_, **__: pytest.fail("embedded again"))
        assert command("--store", changed, "build", "--encoder", "static", "--recluster").code == 0
        assert members(changed) == before
        assert segments(changed, "vectors", "graph", "edges") == segments(built, "vectors", "graph", "edges")


@pytest.mark.parametrize("point", ["embedded", "rename"])
def test_a_killed_change_leaves_the_old_families_and_can_be_repeated(store: Path, other_encoder: Path, point: str):
    before, words = members(store), ("--store", store, "build", "--encoder", other_encoder, "--recluster")
    killed = python(KILLED, point, *words)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (encoder(store), members(store)) == ("static", before)
    assert command("--store", store, "fsck", "--deep").code == 0
    assert command("--store", store, "build").code == 0
    assert (encoder(store), members(store)) == ("static", before)  # the old encoder goes on
    assert command(*words).code == 0
    assert encoder(store) == str(other_encoder)


@pytest.mark.parametrize("point", ["segment", "rename"])
def test_a_killed_recluster_leaves_the_old_families(store: Path, point: str):
    before = members(store)
    killed = python(KILLED, point, "--store", store, "build", "--recluster")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert members(store) == before
    assert command("--store", store, "build", "--recluster").code == 0
    assert members(store) == before


def test_an_encoder_that_is_not_there_changes_nothing(store: Path):
    current = (store / "CURRENT").read_bytes()
    assert "no such folder" in refused(2, "--store", store, "build", "--encoder", "statik", "--recluster")
    assert (store / "CURRENT").read_bytes() == current


def test_recluster_with_the_encoder_of_the_store_embeds_nothing(store: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("promptscan.build.embedding.embed_texts", lambda *_, **__: pytest.fail("embedded again"))
    ran = command("--store", store, "build", "--encoder", "static", "--recluster")
    assert ran.code == 0, ran.err
    assert "instead of" not in ran.err


def test_weights_that_changed_under_the_same_name_are_a_change(store: Path):
    """An upgrade of an encoder is refused like another one, and `--recluster` embeds with what is installed."""
    document = json.loads((store / "generations" / "1" / "manifest.json").read_bytes())
    installed = document["encoder"]["digest"]
    document["encoder"]["digest"] = "0" * 64
    data = json.dumps(document).encode()
    (store / "generations" / "1" / "manifest.json").write_bytes(data)
    current = {"generation": 1, "manifest_sha256": hashlib.sha256(data).hexdigest()}
    (store / "CURRENT").write_text(json.dumps(current))
    (store / "log.jsonl").write_text('{"text": "one more prompt"}')
    assert "another --store" in refused(3, "--store", store, "scan", store / "log.jsonl")
    ran = command("--store", store, "build", "--encoder", "static", "--recluster")
    assert ran.code == 0, ran.err
    assert "texts are embedded with static instead of static" in ran.err
    with Generation.current(store) as generation:
        assert generation.manifest.encoder is not None
        assert generation.manifest.encoder.digest == installed


def test_a_draft_with_vectors_takes_no_other_encoder(store: Path):
    with open_writer(store) as writer, pytest.raises(StoreError, match="discard"):
        writer.change_encoder(EncoderRef("other", "0" * 64, 8))
