"""Durable files: digests, atomic writes, and directories that appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from promptscan.atomic import replacing
from promptscan.errors import StoreError

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileRef:
    """One file of a store: its path relative to the store, its size in bytes and its SHA-256 (hex)."""

    path: str
    size: int
    sha256: str


def sha256_of(path: Path, *, first: int | None = None) -> str:
    """Digest a file without loading it.

    Args:
        path: the file.
        first: only this many bytes from its start; all of it when None.

    Returns:
        SHA-256 as 64 hex characters.
    """
    digest = hashlib.sha256()
    left = first
    with path.open("rb") as stream:
        while left is None or left > 0:
            block = stream.read(BLOCK if left is None else min(BLOCK, left))
            if not block:
                break
            digest.update(block)
            left = None if left is None else left - len(block)
    return digest.hexdigest()


def describe(path: Path, root: Path) -> FileRef:
    """Make the reference that a manifest keeps of a file below `root`."""
    return FileRef(path.relative_to(root).as_posix(), path.stat().st_size, sha256_of(path))


def verify(root: Path, ref: FileRef) -> Path:
    """Check one file against its reference, size first, then digest.

    Raises:
        StoreError: the file is missing, of another size, or of other content.
    """
    path = root / ref.path
    try:
        size = path.stat().st_size
    except OSError as error:
        raise StoreError(
            f"{path} is missing from the store ({error.strerror}); restore it or run `promptscan fsck`"
        ) from None
    if size != ref.size:
        raise StoreError(f"{path} has {size} bytes where {ref.size} were written; run `promptscan fsck`")
    if sha256_of(path) != ref.sha256:
        raise StoreError(f"{path} does not match its digest: it was changed or damaged; run `promptscan fsck`")
    return path


def sync_directory(path: Path) -> None:
    """Make renames inside a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make a file's bytes durable, whoever wrote them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file in one step: temporary file, fsync, rename, fsync of the directory.

    A full disk raises before the rename, so the old file stays.
    """
    with replacing(path) as stream:
        stream.write(data)
    sync_directory(path.parent)


def publish_directory(draft: Path, final: Path) -> None:
    """Give a finished directory its final name, after everything in it is durable."""
    for path in sorted(draft.rglob("*")):
        if path.is_file():
            sync_file(path)
    sync_directory(draft)
    if final.exists():  # leftover of a run that was killed before its commit
        shutil.rmtree(final)
    draft.rename(final)
    sync_directory(final.parent)
