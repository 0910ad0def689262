"""The manifest: what one generation consists of, file by file, and where its rows came from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from promptscan.errors import StoreError
from promptscan.store.files import FileRef

FORMAT = 2  # 1: before edges, banks and the sizes of events were stored


@dataclass(frozen=True, slots=True)
class Segment:
    """An immutable directory of files, shared by every generation that names it.

    Attributes:
        kind: what its files hold (`prompts`, `cleans`, `vectors`, `graph`, …).
        name: directory below `segments/`.
        files: its files, each with size and digest.
        meta: counts and bases its readers need (row numbers, ids, ledger entries); JSON values only.
    """

    kind: str
    name: str
    files: tuple[FileRef, ...]
    meta: dict[str, Any] = field(default_factory=dict)

    def file(self, name: str) -> FileRef:
        """Return the reference of one file by its name inside the segment."""
        for ref in self.files:
            if ref.path.rsplit("/", 1)[-1] == name:
                return ref
        raise StoreError(f"segment {self.name} has no file {name}; run `promptscan fsck`")

    def has(self, name: str) -> bool:
        """Say whether the segment has a file of this name."""
        return any(ref.path.rsplit("/", 1)[-1] == name for ref in self.files)


@dataclass(frozen=True, slots=True)
class EncoderRef:
    """The encoder whose vectors a store holds; another one is refused by name."""

    name: str
    digest: str
    dim: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything about one generation; immutable, JSON on disk."""

    generation: int
    root: str
    created_at: str
    parent: int | None = None
    encoder: EncoderRef | None = None
    segments: tuple[Segment, ...] = ()
    derived: tuple[FileRef, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)
    runs: tuple[dict[str, Any], ...] = ()

    def of_kind(self, kind: str) -> tuple[Segment, ...]:
        """Return the segments of one kind in the order they were added."""
        return tuple(segment for segment in self.segments if segment.kind == kind)

    def with_segments(self, *added: Segment, instead_of: tuple[str, ...] = ()) -> Self:
        """Return a manifest with segments appended; kinds in `instead_of` are replaced."""
        kept = tuple(segment for segment in self.segments if segment.kind not in instead_of)
        return replace(self, segments=kept + added)

    def files(self) -> tuple[FileRef, ...]:
        """Return every file the generation depends on, segments first."""
        return tuple(ref for segment in self.segments for ref in segment.files) + self.derived

    def to_json(self) -> bytes:
        """Serialise to stable, human-readable JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes, where: str) -> Self:
        """Read a manifest.

        Raises:
            StoreError: not JSON, not a manifest, or of another format.
        """
        try:
            document = json.loads(data)
            written = int(document.pop("format"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"{where} is not a promptscan manifest ({error}); run `promptscan fsck`") from None
        if written > FORMAT:
            raise StoreError(
                f"{where} has store format {written}; this promptscan reads up to {FORMAT}: upgrade promptscan to open it"
            )
        if written < FORMAT:
            raise StoreError(
                f"{where} has store format {written}, of an earlier promptscan; this one reads {FORMAT}: scan the logs into a new --store"
            )
        try:
            segments = tuple(
                Segment(s["kind"], s["name"], tuple(FileRef(**f) for f in s["files"]), s["meta"])
                for s in document.pop("segments")
            )
            derived = tuple(FileRef(**f) for f in document.pop("derived"))
            encoder = document.pop("encoder")
            runs = tuple(document.pop("runs"))
            return cls(
                segments=segments,
                derived=derived,
                encoder=EncoderRef(**encoder) if encoder else None,
                runs=runs,
                **document,
            )
        except (KeyError, TypeError) as error:
            raise StoreError(f"{where} is not a complete manifest ({error}); run `promptscan fsck`") from None
