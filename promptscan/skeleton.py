"""Skeletons: the template that the texts of a group were filled from, found by describing them in the fewest bits.

Texts are aligned to their medoid; words that (nearly) all texts have, side by side, are runs of fixed text. Each run must
pay: a slot more costs every text the length of one value more, a run saves every text its words. Spurious runs (the `,`
or `the` that any two long values share) save less than they cost and go. The idea, a multiple alignment whose slots are
accepted by description length, is that of InfoShield (Lee et al., ICDE 2021).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from promptscan.align import align
from promptscan.records import fold_records
from promptscan.slots import SlotType, describe_slot
from promptscan.templates import Template, slot_values
from promptscan.words import TOKEN, Words, cut_words

SAMPLE = 50
"""Texts that are aligned."""

SUPPORT = 0.95
"""Share of the texts that have a fixed word (below 20 texts, all of them), and that match the template whole.

Where fewer match, only words that all texts have are fixed."""

MIN_WORDS = 2
"""Fewest fixed words of a template (letters or digits, or one CJK character)."""

FRAME_BITS = 32.0
"""Bits of fixed words, in unseen text, that are enough however long the values are: a chance of 1 in 2**32 to be met in
order by accident. A slighter frame must be `FRAME_SHARE` of its texts."""

FRAME_SHARE = 0.25

_SLOT_BITS = 8.0  # to say that there is a slot, and of which type
_PRIOR_WORDS = 1000  # words of unseen text that word frequencies are smoothed with
_SHORT = 3.5  # bits of a word of one letter or sign in them
_LETTER = 1.5  # bits that each letter more adds: frequent words are short (Zipf 1935)
_RARE = 12.0  # bits of a long word, and at most
_CHARACTER = 9.0  # bits of a CJK character
_ODD = 0.5  # texts with less than this share of the common words are not of the group

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Runs:
    """Fixed runs of an alignment and the texts around them.

    Attributes:
        first, last: columns of each run. int64 (r,).
        gaps: words of each text before, between and after the runs. int64 (m, r + 1).
        bits: to write each run once. float64 (r,).
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    gaps: NDArray[np.int64]
    bits: Float64


def find_template(texts: Sequence[str], medoid: int) -> Template | None:
    """Find the template of a group of texts.

    At most 50 distinct texts are aligned, spread evenly over the lengths and the same for texts in any order. The
    template is refused when its fixed part explains too little: fewer than 2 words; fewer than 32 bits that are also
    less than a quarter of the median text; no bits saved; or fewer than half of the texts (2 at least) match.

    Args:
        texts: the members, any number; normalised.
        medoid: index of the member whose wording the fixed text is of.

    Returns:
        The template, slots typed by the texts that were aligned; one without slots when all texts are equal.
    """
    members = [cut_words(text) for text in _sample(texts, texts[medoid])]
    center = members[0]
    position = np.vstack([np.arange(len(center.words), dtype=np.int32)[None, :], align(center, members[1:])])
    if not center.words:
        return None
    asked = len(members)
    members, position = _of_the_group(members, position)
    if 2 * len(members) < asked or len(members) < min(2, asked):
        return None
    cost = _word_bits(members)
    template = _describe(members, position, cost, SUPPORT)
    if (template is None or template.support < SUPPORT) and len(members) - 1 >= SUPPORT * len(members):
        strict = _describe(members, position, cost, 1.0)  # in fewer texts, the share is all of them
        if strict is not None and (template is None or strict.support > template.support):
            template = strict
    if template is None:
        return None
    return replace(template, support=template.support * len(members) / asked)


def _describe(
    members: list[Words], position: NDArray[np.int32], cost: dict[str, float], needed: float
) -> Template | None:
    """Return the template of aligned texts whose fixed words a share of them has; None if it explains too little."""
    word_bits = np.array([cost[word] for word in members[0].words])
    runs = _paying(_runs(position, members, word_bits, needed))
    if not len(runs.first):
        return None
    compression = _compression(runs, members, cost)
    texts = [some.text for some in members]
    drafted = _drafted(_fixed_parts(runs, members, position), texts)
    if drafted is None or compression <= 0:
        return None
    template = replace(_typed(*drafted, len(texts)), compression=compression)
    fixed = fold_records(drafted[0], drafted[1])
    if fixed != drafted[0] and (folded := _drafted(fixed, texts)) is not None:
        coarser = replace(_typed(*folded, len(texts)), compression=_saved(*folded, members, cost))
        if coarser.compression > 0 and _explains(coarser, members):
            return coarser
    return template if _explains(template, members) else None


