"""What to read: paths, globs, folders, URLs and standard input become a list of sources."""

from __future__ import annotations

import glob
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from promptscan.errors import PromptscanError, UsageError

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
MAGIC_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


class Format(StrEnum):
    """The file formats that ingest reads."""

    PARQUET = "parquet"
    JSONL = "jsonl"
    CSV = "csv"


SUFFIXES = {
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSONL,
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
}


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read.

    Attributes:
        name: how it is shown and recorded: the absolute path, the URL, or `-`.
        path: where its bytes lie on this machine.
        format: how to read it; None when neither its name nor its first bytes tell.
        compression: `gzip`, `zstd` or None.
    """

    name: str
    path: Path
    format: Format | None
    compression: str | None


def expand(paths: Sequence[str], spool: Path) -> list[Source]:
    """Resolve what the user named, in a stable order and each file once.

    Args:
        paths: files, globs, folders (every file below with a known suffix), fsspec URLs, `-` for standard input.
        spool: folder for copies of what has no path of its own.

    Raises:
        UsageError: a path does not exist, or a glob or folder has nothing to read.
    """
    sources: dict[str, Source] = {}
    for path in paths:
        for source in _expand_one(path, spool):
            sources.setdefault(source.name, source)
    return list(sources.values())


def _expand_one(path: str, spool: Path) -> Iterator[Source]:
    if path == "-":
        yield _spooled("-", spool / "stdin", lambda out: shutil.copyfileobj(sys.stdin.buffer, out))
    elif "://" in path:
        yield _fetched(path, spool)
    elif Path(path).is_dir():
        found = sorted(file for file in Path(path).rglob("*") if file.is_file() and _suffixes(file)[0])
        if not found:
            raise UsageError(f"folder {path} has no file to read; wanted one of {', '.join(sorted(SUFFIXES))}")
        yield from (source_of(file) for file in found)
    elif Path(path).exists() or Path(path).is_symlink():
        yield source_of(Path(path))
    else:
        found = sorted(Path(match) for match in glob.glob(path, recursive=True))  # noqa: PTH207 - absolute patterns
        if not found:
            raise UsageError(f"{path} does not exist; give a file, a glob, a folder, a URL or - for standard input")
        for match in found:
            yield from _expand_one(str(match), spool)


def source_of(path: Path) -> Source:
    """Describe a local file by its name, else by its first bytes."""
    path = path.absolute()
    known, compression = _suffixes(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
    except OSError:
        head = b""  # the reader meets the same error and quarantines the file with it
    for magic, name in MAGIC_COMPRESSIONS.items():
        if head.startswith(magic):
            compression = name
    if known is None and head.startswith(b"PAR1"):
        known = Format.PARQUET
    if known is None and compression is None and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}:
        known = Format.JSONL
    return Source(str(path), path, known, compression)


def _suffixes(path: Path) -> tuple[Format | None, str | None]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compression = COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    if compression:
        suffixes.pop()
    return (SUFFIXES.get(suffixes[-1]) if suffixes else None), compression


def _spooled(name: str, target: Path, copy: Callable[[BinaryIO], None]) -> Source:
    """Copy a stream to a file of ours, since readers need to seek."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        copy(out)
    found = source_of(target)
    return Source(name, found.path, found.format or Format.JSONL, found.compression)


def _fetched(url: str, spool: Path) -> Source:
    try:
        import fsspec
    except ImportError:
        raise UsageError(f"{url} needs fsspec; run `pip install fsspec` and the package of its protocol") from None
    known, compression = _suffixes(Path(url.split("?", 1)[0]))
    target = spool / f"url-{len(list(spool.glob('url-*')))}"
    try:
        with fsspec.open(url, "rb") as stream:
            found = _spooled(url, target, lambda out: shutil.copyfileobj(stream, out))
    except (OSError, ValueError, ImportError) as error:
        raise PromptscanError(f"{url} can't be read ({error})") from None
    return Source(url, found.path, known or found.format, compression or found.compression)
