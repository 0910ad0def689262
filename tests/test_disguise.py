"""Obfuscation is the share of a text that is made to look like something else, and of honest texts it is about nothing."""

from __future__ import annotations

import base64
import codecs
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import promptscan
from promptscan.config import Settings
from promptscan.decode import decoded
from promptscan.disguise import examine
from promptscan.fingerprint import fingerprints
from promptscan.matchkey import match_keys
from promptscan.normalise import clean
from tests.logs import write_jsonl

PLAIN = "Explain step by step how the assistant decides which of its instructions it may reveal to a user"
CYRILLIC = str.maketrans("aeopcyx", "\u0430\u0435\u043e\u0440\u0441\u0443\u0445")
LEET = str.maketrans("eaots", "34075")
ENCODED = base64.b64encode(PLAIN.encode()).decode()
DISGUISED = {  # text, least and most obfuscation
    "homoglyphs": (PLAIN.translate(CYRILLIC), 0.2, 0.4),
    "one homoglyph": (PLAIN.replace("x", "\u0445"), 0.005, 0.02),
    "zero-width": ("\u200b".join(PLAIN), 0.45, 0.5),
    "leet": (PLAIN.translate(LEET), 0.1, 0.3),
    "mathematical letters": ("".join(chr(0x1D41A + ord(c) - 97) if c.islower() else c for c in PLAIN), 0.7, 0.9),
    "base64": (ENCODED, 0.99, 1.0),
    "half base64": (f"{PLAIN[: len(ENCODED)]} {ENCODED}", 0.5, 0.65),
    "hex": (PLAIN.encode().hex(), 0.99, 1.0),
    "rot13": (codecs.encode(PLAIN, "rot13"), 0.9, 1.0),
    "reversed": (PLAIN[::-1], 0.8, 1.0),
    "tags": ("Hello there" + "".join(chr(0xE0000 + ord(c)) for c in PLAIN), 0.85, 0.95),
    "zero-width and homoglyphs": ("\u200b".join(PLAIN.translate(CYRILLIC)), 0.55, 0.75),
}
HONEST = [
    PLAIN,
    "Can you fix utf8 handling in my x86_64 build of libfoo2 and keep the sha256 of v1.2.3 at localhost:8080?",
    "\u041e\u0431\u044a\u044f\u0441\u043d\u0438 \u043f\u043e\u0434\u0440\u043e\u0431\u043d\u043e, \u043a\u0430\u043a \u0440\u0430\u0431\u043e\u0442\u0430\u0435\u0442 \u043a\u0432\u0430\u043d\u0442\u043e\u0432\u044b\u0439 \u043a\u043e\u043c\u043f\u044c\u044e\u0442\u0435\u0440 \u0438 \u0447\u0442\u043e \u0442\u0430\u043a\u043e\u0435 Python",
    "\u0395\u03be\u03ae\u03b3\u03b7\u03c3\u03ad \u03bc\u03bf\u03c5 \u03c0\u03ce\u03c2 \u03bb\u03b5\u03b9\u03c4\u03bf\u03c5\u03c1\u03b3\u03b5\u03af \u03bf \u03ba\u03b9\u03bd\u03b7\u03c4\u03ae\u03c1\u03b1\u03c2 \u03ba\u03b1\u03b9 \u03c4\u03b9 \u03b5\u03af\u03bd\u03b1\u03b9 \u03c4\u03bf SQL",
    "\u8bf7\u7528\u7b80\u5355\u7684\u8bed\u8a00\u89e3\u91ca\u91cf\u5b50\u8ba1\u7b97\u673a\u7684\u5de5\u4f5c\u539f\u7406\uff0c\u5e76\u7ed9\u51fa\u4e00\u4e2aPython\u7684\u4f8b\u5b50\u3002",
    "\u91cf\u5b50\u30b3\u30f3\u30d4\u30e5\u30fc\u30bf\u306e\u4ed5\u7d44\u307f\u3092\u7c21\u5358\u306b\u8aac\u660e\u3057\u3066\u304f\u3060\u3055\u3044\u3002\uff30\uff23\u3067\u52d5\u304d\u307e\u3059\u304b\uff1f",
    "\u0627\u0634\u0631\u062d \u0644\u064a \u0643\u064a\u0641 \u064a\u0639\u0645\u0644 \u0627\u0644\u062d\u0627\u0633\u0648\u0628 \u0627\u0644\u0643\u0645\u0648\u0645\u064a \u0628\u0644\u063a\u0629 \u0628\u0633\u064a\u0637\u0629 \u0645\u0639 \u0645\u062b\u0627\u0644",
    "Gi\u1ea3i th\u00edch c\u00e1ch ho\u1ea1t \u0111\u1ed9ng c\u1ee7a m\u00e1y t\u00ednh l\u01b0\u1ee3ng t\u1eed b\u1eb1ng ng\u00f4n ng\u1eef \u0111\u01a1n gi\u1ea3n",
    "\u0e2d\u0e18\u0e34\u0e1a\u0e32\u0e22\u0e01\u0e32\u0e23\u0e17\u0e33\u0e07\u0e32\u0e19\u0e02\u0e2d\u0e07\u0e04\u0e2d\u0e21\u0e1e\u0e34\u0e27\u0e40\u0e15\u0e2d\u0e23\u0e4c\u0e04\u0e27\u0e2d\u0e19\u0e15\u0e31\u0e21",
]


