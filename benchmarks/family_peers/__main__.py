"""Run every contestant on every task, store, print.

    python -m benchmarks.family_peers --data DIR [--only NAME ...] [--tasks TASK ...] [--fresh] [--limit SECONDS] [--python PATH]
    make family-peers DATA=DIR

Each contestant runs in a process of its own, promptscan in this Python and the peers in that of --python. promptscan gets a log
(its texts, accounts and times by chance) and does all it does; the peers get the vectors of the same encoder, already made.
Their time leaves out their start, the reading of their input and Numba's compilation; promptscan's has everything but its start.

* sets: up to --size texts of each labelled set alone, and among as many human ones; intents are no families.
* churn: labelled texts among human ones, labelled again in another order, with one text more, 1 % more and 10 % more; how many of
  the pairs of texts that were in one family are so no more. promptscan (added) scans what is more into the same store.

What was measured is stored as it comes and not measured again without --fresh, so a stopped run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import machine
from benchmarks.contest import run_alone, write_texts
from benchmarks.family_peers.contestants import CONTESTANTS
from benchmarks.family_peers.report import table
from benchmarks.family_peers.sets import INTENTS, LABELLED, Sample, sample
from benchmarks.partitions import Int64, ari, changed_pairs, singled, v_measure
from promptscan.config import DEFAULT_ENCODER
from promptscan.embed import embed_texts, load_encoder

PYTHON = Path("benchmarks/work/family-peers/bin/python")
ROOT = Path(__file__).resolve().parents[2]
PER_ACCOUNT = 5
START = datetime(2026, 1, 5, tzinfo=UTC)
CHURN_SET = "distill_pipelines"
CHURNED = ("promptscan", "BERTopic")
MORE = {"same input again": 0.0, "shuffled": 0.0, "one text more": 0.0, "1 % more": 0.01, "10 % more": 0.1}


@dataclass(frozen=True, slots=True)
class Arena:
    """Where contestants run.

    Attributes:
        python: of the peers.
        work: folder for inputs and outputs.
        limit: seconds after which a contestant is stopped.
        encoder: makes vectors of texts.
    """

    python: Path
    work: Path
    limit: float
    encoder: Any

    def contest(self, name: str, parts: list[Sample]) -> tuple[dict[str, Any], Int64]:
        """Run one contestant on texts that come in parts; return what it took, and its labels."""
        source, out = self.work / "task", self.work / "out"
        for folder in (source, out):
            shutil.rmtree(folder, ignore_errors=True)
        source.mkdir(parents=True)
        texts = [text for part in parts for text in part.texts]
        write_texts(source / "texts", texts)
        np.save(source / "vectors.npy", embed_texts(self.encoder, texts).vectors.astype(np.float32))
        first = 0
        for number, part in enumerate(parts):
            pq.write_table(log_of(part.texts, first), source / f"log-{number}.parquet")
            first += len(part.texts)
        module = "benchmarks.family_peers.alone"
        failed = run_alone(module, name, source, out, python=self.python, limit=self.limit, n=len(texts))
        if failed:
            return failed, np.full(len(texts), -1)
        labels = np.load(out / "labels.npy", allow_pickle=False)
        return json.loads((out / "result.json").read_text()), labels


def main() -> None:
    """Run what is asked for and was not run before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--only", nargs="+", choices=list(CONTESTANTS), default=list(CONTESTANTS), metavar="NAME")
    parser.add_argument(
        "--tasks", nargs="+", metavar="TASK", help="some tasks only, by their names in the results, or churn"
    )
    parser.add_argument("--python", type=Path, default=PYTHON, help="Python of the peers' environment")
    parser.add_argument("--work", type=Path, default=Path("benchmarks/work/family-peers-run"))
    parser.add_argument("--limit", type=float, default=300.0, help="seconds after which a contestant is stopped")
    parser.add_argument("--fresh", action="store_true", help="measure again what has results")
    options = parser.parse_args()
    arena = Arena(options.python, options.work, options.limit, load_encoder(DEFAULT_ENCODER))
    results = machine.load("family_peers")

    def fill(kind: str, task: str, name: str, measure: Callable[[], dict[str, Any]]) -> None:
        own = results.setdefault(kind, {}).setdefault(task, {})
        if name not in own or options.fresh:
            own[name] = {"machine": machine.facts(), **measure()}
            machine.store("family_peers", results)

    for task, texts in tasks(options.data, options.size).items():
        for name in options.only:
            if options.tasks is None or task in options.tasks:
                fill("sets", task, name, lambda t=texts, n=name: judged(arena, n, t))
    if options.tasks is None or "churn" in options.tasks:
        texts = sample(options.data, (CHURN_SET,), options.size, background=options.size)
        for name in CHURNED:
            if name in options.only:
                fill("churn", "another run", name, lambda n=name: churn(arena, n, texts))
        if "promptscan" in options.only:
            fill("churn", "added to the store", "promptscan", lambda: churn(arena, "promptscan", texts, added=True))
    shutil.rmtree(options.work, ignore_errors=True)
    print(table(results))


