"""The grammar expands what its notation says, the same in any batch."""

from __future__ import annotations

import re

import numpy as np
import pytest

from promptscan.simulate.draws import mix, pick, uniform
from promptscan.simulate.grammar import Node, Press, Rows, Texts
from promptscan.simulate.syntax import Grammar

RULES = {
    "colour": ["red", "green", "blue", "teal"],
    "fruit": ["fig", "{colour} plum"],
    "rare": ["^9 often", "seldom"],
    "vowel": list("aeiou"),
}
TOPICS = {"thing": [["anchor", "sail"], ["oven"]]}


def expand(
    *variants: str, n: int = 400, sweep: tuple[str, ...] = (), topic: int = 0, keys: np.ndarray | None = None
) -> list[str]:
    node: Node = Grammar(RULES, TOPICS).compile(variants, sweep)
    drawn = mix(np.arange(n, dtype=np.uint64), 0) if keys is None else keys
    texts = Texts(drawn, np.full(drawn.size, topic, dtype=np.int64), np.arange(drawn.size, dtype=np.int64))
    return Press([node]).expand([(node, Rows(mix(drawn, 1), np.arange(drawn.size)))], texts)[0].tolist()


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("plain", r"plain"),
        ("a {colour} fish", r"a (red|green|blue|teal) fish"),
        ("{fruit}", r"fig|(red|green|blue|teal) plum"),
        ("{yes|no|}", r"yes|no|"),
        ("{a {colour}|b{c|d}}!", r"(a (red|green|blue|teal)|b[cd])!"),
        ("{3..5}", r"[345]"),
        ("{0x6}", r"[0-9a-f]{6}"),
        ("{vowel*2-4:, }.", r"[aeiou](, [aeiou]){1,3}\."),
        ("f({colour}) {{ x }}", r"f\((red|green|blue|teal)\) \{ x \}"),
    ],
)
def test_notation(text: str, pattern: str):
    made = expand(text)
    assert all(re.fullmatch(pattern, each) for each in made), made[:5]


def test_every_alternative_is_used():
    assert set(expand("{colour}")) == {"red", "green", "blue", "teal"}
    assert {len(each) for each in expand("{vowel*1-3:}")} == {1, 2, 3}
    assert set(expand("x", "y")) == {"x", "y"}


def test_weights():
    assert expand("{rare}", n=2_000).count("often") == pytest.approx(1_800, abs=80)


def test_places_are_independent_and_sticky_slots_agree():
    pairs = [each.split() for each in expand("{colour} {colour}")]
    assert 0.1 < np.mean([a == b for a, b in pairs]) < 0.4
    assert all(a == b for a, b in (each.split() for each in expand("{colour!} {colour!}")))


def test_nested_choices_are_independent():
    made = expand("{x{vowel}|y{vowel}}", n=1_000)
    assert len(set(made)) == 10


def test_topics():
    assert set(expand("{@thing}")) == {"anchor", "sail"}
    assert set(expand("{@thing}", topic=1)) == {"oven"}


def test_sweeps_visit_every_combination_once_and_move_all_slots():
    made = expand("{colour#}-{vowel#}", sweep=("colour", "vowel"), n=40)
    assert made[:5] == ["red-a", "green-e", "blue-i", "teal-o", "red-e"]
    assert len(set(made[:20])) == 20
    assert made[20:] == made[:20]


def test_a_text_does_not_depend_on_its_batch():
    keys = mix(np.arange(300, dtype=np.uint64), 5)
    text = "{fruit} {vowel*1-5:} {1..99} {a|{colour}}"
    whole = expand(text, keys=keys)
    assert [*expand(text, keys=keys[:120]), *expand(text, keys=keys[120:])] == whole


@pytest.mark.parametrize("text", ["{missing}", "{@missing}", "{colour"])
def test_mistakes_in_a_grammar(text: str):
    with pytest.raises(ValueError, match="grammar: no"):
        expand(text)


def test_a_rule_that_leads_back_to_itself():
    grammar = Grammar({"loop": ["a", "b {loop}"]}, {})
    with pytest.raises(ValueError, match="leads back to itself"):
        Press([grammar.rule("loop")])


def test_draws_are_uniform_and_salts_independent():
    keys = np.arange(20_000, dtype=np.uint64)
    first, second = uniform(mix(keys, 1)), uniform(mix(keys, 2))
    assert np.histogram(first, 10, (0, 1))[0].min() > 1_800
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03
    assert np.bincount(pick(mix(keys, 3), 7)).min() > 2_600
    assert np.unique(mix(keys, 4)).size == keys.size
