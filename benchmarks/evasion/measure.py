"""What each view finds of attacked texts: pair by pair, and in a store that was built and is searched like a user's."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.evasion.attack import Sent
from promptscan.api import Store, scan
from promptscan.decode import decoded
from promptscan.embed import Embedded, embed_texts, load_encoder
from promptscan.fingerprint import fingerprints
from promptscan.keyed import key_similarity
from promptscan.lexical import ENOUGH
from promptscan.matchkey import match_keys
from promptscan.normalise import clean

SETS = (
    "hh_rlhf_harmless_test", "oasst1_en_val", "sharegpt_sample1k", "arena_hard", "autoj_queries", "instructionwild_users",
    "oasst_eval_prompts", "nq_open", "codealpaca", "agent_tasks",
)  # fmt: skip
PER_SET = 1_500
SHORTEST = 24  # letters of the match key
LONGEST = 20_000  # characters
FALSE_RATE = 0.01
FIRST = 10  # hits that a person looks at

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts of other people, no two with one match key.

    Attributes:
        originals: what is attacked, and indexed.
        background: indexed beside them.
        unrelated: queries that have nothing to find.
        filler: what attackers pad with; not indexed.
    """

    originals: list[str]
    background: list[str]
    unrelated: list[str]
    filler: list[str]


def load(data: Path, originals: int, background: int, seed: int, names: Sequence[str] = SETS) -> Corpus:
    """Draw texts from all sets alike."""
    dice = random.Random(seed)
    texts: list[str] = []
    for name in names:
        own = sorted({text for text in pq.read_table(data / f"{name}.parquet")["text"].to_pylist() if text})
        texts += dice.sample(own, min(PER_SET, len(own)))
    dice.shuffle(texts)
    keys = match_keys(clean(pa.array(texts, pa.large_string()))[0]).to_pylist()
    distinct = {k: t for k, t in zip(keys, texts, strict=True) if len(k) >= SHORTEST and len(t) <= LONGEST}
    left = iter(distinct.values())
    parts = [[text for _, text in zip(range(n), left, strict=False)] for n in (originals, background, 1_000, 1_500)]
    return Corpus(*parts)


def threshold(unrelated: Scores) -> float:
    """Return what a score must exceed so that at most FALSE_RATE of the unrelated ones do."""
    return float(np.sort(unrelated)[::-1][int(len(unrelated) * FALSE_RATE)])


@dataclass(frozen=True, slots=True)
class Prepared:
    """Texts as both views see them.

    Attributes:
        forms: match keys of each text and of what it hides.
        prints: the fingerprints of each form.
        vectors: float32 (r, d), of texts and windows; row r is of text `owner[r]`.
    """

    forms: list[list[str]]
    prints: list[list[frozenset[int]]]
    vectors: Scores
    owner: NDArray[np.int64]


