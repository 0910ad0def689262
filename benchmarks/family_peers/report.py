"""The section of RESULTS.md on families beside peers."""

from __future__ import annotations

from typing import Any

from benchmarks.family_peers.contestants import CONTESTANTS
from benchmarks.family_peers.sets import INTENTS

NOTE = (
    "Labels are those of the sets' makers: ten of distill_pipelines are near-twins of one prompt, those of flan_cot are short "
    "wordings around longer questions. ARI counts background, and texts in no family, each as a family of one."
)
TARGET = "Target: promptscan ahead of every peer in ARI"


def table(results: dict[str, Any]) -> str:
    """Draw agreement with labels, what is drawn in, time and memory, and churn."""
    sets, churned = results.get("sets", {}), results.get("churn", {})
    gold = {name: own for name, own in sets.items() if name != "intents"}
    names = [name for name in CONTESTANTS if any(name in own for own in sets.values())]
    lines = ["ARI / V-measure / noise share of labelled texts (/ share of the human background in a family):", ""]
    lines += _grid(gold, names, _agreement)
    lines += [
        "",
        _ahead(gold, names),
        "",
        NOTE,
        "",
        "Seconds / peak RSS in GiB (promptscan: of the whole scan, embedding included):",
        "",
    ]
    lines += _grid(sets, names, _cost)
    if "intents" in sets:
        lines += ["", f"Intents, which are no families: share of the texts in one ({', '.join(INTENTS)}):", ""]
        lines += _grid({"intents": sets["intents"]}, names, _by_set)
    if churned:
        lines += ["", *_churn(churned)]
    machines = [one["machine"] for own in sets.values() for one in own.values()]
    if machines:
        first = machines[0]
        load = max(one["load_1_minute"] for one in machines)
        lines += [
            "",
            f"Machine: {first['processor']}, {first['cores']} cores, {first['memory_gib']} GiB, load up to {load:.1f}.",
        ]
    return "\n".join(lines)


def _grid(sets: dict[str, Any], names: list[str], cell: Any) -> list[str]:
    lines = [
        "| set | texts | labels | " + " | ".join(names) + " |",
        "|---|---:|---:|" + "---:|" * len(names),
    ]
    for task, own in sets.items():
        known = next((one for one in own.values() if "texts" in one), {"texts": 0, "labels": 0})
        cells = [
            cell(own[name]) if "ari" in own.get(name, {}) else own.get(name, {}).get("failed", "") for name in names
        ]
        lines.append(f"| {task} | {known['texts']:,} | {known['labels']} | " + " | ".join(cells) + " |")
    return lines


def _agreement(one: dict[str, Any]) -> str:
    drawn = "" if one["background_in"] is None else f" / {one['background_in']:.0%}"
    return f"{one['ari']:.3f} / {one['v_measure']:.3f} / {one['noise']:.0%}{drawn}"


def _cost(one: dict[str, Any]) -> str:
    return f"{one['seconds']:.1f} / {one['peak_rss_bytes'] / 2**30:.2f}"


def _by_set(one: dict[str, Any]) -> str:
    return " / ".join(f"{share:.0%}" for share in one["in_families_by_set"])


def _ahead(sets: dict[str, Any], names: list[str]) -> str:
    """Say on which sets promptscan is ahead in ARI, and on which a peer is."""
    ahead, behind = [], []
    for task, own in sets.items():
        scores = {name: own[name]["ari"] for name in names if "ari" in own.get(name, {})}
        if "promptscan" not in scores or len(scores) < 2:
            continue
        best = max((score, name) for name, score in scores.items() if name != "promptscan")
        mine = scores["promptscan"]
        (ahead if mine > best[0] else behind).append(f"{task} ({best[1]} {best[0]:.3f}, promptscan {mine:.3f})")
    text = f"{TARGET}. Ahead on {len(ahead)} of {len(ahead) + len(behind)}"
    return f"{text}; behind on {'; '.join(behind)}." if behind else f"{text}."


def _churn(churned: dict[str, Any]) -> list[str]:
    rows = [(f"{name}, {how}", one) for how, own in churned.items() for name, one in own.items()]
    steps = list(dict.fromkeys(step for _, one in rows for step in one.get("changed", {})))
    lines = [
        "Label churn: share of the pairs of texts in one family that are so no more. Lower is better:",
        "",
        "| | texts | families | " + " | ".join(steps) + " |",
        "|---|---:|---:|" + "---:|" * len(steps),
    ]
    for name, one in rows:
        if "failed" in one:
            lines.append(f"| {name} | {one['failed']} |" + " |" * (len(steps) + 1))
            continue
        cells = [f"{one['changed'][step]:.1%}" if step in one["changed"] else "" for step in steps]
        lines.append(f"| {name} | {one['texts']:,} | {one['families']} | " + " | ".join(cells) + " |")
    return lines
