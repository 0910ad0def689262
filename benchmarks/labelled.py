"""Labelled pairs, and labelled groups of duplicates, read from the published sets that have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.calibrate import background_pairs, components
from promptscan.normalise import clean
from promptscan.sql import literal
from promptscan.verify import Edges, Relation

HUMAN = (
    "sharegpt_sample1k",
    "hh_rlhf_harmless_test",
    "oasst1_en_val",
    "oasst_eval_prompts",
    "arena_hard",
    "autoj_queries",
    "instructionwild_users",
    "nq_open",
)
EDITED, SINGLES = 300, 2000

Int64 = NDArray[np.int64]

_SIDES = "SELECT max(text) FILTER (side = 'a'), max(text) FILTER (side = 'b') FROM"
_ATTACKED = (
    "SELECT a.text, b.text FROM promptbench_adv a JOIN promptbench_adv b USING (pair_id) "
    "WHERE a.side = 'a' AND b.side = 'b' AND a.attack IN"
)
_LANGUAGES = "SELECT a.text, b.text FROM stsb_multi a JOIN stsb_multi b USING (row, side, split) WHERE side = 'a'"
_LATIN = "('de', 'en', 'es', 'fr', 'it', 'nl', 'pl', 'pt')"
_ALPACA = "SELECT a.text, b.text FROM alpaca_parallel a JOIN alpaca_parallel b USING (pair_id) WHERE a.lang = 'en'"

PAIRS = {
    "promptbench_adv: letters": ("edit", f"{_ATTACKED} ('deepwordbug', 'textbugger')"),
    "promptbench_adv: suffixes": ("edit", f"{_ATTACKED} ('checklist', 'stresstest')"),
    "promptbench_adv: words": ("reword", f"{_ATTACKED} ('textfooler', 'bertattack')"),
    "awesome_prompts_revs": (
        "edit",
        (
            "SELECT a.text, b.text FROM awesome_prompts_revs a JOIN awesome_prompts_revs b USING (family) "
            "WHERE a.revision < b.revision"
        ),
    ),
    "msrp_pan: msrp": ("reword", f"{_SIDES} msrp_pan WHERE label = 1 AND dataset = 'msrp' GROUP BY pair_id"),
    "msrp_pan: pan": ("reword", f"{_SIDES} msrp_pan WHERE label = 1 AND dataset = 'pan' GROUP BY pair_id"),
    "sts_semeval: ≥ 4 of 5": ("reword", f"{_SIDES} sts_semeval WHERE score >= 4 GROUP BY pair_id"),
    "stsb_multi: ≥ 4 of 5": ("reword", f"{_SIDES} stsb_multi WHERE score >= 4 GROUP BY pair_id"),
    "task_rewrites": ("reword", f"{_SIDES} task_rewrites GROUP BY pair_id"),
    "code_bench: programming languages": (
        "translate",
        "SELECT a.text, b.text FROM code_bench a JOIN code_bench b USING (family) WHERE a.dataset < b.dataset",
    ),
    "humaneval_xl: languages": (
        "translate",
        "SELECT a.text, b.text FROM humaneval_xl a JOIN humaneval_xl b USING (family, code_lang) WHERE a.lang < b.lang",
    ),
    "stsb_multi: Latin to Latin": (
        "translate",
        f"{_LANGUAGES} AND a.lang < b.lang AND a.lang IN {_LATIN} AND b.lang IN {_LATIN}",
    ),
    "stsb_multi: Latin to ja, ru, zh": (
        "translate",
        f"{_LANGUAGES} AND a.lang IN {_LATIN} AND b.lang NOT IN {_LATIN}",
    ),
    "alpaca_parallel: en to de": ("translate", f"{_ALPACA} AND b.lang = 'de'"),
    "alpaca_parallel: en to zh": ("translate", f"{_ALPACA} AND b.lang = 'zh'"),
}
"""Sets of pairs: what their makers say relates the two texts, and the query for them."""

_PUBLISHED = "SELECT text, family FROM code_bench WHERE dataset IN"
_THREE = "'humaneval', 'humaneval-python', 'humanevalx-python', 'humaneval-js', 'humanevalx-js', 'humaneval-go', 'humanevalx-go'"
_SIX = f"{_THREE}, 'humaneval-cpp', 'humanevalx-cpp', 'humaneval-java', 'humanevalx-java', 'humaneval-rs', 'humanevalx-rust'"
# clean instructions that differ in punctuation only are one
_GROUPED = (
    "WITH t(first, second) AS ({0}), named AS (SELECT *, regexp_replace(lower(first), '[^a-z0-9]', '', 'g') AS name FROM t) "
    "SELECT first, name FROM named UNION ALL SELECT second, name FROM named"
)

GROUPS = {
    "awesome_prompts_revs": "SELECT text, family FROM awesome_prompts_revs",
    "code_bench: py, js, go": f"{_PUBLISHED} ({_THREE})",
    "code_bench: and cpp, java, rust": f"{_PUBLISHED} ({_SIX})",
    "promptbench_adv: letters": _GROUPED.format(PAIRS["promptbench_adv: letters"][1]),
    "promptbench_adv: letters, suffixes": _GROUPED.format(
        f"{_ATTACKED} ('deepwordbug', 'textbugger', 'checklist', 'stresstest')"
    ),
    "promptbench_adv: words": _GROUPED.format(PAIRS["promptbench_adv: words"][1]),
}
"""Sets of groups: the query for texts and labels. Each group is one text in versions of its makers."""


@dataclass(frozen=True)
class LabelledPairs:
    """Related pairs of a set, and unrelated ones of the same set.

    Attributes:
        relation: what the makers of the set say it is.
        texts: distinct clean texts.
        related: ids of texts, each pair once, no copies. int64 (p, 2).
        unrelated: pairs of texts that no chain of related pairs connects. int64 (q, 2).
    """

    relation: str
    texts: list[str]
    related: Int64
    unrelated: Int64


@dataclass(frozen=True)
class LabelledTexts:
    """Distinct clean texts, the group each belongs to, and how often each was there; both int64 (n,)."""

    texts: list[str]
    labels: Int64
    times: Int64


def open_sets(data: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection with a view for every Parquet file of a folder."""
    con = duckdb.connect()
    for path in sorted(data.glob("*.parquet")):
        con.execute(f'CREATE VIEW "{path.stem}" AS FROM read_parquet({literal(str(path))})')
    return con


