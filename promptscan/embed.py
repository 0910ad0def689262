"""The embed stage: texts to float16 vectors, long texts to a vector and the vectors of their windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptscan.encoders import Encoder, EncoderId, load_encoder, whole_texts
from promptscan.errors import PromptscanError

__all__ = ["Embedded", "Encoder", "EncoderId", "embed_texts", "load_encoder"]

SLAB_CHARS = 1 << 22
"""Characters embedded at once (a longer text goes alone): bounds memory, and is often enough for a progress bar."""

SLAB_TEXTS = 1 << 13
"""Texts embedded at once."""


@dataclass(frozen=True)
class Embedded:
    """Vectors of texts.

    Attributes:
        vectors: one per text, unit norm, or zero for a text without a known token: the text itself, or for a text
            longer than the encoder's window the normalised mean of its windows, weighted by tokens. float16 (n, d).
        chunk_vectors: one per window of the texts that have several, unit norm or zero. float16 (m, d).
        chunk_text: the text each window is of, as an index, ascending. int64 (m,).
        chunk_start, chunk_end: the window's characters in its text; the windows of a text cover it. int64 (m,).
    """

    vectors: NDArray[np.float16]
    chunk_vectors: NDArray[np.float16]
    chunk_text: NDArray[np.int64]
    chunk_start: NDArray[np.int64]
    chunk_end: NDArray[np.int64]


def embed_texts(encoder: Encoder, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Embedded:
    """Embed texts of any length; no character of any text is out of an encoder's sight.

    Args:
        encoder: what `load_encoder` returned.
        texts: clean texts.
        progress: called with the number of texts done, now and then and at the end.

    Raises:
        PromptscanError: the encoder returned a number that is not finite.
    """
    parts = []
    for start, stop in _slabs(texts):
        parts.append(_embed_slab(encoder, texts[start:stop], start))
        if progress is not None:
            progress(stop)
    dim = encoder.identity.dim
    none = np.empty(0, np.int64)
    parts.append(Embedded(np.empty((0, dim), np.float16), np.empty((0, dim), np.float16), none, none, none))
    return Embedded(
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.chunk_vectors for part in parts]),
        np.concatenate([part.chunk_text for part in parts]),
        np.concatenate([part.chunk_start for part in parts]),
        np.concatenate([part.chunk_end for part in parts]),
    )


def _embed_slab(encoder: Encoder, texts: Sequence[str], offset: int) -> Embedded:
    """Embed some texts at once; `offset` is the index of the first one."""
    windows = encoder.cut(texts)
    vectors = encoder.encode_windows(windows)
    whole = whole_texts(vectors, windows)
    if not (np.isfinite(vectors).all() and np.isfinite(whole).all()):
        raise PromptscanError(
            f"encoder {encoder.identity.name!r} returned numbers that are not finite; use another one"
        )
    chunk = (windows.count > 1)[windows.text]
    return Embedded(
        whole.astype(np.float16),
        vectors[chunk].astype(np.float16),
        windows.text[chunk] + offset,
        windows.char_start[chunk],
        windows.char_end[chunk],
    )


def _slabs(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield ranges of texts, each bounded in number and characters but at least one text."""
    start = chars = 0
    for stop, text in enumerate(texts):
        if stop > start and (chars + len(text) > SLAB_CHARS or stop - start == SLAB_TEXTS):
            yield start, stop
            start, chars = stop, 0
        chars += len(text)
    if start < len(texts):
        yield start, len(texts)
