"""matchkey: texts to match keys, and how much of a text was made to look like something else.

A match key is what two texts share when one is the other in disguise. It is only for matching: never shown, never embedded.
Dropped are case, marks, invisible characters, white space and everything else that is no letter or number. Folded are
compatibility forms (NFKD), Latin letters in other shapes, letters of other scripts that pose as Latin, and leet: its letters
become the digits that leet writes for them (`hello` and `h3ll0` meet as `h3110`), so that numbers stay themselves.

Each decision depends on the key's own neighbourhood only, not on white space (which attackers add) nor on the rest of the text
(which attackers pad). That makes the key idempotent, and a passage's key the same in every text, but for its edges:
characters that look alike in two scripts are read in the script of the nearest letters that belong to one script only
(*anchors*). Between two Latin anchors a Cyrillic `a` is an `a`; beside a real Cyrillic word it stays what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from promptscan.folds import CYRILLIC, LATIN, SEVERAL, SPELT_OUT, Folds, folds

CHUNK = 1 << 18  # bytes of text a step, so that its arrays stay in the processor's cache
LEET_RUN = 2  # longest run of leet characters inside a word that counts as obfuscation: `h3ll0`, not `a1b2c3d4`
STACK = 2  # combining marks a character may carry before they count as obfuscation (Vietnamese carries two)
_LETTERS = np.array([chr(code).isalpha() and code < 128 for code in range(256)])
_LEETS = np.array([chr(code) in "0134578$" for code in range(256)])
_SIGNS = np.array([chr(code) in "@$" for code in range(256)])
_DIGITS = np.array([chr(code) in "0123456789" for code in range(256)])


@dataclass(frozen=True, slots=True)
class Keys:
    """Match keys of a batch.

    Attributes:
        keys: large_string (n,). At most 18 characters for each of the text's.
        obfuscation: share of the text's characters that were disguised, float64 (n,), 0..1: invisible characters, letters of
            another script posing as this one, leet inside words (but `@`, as in addresses), decorative letters, and marks
            stacked beyond two.
    """

    keys: pa.Array
    obfuscation: NDArray[np.float64]


def fold(texts: pa.Array) -> Keys:
    """Return the match keys and obfuscation of texts.

    Args:
        texts: large_string (n,), no nulls.

    Source: UAX 15 (NFKD), UTS 39 section 4 (confusables), UCD (Default_Ignorable_Code_Point).
    """
    texts = texts.cast(pa.large_string())
    keys, shares = [pa.array([], pa.large_string())], [np.zeros(0)]
    for chunk in slices(texts, CHUNK):
        plain = pc.string_is_ascii(chunk)
        is_plain = plain.to_numpy(zero_copy_only=False)
        ascii_keys, ascii_changes = _fold_ascii(chunk.filter(plain))
        other_keys, other_changes = _fold_unicode(chunk.filter(pc.invert(plain)))
        order = np.empty(len(chunk), np.int64)
        order[np.r_[np.flatnonzero(is_plain), np.flatnonzero(~is_plain)]] = np.arange(len(chunk))
        keys.append(pa.concat_arrays([ascii_keys, other_keys]).take(pa.array(order)))
        length = np.maximum(pc.utf8_length(chunk).to_numpy(), 1)
        shares.append(np.minimum(np.r_[ascii_changes, other_changes][order] / length, 1.0))
    return Keys(pa.concat_arrays(keys), np.concatenate(shares))


def match_keys(texts: pa.Array) -> pa.Array:
    """Return the match keys of texts, large_string (n,); see `fold`."""
    return fold(texts).keys


def obfuscation(texts: pa.Array) -> NDArray[np.float64]:
    """Return the share of each text's characters that were disguised, float64 (n,); see `Keys`."""
    return fold(texts).obfuscation


def slices(texts: pa.Array, size: int) -> Iterator[pa.Array]:
    """Cut a large_string array into slices of about `size` bytes, at least one text each."""
    ends = np.cumsum(pc.binary_length(texts).to_numpy())
    start = 0
    while start < len(texts):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + size, "right")))
        yield texts.slice(start, stop - start)
        start = stop


