"""Templates: what a group's texts were filled from is found, written so that no text can fake it, and matched to any text."""

from __future__ import annotations

import random
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptscan.align import align
from promptscan.errors import UsageError
from promptscan.skeleton import find_template
from promptscan.slots import Slot, SlotType, describe_slot
from promptscan.templates import Template, match, read_template, slot_values
from promptscan.words import MAX_WORDS, cut_words

ANIMALS = ["red fox", "blue whale", "small dog", "cats", "green sea turtle", "quick brown ants", "bees", "old owl"]
READERS = ["me", "kids", "a judge", "my whole team"]
FREE = Slot(SlotType.FREE_TEXT, 9, 3.0)


def words(seed: int, n: int) -> str:
    chosen = random.Random(seed)
    return " ".join("".join(chosen.choices(string.ascii_lowercase, k=chosen.randint(3, 9))) for _ in range(n))


def filled(pattern: str, *columns: list[str], n: int = 24) -> list[str]:
    chosen = random.Random(7)
    return [pattern.format(*(chosen.choice(column) for column in columns)) for _ in range(n)]


def found(texts: list[str], medoid: int = 0) -> Template:
    template = find_template(texts, medoid)
    assert template is not None
    return template


# finding


def test_several_slots_of_several_words_are_found_and_typed():
    texts = filled("Write {} lines about {} and explain it to {}.", [str(n) for n in range(99)], ANIMALS, READERS, n=60)
    template = found(texts)
    assert str(template) == "Write {slot_1:number} lines about {slot_2:enum} and explain it to {slot_3:enum}."
    assert template.support == 1
    assert 0.4 < template.compression < 1


def test_a_text_gives_back_its_values_and_the_values_the_text():
    texts = filled("Write {} lines about {} and explain it to {}.", ["5", "12"], ANIMALS, READERS)
    template = found(texts)
    values = slot_values(template, texts)
    assert [template.fill(value) for value in values if value is not None] == texts


@pytest.mark.parametrize(
    ("pattern", "columns"),
    [
        ("{} is the word to explain in plain terms", [ANIMALS]),
        ("Explain in plain terms what this word means: {}", [ANIMALS]),
        ("{} and then explain in plain terms {}", [ANIMALS, READERS]),
        ("Tell the story of [{}] to [{}] before going to bed", [ANIMALS, READERS]),
    ],
)
def test_slots_at_the_start_the_end_and_inside_signs(pattern: str, columns: list[list[str]]):
    template = found(filled(pattern, *columns))
    assert template.fixed == tuple(pattern.split("{}"))


def test_an_empty_slot_is_a_value_like_others():
    texts = filled("Please summarise the following {}report in one line", ["", "long ", "very long "])
    template = found(texts)
    assert template.fixed == ("Please summarise the following ", "report in one line")
    assert match(template, "Please summarise the following report in one line") == [""]


def test_adjacent_slots_are_one_slot():
    texts = filled("Please compare {} {} for me in a long table", ANIMALS, READERS, n=40)
    assert found(texts).fixed == ("Please compare ", " for me in a long table")


def test_words_that_long_values_share_by_chance_are_no_fixed_text():
    chosen = random.Random(3)
    common = ["the", "of", "and", ",", "a"]

    def prose() -> str:
        return " ".join(
            chosen.choice(common) if chosen.random() < 0.5 else words(chosen.randrange(9**9), 1) for _ in range(80)
        )

    texts = [f"Answer the question below as an expert would: {prose()} Now give your final answer" for _ in range(40)]
    assert found(texts).fixed == ("Answer the question below as an expert would: ", " Now give your final answer")


def test_a_sign_that_ends_every_text_is_found_at_the_end():
    values = ["be brief", "cost 10.50 or more", "rhyme. Be kind", "have v2.0 of it", "go on"]
    assert found([f"Write about the sea for me. It needs to {value}." for value in values]).fixed == (
        "Write about the sea for me. It needs to ",
        ".",
    )


def test_words_of_a_slot_that_look_like_its_frame_stay_in_the_slot():
    values = ["one. two", "three. Say four", "five", "six. Say. seven eight", "nine. ten. eleven"]
    texts = [f"Repeat this text. {a}. Say it again, louder this time." for a in values]
    template = found(texts)
    assert template.fixed == ("Repeat this text. ", ". Say it again, louder this time.")


def test_a_template_whose_every_word_varies_is_refused():
    assert find_template([words(seed, 30) for seed in range(30)], 0) is None
    assert find_template([f"the {words(seed, 30)} of" for seed in range(30)], 0) is None


def test_a_long_frame_is_found_before_longer_values():
    frame = words(1, 20)
    template = found([f"{frame} {words(seed, 400)}" for seed in range(2, 30)])
    assert template.fixed == (f"{frame} ", "")


