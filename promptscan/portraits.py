"""Portraits: what stands for a family. Made from a sample of its texts, which few further texts change.

The sample of a family are those of its texts that come first in one fixed, shuffled order of all texts. So a family that
grows from 1,000 texts to 1,010 mostly keeps its sample, and with it everything that was made from it: a portrait depends on the
family's texts alone, however they came together, and costs nothing where the sample is the same as before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from promptscan.cleans import CleanTexts
from promptscan.reuse import Reuse, reuse
from promptscan.vectors import Vectors

EXEMPLARS = 64  # members of a family its exemplar is chosen from
SAMPLE = 24  # members compared with the exemplar to measure template reuse
LENGTH = 4_000  # characters of a text that are looked at
TOGETHER = 256  # families whose vectors are read at once

_SHUFFLE = 2_654_435_761  # 2^32 / golden ratio: multiples of it, mod 2^32, are spread evenly (Knuth 1973, 6.4)

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Samples:
    """Texts of families.

    Attributes:
        families: int64 (f,), numbers of the families, ascending.
        rows: int64, clean ids, family by family, in the shuffled order.
        starts: int64 (f + 1,); those of family i are rows[starts[i]:starts[i + 1]].
    """

    families: Int64
    rows: Int64
    starts: Int64

    def of(self, place: int, most: int) -> Int64:
        """Return at most so many texts of the family at a place."""
        return self.rows[self.starts[place] : min(self.starts[place] + most, self.starts[place + 1])]


@dataclass(frozen=True, slots=True)
class Portrait:
    """What stands for one family.

    Attributes:
        exemplar: clean id of the member nearest to the mean of its sample.
        text: the exemplar's text, cut to 4,000 characters.
        reuse: how alike its texts are worded.
        others: texts of the sample that were compared with it, the exemplar among them where it is of those.
    """

    exemplar: int
    text: str
    reuse: Reuse
    others: tuple[str, ...]


def shuffled(cleans: Int64) -> Int64:
    """Return the place of clean ids in the shuffled order, int64 (n,), 0 .. 2^32 - 1."""
    return cleans * _SHUFFLE % (1 << 32)


def draw(numbers: Int64, families: Int64, most: int = EXEMPLARS) -> Samples:
    """Sample families.

    Args:
        numbers: int64 (n,), number of each clean text's family, -1 for none.
        families: int64 (f,), whose texts are wanted, ascending; one without texts has an empty sample.
        most: texts of each.
    """
    wanted = np.zeros(max(int(numbers.max(initial=-1)), int(families.max(initial=-1))) + 2, bool)
    wanted[families] = True  # the last one is read by -1, none
    rows = np.flatnonzero(wanted[numbers])
    rows = rows[np.lexsort((rows, shuffled(rows), numbers[rows]))]
    own = numbers[rows]
    begins = np.searchsorted(own, families)
    near = np.arange(len(rows)) - np.searchsorted(own, own) < most
    counts = np.minimum(np.searchsorted(own, families, side="right") - begins, most)
    return Samples(families, rows[near], np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


def touched(before: Int64, now: Int64) -> Int64:
    """Return the families, ascending, that have other texts than before; int64 (n,) both, -1 for none."""
    other = before != now
    found = np.unique(np.concatenate([before[other], now[other]]))
    return found[found >= 0]


def resampled(before: Int64, now: Int64, families: Int64, most: int = EXEMPLARS) -> NDArray[np.bool_]:
    """Tell which families have another sample than before: bool (f,), for those of `families`, ascending."""
    former, latter = (_codes(draw(numbers, families, most)) for numbers in (before, now))
    return np.isin(families, np.setxor1d(former, latter, assume_unique=True) >> 32)


def _codes(samples: Samples) -> Int64:
    """Return family and text of each row of samples as one number."""
    return np.repeat(samples.families, np.diff(samples.starts)) << 32 | samples.rows


def portray(samples: Samples, vectors: Vectors, texts: CleanTexts) -> list[Portrait]:
    """Portray families: each from its sample alone, so that the same sample gives the same portrait."""
    exemplars = _exemplars(samples, vectors)
    picked = [samples.of(place, SAMPLE) for place in range(len(samples.families))]
    wanted = np.unique(np.concatenate([exemplars, *picked])) if picked else np.zeros(0, dtype=np.int64)
    known = pc.utf8_slice_codeunits(texts.array(wanted), 0, LENGTH).to_pylist() if len(wanted) else []
    text = dict(zip(wanted.tolist(), known, strict=True))
    found = []
    for exemplar, rows in zip(exemplars.tolist(), picked, strict=True):
        others = {row: text[row] for row in rows.tolist()}
        alike = reuse(text[exemplar], [other for row, other in others.items() if row != exemplar])
        found.append(Portrait(exemplar, text[exemplar], alike, tuple(others.values())))
    return found


def _exemplars(samples: Samples, vectors: Vectors) -> Int64:
    """Choose the member nearest to the mean of each sample; ties go to the lowest clean id."""
    chosen = np.zeros(len(samples.families), dtype=np.int64)
    for first in range(0, len(chosen), TOGETHER):
        stop = min(first + TOGETHER, len(chosen))
        begin = int(samples.starts[first])
        rows = samples.rows[begin : samples.starts[stop]]
        together = np.sort(rows)
        block = vectors.take(together)
        for place in range(first, stop):
            own = np.sort(rows[samples.starts[place] - begin : samples.starts[place + 1] - begin])
            near = block[np.searchsorted(together, own)]
            chosen[place] = own[int(np.argmax(np.round(near @ near.mean(axis=0), 6)))]
    return chosen
