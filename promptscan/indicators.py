"""indicators: what lets somebody else recognise a template without its text. The document that is shared, and what goes into it.

Per template: a hash of its fixed text, a few fingerprints of it, what its slots are like, what it probes, when it was seen and
about how often. No text, no slot value, no account.

A fingerprint stands for 16 letters of the match key, and its 64 bits would give them away: the hash is not one-way, and 16
letters of plain language are few enough to try. So what is shared is thinned twice. Only `BITS` bits of a fingerprint leave, which many
thousands of likely passages have in common; and fingerprints are `SPACING` letters apart, so that none overlaps another and a
known passage can't be extended letter by letter. What a text must have is all of them together, which chance does not bring about.
docs/guides/verdicts.md says what a reader can still infer.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.errors import BadDataError
from promptscan.fingerprint import NGRAM, WINDOW, fingerprints, guarantee, units
from promptscan.matchkey import match_keys
from promptscan.slots import SlotType

FORMAT, VERSION = "promptscan-indicators", 1
BITS = 24  # of a fingerprint: all three of one indicator are in an unrelated text of 100,000 letters with probability 2e-10
LEAST = 3  # fingerprints of a template that can be shared; fewer say too little (promptscan.banks.FEW)
MOST = 64  # fingerprints of a template, evenly spread over it
SPACING = 24  # characters of the key from one fingerprint to the next; they are 16 long
SCHEME = {"ngram": NGRAM, "window": WINDOW, "bits": BITS}

MAX_BYTES = 64 << 20  # of a document
MAX_TEMPLATES = 50_000
MAX_SLOTS = 256
MAX_COUNT = 10**12
_HASH = re.compile(r"[0-9a-f]{64}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_CAPABILITY = re.compile(r"[\w ,./&()+-]{1,64}")


@dataclass(frozen=True, slots=True)
class SlotShape:
    """What a slot is like: its type, and powers of two that its values' lengths in characters lie between."""

    type: SlotType
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Indicator:
    """One template, recognisable but not readable.

    Attributes:
        hash: SHA-256 of the match keys of its fixed parts, hex.
        fingerprints: the low BITS bits of LEAST to MOST of its fingerprints, ascending.
        slots: in order.
        capability: what it probes, None if nothing convincing.
        first_day, last_day: on which it was seen, UTC; None where the log has no times.
        n_prompts, n_accounts: the power of ten at or below the number.
    """

    hash: str
    fingerprints: tuple[int, ...]
    slots: tuple[SlotShape, ...]
    capability: str | None
    first_day: date | None
    last_day: date | None
    n_prompts: int
    n_accounts: int


@dataclass(slots=True)
class Chooser:
    """Chooses fingerprints of one template after the other, so that none that is shared overlaps another one.

    Attributes:
        common: fingerprints of many benign texts, never chosen. uint64, ascending.
        taken: hashes that were chosen.
        refused: hashes that overlap one of them.
    """

    common: NDArray[np.uint64]
    taken: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)

    def choose(self, parts: Sequence[str]) -> tuple[int, ...]:
        """Return the low bits of some fingerprints of the fixed parts of a template, ascending; at most MOST.

        Only parts of at least `guarantee()` letters are looked at: whatever text holds such a part has its fingerprints.
        """
        keys = match_keys(pa.array(list(parts), pa.large_string()))
        found = fingerprints(keys)
        long = np.diff(units(keys)[1]) >= guarantee()
        usable = long[found.texts] & ~np.isin(found.hashes, self.common)
        chosen: list[int] = []
        for part in np.flatnonzero(long).tolist():
            rows = np.flatnonzero(usable & (found.texts == part))
            chosen += self._of_part(found.hashes[rows].tolist(), found.positions[rows].tolist())
        spread = np.linspace(0, len(chosen) - 1, min(MOST, len(chosen))).astype(int).tolist()
        return tuple(sorted({chosen[place] & ((1 << BITS) - 1) for place in spread}))

    def _of_part(self, hashes: list[int], positions: list[int]) -> list[int]:
        """Choose among the fingerprints of one passage, given in their order."""
        found = list(zip(hashes, positions, strict=True))
        kept: list[int] = []
        for known, apart in ((True, NGRAM), (False, SPACING)):  # those of earlier templates first
            for one, place in found:
                if (one in self.taken) is known and one not in self.refused and _apart(place, kept) >= apart:
                    insort(kept, place)
        chosen = [one for one, place in found if _apart(place, kept) == 0]
        self.taken.update(chosen)
        self.refused.update(one for one, place in found if one not in self.taken and _apart(place, kept) < NGRAM)
        return chosen


def _apart(place: int, kept: list[int]) -> int:
    """Return how far a position is from the nearest of ascending ones; far if there is none."""
    after = bisect_left(kept, place)
    return min((abs(place - other) for other in kept[max(after - 1, 0) : after + 1]), default=1 << 30)


def fixed_hash(parts: Sequence[str]) -> str:
    """Return the hash of a template's fixed parts, each folded to its match key."""
    keys = match_keys(pa.array(list(parts), pa.large_string())).to_pylist()
    return hashlib.sha256("\0".join([f"{FORMAT} {VERSION}", *keys]).encode()).hexdigest()


