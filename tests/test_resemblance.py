"""Copies in disguise are copies: comparing looks through look-alikes, case, spacing and encodings."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from promptscan.disguise import examine
from promptscan.errors import UsageError
from promptscan.normalise import clean_one
from promptscan.resemblance import Resemblance
from promptscan.verify import Relation, verify_pairs

PLAIN = "Write a detailed grading rubric for an essay on medieval trade, with five levels"
OTHER = "What would be a good recipe for a birthday cake with carrots, walnuts and cinnamon?"
LOOK_ALIKE = PLAIN.translate(str.maketrans("aceopxyi", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456"))
ENCODED = base64.b64encode(PLAIN.encode()).decode()


def compared(texts: Sequence[str]) -> Resemblance:
    cleaned = [clean_one(text) for text in texts]
    return Resemblance(cleaned, examine(pa.array(cleaned, pa.large_string())).disguised)


def relation(a: str, b: str) -> tuple[Relation, float]:
    edges = compared([a, b]).verify(np.array([0]), np.array([1]))
    return Relation(int(edges.kind[0])), float(edges.score[0])


@pytest.mark.parametrize("disguise", [LOOK_ALIKE, " ".join(PLAIN), PLAIN.upper(), PLAIN.swapcase(), ENCODED])
def test_a_disguised_copy_is_a_copy(disguise: str):
    assert relation(PLAIN, disguise) == (Relation.COPY, 1.0)
    assert relation(disguise, PLAIN) == (Relation.COPY, 1.0)
    assert compared([PLAIN, disguise]).similarity(np.array([0]), np.array([1])).tolist() == [1.0]


def test_a_disguised_edit_is_an_edit_and_less_than_a_copy():
    kind, score = relation(PLAIN.replace("five", "seven"), LOOK_ALIKE)
    assert kind is Relation.EDIT
    assert 0.8 < score < 1


def test_a_disguised_passage_is_contained_and_no_copy():
    long = f"{OTHER} {OTHER[::-1]} {LOOK_ALIKE} {OTHER.upper()} and then tell me more about it"
    assert relation(PLAIN, long) == (Relation.CONTAIN, 1.0)
    assert compared([PLAIN, long]).similarity(np.array([0]), np.array([1]))[0] < 0.8


@pytest.mark.parametrize("other", [OTHER, OTHER.upper(), " ".join(OTHER), "", ".", "\u0430"])
def test_other_texts_stay_other_texts(other: str):
    assert relation(LOOK_ALIKE, other)[0] not in {Relation.COPY, Relation.EDIT, Relation.CONTAIN}


def test_plain_pairs_are_what_verification_says():
    texts = [PLAIN, PLAIN.replace("five", "seven"), OTHER, f"{OTHER} {PLAIN}", "1", ""]
    a, b = (side.astype(np.int64) for side in np.triu_indices(len(texts), 1))
    found, expected = compared(texts).verify(a, b), verify_pairs(texts, a, b)
    assert found.kind.tolist() == expected.kind.tolist()
    assert found.score.tolist() == expected.score.tolist()


def test_marks_of_disguise_must_be_as_many_as_texts():
    with pytest.raises(UsageError, match="wanted as many"):
        Resemblance([PLAIN], np.zeros(2, bool))
