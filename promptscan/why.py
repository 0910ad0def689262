"""Why a text was found: the relation of a query with it, and the words, slots or passage that show the relation.

Only the hits that are returned are explained, on bounded pieces of their texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from rapidfuzz import fuzz
from rapidfuzz.distance import Indel

from promptscan.decode import decoded
from promptscan.diffs import differences
from promptscan.hits import Change, Kind, SharedPassage, SlotPair, Why
from promptscan.normalise import clean
from promptscan.passages import Passage, holding, longest
from promptscan.templates import Template, match
from promptscan.verify import EDIT

COMPARED = 8_000  # characters of a text that are compared with the query to explain a hit
CONTAINS = 90.0  # partial ratio, in per cent, from which on one text contains the other
LONG = 320  # characters of the shorter text beyond which fingerprints alone say what contains what: aligning costs too much
PASSAGE = 30  # characters a passage must have to be contained in more than a coincidence

READ = 1 << 15  # characters of a text that are searched at a time for a passage it contains
SPENT = 1 << 19  # characters of all hits together that are searched for passages they contain
SKIMMED = 1 << 11  # characters of a similar text that are searched for words it shares with the query
SHOWN = 500  # characters of a passage, a difference or a slot value that are handed on
MOST = 20  # differences that are handed on
READINGS = 4  # encoded passages of a query that are searched for as well


_ORDER = {kind: place for place, kind in enumerate(Kind)}
_ALIKE = frozenset({Kind.TEMPLATE, Kind.SIMILAR})

_Encoded = tuple[SharedPassage, str | None]  # a passage, and how it, or the query, is encoded


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as it stands, or what is encoded in it.

    Attributes:
        text: clean text.
        method: how it was encoded (`decode.Method`, several joined by `+`); None for the text as it stands.
    """

    text: str
    method: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A text that is to be explained.

    Attributes:
        text: as it was sent.
        form: its clean form.
        shares: of each reading's fingerprints that it has, 0..1.
        cosine: of the query with it or its nearest window.
        template: its template, if the query is of it too.
    """

    text: str
    form: str
    shares: tuple[float, ...]
    cosine: float | None
    template: Template | None


def readings(cleaned: str) -> tuple[Reading, ...]:
    """Return a query as it stands and what is encoded in it, at most 4 texts more; both are searched for."""
    hidden = decoded(pa.array([cleaned[:READ]], pa.large_string()))
    found = [Reading(cleaned)]
    for form, method in zip(clean(hidden.text)[0].to_pylist(), hidden.method.to_pylist(), strict=True):
        if form and len(found) <= READINGS:
            found.append(Reading(form, method))
    return tuple(found)


def relation(query: str, found: str, share: float = 0.0) -> Kind:
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


def reasons(query: Sequence[Reading], hits: Sequence[Found]) -> list[tuple[Kind, Why]]:
    """Explain hits.

    Args:
        query: the query as it stands, and what is encoded in it.
        hits: what was found.

    Returns:
        For each hit the strongest relation that holds, and what shows it. An encoded query is at most contained in a hit,
        or holds it.
    """
    relations = [_strongest(query, hit) for hit in hits]
    passages: list[_Encoded | None] = [None] * len(hits)
    for which, reading in enumerate(query):
        held = [number for number, own in enumerate(relations) if own == (Kind.CONTAINS, which)]
        for number, passage in zip(held, _held(reading, [hits[number].text for number in held]), strict=True):
            passages[number] = passage
        alike = [number for number, own in enumerate(relations) if own[0] in _ALIKE and passages[number] is None]
        for number, passage in zip(alike, _shared(reading, [hits[number].text for number in alike]), strict=True):
            passages[number] = passage
    return [
        (kind, _why(query[0].text, hit, kind, passage))
        for hit, (kind, _), passage in zip(hits, relations, passages, strict=True)
    ]


def _strongest(query: Sequence[Reading], hit: Found) -> tuple[Kind, int]:
    """Return the strongest relation of a hit with any reading of the query, and the reading."""
    best = Kind.SIMILAR, 0
    for which, (reading, share) in enumerate(zip(query, hit.shares, strict=True)):
        kind = relation(reading.text, hit.form, share)
        if reading.method is not None and kind in {Kind.COPY, Kind.EDIT}:
            kind = Kind.CONTAINS
        if _ORDER[kind] < _ORDER[best[0]]:
            best = kind, which
    if hit.template is not None and (
        best[0] is Kind.SIMILAR or (best[0] is Kind.CONTAINS and not _verbatim(query, hit))
    ):
        return Kind.TEMPLATE, 0  # texts of one template share most fingerprints; saying which template says more
    return best


def _verbatim(query: Sequence[Reading], hit: Found) -> bool:
    """Tell whether a query and a text hold one another, character for character."""
    return query[0].text in hit.form or hit.form in query[0].text


def _why(query: str, hit: Found, kind: Kind, passage: _Encoded | None) -> Why:
    if kind is Kind.COPY:
        return Why(cosine=hit.cosine)
    place, encoding = passage or (None, None)
    changes = differences(query, hit.form) if kind is Kind.EDIT else []
    return Why(
        cosine=hit.cosine,
        passage=place,
        differences=tuple(Change(one.before[:SHOWN], one.after[:SHOWN]) for one in changes[:MOST]),
        n_differences=len(changes),
        slots=_slots(query, hit),
        encoding=encoding,
    )


def _slots(query: str, hit: Found) -> tuple[SlotPair, ...]:
    """Return what query and hit have in the slots of the template of both."""
    if hit.template is None:
        return ()
    asked, own = match(hit.template, query), match(hit.template, hit.form)
    if asked is None or own is None:
        return ()
    values = zip(hit.template.slots, asked, own, strict=True)
    return tuple(
        SlotPair(number, slot.type.value, mine[:SHOWN], other[:SHOWN])
        for number, (slot, mine, other) in enumerate(values, 1)
    )


def _shared(reading: Reading, texts: Sequence[str]) -> list[_Encoded | None]:
    """Find the longest run of words that each text shares with a reading."""
    if not texts:
        return []
    found = longest(reading.text[:READ], [text[:SKIMMED] for text in texts])
    return [
        None if place is None else (_cut_out(text, place), reading.method)
        for text, place in zip(texts, found, strict=True)
    ]


def _held(reading: Reading, texts: Sequence[str]) -> list[_Encoded | None]:
    """Find the passages of texts that hold a reading; long texts are searched piece by piece, then what they encode."""
    found: list[_Encoded | None] = [None] * len(texts)
    pending, start, spent = list(range(len(texts))), 0, 0
    while pending and spent < SPENT:
        pieces = [texts[number][start : start + READ] for number in pending]
        spent += sum(map(len, pieces))
        for number, place in zip(pending, holding(reading.text[:READ], pieces), strict=True):
            if place is not None:
                whole = Passage(start + place.start, start + place.end)
                found[number] = _cut_out(texts[number], whole), reading.method
        start += READ - SKIMMED
        pending = [number for number in pending if found[number] is None and len(texts[number]) > start + SKIMMED]
    for number, text in enumerate(texts):
        if found[number] is None and spent < SPENT:
            spent += len(text[:READ])
            found[number] = _hidden(reading, text[:READ])
    return found


def _hidden(reading: Reading, text: str) -> _Encoded | None:
    """Find a reading in what is encoded in a text."""
    inside = decoded(pa.array([text], pa.large_string()))
    plain = inside.text.to_pylist()
    for one, place, method in zip(plain, holding(reading.text[:READ], plain), inside.method.to_pylist(), strict=True):
        if place is not None:
            return SharedPassage(None, None, one[place.start : place.end][:SHOWN]), method
    return None


def _cut_out(text: str, place: Passage) -> SharedPassage:
    return SharedPassage(place.start, place.end, text[place.start : min(place.end, place.start + SHOWN)])
