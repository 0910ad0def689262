"""A log scanned period by period beside the same log scanned at once: are the families the same, and do they keep their names?

    python -m benchmarks.replay LOG.parquet [--name NAME] [--step-days N] [--work DIR]

LOG has prompt_id, ts, account_id and text. One store gets it in periods of N days, in the order of time; the other gets all of
it. Compared are the families of their texts: with texts in no family as families of one, and among the texts that are in a
family in both. The first store is compared once more after `build --recluster`. An id moved when the texts it stands for after a scan are
not those it stood for before: fewer than half of the texts it had, and fewer than half of the older texts it has.
"""

from __future__ import annotations

import argparse
import shutil
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import machine
from benchmarks.partitions import Int64, ari, changed_pairs, singled
from promptscan.api import Store, scan, writing
from promptscan.build import Run, build
from promptscan.config import Configured

TARGET = 0.95


def main() -> None:
    """Replay, compare, store, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--name", help="what the results are kept under; the log's folder and name otherwise")
    parser.add_argument("--step-days", type=float, default=1.0)
    parser.add_argument("--work", type=Path, default=Path("benchmarks/work/replay"))
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    name = options.name or f"{options.log.parent.name}/{options.log.stem}"
    results = machine.load("replay")
    results[f"{name}, {options.step_days:g} days"] = {
        "machine": machine.facts(),
        **replay(options.log, timedelta(days=options.step_days), options.work),
    }
    machine.store("replay", results)
    print(table(results))


@dataclass(frozen=True, slots=True)
class Families:
    """The families of a store, by text.

    Attributes:
        texts: all texts, by id.
        labels: number of each text's family, as in its id, -1 for none. int64 (n,).
    """

    texts: list[str]
    labels: Int64


def read_families(store: Path) -> Families:
    """Read which family each text of a store is in."""
    with Store(store) as opened:
        rows = opened.sql("SELECT text, family_id[3:]::BIGINT AS family FROM texts ORDER BY text_id")
    return Families(rows["text"].to_pylist(), rows["family"].fill_null(-1).to_numpy().astype(np.int64))


def replay(log: Path, step: timedelta, work: Path) -> dict[str, Any]:
    """Scan a log both ways below `work` and compare."""
    by_period, at_once = work / "by-period", work / "at-once"
    periods, moved = [], 0
    before = Families([], np.empty(0, np.int64))
    for part in split(log, step, work / "parts"):
        begin = time.perf_counter()
        report = scan(part, store=by_period).build
        seconds = time.perf_counter() - begin
        after = read_families(by_period)
        moved += moved_ids(before.labels, after.labels)
        before = after
        families = report.stages.get("families")
        periods.append(
            {
                "seconds": seconds,
                "texts": len(after.texts),
                "stages": dict(report.seconds),
                "whole": bool(families and families["whole"]),
                "families": len(np.unique(after.labels[after.labels >= 0])),
            }
        )
    begin = time.perf_counter()
    report = scan(log, store=at_once).build
    whole = {"seconds": time.perf_counter() - begin, "stages": dict(report.seconds)}
    truth = read_families(at_once)
    compared = compare(before, truth)
    begin = time.perf_counter()
    with writing(Configured.load({"store": by_period}).settings) as writer:
        build(writer, Configured.load({"store": by_period}).settings, Run.start("build --recluster"), recluster=True)
    again = read_families(by_period)
    return {
        "prompts": pq.read_metadata(log).num_rows,
        "texts": len(truth.texts),
        "families_at_once": len(np.unique(truth.labels[truth.labels >= 0])),
        "periods": periods,
        "at_once": whole,
        "compared": compared,
        "moved_ids": moved,
        "reclustered": {
            "seconds": time.perf_counter() - begin,
            "compared": compare(again, truth),
            "moved_ids": moved_ids(before.labels, again.labels),
            "changed_pairs": changed_pairs(before.labels, again.labels),
        },
    }


def split(log: Path, step: timedelta, folder: Path) -> list[Path]:
    """Write the prompts of each period into a file of its own; periods count from the first prompt's midnight."""
    folder.mkdir(parents=True)
    rows = pq.read_table(log)
    first = pc.floor_temporal(pc.min(rows["ts"]), unit="day")
    since = pc.subtract(rows["ts"], first).cast(pa.duration("us")).cast(pa.int64()).to_numpy()
    period = since // (step // timedelta(microseconds=1))
    parts = []
    for number in np.unique(period).tolist():
        parts.append(folder / f"{number:04d}.parquet")
        pq.write_table(rows.filter(pa.array(period == number)), parts[-1])
    return parts


