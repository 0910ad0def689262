"""Scripts: a text is in the script of most of its letters."""

from __future__ import annotations

import numpy as np
import pytest

from promptscan.scripts import Script, dominant_script


def script(text: str) -> Script:
    return Script(dominant_script([text])[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is the capital of France?", Script.LATIN),
        ("Łódź, Đà Nẵng, İstanbul", Script.LATIN),
        ("Какова столица Франции?", Script.CYRILLIC),
        ("Ποια είναι η πρωτεύουσα της Γαλλίας;", Script.GREEK),
        ("ما هي عاصمة فرنسا؟", Script.ARABIC),
        ("מהי בירת צרפת?", Script.HEBREW),
        ("法国的首都是哪里?", Script.HAN),
        ("フランスのシュトはどこですか", Script.KANA),
        ("フランスの首都は何処ですか", Script.KANA),
        ("프랑스의 수도는 어디입니까?", Script.HANGUL),
        ("फ्रांस की राजधानी क्या है?", Script.DEVANAGARI),
        ("ফ্রান্সের রাজধানী কী?", Script.BENGALI),
        ("பிரான்சின் தலைநகரம் எது?", Script.TAMIL),
        ("เมืองหลวงของฝรั่งเศสคืออะไร", Script.THAI),
        ("რა არის საფრანგეთის დედაქალაქი?", Script.GEORGIAN),
    ],
)
def test_each_script_is_told(text: str, expected: Script):
    assert script(text) is expected


@pytest.mark.parametrize("text", ["", " ", "12 + 3 × 4 ÷ 5 = ?", "«…»—“”", "٣٤٥ १२३ ０１２", "🙂🙃", "［］"])
def test_what_is_no_letter_has_no_script(text: str):
    assert script(text) is Script.NONE


def test_most_letters_decide():
    assert script("Translate to Russian, please: да") is Script.LATIN
    assert script("Переведи, пожалуйста, слово yes") is Script.CYRILLIC
    assert script("=====-----12345 да") is Script.CYRILLIC


def test_a_chinese_question_about_code_is_chinese():
    assert script("请用 Python 写一个函数 fibonacci(n)") is Script.HAN


def test_a_chinese_text_with_one_kana_is_not_japanese():
    assert script("这是日本常用的符号の在中文广告里的用法说明文字") is Script.HAN


def test_texts_of_a_batch_do_not_touch_each_other():
    texts = ["", "да", "", "yes", "是", ""]
    assert dominant_script(texts).tolist() == [0, Script.CYRILLIC, 0, Script.LATIN, Script.HAN, 0]
    assert dominant_script([]).dtype == np.uint8
    assert len(dominant_script([])) == 0


def test_texts_beyond_one_slab_and_lone_surrogates():
    texts = ["д" * 3_000_000, "y" * 3_000_000, "\ud800", "是" * 5_000_000, "z"]
    assert dominant_script(texts).tolist() == [Script.CYRILLIC, Script.LATIN, Script.NONE, Script.HAN, Script.LATIN]
