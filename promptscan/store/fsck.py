"""Is what the store says it holds what it holds?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from promptscan.errors import StoreError
from promptscan.store.files import verify
from promptscan.store.generation import Generation
from promptscan.store.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding.

    Attributes:
        path: what is affected, relative to the store.
        severity: `damaged` (data is wrong or gone), `rebuildable` (derived; the next build mends it) or `leftover`
            (of an interrupted or superseded run; takes space only).
        message: one line for a person.
    """

    path: str
    severity: str
    message: str


def check(root: Path, *, deep: bool = False) -> Iterator[Problem]:
    """Check the live generation of a store.

    Args:
        root: the store.
        deep: also read every byte and compare digests; else existence and size.

    Yields:
        Problems, worst first within each file; nothing for a sound store.
    """
    try:
        generation = Generation.current(root)
    except StoreError as error:
        yield Problem("CURRENT", "damaged", str(error))
        return
    with generation:
        manifest = generation.manifest
        derived = {ref.path for ref in manifest.derived}
        for ref in manifest.files():
            severity = "rebuildable" if ref.path in derived else "damaged"
            try:
                if deep:
                    verify(root, ref)
                elif (root / ref.path).stat().st_size != ref.size:
                    yield Problem(ref.path, severity, f"has another size than the {ref.size} bytes written")
            except StoreError as error:
                yield Problem(ref.path, severity, str(error))
            except OSError as error:
                yield Problem(ref.path, severity, f"can't be read ({error.strerror})")
        yield from _ids(manifest)
        yield from _leftovers(root, manifest)


def _leftovers(root: Path, manifest: Manifest) -> Iterator[Problem]:
    """Find what no generation needs."""
    named = {segment.name for segment in manifest.segments}
    for number in sorted((root / "generations").iterdir()):
        if number.name.isdigit() and int(number.name) != manifest.generation:
            path = number / "manifest.json"
            try:
                named |= {segment.name for segment in Manifest.from_json(path.read_bytes(), str(path)).segments}
            except (OSError, StoreError):
                yield Problem(f"generations/{number.name}", "leftover", "an incomplete older generation")
    for directory in sorted((root / "segments").iterdir()):
        if directory.name not in named:
            yield Problem(f"segments/{directory.name}", "leftover", "no generation names it; reused or pruned later")


def _ids(manifest: Manifest) -> Iterator[Problem]:
    """Check that row ranges of appended segments follow each other without gap or overlap."""
    for kind, first, count in (("prompts", "first_text", "n_texts"), ("cleans", "first_clean", "n_cleans")):
        expected = 0
        for segment in manifest.of_kind(kind):
            if segment.meta.get(first) != expected:
                yield Problem(
                    f"segments/{segment.name}", "damaged", f"starts at row {segment.meta.get(first)}, not {expected}"
                )
                return
            expected += int(segment.meta[count])