def cleaned(texts: Sequence[str]) -> list[str]:
    """Return clean texts."""
    return list(clean(pa.array(texts, pa.large_string()))[0].to_pylist())


def distinct_texts(con: duckdb.DuckDBPyConnection, sets: Sequence[str]) -> list[str]:
    """Return the distinct clean texts of sets, sorted, none empty."""
    query = " UNION ALL ".join(f'SELECT text FROM "{name}"' for name in sets)
    return sorted({text for text in cleaned([row[0] for row in con.execute(query).fetchall()]) if text})


def labelled_pairs(con: duckdb.DuckDBPyConnection, name: str, *, most: int, negatives: int) -> LabelledPairs:
    """Read a sample of a set of pairs."""
    relation, query = PAIRS[name]
    rows = sorted(set(con.execute(query).fetchall()))
    chosen = np.random.default_rng(0).permutation(len(rows))[: 2 * most]
    cleans = zip(cleaned([rows[i][0] for i in chosen]), cleaned([rows[i][1] for i in chosen]), strict=True)
    sides = [pair for pair in dict.fromkeys(cleans) if pair[0] != pair[1] and all(pair)][:most]
    texts = sorted({text for pair in sides for text in pair})
    number = {text: i for i, text in enumerate(texts)}
    related = np.array([[number[a], number[b]] for a, b in sides], np.int64).reshape(-1, 2)
    edges = Edges(
        related[:, 0], related[:, 1], np.full(len(related), Relation.EDIT, np.uint8), np.ones(len(related), np.float32)
    )
    return LabelledPairs(relation, texts, related, background_pairs(components(len(texts), edges), wanted=negatives))


def labelled_texts(con: duckdb.DuckDBPyConnection, name: str, singles: Sequence[str]) -> LabelledTexts:
    """Read a set of groups, and add texts that are alone."""
    return _labelled(con.execute(GROUPS[name]).fetchall(), singles)


def edited_texts(originals: Sequence[str], singles: Sequence[str]) -> LabelledTexts:
    """Make groups: each original with 1 to 9 light edits of it, typos in up to 5 % of its characters."""
    rng = np.random.default_rng(0)
    rows = [(text, text) for text in originals]
    for text in originals:
        rows += [(_edited(text, rng), text) for _ in range(int(rng.integers(1, 10)))]
    return _labelled(rows, singles)


def _edited(text: str, rng: np.random.Generator) -> str:
    """Return a text with a few of its characters dropped, doubled or replaced."""
    letters = list(text)
    for place in np.flatnonzero(rng.random(len(letters)) < rng.uniform(0, 0.05)).tolist():
        letters[place] = ("", 2 * letters[place], chr(97 + int(rng.integers(26))))[int(rng.integers(3))]
    return "".join(letters)


def _labelled(rows: Sequence[tuple[str, str]], singles: Sequence[str]) -> LabelledTexts:
    """Number texts and groups; a text with several labels keeps the first."""
    rows = sorted(rows)
    texts = cleaned([text for text, _ in rows])
    label: dict[str, str] = {}
    times: dict[str, int] = {}
    for text, (_, group) in zip(texts, rows, strict=True):
        label.setdefault(text, group)
        times[text] = times.get(text, 0) + 1
    for text in singles:
        label.setdefault(text, f"alone: {text}")
        times.setdefault(text, 1)
    names = {name: number for number, name in enumerate(dict.fromkeys(label.values()))}
    labels = np.array([names[name] for name in label.values()], np.int64)
    return LabelledTexts(list(label), labels, np.array(list(times.values()), np.int64))
