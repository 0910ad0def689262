"""The evasion suite: prompts are hidden in seventeen ways, and looked for.

    python -m benchmarks.evasion --data DIR [--texts N] [--asked N] [--seed 0]

DIR holds Parquet files with a column `text` (the sets of `measure.SETS`). Everything random follows from --seed. Results go to
benchmarks/results/evasion.json.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.evasion import attacks
from benchmarks.evasion.attack import apply
from benchmarks.evasion.measure import Corpus, Pairs, Prepared, Product, Scores, by_original, load, threshold
from benchmarks.evasion.report import table

PARTNERS = 50  # unrelated texts that each original is scored with


def main() -> None:
    """Measure, store, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=200, help="originals that are attacked")
    parser.add_argument("--asked", type=int, default=100, help="originals that a store is asked for as well")
    parser.add_argument("--background", type=int, default=4_000, help="unrelated prompts in the store")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    facts = machine.facts()
    corpus = load(options.data, options.texts, options.background, options.seed)
    pairs = Pairs()
    originals = pairs.prepare(corpus.originals)
    limits = limits_of(corpus, pairs, originals, options.seed)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as work:
        product = Product(corpus, Path(work))
        for attack in attacks():
            for level in attack.levels:
                sent = apply(attack, level, corpus.originals, corpus.filler, options.seed)
                prepared, owners = pairs.prepare([one.text for one in sent]), [one.row for one in sent]
                numbers = range(len(sent))
                scored = {
                    "lexical": by_original(sent, pairs.lexical(prepared, numbers, originals, owners), options.texts),
                    "semantic": by_original(sent, pairs.semantic(prepared, numbers, originals, owners), options.texts),
                }
                scored["together"] = np.maximum(scored["lexical"], scored["semantic"])
                found = {view: scores > limits[view] for view, scores in scored.items()}
                asked = np.zeros((options.asked, 3), bool)
                for one in sent:
                    if one.row < options.asked:
                        asked[one.row] |= product.views(one.row, one.text)
                views = dict(zip(("lexical", "semantic", "together"), asked.T, strict=True))
                target = attack.easier.get(level, attack.target)
                rows.append({"attack": attack.name, "level": level, "target": target} | {
                    "pairs": shares(found), "store": shares(views)
                })  # fmt: skip
                print(attack.name, level, rows[-1]["pairs"], rows[-1]["store"], flush=True)
    sizes = {
        "originals": options.texts,
        "asked": options.asked,
        "indexed": options.texts + options.background,
        "unrelated_pairs": options.texts * PARTNERS,
    }
    result = {"machine": facts, "sizes": sizes, "seed": options.seed, "thresholds": limits, "rows": rows}
    machine.store("evasion", result)
    print(table(result))


def limits_of(corpus: Corpus, pairs: Pairs, originals: Prepared, seed: int) -> dict[str, float]:
    """Return what the score of each view must exceed, from pairs of originals with texts of others."""
    dice = random.Random(seed)
    others = pairs.prepare(corpus.unrelated)
    columns = [dice.randrange(len(corpus.unrelated)) for _ in range(len(corpus.originals) * PARTNERS)]
    rows = [place // PARTNERS for place in range(len(columns))]
    lexical = pairs.lexical(originals, rows, others, columns)
    semantic = pairs.semantic(originals, rows, others, columns)
    scores = {"lexical": lexical, "semantic": semantic, "together": np.maximum(lexical, semantic)}
    return {view: threshold(found) for view, found in scores.items()}


def shares(found: dict[str, Scores]) -> dict[str, float]:
    """Return the share found by each view, and by one of the two alone."""
    lexical, semantic = found["lexical"], found["semantic"]
    views = {view: float(rows.mean()) for view, rows in found.items()}
    return views | {
        "only_lexical": float((lexical & ~semantic).mean()),
        "only_semantic": float((semantic & ~lexical).mean()),
    }


if __name__ == "__main__":
    main()
