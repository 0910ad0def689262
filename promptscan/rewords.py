"""Rewords: pairs that too little shared wording relates, scored by their words and by what the encoder makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from promptscan.scripts import Script, dominant_script
from promptscan.verify import Edges, Relation

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Cosine = Callable[[Int64, Int64], Float32]
"""Returns the cosines of pairs of text ids; -1..1."""


def type_rewords(edges: Edges, texts: Sequence[str], cosine: Cosine) -> Edges:
    """Score the pairs that verification found nothing for, and tell translations from rewordings.

    A cosine and a similarity of words err on different pairs, so the mean of both tells paraphrases from unrelated texts far
    better than either (docs/decisions/007). A translation shares no words: only its cosine counts. It is told by its letters:
    most of one text's are of another script than most of the other's. Spanish and English share theirs, so a translation
    between them stays a reword.

    Args:
        edges: pairs as `verify_pairs` returns them.
        texts: clean texts that the pairs are indices of.
        cosine: cosine of the vectors of such pairs.

    Returns:
        As many edges in the same order. `REWORD` edges have the mean of cosine (0 if negative) and similarity of words for
        their score; those across scripts are `TRANSLATE` with their cosine. Whether they hold is for a threshold to say
        (`Edges.at_least`).
    """
    rows = np.flatnonzero(edges.kind == Relation.REWORD)
    kind, score = edges.kind.copy(), edges.score.copy()
    ends = np.stack([edges.a[rows], edges.b[rows]])
    near = np.clip(cosine(ends[0], ends[1]), 0, 1).astype(np.float32)
    ids, where = np.unique(ends, return_inverse=True)
    script = dominant_script([texts[i] for i in ids.tolist()])[where.reshape(ends.shape)]
    across = (script[0] != script[1]) & (script != Script.NONE).all(axis=0)
    kind[rows[across]] = Relation.TRANSLATE
    score[rows] = np.where(across, near, (near + score[rows]) / 2)
    return Edges(edges.a, edges.b, kind, score)
