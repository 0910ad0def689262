"""Encoders: token windows to unit vectors, all of them sentence-transformers models with pinned or recorded digests.

`static` ships with promptscan: 256 numbers per token, no transformer. `minilm` is its teacher, as a package. Any other
name is a sentence-transformers folder or hub model, safetensors only and never with code of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from promptscan.errors import PromptscanError
from promptscan.tokens import MAX_RUN, Windows, cut_windows, make_visible
from promptscan.weights import (
    STATIC_FOLDER,
    combined_digest,
    find_model,
    folder_digest,
    minilm_folder,
    quiet,
    read_verified,
    sha256,
)

STATIC_WINDOW = 256
"""Tokens per window of the static encoder, which has no limit of its own: short enough that a stuffed passage shows."""

MAX_WINDOW = 512
"""Most tokens per window of any encoder, whatever its limit: vectors of longer passages say too little of each part."""

OVERLAP = 4
"""Neighbouring windows share one part in `OVERLAP` of their tokens, so that nothing is seen only at an edge."""

CPU_BATCH_TOKENS, GPU_BATCH_TOKENS = 1 << 13, 1 << 18
"""Tokens, padding included, that a transformer gets at once."""

NUMPY_TOKENS = 1 << 14
"""Up to this many tokens the static encoder pools without importing torch (seconds); the sums are the same bit for bit."""

POOL_WINDOWS = 4096
"""Windows pooled at once by the static encoder."""


@dataclass(frozen=True)
class EncoderId:
    """What a store records of its encoder; encoders of one digest give the same vectors, up to their device's rounding.

    Attributes:
        name: what was asked for: `static`, `minilm`, a path or a hub name.
        digest: hex SHA-256 over weights, tokenizer and module configuration.
        dim: length of a vector.
    """

    name: str
    digest: str
    dim: int


class Encoder(Protocol):
    """Texts to unit vectors. Windows are what the model sees at once; `window` counts tokens without special ones."""

    @property
    def identity(self) -> EncoderId:
        """The name, digest and dimension that a store records."""

    @property
    def window(self) -> int:
        """Most tokens of a text that one vector is made of."""

    def cut(self, texts: Sequence[str]) -> Windows:
        """Tokenise texts and cut them into windows that cover every character."""

    def encode_windows(self, windows: Windows) -> NDArray[np.float32]:
        """Return one vector per window, float32 (w, d), unit norm or, without a known token, zero."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per text, float32 (n, d), unit norm or, without a known token, zero."""


