"""One writer at a time; readers pin their generation."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from promptscan.errors import StoreError, StoreLockedError


@contextmanager
def writer_lock(root: Path) -> Iterator[None]:
    """Hold the store's writer lock; the kernel drops it when the process dies.

    Raises:
        StoreLockedError: another process holds it; says its pid.
        StoreError: the lock file can't be opened.
    """
    path = root / "writer.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(
            f"{path} can't be opened for writing ({error.strerror}); check the store's permissions"
        ) from None
    with os.fdopen(descriptor, "r+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = stream.read().strip() or "unknown"
            raise StoreLockedError(
                f"store {root} is being written by process {holder}; wait for it to finish, or stop it, then run again"
            ) from None
        stream.seek(0)
        stream.truncate()
        stream.write(str(os.getpid()))
        stream.flush()
        try:
            yield
        finally:
            stream.seek(0)
            stream.truncate()


def pin(path: Path) -> IO[bytes] | None:
    """Take a shared lock on a file so that pruning leaves its generation alone.

    Returns:
        The open file, to be kept as long as the pin; None when the file is gone.
    """
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return None
    fcntl.flock(stream, fcntl.LOCK_SH)
    if os.fstat(stream.fileno()).st_nlink == 0:  # pruned between open and lock
        stream.close()
        return None
    return stream


@contextmanager
def unpinned(path: Path) -> Iterator[bool]:
    """Yield whether nobody pins the file, and keep it so inside the block."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        yield True
        return
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