def test_identical_texts_are_a_template_without_slots():
    template = found(["Say {hello} to everyone"] * 30)
    assert (template.fixed, template.slots, template.support) == (("Say {hello} to everyone",), (), 1)


@pytest.mark.parametrize("texts", [[""], ["hello"], ["", ""], ["?!", "?!"], ["one", "two"], ["one two", "six ten"]])
def test_texts_of_no_or_hardly_any_words_have_no_template(texts: list[str]):
    assert find_template(texts, 0) is None


def test_a_group_of_two():
    template = found([f"Translate this sentence into {x} for my friend, please" for x in ("German", "very old Norse")])
    assert template.fixed == ("Translate this sentence into ", " for my friend, please")
    assert find_template(["a b c d e f", "g h i j k l"], 0) is None


def test_a_stranger_in_the_group_costs_support_not_the_template():
    texts = filled("Write {} lines about {} and explain it to {}.", ["5", "12"], ANIMALS, READERS, n=200)
    template = found([*texts, words(5, 20), words(6, 25)])
    assert template.fixed == ("Write ", " lines about ", " and explain it to ", ".")
    assert 0.9 < template.support < 1


def test_the_order_of_the_members_does_not_matter():
    texts = filled(
        "Write {} lines about {} and explain it to {}.", [str(n) for n in range(99)], ANIMALS, READERS, n=200
    )
    medoid = texts[0]
    shuffled = random.Random(1).sample(texts, len(texts))
    assert find_template(texts, 0) == find_template(shuffled, shuffled.index(medoid))


@pytest.mark.parametrize(
    "value", ["{slot_1:number}", "{{", "}}{", "(.*)+$ [a-z", "'; DROP TABLE texts; --", "%s %d \\1"]
)
def test_values_and_frames_of_hostile_signs(value: str):
    texts = [f"Ignore {value} and the rules: {word} please, {value} now" for word in ANIMALS]
    template = found(texts)
    assert template.fixed == (f"Ignore {value} and the rules: ", f" please, {value} now")
    assert match(template, texts[3]) == [ANIMALS[3]]
    assert read_template(str(template)) == (template.fixed, tuple(slot.type for slot in template.slots))


def test_slots_of_hostile_values():
    values = ["{slot_1:number}", "{slot_2:enum} {{x}}", "}}{", "(.*)+$ [a-z", "'; DROP TABLE texts; --", "%s %d \\1"]
    texts = [f"Please repeat {value} to the whole group, loudly" for value in values]
    template = found(texts)
    assert str(template) == "Please repeat {slot_1:free_text} to the whole group, loudly"
    assert slot_values(template, texts) == [[value] for value in values]
    assert template.fill(["{slot_1:number}"]) == texts[0]


@pytest.mark.parametrize(
    ("pattern", "values"),
    [
        ("اكتب قصة قصيرة عن {} للأطفال الصغار", ["القطة", "البحر الأزرق", "المدرسة", "الشمس"]),
        ("כתוב סיפור קצר על {} לילדים קטנים", ["החתול", "הים הכחול", "השמש", "הכלב"]),
        ("请写一篇关于{}的短文,并解释给孩子听", ["猫", "蓝色的大海", "学校", "太阳"]),
        ("次の{}についての短い物語を書いてください", ["猫", "青い海", "学校", "太陽"]),
    ],
)
def test_right_to_left_and_unspaced_scripts(pattern: str, values: list[str]):
    texts = [pattern.format(value) for value in values]
    template = found(texts)
    assert template.fixed == tuple(pattern.split("{}"))
    assert slot_values(template, texts) == [[value] for value in values]


def test_a_million_characters_without_a_space_are_one_word():
    template = found(["q" * 1_000_000 + f" at the end of the text {n}" for n in range(4)])
    assert template.fixed == ("q" * 1_000_000 + " at the end of the text ", "")


def test_the_middle_of_a_very_long_text_is_one_word():
    cut = cut_words("a " * 500_000 + "z")
    assert len(cut.words) == MAX_WORDS + 1
    assert "".join(cut.words).replace(" ", "") == "a" * 500_000 + "z"


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_finding_is_total(texts: list[str]):
    template = find_template(texts, 0)
    if template is not None:
        assert template.compression < 1
        assert read_template(str(template))[0] == template.fixed


@given(st.lists(st.text("ab .", max_size=30), min_size=2, max_size=6))
def test_alignment_pairs_equal_words_in_order(texts: list[str]):
    center, *others = [cut_words(text) for text in texts]
    for row, other in zip(align(center, others), others, strict=True):
        columns = np.flatnonzero(row >= 0)
        assert (np.diff(row[columns]) > 0).all()
        assert [center.words[i] for i in columns] == [other.words[j] for j in row[columns]]


# writing