@dataclass(frozen=True)
class StaticEncoder:
    """A mean of token vectors: sentence-transformers' `StaticEmbedding`, fed with token ids.

    The same text has the same vector whatever is encoded beside it.
    """

    identity: EncoderId
    tokenizer: Tokenizer
    weights: NDArray[np.float32]
    window: int = STATIC_WINDOW

    def cut(self, texts: Sequence[str]) -> Windows:
        """Tokenise texts and cut them into windows that cover every character."""
        return cut_windows(self.tokenizer, texts, self.window, self.window // OVERLAP)

    def encode_windows(self, windows: Windows) -> NDArray[np.float32]:
        """Return one vector per window, float32 (w, d)."""
        few = int((windows.end - windows.begin).sum()) <= NUMPY_TOKENS
        pool = _pool_numpy if few else _pool_torch
        return _unit(pool(self.weights, self.tokenizer, windows))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per text, float32 (n, d)."""
        windows = self.cut(texts)
        return whole_texts(self.encode_windows(windows), windows)


def _pool_numpy(weights: NDArray[np.float32], _: Tokenizer, windows: Windows) -> NDArray[np.float32]:
    """Return the mean token vector of each window; for a handful of windows, as of a search."""
    out = np.zeros((len(windows.text), weights.shape[1]), np.float32)
    for row, (begin, end) in enumerate(zip(windows.begin.tolist(), windows.end.tolist(), strict=True)):
        if end > begin:
            np.add.reduce(weights[windows.ids[begin:end]], axis=0, out=out[row])
            out[row] /= np.float32(end - begin)
    return out


def _pool_torch(weights: NDArray[np.float32], tokenizer: Tokenizer, windows: Windows) -> NDArray[np.float32]:
    """Return the mean token vector of each window, by sentence-transformers."""
    with quiet():
        import torch
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    module = StaticEmbedding(tokenizer, embedding_weights=weights).eval()
    out = np.empty((len(windows.text), weights.shape[1]), np.float32)
    with torch.inference_mode():
        for row in range(0, len(out), POOL_WINDOWS):
            begin, end = windows.begin[row : row + POOL_WINDOWS], windows.end[row : row + POOL_WINDOWS]
            size = end - begin
            first = np.cumsum(size) - size
            ids = windows.ids[np.arange(int(size.sum())) + np.repeat(begin - first, size)]
            features = {"input_ids": torch.from_numpy(ids), "offsets": torch.from_numpy(first.astype(np.int32))}
            out[row : row + POOL_WINDOWS] = module(features)["sentence_embedding"].numpy()
    return out


@dataclass(frozen=True)
class TransformerEncoder:
    """Any sentence-transformers model over text; the same text has the same vector up to rounding (1e-3)."""

    identity: EncoderId
    tokenizer: Tokenizer
    window: int
    model: Any
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    pad: int
    batch_tokens: int

    def cut(self, texts: Sequence[str]) -> Windows:
        """Tokenise texts and cut them into windows that cover every character."""
        return cut_windows(self.tokenizer, texts, self.window, self.window // OVERLAP)

    def encode_windows(self, windows: Windows) -> NDArray[np.float32]:
        """Return one vector per window, float32 (w, d)."""
        import torch

        size = windows.end - windows.begin
        order = np.argsort(-size, kind="stable")
        out = np.zeros((len(size), self.identity.dim), np.float32)
        with torch.inference_mode():
            row = 0
            while row < len(order) and size[order[row]]:
                longest = int(size[order[row]]) + len(self.prefix) + len(self.suffix)
                rows = order[row : row + max(1, self.batch_tokens // longest)]
                rows = rows[size[rows] > 0]
                out[rows] = self._forward(windows, rows)
                row += len(rows)
        return _unit(out)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per text, float32 (n, d)."""
        windows = self.cut(texts)
        return whole_texts(self.encode_windows(windows), windows)

    def _forward(self, windows: Windows, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the model's vectors of some windows, special tokens added, padded to the longest."""
        import torch

        sequences = [
            (*self.prefix, *windows.ids[windows.begin[row] : windows.end[row]].tolist(), *self.suffix) for row in rows
        ]
        length = np.array([len(sequence) for sequence in sequences])
        mask = np.arange(int(length.max())) < length[:, None]
        ids = np.full(mask.shape, self.pad, np.int64)
        ids[mask] = np.concatenate(sequences)
        features = {
            "input_ids": torch.from_numpy(ids).to(self.model.device),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)).to(self.model.device),
        }
        vectors: NDArray[np.float32] = self.model(features)["sentence_embedding"].float().cpu().numpy()
        return vectors


