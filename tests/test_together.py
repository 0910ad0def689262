"""Families that accounts share: within a home language, and beyond it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from promptscan.findings.together import companionship, linked, shared_families
from promptscan.signals.coincidence import Categories, coincidences
from promptscan.signals.ranks import within

SIZE, SPEAKERS, PEOPLE = 30, 200, 2_000
THEIRS, OTHERS = 40, 200  # families of the speakers of another language, and of everybody else


def facts(*, told: bool, planted: int = 0) -> Any:
    """Facts of families whose accounts are drawn at random among the speakers of their language.

    Args:
        told: whether home languages are known.
        planted: further families that the same accounts send.
    """
    dice = np.random.default_rng(0)
    speakers, others = np.arange(SPEAKERS), np.arange(SPEAKERS, PEOPLE)
    drawn = [dice.choice(speakers, SIZE, replace=False) for _ in range(THEIRS)]
    drawn += [dice.choice(others, SIZE, replace=False) for _ in range(OTHERS)]
    return facts_of(drawn + [others[:SIZE]] * planted, told=told)


def of_all_sizes(*, team: int, small: int) -> Any:
    """Facts of families of 10 to 600 accounts drawn at random, and of small ones that a team draws its prompts from.

    Args:
        team: accounts of the team; each sends a tenth of the small families and nothing else.
        small: families of the team.
    """
    dice = np.random.default_rng(1)
    people = np.arange(team, PEOPLE)
    drawn = [dice.choice(people, size, replace=False) for size in (10, 20, 40, 80, 150, 300, 600) for _ in range(20)]
    sends = dice.random((small, team)) < 0.1
    return facts_of(drawn + [np.flatnonzero(row) for row in sends], told=False)


def facts_of(drawn: list[np.ndarray], *, told: bool) -> Any:
    """Facts of families by their accounts."""
    return SimpleNamespace(
        family=np.repeat(np.arange(len(drawn)), [len(accounts) for accounts in drawn]),
        account=np.concatenate([np.sort(accounts) for accounts in drawn]),
        accounts=[str(number) for number in range(PEOPLE)],
        n=len(drawn),
        eligible=np.ones(len(drawn), dtype=bool),
        single=np.ones(PEOPLE, dtype=bool),
        home=np.where(np.arange(PEOPLE) < SPEAKERS, 1 if told else 0, 0),
        relatives=np.zeros((0, 2), dtype=np.int64),
        met=None,
    )


def chances(some: Any) -> np.ndarray:
    return np.exp(companionship(shared_families(some, relatives=False), some.n).tail.plain)


def test_speakers_of_a_language_share_its_families_by_chance() -> None:
    assert (chances(facts(told=False))[:THEIRS] < 1e-6).all()
    assert (chances(facts(told=True)) < 0.01).mean() < 0.05


def test_pairs_are_expected_within_each_language() -> None:
    some = facts(told=True)
    found = companionship(shared_families(some, relatives=False), some.n)
    for families in (slice(0, THEIRS), slice(THEIRS, None)):
        assert found.observed[families].mean() == pytest.approx(found.expected[families].mean(), rel=0.1)


def test_who_sends_the_same_ten_families_stands_out_in_any_language() -> None:
    some = facts(told=True, planted=10)
    assert (chances(some)[-10:] < 1e-20).all()
    groups = linked(shared_families(some, relatives=True), some.n)
    assert len(set(groups[-10:].tolist())) == 1
    assert np.isin(groups[:-10], groups[-10:]).mean() < 0.02  # a group is a hypothesis


def test_a_team_without_common_templates_stands_out_from_popular_families() -> None:
    some = of_all_sizes(team=200, small=60)
    found = np.exp(companionship(shared_families(some, relatives=False), some.n).tail.log_p)
    assert (found[-60:] < 1e-4).mean() > 0.9
    assert (found[:-60] < 0.01).mean() < 0.05


def test_ranks_within_groups_are_shares_of_the_group() -> None:
    values = np.array([1.0, 2.0, 2.0, np.nan, 30.0, 10.0])
    found = within(values, np.array([0, 0, 0, 0, 1, 1]))
    np.testing.assert_allclose(found, [1 / 6, 2 / 3, 2 / 3, np.nan, 3 / 4, 1 / 4])


def test_rows_of_a_family_are_joined_by_their_sums() -> None:
    value = np.arange(12) % 4
    categories = Categories(np.bincount(value), np.zeros(4, dtype=np.int64), np.array([12]))
    rows = np.array([0, 0, 0, 1, 1, 2])
    found = coincidences(rows, np.array([0, 0, 1, 2, 2, 3]), categories, rows, np.zeros_like(rows), 3)
    both = found.joined(np.array([0, 0, 2]), 3)
    assert both.pairs.tolist() == [2, 0, 0]
    assert both.holders.tolist() == [5, 0, 1]
    np.testing.assert_allclose(both.mean, [found.mean[:2].sum(), 0, found.mean[2]])
    np.testing.assert_allclose(both.variance[0], found.variance[:2].sum())
    assert both.unit[1] == 1
