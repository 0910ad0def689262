"""Both axes must pass; a budget is spent once; what was reported stays reported."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from promptscan.axes import SPEAKS, Axes, Before, Groups, judge, outlying

NONE = Before([], *(np.zeros(0) for _ in range(2)), *(np.zeros(0, np.int64) for _ in range(2)), np.zeros(0, bool))


def judged(names: list[str], *, budget: float = 1.0, before: Before = NONE, **given: Any) -> Axes:
    n = len(names)
    values: dict[str, Any] = {
        "transfer": np.ones(n), "eligible": np.ones(n, bool), "n_prompts": np.full(n, 10), "actors": np.zeros(n),
        "effective": np.full(n, 20.0), "together": np.zeros(n), "together_effective": np.full(n, 20.0),
        "n_together": np.ones(n, np.int64), "inner": np.ones(n), "barred": np.zeros(n, bool),
    }  # fmt: skip
    values |= {name: np.asarray(value) for name, value in given.items()}
    shared = (values[name] for name in ("together", "together_effective", "n_together", "n_prompts", "inner"))
    groups = Groups(np.asarray(given.get("number", np.arange(n))), *shared)
    return judge(
        names, values["transfer"], values["eligible"], groups, values["actors"], values["effective"], before,
        budget=budget, barred=values["barred"],
    )  # fmt: skip


def kept(axes: Axes) -> Before:
    return Before(axes.families, axes.alpha, axes.peak, axes.looks, axes.n_prompts, axes.passed)


def names(n: int) -> list[str]:
    return [f"F-{number + 1}" for number in range(n)]


def test_a_family_passes_only_if_both_axes_do() -> None:
    axes = judged(names(3), actors=[9.0, 9.0, 0.0], eligible=[True, False, True])
    assert axes.passed.tolist() == [True, False, False]


def test_two_users_are_no_campaign_however_alike_they_are() -> None:
    assert not judged(names(1), actors=[50.0], effective=[1.5]).passed[0]


def test_a_group_speaks_for_families_whose_accounts_are_in_others_of_it() -> None:
    axes = judged(names(3), together=[9.0, 9.0, 9.0], n_together=[4, 1, 4], inner=[0.8, 0.0, 0.3], number=[5, 6, 5])
    assert axes.passed.tolist() == [True, False, False]
    assert axes.group.tolist() == [5, -1, -1]


def test_a_family_that_passes_by_itself_is_of_no_group_that_does_not_speak() -> None:
    axes = judged(names(2), actors=[9.0, 9.0], together=[0.5, 9.0], n_together=[3, 3], number=[0, 0])
    assert axes.passed.all()
    assert axes.group.tolist() == [-1, 0]


def test_the_budget_of_a_build_is_shared_by_the_families_that_are_new_on_it() -> None:
    first = judged(names(10), budget=2.0)
    assert first.alpha.sum() == pytest.approx(2.0)
    later = judged(names(14), budget=1.0, before=kept(first))
    assert later.alpha[:10].tolist() == first.alpha.tolist()
    assert later.alpha[10:].sum() == pytest.approx(1.0)


def test_innocent_families_are_reported_within_the_budget_over_all_looks() -> None:
    dice = np.random.default_rng(0)
    reported = 0
    for _ in range(40):
        before, size = NONE, np.full(50, 10.0)
        for _ in range(12):
            axes = judged(
                names(50), actors=-np.log10(dice.random(50)), n_prompts=size.astype(np.int64), before=before, budget=1.0
            )  # 1 / p is more than any e-value calibrated from p
            before, size = kept(axes), size * 1.3
        reported += int(before.passed.sum())
    assert reported <= 40 * 1.5


def test_a_look_is_only_taken_when_there_is_more_to_see() -> None:
    first = judged(names(1))
    same = judged(names(1), before=kept(first), n_prompts=[11])
    grown = judged(names(1), before=kept(same), n_prompts=[13])
    assert [first.looks[0], same.looks[0], grown.looks[0]] == [1, 1, 2]
    assert grown.threshold[0] > first.threshold[0]


def test_what_passed_stays_passed_and_what_an_analyst_called_benign_does_not() -> None:
    first = judged(names(2), actors=[9.0, 9.0])
    again = judged(names(2), before=kept(first), barred=[False, True])
    assert again.passed.tolist() == [True, False]


def test_the_first_among_many_innocent_ones_is_reported_once_it_speaks_at_all() -> None:
    history = replace(kept(judged(names(200))), peak=np.linspace(-1, 0.2, 200))
    new = [*names(200), "F-201", "F-202"]
    quiet = judged(new, before=history, actors=[*np.zeros(200), SPEAKS - 0.1, 0.0])
    loud = judged(new, before=history, actors=[*np.zeros(200), SPEAKS + 0.1, 0.0])
    assert not quiet.passed.any()
    assert loud.passed.tolist() == [*[False] * 200, True, False]


def test_conformal_values_are_shares_of_the_history() -> None:
    assert outlying(np.array([5.0, 0.0]), np.array([1.0, 2.0, 3.0])).tolist() == [0.25, 1.0]
    assert outlying(np.array([5.0]), np.zeros(0)).tolist() == [1.0]


def test_no_families_are_no_trouble() -> None:
    assert judged([]).table().num_rows == 0