def tasks(data: Path, size: int) -> dict[str, Sample]:
    """Return the texts of every task, by name."""
    alone = {name: sample(data, (name,), size) for name in LABELLED}
    hidden = {f"{name}, hidden": sample(data, (name,), size, background=size) for name in LABELLED}
    return {**alone, **hidden, "intents": sample(data, INTENTS, size // 3)}


def log_of(texts: list[str], first: int) -> pa.Table:
    """Return prompts with accounts and times by chance; ids sort like the texts."""
    rng = np.random.default_rng(first)
    accounts = rng.integers(max(2, len(texts) // PER_ACCOUNT), size=len(texts))
    seconds = rng.integers(86_400, size=len(texts))
    return pa.table(
        {
            "prompt_id": [f"p{first + i:09d}" for i in range(len(texts))],
            "account_id": [f"a{account}" for account in accounts.tolist()],
            "ts": pa.array(np.datetime64(START.replace(tzinfo=None), "us") + seconds.astype("timedelta64[s]")),
            "text": texts,
        }
    )


def judged(arena: Arena, name: str, texts: Sample) -> dict[str, Any]:
    """Run one contestant and compare with the labels; background, and texts in no family, are each alone."""
    result, found = arena.contest(name, [texts])
    if "failed" in result:
        return result
    known = texts.gold >= 0
    gold = singled(texts.gold)
    by_set = [float((found[texts.source == i] >= 0).mean()) for i in np.unique(texts.source)]
    return {
        **result,
        "texts": len(found),
        "labels": len(np.unique(texts.gold[known])),
        "families": len(np.unique(found[found >= 0])),
        "ari": ari(gold, singled(found)),
        "v_measure": v_measure(gold[known], singled(found)[known]),
        "noise": float((found[known] < 0).mean()),
        "background_in": None if known.all() else float((found[~known] >= 0).mean()),
        "in_families_by_set": by_set,
    }


def churn(arena: Arena, name: str, texts: Sample, *, added: bool = False) -> dict[str, Any]:
    """Label texts, and label them again with others; return the share of pairs in one family that changed."""
    rng = np.random.default_rng(1)
    n = int(len(texts.texts) / (1 + max(MORE.values())))
    known = np.arange(n)
    result, before = arena.contest(name, [texts.take(known)])
    changed: dict[str, Any] = {}
    for step, share in MORE.items():
        if "failed" in result:
            return result
        extra = np.arange(n, n + (1 if step == "one text more" else round(share * n)))
        if added and not len(extra):
            continue
        order = rng.permutation(n) if step == "shuffled" else known
        parts = [order, extra] if added else [np.concatenate([order, extra])]
        result, found = arena.contest(name, [texts.take(part) for part in parts])
        after = np.empty(n, np.int64)
        after[order] = found[:n]
        changed[step] = changed_pairs(before, after)
    return {"changed": changed, "texts": n, "families": len(np.unique(before[before >= 0])), **result}


if __name__ == "__main__":
    main()
