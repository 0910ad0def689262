"""Portraits: samples depend on a family's texts alone, and change where their texts do."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from promptscan.portraits import draw, resampled, shuffled, touched

NUMBERS = st.lists(st.integers(-1, 4), max_size=60).map(lambda some: np.array(some, np.int64))


@given(NUMBERS, st.integers(1, 9))
def test_a_sample_is_the_first_of_a_family_in_the_shuffled_order(numbers: np.ndarray, most: int):
    families = np.unique(numbers[numbers >= 0])
    samples = draw(numbers, families, most)
    for place, family in enumerate(families.tolist()):
        own = np.flatnonzero(numbers == family)
        wanted = own[np.argsort(shuffled(own), kind="stable")][:most]
        assert samples.of(place, most).tolist() == wanted.tolist()
        assert samples.of(place, 2).tolist() == wanted[:2].tolist()


@given(NUMBERS, st.data())
def test_only_touched_families_are_resampled_and_only_for_texts_among_the_first(numbers: np.ndarray, data: st.DataObject):
    moves = data.draw(st.lists(st.tuples(st.integers(0, max(0, len(numbers) - 1)), st.integers(-1, 4)), max_size=5))
    now = numbers.copy()
    for row, family in moves if len(numbers) else ():
        now[row] = family
    changed = touched(numbers, now)
    assert set(changed.tolist()) == {
        family for family in range(5) if set(np.flatnonzero(numbers == family)) != set(np.flatnonzero(now == family))
    }
    for most in (1, 3, 64):
        other = resampled(numbers, now, changed, most)
        for family, is_other in zip(changed.tolist(), other.tolist(), strict=True):
            one = np.array([family])
            assert is_other == (draw(numbers, one, most).rows.tolist() != draw(now, one, most).rows.tolist())


def test_a_family_that_grows_by_a_hundredth_mostly_keeps_its_sample():
    before = np.concatenate([np.zeros(10_000, np.int64), np.full(100, -1)])
    kept = []
    for start in range(0, 100, 10):
        now = before.copy()
        now[10_000 + start : 10_010 + start] = 0
        kept.append(not resampled(before, now, np.array([0])).any())
    assert np.mean(kept) >= 0.6


def test_no_families():
    nothing = np.zeros(0, np.int64)
    assert len(draw(nothing, nothing).rows) == 0
    assert len(touched(nothing, nothing)) == 0
    assert len(resampled(nothing, nothing, nothing)) == 0
