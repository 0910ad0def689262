"""Templates against the truth: prompts whose template and slot values are known, grouped by their template.

    python -m benchmarks.templates --data DIR [--groups N]

DIR holds Parquet files with the columns `text` and `template`, the slots of a template in braces. Grouping is not judged here:
each group is all texts of one gold template. Everything is compared on clean texts. A gold slot that has one value in the
whole group cannot be told from fixed text and counts as such; slots with nothing but white space between them count as one.
Measures, per set:

* exact: share of the groups whose found template has the gold slots and, word for word, the gold fixed text;
* refined: share whose found template is exact or a case of the gold one, cut finer: `{profile}` holds JSON with the same keys
  in every text, say, or five values happen to share a word;
* slot F1: over the words of up to 200 texts per group, is a word in a slot or not; a text that the found template does not
  match, or a group without one, has no word in a slot;
* matched: share of those texts that match the found template.

t0_templates names the template of a text but does not hold it, so there: a template is found from every second text of a
family, and counted is the share of families that have one and the share of the other texts that match it.

By chance: the share of 200 random groups of unrelated prompts in which a template is found; there is none to find.

A gold template that its own texts do not match is left out and counted.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import machine
from promptscan.groups import find_medoids
from promptscan.normalise import clean, clean_one
from promptscan.skeleton import find_template
from promptscan.slots import describe_slot
from promptscan.templates import Template, match
from promptscan.verify import similarity
from promptscan.words import cut_words

SETS = {"webarena_templates": 5, "purplellama_cyber": 20, "judge_prompts": 20, "distill_pipelines": 20}
"""Sets, and the fewest texts of a group: webarena_templates has none of 20."""

UNRELATED = ("sharegpt_sample1k", "oasst1_en_val", "hh_rlhf_harmless_test")
RANDOM_GROUPS = 200
RANDOM_SIZES = (2, 3, 5, 20)
JUDGED = 200
HALVED = 40
MEDOID_FROM = 50
_HOLE = "\ue000"
_PLACE = re.compile(r"(?:(?:\{\{\s*\w+\s*\}\}|\{\w+\})(?:\s+(?=\{))?)+")


@dataclass(frozen=True)
class Judged:
    """One group: words in slots of gold and found (true positives, found, gold), texts judged and matched."""

    exact: bool
    refined: bool
    both: int
    found: int
    gold: int
    texts: int
    matched: int


def main() -> None:
    """Judge every set, store, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--groups", type=int, default=200, help="most groups per set, the largest")
    parser.add_argument("--show", action="store_true", help="print found templates that are not exact")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": machine.facts(), "sets": {}}
    for name, fewest in SETS.items():
        start = time.perf_counter()
        groups = list(gold_groups(options.data / f"{name}.parquet", fewest))[: options.groups]
        usable = [(gold, texts) for gold, texts in groups if gold is not None]
        judged = [judge(gold, texts, show=options.show) for gold, texts in usable]
        result["sets"][name] = {
            **summary(judged),
            "fewest_texts": fewest,
            "left_out": len(groups) - len(usable),
            "seconds": round(time.perf_counter() - start, 2),
        }
    result["held_out"] = {"t0_templates": held_out(options.data / "t0_templates.parquet", options.groups)}
    result["by_chance"] = {name: by_chance(options.data / f"{name}.parquet") for name in UNRELATED}
    machine.store("templates", result)
    print(table(result))


def gold_groups(path: Path, fewest: int) -> Iterator[tuple[Template | None, list[str]]]:
    """Yield gold templates (None: not to be had) and their distinct clean texts, largest group first."""
    rows = pq.read_table(path, columns=["text", "template"])
    cleaned, _ = clean(rows["text"].combine_chunks())
    groups: dict[str, set[str]] = defaultdict(set)
    for text, template in zip(cleaned.to_pylist(), rows["template"].to_pylist(), strict=True):
        if template is not None:
            groups[template].add(text)
    large = sorted(
        (item for item in groups.items() if len(item[1]) >= fewest), key=lambda item: (-len(item[1]), item[0])
    )
    for template, texts in large:
        yield gold_template(template, sorted(texts)), sorted(texts)


def gold_template(written: str, texts: Sequence[str]) -> Template | None:
    """Return the published template as ours, slots with a single value filled in; None if most texts do not match."""
    fixed = tuple(clean_one(_PLACE.sub(_HOLE, written)).split(_HOLE))
    unknown = describe_slot([""])
    if len(fixed) == 1 or not all(fixed[1:-1]):
        return None
    draft = Template(fixed, (unknown,) * (len(fixed) - 1))
    found = [values for text in texts if (values := match(draft, text, exact=True)) is not None]
    if 2 * len(found) < len(texts):
        return None
    parts, slots = [fixed[0]], []
    for part, column in zip(fixed[1:], zip(*found, strict=True), strict=True):
        if len(set(column)) == 1:
            parts[-1] += column[0] + part
        else:
            parts.append(part)
            slots.append(describe_slot(column))
    return Template(tuple(parts), tuple(slots))


