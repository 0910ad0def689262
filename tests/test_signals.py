"""Signals say what is planted, and nothing about what chance made."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from promptscan.signals.clock import pivot, replacement
from promptscan.signals.coincidence import Categories, coincidences, placed_coincidences
from promptscan.signals.ranks import shift
from promptscan.signals.sweeps import Fills, partition, sweep
from promptscan.signals.tails import tail_of


def drawn(dice: np.random.Generator, n_accounts: int, size: int, n_families: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (family, account) pairs: families of so many accounts, drawn at random."""
    account = np.concatenate([np.sort(dice.choice(n_accounts, size, replace=False)) for _ in range(n_families)])
    return np.repeat(np.arange(n_families), size), account


def one_stratum(value: np.ndarray) -> Categories:
    totals = np.bincount(value)
    return Categories(totals, np.zeros(len(totals), dtype=np.int64), np.array([len(value)]))


def test_accounts_drawn_at_random_meet_as_often_as_is_expected() -> None:
    dice = np.random.default_rng(0)
    value = dice.zipf(1.5, 3_000) % 200
    family, account = drawn(dice, 3_000, 40, 400)
    found = coincidences(family, value[account], one_stratum(value), family, np.zeros_like(family), 400)
    assert found.pairs.mean() == pytest.approx(found.expected.mean(), rel=0.05)
    assert found.observed.mean() == pytest.approx(found.mean.mean(), rel=0.05)
    assert found.observed.var() == pytest.approx(found.variance.mean(), rel=0.3)
    assert (np.exp(found.tail().plain) < 0.01).mean() < 0.03


def test_accounts_that_share_rare_values_stand_out_and_what_everybody_has_says_nothing() -> None:
    dice = np.random.default_rng(1)
    value = np.where(np.arange(2_000) < 1_500, 0, 1 + np.arange(2_000))  # most have the same one, the others their own
    value[:12] = 5_000  # twelve accounts have one payment
    members = np.concatenate([np.arange(12), dice.choice(np.arange(100, 1_500), 12, replace=False)])
    family = np.repeat([0, 1], 12)
    found = coincidences(family, value[members], one_stratum(value), family, np.zeros_like(family), 2)
    assert found.tail().log_p[0] < np.log(1e-12)
    assert found.tail().log_p[1] > np.log(0.05)


def test_networks_of_one_country_are_no_coincidence_but_one_network_in_many_countries_is() -> None:
    dice = np.random.default_rng(2)
    country = dice.integers(0, 20, 4_000)
    network = country * 10 + dice.integers(0, 4, 4_000)
    network[:15] = 999  # a hosting network whose customers say they are from everywhere
    people = np.arange(4_000)
    compatriots = dice.choice(people[(country == 3) & (people >= 15)], 15, replace=False)
    account = np.concatenate([np.arange(15), compatriots])
    family = np.repeat([0, 1], 15)
    found = placed_coincidences(
        family, network[account], family, country[account], (country, network, people), 2
    )
    hosted, neighbours = found.tail().log_p
    assert hosted < np.log(1e-10)
    assert neighbours > np.log(0.01)
    assert found.pairs[1] > 20  # neighbours do share networks; it is expected


def test_addresses_that_a_country_s_people_share_anyway_are_counted_exactly() -> None:
    dice = np.random.default_rng(6)
    country = np.repeat([0, 1], [300, 3_000])
    address = np.arange(3_300)
    address[:80] = 5_000 + np.arange(80) // 10  # eight gateways of a carrier; nobody else shares an address
    people = np.arange(3_300)
    draws = [dice.choice(300, 120, replace=False) for _ in range(300)]
    account, family = np.concatenate(draws), np.repeat(np.arange(300), 120)
    found = placed_coincidences(family, address[account], family, country[account], (country, address, people), 300)
    assert found.pairs.mean() == pytest.approx(found.expected[0], rel=0.05)
    assert found.tail().plain.min() > np.log(1e-4)
    foreign = np.concatenate([dice.choice(80, 12, replace=False), 300 + dice.choice(3_000, 108, replace=False)])
    few = placed_coincidences(
        np.zeros(120, np.int64), address[foreign], np.zeros(120, np.int64), country[foreign], (country, address, people), 1
    )
    assert few.expected[0] < found.expected[0] / 50


def test_shifts_of_random_accounts_are_standard_normal_and_of_the_young_they_are_not() -> None:
    dice = np.random.default_rng(3)
    age = dice.lognormal(3, 2, 5_000)
    family, account = drawn(dice, 5_000, 30, 300)
    found = shift(family, age[account], age, 300, 0.1)
    assert abs(found.score.mean()) < 0.2
    assert found.score.std() == pytest.approx(1, rel=0.15)
    young = np.argsort(age)[:600]
    told = shift(np.zeros(30, dtype=np.int64), -age[young[::20]], -age, 1, 0.1)
    assert told.tail().log_p[0] < np.log(1e-8)


def test_a_small_difference_of_a_large_family_is_within_the_margin() -> None:
    dice = np.random.default_rng(4)
    values = dice.random(20_000)
    slightly = np.flatnonzero(values > 0.08)[:10_000]
    told = shift(np.zeros(len(slightly), dtype=np.int64), values[slightly], values, 1, 0.1)
    assert told.tail().plain[0] < np.log(1e-6)
    assert told.tail().log_p[0] > np.log(0.5)


def test_values_that_are_not_known_are_left_out() -> None:
    told = shift(np.array([0, 0, 1]), np.array([1.0, np.nan, np.nan]), np.array([0.0, 1.0, 2.0, np.nan]), 2, 0.1)
    assert told.n.tolist() == [1, 0]
    assert told.tail().log_p[1] == 0
    assert np.isnan(told.median[1])


