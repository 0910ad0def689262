"""doctor: can this machine run promptscan, and what will it be like?"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from promptscan.config import AUTO, DEFAULT_ENCODER, Settings
from promptscan.errors import PromptscanError

LOW_DISK = 2 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, whether it is fine, and what was found."""

    check: str
    ok: bool
    message: str


def examine(settings: Settings) -> list[Finding]:
    """Run every check; none of them changes anything."""
    return [_libraries(), _processor(), _memory(), _disk(settings.store), _encoder(settings), _store(settings.store)]


def _libraries() -> Finding:
    found, missing = [], []
    for name in ("duckdb", "faiss-cpu", "numpy", "pyarrow", "scipy", "sentence-transformers", "torch"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    return Finding(
        "libraries",
        not missing,
        f"missing: {', '.join(missing)}; run `pip install promptscan`" if missing else ", ".join(found),
    )


def _processor() -> Finding:
    flags = set()
    info = Path("/proc/cpuinfo")
    if info.exists():
        flags = {word for line in info.read_text().splitlines() if line.startswith("flags") for word in line.split()}
    notes = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    return Finding("processor", True, f"{os.cpu_count()} cores, {' '.join(notes) or 'no known vector extension'}")


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Finding("memory", total >= 4 << 30, f"{total / (1 << 30):.1f} GiB; a million prompts want 6 GiB")


def _disk(store: Path) -> Finding:
    place = store.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    return Finding(
        "disk", free >= LOW_DISK, f"{free / (1 << 30):.1f} GiB free at {place}; a million prompts want 2 GiB"
    )


def _encoder(settings: Settings) -> Finding:
    from promptscan.encoders import load_encoder

    try:
        encoder = load_encoder(
            DEFAULT_ENCODER if settings.encoder == AUTO else settings.encoder,
            device=settings.torch_device,
        )
    except PromptscanError as error:
        return Finding("encoder", False, str(error))
    identity = encoder.identity
    return Finding(
        "encoder",
        True,
        f"{identity.name}, {identity.dim} dimensions, windows of {encoder.window} tokens, digest {identity.digest[:12]}",
    )


def _store(root: Path) -> Finding:
    from promptscan.store import Generation

    if not (root / "CURRENT").exists():
        return Finding("store", True, f"none at {root} yet; `promptscan scan FILE` makes one")
    try:
        with Generation.current(root.absolute()) as generation:
            manifest = generation.manifest
            prompts = sum(int(segment.meta["n_prompts"]) for segment in manifest.of_kind("prompts"))
            encoder = manifest.encoder.name if manifest.encoder else "none yet"
            return Finding(
                "store", True, f"{root}: generation {manifest.generation}, {prompts:,} prompts, encoder {encoder}"
            )
    except PromptscanError as error:
        return Finding("store", False, str(error))