def held_out(path: Path, groups: int) -> dict[str, Any]:
    """Find a template from one half of each family's texts and match the other half."""
    rows = pq.read_table(path, columns=["text", "family"])
    cleaned, _ = clean(rows["text"].combine_chunks())
    families: dict[str, set[str]] = defaultdict(set)
    for text, family in zip(cleaned.to_pylist(), rows["family"].to_pylist(), strict=True):
        families[family].add(text)
    large = [sorted(texts) for _, texts in sorted(families.items()) if len(texts) >= HALVED][:groups]
    found = texts = matched = 0
    for family in large:
        template = find_template(family[::2], medoid_of(family[::2]))
        found += template is not None
        others = family[1::2][:JUDGED]
        texts += len(others)
        matched += 0 if template is None else sum(match(template, text) is not None for text in others)
    return {
        "families": len(large),
        "found": round(found / max(1, len(large)), 4),
        "texts": texts,
        "matched": round(matched / max(1, texts), 4),
    }


def by_chance(path: Path) -> dict[str, float]:
    """Find templates in random groups of unrelated texts; return the share of groups with one, by size."""
    cleaned, _ = clean(pq.read_table(path, columns=["text"])["text"].combine_chunks())
    texts = sorted(set(cleaned.to_pylist()))
    chosen = random.Random(0)
    return {
        str(size): sum(find_template(chosen.sample(texts, size), 0) is not None for _ in range(RANDOM_GROUPS))
        / RANDOM_GROUPS
        for size in RANDOM_SIZES
    }


def medoid_of(texts: list[str]) -> int:
    """Return the medoid of a sample of a group."""
    ids = np.unique(np.linspace(0, len(texts) - 1, MEDOID_FROM).round().astype(np.int64))
    bounds, once = np.array([0, len(ids)]), np.ones(len(ids), np.int64)
    medoids, _ = find_medoids(ids, bounds, once, lambda a, b: similarity(texts, a, b))
    return int(medoids[0])


def judge(gold: Template, texts: list[str], *, show: bool) -> Judged:
    """Find the template of a group and compare it with gold."""
    found = find_template(texts, medoid_of(texts))
    exact = found is not None and [words(part) for part in found.fixed] == [words(part) for part in gold.fixed]
    refined = found is not None and match(gold, _HOLE.join(found.fixed), exact=True) is not None
    if show and not exact:
        print(f"gold  {gold}\nfound {found}\n")
    both = n_found = n_gold = matched = 0
    sample = [texts[i] for i in np.unique(np.linspace(0, len(texts) - 1, JUDGED).round().astype(int))]
    for text in sample:
        truth = in_slots(gold, text)
        guess = None if found is None else in_slots(found, text)
        if truth is None:
            continue
        matched += guess is not None
        n_gold += int(truth.sum())
        if guess is not None:
            n_found += int(guess.sum())
            both += int((truth & guess).sum())
    return Judged(exact, exact or refined, both, n_found, n_gold, len(sample), matched)


def words(part: str) -> list[str]:
    """Return the words of a fixed part."""
    return cut_words(part).words


def in_slots(template: Template, text: str) -> NDArray[np.bool_] | None:
    """Tell which words of a text are in slots; None when it does not match."""
    values = match(template, text)
    if values is None:
        return None
    cut = cut_words(text)
    inside = np.zeros(len(cut.words), bool)
    place = 0
    for part, value in zip(template.fixed, values, strict=False):
        place = text.find(value, min(len(text), place + len(part)))
        if place < 0:
            return None
        inside |= (cut.start < place + len(value)) & (cut.end > place)
        place += len(value)
    return inside


def summary(judged: Sequence[Judged]) -> dict[str, Any]:
    """Return the measures of a set."""
    both, found, gold = (sum(getattr(one, name) for one in judged) for name in ("both", "found", "gold"))
    texts, matched = sum(one.texts for one in judged), sum(one.matched for one in judged)
    return {
        "groups": len(judged),
        "texts": texts,
        "exact": round(sum(one.exact for one in judged) / max(1, len(judged)), 4),
        "refined": round(sum(one.refined for one in judged) / max(1, len(judged)), 4),
        "slot_precision": round(both / max(1, found), 4),
        "slot_recall": round(both / max(1, gold), 4),
        "slot_f1": round(2 * both / max(1, found + gold), 4),
        "matched": round(matched / max(1, texts), 4),
    }


def table(result: dict[str, Any]) -> str:
    """Draw the measures as Markdown."""
    lines = [
        "| set | texts per group | groups | left out | texts | exact | refined | slot F1 | precision | recall | matched |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | ≥ {one['fewest_texts']} | {one['groups']} | {one['left_out']} | {one['texts']:,} | {one['exact']:.3f} | {one['refined']:.3f} | {one['slot_f1']:.3f} | "
        f"{one['slot_precision']:.3f} | {one['slot_recall']:.3f} | {one['matched']:.3f} |"
        for name, one in result["sets"].items()
    ]
    lines += ["", "| held out | families | template found | texts | matched |", "|---|---:|---:|---:|---:|"]
    lines += [
        f"| {name} | {one['families']} | {one['found']:.3f} | {one['texts']:,} | {one['matched']:.3f} |"
        for name, one in result["held_out"].items()
    ]
    lines += [
        "",
        "| by chance | " + " | ".join(f"{n} texts" for n in RANDOM_SIZES) + " |",
        "|---|" + "---:|" * len(RANDOM_SIZES),
    ]
    lines += [
        f"| {name} | " + " | ".join(f"{share:.3f}" for share in (one[str(n)] for n in RANDOM_SIZES)) + " |"
        for name, one in result["by_chance"].items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
