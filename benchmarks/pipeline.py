"""The main job at size: rows per second of every stage, memory, disk, search latency and recall, no-op and daily scans.

    python -m benchmarks.pipeline --sizes 100000 1000000 [--work DIR] [--fresh]

Simulates a log of each size (20 prompts an account, 45 days), scans it in a process of its own, and measures on the store:

* each stage's wall time and the whole scan's peak memory, as the run itself recorded them;
* disk per text, and index bytes per vector ("hot": what search keeps in memory besides the mapped vectors);
* search latency, warm, one query at a time, over everything `Store.search` does: cleaning, embedding, index, exact
  re-rank, explanation, joins. Queries are texts of another simulation, so they are not in the store;
* recall@10 of those same queries against exact search;
* what was found of the six campaigns in the log, whose truth is known;
* `scan` again with nothing new, and with one more day, beside that day in a store of its own.

--search-only and --day-only repeat the part about search, and about one more day, on the stores of an earlier run. Sizes that are in the results file already are skipped, so that a stopped run goes on where it was; --fresh measures again.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks import machine
from promptscan.api import Store
from promptscan.embed import embed_texts
from promptscan.evaluation import evaluate
from promptscan.exact import exact_search
from promptscan.normalise import clean_one
from promptscan.simulate import SimulationConfig, simulate

DAYS = 45
PER_ACCOUNT = 20
QUERIES = 300
REPEATS = 3  # of one more day
START = datetime(2026, 1, 5, tzinfo=UTC)


def main() -> None:
    """Measure every size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--work", type=Path, default=Path("benchmarks/work"))
    parser.add_argument("--fresh", action="store_true", help="measure sizes again that have results")
    parser.add_argument(
        "--search-only", action="store_true", help="measure search again on the stores an earlier run left"
    )
    parser.add_argument("--day-only", action="store_true", help="measure one more day again on those stores")
    parser.add_argument("--name", default="pipeline", help="name of the results file")
    options = parser.parse_args()
    results = machine.load(options.name)
    if options.search_only:
        for size in options.sizes:
            folder = options.work / str(size)
            results[str(size)] |= {
                "search": search(folder / "store", folder / "queries"),
                "search_machine": machine.facts(),
            }
        machine.store(options.name, results)
        options.sizes = []
    if options.day_only:
        for size in options.sizes:
            day = one_more_day(options.work / str(size), size // DAYS, max(20, size // PER_ACCOUNT))
            results[str(size)] |= {"one_more_day": day, "day_machine": machine.facts()}
            machine.store(options.name, results)
        options.sizes = []
    for size in options.sizes:
        if str(size) in results and not options.fresh:
            print(f"{size:,} prompts: measured before", file=sys.stderr)
            continue
        results[str(size)] = {"machine": machine.facts(), **measure(size, options.work)}
        machine.store(options.name, results)
    print(table(results))


def measure(size: int, work: Path) -> dict[str, Any]:
    """Measure one size in fresh folders below `work`."""
    folder = work / str(size)
    shutil.rmtree(folder, ignore_errors=True)
    accounts = max(20, size // PER_ACCOUNT)
    log = simulate(SimulationConfig(prompts=size, accounts=accounts, days=DAYS, seed=1, start=START), folder / "log")
    begin = time.perf_counter()
    run = scan(folder / "store", log.prompts, log.accounts)
    seconds = time.perf_counter() - begin
    found = {"prompts": size, "scan_seconds": seconds, "prompts_per_second": size / seconds, **of_run(run)}
    found |= of_store(folder / "store") | {"found": detection(folder / "store", log.truth)}
    found["search"] = search(folder / "store", folder / "queries")
    begin = time.perf_counter()
    scan(folder / "store", log.prompts, log.accounts)
    found["noop_seconds"] = time.perf_counter() - begin
    found["one_more_day"] = one_more_day(folder, size // DAYS, accounts)
    return found


def scan(store: Path, prompts: Path, accounts: Path) -> dict[str, Any]:
    """Scan in a process of its own and return what the newest run recorded."""
    command = [
        sys.executable,
        "-m",
        "promptscan",
        "--store",
        str(store),
        "scan",
        str(prompts),
        "--accounts",
        str(accounts),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with Store(store) as opened:
        return dict(opened.generation.manifest.runs[-1])


def of_run(run: dict[str, Any]) -> dict[str, Any]:
    """Pick a run's own measurements."""
    measured = run["measured"]
    return {
        "stage_seconds": measured["seconds"],
        "peak_rss_bytes": measured["peak_rss_bytes"],
        "graph": measured.get("neighbours"),
        "index": measured.get("index"),
    }


def of_store(store: Path) -> dict[str, Any]:
    """Measure disk and index size."""
    with Store(store) as opened:
        manifest = opened.generation.manifest
        rows = sum(int(s.meta["n"]) + int(s.meta["chunks"]) for s in manifest.of_kind("vectors"))
        texts = sum(int(s.meta["n_texts"]) for s in manifest.of_kind("prompts"))
        index = sum(ref.size for ref in manifest.derived if ref.path.endswith("index.faiss"))
        families = opened.sql("SELECT count(*) AS n FROM families").to_pylist()[0]["n"]
        return {
            "texts": texts,
            "vectors": rows,
            "families": families,
            "disk_bytes_per_text": sum(ref.size for ref in manifest.files()) / texts,
            "index_bytes_per_vector": index / rows,
        }


def detection(store: Path, truth: Path) -> dict[str, Any]:
    """Judge the campaigns of a store that was built at once."""
    with Store(store) as opened:
        alerts = evaluate(opened, truth).alerts
    return {
        "planted": len(alerts.campaigns),
        "found": sum(one.days is not None for one in alerts.campaigns),
        "alerts": alerts.alerts,
        "false_alerts": alerts.false_alerts,
        "precision": alerts.accounts.precision,
        "recall": alerts.accounts.recall,
    }


def search(store: Path, folder: Path) -> dict[str, Any]:
    """Measure latency and recall with texts that are not in the store."""
    other = simulate(SimulationConfig(prompts=QUERIES * 3, accounts=QUERIES, days=DAYS, seed=2, start=START), folder)
    texts = sorted(set(pq.read_table(other.prompts, columns=["text"])["text"].to_pylist()))[::2][:QUERIES]
    with Store(store) as opened:
        searcher = opened.searcher
        opened.search(texts[0])
        latencies = []
        for text in texts:
            begin = time.perf_counter()
            opened.search(text, k=10)
            latencies.append(time.perf_counter() - begin)
        vectors = embed_texts(searcher.encoder, [clean_one(text) for text in texts]).vectors.astype(np.float32)
        truth = exact_search(vectors, 10, searcher.rows.vectors)
        begin = time.perf_counter()
        hits = (
            [searcher.index.search(one[None], 10, vectors=searcher.rows.vectors) for one in vectors]
            if searcher.index
            else []
        )
        index_only = (time.perf_counter() - begin) / len(vectors)
        found = [np.sum(hit.scores[0] >= truth.scores[i, -1] - 1e-6) / 10 for i, hit in enumerate(hits)]
    milliseconds = np.asarray(latencies) * 1e3
    return {
        "queries": len(texts),
        "p50_ms": float(np.percentile(milliseconds, 50)),
        "p99_ms": float(np.percentile(milliseconds, 99)),
        "index_only_ms": index_only * 1e3,
        "recall_at_10": float(np.mean(found)) if found else 1.0,
    }


def one_more_day(folder: Path, prompts: int, accounts: int) -> dict[str, Any]:
    """Scan one more day on the full store, and the same day alone, in turns; times are medians of `REPEATS`."""
    config = SimulationConfig(prompts=prompts, accounts=accounts, days=1, seed=3, start=START + timedelta(days=DAYS))
    day = simulate(config, folder / "day")
    runs: dict[str, list[dict[str, Any]]] = {"alone": [], "added": []}
    for _ in range(REPEATS):
        shutil.rmtree(folder / "day-store", ignore_errors=True)
        runs["alone"].append(_timed(folder / "day-store", day.prompts, day.accounts))
        with _undone(folder / "store"):
            runs["added"].append(_timed(folder / "store", day.prompts, day.accounts))
    found: dict[str, Any] = {"prompts": prompts, "repeats": REPEATS}
    for name, times in runs.items():
        stages = {stage: _median([run["stages"].get(stage, 0.0) for run in times]) for stage in times[0]["stages"]}
        found |= {f"{name}_stages": stages}
        found |= {f"{name}_{key}": _median([run[key] for run in times]) for key in ("seconds", "cpu_seconds")}
        found[f"{name}_peak_rss_bytes"] = max(run["peak_rss_bytes"] for run in times)
    found["ratio"] = found["added_seconds"] / found["alone_seconds"]
    return found | {"cpu_ratio": found["added_cpu_seconds"] / found["alone_cpu_seconds"]}


def _median(values: list[float]) -> float:
    return round(float(np.median(values)), 3)


def _timed(store: Path, prompts: Path, accounts: Path) -> dict[str, Any]:
    """Scan, and return wall time, processor time of all threads, and what the run recorded."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run = scan(store, prompts, accounts)
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    measured = run["measured"]
    return {
        "seconds": seconds,
        "cpu_seconds": spent,
        "stages": measured["seconds"],
        "peak_rss_bytes": measured["peak_rss_bytes"],
    }


@contextmanager
def _undone(store: Path) -> Iterator[None]:
    """Take back what a scan adds to a store: its files stay those that they were, so that the next scan is like the first."""
    kept = {name: (store / name).read_bytes() for name in ("CURRENT", "verified.json")}
    folders = [store / "segments", store / "generations"]
    before = {path for folder in folders for path in folder.iterdir()}
    yield
    for path in [path for folder in folders for path in folder.iterdir()]:
        if path not in before:
            shutil.rmtree(path)
    for name, data in kept.items():
        (store / name).write_bytes(data)


def table(results: dict[str, Any]) -> str:
    """Draw the results beside their budgets as Markdown."""
    sizes = sorted((key for key in results if key.isdigit()), key=int)
    head = "| measure | budget | " + " | ".join(f"{int(size):,} prompts" for size in sizes) + " |"
    lines = [head, "|---|---|" + "---:|" * len(sizes)]

    def row(name: str, budget: str, pick: Any) -> None:
        lines.append(f"| {name} | {budget} | " + " | ".join(pick(results[size]) for size in sizes) + " |")

    row("end to end, prompts/s", "≥ 1,500 at 1 M", lambda r: f"{r['prompts_per_second']:,.0f}")
    row("peak RSS, GiB", "≤ 6 at 1 M", lambda r: f"{r['peak_rss_bytes'] / 2**30:.2f}")
    stages = [
        *("ingest", "normalise", "fingerprint", "embed", "index", "neighbours", "compare", "calibrate", "templates"),
        *("probes", "families", "capabilities", "accounts", "evidence", "campaigns"),
    ]
    for stage in stages:
        budget = {"ingest": "≥ 100,000 on Parquet", "neighbours": "≤ 600 s at 1 M", "families": "≤ 60 s at 1 M"}.get(
            stage, ""
        )
        row(
            f"{stage}, s (prompts/s)",
            budget,
            lambda r, s=stage: (
                f"{r['stage_seconds'].get(s, 0):.1f} ({r['prompts'] / max(r['stage_seconds'].get(s, 0), 1e-3):,.0f})"
            ),
        )
    row("graph: true neighbours found", "≥ .95", lambda r: f"{r['graph']['intersection']:.3f}")
    row("graph: pairs with cosine ≥ .9 found", "≥ .999", lambda r: f"{r['graph']['close']:.4f}")
    row("distinct texts", "", lambda r: f"{r['texts']:,}")
    row("families", "", lambda r: f"{r['families']:,}")
    row("planted campaigns found", "all", lambda r: _of_found(r, "{found} of {planted}"))
    row("alerts, false ones of them", "≤ 45 false", lambda r: _of_found(r, "{alerts}, {false_alerts}"))
    row("accounts: precision, recall", "≥ .99, ≥ .95", lambda r: _of_found(r, "{precision:.3f}, {recall:.3f}"))
    row("disk, bytes per text", "", lambda r: f"{r['disk_bytes_per_text']:,.0f}")
    row("index, bytes per vector", "≤ 70 at 1 M", lambda r: f"{r['index_bytes_per_vector']:.0f}")
    row("search p50, ms", "", lambda r: f"{r['search']['p50_ms']:.1f}")
    row("search p99, ms", "< 50 at 1 M", lambda r: f"{r['search']['p99_ms']:.1f}")
    row("search, index alone, ms", "", lambda r: f"{r['search']['index_only_ms']:.1f}")
    row("recall@10 against exact", "≥ .95", lambda r: f"{r['search']['recall_at_10']:.3f}")
    row("scan with nothing new, s", "< 2", lambda r: f"{r['noop_seconds']:.2f}")
    row("one more day ÷ that day alone", "≤ 1.3", lambda r: f"{r['one_more_day']['ratio']:.2f}")
    row("the same, processor time", "", lambda r: f"{r['one_more_day'].get('cpu_ratio', float('nan')):.2f}")
    first = results[sizes[-1]]["machine"] if sizes else {}
    note = f"Machine: {first.get('processor')}, {first.get('cores')} cores, {first.get('memory_gib')} GiB, load {first.get('load_1_minute', 0):.1f} at the start of the last size."
    return "\n".join([*lines, "", note, "", *day_stages(results, sizes)])


def _of_found(result: dict[str, Any], form: str) -> str:
    return form.format(**result["found"]) if "found" in result else "not measured"


def day_stages(results: dict[str, Any], sizes: list[str]) -> list[str]:
    """Draw what a further day takes by stage: that day alone, and added to the store."""
    days = [results[size]["one_more_day"] for size in sizes]
    stages = sorted({stage for day in days for stage in day["added_stages"]})
    lines = ["One more day by stage, seconds alone / added:", ""]
    lines += [
        "| stage | "
        + " | ".join(f"{day['prompts']:,} on {int(size):,}" for day, size in zip(days, sizes, strict=True))
        + " |"
    ]
    lines += ["|---|" + "---:|" * len(sizes)]
    for stage in stages:
        cells = (f"{day['alone_stages'].get(stage, 0):.1f} / {day['added_stages'].get(stage, 0):.1f}" for day in days)
        lines.append(f"| {stage} | " + " | ".join(cells) + " |")
    whole = (f"{day['alone_seconds']:.1f} / {day['added_seconds']:.1f}" for day in days)
    return [*lines, "| whole scan | " + " | ".join(whole) + " |"]


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"a scan failed: {json.dumps(error.cmd)}")