def _sample(texts: Sequence[str], medoid: str) -> list[str]:
    """Return the medoid and up to 49 other distinct texts, spread over the lengths."""
    others = sorted(set(texts) - {medoid}, key=lambda text: (len(text), text))
    if len(others) >= SAMPLE:
        others = [others[i] for i in np.linspace(0, len(others) - 1, SAMPLE - 1).round().astype(int)]
    return [medoid, *others]


def _of_the_group(members: list[Words], position: NDArray[np.int32]) -> tuple[list[Words], NDArray[np.int32]]:
    """Drop texts that lack most of the words which most texts have."""
    here = position >= 0
    common = here[:, here.mean(0) > _ODD]
    keep = common.mean(1) >= _ODD if common.shape[1] else np.ones(len(members), bool)
    return [some for some, kept in zip(members, keep, strict=True) if kept], position[keep]


def _word_bits(members: list[Words]) -> dict[str, float]:
    """Return the bits a word costs: minus log2 of its smoothed frequency in the texts."""
    counts = Counter(chain.from_iterable(some.words for some in members))
    seen = np.fromiter(counts.values(), float, len(counts))
    unseen = np.fromiter(map(prior_bits, counts), float, len(counts))
    bits = np.log2(seen.sum() + _PRIOR_WORDS) - np.log2(seen + _PRIOR_WORDS * 2.0**-unseen)
    return dict(zip(counts, bits.tolist(), strict=True))


@lru_cache(maxsize=1 << 16)
def prior_bits(word: str) -> float:
    """Return the bits of a word in text that was not seen."""
    if len(word) == 1 and word >= "\u3040" and word.isalpha():
        return _CHARACTER
    return min(_RARE, _SHORT + _LETTER * (len(word) - 1))


def _runs(position: NDArray[np.int32], members: list[Words], word_bits: Float64, needed: float) -> _Runs:
    """Return the runs of words that nearly all texts have side by side."""
    fixed = (position >= 0).mean(0) >= needed
    linked = ((position[:, :-1] >= 0) & (position[:, 1:] == position[:, :-1] + 1)).mean(0) >= needed
    linked &= fixed[:-1] & fixed[1:]
    first = np.flatnonzero(fixed & ~np.concatenate([[False], linked]))
    last = np.flatnonzero(fixed & ~np.concatenate([linked, [False]]))
    filled = np.maximum.accumulate(position, axis=1).astype(np.int64)
    size = np.array([len(some.words) for some in members])[:, None]
    before = np.hstack([np.full((len(members), 1), -1), filled[:, last]])
    after = np.hstack([filled[:, first], size])
    bits = np.concatenate([[0.0], np.cumsum(word_bits)])
    return _Runs(first, last, np.maximum(after - before - 1, 0), bits[last + 1] - bits[first])


def _length_bits(words: NDArray[np.int64]) -> Float64:
    """Return the bits of Elias's gamma code for lengths from 0 on, summed over texts; nothing where there is no slot."""
    bits = (2 * np.floor(np.log2(words + 1)) + 1).sum(0) + _SLOT_BITS
    return np.asarray(np.where(words.any(0), bits, 0.0))


def _paying(runs: _Runs) -> _Runs:
    """Remove the run that costs most, until every run saves bits."""
    while len(runs.first):
        merged = runs.gaps[:, :-1] + runs.gaps[:, 1:] + (runs.last - runs.first + 1)
        around = _length_bits(runs.gaps)
        saved = _length_bits(merged) - around[:-1] - around[1:] + (len(runs.gaps) - 1) * runs.bits
        worst = int(saved.argmin())
        if saved[worst] > 0:
            break
        gaps = np.delete(runs.gaps, worst, axis=1)
        gaps[:, worst] = merged[:, worst]
        kept = np.arange(len(runs.first)) != worst
        runs = _Runs(runs.first[kept], runs.last[kept], gaps, runs.bits[kept])
    return runs


