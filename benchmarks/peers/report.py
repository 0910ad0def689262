"""The peers' section of RESULTS.md."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.contestants import CONTESTANTS
from benchmarks.peers.judge import DUPLICATES, TEMPLATES

TARGET_SIZE = 1_800_000
STEPS = [
    "clean",
    "fingerprint",
    "candidates",
    "verify",
    "index",
    "sketch",
    "mine",
    "deduplicate",
    "groups",
    "templates",
]
"""In the order they are taken."""


def table(results: dict[str, Any]) -> str:
    """Draw time and memory of every size, then agreement with every labelled set."""
    lines = []
    for size, own in sorted(results["sizes"].items(), key=lambda item: int(item[0])):
        lines += [
            f"{int(size):,} simulated texts of {own['characters']:.0f} characters on average:",
            "",
            *_took(own),
            "",
        ]
        lines += [_target(int(size), own), ""]
    for kind, sets in (("duplicates", DUPLICATES), ("templates", TEMPLATES)):
        known = {name: results["sets"][name] for name in sets if name in results["sets"]}
        if known:
            lines += [f"Groups of {kind} against labels (pair precision / pair recall / ARI):", "", *_agreed(known), ""]
    return "\n".join(lines).rstrip()


def _took(own: dict[str, Any]) -> list[str]:
    lines = [
        "| | finds | seconds | texts/s | peak RSS, GiB | groups | texts in them | steps, s |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for name in CONTESTANTS:
        if name not in own:
            continue
        one = own[name]
        if "failed" in one:
            lines.append(f"| {name} | | {one['failed']} | | | | | |")
            continue
        steps = ", ".join(f"{step} {one['seconds'][step]:.1f}" for step in STEPS if step in one["seconds"])
        for kind, groups in one["groups"].items():
            seconds = _seconds(one, kind)
            lines.append(
                f"| {name} | {kind} | {seconds:,.1f} | {one['texts'] / seconds:,.0f} | {one['peak_rss_bytes'] / 2**30:.2f} "
                f"| {groups:,} | {one['grouped'][kind]:,} | {steps} |"
            )
    return lines


def _seconds(one: dict[str, Any], kind: str) -> float:
    """Return the time a kind of groups took: for duplicates, that of templates made from them is left out."""
    seconds = one["seconds"]
    return sum(seconds.values()) - (seconds.get("templates", 0.0) if kind == "duplicates" else 0.0)


def _target(size: int, own: dict[str, Any]) -> str:
    """Say how the time for duplicates compares with semhash's."""
    ours, theirs = own.get("promptscan", {}), own.get("semhash", {})
    if "seconds" not in ours or not {"seconds", "stopped"} & set(theirs):
        return "Not both of promptscan and semhash were measured."
    mine, least = _seconds(ours, "duplicates"), "" if "seconds" in theirs else "less than "
    other = _seconds(theirs, "duplicates") if "seconds" in theirs else theirs["stopped"]
    target = " Target: below 1, with groups." if size == TARGET_SIZE else ""
    machine = ours["machine"]
    return (
        f"promptscan takes {least}{mine / other:.3f} of semhash's time for duplicates.{target} "
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"load {machine['load_1_minute']:.1f} before promptscan, {theirs['machine']['load_1_minute']:.1f} before semhash."
    )


def _agreed(sets: dict[str, Any]) -> list[str]:
    names = [name for name in CONTESTANTS if any("ari" in own.get(name, {}) for own in sets.values())]
    lines = ["| set | texts | groups | " + " | ".join(names) + " |", "|---|---:|---:|" + "---:|" * len(names)]
    for data, own in sets.items():
        cells = [_cell(own.get(name, {})) for name in names]
        lines.append(f"| {data} | {own['texts']:,} | {own['groups']:,} | " + " | ".join(cells) + " |")
    return lines


def _cell(one: dict[str, Any]) -> str:
    if "ari" not in one:
        return str(one.get("failed", ""))
    return f"{one['precision']:.3f} / {one['recall']:.3f} / {one['ari']:.3f}"
