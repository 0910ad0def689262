"""Replay simulated operations and benign logs, judge the alerts, store, print.

    python -m benchmarks.campaigns --work DIR [--seeds 5] [--only WORD ...] [--most N] [--python PATH] [--fresh] [--stale] [--list]
    python -m benchmarks.campaigns --work DIR --data DIR        # real texts on simulated accounts, beside the grid
    make campaigns

Each log of the grid (benchmarks/campaigns/grid.py) is simulated and replayed through the real ingest and build. Its result is stored
before the next one begins, so a stopped run goes on where it was, within a log too; --stale measures again, after all others, what
other code measured. --only keeps the logs whose name has every
word. --ablate N and --baselines N say for how many seeds of each log campaigns are found again with something left out, and how
many go beside simpler means and kollude (in the Python of --python).
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.campaigns import baselines
from benchmarks.campaigns.ablate import ablate
from benchmarks.campaigns.grid import Cell, cells
from benchmarks.campaigns.measure import account_auroc, looks, now, replayed, simulated
from benchmarks.campaigns.report import table
from benchmarks.campaigns.scores import read_truth

PYTHON = Path("benchmarks/work/campaign-peers/bin/python")
REAL = "7*day,3d"
ABLATED = 20_000  # prompts of the largest log that gets ablations


def main() -> None:
    """Go through the grid."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("benchmarks/work/campaigns"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[], help="words that a log's name must have")
    parser.add_argument("--most", type=int, help="measure at most so many logs now")
    parser.add_argument("--ablate", type=int, default=1, help="seeds whose campaign logs get ablations")
    parser.add_argument("--baselines", type=int, default=5, help="seeds whose campaign logs get baselines")
    parser.add_argument("--data", type=Path, help="folder with sim/log.parquet, accounts.parquet and truth.parquet")
    parser.add_argument("--python", type=Path, default=PYTHON, help="Python with kollude and rensa")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--stale", action="store_true", help="measure again what other code measured")
    parser.add_argument("--list", action="store_true", help="name the logs and end")
    options = parser.parse_args()
    if options.data:
        keep("real", real(options.data / "sim", options.work / "real", options.python))
    wanted = [cell for cell in cells(options.seeds) if all(word in cell.name for word in options.only)]
    if options.list:
        print("\n".join(cell.name for cell in wanted))
        return
    for cell in due(wanted, options)[: options.most]:
        result = run(cell, options)
        results = machine.load("campaigns")
        results.setdefault("logs", {})[cell.name] = result
        machine.store("campaigns", results)
        print(cell.name, f"{result['seconds']:.0f} s", {name: one["days"] for name, one in result["campaigns"].items()})
    print(table(machine.load("campaigns")))


def due(wanted: list[Cell], options: argparse.Namespace) -> list[Cell]:
    """Return the logs to measure now: those that were not, then with --stale those that other code measured."""
    known = machine.load("campaigns").get("logs", {})
    if options.fresh:
        return wanted
    code = machine.code()
    old = [cell for cell in wanted if options.stale and cell.name in known and known[cell.name]["code"] != code]
    return [cell for cell in wanted if cell.name not in known] + old


def keep(name: str, result: dict[str, Any]) -> None:
    """Store a result of its own beside the grid."""
    results = machine.load("campaigns")
    results[name] = result
    machine.store("campaigns", results)


def run(cell: Cell, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one log; its store goes when it is done."""
    work = options.work / re.sub(r"[^\w.]+", "-", cell.name)
    log = simulated(cell, work)
    result, report = replayed(log.prompts, log.accounts, log.truth, cell.by, work)
    result |= {
        "shape": cell.shape,
        "seed": cell.seed,
        "by": cell.by,
        "machine": machine.facts(),
        "code": machine.code(),
        "finished": now(),
    }
    if cell.share is not None:
        truth = read_truth(log.prompts, log.truth)
        result["auroc"] = account_auroc(work / "store", truth)
        if cell.seed < options.baselines:
            result["baselines"] = baselines.measure(log.prompts, truth, looks(report), work, options.python)
        if cell.seed < options.ablate and cell.prompts <= ABLATED:
            result["ablations"] = ablate(work / "store", log.truth, work)
    shutil.rmtree(work, ignore_errors=True)
    return result


def real(folder: Path, work: Path, python: Path) -> dict[str, Any]:
    """Replay real texts on simulated accounts."""
    log, truth = folder / "log.parquet", folder / "truth.parquet"
    result, report = replayed(log, folder / "accounts.parquet", truth, REAL, work)
    result |= {"by": REAL, "machine": machine.facts(), "code": machine.code(), "finished": now()}
    known = read_truth(log, truth)
    result["auroc"] = account_auroc(work / "store", known)
    result["baselines"] = baselines.measure(log, known, looks(report), work, python)
    result["ablations"] = ablate(work / "store", truth, work)
    return result


if __name__ == "__main__":
    main()
