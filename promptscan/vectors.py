"""Vectors: many float16 files seen as one matrix, without copying them.

A store keeps the vectors of each segment in its own `.npy` file. Everything to the right of this module (the index, the
neighbour graph) wants one matrix with one row per text; `Vectors` gives it that view and reads only what is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from promptscan.errors import StoreError, UsageError

Float16 = NDArray[np.float16]
Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

_FLOAT16_BITS = np.int32(-0x70002000)  # sign, 5 bits of exponent and 10 of fraction where float32 has them
_BIAS = np.float32(2.0**112)
_ZERO_NORM = 1e-3  # float16 rows are unit norm to 5e-4 or exactly zero; anything below this is a zero row


class Vectors:
    """A stack of float16 arrays seen as one (n, d) matrix.

    Rows are unit norm or all zero (a text without any known token). Float16 keeps a unit norm to about 5e-4 only, so every
    read returns float32 rows that are normalised again: inner products are cosines to float32 precision.

    Args:
        parts: float16 (n_i, d) arrays or memory maps, all with the same d; not copied.
        dimension: d, needed only where there may be no part at all.
    """

    def __init__(self, parts: Sequence[Float16], *, dimension: int | None = None) -> None:
        if not parts and dimension is None:
            raise UsageError("vectors without any part need a dimension")
        d = int(parts[0].shape[1]) if parts and parts[0].ndim == 2 else int(dimension or 0)
        for i, part in enumerate(parts):
            if part.dtype != np.float16 or part.ndim != 2 or part.shape[1] != d or (dimension or d) != d:
                found = f"{part.dtype} {part.shape}"
                raise UsageError(f"vectors part {i} is {found}; wanted float16 (n, {dimension or d})")
        self._parts = tuple(parts)
        self._d = d
        self._starts: Int64 = np.concatenate([[0], np.cumsum([len(p) for p in parts], dtype=np.int64)]).astype(np.int64)

    @classmethod
    def open(cls, paths: Sequence[Path], *, dimension: int | None = None) -> Self:
        """Map `.npy` files into one matrix; see `open_npy`."""
        return cls([open_npy(path, dimension=dimension) for path in paths], dimension=dimension)

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self._starts[-1])

    @property
    def d(self) -> int:
        """Number of dimensions."""
        return self._d

    @property
    def parts(self) -> tuple[Float16, ...]:
        """The arrays as they were given, in row order."""
        return self._parts

    @property
    def starts(self) -> Int64:
        """int64 (parts + 1,): first row of each part, then n."""
        return self._starts

    def take(self, rows: Int64) -> Float32:
        """Read single rows.

        Args:
            rows: int (m,), each in 0..n-1, in any order, repeats allowed.

        Returns:
            float32 (m, d), unit norm or zero, in the order asked for.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= self.n):
            raise UsageError(f"vector rows {rows.min()}..{rows.max()} asked for; there are {self.n}")
        out = np.empty((len(rows), self._d), dtype=np.float32)
        if (rows[1:] >= rows[:-1]).all():  # as they are mostly asked for: each part's rows lie together
            bounds = np.searchsorted(rows, self._starts)
            for i in np.flatnonzero(np.diff(bounds)).tolist():
                where = slice(bounds[i], bounds[i + 1])
                widen(self._parts[i][rows[where] - self._starts[i]], out[where])
            return _normalise(out)
        part_of = np.searchsorted(self._starts, rows, side="right") - 1
        for i in np.unique(part_of):
            chosen = np.flatnonzero(part_of == i)
            out[chosen] = widen(self._parts[i][rows[chosen] - self._starts[i]])
        return _normalise(out)

    def cosines(self, a: Int64, b: Int64, *, rows_per_block: int = 16_384) -> Float32:
        """Return the cosine of each pair of rows, -1..1, 0 with a zero row. a, b: int (p,); float32 (p,)."""
        out = np.empty(len(a), dtype=np.float32)
        for start in range(0, len(a), rows_per_block):
            part = slice(start, start + rows_per_block)
            np.einsum("ij,ij->i", self.take(a[part]), self.take(b[part]), out=out[part])
        return out

    def range(self, start: int, stop: int) -> Float32:
        """Read the rows start..stop-1 as float32 (stop - start, d), unit norm or zero."""
        start, stop = max(0, start), min(stop, self.n)
        out = np.empty((max(0, stop - start), self._d), dtype=np.float32)
        for i, part in enumerate(self._parts):
            first = int(self._starts[i])
            lo, hi = max(start, first), min(stop, first + len(part))
            if lo < hi:
                widen(part[lo - first : hi - first], out[lo - start : hi - start])
        return _normalise(out)

    def spread(self, *, sample: int = 4_096, seed: int = 0) -> float:
        """Return the total variance of the rows that are not zero, 0..1, over a sample of them; 0 where they are all the same."""
        rows = self.take(self.sample(sample, seed=seed))
        rows = rows[rows.any(axis=1)]
        return max(0.0, 1.0 - float((rows.mean(axis=0, dtype=np.float64) ** 2).sum())) if len(rows) else 0.0

    def blocks(self, rows_per_block: int = 16_384, *, start: int = 0) -> Iterator[tuple[int, Float32]]:
        """Go through the rows from `start` on; yields (first row, float32 (m, d)) with m <= rows_per_block."""
        for first in range(start, self.n, rows_per_block):
            yield first, self.range(first, min(first + rows_per_block, self.n))

    def sample(self, size: int, *, seed: int, start: int = 0) -> Int64:
        """int64 (m,): sorted distinct rows >= start, drawn without replacement; all of them when there are no more."""
        available = self.n - start
        if available <= size:
            return np.arange(start, self.n, dtype=np.int64)
        drawn = np.random.default_rng(seed).choice(available, size=size, replace=False)
        return np.sort(drawn).astype(np.int64) + start


