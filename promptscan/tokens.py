"""From texts to token windows: every character of every text lies in a window that an encoder sees whole.

A model reads a bounded number of tokens and drops the rest in silence; whoever writes the text decides what is dropped.
Three ways of hiding are closed here:

* text past the limit: a long text becomes overlapping windows, the last one flush with the end of the text;
* a run of more than 100 characters without a space, which WordPiece reads as one unknown token: cut every 100;
* one foreign character inside a word, which makes WordPiece call the whole word unknown: the character stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Sequence as PreTokenizers
from tokenizers.pre_tokenizers import Split

MAX_RUN = 100
"""Characters without a space that WordPiece accepts as one word (`max_input_chars_per_word` of BERT)."""

PIECE_CHARS = 1 << 16
"""Longest stretch of a text given to the tokenizer at once; bounds its memory (about 150 bytes per token)."""

BATCH_CHARS = 1 << 20
"""Characters in one call of the tokenizer."""

BATCH_TEXTS = 2048
"""Texts in one call of the tokenizer."""

_LAST_SPACE = re.compile(r"\s(?=\S*\Z)")


@dataclass(frozen=True)
class Windows:
    """Token windows over texts, in the order of the texts; a text without tokens has one empty window.

    Attributes:
        ids: token ids of all texts, one after the other. int32 (t,).
        begin, end: each window's tokens as a range of `ids`. int64 (w,).
        text: the text each window is of, as an index. int64 (w,).
        char_start, char_end: the characters each window answers for: from its first token up to the token after its
            last, so that white space and characters the tokenizer drops belong to a window as well. int64 (w,).
        count: windows per text. int64 (n,).
    """

    ids: NDArray[np.int32]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    text: NDArray[np.int64]
    char_start: NDArray[np.int64]
    char_end: NDArray[np.int64]
    count: NDArray[np.int64]


def make_visible(tokenizer: Tokenizer) -> Tokenizer:
    """Return `tokenizer` changed so that no word of a WordPiece model becomes unknown as a whole.

    Runs of more than `MAX_RUN` characters are cut, characters that the vocabulary does not hold are set apart. Text
    made of known words is tokenised as before. Other models (BPE, Unigram) have no such words and are left alone.
    """
    if not isinstance(tokenizer.model, WordPiece):
        return tokenizer
    vocabulary = tokenizer.get_vocab()
    prefix = tokenizer.model.continuing_subword_prefix
    known = sorted(ord(token) for token in vocabulary if len(token) == 1 and prefix + token in vocabulary)
    pattern = Regex(f"\\S{{{MAX_RUN}}}|[^\\s{_character_class(known)}]")
    split = Split(pattern, "isolated")
    inner = tokenizer.pre_tokenizer
    tokenizer.pre_tokenizer = PreTokenizers([split, inner]) if inner is not None else split
    return tokenizer


def _character_class(points: Sequence[int]) -> str:
    """Return sorted code points as the inside of a regular expression's `[...]`."""
    starts = [p for p, before in zip(points, [-1, *points], strict=False) if p != before + 1]
    ends = [p for p, after in zip(points, [*points[1:], -1], strict=True) if after != p + 1]
    return "".join(f"\\x{{{a:x}}}-\\x{{{b:x}}}" for a, b in zip(starts, ends, strict=True))