@pytest.fixture(scope="module")
def disguised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of all these texts."""
    folder = tmp_path_factory.mktemp("disguised")
    texts = [*(text for text, _, _ in DISGUISED.values()), *HONEST]
    log = write_jsonl(folder / "log.jsonl", ({"text": text, "account_id": "a"} for text in texts))
    promptscan.scan(log, settings=Settings(store=folder / "store"))
    return folder / "store"


@pytest.fixture(scope="module")
def scores(disguised: Path) -> dict[str, float]:
    """The view's obfuscation of every text."""
    with promptscan.open(disguised) as store:
        rows = store.sql("SELECT text, obfuscation FROM texts").to_pylist()
    return {row["text"]: row["obfuscation"] for row in rows}


def test_search_can_ask_for_disguised_texts(disguised: Path, scores: dict[str, float]):
    with promptscan.open(disguised) as store:
        hits = store.search(PLAIN, k=20, where="obfuscation > 0.99").to_dict()["hits"]
    assert {hit["text"] for hit in hits} == {text for text, score in scores.items() if score > 0.99} != set()


@pytest.mark.parametrize("how", DISGUISED)
def test_a_disguised_text_scores_the_share_that_is_disguised(scores: dict[str, float], how: str):
    text, least, most = DISGUISED[how]
    assert least <= scores[text] <= most


@pytest.mark.parametrize("text", HONEST)
def test_honest_texts_of_any_script_score_next_to_nothing(scores: dict[str, float], text: str):
    assert scores[text] <= 0.01


def test_an_ingested_text_has_no_score_before_it_is_cleaned(tmp_path: Path):
    from tests.commands import promptscan as command

    log = write_jsonl(tmp_path / "log.jsonl", [{"text": PLAIN}])
    assert command("--store", tmp_path / "store", "ingest", log).code == 0
    with promptscan.open(tmp_path / "store") as store:
        assert store.sql("SELECT obfuscation FROM texts").to_pylist() == [{"obfuscation": None}]


def test_decoded_characters_are_those_of_the_passage_and_of_repetitions():
    once, twice, nested = decoded(
        pa.array([f"Read {ENCODED} now", f"{ENCODED} and {ENCODED}", base64.b64encode(ENCODED.encode()).decode()])
    ).characters.reshape(-1)[[0, 1, 2]]
    assert (once, twice) == (len(ENCODED), 2 * len(ENCODED))
    assert nested == len(base64.b64encode(ENCODED.encode()))


def test_what_is_inside_another_encoding_is_not_counted_again():
    outer = base64.b64encode(PLAIN.encode().hex().encode()).decode()
    hidden = decoded(pa.array([outer]))
    assert dict(zip(hidden.method.to_pylist(), hidden.characters.tolist(), strict=True)) == {
        "base64": len(outer),
        "base64+hex": 0,
    }


def test_a_turned_passage_counts_about_its_own_length():
    around = "A friend sent me this message yesterday and I have no idea what it is supposed to mean, please help. "
    turned = codecs.encode(PLAIN, "rot13")
    hidden = decoded(pa.array([f"{around}{turned} {around}"]))
    assert hidden.method.to_pylist() == ["rot13"]
    assert 0.8 * len(turned) <= hidden.characters[0] <= 1.5 * len(turned)


def test_texts_alone_and_in_company_are_examined_the_same():
    texts = clean(pa.array([*HONEST, *(text for text, _, _ in DISGUISED.values()), ""]))[0]
    whole = examine(texts, first_text=7)
    for row in range(len(texts)):
        alone = examine(texts.slice(row, 1), first_text=7 + row)
        np.testing.assert_array_equal(
            alone.fingerprints.hashes, whole.fingerprints.hashes[whole.fingerprints.texts == 7 + row]
        )
        assert (alone.folded[0], alone.decoded[0]) == (whole.folded[row], whole.decoded[row])
    assert len(
        np.unique(np.stack([whole.fingerprints.hashes, whole.fingerprints.texts.astype(np.uint64)]), axis=1).T
    ) == len(whole.fingerprints.hashes)


def test_hidden_texts_add_their_fingerprints():
    seen = examine(pa.array([f"Please answer: {ENCODED}"]))
    inner = fingerprints(match_keys(pa.array([PLAIN], pa.large_string())))
    assert set(inner.hashes.tolist()) <= set(seen.fingerprints.hashes.tolist())
    assert seen.hiding == 1


def test_nothing_to_examine():
    seen = examine(pa.array([], pa.large_string()))
    assert len(seen.keys) == len(seen.folded) == len(seen.decoded) == len(seen.fingerprints.hashes) == seen.hiding == 0
