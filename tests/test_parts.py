"""Parts of a group that join the part that speaks."""

from __future__ import annotations

import numpy as np

from promptscan.campaigns.parts import MORE, TRIED, join_silent
from promptscan.campaigns.traffic import Floats, Ints


def numbers(*values: int) -> Ints:
    return np.array(values, dtype=np.int64)


class Worth:
    """Evidence of a set of families: the sum of what each of them is worth."""

    def __init__(self, *worth: float) -> None:
        self.worth, self.asked = np.array(worth), 0

    def __call__(self, sets: Ints, n: int) -> Floats:
        self.asked += 1
        kept = sets >= 0
        return np.bincount(sets[kept], self.worth[kept], n)


def test_a_silent_part_joins_where_both_say_more() -> None:
    worth = Worth(4.0, 3.0, -2.0, 3.0)
    joined = join_silent(
        worth,
        numbers(0, 1, 2, 3),
        numbers(5, 5, 5, -1),
        np.array([4.0, 0.5, 0.2, 0.0]),
        np.array([True, False, False, False]),
    )
    assert joined.tolist() == [0, 0, 2, 3]  # the third makes it less, the fourth is of no group


def test_a_little_more_is_not_enough() -> None:
    own, speaks = np.array([4.0, 0.0]), np.array([True, False])
    for worth, campaign in ((MORE - 0.1, 1), (MORE, 0)):
        assert join_silent(Worth(4.0, worth), numbers(0, 1), numbers(1, 1), own, speaks).tolist() == [0, campaign]


def test_a_family_in_no_campaign_joins_or_stays_in_none() -> None:
    own, speaks = np.array([4.0]), np.array([True])
    assert join_silent(Worth(4.0, 2.0, 0.0), numbers(0, -1, -1), numbers(1, 1, 1), own, speaks).tolist() == [0, 0, -1]


def test_nobody_joins_where_no_part_speaks_and_none_that_speaks_joins_another() -> None:
    silent, loud = np.array([False, False]), np.array([True, True])
    for speaks in (silent, loud):
        worth = Worth(4.0, 4.0)
        assert join_silent(worth, numbers(0, 1), numbers(1, 1), np.array([4.0, 4.0]), speaks).tolist() == [0, 1]
        assert not worth.asked


def test_parts_join_the_strongest_of_their_group_one_after_another() -> None:
    worth = Worth(4.0, 9.0, 1.5, 1.5)
    own, speaks = np.array([4.0, 9.0, 0.0, 0.5]), np.array([True, True, False, False])
    assert join_silent(worth, numbers(0, 1, 2, 3), numbers(1, 1, 1, 1), own, speaks).tolist() == [0, 1, 1, 1]
    assert worth.asked == 2


def test_the_parts_that_are_asked_are_few() -> None:
    n = 3 * TRIED
    worth = Worth(*[4.0] * n)
    speaks = np.arange(n) == 0
    joined = join_silent(worth, np.arange(n), np.zeros(n, dtype=np.int64), np.linspace(4, 0, n), speaks)
    assert worth.asked == TRIED
    assert (joined == 0).sum() == TRIED + 1


def test_no_families_at_all() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert not len(join_silent(Worth(), nothing, nothing, np.zeros(0), np.zeros(0, dtype=bool)))