def _fixed_parts(runs: _Runs, members: list[Words], position: NDArray[np.int32]) -> tuple[str, ...]:
    """Return fixed texts in the medoid's wording; white space that all texts have beside a slot belongs to them."""
    center = members[0]
    parts, begin = [""], 0
    for slot in range(len(runs.first) + 1):
        between = [_between(some, row, runs, slot) for some, row in zip(members, position, strict=True)]
        values = [value for value in between if value is not None]
        start = int(center.start[runs.first[slot]]) if slot < len(runs.first) else len(center.text)
        if runs.gaps[:, slot].any():
            left = _common_space(values)
            right = _common_space([value[len(left) :][::-1] for value in values])[::-1]
            parts[-1] += left
            parts.append(right)
        else:
            parts[-1] += center.text[begin:start]
        if slot < len(runs.first):
            begin = int(center.end[runs.last[slot]])
            parts[-1] += center.text[start:begin]
    return tuple(parts)


def _between(some: Words, row: NDArray[np.int32], runs: _Runs, slot: int) -> str | None:
    """Return what a text has between two runs, None when it lacks a word at the border."""
    before = row[runs.last[slot - 1]] if slot else 0
    after = row[runs.first[slot]] if slot < len(runs.first) else 0
    if before < 0 or after < 0:
        return None
    start = int(some.end[before]) if slot else 0
    return some.text[start : int(some.start[after]) if slot < len(runs.first) else len(some.text)]


def _common_space(values: list[str]) -> str:
    """Return the white space that all values begin with."""
    shortest = min(values, key=len, default="")
    size = 0
    while size < len(shortest) and shortest[size].isspace() and all(v[size] == shortest[size] for v in values):
        size += 1
    return shortest[:size]


def _drafted(fixed: tuple[str, ...], texts: list[str]) -> tuple[tuple[str, ...], list[list[str]]] | None:
    """Return fixed parts and the values of the texts that match them, None when few do."""
    unknown = describe_slot([""])
    draft = Template(fixed, (unknown,) * (len(fixed) - 1))
    found = [values for values in slot_values(draft, texts, exact=True) if values is not None]
    return None if len(found) < min(2, len(texts)) or 2 * len(found) < len(texts) else (fixed, found)


def _typed(fixed: tuple[str, ...], found: list[list[str]], n: int) -> Template:
    """Type the slots by the values of the texts of n that match, and make slots with a single value fixed text."""
    parts, slots = [fixed[0]], []
    for part, column in zip(fixed[1:], zip(*found, strict=True), strict=True):
        slot = describe_slot(column)
        if slot.type is SlotType.CONST:
            parts[-1] += column[0] + part
        else:
            slots.append(slot)
            parts.append(part)
    return Template(tuple(parts), tuple(slots), support=len(found) / n)


def _saved(fixed: tuple[str, ...], found: list[list[str]], members: list[Words], cost: dict[str, float]) -> float:
    """Return the share of the bits of the texts that fixed parts save in those that match."""
    gaps = np.array([[len(TOKEN.findall(value)) for value in row] for row in found])
    bits = np.array([sum(cost.get(word, 0.0) for word in TOKEN.findall(part)) for part in fixed])
    nowhere = np.zeros(0, np.int64)
    return _compression(_Runs(nowhere, nowhere, gaps, bits), members, cost)


def _compression(runs: _Runs, members: list[Words], cost: dict[str, float]) -> float:
    """Return the share of the bits of the texts that the runs save."""
    size = np.array([[len(some.words)] for some in members])
    words = chain.from_iterable(some.words for some in members)
    literal = sum(map(cost.__getitem__, words)) + float(_length_bits(size).sum())
    saved = (len(runs.gaps) - 1) * float(runs.bits.sum()) + float(
        _length_bits(size).sum() - _length_bits(runs.gaps).sum()
    )
    return saved / literal


def _explains(template: Template, members: list[Words]) -> bool:
    """Tell whether the fixed part is enough of the texts to call it their template."""
    fixed = [word for part in template.fixed for word in cut_words(part).words]
    words = sum(word[0].isalnum() for word in fixed)
    share = len(fixed) / float(np.median([len(some.words) for some in members]))
    bits = sum(map(prior_bits, fixed))
    return words >= MIN_WORDS and (bits >= FRAME_BITS or share >= FRAME_SHARE)
