"""From found clean texts to hits: which texts they are, who sent them, what they belong to. Lookups by id, no scans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.counts import Counts
from promptscan.hits import Hit, Kind, Why
from promptscan.lookup import Lookup
from promptscan.normalise import clean
from promptscan.registry import family_name
from promptscan.slots import Slot
from promptscan.sql import script
from promptscan.store import Files
from promptscan.templates import Template, match, read_template
from promptscan.why import Found, Reading, reasons

Int64 = NDArray[np.int64]
# (clean id, score) of a hit and of the near-identical texts folded into it, best first
Group = list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose prompts are counted: all of the store's, or those a filter leaves.

    Attributes:
        counts: prompts and accounts of texts.
        first: text ids -> (prompt_id, account_id, ts) of each one's first prompt.
    """

    counts: Counts
    first: Callable[[Sequence[int]], dict[int, tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, as its hits are explained.

    Attributes:
        readings: the query as it stands, and what is encoded in it.
        shares: for each reading, clean id -> share of the reading's fingerprints that it has, where that is large.
        cosines: clean ids int64 (n,) -> cosines of their own vectors with the query, float32 (n,).
    """

    readings: tuple[Reading, ...]
    shares: tuple[Mapping[int, float], ...]
    cosines: Callable[[Int64], NDArray[np.float32]]


@dataclass
class Describer:
    """Knows everything about the texts of one generation that a hit shows.

    Attributes:
        files: the generation.
        connect: opens a connection with its views, for what is not looked up by number.
    """

    files: Files
    connect: Callable[[], duckdb.DuckDBPyConnection]
    _nothing: Int64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @cached_property
    def everything(self) -> Scope:
        """All prompts of the store."""
        stats = Lookup(self.files, "stats", "text_stats")  # has every text: each came with a prompt
        return Scope(Counts.of_store(self.files), lambda ids: stats.take(ids, ("prompt_id", "account_id", "first_ts")))

    def matching(self) -> Scope:
        """Those in the tables `matching` and `matching_stats` of the connection."""
        return Scope(Counts.of_prompts(self.connect(), "matching"), lambda ids: self._by_id("hit_first", ids))

    def hits(self, groups: Sequence[Group], asked: Asked, scope: Scope) -> list[Hit]:
        """Turn groups of found clean texts into hits.

        Args:
            groups: what was found, best first.
            asked: the query, to explain hits with.
            scope: whose prompts are counted; a group with none of them is left out.
        """
        found = []
        for group in groups:
            texts = [text for clean_id, _ in group for text in self._texts_of(clean_id)]
            lead = scope.counts.first_sent(texts)
            if lead is not None:
                found.append((group[0], texts, lead))
        leads = [lead for _, _, lead in found]
        first = scope.first(leads)
        shown = {row: values[0] for row, values in self._texts.take(leads, ("text",)).items()}
        families = [self._family_of(best[0]) for best, _, _ in found]
        campaigns = self._campaigns_of(families, [first[lead][1] for lead in leads])
        explained = self._explained([best for best, _, _ in found], [shown[lead] for lead in leads], asked)
        hits: list[Hit] = []
        for ((clean_id, score), texts, lead), (kind, why), family, campaign in zip(
            found, explained, families, campaigns, strict=True
        ):
            n_prompts, n_accounts = scope.counts.total(texts)
            prompt_id, account_id, ts = first[lead]
            hits.append(
                Hit(
                    rank=len(hits) + 1,
                    score=round(score, 6),
                    kind=kind.value,
                    prompt_id=prompt_id,
                    text_id=lead,
                    text=shown[lead],
                    account_id=account_id,
                    ts=ts,
                    n_prompts=n_prompts,
                    n_accounts=n_accounts,
                    n_collapsed=len(texts) - 1,
                    template_id=self._template_of(clean_id),
                    family_id=family,
                    campaign_id=campaign,
                    why=why,
                )
            )
        return hits

    def _explained(
        self, best: Sequence[tuple[int, float]], shown: Sequence[str], asked: Asked
    ) -> list[tuple[Kind, Why]]:
        """Explain the best clean text (id, score) of each hit by the text that is shown for it."""
        cleans = [clean_id for clean_id, _ in best]
        shares = [tuple(share.get(clean_id, 0.0) for share in asked.shares) for clean_id in cleans]
        own = np.clip(asked.cosines(np.asarray(cleans, np.int64)), -1, 1).tolist()
        # a score above all shares is the cosine of the nearest window
        cosines = [
            score if score > max(some) else mine for (_, score), some, mine in zip(best, shares, own, strict=True)
        ]
        forms = clean(pa.array(shown, pa.large_string()))[0].to_pylist()
        templates = self._common_templates(cleans, asked.readings[0].text)
        return reasons(
            asked.readings,
            [
                Found(text, form, some, round(cosine, 6), template)
                for text, form, some, cosine, template in zip(shown, forms, shares, cosines, templates, strict=True)
            ],
        )

    def _common_templates(self, cleans: Sequence[int], query: str) -> list[Template | None]:
        """Return the template of each clean text that the query is of too."""
        names = [self._template_of(clean_id) for clean_id in cleans]
        framed = {
            name: form
            for name in {name for name in names if name is not None}
            if match(form := self._forms[name], query) is not None
        }
        return [framed.get(name) if name is not None else None for name in names]

    @cached_property
    def _texts(self) -> Lookup:
        return Lookup(self.files, "prompts", "texts")

    @cached_property
    def _first_texts(self) -> Int64:
        """int64 (n,): the first text of each clean text."""
        paths = [self.files.verified(s.file("first_texts.npy")) for s in self.files.manifest.of_kind("cleans")]
        return np.concatenate([self._nothing, *(np.load(path, allow_pickle=False) for path in paths)])

    @cached_property
    def _variants(self) -> tuple[Int64, Int64]:
        """Texts that are not the first of their clean text: sorted clean ids int64 (v,) and the texts int64 (v,)."""
        paths = [self.files.verified(s.file("variants.npy")) for s in self.files.manifest.of_kind("cleans")]
        pairs = np.concatenate([self._nothing.reshape(0, 2), *(np.load(path, allow_pickle=False) for path in paths)])
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        return pairs[:, 0], pairs[:, 1]

    def _texts_of(self, clean_id: int) -> list[int]:
        """All texts of a clean text, the first one first."""
        cleans, texts = self._variants
        start, stop = np.searchsorted(cleans, (clean_id, clean_id + 1))
        return [int(self._first_texts[clean_id]), *texts[start:stop].tolist()]

    @cached_property
    def _families(self) -> Int64:
        """int64 (n,): the family number of each clean text, -1 for none."""
        segments = self.files.manifest.of_kind("families")
        return (
            np.load(self.files.verified(segments[0].file("numbers.npy")), allow_pickle=False)
            if segments
            else self._nothing
        )

    def _family_of(self, clean_id: int) -> str | None:
        number = int(self._families[clean_id]) if clean_id < len(self._families) else -1
        return family_name(number) if number >= 0 else None

    @cached_property
    def _templates(self) -> tuple[Int64, list[str]]:
        """The clean texts that are of a template, sorted int64 (t,), and its id for each."""
        rows = (
            self.connect()
            .execute("SELECT clean_id, template_id FROM base_template_members ORDER BY clean_id")
            .fetchall()
        )
        return np.asarray([row[0] for row in rows], dtype=np.int64), [row[1] for row in rows]

    @cached_property
    def _forms(self) -> dict[str, Template]:
        """Every template; its slots are typed but not counted."""
        rows = self.connect().execute("SELECT template_id, template FROM base_template_forms").fetchall()
        read = ((name, read_template(written)) for name, written in rows)
        return {name: Template(fixed, tuple(Slot(kind, 0, 0.0) for kind in types)) for name, (fixed, types) in read}

    def _template_of(self, clean_id: int) -> str | None:
        cleans, names = self._templates
        place = int(np.searchsorted(cleans, clean_id))
        return names[place] if place < len(cleans) and cleans[place] == clean_id else None

    @cached_property
    def _campaigns(self) -> dict[str, list[str]]:
        """The campaigns of each family that is part of any, the one with most of its prompts first."""
        if not self.files.manifest.of_kind("campaigns"):
            return {}
        return dict(self.connect().execute(script("hit_campaigns")).fetchall())

    def _campaigns_of(self, families: Sequence[str | None], accounts: Sequence[str]) -> list[str | None]:
        """Return the campaign of each family; of several the one that the account is surest part of."""
        several = [self._campaigns.get(family, []) if family else [] for family in families]
        asked = sorted({account for names, account in zip(several, accounts, strict=True) if len(names) > 1})
        members = {}
        if asked:
            rows = self.connect().execute(script("hit_members"), [asked]).fetchall()
            members = {(account, campaign): place for place, (account, campaign) in enumerate(rows)}
        return [
            min(names, key=lambda name: (members.get((account, name), len(members)), names.index(name)), default=None)
            for names, account in zip(several, accounts, strict=True)
        ]

    def _by_id(self, name: str, ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
        """Run a named lookup; its first column is the id."""
        if not ids:
            return {}
        listed = ", ".join(str(int(number)) for number in sorted(ids))
        rows = self.connect().execute(script(name).replace("/* ids */", listed)).fetchall()
        return {row[0]: row[1:] for row in rows}
