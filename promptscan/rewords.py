"""Rewords: pairs that no shared wording relates, scored by what the encoder makes of their meaning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promptscan.calibrate import Cosine
from promptscan.scripts import Script, dominant_script
from promptscan.verify import Edges, Relation


def type_rewords(edges: Edges, texts: Sequence[str], cosine: Cosine) -> Edges:
    """Give the pairs that verification found nothing for their cosine, and tell translations from rewordings.

    A translation is told by its letters: most of one text's are of another script than most of the other's. Spanish and
    English share theirs, so a translation between them stays a reword.

    Args:
        edges: verified pairs.
        texts: clean texts that the pairs are indices of.
        cosine: cosine of the vectors of such pairs.

    Returns:
        As many edges in the same order; of `REWORD` edges the score is the cosine (0 if negative), and those across scripts
        are `TRANSLATE`. Whether they hold is for a threshold to say (`Edges.at_least`).
    """
    rows = np.flatnonzero(edges.kind == Relation.REWORD)
    kind, score = edges.kind.copy(), edges.score.copy()
    ends = np.stack([edges.a[rows], edges.b[rows]])
    score[rows] = np.clip(cosine(ends[0], ends[1]), 0, 1)
    ids, where = np.unique(ends, return_inverse=True)
    script = dominant_script([texts[i] for i in ids.tolist()])[where.reshape(ends.shape)]
    across = (script[0] != script[1]) & (script != Script.NONE).all(axis=0)
    kind[rows[across]] = Relation.TRANSLATE
    return Edges(edges.a, edges.b, kind, score)