def unit(rows: NDArray[np.floating]) -> Float32:
    """Copy rows to float32 (m, d) of unit norm; rows that are (nearly) zero become zero."""
    return _normalise(np.array(rows, dtype=np.float32, order="C"))


def widen(rows: Float16, out: Float32 | None = None) -> Float32:
    """Convert finite float16 (m, d) to float32 exactly, six times as fast as numpy's scalar loop; into `out` if it is given.

    Sign, exponent and fraction keep their order in both formats: they are shifted into place, and the product makes up
    for the difference of the exponent biases (127 - 15), for subnormal numbers too.
    """
    floats = np.empty(rows.shape, dtype=np.float32) if out is None else out
    bits = floats.view(np.int32)
    bits[...] = np.ascontiguousarray(rows).view(np.int16)
    bits <<= 13
    bits &= _FLOAT16_BITS
    floats *= _BIAS
    return floats


def _normalise(block: Float32) -> Float32:
    norms = np.sqrt(np.einsum("ij,ij->i", block, block))
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > _ZERO_NORM)
    block *= scale[:, None]
    return block


def open_npy(path: Path, *, dimension: int | None = None) -> Float16:
    """Map one vector file read-only.

    Args:
        path: a `.npy` file holding a C-ordered float16 (n, d) array.
        dimension: the d that is wanted, or None for any.

    Returns:
        float16 (n, d), a read-only memory map (a plain array when n is 0: an empty file region cannot be mapped).

    Raises:
        StoreError: the file is missing, cut short, no `.npy`, or holds something else.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read_header(file)
            offset = file.tell()
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise StoreError(f"{path.name}: not a readable vector file ({error}); run fsck") from error
    wanted = "float16 (n, d)" if dimension is None else f"float16 (n, {dimension})"
    if dtype != np.float16 or fortran or len(shape) != 2 or (dimension is not None and shape[1] != dimension):
        raise StoreError(f"{path.name}: holds {dtype} {shape}, wanted {wanted}; run fsck")
    if size != offset + 2 * shape[0] * shape[1]:
        raise StoreError(f"{path.name}: {size} bytes, its header says {offset + 2 * shape[0] * shape[1]}; run fsck")
    if shape[0] * shape[1] == 0:
        return np.empty(shape, dtype=np.float16)
    return np.memmap(path, dtype=np.float16, mode="r", offset=offset, shape=shape)
