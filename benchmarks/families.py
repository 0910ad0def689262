"""Families against the truth: real texts on simulated accounts, scanned like a user would, judged like `promptscan eval`.

    python -m benchmarks.families --data DIR [--work DIR]

DIR holds sim/log.parquet, sim/accounts.parquet and sim/truth.parquet. Stores and prints, for each planted campaign, what
`eval` says; and how long the scan took.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

from benchmarks import machine
from promptscan.api import Store, scan
from promptscan.evaluation import evaluate


def main() -> None:
    """Scan, judge, store, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("benchmarks/work"))
    options = parser.parse_args()
    store = options.work / "families"
    shutil.rmtree(store, ignore_errors=True)
    facts = machine.facts()
    begin = time.perf_counter()
    report = scan(options.data / "sim" / "log.parquet", store=store, accounts=options.data / "sim" / "accounts.parquet")
    seconds = time.perf_counter() - begin
    with Store(store) as opened:
        judged = evaluate(opened, options.data / "sim" / "truth.parquet").to_dict()
    result = {
        "machine": facts,
        "seconds": seconds,
        "families": dict(report.build.stages["families"]),
        "evaluation": judged,
    }
    machine.store("families", result)
    print(table(result))


def table(result: dict[str, Any]) -> str:
    """Draw the evaluation as Markdown."""
    judged = result["evaluation"]
    lines = [
        "| campaign | prompts | accounts | families | precision | recall | account precision | account recall | best rank |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {c['campaign_id']} | {c['prompts']:,} | {c['accounts']:,} | {c['families']} | {c['precision']:.3f} | {c['recall']:.3f} "
        f"| {c['account_precision']:.3f} | {c['account_recall']:.3f} | {c['best_rank'] or ''} |"
        for c in judged["campaigns"]
    ]
    families = result["families"]
    lines += [
        "",
        (
            f"{judged['prompts']:,} prompts, {families['families']:,} families, scanned in {result['seconds']:.0f} s. Of "
            f"{judged['benign']:,} benign prompts {judged['benign_in_campaign_families']:.2%} are in a campaign's family and "
            f"{judged['benign_clustered']:.1%} in any. Family ARI {judged['ari']:.3f}."
        ),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
