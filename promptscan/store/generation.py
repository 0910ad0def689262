"""Reading: one generation, opened once, unchanged for as long as it is held."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, Self

import duckdb

from promptscan.errors import StoreError
from promptscan.sql import literal
from promptscan.store.catalog import create_views, parquet_paths
from promptscan.store.files import FileRef, verify
from promptscan.store.lock import pin
from promptscan.store.manifest import Manifest

PIN_ATTEMPTS = 10  # CURRENT can move between reading it and pinning what it names


class Files(Protocol):
    """What a live generation and a draft have in common: a manifest, and files checked before they are read."""

    @property
    def manifest(self) -> Manifest:
        """What there is."""

    def verified(self, ref: FileRef) -> Path:
        """Return the path of a file whose digest was checked."""


@dataclass(slots=True)
class Generation:
    """One immutable state of a store; a context manager that pins it against pruning."""

    root: Path
    manifest: Manifest
    _pin: IO[bytes]
    _verified: set[str] = field(default_factory=set)

    @classmethod
    def current(cls, root: Path) -> Self:
        """Open the live generation.

        Raises:
            StoreError: no store there, a damaged CURRENT or manifest, or a newer format.
        """
        for _ in range(PIN_ATTEMPTS):
            number, digest = read_current(root)
            path = manifest_path(root, number)
            held = pin(path)
            if held is None:
                if read_current(root)[0] == number:
                    raise StoreError(f"{path} is missing; CURRENT names it: restore it or run `promptscan fsck`")
                continue
            try:
                return cls(root, _checked(held.read(), digest, path), held)
            except BaseException:
                held.close()
                raise
        raise StoreError(f"{root}/CURRENT keeps moving; try again")

    def __enter__(self) -> Self:
        """Keep the generation for the length of a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the generation."""
        self.close()

    def close(self) -> None:
        """Let pruning take this generation when it is no longer current."""
        self._pin.close()

    def verified(self, ref: FileRef) -> Path:
        """Return a file's path after checking its digest, once per open generation."""
        path = self.root / ref.path
        if ref.path not in self._verified:
            verify(self.root, ref)
            self._verified.add(ref.path)
        return path

    def derived(self, name: str) -> Path | None:
        """Return a derived file of this generation if it is there and intact; it can be rebuilt otherwise."""
        for ref in self.manifest.derived:
            if ref.path.endswith(f"/{name}"):
                try:
                    return self.verified(ref)
                except StoreError:
                    return None
        return None

    @contextmanager
    def connect(self, *, memory_limit: str = "4GB", threads: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a locked-down DuckDB connection with the store's views.

        It can read this generation's Parquet files and nothing else: no other file, no network, no extension, no
        change of configuration. Its views are made afresh, so a moved store works.
        """
        with closing(duckdb.connect(":memory:")) as con:
            configure(con, self.root, memory_limit=memory_limit, threads=threads)
            create_views(con, self.manifest, self.root)
            paths = ", ".join(literal(path) for path in parquet_paths(self.manifest, self.root))
            con.execute(f"SET allowed_paths = [{paths}]")
            con.execute("SET enable_external_access = false")
            con.execute("SET lock_configuration = true")
            yield con


def configure(
    con: duckdb.DuckDBPyConnection, root: Path, *, memory_limit: str = "4GB", threads: int | None = None
) -> None:
    """Set what every connection of ours has in common: UTC, bounds, no extensions, no progress bar."""
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET autoinstall_known_extensions = false")
    con.execute("SET autoload_known_extensions = false")
    con.execute("SET allow_community_extensions = false")
    con.execute("SET enable_progress_bar = false")
    con.execute("SET parquet_metadata_cache = true")  # segments never change: read their footers once
    con.execute("SET dynamic_or_filter_threshold = 4096")  # look ids up by row group, not by scanning
    con.execute(f"SET memory_limit = {literal(memory_limit)}")
    con.execute(f"SET temp_directory = {literal(str(root / 'work' / 'spill'))}")
    if threads is not None:
        con.execute(f"SET threads = {int(threads)}")


def _checked(data: bytes, digest: str, path: Path) -> Manifest:
    if hashlib.sha256(data).hexdigest() != digest:
        raise StoreError(f"{path} does not match the digest in CURRENT; run `promptscan fsck`")
    return Manifest.from_json(data, str(path))


def manifest_path(root: Path, number: int) -> Path:
    """Return where a generation's manifest lies."""
    return root / "generations" / str(number) / "manifest.json"


def read_current(root: Path) -> tuple[int, str]:
    """Read which generation is live, and the digest of its manifest.

    Raises:
        StoreError: there is no store, or CURRENT is unreadable.
    """
    path = root / "CURRENT"
    try:
        document = json.loads(path.read_bytes())
        return int(document["generation"]), str(document["manifest_sha256"])
    except FileNotFoundError:
        raise StoreError(f"no store at {root}; make one with `promptscan --store {root} scan FILE`") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is unreadable ({error}); run `promptscan fsck`") from None
