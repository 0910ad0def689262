"""From found clean texts to hits: which texts they are, who sent them, what they belong to. Lookups by id, no scans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.hits import Hit, explain
from promptscan.normalise import clean
from promptscan.sql import script

Int64 = NDArray[np.int64]
Group = Sequence[
    tuple[int, float]
]  # (clean id, score) of a hit and of the near-identical texts folded into it, best first


@dataclass(frozen=True, slots=True)
class Scope:
    """Where counts come from: relations with the columns of `base_text_stats` and `base_text_accounts`."""

    stats: str = "base_text_stats"
    accounts: str = "base_text_accounts"


@dataclass(frozen=True, slots=True)
class TextsOf:
    """The texts of every clean text.

    Attributes:
        first: int64 (n,), the first text of each clean text.
        variant_cleans: int64 (v,), sorted: the clean text of each text that is not the first of its own.
        variant_texts: int64 (v,), those texts.
    """

    first: Int64
    variant_cleans: Int64
    variant_texts: Int64

    @classmethod
    def load(cls, con: duckdb.DuckDBPyConnection) -> TextsOf:
        """Read the mapping of a generation."""
        first = con.execute("SELECT text_id FROM base_cleans ORDER BY clean_id").fetchnumpy()
        others = con.execute("SELECT clean_id, text_id FROM base_text_variants ORDER BY clean_id, text_id").fetchnumpy()
        arrays = (first["text_id"], others["clean_id"], others["text_id"])
        return cls(*(np.asarray(array, dtype=np.int64) for array in arrays))

    def of(self, clean_id: int) -> list[int]:
        """Return all texts of a clean text, the first one first."""
        start, stop = np.searchsorted(self.variant_cleans, (clean_id, clean_id + 1))
        return [int(self.first[clean_id]), *self.variant_texts[start:stop].tolist()]


@dataclass(frozen=True, slots=True)
class _Fact:
    """A row of `text_stats`."""

    text_id: int
    n_prompts: int
    n_accounts: int
    prompt_id: str
    account_id: str
    ts: datetime | None


def describe(
    con: duckdb.DuckDBPyConnection, texts_of: TextsOf, groups: Sequence[Group], cleaned: str, scope: Scope
) -> list[Hit]:
    """Turn groups of found clean texts into hits.

    Args:
        con: a connection with the generation's views.
        texts_of: the texts of clean texts.
        groups: what was found, best first.
        cleaned: clean form of the query, to explain hits with.
        scope: whose prompts are counted; a group with none of them is left out.
    """
    texts = [[text for clean_id, _ in group for text in texts_of.of(clean_id)] for group in groups]
    facts = _facts(con, scope, sorted({text for listed in texts for text in listed}))
    kept = [
        (group, [facts[text] for text in listed if text in facts]) for group, listed in zip(groups, texts, strict=True)
    ]
    kept = [(group, known) for group, known in kept if known]
    leads = [known[0] for _, known in kept]
    senders = _senders(con, scope, [known for _, known in kept if len(known) > 1])
    shown = _by_id(con, "hit_texts", [lead.text_id for lead in leads])
    families = _by_id(con, "hit_families", [group[0][0] for group, _ in kept])
    forms = clean(pa.array([shown[lead.text_id][0] for lead in leads], pa.large_string()))[0].to_pylist()
    hits: list[Hit] = []
    for (group, known), lead, form in zip(kept, leads, forms, strict=True):
        text, template_id = shown[lead.text_id]
        family_id, campaign_id = families.get(group[0][0], (None, None))
        hits.append(
            Hit(
                rank=len(hits) + 1,
                score=round(group[0][1], 6),
                kind=explain(cleaned, form).value,
                prompt_id=lead.prompt_id,
                text_id=lead.text_id,
                text=text,
                account_id=lead.account_id,
                ts=lead.ts,
                n_prompts=sum(fact.n_prompts for fact in known),
                n_accounts=senders.get(lead.text_id, lead.n_accounts),
                n_collapsed=len(known) - 1,
                template_id=template_id,
                family_id=family_id,
                campaign_id=campaign_id,
            )
        )
    return hits


def _facts(con: duckdb.DuckDBPyConnection, scope: Scope, ids: Sequence[int]) -> dict[int, _Fact]:
    if not ids:
        return {}
    query = script("hit_facts").replace("/* stats */", scope.stats).replace("/* ids */", _listed(ids))
    return {row[0]: _Fact(*row) for row in con.execute(query).fetchall()}


def _senders(con: duckdb.DuckDBPyConnection, scope: Scope, known: Sequence[Sequence[_Fact]]) -> dict[int, int]:
    """Count distinct accounts over the texts of each hit that has several, by its lead text."""
    pairs = [(facts[0].text_id, fact.text_id) for facts in known for fact in facts]
    if not pairs:
        return {}
    columns = {name: pa.array([pair[i] for pair in pairs], pa.int64()) for i, name in enumerate(("head", "text_id"))}
    query = script("hit_senders").replace("/* accounts */", scope.accounts)
    con.register("wanted", pa.table(columns))
    try:
        rows = con.execute(query.replace("/* ids */", _listed(sorted({text for _, text in pairs})))).fetchall()
    finally:
        con.unregister("wanted")
    return dict(rows)


def _by_id(con: duckdb.DuckDBPyConnection, name: str, ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
    """Run a named lookup; its first column is the id."""
    if not ids:
        return {}
    rows = con.execute(script(name).replace("/* ids */", _listed(sorted(ids)))).fetchall()
    return {row[0]: row[1:] for row in rows}


def _listed(ids: Iterable[int]) -> str:
    """Write our own integers as an SQL list; a literal list is what DuckDB prunes row groups with."""
    return ", ".join(str(int(number)) for number in ids)
