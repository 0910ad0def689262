"""Related texts against labels: pairs at stated false-positive rates, groups of duplicates, and what calibration says.

    python -m benchmarks.duplicates --data DIR [--minilm] [--pairs N]

DIR holds Parquet files of labelled texts, and sim/log.parquet. Everything is compared on clean texts.

* Recall of pairs: the share of labelled pairs (none of them copies) whose score reaches the threshold that at most 1e-2, 1e-3 or
  1e-4 of unrelated pairs reach. Unrelated are random pairs of human prompts of eight sets; and, harder, pairs of the labelled
  set itself that no label connects. Scores: `similarity` of characters, `shared` wording, `fingerprints` of the smaller text
  that both have, `cosine` of the static encoder, and of MiniLM; and `edge`, what a store makes of a pair that is proposed: an
  edge of any kind, with thresholds calibrated on one half of the unrelated pairs. Its true rate is measured on the other half.
  Within reach: the share that has a fingerprint in common or a cosine of .875, .7, .5, so that the pair may be proposed.
* Adjusted Rand index of duplicate groups: the whole way from match keys over the candidates of both views and verification to
  groups, among 2,000 human prompts that are alone. Of prompts, and of distinct texts (copies do not count then).
* What calibration says about stores: human prompts, short questions to a bank, real texts on simulated accounts. The observed
  rate is that of edges of any kind among as many other pairs of the store.
* The decisions of another tool (weak labels): how many of the texts that it kept and dropped as near-duplicates have an edge.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import pair_confusion_matrix

from benchmarks import machine
from benchmarks.chain import Compared, compare, cosine_of, grouped
from benchmarks.duplicates_table import WIDER, table
from benchmarks.labelled import (
    EDITED,
    GROUPS,
    HUMAN,
    PAIRS,
    SINGLES,
    LabelledTexts,
    distinct_texts,
    edited_texts,
    labelled_pairs,
    labelled_texts,
    open_sets,
)
from benchmarks.pair_recall import measured, negatives, typed
from promptscan.calibrate import BUILT_IN, background_pairs, calibrate, components
from promptscan.candidates import NEAR
from promptscan.embed import Encoder, load_encoder
from promptscan.verify import EDIT, Relation

STORE_RATES = (1e-3, 1e-4, 1e-5)
SWEPT = (0.6, 0.7, 0.75, 0.85, 0.9)
UNRELATED, NEGATIVES, STORE_PAIRS = 40_000, 20_000, 200_000
TOOL = "gpteacher_toolformer_dedupe"
TOOL_THRESHOLDS = ("0.6", "0.7", "0.8", "0.9")


def main() -> None:
    """Measure, store, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minilm", action="store_true", help="score pairs with MiniLM too: many minutes")
    parser.add_argument("--pairs", type=int, default=2000, help="most labelled pairs per set")
    options = parser.parse_args()
    facts, begin = machine.facts(), time.perf_counter()
    con, static = open_sets(options.data), load_encoder("static")
    con.execute(f"CREATE VIEW sim AS FROM '{options.data / 'sim' / 'log.parquet'}'")
    stores = {
        name: compare(static, distinct_texts(con, sets))
        for name, sets in (("human prompts", HUMAN), ("banking77", ("banking77",)), ("sim", ("sim",)))
    }
    people = stores["human prompts"]
    encoders = {"cosine": static, **({"minilm": load_encoder("minilm")} if options.minilm else {})}
    result = {
        "machine": facts,
        "stores": {name: calibrated(store) for name, store in stores.items()},
        "groups": groups(con, static, people.texts),
        "tool": decisions(con, static),
        **pairs(con, encoders, people, options.pairs),
    }
    result["seconds"] = time.perf_counter() - begin
    machine.store("duplicates", result)
    print(table(result))


def calibrated(store: Compared) -> dict[str, Any]:
    """Calibrate on a store's own background, and measure the rates on other pairs of it."""
    component = components(len(store.texts), store.edges)
    drawn = background_pairs(component, wanted=STORE_PAIRS)
    others = typed(store.texts, background_pairs(component, wanted=STORE_PAIRS, seed=1), store.cosine)
    rates = {}
    for rate in STORE_RATES:
        begin = time.perf_counter()
        found = calibrate(store.texts, store.cosine, drawn, false_positive_rate=rate)
        seconds = time.perf_counter() - begin
        edges = others.at_least(found.by_relation())
        rates[f"{rate:g}"] = {
            **found.to_dict(),
            "observed": len(edges.a) / len(others.a),
            "observed_reword": float((edges.kind >= Relation.REWORD).sum()) / len(others.a),
            "seconds": seconds,
        }
    return {"texts": len(store.texts), "components": int(component.max()) + 1, "rates": rates}