@given(st.lists(st.text(st.sampled_from("{}slot_1:number "), min_size=1), min_size=1, max_size=5))
def test_what_is_written_is_read_again(fixed: list[str]):
    template = Template(tuple(fixed), (FREE,) * (len(fixed) - 1))
    assert read_template(str(template)) == (tuple(fixed), (SlotType.FREE_TEXT,) * (len(fixed) - 1))


def test_a_text_with_slot_syntax_is_not_a_slot():
    template = Template(("say {slot_1:number} to ", ""), (FREE,))
    assert str(template) == "say {{slot_1:number}} to {slot_1:free_text}"
    assert read_template(str(template))[0] == template.fixed


@pytest.mark.parametrize(
    "written", ["{", "a } b", "{slot_2:number}", "{slot_1:number}{slot_1:number}", "{slot_1:nothing}"]
)
def test_what_is_no_template_is_refused(written: str):
    with pytest.raises(UsageError):
        read_template(written)


@pytest.mark.parametrize("fixed", [(), ("a",), ("a", "", "b")])
def test_parts_that_are_no_template_are_refused(fixed: tuple[str, ...]):
    with pytest.raises(UsageError):
        Template(fixed, (FREE, FREE))


def test_filling_wants_a_value_for_each_slot():
    with pytest.raises(UsageError):
        Template(("a ", " b"), (FREE,)).fill([])


# matching


@given(st.lists(st.text("abc {}", max_size=12), max_size=5), st.booleans(), st.booleans())
def test_matching_gives_back_what_was_filled_in(values: list[str], at_start: bool, at_end: bool):
    fixed = [f"<{number}>" for number in range(len(values) + 1)]
    if values:
        fixed[0] = "" if at_start else fixed[0]
        fixed[-1] = "" if at_end else fixed[-1]
    template = Template(tuple(fixed), (FREE,) * len(values))
    assert match(template, template.fill(values)) == values


def test_a_text_of_another_template_does_not_match():
    template = Template(("Write a poem about ", " for ", "."), (FREE, FREE))
    assert match(template, "Write a poem about cats.") is None
    assert match(template, "Translate the poem about cats for me.") is None
    assert match(template, "") is None


def test_parts_do_not_overlap():
    template = Template(("aba", "aba"), (FREE,))
    assert match(template, "ababa", exact=True) is None
    assert match(template, "abaaba", exact=True) == [""]


def test_case_white_space_and_a_few_changed_words_are_aligned():
    template = Template(("Please write one short poem about ", " for all the children in my school"), (FREE,))
    assert match(template, "PLEASE write  one short poem about a red fox for all the kids in my school") == [
        "a red fox"
    ]
    assert match(template, "PLEASE write one short poem about a red fox", exact=True) is None
    assert match(template, "Please write about a red fox for the children") is None


def test_matching_hostile_text_takes_time_in_proportion_to_it():
    template = Template(("a", "a", "a", "a", "b"), (FREE,) * 4)
    assert match(template, "a" * 1_000_000, exact=True) is None
    assert match(template, "a" * 1_000_000 + "b") is not None


# slots


@pytest.mark.parametrize(
    ("expected", "values"),
    [
        (SlotType.CONST, ["same"] * 5),
        (SlotType.NUMBER, ["1", "2.5", "-3", "1,000", "45 %", "$7"]),
        (SlotType.LANGUAGE, ["German", "Python", "C++", "Brazilian", *["French"] * 20]),
        (SlotType.URL, ["https://a.example/x?y=1", "http://b.example", "www.c.example"]),
        (SlotType.ENUM, ["low", "medium", "high"] * 5),
        (SlotType.ID, ["user_8841", "0f8fad5b-d9cb-469f-a165-70867728950e", "ORD-2291", "a1b2c3d4"]),
        (SlotType.CODE, ["def f(x):\n    return x.y(1);", "int main() { return 0; }", "const a = () => { go(); };"]),
        (SlotType.NAME, ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Édith Piaf"]),
        (SlotType.FREE_TEXT, ["tell me a story", "what is that?", "how do I get there from here"]),
    ],
)
def test_slot_types(expected: SlotType, values: list[str]):
    assert describe_slot(values).type is expected


def test_empty_values_do_not_decide_the_type():
    assert describe_slot(["", "", "7", "8", "9"]).type is SlotType.NUMBER


def test_entropy_is_in_bits():
    assert describe_slot(["a", "b", "c", "d"]).entropy == 2
    assert describe_slot(["a"] * 9).entropy == 0


@pytest.mark.parametrize(
    "value", ["1" * 100_000 + "x", "a." * 50_000 + "!", "A " * 50_000, "{" * 100_000, "-" * 99_999]
)
def test_values_made_to_be_slow_are_typed(value: str):
    assert describe_slot([value, "x" + value]).n_values == 2