def coarse(count: int) -> int:
    """Return the power of ten at or below a count; 0 for none."""
    return 10 ** (len(str(count)) - 1) if count > 0 else 0


def shape(kind: str, least: int, most: int) -> SlotShape:
    """Describe a slot whose values have `least` to `most` characters."""
    return SlotShape(
        SlotType(kind), 1 << max(least.bit_length() - 1, 0) if least else 0, 1 << (max(most, 1) - 1).bit_length()
    )


def document(indicators: Sequence[Indicator]) -> dict[str, Any]:
    """Return the document of docs/schemas/indicators.schema.json."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "fingerprint": SCHEME,
        "templates": [_written(one) for one in indicators],
    }


def written(indicators: Sequence[Indicator]) -> bytes:
    """Return the document as ASCII JSON, a template a line; equal indicators, equal bytes."""
    head = json.dumps({**document([]), "templates": None}, sort_keys=False).removesuffix("null}")
    lines = ",\n".join(json.dumps(_written(one)) for one in indicators)
    return f"{head}[\n{lines}\n]}}\n".encode("ascii")


def read(data: bytes) -> tuple[Indicator, ...]:
    """Read a document that somebody else wrote.

    Raises:
        BadDataError: it is none, of another version or scheme, too large, or holds what no document of ours can.
    """
    if len(data) > MAX_BYTES:
        raise _bad(f"has over {MAX_BYTES >> 20} MiB")
    try:
        found = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise _bad("is no JSON document") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _bad(f'is no document of indicators (wanted "format": "{FORMAT}")')
    if found.get("version") != VERSION:
        raise _bad(
            f"has version {str(found.get('version'))[:20]}; this promptscan reads {VERSION}: ask for that, or upgrade promptscan"
        )
    if found.get("fingerprint") != SCHEME:
        raise _bad(f"has other fingerprints than this promptscan makes ({json.dumps(SCHEME)})")
    templates = found.get("templates")
    if not isinstance(templates, list) or not 0 < len(templates) <= MAX_TEMPLATES:
        raise _bad(f"has no list of 1 to {MAX_TEMPLATES:,} templates")
    return tuple(_read_one(one, f"template {number}") for number, one in enumerate(templates, 1))


def _written(one: Indicator) -> dict[str, Any]:
    return {
        "hash": one.hash,
        "fingerprints": list(one.fingerprints),
        "slots": [{"type": slot.type.value, "chars": [slot.least, slot.most]} for slot in one.slots],
        "capability": one.capability,
        "first_day": one.first_day and one.first_day.isoformat(),
        "last_day": one.last_day and one.last_day.isoformat(),
        "prompts": one.n_prompts,
        "accounts": one.n_accounts,
    }


def _read_one(one: object, where: str) -> Indicator:
    if not isinstance(one, dict):
        raise _bad(f"{where} is no object")
    name, capability = one.get("hash"), one.get("capability")
    if not isinstance(name, str) or not _HASH.fullmatch(name):
        raise _bad(f"{where} has no hash of 64 hexadecimal digits")
    if capability is not None and not (isinstance(capability, str) and _CAPABILITY.fullmatch(capability)):
        raise _bad(f"{where} has a capability that is no name")
    slots = one.get("slots")
    if not isinstance(slots, list) or len(slots) > MAX_SLOTS:
        raise _bad(f"{where} has no list of up to {MAX_SLOTS} slots")
    return Indicator(
        name,
        _read_fingerprints(one.get("fingerprints"), where),
        tuple(_read_slot(slot, where) for slot in slots),
        capability,
        _read_day(one.get("first_day"), where),
        _read_day(one.get("last_day"), where),
        _read_count(one.get("prompts"), where),
        _read_count(one.get("accounts"), where),
    )


def _read_fingerprints(found: object, where: str) -> tuple[int, ...]:
    wanted = f"wanted {LEAST} to {MOST} whole numbers below 2^{BITS}, ascending"
    if not isinstance(found, list) or not LEAST <= len(found) <= MOST:
        raise _bad(f"{where} has unusable fingerprints; {wanted}")
    if any(type(one) is not int or not 0 <= one < 1 << BITS for one in found) or found != sorted(set(found)):
        raise _bad(f"{where} has unusable fingerprints; {wanted}")
    return tuple(found)


def _read_slot(slot: object, where: str) -> SlotShape:
    kind, chars = (slot.get("type"), slot.get("chars")) if isinstance(slot, Mapping) else (None, None)
    if not isinstance(kind, str) or kind not in set(SlotType) or not isinstance(chars, list) or len(chars) != 2:
        raise _bad(f"{where} has a slot without type and lengths")
    return SlotShape(SlotType(kind), _read_count(chars[0], where), _read_count(chars[1], where))


def _read_day(found: object, where: str) -> date | None:
    if found is None:
        return None
    if isinstance(found, str) and _DAY.fullmatch(found):
        try:
            return date.fromisoformat(found)
        except ValueError:
            pass
    raise _bad(f"{where} has a day that is none")


def _read_count(found: object, where: str) -> int:
    if type(found) is not int or not 0 <= found <= MAX_COUNT:
        raise _bad(f"{where} has a number that is none")
    return found


def _no_number(found: str) -> Any:
    raise ValueError(found)


def _bad(reason: str) -> BadDataError:
    return BadDataError(f"the file {reason}; nothing was imported")
