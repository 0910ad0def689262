"""Sign-ups of one hour: what a log knows of accounts that were made at its edges, and what a burst looks like among them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pytest

from promptscan.findings.facts import BIN, DAY, TEN_MINUTES
from promptscan.findings.made import COHORT, cohorts, creation

FIRST, LAST = 20_000, 20_004  # days of the log, since 1970
OLD, NEW, ELSEWHERE = 3_000, 600, 12
EARLY = 6  # hours of the last day in which those were made who have written by its end


def facts(family: np.ndarray) -> Any:
    """Facts of one family of some of these accounts: made at any hour before the log, early on its last day, and elsewhere at 8."""
    dice = np.random.default_rng(0)
    hours = np.concatenate(
        [
            24 * dice.integers(FIRST - 400, FIRST - 2, OLD) + dice.integers(0, 24, OLD),
            24 * LAST + dice.integers(0, EARLY, NEW),
            np.full(ELSEWHERE, 24 * LAST + 8),
        ]
    )
    place = np.repeat([0, 1], [OLD + NEW, ELSEWHERE])
    bins = np.arange(FIRST, LAST + 1) * (DAY // BIN)
    return SimpleNamespace(
        n=1,
        family=np.zeros(len(family), dtype=np.int64),
        account=np.sort(family),
        created=hours.astype("datetime64[h]").astype("datetime64[us]"),
        place=place.astype(np.int64),
        bin_totals=np.stack([bins, np.ones_like(bins)], axis=1),
    )


def chance(some: Any) -> float:
    return float(np.exp(creation(some).tail.log_p[0]))


def test_people_who_signed_up_on_the_last_day_did_so_early_in_it() -> None:
    people = np.random.default_rng(1).choice(np.arange(OLD, OLD + NEW), 120, replace=False)
    found = creation(facts(people))
    assert found.value[0] == pytest.approx(found.expected[0], rel=0.15)
    assert chance(facts(people)) > 0.5


def test_one_hour_of_the_last_day_stands_out() -> None:
    some = facts(np.arange(OLD))
    hours = some.created.astype("datetime64[h]").astype(np.int64) % 24
    burst = np.flatnonzero((hours == 3) & (np.arange(len(hours)) >= OLD))[:15]
    assert chance(facts(burst)) < 1e-9


def test_a_burst_is_no_place_of_its_own() -> None:
    assert ELSEWHERE < COHORT
    burst = np.arange(OLD + NEW, OLD + NEW + ELSEWHERE)
    assert chance(facts(burst)) < 1e-9


def test_cohorts_are_before_the_log_on_the_day_before_it_in_it_and_on_its_last_day() -> None:
    days = np.repeat([FIRST - 30, FIRST - 1, FIRST, LAST - 1, LAST, LAST + 1], COHORT)
    some = facts(np.arange(3))
    some.place, some.created = np.zeros(len(days), dtype=np.int64), days.astype("datetime64[D]").astype("datetime64[us]")
    cohort, whose, who = cohorts(some)
    assert (cohort[who] == whose).all()
    found = cohort.reshape(6, COHORT)
    assert (found == found[:, :1]).all()
    of_day = found[:, 0].tolist()
    assert of_day[2] == of_day[3]
    assert of_day[4] == of_day[5]  # a clock that is fast
    assert len(set(of_day)) == 4


def test_a_log_without_times_has_places_only() -> None:
    some = facts(np.arange(3))
    some.bin_totals = np.zeros((0, 2), dtype=np.int64)
    cohort, whose, who = cohorts(some)
    assert cohort.tolist() == whose.tolist() == some.place.tolist()
    assert who.tolist() == list(range(len(some.place)))


def test_a_days_last_half_second_is_of_that_day() -> None:
    query = f"SELECT {TEN_MINUTES} FROM (SELECT TIMESTAMP '2026-01-05 23:59:59.9' AS ts)"
    ((found,),) = duckdb.sql(query).fetchall()
    assert found * BIN == np.datetime64("2026-01-05T23:50").astype("datetime64[s]").astype(int)
