"""The drawing of `benchmarks.duplicates`: its results as Markdown."""

from __future__ import annotations

from typing import Any

import numpy as np

from promptscan.verify import EDIT

TARGET = 0.93
WIDER = (0.775, 1.0)  # chords, cosines .7 and .5: distances of neighbours that are tried beside today's

PAIR_WORDS = (
    "promptbench_adv: letters and suffixes are found by wording; the set's own pairs are nearly as alike, so 1e-4 is beyond any",
    "awesome_prompts_revs: 9 pairs only, all other revisions are copies",
    "msrp, pan, sts, stsb: what edges find beyond wording is the mean of words and cosine; either alone finds less",
    "task_rewrites: renamed code; against other problems half is lost, for their frames are the same",
    "code_bench, humaneval_xl: translations around the same code, found by the code",
    "translations of plain text are not found by the static encoder, and hardly ever proposed",
)
GROUP_WORDS = (
    "awesome_prompts_revs and the typos are groups of duplicates, and held to the target; the typos are made here",
    "awesome_prompts_revs: what is joined wrongly are entries of one frame (act as a terminal, a console, an interpreter)",
    "typos: what is missing was not proposed: words with typos have other vectors, and short texts no fingerprint in common",
    "code_bench: one problem in versions of three publishers; headers and comments of other languages go beyond an edit",
    "promptbench_adv: originals of one task are often edits of each other, yet have labels of their own",
)


def table(result: dict[str, Any]) -> str:
    """Draw everything as Markdown."""
    parts = [
        _recall_table(result, "human", "random pairs of human prompts"),
        _recall_table(result, "own", "pairs of the same set"),
        _observed(result),
        "\n".join(f"* {word}." for word in PAIR_WORDS),
        _groups_table(result),
        "\n".join(f"* {word}." for word in GROUP_WORDS),
        _stores_table(result),
        _tool(result["tool"]),
        f"Measured in {result['seconds']:.0f} s on {result['machine']['cores']} cores.",
    ]
    return "\n\n".join(parts)


def _recall_table(result: dict[str, Any], against: str, of: str) -> str:
    scores = list(next(iter(result["pairs"].values()))[against])
    lines = [
        f"| recall at 1e-2, 1e-3, 1e-4 of {of} | labelled | pairs | "
        + " | ".join(scores)
        + (" | within reach |" if against == "human" else " |"),
        "|---|---|---:|" + "---|" * (len(scores) + (against == "human")),
    ]
    for name, one in result["pairs"].items():
        found = one[against]
        cells = [" ".join(_short(share) for share in found[score].values()) or "–" for score in scores]
        cells += [" ".join(_short(share) for share in one["within_reach"].values())] if against == "human" else []
        lines.append(f"| {name} | {one['relation']} | {one['pairs']:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _observed(result: dict[str, Any]) -> str:
    human = ", ".join(f"{rate}: {share:.1e}" for rate, share in result["human_observed"].items())
    own = [one["own_observed"] for one in result["pairs"].values()]
    median = ", ".join(
        f"{rate}: {np.median([each[rate] for each in own if rate in each]):.1e}" for rate in result["human_observed"]
    )
    return (
        "Stated and true share of unrelated pairs with an edge of any kind, on the half that thresholds were not calibrated on: "
        f"human prompts {human}; the sets' own pairs, median {median}. With 10,000 pairs 1e-4 is one pair."
    )


def _groups_table(result: dict[str, Any]) -> str:
    lines = [
        (
            f"| groups of duplicates, ARI ≥ {TARGET:.2g} | texts | groups | prompts | distinct texts | precision | recall "
            "| at .7 | .85 | .9 | calibrated | neighbours from cosine .7 | from .5 | pairs compared |"
        ),
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, one in result["groups"].items():
        by, far = one["by_threshold"], one["by_distance"]
        today = by[f"{EDIT:.4g}"]
        cells = [
            f"{one['texts']:,}",
            f"{one['groups']}",
            f"**{today['ari']:.3f}**",
            *(f"{today[key]:.3f}" for key in ("ari_distinct", "precision", "recall")),
            *(f"{by[key]['ari']:.3f}" for key in ("0.7", "0.85", "0.9")),
            f"{by[format(one['calibrated'], '.4g')]['ari']:.3f} ({one['calibrated']:.3f})",
            *(f"{far[f'{near:g}']['ari']:.3f}" for near in WIDER),
            " → ".join(f"{each['compared']:,}" for each in far.values()),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _stores_table(result: dict[str, Any]) -> str:
    lines = [
        "| calibrated on | texts | stated rate | observed | edit | contain | template | reword | translate | s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, store in result["stores"].items():
        lines += [
            f"| {name} | {store['texts']:,} | {rate} | {one['observed']:.1e} | {one['edit']:.3f} | {one['contain']:.3f} "
            f"| {one['template']:.3f} | {one['reword']:.3f} | {one['translate']:.3f} | {one['seconds']:.1f} |"
            for rate, one in store["rates"].items()
        ]
    return "\n".join(lines)


def _tool(tool: dict[str, Any]) -> str:
    listed = "; ".join(
        f"{threshold}: {share['dropped']:.3f} of dropped, {share['kept']:.3f} of kept"
        for threshold, share in tool["linked"]["edit"].items()
    )
    return (
        f"Weak labels: of {tool['texts']:,} tool-use prompts another tool dropped near-duplicates by its threshold. Texts with an "
        f"edit, by that threshold: {listed}."
    )


def _short(share: float) -> str:
    return f"{share:.2f}".removeprefix("0") if share < 0.995 else "1.0" if share < 1 else "1"
