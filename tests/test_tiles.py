"""Tiles: the pairs within the limits of either row, and no more of a row than matter."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import promptscan.tiles
from promptscan.tiles import joined, pairs_within
from promptscan.vectors import Float32, unit

A = unit(np.random.default_rng(0).standard_normal((40, 8)))
B = unit(np.random.default_rng(1).standard_normal((70, 8)))
TRUE = ((A[:, None] - B[None]) ** 2).sum(axis=2)


def limits(squares: Float32, rank: int) -> Float32:
    """Limits between the squared distances of two ranks, so that the last bits do not matter."""
    ordered = np.sort(squares, axis=1)
    middle: Float32 = ((ordered[:, rank - 1] + ordered[:, rank]) / 2).astype(np.float32)
    return middle


@pytest.fixture(params=["faiss", "torch"], autouse=True)
def product(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whose product it is."""
    import torch

    monkeypatch.setitem(sys.modules, "torch", torch if request.param == "torch" else None)
    return str(request.param)


@pytest.mark.parametrize("tile", [1 << 20, 300])
def test_pairs_are_those_within_the_limit_of_either_row(monkeypatch: pytest.MonkeyPatch, tile: int):
    monkeypatch.setattr(promptscan.tiles, "_TILE", tile)
    ours, theirs = limits(TRUE, 3), limits(TRUE.T, 2)
    forward, back = (joined(parts) for parts in zip(*pairs_within(A, B, ours, theirs, 5), strict=True))
    assert set(zip(*forward[:2], strict=True)) == set(zip(*np.nonzero(ours[:, None] >= TRUE), strict=True))
    assert set(zip(*back[:2], strict=True)) == set(zip(*np.nonzero(theirs[:, None] >= TRUE.T), strict=True))
    assert np.abs(forward[2] - TRUE[forward[0], forward[1]]).max() < promptscan.tiles.CANCELLED
    assert np.abs(back[2] - TRUE[back[1], back[0]]).max() < promptscan.tiles.CANCELLED


def test_of_a_row_with_more_pairs_the_nearest_are_left():
    crowded = limits(TRUE, 3)
    crowded[7] = np.inf
    ((forward, back),) = pairs_within(A, B, crowded, np.full(len(B), -1, np.float32), 5)
    assert np.bincount(forward[0], minlength=len(A)).tolist() == [5 if row == 7 else 3 for row in range(len(A))]
    assert set(forward[1][forward[0] == 7]) == set(np.argsort(TRUE[7])[:5])
    assert not len(back[0])


def test_without_a_limit_the_nearest_are_found_and_all_where_there_are_fewer():
    nowhere = np.full(len(A), np.inf, np.float32)
    ((row, column, _), back), *_ = pairs_within(A, B, nowhere, np.full(len(B), -1, np.float32), 4)
    assert {(r, c) for r in range(len(A)) for c in np.argsort(TRUE[r])[:4]} == set(zip(row, column, strict=True))
    assert not len(back[0])
    ((few, _),) = pairs_within(A, B[:2], nowhere, np.full(2, -1, np.float32), 4)
    assert len(few[0]) == 2 * len(A)


def test_limits_that_hardly_cut_and_rows_without_any_are_the_same_however_it_is_computed():
    wide = np.array([4.1, 2.0, 1.99, 1e-7, 0, -1] * 7, np.float32)[: len(A)]
    ours, theirs = np.resize(wide, len(A)), np.resize(wide[::-1], len(B))
    forward, back = (joined(parts) for parts in zip(*pairs_within(A, B, ours, theirs, len(B)), strict=True))
    assert set(zip(*forward[:2], strict=True)) == set(zip(*np.nonzero(ours[:, None] >= TRUE), strict=True))
    assert set(zip(*back[:2], strict=True)) == set(zip(*np.nonzero(theirs[:, None] >= TRUE.T), strict=True))


def test_of_copies_the_first_are_taken():
    copies = np.concatenate([B[:3], np.repeat(A[:1], 50, axis=0), B[3:]])
    nowhere = np.full(2, np.inf, np.float32)
    ((found, _),) = pairs_within(A[:2], copies, nowhere, np.full(len(copies), -1, np.float32), 20)
    assert sorted(found[1][found[0] == 0]) == list(range(3, 23))
    assert np.bincount(found[0]).tolist() == [20, 20]


def test_copies_are_found_at_no_distance(product: str):
    ((forward, _),) = pairs_within(A, A, np.full(len(A), 1e-4, np.float32), np.full(len(A), -1, np.float32), 5)
    assert np.array_equal(forward[0], forward[1]), product
    assert len(forward[0]) == len(A)
