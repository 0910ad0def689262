"""What a search returns: hits with their evidence, as records, Arrow, or a data frame of the reader's choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rapidfuzz import fuzz
from rapidfuzz.distance import Indel

if TYPE_CHECKING:
    import pyarrow as pa

COMPARED = 8_000  # characters of a text that are compared with the query to explain a hit
EDIT = 0.8  # Indel similarity of characters from which on two texts are edits of each other
CONTAINS = 90.0  # partial ratio, in per cent, from which on one text contains the other
LONG = 320  # characters of the shorter text beyond which fingerprints alone say what contains what: aligning costs too much
PASSAGE = 30  # characters a passage must have to be contained in more than a coincidence


class Kind(StrEnum):
    """Why a text was found."""

    COPY = "copy"
    EDIT = "edit"
    CONTAINS = "contains"
    TEMPLATE = "template"
    SIMILAR = "similar"


@dataclass(frozen=True, slots=True)
class Hit:
    """A found text and who sent it.

    Attributes:
        rank: from 1.
        score: the larger of the cosine, -1..1, of the query with the text or with the nearest window of it, and the share
            of the query's fingerprints that the text contains.
        kind: the strongest relation between query and text that holds.
        prompt_id, text_id, text, account_id, ts: the first prompt with this text.
        n_prompts, n_accounts: how often, and by how many accounts, this text or a near-identical one was sent.
        n_collapsed: near-identical texts folded into this hit.
        template_id, family_id, campaign_id: what the text belongs to, if anything.
    """

    rank: int
    score: float
    kind: str
    prompt_id: str
    text_id: int
    text: str
    account_id: str
    ts: datetime | None
    n_prompts: int
    n_accounts: int
    n_collapsed: int
    template_id: str | None
    family_id: str | None
    campaign_id: str | None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits of one query, best first.

    Attributes:
        query: what was asked: `text` or `id` or `family`, and the options.
        truncated: whether there were more hits than were returned.
        recall: measured recall@10 of the index that proposed them; 1.0 where the search was exact.
        hits: by (score descending, text id).
    """

    query: dict[str, Any]
    truncated: bool
    recall: float
    hits: tuple[Hit, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `search --json` prints (docs/schemas/search.schema.json)."""
        return {
            "query": self.query,
            "truncated": self.truncated,
            "recall": self.recall,
            "hits": [asdict(hit) for hit in self.hits],
        }

    def to_arrow(self) -> pa.Table:
        """Return the hits as an Arrow table."""
        import pyarrow as pa

        schema = pa.schema(
            [
                ("rank", pa.int64()),
                ("score", pa.float64()),
                ("kind", pa.string()),
                ("prompt_id", pa.string()),
                ("text_id", pa.int64()),
                ("text", pa.string()),
                ("account_id", pa.string()),
                ("ts", pa.timestamp("us")),
                ("n_prompts", pa.int64()),
                ("n_accounts", pa.int64()),
                ("n_collapsed", pa.int64()),
                ("template_id", pa.string()),
                ("family_id", pa.string()),
                ("campaign_id", pa.string()),
            ]
        )
        return pa.Table.from_pylist([asdict(hit) for hit in self.hits], schema=schema)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand the hits to any library that speaks the Arrow PyCapsule protocol."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def pl(self) -> Any:
        """Return a polars data frame; polars is yours to install."""
        import polars as pl  # type: ignore[import-not-found,unused-ignore]

        return pl.from_arrow(self.to_arrow())

    def df(self) -> Any:
        """Return a pandas data frame; pandas is yours to install."""
        return self.to_arrow().to_pandas()


def explain(query: str, found: str, share: float = 0.0) -> Kind:
    """Name the strongest relation between a query and a found text.

    Args:
        query: clean form of the query; of more than 8,000 characters the first 8,000 are compared.
        found: clean form of the found text; likewise.
        share: of the query's fingerprints that the found text has, 0..1; looks through disguises.
    """
    if query == found:
        return Kind.COPY
    a, b = query[:COMPARED], found[:COMPARED]
    if Indel.normalized_similarity(a, b, score_cutoff=EDIT) >= EDIT:
        return Kind.EDIT
    if share * 100 >= CONTAINS:
        return Kind.CONTAINS
    if PASSAGE <= min(len(a), len(b)) <= LONG and fuzz.partial_ratio(a, b, score_cutoff=CONTAINS) >= CONTAINS:
        return Kind.CONTAINS
    return Kind.SIMILAR


def ranked(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Order hits by (score descending, text id)."""
    return tuple(sorted(hits, key=lambda hit: (-hit.score, hit.text_id)))
