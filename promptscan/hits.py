"""What a search returns: hits with their evidence, as records, Arrow, or a data frame of the reader's choice."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


class Kind(StrEnum):
    """Why a text was found."""

    COPY = "copy"
    EDIT = "edit"
    CONTAINS = "contains"
    TEMPLATE = "template"
    SIMILAR = "similar"


@dataclass(frozen=True, slots=True)
class SharedPassage:
    """The passage of a hit that the query has too.

    Attributes:
        start, end: characters of the hit's text; None when the passage is encoded in it.
        text: those characters, at most 500.
    """

    start: int | None
    end: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """What the query has where the hit has something else; either may be empty. At most 500 characters each."""

    query: str
    text: str


@dataclass(frozen=True, slots=True)
class SlotPair:
    """What query and hit have in one slot of the template of both, at most 500 characters each."""

    slot: int
    type: str
    query: str
    text: str


@dataclass(frozen=True, slots=True)
class Why:
    """What shows why a text was found; what does not apply is None or empty.

    Attributes:
        cosine: of the query with the text or the nearest window of it, -1..1.
        passage: what the query has too: for `contains` all of it, for `similar` the longest run of words.
        differences: for `edit`, at most 20.
        n_differences: how many there are.
        slots: where query and hit are of the hit's template, what they have in its slots; for any kind but `copy`.
        encoding: how the query, or the passage in the hit, is encoded: base64, hex, ...
    """

    cosine: float | None = None
    passage: SharedPassage | None = None
    differences: tuple[Change, ...] = ()
    n_differences: int = 0
    slots: tuple[SlotPair, ...] = ()
    encoding: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain mappings, lists and values."""
        return {
            **asdict(self),
            "differences": [asdict(one) for one in self.differences],
            "slots": [asdict(one) for one in self.slots],
        }

    @staticmethod
    def arrow_type() -> pa.DataType:
        """Return the Arrow type of `to_dict`."""
        import pyarrow as pa

        text = pa.string()
        return pa.struct(
            [
                ("cosine", pa.float64()),
                ("passage", pa.struct([("start", pa.int64()), ("end", pa.int64()), ("text", text)])),
                ("differences", pa.list_(pa.struct([("query", text), ("text", text)]))),
                ("n_differences", pa.int64()),
                (
                    "slots",
                    pa.list_(pa.struct([("slot", pa.int64()), ("type", text), ("query", text), ("text", text)])),
                ),
                ("encoding", text),
            ]
        )


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
        template_id, family_id, campaign_id: what the text belongs to, if anything; of several campaigns of its family the one
            that `account_id` is surest part of.
        why: the words, slots or passage that show the relation.
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
    why: Why = Why()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain mappings, lists and values."""
        return {**asdict(self), "why": self.why.to_dict()}


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
            "hits": [hit.to_dict() for hit in self.hits],
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
                ("why", Why.arrow_type()),
            ]
        )
        return pa.Table.from_pylist([hit.to_dict() for hit in self.hits], schema=schema)

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
