"""Evidence about a campaign as its row records it: JSON that this version, an older or a newer one wrote.

A list of objects, strongest first, is the present form. A mapping of names to values, a list of sentences, objects that lack
members or have others: all are read as far as they go, and nothing is dropped silently: what has no place becomes the sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Evidence:
    """A piece of evidence.

    Attributes:
        kind: what was looked at: `evenness`, `synchrony`, `shared_ip`, …
        family_id: the family it was found in; None: the campaign as a whole.
        value: what was found; what it counts depends on the kind, the sentence says it.
        expected: what chance would give.
        n: observations.
        log10_e: strength: decimal logarithm of the e-value.
        sufficient: False where there was too little data to say.
        sentence: the finding in plain words.
    """

    kind: str | None = None
    family_id: str | None = None
    value: float | None = None
    expected: float | None = None
    n: int | None = None
    log10_e: float | None = None
    sufficient: bool = True
    sentence: str | None = None


WEAK = 0.5
"""Strength below which evidence for something is no more than what chance gives."""
_WHY, _WRONG = " Why: ", " Why it may be wrong: "
_NAMES = tuple(field.name for field in fields(Evidence))


def read_evidence(recorded: str | None) -> tuple[Evidence, ...]:
    """Read the JSON of a campaign's `evidence` or `counter_evidence`, in its order; None and what is empty give none."""
    if recorded is None:
        return ()
    try:
        document = json.loads(recorded)
    except (ValueError, RecursionError):
        document = [recorded]
    return tuple(_pieces(document))


def weak(log10_e: float | None) -> bool:
    """Say whether evidence is no more than what chance gives; of unknown strength it is not."""
    return log10_e is not None and log10_e < WEAK


def parts_of(message: str) -> tuple[str, str, str]:
    """Part what an alert says into what it is, why, and why it may be wrong; the last two are empty when it does not say so.

    The last such words count: a label that an attacker chose stands before them.
    """
    head, between, wrong = message.rpartition(_WRONG)
    if not between:
        head, wrong = message, ""
    what, between, why = head.rpartition(_WHY)
    return (what, why, wrong) if between else (head, "", wrong)


def evidence_type() -> pa.DataType:
    """Return the Arrow type of a column of evidence."""
    import pyarrow as pa

    kinds = {"value": pa.float64(), "expected": pa.float64(), "log10_e": pa.float64(), "n": pa.int64()}
    kinds["sufficient"] = pa.bool_()
    return pa.struct([(name, kinds.get(name, pa.string())) for name in _NAMES])


def evidence_table(found: tuple[Evidence, ...]) -> pa.Table:
    """Return evidence as a table."""
    import pyarrow as pa

    return pa.Table.from_pylist([asdict(one) for one in found], schema=pa.schema(list(evidence_type())))


def _pieces(document: object) -> Iterator[Evidence]:
    if isinstance(document, Mapping) and set(_NAMES) & set(document):
        yield _piece(document)
    elif isinstance(document, Mapping):
        for name, value in document.items():
            number = _number(value)
            yield Evidence(kind=_words(name), value=number, sentence=_words(value) if number is None else None)
    elif isinstance(document, list):
        yield from (_piece(one) for one in document if one not in (None, "", {}, []))
    elif document not in (None, ""):
        yield Evidence(sentence=_words(document))


def _piece(recorded: object) -> Evidence:
    if not isinstance(recorded, Mapping) or not set(_NAMES) & set(recorded):
        return Evidence(sentence=_words(recorded))
    n = _number(recorded.get("n"))
    sufficient = recorded.get("sufficient")
    return Evidence(
        kind=_words(recorded.get("kind")),
        family_id=_words(recorded.get("family_id")),
        value=_number(recorded.get("value")),
        expected=_number(recorded.get("expected")),
        log10_e=_number(recorded.get("log10_e")),
        sentence=_words(recorded.get("sentence")),
        n=None if n is None else min(max(round(n), -(2**63)), 2**63 - 1),
        sufficient=True if sufficient is None else bool(sufficient),
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def _words(value: Any) -> str | None:
    """Return a value as a sentence has it; None for nothing."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()  # JSON may hold lone surrogates, a table may not