def cut_windows(tokenizer: Tokenizer, texts: Sequence[str], window: int, overlap: int) -> Windows:
    """Tokenise texts, without special tokens and without truncation, and cut them into windows.

    Args:
        tokenizer: any fast tokenizer.
        texts: any strings; 0 to millions of characters each.
        window: most tokens in a window, at least 1.
        overlap: tokens that neighbouring windows share, 0 to `window` - 1.

    Returns:
        The windows. All but the last of a text are `window` tokens; the last one too unless it is the only one.
    """
    tokens, starts = _tokenise(tokenizer, texts, window)
    size = np.fromiter((len(ids) for ids in tokens), np.int64, len(texts))
    first = np.cumsum(size) - size
    stride = window - overlap
    count = np.where(size <= window, 1, -(-(size - window) // stride) + 1)
    text = np.repeat(np.arange(len(texts)), count)
    ordinal = np.arange(len(text)) - np.repeat(np.cumsum(count) - count, count)
    begin = np.minimum(ordinal * stride, np.maximum(size - window, 0)[text])
    end = np.minimum(begin + window, size[text])
    char_start = np.zeros(len(text), np.int64)
    char_end = np.fromiter(map(len, texts), np.int64, len(texts))[text]
    row = np.cumsum(count) - count
    for index in np.flatnonzero(count > 1).tolist():
        inside = slice(row[index], row[index] + count[index])
        char_start[inside][1:] = starts[index][begin[inside][1:]]
        char_end[inside][:-1] = starts[index][end[inside][:-1]]
    ids = np.concatenate(tokens) if tokens else np.empty(0, np.int32)
    offset = first[text]
    return Windows(ids, begin + offset, end + offset, text, char_start, char_end, count)


def _tokenise(
    tokenizer: Tokenizer, texts: Sequence[str], window: int
) -> tuple[list[NDArray[np.int32]], dict[int, NDArray[np.int64]]]:
    """Return each text's token ids, and for every text of more than `window` tokens where each token starts."""
    tokens: list[NDArray[np.int32]] = [np.empty(0, np.int32)] * len(texts)
    likely_short = [i for i, text in enumerate(texts) if len(text) <= 8 * window]
    for batch in _batches([(i, 0, len(texts[i])) for i in likely_short]):
        encodings = tokenizer.encode_batch_fast([texts[i] for i, _, _ in batch], add_special_tokens=False)
        for (i, _, _), encoding in zip(batch, encodings, strict=True):
            tokens[i] = np.array(encoding.ids, np.int32)
    short = {i for i in likely_short if len(tokens[i]) <= window}
    long = [i for i in range(len(texts)) if i not in short]
    ids: dict[int, list[NDArray[np.int32]]] = {i: [] for i in long}
    starts: dict[int, list[NDArray[np.int64]]] = {i: [] for i in long}
    for batch in _batches([piece for i in long for piece in _pieces(i, texts[i])]):
        encodings = tokenizer.encode_batch([texts[i][a:b] for i, a, b in batch], add_special_tokens=False)
        for (i, a, _), encoding in zip(batch, encodings, strict=True):
            ids[i].append(np.array(encoding.ids, np.int32))
            starts[i].append(np.fromiter(chain.from_iterable(encoding.offsets), np.int64)[::2] + a)
    for i in long:
        tokens[i] = np.concatenate(ids[i])
    # Byte-level tokens of one character share its offset and a normaliser may reorder marks; windows need order.
    return tokens, {i: np.maximum.accumulate(np.concatenate(parts)) for i, parts in starts.items()}


def _pieces(index: int, text: str) -> Iterator[tuple[int, int, int]]:
    """Yield (index, start, end) of stretches of at most `PIECE_CHARS`, cut at white space where there is some near."""
    start = 0
    while len(text) - start > PIECE_CHARS:
        near = start + PIECE_CHARS - PIECE_CHARS // 16
        space = _LAST_SPACE.search(text, near, start + PIECE_CHARS)
        end = space.end() if space else start + PIECE_CHARS
        yield index, start, end
        start = end
    yield index, start, len(text)


def _batches(pieces: Sequence[tuple[int, int, int]]) -> Iterator[list[tuple[int, int, int]]]:
    """Yield consecutive pieces in batches of bounded characters and number."""
    batch: list[tuple[int, int, int]] = []
    chars = 0
    for piece in pieces:
        size = piece[2] - piece[1]
        if batch and (chars + size > BATCH_CHARS or len(batch) == BATCH_TEXTS):
            yield batch
            batch, chars = [], 0
        batch.append(piece)
        chars += size
    if batch:
        yield batch
