"""Capabilities against the truth: groups of published prompts whose purpose is known from where they were published.

    python -m benchmarks.capabilities --data DIR [--encoders static minilm]

A group is 16 texts (5 at least) of one gold family, or of a set without families; up to 24 groups a set. It is judged like a
family of a store: the mean of its texts' scores, as percentiles of a background of human prompts and one text of each group.
Templates, which help, are not given. Measures, per set:

* recall@1, recall@2: the gold capability is the first, or one of the first two;
* named: share of the groups where it is a convincing one, so that an analyst sees it;
* for sets that probe nothing: share of the groups with no convincing capability.

Single texts of the groups are judged too, by what `show` wants of one: recall@1, recall@2, named, and the share of the texts that
probe nothing, and of human prompts beside the background, of which none is named.

By chance an order of the capabilities has recall@1 of 1/c and recall@2 of 2/c. The seeds were written before any of this was
measured; number of nearest seeds, whitening, the weight of cues, the threshold and the cues of code were chosen on these sets.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import machine
from promptscan.capabilities import CONVINCING, Judge, make_judge
from promptscan.embed import embed_texts
from promptscan.encoders import Encoder, load_encoder
from promptscan.judgement import TEXT_CONVINCING
from promptscan.normalise import clean
from promptscan.seedbanks import OTHER, load_banks
from promptscan.vectors import unit

GROUP, FEWEST, GROUPS, BACKGROUND, OTHERS = 16, 5, 24, 700, 300
HUMAN = (
    "sharegpt_sample1k",
    "oasst1_en_val",
    "autoj_queries",
    "instructionwild_users",
    "oasst_eval_prompts",
    "arena_hard",
    "nq_open",
)

Row = dict[str, Any]
CHINESE_MATHS, CHAT_MATHS = {"hik:整数加减法"}, {"math", "初等数学", "高等数学", "应用数学"}
SETS: tuple[tuple[str, str, str, Callable[[Row], bool]], ...] = (  # gold, name, file, rows
    ("software engineering", "codealpaca", "codealpaca", lambda _: True),
    ("software engineering", "code_bench", "code_bench", lambda _: True),
    ("software engineering", "humaneval_xl (23 languages)", "humaneval_xl", lambda _: True),
    ("software engineering", "zh_distill, code (Chinese)", "zh_distill", lambda row: row["family"] == "hik:代码问题"),
    ("software engineering", "gpteacher, code", "gpteacher", lambda row: row["family"] == "codegen"),
    ("software engineering", "purplellama_code", "purplellama_code", lambda _: True),
    ("agentic reasoning", "agent_tasks", "agent_tasks", lambda _: True),
    ("agentic reasoning", "agentic_long", "agentic_long", lambda _: True),
    ("agentic reasoning", "webarena_templates", "webarena_templates", lambda _: True),
    ("cybersecurity", "purplellama_cyber, mitre", "purplellama_cyber", lambda row: row["part"] == "mitre_frr"),
    (
        "cybersecurity",
        "purplellama_cyber, questions",
        "purplellama_cyber",
        lambda row: row["part"] in {"questions.json", "threat_intel"},
    ),
    ("reasoning traces", "bbh_cot_fewshot", "bbh_cot_fewshot", lambda _: True),
    ("reasoning traces", "flan_cot", "flan_cot", lambda _: True),
    ("rubric grading", "judge_prompts", "judge_prompts", lambda _: True),
    ("maths", "zh_distill, sums (Chinese)", "zh_distill", lambda row: row["family"] in CHINESE_MATHS),
    ("maths", "chat_bench, maths", "chat_bench", lambda row: row["family"] in CHAT_MATHS),
    (
        "data generation",
        "distill_pipelines",
        "distill_pipelines",
        lambda row: not row["family"].startswith("alpaca_frame"),
    ),
    ("safety boundaries", "jailbreak_safety", "jailbreak_safety", lambda _: True),
    ("safety boundaries", "hh_rlhf_harmless", "hh_rlhf_harmless_test", lambda _: True),
    ("text analysis", "t0_templates", "t0_templates", lambda _: True),
    ("creative writing", "gpteacher, roleplay", "gpteacher", lambda row: row["family"] == "roleplay"),
    (
        "translation",
        "instruction_induction",
        "instruction_induction",
        lambda row: str(row["family"]).startswith("translation"),
    ),
    (OTHER, "banking77", "banking77", lambda _: True),
    (OTHER, "snips_nlu", "snips_nlu", lambda _: True),
    (OTHER, "restaurant8k", "restaurant8k", lambda _: True),
)


@dataclass(frozen=True)
class Group:
    """Texts of one gold family; `gold` is what they probe."""

    gold: str
    source: str
    texts: list[str]


def main() -> None:
    """Judge with every encoder, store, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoders", nargs="+", default=["static"])
    options = parser.parse_args()
    groups = [
        group
        for gold, name, file, keep in SETS
        for group in gold_groups(options.data / f"{file}.parquet", gold, name, keep)
    ]
    background, others = human(options.data)
    result: dict[str, Any] = {"machine": machine.facts(), "encoders": {}}
    for name in options.encoders:
        start = time.perf_counter()
        judged = judge(groups, background, others, load_encoder(name))
        result["encoders"][name] = {**judged, "seconds": round(time.perf_counter() - start, 1)}
    machine.store("capabilities", result)
    print(table(result))