def whole_texts(vectors: NDArray[np.float32], windows: Windows) -> NDArray[np.float32]:
    """Return one vector per text: its window's, or the normalised mean of its windows weighted by their tokens.

    Args:
        vectors: one per window, unit norm or zero. float32 (w, d).
        windows: the windows.

    Returns:
        float32 (n, d), unit norm or zero.
    """
    first = np.cumsum(windows.count) - windows.count
    out: NDArray[np.float32] = vectors[first]
    long = np.flatnonzero(windows.count > 1)
    if len(long):
        inside = np.repeat(windows.count > 1, windows.count)
        weighted = vectors[inside] * (windows.end - windows.begin)[inside, None].astype(np.float32)
        count = windows.count[long]
        out[long] = _unit(np.add.reduceat(weighted, np.cumsum(count) - count, axis=0))
    return out


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors scaled to norm 1 in float32; zero rows stay zero."""
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(vectors, norm, out=np.zeros_like(vectors), where=norm != 0)
    return unit


def load_encoder(name: str = "static", *, device: str | None = None) -> Encoder:
    """Return an encoder by name.

    Args:
        name: `static` (default), `minilm`, or a sentence-transformers folder or hub name.
        device: torch's name of the device for a transformer; by default a GPU when there is one. The static encoder
            runs on the CPU: moving its tokens to a GPU takes longer than its sums.

    Raises:
        UsageError: the package or folder that `name` asks for is not there.
        PromptscanError: the weights are not the pinned ones, not safetensors, need code, or cannot be fetched.
    """
    if name == "static":
        return _load_static()
    folder = minilm_folder() if name == "minilm" else find_model(name)
    return _load_folder(name, folder, device)


def _load_static() -> StaticEncoder:
    """Return the shipped encoder, its files verified before they are parsed."""
    from safetensors.numpy import load

    files = read_verified(STATIC_FOLDER)
    tokenizer = Tokenizer.from_buffer(files["tokenizer.json"])
    weights = load(files["model.safetensors"])["embedding.weight"].astype(np.float32)
    digests = {file: sha256(data) for file, data in files.items()}
    identity = EncoderId("static", _digest(digests, STATIC_WINDOW), weights.shape[1])
    return StaticEncoder(identity, tokenizer, weights)


def _load_folder(name: str, folder: Path, device: str | None) -> Encoder:
    """Return the model of a folder, in the fastest arithmetic that its device does well."""
    digest = folder_digest(folder)
    with quiet():
        import torch
        from sentence_transformers import SentenceTransformer

        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            model = SentenceTransformer(
                str(folder),
                device=device,
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            ).eval()
            tokenizer = Tokenizer.from_str(_backend(model).to_str())
        except Exception as error:  # any of torch, transformers and sentence-transformers, each with its own tree
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise PromptscanError(f"encoder {name!r}: {folder} cannot be loaded ({reason[0]})") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if hasattr(model[0], "embedding"):
        return _static_from(name, digest, model, tokenizer)
    prefix, suffix = _special_tokens(tokenizer)
    limit = min(model.max_seq_length or MAX_WINDOW, MAX_WINDOW)
    window = limit - len(prefix) - len(suffix)
    return TransformerEncoder(
        EncoderId(name, _digest({"model": digest}, window), int(model.get_embedding_dimension())),
        make_visible(tokenizer),
        window,
        model.to(_dtype(device)),
        prefix,
        suffix,
        model.tokenizer.pad_token_id or 0,
        GPU_BATCH_TOKENS if device.startswith("cuda") else CPU_BATCH_TOKENS,
    )


def _static_from(name: str, digest: str, model: Any, tokenizer: Tokenizer) -> StaticEncoder:
    """Return a sentence-transformers model that is a `StaticEmbedding`, perhaps followed by a normalisation."""
    others = [type(module).__name__ for module in list(model)[1:] if type(module).__name__ != "Normalize"]
    if others:
        raise PromptscanError(f"encoder {name!r}: {', '.join(others)} after a StaticEmbedding is not supported")
    weights: NDArray[np.float32] = model[0].embedding.weight.detach().float().cpu().numpy()
    identity = EncoderId(name, _digest({"model": digest}, STATIC_WINDOW), weights.shape[1])
    return StaticEncoder(identity, make_visible(tokenizer), weights)


def _digest(digests: dict[str, str], window: int) -> str:
    """Return the digest of an encoder: its files and how texts are cut for it."""
    return combined_digest({**digests, "window": sha256(f"{window} {window // OVERLAP} {MAX_RUN}".encode())})


def _backend(model: Any) -> Tokenizer:
    """Return the fast tokenizer of a sentence-transformers model."""
    return model.tokenizer if isinstance(model.tokenizer, Tokenizer) else model.tokenizer.backend_tokenizer


def _special_tokens(tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the ids a model wants before and after a text."""
    plain = tokenizer.encode("a", add_special_tokens=False).ids
    full = tokenizer.encode("a", add_special_tokens=True).ids
    start = next((i for i in range(len(full)) if full[i : i + len(plain)] == plain), 0)
    return tuple(full[:start]), tuple(full[start + len(plain) :])


def _dtype(device: str) -> Any:
    """Return the torch type to run a transformer in: 16 bits where the device computes in them.

    On a CPU that does, bfloat16 was 1.6 times as fast with a cosine error under 1e-4 (docs/decisions/002-encoders.md).
    """
    import torch

    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    native = device == "cpu" and (capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return torch.bfloat16 if native else torch.float32
