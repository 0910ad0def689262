"""Run every contestant on every set and size, store, print.

    python -m benchmarks.peers [--data DIR] [--sizes 100000 1800000] [--only NAME] [--fresh] [--limit SECONDS]
    make peers [DATA=DIR] [PEER_SIZES="100000 1800000"]

Each contestant runs in a process of its own, promptscan in this Python and the peers in that of --python, all with their
defaults, on texts that are in memory. Peak memory is that of the process, its input included, further processes that it
starts not; time leaves its start and the reading of its input out. Texts are those of promptscan's simulator (20 prompts an
account, 45 days), and of labelled sets in DIR.

* duplicates: groups of the same text, slightly changed. semhash and the MinHash libraries return a kept text for each that
  they drop; those that share one are a group. promptscan's lexical duplicates, without vectors: match key, fingerprints,
  candidate pairs, verified edges, groups.
* templates: groups of texts with one frame, for promptscan those of shared wording (time on top of the duplicates'), for
  drain3 its clusters.

What was measured is stored as it comes and not measured again without --fresh, so a stopped run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks import machine
from benchmarks.contest import run_alone, write_texts
from benchmarks.peers.contestants import CONTESTANTS, KINDS
from benchmarks.peers.judge import DUPLICATES, TEMPLATES, Labelled, agreement
from benchmarks.peers.report import table
from promptscan.simulate import SimulationConfig, simulate

DAYS = 45
PER_ACCOUNT = 20
PYTHON = Path("benchmarks/work/peers/bin/python")


def main() -> None:
    """Run what is asked for and was not run before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="labelled sets; without, only time and memory are measured")
    parser.add_argument("--sizes", type=int, nargs="*", default=[100_000, 1_800_000])
    parser.add_argument("--only", nargs="+", choices=list(CONTESTANTS), default=list(CONTESTANTS), metavar="NAME")
    parser.add_argument("--python", type=Path, default=PYTHON, help="Python of the peers' environment")
    parser.add_argument("--work", type=Path, default=Path("benchmarks/work/peers-run"))
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds after which a contestant is stopped")
    parser.add_argument("--fresh", action="store_true", help="measure again what has results")
    options = parser.parse_args()
    results = machine.load("peers")
    results.setdefault("sizes", {})
    results.setdefault("sets", {})
    shutil.rmtree(options.work, ignore_errors=True)
    for size in options.sizes:
        own = results["sizes"].setdefault(str(size), {})
        texts: list[str] = []
        for name in options.only:
            if name in own and not options.fresh:
                continue
            texts = texts or simulated(size, options.work)
            own["characters"] = sum(map(len, texts)) / len(texts)
            own[name] = {"machine": machine.facts(), **contest(name, texts, options)[0]}
            machine.store("peers", results)
    if options.data:
        for name, read in {**DUPLICATES, **TEMPLATES}.items():
            own = results["sets"].setdefault(name, {})
            kind = "duplicates" if name in DUPLICATES else "templates"
            missing = [one for one in options.only if kind in KINDS[one] and (options.fresh or one not in own)]
            if missing:
                labelled = read(options.data / f"{name}.parquet")
                own |= {"texts": len(labelled.texts), "groups": len(np.unique(labelled.gold))}
            for one in missing:
                own[one] = judged(one, kind, labelled, options)
                machine.store("peers", results)
    shutil.rmtree(options.work, ignore_errors=True)
    print(table(results))


def simulated(size: int, work: Path) -> list[str]:
    """Return the texts of a simulated log, in the order they were sent."""
    accounts = max(20, size // PER_ACCOUNT)
    log = simulate(SimulationConfig(prompts=size, accounts=accounts, days=DAYS, seed=1), work / "log")
    texts: list[str] = pq.read_table(log.prompts, columns=["text"])["text"].to_pylist()
    return texts


def contest(name: str, texts: list[str], options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run one contestant; return what it took, and its groups by kind."""
    options.work.mkdir(parents=True, exist_ok=True)
    source, out = options.work / "texts", options.work / "out"
    write_texts(source, texts)
    shutil.rmtree(out, ignore_errors=True)
    module = "benchmarks.peers.alone"
    failed = run_alone(module, name, source, out, python=options.python, limit=options.limit, n=len(texts))
    if failed:
        return failed, {}
    groups = {
        kind: np.load(out / f"{kind}.npy") for kind in ("duplicates", "templates") if (out / f"{kind}.npy").exists()
    }
    result = json.loads((out / "result.json").read_text())
    result["groups"] = {
        kind: int((np.unique(labels, return_counts=True)[1] > 1).sum()) for kind, labels in groups.items()
    }
    result["grouped"] = {kind: in_groups(labels) for kind, labels in groups.items()}
    return result, groups


def in_groups(labels: Any) -> int:
    """Return how many texts are in a group with another."""
    counts = np.unique(labels, return_counts=True)[1]
    return int(counts[counts > 1].sum())


def judged(name: str, kind: str, labelled: Labelled, options: argparse.Namespace) -> dict[str, Any]:
    """Run one contestant on a labelled set and compare the groups of the kind that the set labels."""
    result, groups = contest(name, labelled.texts, options)
    if "failed" in result:
        return result
    return {**agreement(labelled.gold, groups[kind]), "seconds": sum(result["seconds"].values())}


if __name__ == "__main__":
    main()
