"""Real texts in place of made-up ones: background prompts, and what fills a campaign's free slots."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from promptscan.errors import UsageError
from promptscan.simulate.grammar import Strings, strings
from promptscan.simulate.habits import everyday
from promptscan.simulate.plan import Label, Plan

MOST_TEXTS, MOST_FILLERS = 300_000, 20_000
_MAX_CHARS = 20_000
_FILLER_CHARS = 240
_USES = (0.84, 0.1, 0.04, 0.02)  # share of the texts that are used once, twice, three times, four times
_ORDINARY = (Label.BACKGROUND, Label.RELAY, Label.RETRY, Label.CAMPAIGN_COVER)
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s|[\r\n]")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Distinct texts in an order that says nothing.

    Args:
        texts: object (texts,).
    """

    texts: Strings

    def fillers(self) -> list[str]:
        """Return first sentences or lines, cut to a length at a word, without repetitions, in the texts' order."""
        short = (_shortened(_SENTENCE_END.split(text.strip(), maxsplit=1)[0]) for text in self.texts[:MOST_FILLERS])
        return [each for each in dict.fromkeys(short) if each]


NO_CORPUS = Corpus(strings([]))


def load_corpus(path: Path, most: int = MOST_TEXTS) -> Corpus:
    """Read texts as prompts are read.

    Args:
        path: Parquet, JSONL or whatever else `scan` reads, with a column `text`.
        most: texts kept; which ones does not depend on their order in the file.

    Raises:
        UsageError: the file does not exist or has no usable text.
    """
    import duckdb

    from promptscan.ingest import read_texts
    from promptscan.sql import literal

    with TemporaryDirectory(prefix="promptscan-") as folder, closing(duckdb.connect(":memory:")) as con:
        read = read_texts(con, [str(path)], Path(folder), max_chars=_MAX_CHARS)
        if not read.files:
            why = read.reasons[0][0] if read.reasons else "it is empty"
            raise UsageError(f"--corpus {path}: no text in it ({why}); wanted a file of prompts with a column text")
        files = ", ".join(literal(str(file)) for file in read.files)
        rows = con.execute(
            f"SELECT DISTINCT text FROM read_parquet([{files}]) WHERE trim(text) <> '' ORDER BY md5(text), text LIMIT ?",
            [most],
        ).fetchall()
    if not rows:
        raise UsageError(f"--corpus {path}: all texts are empty; wanted a file of prompts with a column text")
    return Corpus(strings([row[0] for row in rows]))


def with_real(plan: Plan, corpus: Corpus, seed: int) -> Plan:
    """Let texts of the corpus stand for ordinary prompts, as far as it reaches.

    A text is used at most four times, most texts once; a retry repeats the text of what it retries.

    Args:
        plan: all prompts.
        corpus: may be empty.
        seed: of the simulation.
    """
    ordinary = np.flatnonzero(np.isin(plan.label, _ORDINARY) & everyday(plan))
    if not corpus.texts.size or not ordinary.size:
        return plan
    rng = np.random.default_rng([seed, 7])
    uses = np.repeat(np.arange(corpus.texts.size), 1 + rng.choice(len(_USES), corpus.texts.size, p=_USES))
    uses = rng.permutation(uses)
    prompts, row = np.unique(plan.key[ordinary], return_inverse=True)
    given = np.full(prompts.size, -1, dtype=np.int32)
    reached = rng.permutation(prompts.size)[: uses.size]
    given[reached] = uses[: reached.size]
    real = plan.real.copy()
    real[ordinary] = given[row]
    return replace(plan, real=real)


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _FILLER_CHARS else text[:_FILLER_CHARS].rsplit(" ", 1)[0]
