"""Words as characters: the words are those of the rest of the program, and equal words are equal characters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from promptscan.symbols import CHUNK, word_symbols
from promptscan.words import TOKEN

TRICKY = st.text(
    st.one_of(st.characters(), st.sampled_from([*"ab_1 .\n'-ßİ中か한é\u0301\ud800"])),
    max_size=40,
)


@given(st.lists(TRICKY, max_size=6))
def test_a_text_has_a_character_for_each_word_and_equal_words_have_the_same(texts: list[str]):
    symbol: dict[str, str] = {}
    made = word_symbols(texts)
    assert len(made) == len(texts)
    for text, symbols in zip(texts, made, strict=True):
        words = TOKEN.findall(text.casefold())
        assert len(symbols) == len(words)
        for word, character in zip(words, symbols, strict=True):
            assert symbol.setdefault(word, character) == character


@given(st.lists(TRICKY, max_size=6))
def test_a_word_has_the_same_character_whatever_stands_around_it(texts: list[str]):
    assert word_symbols(texts) == [word_symbols([text])[0] for text in texts]


def test_different_words_have_different_characters():
    words = [f"word{number}" for number in range(10_000)]
    assert len(set(word_symbols([" ".join(words)])[0])) > 9_900  # 51 collisions are expected among 983,040


def test_case_is_folded():
    assert len(set(word_symbols(["STRASSE", "straße", "Strasse"]))) == 1


def test_steps_meet_at_texts():
    text = "one two three " * (CHUNK // 28)
    long, short = word_symbols([text, text, "one two"])[1:]
    assert long[:2] == short
    assert len(long) == 3 * (CHUNK // 28)


def test_no_texts_and_empty_texts():
    assert word_symbols([]) == []
    assert word_symbols(["", " ", "a", ""]) == ["", "", word_symbols(["a"])[0], ""]