def gold_groups(path: Path, gold: str, source: str, keep: Callable[[Row], bool]) -> Iterator[Group]:
    """Draw the groups of a set."""
    chosen = random.Random(0)
    families: dict[str, list[str]] = defaultdict(list)
    for row in filter(keep, pq.read_table(path).to_pylist()):
        families[str(row["family"])].append(row["text"])
    large = sorted(name for name, texts in families.items() if len(texts) >= FEWEST)
    drawn = chosen.sample(large, min(GROUPS, len(large)))
    for name in drawn:
        for _ in range(max(1, GROUPS // len(drawn)) if len(drawn) < 6 else 1):
            texts = chosen.sample(families[name], min(GROUP, len(families[name])))
            yield Group(gold, source, clean(pa.array(texts, pa.large_string()))[0].to_pylist())


def human(data: Path) -> tuple[list[str], list[str]]:
    """Draw the background, and as many others as there are up to `OTHERS` of each set."""
    chosen = random.Random(1)
    drawn: tuple[list[str], list[str]] = [], []
    for name in HUMAN:
        own = pq.read_table(data / f"{name}.parquet", columns=["text"])["text"].to_pylist()
        drawn[0].extend(background := chosen.sample(own, min(BACKGROUND, len(own))))
        drawn[1].extend(sorted(set(own) - set(background))[:OTHERS])
    cleaned = [clean(pa.array(texts, pa.large_string()))[0].to_pylist() for texts in drawn]
    return cleaned[0], cleaned[1]


def judge(groups: Sequence[Group], background: list[str], others: list[str], encoder: Encoder) -> dict[str, Any]:
    """Judge all groups with one encoder."""
    banks = load_banks()
    ordinary = [*background, *(group.texts[0] for group in groups)]
    seeds = [unit(embed_texts(encoder, bank.texts).vectors) for bank in banks]
    made = make_judge(banks, seeds, unit(embed_texts(encoder, ordinary).vectors), ordinary)
    scores = np.stack([_score(made, encoder, group) for group in groups])
    order, share = made.ranking(scores)
    names = [[made.names[column] for column in row] for row in order[:, :2]]
    by_set: dict[tuple[str, str], list[tuple[bool, bool, bool]]] = defaultdict(list)
    confusion: dict[str, Counter[str]] = defaultdict(Counter)
    for group, first, percentiles in zip(groups, names, share, strict=True):
        convincing = {made.names[column] for column in np.flatnonzero(percentiles >= CONVINCING)}
        right = group.gold in convincing if group.gold != OTHER else not convincing
        by_set[group.gold, group.source].append((group.gold == first[0], group.gold in first, right))
        confusion[group.gold][first[0] if convincing else OTHER] += 1
    rows = [
        {
            "gold": gold,
            "set": source,
            "groups": len(found),
            **dict(zip(("recall_1", "recall_2", "named"), np.round(np.mean(found, axis=0), 4).tolist(), strict=True)),
        }
        for (gold, source), found in by_set.items()
    ]
    probing = [row for row in rows if row["gold"] != OTHER]
    mean = {
        name: round(float(np.mean([row[name] for row in probing])), 4) for name in ("recall_1", "recall_2", "named")
    }
    chance = {"recall_1": round(1 / len(made.names), 4), "recall_2": round(2 / len(made.names), 4)}
    return {
        "sets": rows,
        "mean": mean,
        "texts": judge_texts(made, encoder, groups, others),
        "chance": chance,
        "confusion": {gold: dict(told.most_common()) for gold, told in confusion.items()},
        "background": len(made.background),
    }


def judge_texts(made: Judge, encoder: Encoder, groups: Sequence[Group], others: list[str]) -> dict[str, Any]:
    """Judge the texts of the groups one by one, but for those that are of the background."""
    found: list[tuple[bool, bool, bool]] = []
    silent: list[bool] = []
    for group in groups:
        order, share = _ranking(made, encoder, group.texts[1:])
        if group.gold == OTHER:
            silent += (share < TEXT_CONVINCING).all(axis=1).tolist()
            continue
        column = made.names.index(group.gold)
        first, second = order[:, 0] == column, order[:, 1] == column
        found += zip(first, first | second, share[:, column] >= TEXT_CONVINCING, strict=True)
    return {
        "count": len(found),
        **dict(zip(("recall_1", "recall_2", "named"), np.round(np.mean(found, axis=0), 4).tolist(), strict=True)),
        "nothing": round(float(np.mean(silent)), 4),
        "nothing_human": round(float((_ranking(made, encoder, others)[1] < TEXT_CONVINCING).all(axis=1).mean()), 4),
    }


def _ranking(made: Judge, encoder: Encoder, texts: list[str]) -> tuple[Any, Any]:
    return made.ranking(made.scores(unit(embed_texts(encoder, texts).vectors), texts))


def _score(made: Judge, encoder: Encoder, group: Group) -> Any:
    return made.scores(unit(embed_texts(encoder, group.texts).vectors), group.texts).mean(axis=0)


def table(result: dict[str, Any]) -> str:
    """Draw the measures as Markdown."""
    lines: list[str] = []
    for name, one in result["encoders"].items():
        lines += [
            f"Encoder `{name}`: mean over the sets that probe something, and by chance (an order of the capabilities at random).",
            "",
            "| gold | set | groups | recall@1 | recall@2 | named |",
            "|---|---|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {row['gold']} | {row['set']} | {row['groups']} | "
            + ("| | " if row["gold"] == OTHER else f"{row['recall_1']:.2f} | {row['recall_2']:.2f} | ")
            + f"{row['named']:.2f} |"
            for row in one["sets"]
        ]
        mean, chance = one["mean"], one["chance"]
        lines += [
            f"| **mean** | | | **{mean['recall_1']:.2f}** | **{mean['recall_2']:.2f}** | **{mean['named']:.2f}** |",
            f"| by chance | | | {chance['recall_1']:.2f} | {chance['recall_2']:.2f} | |",
            *_of_texts(one.get("texts")),
            "",
            "| gold | what the groups were called |",
            "|---|---|",
        ]
        lines += [
            f"| {gold} | " + ", ".join(f"{what} {n}" for what, n in told.items()) + " |"
            for gold, told in one["confusion"].items()
        ]
        lines.append("")
    return "\n".join(lines).rstrip()


def _of_texts(one: dict[str, Any] | None) -> list[str]:
    if one is None:
        return []
    return [
        "",
        (
            f"Single texts ({one['count']:,}): recall@1 {one['recall_1']:.2f}, recall@2 {one['recall_2']:.2f}, named "
            f"{one['named']:.2f}; nothing named for {one['nothing']:.2f} of the texts that probe nothing and for "
            f"{one['nothing_human']:.2f} of human prompts."
        ),
    ]


if __name__ == "__main__":
    main()
