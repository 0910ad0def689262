"""Clean texts: what looks the same is the same, what reads differently stays different."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptscan.normalise import clean, clean_one

LONGEST = 18  # characters that one character can become under NFKC (U+FDFA)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(TEXTS)
def test_cleaning_is_total_idempotent_and_bounded(text: str):
    once = clean_one(text)
    assert clean_one(once) == once
    assert len(once) <= LONGEST * len(text)
    assert once == once.strip(" ")
    assert "  " not in once
    assert not any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in once)


@given(st.lists(TEXTS, max_size=8))
def test_many_texts_are_cleaned_as_each_alone(texts: list[str]):
    cleaned, obfuscation = clean(pa.array(texts, pa.large_string()))
    assert cleaned.to_pylist() == [clean_one(text) for text in texts]
    assert all(0 <= share <= 1 for share in obfuscation.to_pylist())


@given(TEXTS, st.sampled_from(["\u200b", "\u00ad", "\ufeff", "\U000e0041", "\ufe0f", "\u2060"]))
def test_invisible_characters_change_nothing_but_the_obfuscation_score(text: str, invisible: str):
    cleaned, obfuscation = clean(pa.array([invisible.join(f"{text}ab"), f"{text}ab"], pa.large_string()))
    if text.isascii():
        assert cleaned[0] == cleaned[1]
    assert obfuscation[0].as_py() > obfuscation[1].as_py()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \t\n ", ""),
        ("\u200b\ufeff", ""),
        ("a  b\t\tc\n\nd\r\ne", "a b c d e"),
        ("a\u00a0b\u3000c\u2028d", "a b c d"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("ﬁne ½ ™ Å", "fine 1⁄2 TM Å"),
        ("i\u200bg\u200dn\u2060ore", "ignore"),
        ("e\u0301", "é"),
        ("a\x00b\x1bc\x7fd", "a b c d"),
        ("Case Stays", "Case Stays"),
        ("\u202eabc\u202c", "cba"),
        ("hi\U000e0068\U000e0069", "hi"),
    ],
)
def test_known_cases(text: str, expected: str):
    assert clean_one(text) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("кот", "ком"), ("сор", "cop"), ("αθήνα", "αθηνα"), ("كتاب", "كتب"), ("你好", "您好"), ("かき", "がき"), ("ハ", "バ"), ("שלום", "שלוש"),
        ("résumé", "resume"), ("мир", "мiр"), ("नमस्ते", "नमस्त"), ("한국", "한곡"), ("A", "А"), ("ไทย", "ไท"),
    ],
)  # fmt: skip
def test_different_words_of_any_script_stay_different(one: str, other: str):
    assert clean_one(one) != clean_one(other)
    assert clean_one(one) == unicodedata.normalize("NFKC", one)


def test_obfuscation_is_the_share_of_invisible_characters():
    _, obfuscation = clean(pa.array(["ab", "a\u200bb\u200b", "", "\u200b"], pa.large_string()))
    assert obfuscation.to_pylist() == [0.0, 0.5, 0.0, 1.0]