class Pairs:
    """Scores pairs of texts, both views apart."""

    def __init__(self) -> None:
        """Load the encoder."""
        self._encoder = load_encoder("static")

    def prepare(self, texts: Sequence[str]) -> Prepared:
        """Bring texts into the form both views compare."""
        cleans = clean(pa.array(texts, pa.large_string()))[0].to_pylist()
        keys = [forms(text) for text in cleans]
        flat = [key for some in keys for key in some]
        found = fingerprints(pa.array(flat, pa.large_string()))
        ends = np.searchsorted(found.texts, np.arange(len(flat) + 1))
        sets = iter([frozenset(found.hashes[a:b].tolist()) for a, b in pairwise(ends)])
        embedded: Embedded = embed_texts(self._encoder, cleans)
        vectors = np.concatenate([embedded.vectors, embedded.chunk_vectors]).astype(np.float32)
        owner = np.concatenate([np.arange(len(cleans)), embedded.chunk_text])
        return Prepared(keys, [[next(sets) for _ in some] for some in keys], vectors, owner)

    def lexical(self, a: Prepared, rows: Sequence[int], b: Prepared, columns: Sequence[int]) -> Scores:
        """Score pairs by fingerprints and by keys, as a search does. float32 (p,)."""
        pairs = zip(rows, columns, strict=True)
        return np.array([self._lexical_pair(a, row, b, column) for row, column in pairs], np.float32)

    @staticmethod
    def _lexical_pair(a: Prepared, row: int, b: Prepared, column: int) -> float:
        best = 0.0
        for key, own in zip(a.forms[row], a.prints[row], strict=True):
            for other, theirs in zip(b.forms[column], b.prints[column], strict=True):
                fewer = min(len(own), len(theirs))
                share = len(own & theirs) / fewer if fewer >= ENOUGH else 0.0
                best = max(best, share, key_similarity(key, other))
        return best

    @staticmethod
    def semantic(a: Prepared, rows: Sequence[int], b: Prepared, columns: Sequence[int]) -> Scores:
        """Score pairs by the best cosine of their vectors, windows included. float32 (p,)."""
        grouped = [[np.flatnonzero(p.owner == text) for text in range(len(p.forms))] for p in (a, b)]
        pairs = zip(rows, columns, strict=True)
        best = [(a.vectors[grouped[0][r]] @ b.vectors[grouped[1][c]].T).max() for r, c in pairs]
        return np.array(best, np.float32)


class Product:
    """A store with originals and background, asked for attacked texts as a user asks."""

    def __init__(self, corpus: Corpus, work: Path) -> None:
        """Build the store in an empty folder."""
        texts = [*corpus.originals, *corpus.background]
        numbers = [str(place) for place in range(len(texts))]
        pq.write_table(pa.table({"text": texts, "account_id": numbers, "id": numbers}), work / "log.parquet")
        scan(work / "log.parquet", store=work / "store")
        self._searcher = Store(work / "store").searcher
        with self._searcher.generation.connect() as con:
            found = con.execute("SELECT clean, clean_id FROM base_cleans").fetchall()
        number = dict(found)
        self._clean_ids = [number[text] for text in clean(pa.array(corpus.originals, pa.large_string()))[0].to_pylist()]
        rows = self._searcher.rows
        self._vectors, self._owner = rows.vectors.take(np.arange(rows.vectors.n)), rows.clean_ids

    def views(self, row: int, text: str) -> tuple[bool, bool, bool]:
        """Tell whether an original is among the first hits for a text sent instead: of letters, of vectors, of the product."""
        own, cleaned = self._clean_ids[row], clean(pa.array([text], pa.large_string()))[0][0].as_py()
        if not cleaned:
            return False, False, False
        lexical = self._searcher.lexical.search(cleaned)[0][:FIRST]
        embedded = embed_texts(self._searcher.encoder, [cleaned])
        queries = np.concatenate([embedded.vectors, embedded.chunk_vectors]).astype(np.float32)
        best = np.full(int(self._owner.max()) + 1, -1, np.float32)
        np.maximum.at(best, self._owner, (queries @ self._vectors.T).max(axis=0))
        semantic = int((best > best[own]).sum()) < FIRST
        hits = self._searcher.by_text(text, k=FIRST).hits
        return bool((lexical == own).any()), semantic, any(hit.prompt_id == str(row) for hit in hits)


def by_original(sent: Sequence[Sent], scores: Scores, n: int) -> Scores:
    """Return the best score of the texts sent for each original, float32 (n,)."""
    best = np.zeros(n, np.float32)
    np.maximum.at(best, [one.row for one in sent], scores)
    return best


def forms(text: str) -> list[str]:
    """Return the match keys of a text and of what its encodings hide, without the empty and the repeated ones.

    Args:
        text: a clean text.
    """
    texts = pa.array([text], pa.large_string())
    keys = match_keys(pa.concat_arrays([texts, decoded(texts).text])).to_pylist()
    return [key for key in dict.fromkeys(keys) if key]