def filled(cells: list[tuple[int, tuple[int, ...]]]) -> Fills:
    """Make the fills of one template from (account, values of its slots), in order."""
    account = np.array([one for one, _ in cells])
    order = np.argsort(account, kind="stable")
    values = np.array([values for _, values in cells])[order]
    n, slots = values.shape
    return Fills(
        np.zeros(n, np.int64), np.zeros(n, np.int64), account[order], np.repeat(np.arange(n), slots),
        np.tile(np.arange(slots), n), values.ravel(), np.zeros(slots, np.int64), 1, 1,
    )  # fmt: skip


def test_a_grid_divided_among_accounts_is_a_partition_and_a_sweep() -> None:
    grid = list(itertools.product(range(12), range(15)))
    cells = [(number // 9, cell) for number, cell in enumerate(grid)]
    found = partition(filled(cells))
    assert found.observed[0] == 0
    assert found.expected[0] > 30
    assert found.tail.log_p[0] < np.log(1e-6)
    assert sweep(filled(cells)).tail.log_p[0] < np.log(1e-10)


def test_values_drawn_by_each_account_for_itself_are_neither() -> None:
    dice = np.random.default_rng(5)
    cells = [(number // 9, (int(dice.integers(12)), int(dice.integers(15)))) for number in range(180)]
    assert partition(filled(cells)).tail.log_p[0] > np.log(0.01)
    assert sweep(filled(cells)).tail.log_p[0] > np.log(0.01)


def test_free_text_and_a_single_slot_say_nothing_of_a_partition() -> None:
    unique = filled([(number // 3, (number, 1_000 + number)) for number in range(60)])
    single = filled([(number // 3, (number % 7,)) for number in range(60)])
    for fills in (unique, single):
        assert partition(fills).expected[0] == 0
        assert partition(fills).rows[0] == 0


def test_one_account_alone_is_no_sweep() -> None:
    fills = filled([(0, (number % 10, number % 7)) for number in range(100)])
    assert sweep(fills).observed[0] == 0
    assert sweep(fills).tail.log_p[0] == 0


def test_accounts_that_begin_when_others_stop_are_replacements() -> None:
    dice = np.random.default_rng(6)
    everybody = dice.integers(0, 40, 3_000)
    stops = np.repeat(np.arange(3, 30, 3), 4)
    start = np.concatenate([np.zeros(36, np.int64), stops + 1])
    stop = np.concatenate([stops, np.full(36, 39)])
    planted = replacement(np.zeros(72, np.int64), start, stop, everybody, 1)
    assert planted.tail.log_p[0] < np.log(1e-4)
    chance = replacement(
        np.zeros(72, np.int64), dice.integers(0, 20, 72), dice.integers(20, 40, 72), everybody, 1
    )
    assert chance.tail.log_p[0] > np.log(0.01)


def test_a_move_of_most_accounts_to_a_new_model_is_a_pivot() -> None:
    family, release = np.repeat([0, 1], 20), np.zeros(40, dtype=np.int64)
    moved = np.array([True] * 15 + [False] * 5 + [True] * 3 + [False] * 17)
    found = pivot(family, release, moved, np.array([0.12]), 2)
    assert found.tail.log_p[0] < np.log(1e-5)
    assert found.tail.log_p[1] > np.log(0.1)


def test_signals_of_nothing_are_nothing() -> None:
    none, none_float = np.zeros(0, np.int64), np.zeros(0)
    empty = Categories(none, none, np.array([0]))
    assert coincidences(none, none, empty, none, none, 2).tail().log_p.tolist() == [0, 0]
    assert placed_coincidences(none, none, none, none, (none, none, none), 2).pairs.tolist() == [0, 0]
    assert shift(none, none_float, none_float, 2, 0.1).tail().log_p.tolist() == [0, 0]
    assert replacement(none, none, none, none, 2).tail.log_p.tolist() == [0, 0]
    assert pivot(none, none, none > 0, none_float, 2).tail.log_p.tolist() == [0, 0]
    fills = Fills(none, none, none, none, none, none, none, 2, 0)
    assert partition(fills).tail.log_p == pytest.approx(0)
    assert sweep(fills).tail.log_p == pytest.approx(0)


def test_the_order_of_rows_does_not_matter() -> None:
    dice = np.random.default_rng(7)
    value = dice.integers(0, 50, 500)
    family, account = drawn(dice, 500, 20, 10)
    order = dice.permutation(len(family))
    plain = coincidences(family, value[account], one_stratum(value), family, np.zeros_like(family), 10)
    mixed = coincidences(
        family[order], value[account[order]], one_stratum(value), family[order], np.zeros_like(family), 10
    )
    assert np.array_equal(plain.tail().log_p, mixed.tail().log_p)
    scores = shift(family[order], value[account[order]].astype(float), value.astype(float), 10, 0.1).score
    assert tail_of(scores) == pytest.approx(
        tail_of(shift(family, value[account].astype(float), value.astype(float), 10, 0.1).score)
    )


def test_distinct_rows_are_those_of_numpy_whatever_their_sign() -> None:
    from promptscan.findings.merge import distinct

    dice = np.random.default_rng(8)
    columns = dice.integers(0, 5, 300), dice.integers(0, 40, 300), dice.integers(-7, 9, 300)
    rows, place = distinct(*columns)
    expected, inverse = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    assert np.array_equal(rows, expected)
    assert np.array_equal(place, inverse.ravel())
    assert distinct(np.zeros(0, np.int64), np.zeros(0, np.int64))[0].shape == (0, 2)
