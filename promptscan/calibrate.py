"""Calibration: how alike unrelated texts of this store are, and the thresholds that keep them apart.

Two support tickets of one shop look alike, two questions to an encyclopaedia do not; a cosine of .7 says nothing without the
store it comes from. So thresholds are read off the store's own background, random pairs of texts that no verified edge
connects, at a stated false-positive rate: the share of such pairs that still reach them. What a relation means is not left to
the background, though: an edit shares .8 of its characters wherever it is, and the background can only ask for more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from promptscan.errors import UsageError
from promptscan.rewords import Cosine, type_rewords
from promptscan.verify import CONTAIN, EDIT, TEMPLATE, Edges, Relation, threshold_at, verify_pairs

PAIRS = 100_000
"""Background pairs that show a rate of 1e-4 with ten of them."""

BACKGROUND_TEXTS = 20_000
"""Most texts that background pairs are of: each is read and cut into words once, whatever the number of pairs."""

RATE = 1e-4
"""Share of the background pairs that may reach a threshold."""

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The lowest score that relates two texts, for each kind of edge.

    Attributes:
        edit, contain, template: scores of `promptscan.verify`, 0..1.
        reword, translate: scores of `promptscan.rewords`, 0..1.
        false_positive_rate: share of unrelated pairs that may reach one of them by mistake, for each kind by itself.
        pairs: background pairs that these were read off; 0 when there were too few, and these are built in.
    """

    edit: float
    contain: float
    template: float
    reword: float
    translate: float
    false_positive_rate: float
    pairs: int

    def by_relation(self) -> dict[Relation, float]:
        """Return the threshold of each relation, as `Edges.at_least` wants them."""
        return {
            Relation.COPY: 1.0,
            Relation.EDIT: self.edit,
            Relation.CONTAIN: self.contain,
            Relation.TEMPLATE: self.template,
            Relation.REWORD: self.reword,
            Relation.TRANSLATE: self.translate,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the thresholds as JSON has them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """Return what `to_dict` wrote."""
        return cls(**state)


BUILT_IN = Thresholds(EDIT, CONTAIN, TEMPLATE, reword=0.7, translate=0.9, false_positive_rate=RATE, pairs=0)
"""What the relations mean at least, and what is used for the others where no background says."""


def components(n: int, edges: Edges) -> Int64:
    """Return a number for each of `n` texts, equal for texts that verified edges connect, if over others. int64 (n,)."""
    related = edges.kind < Relation.REWORD
    links = (np.ones(int(related.sum()), np.int8), (edges.a[related], edges.b[related]))
    component: NDArray[np.int32] = connected_components(coo_array(links, shape=(n, n)), directed=False)[1]
    return component.astype(np.int64)


def background_pairs(component: Int64, *, wanted: int = PAIRS, seed: int = 0) -> Int64:
    """Draw random pairs of unrelated texts.

    One text stands for each component, drawn at random, so that a family that is half of the store is one text among others
    and never paired with itself.

    Args:
        component: of each text, as `components` returns it. int64 (n,).
        wanted: number of pairs.
        seed: the same pairs for the same seed.

    Returns:
        Pairs of text ids, each once, of at most `BACKGROUND_TEXTS` texts; all there are when there are fewer than wanted.
        int64 (p, 2).
    """
    if wanted < 0:
        raise UsageError(f"{wanted} background pairs: wanted 0 or more")
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(component))
    _, first = np.unique(component[shuffled], return_index=True)
    texts = rng.permutation(shuffled[first])[:BACKGROUND_TEXTS]
    possible = len(texts) * (len(texts) - 1) // 2
    number = np.zeros(0, np.int64)
    if possible:
        number = np.sort(rng.choice(possible, min(wanted, possible), replace=False, shuffle=False))
    # numbers count through the rows of a triangle of pairs; exact in float64 for any number of texts up to 2**26
    larger = ((1 + np.sqrt(1 + 8 * number.astype(np.float64))) / 2).astype(np.int64)
    return np.stack([texts[number - larger * (larger - 1) // 2], texts[larger]], axis=1).astype(np.int64)


def calibrate(
    texts: Sequence[str],
    cosine: Cosine,
    pairs: Int64,
    *,
    false_positive_rate: float = RATE,
    floors: Thresholds = BUILT_IN,
) -> Thresholds:
    """Read thresholds off pairs of unrelated texts.

    A background pair counts against the kind of edge that verification would make of it, and against no other.

    Args:
        texts: clean texts that the pairs are indices of.
        cosine: cosine of the vectors of such pairs.
        pairs: unrelated texts, as `background_pairs` draws them. int64 (p, 2).
        false_positive_rate: share of the pairs that may reach the threshold of a kind, 0..1.
        floors: what the lexical thresholds are at least. The scores of rewords and translations have no meaning of their own:
            theirs are only used where too few of the pairs are without shared wording.

    Returns:
        For each kind the lowest threshold that at most this share of the pairs reaches, not below its floor and not above 1,
        since a text that holds another whole holds it, whatever the background. With fewer pairs than show the rate
        (1 / rate) the floors themselves, `pairs` 0.
    """
    if not 0 < false_positive_rate < 1:
        raise UsageError(f"false-positive rate {false_positive_rate}: wanted more than 0 and less than 1")
    if len(pairs) * false_positive_rate < 1:
        return replace(floors, false_positive_rate=false_positive_rate, pairs=0)
    a, b = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    edges = type_rewords(verify_pairs(texts, a, b), texts, cosine)
    apart = edges.kind >= Relation.REWORD
    enough = np.count_nonzero(apart) * false_positive_rate >= 1

    def lowest(counted: NDArray[np.bool_], scores: Float32, floor: float) -> float:
        reached = np.where(counted, scores, np.float32(0))
        return min(max(threshold_at(reached, false_positive_rate), floor), 1.0)

    return Thresholds(
        lowest(edges.kind == Relation.EDIT, edges.score, floors.edit),
        lowest(edges.kind == Relation.CONTAIN, edges.score, floors.contain),
        lowest(edges.kind == Relation.TEMPLATE, edges.score, floors.template),
        lowest(edges.kind == Relation.REWORD, edges.score, 0.0 if enough else floors.reword),
        # few pairs of a background are across scripts, so all of them say what a cosine is worth
        lowest(apart, cosine(a, b), 0.0 if enough else floors.translate),
        false_positive_rate,
        len(pairs),
    )
