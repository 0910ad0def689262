"""Stamps: which files were read and found whole, so that a file that nobody touched is not read again only to be digested.

A stamp is what the file system says of a file: inode, size, and the times of its last change. Whatever writes to a file changes
it, a copy or a restored backup has another one, and then the file is digested before it is read. What no stamp shows is a
bit that fell over on the disk: so every build digests a part of the files whatever their stamps say, and `fsck --deep` all.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection
from pathlib import Path

from promptscan.store.files import FileRef, write_atomic

FILE = "verified.json"
TURNS = 16  # builds in which every file is digested at least once

Stamp = tuple[int, ...]


class Stamps:
    """The stamps of a store's files, by digest and path; a file that can't be read says that there are none.

    Args:
        root: the store.
        turn: number of the live generation, which says whose turn it is to be digested again.
    """

    def __init__(self, root: Path, turn: int) -> None:
        self._root, self._turn = root, turn
        self._known: dict[str, Stamp] = {}
        try:
            document = json.loads((root / FILE).read_bytes())
            self._known = {str(name): tuple(int(one) for one in stamp) for name, stamp in document.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return

    def holds(self, ref: FileRef) -> bool:
        """Say whether a file is the one that was verified, and need not be digested this time."""
        if (zlib.crc32(ref.path.encode()) - self._turn) % TURNS == 0:
            return False
        stamp = self.of(ref)
        return stamp is not None and self._known.get(_name(ref)) == stamp

    def of(self, ref: FileRef) -> Stamp | None:
        """Read a file's stamp; take it before the file is verified. None when there is no such file of that size."""
        try:
            found = (self._root / ref.path).stat()
        except OSError:
            return None
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        return stamp if found.st_size == ref.size else None

    def keep(self, ref: FileRef, stamp: Stamp | None) -> None:
        """Note the stamp that a file had when it was verified."""
        if stamp is not None:
            self._known[_name(ref)] = stamp

    def save(self, refs: Collection[FileRef]) -> None:
        """Write the stamps of some files, and forget the others."""
        names = sorted({_name(ref) for ref in refs} & self._known.keys())
        write_atomic(self._root / FILE, json.dumps({name: self._known[name] for name in names}).encode() + b"\n")


def _name(ref: FileRef) -> str:
    return f"{ref.sha256}:{ref.path}"