def buffers(texts: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the offsets (n + 1,) from 0 and the UTF-8 bytes of a large_string array."""
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64, len(texts) + 1, texts.offset * 8) if len(texts) else np.zeros(1, np.int64)
    raw = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
    return bounds - bounds[0], raw[bounds[0] : bounds[-1]]


def _strings(offsets: NDArray[np.int64], data: bytes) -> pa.Array:
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets.tobytes()), pa.py_buffer(data))


def _fold_ascii(texts: pa.Array) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return keys and numbers of disguised characters of ASCII texts."""
    offsets, data = buffers(texts)
    table = folds().key[:128].astype(np.uint8).tobytes().ljust(256, b"\0")
    folded = np.frombuffer(bytearray(data.tobytes().translate(table)), np.uint8)
    at, signs = _read_signs(data, offsets)
    folded[at] = signs
    kept = folded != 0
    ends = _sums(kept, offsets).cumsum()
    return _strings(np.r_[0, ends], folded[kept].tobytes()), _leet(data, offsets)


def _fold_unicode(texts: pa.Array) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return keys and numbers of disguised characters of any texts."""
    if not len(texts):
        return texts, np.zeros(0, np.int64)
    tables = folds()
    codes, offsets = code_points(texts)
    changes = _disguises(codes, offsets, tables)
    codes, offsets = _decomposed(texts, codes, offsets, tables)
    low = np.minimum(codes, 255).astype(np.uint8)
    changes += _leet(low, offsets)
    folded = tables.key[codes]
    at, signs = _read_signs(low, offsets)
    folded[at] = signs
    kept = folded != 0
    offsets = np.r_[0, _sums(kept, offsets).cumsum()]
    folded, changed = _settle_scripts(codes[kept], folded[kept], offsets, tables)
    changes += _sums(changed, offsets)
    width = 1 + (folded >= 0x80).astype(np.uint8) + (folded >= 0x800) + (folded >= 0x10000)
    ends = _sums(width, offsets).cumsum()
    return _strings(np.r_[0, ends], folded.astype("<u4").tobytes().decode("utf-32-le").encode()), changes


def _decomposed(
    texts: pa.Array, codes: NDArray[np.uint32], offsets: NDArray[np.int64], tables: Folds
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the code points of texts in NFKD and where each text begins; dropped marks are 0.

    Most characters leave one character, which a table knows. Only texts with others are taken through Unicode's algorithm.
    """
    bare = tables.bare[codes]
    longer = _sums(bare == SEVERAL, offsets) > 0
    if not longer.any():
        return bare, offsets
    whole = pc.utf8_normalize(texts.filter(pa.array(longer)), "NFKD")
    for letter, spelt in SPELT_OUT.items():
        whole = pc.replace_substring(whole, letter, spelt)
    codes, offsets = code_points(pc.replace_with_mask(texts, pa.array(longer), whole))
    bare = tables.bare[codes]
    return np.where(bare == SEVERAL, codes, bare), offsets


def code_points(texts: pa.Array) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the code points of a large_string array, one text after the other, and the offsets (n + 1,) of each text."""
    data = buffers(texts)[1].tobytes()
    codes = np.frombuffer(data.decode().encode("utf-32-le"), "<u4")
    return codes, np.r_[0, pc.utf8_length(texts).to_numpy().astype(np.int64).cumsum()]


def _sums(values: NDArray[np.bool_] | NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sum of each text's values, int64 (n,); a text may be empty."""
    sums = np.zeros(len(offsets) - 1, np.int64)
    filled = np.flatnonzero(np.diff(offsets))
    if len(filled):
        sums[filled] = np.add.reduceat(values.view(np.uint8), offsets[filled], dtype=np.int64)
    return sums


def _neighbours(
    codes: NDArray[np.uint8], at: NDArray[np.int64], offsets: NDArray[np.int64], reach: int
) -> list[NDArray[np.uint8]]:
    """Return the codes `-reach..reach` around positions, 0 beyond the borders of the position's text."""
    text = np.searchsorted(offsets, at, "right") - 1
    around = []
    for step in range(-reach, reach + 1):
        inside = (at + step >= offsets[text]) & (at + step < offsets[text + 1])
        around.append(np.where(inside, codes[np.clip(at + step, 0, len(codes) - 1)], 0).astype(np.uint8))
    return around


def _read_signs(codes: NDArray[np.uint8], offsets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return where `@` and `$` stand, and what each is: the key of A or S when it belongs to a word, else 0 (a price, a bullet)."""
    at = np.flatnonzero(_SIGNS[codes])
    before, here, after = _neighbours(codes, at, offsets, 1)
    in_word = _LETTERS[before] | _SIGNS[before] | _DIGITS[before] | _LETTERS[after] | _SIGNS[after]
    return at, np.where(in_word, np.where(here == ord("@"), ord("4"), ord("5")), 0).astype(np.uint8)


def _leet(codes: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count each text's leet characters that stand between letters, in runs of at most LEET_RUN. int64 (n,)."""
    at = np.flatnonzero(_LEETS[codes])
    around = _neighbours(codes, at, offsets, LEET_RUN)
    far_before, before, _, after, far_after = around
    alone = _LETTERS[before] & _LETTERS[after]
    first = _LETTERS[before] & _LEETS[after] & _LETTERS[far_after]
    second = _LETTERS[far_before] & _LEETS[before] & _LETTERS[after]
    text = np.searchsorted(offsets, at[alone | first | second], "right") - 1
    return np.bincount(text, minlength=len(offsets) - 1)


def _disguises(codes: NDArray[np.uint32], offsets: NDArray[np.int64], tables: Folds) -> NDArray[np.int64]:
    """Count each text's invisible characters, decorative letters and marks stacked beyond STACK. int64 (n,)."""
    found = tables.invisible[codes] | tables.styled[codes]
    stacked = tables.mark[codes]
    for step in range(1, STACK + 1):
        stacked[step:] &= tables.mark[codes[:-step]]
    return _sums(found | stacked, offsets)


def _settle_scripts(
    codes: NDArray[np.uint32], folded: NDArray[np.uint32], offsets: NDArray[np.int64], tables: Folds
) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Read letters that look alike in two scripts in the script of the anchors on both sides.

    Args:
        codes: the characters that are kept, before case and leet were folded. uint32 (m,).
        folded: their keys so far. uint32 (m,).
        offsets: where each text begins. int64 (n + 1,).
        tables: the tables by code point.

    Returns:
        The keys, and which of them changed.

    A letter of another script becomes Latin when the nearest anchor on each side is Latin (or there is none on one side, or
    none at all and the text has ASCII letters too), and its run of such letters is short or mostly `strong`: many `weak`
    look-alikes in a row are a word of the other script. An ASCII letter becomes Cyrillic when the anchors on both sides are.
    """
    changed = np.zeros(len(folded), np.bool_)
    look = tables.look[codes]
    latinised, cyrillised = look > 0, tables.cyrillic[codes] > 0
    if not latinised.any() and not (tables.anchor[folded] == CYRILLIC).any():
        return folded, changed
    at = np.flatnonzero(latinised | cyrillised)
    script = _script_around(at, tables.anchor[folded], offsets)
    text = np.searchsorted(offsets, at, "right") - 1
    mixed = _sums(_LETTERS[np.minimum(codes, 255)], offsets) > 0
    to_latin = latinised[at] & ((script == LATIN) | ((script == 0) & mixed[text]))
    to_latin &= _poses(at, latinised[at], tables.strong[folded[at]], text)
    to_cyrillic = cyrillised[at] & (script == CYRILLIC)
    folded = folded.copy()
    folded[at[to_latin]] = look[at[to_latin]]
    folded[at[to_cyrillic]] = tables.cyrillic[codes[at[to_cyrillic]]]
    changed[at[to_latin | to_cyrillic]] = True
    return folded, changed


def _script_around(at: NDArray[np.int64], anchors: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the script of the nearest anchors on both sides of positions: 0 for none, 255 where the two differ."""
    where = np.flatnonzero(anchors)
    if not len(where):
        return np.zeros(len(at), np.uint8)
    text = np.searchsorted(offsets, at, "right") - 1
    following = np.searchsorted(where, at)
    left, right = where[np.maximum(following - 1, 0)], where[np.minimum(following, len(where) - 1)]
    has_left = (following > 0) & (left >= offsets[text])
    has_right = (following < len(where)) & (right < offsets[text + 1])
    before = np.where(has_left, anchors[left], 0)
    after = np.where(has_right, anchors[right], 0)
    before, after = np.where(before == 0, after, before), np.where(after == 0, before, after)
    return np.where(before == after, before, 255).astype(np.uint8)


def _poses(
    at: NDArray[np.int64], latinised: NDArray[np.bool_], strong: NDArray[np.bool_], text: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell which look-alikes stand in a run of at most two, of four if half are strong, or longer if most are."""
    first = np.r_[True, (np.diff(at) != 1) | (latinised[1:] != latinised[:-1]) | (np.diff(text) != 0)]
    run = np.cumsum(first) - 1
    length, weak = np.bincount(run), np.bincount(run, ~strong)
    return np.take((length <= 2) | (weak * 2 <= length - (length > 4)), run)
