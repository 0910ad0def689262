"""The texts: labelled sets, human background to hide them in, and intents, which are no families."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.labelled import cleaned, open_sets
from benchmarks.partitions import Int64

LABELLED = ("distill_pipelines", "t0_templates", "flan_cot", "purplellama_cyber", "bbh_bbeh")
BACKGROUND = ("sharegpt_sample1k", "hh_rlhf_harmless_test", "oasst1_en_val", "oasst_eval_prompts")
INTENTS = ("banking77", "snips_nlu", "restaurant8k")
SMALLEST = 5  # texts of a label in the sample: those of smaller ones are no family to find


@dataclass(frozen=True, slots=True)
class Sample:
    """Distinct clean texts and what is known of them.

    Attributes:
        texts: in random order.
        gold: family of each, -1 for background. int64 (n,).
        source: index of the set that each is of, in the order they were asked for. int64 (n,).
    """

    texts: list[str]
    gold: Int64
    source: Int64

    def take(self, rows: Int64) -> Sample:
        """Return some of the texts, in that order."""
        return Sample([self.texts[row] for row in rows.tolist()], self.gold[rows], self.source[rows])


def sample(data: Path, names: tuple[str, ...], size: int, *, background: int = 0) -> Sample:
    """Read up to `size` texts of each set, and `background` human ones; the same ones every time.

    Labels with few texts in the sample, and texts without a label, are left out; a set without labels has its name for one.
    """
    rng = np.random.default_rng(0)
    con = open_sets(data)
    found: dict[str, tuple[str | None, int]] = {}
    for number, name in enumerate(names):
        rows = con.execute(f'SELECT text, family FROM "{name}" ORDER BY 1, 2').fetchall()
        rows = [row for row in rows if row[1] is not None] or [(text, name) for text, _ in rows]
        chosen = [rows[i] for i in rng.permutation(len(rows))[:size]]
        label = dict(zip(cleaned([text for text, _ in chosen]), [str(family) for _, family in chosen], strict=True))
        many = {family for family, count in Counter(label.values()).items() if count >= SMALLEST}
        found |= {text: (f"{name}: {family}", number) for text, family in label.items() if text and family in many}
    union = " UNION ALL ".join(f'SELECT text FROM "{name}"' for name in BACKGROUND)
    human = sorted(set(cleaned([row[0] for row in con.execute(union).fetchall()])) - set(found) - {""})
    if background:
        found |= {human[i]: (None, len(names)) for i in rng.permutation(len(human))[:background]}
    texts = list(found)
    numbers = {name: i for i, name in enumerate(sorted({family for family, _ in found.values() if family}))}
    gold = np.array([numbers[family] if family else -1 for family, _ in found.values()], np.int64)
    source = np.array([number for _, number in found.values()], np.int64)
    return Sample(texts, gold, source).take(rng.permutation(len(texts)))
