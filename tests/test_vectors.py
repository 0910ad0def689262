from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptscan.errors import StoreError, UsageError
from promptscan.vectors import Vectors, open_npy, unit, widen
from tests.arrays import as_vectors, clustered


@given(parts=st.integers(1, 6), n=st.integers(0, 40), rows=st.lists(st.integers(0, 39), max_size=30))
def test_a_stack_of_parts_reads_like_one_matrix(parts: int, n: int, rows: list[int]):
    matrix = clustered(n, 8, seed=n)
    whole, stacked = as_vectors(matrix), as_vectors(matrix, parts=parts)
    wanted = np.array([r for r in rows if r < n], dtype=np.int64)
    assert stacked.n == whole.n == n
    np.testing.assert_array_equal(stacked.take(wanted), whole.take(wanted))
    np.testing.assert_array_equal(stacked.range(0, n), whole.range(0, n))


def test_blocks_cover_every_row_once_across_part_borders():
    vectors = as_vectors(clustered(101, 8), parts=4)
    starts, blocks = zip(*vectors.blocks(7, start=3), strict=True)
    assert starts == tuple(range(3, 101, 7))
    np.testing.assert_array_equal(np.concatenate(blocks), vectors.range(3, 101))


def test_rows_come_back_unit_norm_to_float32_and_zero_rows_stay_zero():
    matrix = clustered(50, 256)
    matrix[7] = 0
    read = as_vectors(matrix).range(0, 50)
    norms = np.linalg.norm(read, axis=1)
    assert norms[7] == 0
    np.testing.assert_allclose(np.delete(norms, 7), 1, atol=1e-6)
    assert read.dtype == np.float32


def test_parts_are_not_copied():
    part = clustered(10, 4).astype(np.float16)
    assert np.shares_memory(Vectors([part]).parts[0], part)


def test_sample_is_sorted_distinct_and_repeatable():
    vectors = as_vectors(clustered(100, 4))
    first, again = vectors.sample(30, seed=1, start=10), vectors.sample(30, seed=1, start=10)
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first)) == 30
    assert first.min() >= 10
    np.testing.assert_array_equal(first, np.sort(first))
    assert len(vectors.sample(1000, seed=1)) == 100


def test_rows_outside_are_refused():
    vectors = as_vectors(clustered(5, 4))
    with pytest.raises(UsageError, match="there are 5"):
        vectors.take(np.array([5]))
    with pytest.raises(UsageError, match="there are 5"):
        vectors.take(np.array([-1]))


@pytest.mark.parametrize("part", [np.zeros((2, 4), np.float32), np.zeros(4, np.float16), np.zeros((2, 5), np.float16)])
def test_parts_of_another_type_or_shape_are_refused(part: np.ndarray):
    with pytest.raises(UsageError, match="wanted float16"):
        Vectors([part], dimension=4)


def test_no_part_needs_a_dimension():
    assert Vectors([], dimension=8).range(0, 5).shape == (0, 8)
    with pytest.raises(UsageError):
        Vectors([])


def test_unit_copies():
    rows = np.full((2, 4), 2.0, dtype=np.float32)
    assert unit(rows)[0, 0] == 0.5
    assert rows[0, 0] == 2.0


def test_npy_files_are_mapped(tmp_path: Path):
    paths = [tmp_path / "a.npy", tmp_path / "b.npy"]
    matrix = clustered(30, 8).astype(np.float16)
    np.save(paths[0], matrix[:10])
    np.save(paths[1], matrix[10:])
    vectors = Vectors.open(paths)
    assert isinstance(vectors.parts[0], np.memmap)
    np.testing.assert_array_equal(vectors.range(0, 30), unit(matrix))


def test_an_empty_npy_file_has_no_rows(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.zeros((0, 8), np.float16))
    assert open_npy(tmp_path / "a.npy").shape == (0, 8)


@pytest.mark.parametrize("damage", ["short", "long", "magic", "header", "empty", "missing"])
def test_a_damaged_npy_file_is_a_store_error(tmp_path: Path, damage: str):
    path = tmp_path / "v.npy"
    np.save(path, clustered(10, 8).astype(np.float16))
    data = path.read_bytes()
    broken = {"short": data[:-1], "long": data + b"\0", "magic": b"X" + data[1:], "header": data[:20], "empty": b""}
    path.unlink()
    if damage != "missing":
        path.write_bytes(broken[damage])
    with pytest.raises(StoreError, match=r"v\.npy"):
        open_npy(path)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 8), np.float32),
        np.zeros(8, np.float16),
        np.zeros((2, 9), np.float16),
        np.asfortranarray(np.zeros((2, 8), np.float16)),
    ],
)
def test_an_npy_file_of_something_else_is_a_store_error(tmp_path: Path, array: np.ndarray):
    np.save(tmp_path / "v.npy", array)
    with pytest.raises(StoreError, match="wanted float16"):
        open_npy(tmp_path / "v.npy", dimension=8)


def test_a_pickled_array_is_a_store_error_and_is_never_run(tmp_path: Path):
    np.save(tmp_path / "v.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(StoreError):
        open_npy(tmp_path / "v.npy")


def test_widening_is_exact_for_every_finite_float16():
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = halves[np.isfinite(halves)].reshape(-1, 8)
    np.testing.assert_array_equal(widen(finite).view(np.int32), finite.astype(np.float32).view(np.int32))


def test_spread_is_nothing_for_equal_rows_and_one_for_rows_in_all_directions():
    same = np.tile(np.eye(1, 8, dtype=np.float16), (40, 1))
    both = np.concatenate([np.eye(8), -np.eye(8)]).astype(np.float16)
    assert Vectors([same]).spread() == 0.0
    assert Vectors([np.concatenate([same, np.zeros((5, 8), np.float16)])]).spread() == 0.0
    assert Vectors([both]).spread() == 1.0
    assert Vectors([np.zeros((0, 8), np.float16)]).spread() == Vectors([np.zeros((3, 8), np.float16)]).spread() == 0.0
