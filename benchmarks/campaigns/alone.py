"""One peer in its own Python: a log in, groups of accounts and scores out.

python -m benchmarks.campaigns.alone NAME LOG.parquet OUT

OUT becomes a folder with answer.json: groups (of each the accounts and when they joined, in seconds), scores by account, seconds,
and for kollude its alarms with the accounts on the templates that each names.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

COLUMNS = ["ts", "account_id", "text"]


def minhash(log: Path) -> dict[str, Any]:
    """MinHash of 128 permutations over words, LSH at Jaccard 0.8: each text joins the first that it meets; accounts by group."""
    from rensa import RMinHash, RMinHashDeduplicator

    table = pq.read_table(log, columns=COLUMNS).sort_by("ts")
    texts = table["text"].to_pylist()
    begin = time.perf_counter()
    sketches = RMinHash.from_token_sets((text.lower().split() for text in texts), 128, 42)
    index = RMinHashDeduplicator(threshold=0.8, num_perm=128, use_lsh=True)
    kept = index.add_pairs(zip(map(str, range(len(texts))), sketches, strict=False))
    dropped = [number for number, new in enumerate(kept) if not new]
    like = index.get_duplicate_sets([sketches[number] for number in dropped])
    label = list(range(len(texts)))
    for number, keys in zip(dropped, like, strict=False):
        label[number] = min(map(int, keys), default=number)
    return {**grouped(label, table), "seconds": time.perf_counter() - begin}


def grouped(label: list[int], table: Any) -> dict[str, Any]:
    """Group accounts by the label of what they send; an account's score is the share of its prompts in a group of several."""
    groups: dict[int, dict[str, float]] = {}
    seconds = [moment.timestamp() for moment in utc(table["ts"])]
    accounts = table["account_id"].to_pylist()
    for group, account, moment in zip(label, accounts, seconds, strict=False):
        groups.setdefault(group, {}).setdefault(account, moment)
    shared: dict[str, int] = {}
    total: dict[str, int] = {}
    for group, account in zip(label, accounts, strict=False):
        shared[account] = shared.get(account, 0) + (len(groups[group]) > 1)
        total[account] = total.get(account, 0) + 1
    scores = {account: shared[account] / total[account] for account in total}
    return {"groups": [group for group in groups.values() if len(group) > 1], "scores": scores}


def utc(column: Any) -> Any:
    """Return times with their zone; those without one are UTC."""
    return (moment.replace(tzinfo=moment.tzinfo or UTC) for moment in column.to_pylist())


def kollude(log: Path) -> dict[str, Any]:
    """Kollude as its guide runs it: default parameters, its clusters and actor scores over the log, its alarms hour by hour."""
    import pandas as pd
    from kollude import coord, engine, frame

    table = pq.read_table(log, columns=COLUMNS).sort_by("ts")
    events = frame.finalize(
        pd.DataFrame(
            {
                "t": pd.to_datetime(list(utc(table["ts"])), utc=True),
                "actor": table["account_id"].to_pylist(),
                "text": table["text"].to_pylist(),
            }
        )
    )
    params = engine.ScanParams()
    begin = time.perf_counter()
    known = coord.annotate(events, params.coord())
    raised = [event for event in engine.scan_iter(events, params, ann=known) if event["type"] == "alarm"]
    scores = coord.actor_scores(known, params.coord())
    seconds = time.perf_counter() - begin
    named = known[known["tid"].notna()]
    groups = {
        tid: {actor: moment.timestamp() for actor, moment in own.groupby("actor")["t"].min().items()}
        for tid, own in named.groupby("tid")
        if own["actor"].nunique() >= params.min_actors
    }
    alarms = []
    for alarm in raised:
        end = pd.Timestamp(alarm["t"]) + pd.Timedelta(params.freq)
        names = [one["tid"] for one in alarm["templates"]]
        alarms.append(
            {
                "t": end.timestamp(),
                "groups": [
                    [who for who, since in groups.get(name, {}).items() if since <= end.timestamp()] for name in names
                ],
            }
        )
    return {
        "groups": list(groups.values()),
        "scores": dict(zip(scores["actor"], scores["score"].astype(float), strict=False)),
        "alarms": alarms,
        "seconds": seconds,
    }


PEERS = {"minhash": minhash, "kollude": kollude}


def main(name: str, log: Path, out: Path) -> None:
    """Run, and write what was found."""
    out.mkdir(parents=True)
    (out / "answer.json").write_text(json.dumps(PEERS[name](log)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
