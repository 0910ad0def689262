"""Nesting: templates that are cases of others, and the frame of several that was not found by itself.

One frame with many tasks is found as many templates, one for each task that many texts have. Here they become children of
their frame: of a template that has a slot where they have fixed text, or of one made from their common text. What is made is
a template like any other: the children are aligned as texts, each of their slots one word, and the frame must shorten
their description.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from promptscan.anchors import TemplateIndex
from promptscan.groups import duplicate_groups
from promptscan.skeleton import FRAME_BITS, find_template, prior_bits
from promptscan.slots import Slot, SlotType, describe_slot
from promptscan.templates import Template, match
from promptscan.verify import Comparison, Edges, Relation
from promptscan.words import TOKEN

LEVELS = (0.8, 0.65, 0.5)
"""Share of the shorter template's words in passages of both that makes two templates siblings, closest first."""

_PASSAGE = 3  # words in a row that propose siblings
_PASSAGES = 6  # of each template, of those it shares
_LIKELY = 32  # templates that each is compared with at most, as a case of them
_SLOT_BITS = 8.0  # of a template, for each slot
_UNSEEN = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE))  # for private use: unlikely in any text

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Templates and the frames they are cases of.

    Attributes:
        templates: the given ones, n, and after them the s made ones.
        parents: for each the index of its parent, -1 for none; no cycles. int64 (n + s,).
    """

    templates: tuple[Template, ...]
    parents: Int64


def nest(templates: Sequence[Template]) -> Int64:
    """Find the template that each template is a case of: the same frame with a slot partly or wholly fixed.

    Args:
        templates: n templates; two that differ in nothing but slot types are not nested.

    Returns:
        For each the index of its parent, -1 for none. The parent is the one with the most fixed text, ties to the
        lowest index; parents have less fixed text than their children, so there is no cycle. Compared is each with the
        32 others that have all their words in it and the most of them. int64 (n,).
    """
    blank = _unused_sign(templates)
    return _cases(templates, templates, blank)


def build_hierarchy(templates: Sequence[Template]) -> Hierarchy:
    """Nest templates, and make the parents that several share but that are not among them.

    Of templates with equal fixed text the first is the parent of the others. Closest siblings get their parent first, and
    parents may get one in turn. A made parent has at least `FRAME_BITS` of fixed text, and one below another parent stays
    when it shortens the description of its children.

    Args:
        templates: any number, in an order that stays the same.
    """
    blank = _unused_sign(templates)
    every = list(templates)
    parents = nest(templates).tolist()
    first: dict[tuple[str, ...], int] = {}
    for index, template in enumerate(templates):
        if first.setdefault(template.fixed, index) != index:
            parents[index] = first[template.fixed]
    for level in LEVELS:
        roots = [index for index, parent in enumerate(parents) if parent < 0]
        made = _common_frames([every[root] for root in roots], blank, level)
        made = [template for template in made if template.fixed not in first]
        of = _cases([every[root] for root in roots], made, blank)
        useful = np.flatnonzero(np.bincount(of[of >= 0], minlength=len(made)) > 1).tolist()
        place = {number: len(every) + at for at, number in enumerate(useful)}
        for root, number in zip(roots, of.tolist(), strict=True):
            parents[root] = place.get(number, -1)
        for number in useful:
            first[made[number].fixed] = place[number]
            every.append(made[number])
            parents.append(-1)
    return _pruned(every, parents, len(templates))


def extend_hierarchy(known: Hierarchy, fresh: Int64) -> Hierarchy:
    """Put new templates under known ones, and make frames among those that nothing known explains.

    Args:
        known: as it was, with the new templates among the given ones and -1 as their parent.
        fresh: int64 (m,), which are new, ascending.

    Returns:
        The hierarchy, further frames at its end. What was nested stays as it is, so that the cost follows the new templates;
        known ones get no new parent before `build_hierarchy`.
    """
    every, parents = list(known.templates), known.parents.copy()
    first: dict[tuple[str, ...], int] = {}
    for index in np.setdiff1d(np.arange(len(every)), fresh).tolist():
        first.setdefault(every[index].fixed, index)
    new = [every[index] for index in fresh.tolist()]
    found = _cases(new, every, _unused_sign(every)).tolist()
    parents[fresh] = [first.get(template.fixed, case) for template, case in zip(new, found, strict=True)]
    roots = fresh[parents[fresh] < 0]
    made = build_hierarchy([every[root] for root in roots.tolist()])
    place = roots.tolist()
    for frame in made.templates[len(roots) :]:
        if frame.fixed in first:
            place.append(first[frame.fixed])
        else:
            place.append(len(every))
            every.append(frame)
    parents = np.append(parents, np.full(len(every) - len(parents), -1, np.int64))
    for child, parent in enumerate(made.parents.tolist()):
        if parent >= 0 and parents[place[child]] < 0:
            parents[place[child]] = place[parent]
    return Hierarchy(tuple(every), parents)


def _cases(children: Sequence[Template], others: Sequence[Template], blank: str) -> Int64:
    """Return for each child the most specific of the other templates that it is a case of, -1 for none."""
    found = np.full(len(children), -1, np.int64)
    texts = [blank.join(child.fixed) for child in children]
    index = TemplateIndex.build(others, enough=1.0)
    size = np.array([sum(map(len, other.fixed)) for other in others], np.int64)
    own = np.array([sum(map(len, child.fixed)) for child in children], np.int64)
    child, other = index.candidates(texts, tried=_LIKELY)
    smaller = size[other] < own[child]
    child, other = child[smaller], other[smaller]
    order = np.lexsort((other, -size[other], child))
    for number, candidate in zip(child[order].tolist(), other[order].tolist(), strict=True):
        if found[number] >= 0 or not others[candidate].slots:
            continue
        if match(others[candidate], texts[number], exact=True) is not None:
            found[number] = candidate
    return found


def _common_frames(templates: Sequence[Template], blank: str, level: float) -> list[Template]:
    """Make the templates of groups of templates that share much of their wording."""
    texts = [blank.join(template.fixed) for template in templates]
    a, b = _siblings(texts, blank)
    comparison = Comparison(texts)
    score = comparison.shared_wording(a, b)
    near = score >= level
    kind = np.full(int(near.sum()), Relation.TEMPLATE, np.uint8)
    groups = duplicate_groups(
        len(texts),
        Edges(a[near], b[near], kind, score[near]),
        comparison.shared_wording,
        min_score=level,
        floor=level,
    )
    order = np.argsort(groups.labels, kind="stable")
    starts = np.searchsorted(groups.labels[order], np.arange(len(groups.medoids) + 1))
    made = []
    for (start, stop), medoid in zip(pairwise(starts.tolist()), groups.medoids.tolist(), strict=True):
        members = order[start:stop]
        frame = find_template([texts[i] for i in members], int(np.searchsorted(members, medoid)))
        parts = () if frame is None else _opened(frame.fixed, blank)
        if frame is not None and fixed_bits(parts) >= FRAME_BITS:
            slots = _slots(parts, [templates[i] for i in members], blank)
            if slots:
                made.append(Template(parts, slots, frame.compression, frame.support))
    return made


def _siblings(texts: Sequence[str], blank: str) -> tuple[Int64, Int64]:
    """Return pairs of templates that share a passage, each with the first and the one before that has it."""
    hashes, owners = list[int](), list[int]()
    for number, text in enumerate(texts):
        words = [word for word in TOKEN.findall(text.casefold()) if word != blank]
        passages = {" ".join(words[i : i + _PASSAGE]) for i in range(max(1, len(words) - _PASSAGE + 1))}
        hashes += [zlib.crc32(passage.encode("utf-8", "surrogatepass")) for passage in passages]
        owners += [number] * len(passages)
    passage, owner = np.array(hashes, np.int64), np.array(owners, np.int64)
    _, which, count = np.unique(passage, return_inverse=True, return_counts=True)
    shared = count[which] > 1
    passage, owner = passage[shared], owner[shared]
    order = np.lexsort((passage, owner))
    passage, owner = passage[order], owner[order]
    few = (
        np.arange(len(owner)) - np.searchsorted(owner, owner) < _PASSAGES
    )  # those of the least hash: the same in siblings
    order = np.lexsort((owner[few], passage[few]))
    passage, owner = passage[few][order], owner[few][order]
    first = np.searchsorted(passage, passage)
    before = np.maximum(np.arange(len(owner)) - 1, first)
    pairs = np.concatenate([np.stack([owner[first], owner], 1), np.stack([owner[before], owner], 1)])
    pairs = np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])


def _opened(fixed: tuple[str, ...], blank: str) -> tuple[str, ...]:
    """Make a slot of every blank in fixed parts; slots that come to touch are one. Nothing when there is no slot."""
    parts = [piece for part in fixed for piece in part.split(blank)]
    return (parts[0], *filter(None, parts[1:-1]), parts[-1]) if len(parts) > 1 else ()


def _slots(fixed: tuple[str, ...], children: Sequence[Template], blank: str) -> tuple[Slot, ...]:
    """Type the slots of a frame by what its children have in them; none when fewer than two are cases of it."""
    draft = Template(fixed, (Slot(SlotType.FREE_TEXT, 0, 0.0),) * (len(fixed) - 1))
    rows = [(child, match(draft, blank.join(child.fixed), exact=True)) for child in children]
    found = [(child, values) for child, values in rows if values is not None]
    if len(found) < 2:
        return ()
    slots = []
    for number in range(len(fixed) - 1):
        filled = [values[number] for _, values in found]
        if all(value == blank for value in filled):
            own = [child.slots["".join(values[:number]).count(blank)] for child, values in found]
            kinds = {slot.type for slot in own}
            kind = kinds.pop() if len(kinds) == 1 else SlotType.FREE_TEXT
            slots.append(Slot(kind, max(slot.n_values for slot in own), max(slot.entropy for slot in own)))
            continue
        slot = describe_slot([value.replace(blank, "").strip() for value in filled])
        slots.append(slot if slot.type is not SlotType.CONST else Slot(SlotType.FREE_TEXT, slot.n_values, slot.entropy))
    return tuple(slots)


def _pruned(every: list[Template], parents: list[int], n: int) -> Hierarchy:
    """Drop made parents that save too little beside their own parent; their children become its children."""
    children = np.bincount([parent for parent in parents if parent >= 0], minlength=len(every)).tolist()
    for made in range(n, len(every)):  # children before their parents
        above = parents[made]
        if above < 0:
            continue
        saved = (children[made] - 1) * (fixed_bits(every[made].fixed) - fixed_bits(every[above].fixed))
        if saved < FRAME_BITS + _SLOT_BITS * len(every[made].slots):
            parents = [above if parent == made else parent for parent in parents]
            children[above] += children[made] - 1
            children[made] = 0
    kept = [index for index in range(len(every)) if index < n or children[index]]
    place = {index: at for at, index in enumerate(kept)}
    return Hierarchy(
        tuple(every[index] for index in kept),
        np.array([place[parents[index]] if parents[index] >= 0 else -1 for index in kept], np.int64),
    )


def fixed_bits(fixed: tuple[str, ...]) -> float:
    """Return the bits of the words of fixed parts in unseen text."""
    return sum(prior_bits(word) for part in fixed for word in TOKEN.findall(part))


def _unused_sign(templates: Sequence[Template]) -> str:
    """Return a sign that is in no template."""
    used = set[str]().union(*(part for template in templates for part in template.fixed))
    return next(sign for sign in map(chr, chain(*_UNSEEN)) if sign not in used)
