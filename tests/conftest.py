"""Shared stores: built once a session, read by many tests, copied by those that write or damage."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import promptscan
from promptscan.config import Settings
from tests.campaign_store import with_campaigns
from tests.logs import sample_rows, write_jsonl

settings.register_profile(
    "repeatable", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting of whoever runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith("PROMPTSCAN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "no-config"))
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample log as JSON Lines."""
    return write_jsonl(tmp_path_factory.mktemp("log") / "prompts.jsonl", sample_rows())


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, log: Path) -> Path:
    """A store built from the sample log; read only."""
    root = tmp_path_factory.mktemp("built") / "store"
    promptscan.scan(log, settings=Settings(store=root))
    return root


@pytest.fixture(scope="session")
def planted(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built store with campaigns; read only."""
    root = Path(shutil.copytree(built, tmp_path_factory.mktemp("planted") / "store"))
    with_campaigns(root)
    return root


@pytest.fixture
def store(built: Path, tmp_path: Path) -> Path:
    """A copy of the built store to write to."""
    return Path(shutil.copytree(built, tmp_path / "store"))


@pytest.fixture(scope="session")
def other_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second encoder, as a sentence-transformers folder: the static one turned about, and of fewer dimensions."""
    from promptscan.encoders import StaticEncoder, load_encoder
    from promptscan.weights import quiet

    with quiet():
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding

        static = load_encoder("static")
        assert isinstance(static, StaticEncoder)
        turn = np.random.default_rng(0).standard_normal((static.weights.shape[1], 48)).astype(np.float32)
        module = StaticEmbedding(static.tokenizer, embedding_weights=static.weights @ turn)
        folder = tmp_path_factory.mktemp("encoder") / "turned"
        SentenceTransformer(modules=[module], device="cpu").save(str(folder))
    return folder
