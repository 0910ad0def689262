"""Stamps: a file that nobody touched is not digested again, any other is, and every file is in its turn."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from promptscan.errors import StoreError
from promptscan.store import Generation, Writer, open_writer
from promptscan.store import writer as writing
from promptscan.store.files import FileRef
from promptscan.store.stamps import FILE, TURNS, Stamps


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the files that were digested."""
    digested: list[str] = []
    verify = writing.verify

    def noted(root: Path, ref: FileRef) -> Path:
        digested.append(ref.path)
        return verify(root, ref)

    monkeypatch.setattr(writing, "verify", noted)
    return digested


def stamped(store: Path) -> None:
    """Verify every file of a copied store, and keep the stamps."""
    with open_writer(store) as writer:
        stamps = Stamps(store, 0)
        refs = [ref for segment in writer.manifest.segments for ref in segment.files]
        for ref in refs:
            stamps.keep(ref, stamps.of(ref))
        stamps.save(refs)


def read_all(writer: Writer) -> int:
    refs = [ref for segment in writer.manifest.segments for ref in segment.files]
    for ref in refs:
        writer.verified(ref)
    return len(refs)


def test_files_that_nobody_touched_are_digested_in_turn_only(store: Path, counted: list[str]):
    with open_writer(store) as writer:
        every = read_all(writer)
    assert len(counted) == every, "a copied store has other files"
    stamped(store)
    counted.clear()
    with open_writer(store) as writer:
        read_all(writer)
    assert len(counted) < every / 2


def test_every_file_has_its_turn(store: Path):
    stamped(store)
    with Generation.current(store) as generation:
        refs = [ref for segment in generation.manifest.segments for ref in segment.files]
    for ref in refs:
        assert sum(not Stamps(store, turn).holds(ref) for turn in range(5, 5 + TURNS)) == 1


def test_a_changed_file_is_digested_and_refused_although_its_size_is_the_same(store: Path):
    stamped(store)
    path = next((store / "segments").glob("graph-*/indices.npy"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with open_writer(store) as writer, pytest.raises(StoreError, match="does not match its digest"):
        read_all(writer)


def test_a_changed_file_with_its_old_time_is_refused(store: Path):
    stamped(store)
    path = next((store / "segments").glob("vectors-*/vectors.npy"))
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with open_writer(store) as writer, pytest.raises(StoreError, match="does not match its digest"):
        read_all(writer)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 3}', b'{"a": ["x"]}', b'{"a": null}'])
def test_damaged_stamps_are_none(store: Path, counted: list[str], content: bytes):
    (store / FILE).write_bytes(content)
    with open_writer(store) as writer:
        every = read_all(writer)
    assert len(counted) == every
