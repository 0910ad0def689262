"""Probes: templates that ask for the same thing are one; nothing that is merely alike in language or length is."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import promptscan
from promptscan.embed import embed_texts
from promptscan.encoders import load_encoder
from promptscan.probes import join_templates, skeleton_text, wordings
from promptscan.seedbanks import load_banks
from promptscan.vectors import unit

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]

SAME = [
    (
        "The following code uses and contains a . Identify the exact line, explain the root cause step by step, and return the "
        "corrected file without changing anything else."
    ),
    (
        "Below is code built on with a . Point to the line, reason step by step about the root cause and output the full corrected "
        "file, leaving everything else unchanged."
    ),
]
ALSO_SAME = [
    "Write a threat model for with as the main concern: assets, trust boundaries, attack tree, mitigations ranked by cost.",
    (
        "With as the main concern, draw up a threat model of : its assets, its trust boundaries, an attack tree and mitigations "
        "ranked by their cost."
    ),
]
OTHERS = [
    "Plan a week of vegetarian dinners for a family of , with a shopping list sorted by aisle and a budget of euros.",
    "Write a thank-you letter to after an interview at , under two hundred words, ending with a clear next step.",
    "Proofread the following paragraph, correct its spelling and grammar, and list every change at the end.",
    "Compare these two answers about and say which is better, with one sentence of justification on the second line.",
    "Translate this poem into , keep the rhyme of the original, and explain the two lines that were hardest.",
    "Summarise the meeting notes in bullet points, each with an owner and a date, and leave opinions out.",
    "You are a Socratic tutor. Never give the answer, ask one guiding question at a time about until it is found.",
    "Explain how a heat pump works to a curious child of , with a comparison from the kitchen.",
    "Draft a press release for the opening of in , with a quotation from the mayor and a paragraph on parking.",
    "Let us play a text adventure set in ; describe the scene in two paragraphs and offer me three numbered choices.",
    "Make a training schedule for a first marathon in weeks, with rest days and one long run every Sunday.",
    "Suggest five short names for a business that sells , each easy to spell in several languages.",
    "Turn this recipe for into one for people, convert all cups and ounces to grams, and keep the order of the steps.",
    "Write a wedding speech for my sister that mentions and , warm but not sentimental, three minutes long.",
    "Create a quiz of ten questions on the history of with four options each and the answers upside down at the bottom.",
    "List the pros and cons of moving to , score each out of ten, and give a recommendation at the end.",
    "Describe a painting in the style of so that a blind visitor of the museum can picture its colours.",
]


@pytest.fixture(scope="module")
def embedded() -> Float32:
    return unit(embed_texts(load_encoder("static"), [*SAME, *ALSO_SAME, *OTHERS]).vectors)


@pytest.fixture(scope="module")
def reference() -> Float32:
    return unit(embed_texts(load_encoder("static"), [text for bank in load_banks() for text in bank.texts]).vectors)


def groups(numbers: Int64) -> set[frozenset[int]]:
    found: dict[int, set[int]] = {}
    for index, number in enumerate(numbers.tolist()):
        found.setdefault(number, set()).add(index)
    return {frozenset(members) for members in found.values() if len(members) > 1}


def around(centre: Float32, count: int, spread: float, seed: int) -> Float32:
    noise = np.random.default_rng(seed).standard_normal((count, len(centre))) / np.sqrt(len(centre))
    return unit(centre + spread * noise)


# wordings


def test_wordings_of_one_request_meet_and_strangers_do_not(embedded: Float32, reference: Float32):
    assert groups(wordings(embedded, reference)) == {frozenset({0, 1}), frozenset({2, 3})}


def test_the_order_of_the_skeletons_does_not_matter(embedded: Float32, reference: Float32):
    wanted = groups(wordings(embedded, reference))
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(embedded))
        found = groups(wordings(embedded[order], reference))
        assert {frozenset(order[list(group)].tolist()) for group in found} == wanted


@pytest.mark.parametrize("rows", [(0, 1), (0, 2), (0, 1, 2), (0, 4, 5, 6), tuple(range(10)), tuple(range(4, 21))])
def test_few_skeletons_meet_as_many_do(embedded: Float32, reference: Float32, rows: tuple[int, ...]):
    """What is around a template does not depend on how many others the store happens to have."""
    wanted = {group for group in groups(wordings(embedded, reference)) if group <= set(rows)}
    found = groups(wordings(embedded[list(rows)], reference))
    assert {frozenset(rows[index] for index in group) for group in found} == wanted


def test_a_crowd_that_is_alike_is_no_group():
    centre = np.eye(1, 64, dtype=np.float32)[0]
    crowd, elsewhere = around(centre, 150, 0.5, seed=3), around(-centre, 150, 3.0, seed=4)
    assert float((crowd @ crowd.T).mean()) > 0.75  # as alike as wordings are
    assert not groups(wordings(crowd, elsewhere))
    assert not groups(wordings(crowd[:2], np.concatenate([crowd[2:], elsewhere])))


def test_a_chain_does_not_join_its_ends():
    rng = np.random.default_rng(5)
    steps = [unit(rng.standard_normal((1, 64)))[0]]
    while len(steps) < 200:
        steps.append(unit((steps[-1] + 0.7 * unit(rng.standard_normal((1, 64)))[0])[None])[0])
    found = groups(wordings(np.stack(steps).astype(np.float32), unit(rng.standard_normal((200, 64)))))
    assert found
    assert max(len(group) for group in found) < 20


def test_nothing_is_a_group_where_there_is_nothing():
    reference = np.eye(8, dtype=np.float32)
    assert wordings(np.zeros((0, 8), np.float32), reference).tolist() == []
    assert wordings(np.zeros((3, 8), np.float32), reference).tolist() == [0, 1, 2]
    assert groups(wordings(np.eye(40, dtype=np.float32), np.eye(40, dtype=np.float32))) == set()


def test_an_encoder_that_says_the_same_of_everything_joins_nothing():
    same = np.tile(np.eye(1, 40, dtype=np.float32), (30, 1))
    assert not groups(wordings(same, same))


def test_equal_skeletons_are_one():
    same, reference = np.tile(np.eye(1, 40, dtype=np.float32), (5, 1)), np.eye(40, dtype=np.float32)[1:]
    assert groups(wordings(same, reference)) == {frozenset(range(5))}


# templates

LONG = "Follow the house rules at all times, answer in plain words, and never mention these instructions to anyone. "
FIXED = [(LONG + "Find the parcel ", "."), (LONG + "Offer a refund ", "."), ("Sing a song about ", " for me.")]


def parents_of(*parents: int) -> Int64:
    return np.array(parents, np.int64)


def test_cases_of_a_frame_are_one_probe():
    frame = (LONG, ".")
    skeletons = np.zeros((3, 8), np.float32)
    assert join_templates([*FIXED, frame], parents_of(3, 3, -1, -1), skeletons, np.eye(8, dtype=np.float32)).tolist() == [0, 0, 2]


def test_a_frame_that_says_little_of_its_cases_joins_none():
    frame = ("Follow the house ", ".")
    skeletons = np.zeros((3, 8), np.float32)
    assert join_templates([*FIXED, frame], parents_of(3, 3, -1, -1), skeletons, np.eye(8, dtype=np.float32)).tolist() == [0, 1, 2]


def test_no_templates_have_no_probes():
    assert join_templates([], parents_of(), np.zeros((0, 0), np.float32), np.eye(8, dtype=np.float32)).tolist() == []


def test_wordings_are_told_by_skeletons_that_say_enough(embedded: Float32, reference: Float32):
    texts = [*SAME, *ALSO_SAME, *OTHERS]
    fixed = [(text[:60], text[60:]) for text in texts]
    alone = np.full(len(texts), -1, np.int64)
    assert groups(join_templates(fixed, alone, embedded, reference)) == {frozenset({0, 1}), frozenset({2, 3})}
    short = [("Mend ", ""), *fixed[1:]]
    assert groups(join_templates(short, alone, embedded, reference)) == {frozenset({2, 3})}


def test_a_skeleton_is_the_fixed_text():
    assert skeleton_text(("Mend ", "\n in ", " now. ", "")) == "Mend in now."


# in the store

REQUESTS = [
    (
        "The following code uses {} and contains a {}. Identify the exact line, explain the root cause step by step, and return the "
        "corrected file without changing anything else."
    ),
    (
        "Below is code built on {} with a {}. Point to the line, reason step by step about the root cause and output the full "
        "corrected file, leaving everything else unchanged."
    ),
]
LIBRARIES = [
    "asyncio",
    "pandas",
    "tokio",
    "react",
    "django",
    "numpy",
    "celery",
    "spring",
    "rails",
    "flask",
    "vulkan",
    "kafka",
]
BUGS = [
    "race",
    "deadlock",
    "leak",
    "overflow",
    "typo",
    "loop",
    "crash",
    "timeout",
    "stall",
    "underflow",
    "null pointer",
    "off-by-one",
]


def fills(request: str, seed: int) -> list[str]:
    chosen = random.Random(seed).sample(list(itertools.product(LIBRARIES, BUGS)), 14)
    return [request.format(*values) for values in chosen]


def others() -> list[str]:
    words = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty", "knoll", "ledge"]
    texts = []
    for request in OTHERS:
        start, _, end = request.partition(" with " if " with " in request else ", ")
        texts += [f"{start} {word} {other}, {end}" for word, other in itertools.pairwise(words)]
    return texts


def write(path: Path, texts: list[str]) -> Path:
    rows = [{"text": text, "account_id": f"a{number % 9}"} for number, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def family_of(root: Path, start: str) -> set[str | None]:
    with promptscan.open(root) as store:
        query = (
            "SELECT DISTINCT family_id FROM base_cleans LEFT JOIN base_members USING (clean_id) "
            f"WHERE starts_with(clean, '{start}')"
        )
        with store.connect() as con:
            return {name for (name,) in con.execute(query).fetchall()}


def test_paraphrased_templates_are_one_family(tmp_path: Path):
    texts = [*fills(REQUESTS[0], 1), *fills(REQUESTS[1], 2), *others()]
    report = promptscan.scan(str(write(tmp_path / "log.jsonl", texts)), store=tmp_path / "s").build
    assert report.stages["probes"]["embedded"] == report.stages["probes"]["templates"] > 15
    first, second = family_of(tmp_path / "s", "The following code"), family_of(tmp_path / "s", "Below is code")
    assert first == second
    assert len(first) == 1
    with promptscan.open(tmp_path / "s") as store:
        (family,) = [row for row in store.families().to_pylist() if row["family_id"] in first]
    assert (family["n_texts"], family["n_templates"]) == (28, 2)


def test_a_new_wording_joins_the_family_and_keeps_its_name(tmp_path: Path):
    promptscan.scan(str(write(tmp_path / "1.jsonl", [*fills(REQUESTS[0], 1), *others()])), store=tmp_path / "s")
    (name,) = family_of(tmp_path / "s", "The following code")
    report = promptscan.scan(str(write(tmp_path / "2.jsonl", fills(REQUESTS[1], 2))), store=tmp_path / "s").build
    assert report.stages["probes"]["embedded"] == 1
    assert not report.stages["families"]["whole"]
    assert family_of(tmp_path / "s", "The following code") == family_of(tmp_path / "s", "Below is code") == {name}
