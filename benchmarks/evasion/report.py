"""The table of the evasion suite: every attack and level, each view, target beside figure."""

from __future__ import annotations

from typing import Any

VIEWS = ("lexical", "semantic", "together")


def table(result: dict[str, Any]) -> str:
    """Draw the measurements as Markdown."""
    lines = [
        (
            "Found: share of the originals that are found again when they are sent attacked. In pairs: the score of original "
            f"and attacked text exceeds that of 99 % of {result['sizes']['unrelated_pairs']:,} unrelated pairs. In the store: the "
            "original is among the first ten hits of `search` for the attacked text, over "
            f"{result['sizes']['indexed']:,} real prompts; no score is asked for, so this bounds no false alarms "
            f"(docs/decisions/008), and one original more or less is {1 / result['sizes']['asked']:.2f}. *Letters*: "
            "fingerprints, sketches and match keys. *Vectors*: the static encoder, windows included. Both: the larger score, as "
            "`search` ranks; in pairs its limit is that of the vectors, which costs weak letters. Misses of a target are bold."
        ),
        "",
        "| attack | level | target | pairs: letters | vectors | both | only letters | only vectors | store: letters | vectors | both |",
        "|---|---|---:|" + "---:|" * 8,
    ]
    for row in result["rows"]:
        pairs, store = row["pairs"], row["store"]
        cells = [f"{pairs[view]:.3f}" for view in VIEWS[:2]]
        cells += [_judged(pairs["together"], row["target"])]
        cells += [f"{pairs['only_lexical']:.3f}", f"{pairs['only_semantic']:.3f}"]
        cells += [f"{store[view]:.3f}" for view in VIEWS[:2]] + [_judged(store["together"], row["target"])]
        target = "" if row["target"] is None else f"≥ {row['target']:.2f}"
        lines.append(f"| {row['attack']} | {row['level']} | {target} | {' | '.join(cells)} |")
    asked = [row for row in result["rows"] if row["target"] is not None]
    missed = {name: sum(row[name]["together"] < row["target"] for row in asked) for name in ("pairs", "store")}
    sizes, machine = result["sizes"], result["machine"]
    lines += [
        "",
        f"{len(result['rows'])} levels, of which {len(asked)} have a target; missed in pairs {missed['pairs']}, in the store "
        f"{missed['store']}. {sizes['originals']} originals in pairs, {sizes['asked']} in the store; thresholds "
        + ", ".join(f"{name} {value:.3f}" for name, value in result["thresholds"].items())
        + f". Machine: {machine['processor']}, {machine['cores']} cores, load {machine['load_1_minute']:.1f}.",
    ]
    return "\n".join(lines)


def _judged(value: float, target: float | None) -> str:
    return f"**{value:.3f}**" if target is not None and value < target else f"{value:.3f}"
