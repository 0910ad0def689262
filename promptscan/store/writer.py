"""Writing: drafts become segments, segments become a generation, and one rename makes it live."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from promptscan.errors import StoreError
from promptscan.sql import literal
from promptscan.store.catalog import create_views
from promptscan.store.files import FileRef, describe, publish_directory, sync_file, verify, write_atomic
from promptscan.store.generation import Generation, configure, manifest_path
from promptscan.store.lock import unpinned, writer_lock
from promptscan.store.manifest import EncoderRef, Manifest, Segment
from promptscan.store.stamps import Stamps

CATALOG = "catalog.duckdb"
STORAGE_VERSION = "v1.5.0"  # readable by DuckDB 1.5 and 2.0


@dataclass(slots=True)
class Writer:
    """The one writer of a store and the generation it is drafting.

    Attributes:
        root: the store.
        manifest: the draft; starts as the live generation's and grows segment by segment.
        parent: the live generation, pinned; None in a new store.
        work: scratch directory, emptied at the start of every writer except for resumable parts.
    """

    root: Path
    manifest: Manifest
    parent: Generation | None
    work: Path
    memory_limit: str = "4GB"
    threads: int | None = None
    _derived: dict[str, Path] = field(default_factory=dict)
    _kept: dict[str, tuple[tuple[Segment, ...], Any]] = field(default_factory=dict)
    _verified: set[str] = field(default_factory=set)
    _stamps: Stamps = field(init=False)

    def __post_init__(self) -> None:
        """Read which files were verified before."""
        self._stamps = Stamps(self.root, self.manifest.generation)

    @property
    def changed(self) -> bool:
        """Say whether the draft differs from the live generation."""
        if self.parent is None:
            return True
        before = self.parent.manifest
        same = (
            before.segments == self.manifest.segments
            and before.encoder == self.manifest.encoder
            and before.state == self.manifest.state
            and before.root == str(self.root)
            and set(self._derived) == {ref.path.rsplit("/", 1)[-1] for ref in before.derived} - {CATALOG}
        )
        return not same

    def verified(self, ref: FileRef) -> Path:
        """Return the path of a file of the draft after checking its digest, once per writer, unless its stamp still holds."""
        if ref.path not in self._verified:
            stamp = self._stamps.of(ref)
            if not self._stamps.holds(ref):
                verify(self.root, ref)
                self._stamps.keep(ref, stamp)
            self._verified.add(ref.path)
        return self.root / ref.path

    def find(self, kind: str, key: str) -> Segment | None:
        """Return a finished segment made from these inputs by an earlier, interrupted run, if it is intact."""
        directory = self.root / "segments" / f"{kind}-{key[:24]}"
        try:
            document = json.loads((directory / "segment.json").read_bytes())
            meta = document["meta"]
            segment = Segment(kind, directory.name, self._files(directory), meta)
            if document["files"] != {ref.path: ref.sha256 for ref in segment.files}:
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return segment

    @contextmanager
    def segment(self, kind: str, *, key: str, meta: dict[str, Any]) -> Iterator[Path]:
        """Write a new segment: yields an empty directory, publishes it at the end of the block.

        Args:
            kind: its kind.
            key: hex digest of what it is made from; names the segment, so that equal inputs give one directory.
            meta: read when the block ends, so the block may fill it.
        """
        name = f"{kind}-{key[:24]}"
        draft = self.root / "segments" / f".{name}.tmp"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        final = draft.with_name(name)
        try:
            yield draft
            refs = tuple(
                replace(describe(path, draft), path=f"segments/{name}/{path.name}") for path in sorted(draft.iterdir())
            )
            digests = {ref.path: ref.sha256 for ref in refs}
            (draft / "segment.json").write_bytes(json.dumps({"files": digests, "meta": meta}, sort_keys=True).encode())
            publish_directory(draft, final)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        for ref in refs:  # digested a moment ago
            self._verified.add(ref.path)
            self._stamps.keep(ref, self._stamps.of(ref))
        self.adopt(Segment(kind, name, refs, meta))

    def adopt(self, segment: Segment, *, instead_of: tuple[str, ...] = ()) -> None:
        """Add a finished segment to the draft."""
        self.manifest = self.manifest.with_segments(segment, instead_of=instead_of)

    def drop(self, kind: str) -> None:
        """Leave a kind's segments out of the draft; older generations keep them."""
        self.manifest = self.manifest.with_segments(instead_of=(kind,))

    def discard(self, kinds: tuple[str, ...], *, state: tuple[str, ...] = (), measured: tuple[str, ...] = ()) -> None:
        """Leave kinds of segments, and what is noted of them, out of the draft, to be made anew."""
        self.manifest = replace(
            self.manifest.with_segments(instead_of=kinds),
            state={name: value for name, value in self.manifest.state.items() if name not in state},
            measured={name: value for name, value in self.manifest.measured.items() if name not in measured},
        )

    def derive(self, name: str, source: Path) -> None:
        """Put a rebuildable file into the generation; the source is moved or linked at commit."""
        self._derived[name] = source

    def keep(self, kind: str, value: Any) -> None:
        """Keep what was read or made from a kind's segments for the later stages of this draft; nobody may change it."""
        self._kept[kind] = self.manifest.of_kind(kind), value

    def kept(self, kind: str) -> Any:
        """Return what was kept of a kind; None when there is nothing, or its segments are others by now."""
        segments, value = self._kept.get(kind, ((), None))
        return value if segments == self.manifest.of_kind(kind) else None

    def use_encoder(self, encoder: EncoderRef) -> None:
        """Note the encoder of the store's vectors.

        Raises:
            StoreError: the store has vectors of another encoder.
        """
        known = self.manifest.encoder
        if known is not None and known != encoder:
            raise StoreError(
                f"store {self.root} holds vectors of encoder {known.name} ({known.digest[:12]}), not of {encoder.name} "
                f"({encoder.digest[:12]}); use `--encoder {known.name}`, another --store for {encoder.name}, or embed all "
                f"texts anew with `promptscan build --encoder {encoder.name} --recluster`"
            )
        self.manifest = replace(self.manifest, encoder=encoder)

    def change_encoder(self, encoder: EncoderRef) -> None:
        """Note another encoder in a draft whose vectors were discarded.

        Raises:
            StoreError: the draft still has vectors.
        """
        if self.manifest.of_kind("vectors"):
            raise StoreError(
                f"store {self.root} still holds vectors of another encoder than {encoder.name}; discard them"
            )
        self.manifest = replace(self.manifest, encoder=encoder)

    def remember(self, **state: Any) -> None:
        """Note small facts a later run needs (JSON values)."""
        self.manifest = replace(self.manifest, state={**self.manifest.state, **state})

    def measure(self, **figures: Any) -> None:
        """Note what was measured about this generation (JSON values)."""
        self.manifest = replace(self.manifest, measured={**self.manifest.measured, **figures})

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a DuckDB connection over the draft, free to read inputs and write files."""
        with closing(duckdb.connect(":memory:")) as con:
            configure(con, self.root, memory_limit=self.memory_limit, threads=self.threads)
            create_views(con, self.manifest, self.root)
            yield con

    def commit(self, run: Mapping[str, Any], versions: Mapping[str, str]) -> Manifest:
        """Publish the draft as the next generation and make it live by one rename of CURRENT."""
        generations = self.root / "generations"
        generations.mkdir(exist_ok=True)
        taken = [int(path.name) for path in generations.iterdir() if path.name.isdigit()]
        number = max([*taken, self.manifest.generation]) + 1
        draft = generations / f".{number}.tmp"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        manifest = replace(
            self.manifest,
            generation=number,
            parent=self.parent.manifest.generation if self.parent else None,
            root=str(self.root),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=dict(versions),
            runs=(*self.manifest.runs, dict(run)),
            derived=(),
        )
        try:
            for name, source in self._derived.items():
                os.link(source, draft / name)
            self._write_catalog(draft / CATALOG, manifest)
            final = generations / str(number)
            refs = [describe(path, draft) for path in sorted(draft.iterdir())]
            derived = tuple(replace(ref, path=f"generations/{number}/{ref.path}") for ref in refs)
            manifest = replace(manifest, derived=derived)
            data = manifest.to_json()
            (draft / "manifest.json").write_bytes(data)
            publish_directory(draft, final)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        current = {"generation": number, "manifest_sha256": hashlib.sha256(data).hexdigest()}
        write_atomic(self.root / "CURRENT", json.dumps(current).encode() + b"\n")
        self.manifest = manifest
        self._stamps.save([ref for segment in manifest.segments for ref in segment.files])
        return manifest

    def _write_catalog(self, path: Path, manifest: Manifest) -> None:
        with closing(duckdb.connect(":memory:")) as con:
            configure(con, self.root, memory_limit=self.memory_limit, threads=self.threads)
            con.execute(f"ATTACH {literal(str(path))} AS catalog (STORAGE_VERSION {literal(STORAGE_VERSION)})")
            con.execute("USE catalog")
            create_views(con, manifest, self.root)
            con.execute("CHECKPOINT catalog")
        sync_file(path)

    def _files(self, directory: Path) -> tuple[FileRef, ...]:
        return tuple(describe(path, self.root) for path in sorted(directory.iterdir()) if path.name != "segment.json")


@contextmanager
def open_writer(
    root: Path, *, memory_limit: str = "4GB", threads: int | None = None, keep_generations: int = 3
) -> Iterator[Writer]:
    """Lock a store for writing, creating it when it is new; prune old generations at the end.

    Raises:
        StoreLockedError: another process writes.
        StoreError: the store is damaged, newer, or not writable.
    """
    root = root.absolute()
    try:
        for name in ("segments", "generations", "quarantine", "seeds", "work"):
            (root / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"store {root} can't be created ({error.strerror}: {error.filename}); choose another --store"
        ) from None
    with writer_lock(root):
        for leftover in [*(root / "segments").glob(".*.tmp"), *(root / "generations").glob(".*.tmp")]:
            shutil.rmtree(leftover, ignore_errors=True)
        shutil.rmtree(root / "work" / "spill", ignore_errors=True)
        parent = Generation.current(root) if (root / "CURRENT").exists() else None
        try:
            manifest = parent.manifest if parent else Manifest(0, str(root), "")
            yield Writer(root, manifest, parent, root / "work", memory_limit, threads)
        finally:
            if parent:
                parent.close()
        prune(root, keep_generations)


def prune(root: Path, keep: int) -> list[int]:
    """Remove generations beyond the newest `keep`, and segments no kept generation names.

    A generation that a reader holds stays, with its segments. Call with the writer lock held.
    """
    numbers = sorted((int(p.name) for p in (root / "generations").iterdir() if p.name.isdigit()), reverse=True)
    kept, removed = numbers[:keep], []
    for number in numbers[keep:]:
        with unpinned(manifest_path(root, number)) as free:
            if free:
                shutil.rmtree(root / "generations" / str(number))
                removed.append(number)
            else:
                kept.append(number)
    if not removed:
        return removed
    named: set[str] = set()
    for number in kept:
        path = manifest_path(root, number)
        manifest = Manifest.from_json(path.read_bytes(), str(path))
        named.update(segment.name for segment in manifest.segments)
    for directory in (root / "segments").iterdir():
        if directory.name not in named:
            shutil.rmtree(directory)
    return removed