def compare(one: Families, other: Families) -> dict[str, float]:
    """Compare the families of the same texts in two stores, whose ids differ."""
    order, reference = np.argsort(np.array(one.texts, object)), np.argsort(np.array(other.texts, object))
    a, b = one.labels[order], other.labels[reference]
    both = (a >= 0) & (b >= 0)
    return {
        "ari": ari(singled(a), singled(b)),
        "ari_in_both": ari(a[both], b[both]),
        "families": float(len(np.unique(a[a >= 0]))),
        "noise": float((a < 0).mean()),
        "noise_at_once": float((b < 0).mean()),
        "only_here": float(((a >= 0) & (b < 0)).mean()),
        "only_at_once": float(((a < 0) & (b >= 0)).mean()),
    }


def moved_ids(before: Int64, after: Int64) -> int:
    """Count the ids that stand for other texts than before.

    Args:
        before: family number of each text there was, -1 for none. int64 (m,).
        after: likewise now. int64 (n,), m <= n.
    """
    known = after[: len(before)]
    top = int(max(before.max(initial=-1), after.max(initial=-1))) + 1
    had, has = np.bincount(before[before >= 0], minlength=top), np.bincount(known[known >= 0], minlength=top)
    same = np.bincount(before[(before >= 0) & (before == known)], minlength=top)
    alive = (had > 0) & (np.bincount(after[after >= 0], minlength=top) > 0)
    return int((alive & (same < had / 2) & (same < np.maximum(has / 2, 1))).sum())


def table(results: dict[str, Any]) -> str:
    """Draw every log as a row, then what the periods took."""
    lines = [
        (
            "| log | prompts | texts | scans | families by period / at once | ARI (target ≥ 0.95) "
            "| ARI of texts in a family in both | ids moved (target 0) "
            "| after `--recluster`: ARI / ids moved / pairs changed |"
        ),
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, own in sorted(results.items()):
        compared, again = own["compared"], own["reclustered"]
        lines.append(
            f"| {name} | {own['prompts']:,} | {own['texts']:,} | {len(own['periods'])} "
            f"| {compared['families']:,.0f} / {own['families_at_once']:,} | {compared['ari']:.3f} "
            f"| {compared['ari_in_both']:.3f} | {own['moved_ids']} "
            f"| {again['compared']['ari']:.3f} / {again['moved_ids']} / {again['changed_pairs']:.1%} |"
        )
    lines += [
        "",
        "ARI counts a text in no family as a family of one. What a scan took, and the stages that took most of all scans' time:",
        "",
        "| log | first scan, s | median, s | last, s | at once, s | of all scans |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for name, own in sorted(results.items()):
        seconds = [period["seconds"] for period in own["periods"]]
        lines.append(
            f"| {name} | {seconds[0]:.1f} | {np.median(seconds):.1f} | {seconds[-1]:.1f} | {own['at_once']['seconds']:.1f} "
            f"| {shares(own['periods'])} |"
        )
    return "\n".join(lines)


def shares(periods: list[dict[str, Any]], most: int = 5) -> str:
    """Say which stages took most of the time of all scans."""
    total = sum(period["seconds"] for period in periods)
    stages: dict[str, float] = {}
    for period in periods:
        for stage, seconds in period["stages"].items():
            stages[stage] = stages.get(stage, 0.0) + seconds
    longest = sorted(stages.items(), key=lambda item: (-item[1], item[0]))[:most]
    return ", ".join(f"{stage} {seconds / total:.0%}" for stage, seconds in longest)


if __name__ == "__main__":
    main()
