"""Probabilities, e-values, and what they are merged to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from promptscan.signals.tails import (
    ASSUMED_SCALE,
    SMALLEST,
    binomial_tail,
    count_tail,
    deflated,
    few_tail,
    log_e,
    mean_of,
    null_of,
    score_of,
    several_of,
    tail_of,
    wanted_log10,
)


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_the_calibrator_gives_e_values_whose_mean_is_one() -> None:
    mean, _ = quad(lambda p: float(np.exp(log_e(floats(np.log(p)))[0])), 1e-12, 1, limit=500)
    assert 0.9 < mean <= 1.0  # what is below 1e-12 is worth the rest


@given(st.floats(-600, -1e-9), st.floats(-600, -1e-9))
def test_a_smaller_probability_never_gives_a_smaller_e_value(one: float, other: float) -> None:
    low, high = sorted((one, other))
    values = log_e(floats(low, high))
    assert values[0] >= values[1] - 1e-9
    assert np.isfinite(values).all()


def test_scores_and_tails_are_inverse_far_out() -> None:
    log_p = floats(-0.1, -1, -30, -600)
    assert tail_of(score_of(log_p)) == pytest.approx(log_p, rel=1e-6)


@given(
    st.floats(0, 1e6), st.floats(1e-9, 1e6), st.floats(1, 50), st.floats(0.01, 20)
)
def test_count_tails_are_log_probabilities_whatever_the_numbers(
    observed: float, mean: float, spread: float, unit: float
) -> None:
    log_p = count_tail(floats(observed), floats(mean), floats(mean * spread), floats(unit))
    assert np.isfinite(log_p).all()
    assert (log_p >= SMALLEST).all()
    assert (log_p <= 0).all()


def test_a_count_as_chance_gives_it_is_no_surprise_and_many_more_are() -> None:
    as_usual, more = count_tail(floats(10, 60), floats(10, 10), floats(10, 10), floats(1, 1))
    assert as_usual > np.log(0.3)
    assert more < np.log(1e-20)


def test_clumps_make_the_same_count_less_surprising() -> None:
    rare, clumped = count_tail(floats(30, 30), floats(10, 10), floats(10, 100), floats(1, 1))
    assert rare < clumped


def test_nothing_observed_is_no_evidence() -> None:
    assert count_tail(floats(0), floats(5), floats(5), floats(1))[0] == 0


def test_tolerated_chance_is_never_more_surprising_than_plain_chance() -> None:
    tail = binomial_tail(np.array([3, 9]), np.array([10, 10]), floats(0.2, 0.2))
    assert (tail.log_p >= tail.plain).all()
    few = few_tail(floats(2), floats(30))
    assert few.log_p[0] >= few.plain[0]
    assert few.plain[0] < np.log(1e-4)


def test_the_null_is_read_off_the_innocent_half_however_many_campaigns_there_are() -> None:
    dice = np.random.default_rng(0)
    innocent, campaigns = dice.normal(0, 2, 400), dice.normal(30, 5, 600)
    alone, together = null_of(tail_of(innocent)), null_of(tail_of(np.concatenate([innocent, campaigns])))
    assert alone == pytest.approx(2, rel=0.2)
    assert together == pytest.approx(alone, rel=0.1)


def test_the_null_is_never_narrower_than_the_theoretical_one_and_wider_before_anything_is_seen() -> None:
    assert 1.0 <= null_of(tail_of(np.random.default_rng(0).normal(0, 0.2, 500))) < 1.02
    assert null_of(np.zeros(0)) == ASSUMED_SCALE
    assert deflated(floats(-50), 2.0)[0] > -50


def test_means_of_e_values_leave_out_what_is_not_known() -> None:
    values, known = np.log(np.array([[100.0], [1e9]])), np.array([[True], [False]])
    assert mean_of(values, known)[0] == pytest.approx(np.log(100))
    assert mean_of(values, np.zeros((2, 1), dtype=bool))[0] == 0


def test_one_group_alone_does_not_speak_for_several() -> None:
    values = np.log(np.array([[1e30, 1e30, 1e30], [0.5, 1e6, 1.0], [0.5, 0.5, 1.0]]))
    known = np.array([[True, True, True], [True, True, False], [True, True, False]])
    lone, two, only = np.exp(several_of(values, known, 2))
    assert lone == pytest.approx(0.5)
    assert two == pytest.approx((1e6 + 0.5) / 2)
    assert only == pytest.approx(1e30)  # where there is one kind of data, it must do


def test_the_chances_of_all_looks_stay_within_the_budget() -> None:
    looks = np.arange(1, 100_000)
    spent = (10 ** -wanted_log10(np.full(len(looks), 0.05), looks)).sum()
    assert 0.0499 < spent <= 0.05


def test_tails_are_those_of_the_distributions() -> None:
    from scipy.stats import binom, nbinom, poisson

    mean, more = floats(0.01, 0.5, 3.0, 40.0, 5e3), np.arange(5.0)
    for factor in (0.2, 1.0, 1.7):
        at = np.ceil(mean * factor)
        wide = count_tail(at, mean, 3 * mean, np.ones(5))
        few, plain = few_tail(at, mean).plain, count_tail(at, mean, mean, np.ones(5))
        np.testing.assert_allclose(wide, np.maximum(nbinom.logsf(at - 1, mean / 2, 1 / 3), SMALLEST), rtol=1e-9)
        np.testing.assert_allclose(plain, np.maximum(poisson.logsf(at - 1, mean), SMALLEST), rtol=1e-9)
        np.testing.assert_allclose(few, np.maximum(nbinom.logcdf(at, mean, 0.5), SMALLEST), rtol=1e-9)
    hits, n = more.astype(np.int64), np.full(5, 4)
    np.testing.assert_allclose(binomial_tail(hits, n, np.full(5, 0.3)).plain, binom.logsf(hits - 1, 4, 0.3), rtol=1e-9)