def pairs(con: Any, encoders: dict[str, Encoder], people: Compared, most: int) -> dict[str, Any]:
    """Measure recall of every set of pairs."""
    component = components(len(people.texts), people.edges)
    drawn = background_pairs(component, wanted=UNRELATED, seed=2)
    ids, local = np.unique(drawn, return_inverse=True)
    texts = [people.texts[i] for i in ids.tolist()]
    human = negatives(
        texts, local.reshape(drawn.shape), {name: cosine_of(encoder, texts) for name, encoder in encoders.items()}
    )
    sets = {}
    for name in PAIRS:
        labelled = labelled_pairs(con, name, most=most, negatives=NEGATIVES)
        cosines = {score: cosine_of(encoder, labelled.texts) for score, encoder in encoders.items()}
        sets[name] = measured(labelled, cosines, human)
        print(name, sets[name]["human"], flush=True)
    return {"pairs": sets, "human_observed": {f"{rate:g}": share for rate, share in human.observed.items()}}


def groups(con: Any, encoder: Encoder, people: Sequence[str]) -> dict[str, Any]:
    """Judge duplicate groups of every set, by the threshold of today, the calibrated one and others."""
    shuffled = np.random.default_rng(0).permutation(len(people)).tolist()
    singles = [people[i] for i in shuffled[:SINGLES]]
    originals = [people[i] for i in shuffled[SINGLES : SINGLES + EDITED]]
    sets = {name: labelled_texts(con, name, singles) for name in GROUPS}
    sets["human prompts with typos"] = edited_texts(originals, singles)
    return {name: judged(one, encoder) for name, one in sets.items()}


def judged(labelled: LabelledTexts, encoder: Encoder) -> dict[str, Any]:
    """Compare groups with labels, by the lowest similarity in a group and by how far neighbours are proposed."""
    compared = compare(encoder, labelled.texts)
    background = background_pairs(components(len(compared.texts), compared.edges))
    thresholds = calibrate(compared.texts, compared.cosine, background)
    sizes = np.bincount(labelled.labels)
    sizes = np.bincount(labelled.labels)
    return {
        "texts": len(labelled.texts),
        "prompts": int(labelled.times.sum()),
        "groups": int((sizes > 1).sum()),
        "calibrated": thresholds.edit,
        "by_threshold": {f"{t:.4g}": agreement(labelled, compared, t) for t in sorted({*SWEPT, EDIT, thresholds.edit})},
        "by_distance": {
            f"{near:g}": agreement(labelled, compare(encoder, labelled.texts, near=near), EDIT)
            for near in (NEAR, *WIDER)
        },
    }


def agreement(labelled: LabelledTexts, compared: Compared, threshold: float) -> dict[str, float]:
    """Return how well groups of texts from a similarity on agree with labels, and how many pairs were compared for them."""
    found = grouped(compared, threshold).labels
    found = np.where(found < 0, len(found) + np.arange(len(found)), found)
    (_, false), (missed, true) = pair_confusion_matrix(labelled.labels, found).tolist()
    return {
        "ari": adjusted_rand_score(np.repeat(labelled.labels, labelled.times), np.repeat(found, labelled.times)),
        "ari_distinct": adjusted_rand_score(labelled.labels, found),
        "precision": true / max(1, true + false),
        "recall": true / max(1, true + missed),
        "compared": len(compared.edges.a),
    }


def decisions(con: Any, encoder: Encoder) -> dict[str, Any]:
    """Return how many of the texts that another tool kept and dropped have an edge to another text."""
    columns = ", ".join(f'"kept_{threshold}"' for threshold in TOOL_THRESHOLDS)
    rows = {text: kept for text, *kept in con.execute(f"SELECT text, {columns} FROM {TOOL}").fetchall()}
    compared = compare(encoder, list(rows))
    kept = np.array([[value in {True, "true"} for value in row] for row in rows.values()])
    linked = {}
    for name, wanted in (("edit", {Relation.COPY: 1.0, Relation.EDIT: EDIT}), ("any", BUILT_IN.by_relation())):
        edges = compared.edges.at_least(wanted)
        has = np.zeros(len(kept), bool)
        has[np.concatenate([edges.a, edges.b])] = True
        linked[name] = {
            threshold: {"dropped": float(has[~kept[:, i]].mean()), "kept": float(has[kept[:, i]].mean())}
            for i, threshold in enumerate(TOOL_THRESHOLDS)
        }
    return {
        "texts": len(rows),
        "linked": linked,
        "dropped": dict(zip(TOOL_THRESHOLDS, (~kept).mean(axis=0).tolist(), strict=True)),
    }


if __name__ == "__main__":
    main()
