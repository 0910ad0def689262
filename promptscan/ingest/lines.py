"""JSONL as blocks of lines: bounded memory, exact line numbers, resumable by byte offset, bad bytes set apart."""

from __future__ import annotations

import codecs
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 32 << 20
MAX_LINE = 512 << 20  # a longer line is set apart unread
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Some lines of a file.

    Attributes:
        table: `position` int64 (line number, from 1), `line` string; blank lines left out.
        rejected: (line number, reason, sample) of lines that are not text.
        done: bytes of the decompressed stream consumed so far.
    """

    table: pa.Table
    rejected: list[tuple[int, str, str]]
    done: int


def open_stream(path: Path, compression: str | None) -> IO[bytes]:
    """Open a file for reading, decompressed, as UTF-8 whatever its byte order mark says."""
    stream = io.BufferedReader(_decompressed(path, compression), buffer_size=1 << 20)
    try:
        head = stream.peek(4)
        for mark, encoding in BOMS:
            if head.startswith(mark):
                stream.read(len(mark))
                if encoding != "utf-8":
                    return cast(
                        "IO[bytes]", codecs.EncodedFile(cast("Any", stream), "utf-8", encoding, errors="replace")
                    )
                break
    except BaseException:
        stream.close()
        raise
    return cast("IO[bytes]", stream)


def _decompressed(path: Path, compression: str | None) -> Any:
    """Open a file so that closing the result closes the file."""
    if compression == "gzip":
        return gzip.open(path, "rb")
    raw = path.open("rb")
    if compression == "zstd":
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=True)
    return raw


def blocks(stream: IO[bytes], *, first_line: int = 1) -> Iterator[LineBlock]:
    """Cut a stream into blocks of whole lines.

    Args:
        stream: UTF-8 bytes, positioned at the start of a line.
        first_line: number of that line.

    Yields:
        Blocks of about 32 MiB; a longer line makes its block as long as itself, up to 512 MiB.
    """
    rest, done, line = b"", 0, first_line
    while True:
        data = stream.read(BLOCK)
        if not data:
            break
        done += len(data)
        cut = data.rfind(b"\n") + 1
        if cut == 0:
            rest += data
            if len(rest) > MAX_LINE:
                _skip_line(stream)
                yield LineBlock(_table([], []), [(line, f"line is longer than {MAX_LINE} bytes", "")], done)
                rest, line = b"", line + 1
            continue
        block, line = _block(rest + data[:cut], line, done)
        rest = data[cut:]
        yield block
    if rest:
        yield _block(rest + b"\n", line, done)[0]


def _skip_line(stream: IO[bytes]) -> None:
    while part := stream.readline(BLOCK):
        if part.endswith(b"\n"):
            return


def _block(data: bytes, first: int, done: int) -> tuple[LineBlock, int]:
    """Slice a buffer of whole lines into an Arrow column without copying it."""
    import pyarrow as pa

    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 0x0A) + 1
    offsets = np.concatenate([[0], ends]).astype(np.int64)
    lines = pa.LargeStringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(data))
    positions = np.arange(first, first + len(ends), dtype=np.int64)
    rejected: list[tuple[int, str, str]] = []
    try:
        lines.validate(full=True)
    except pa.ArrowInvalid:
        lines, positions, rejected = _only_text(data, offsets, first)
    keep = np.asarray([True] * len(lines)) if len(lines) == 0 else _not_blank(lines)
    table = pa.table({"position": positions, "line": lines})
    return LineBlock(table.filter(pa.array(keep)) if not keep.all() else table, rejected, done), first + len(ends)


def _not_blank(lines: pa.LargeStringArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    import pyarrow.compute as pc

    lengths = pc.binary_length(lines).to_numpy(zero_copy_only=False)
    keep = np.ones(len(lines), dtype=bool)
    short = np.flatnonzero(lengths <= 16)  # no object with a text is shorter
    keep[short] = [bool(lines[int(i)].as_py().strip()) for i in short]
    return keep


def _only_text(
    data: bytes, offsets: np.ndarray[Any, np.dtype[np.int64]], first: int
) -> tuple[pa.LargeStringArray, np.ndarray[Any, np.dtype[np.int64]], list[tuple[int, str, str]]]:
    """Split a block that is not all UTF-8 line by line; only such blocks come here."""
    import pyarrow as pa

    good, positions, rejected = [], [], []
    for number in range(len(offsets) - 1):
        line = data[offsets[number] : offsets[number + 1]]
        try:
            good.append(line.decode())
            positions.append(first + number)
        except UnicodeDecodeError as error:
            sample = line[:200].decode("utf-8", "backslashreplace")
            rejected.append((first + number, f"not UTF-8 (byte {error.start})", sample))
    return pa.array(good, pa.large_string()), np.asarray(positions, dtype=np.int64), rejected


def _table(positions: list[int], lines: list[str]) -> pa.Table:
    import pyarrow as pa

    return pa.table({"position": pa.array(positions, pa.int64()), "line": pa.array(lines, pa.large_string())})


def repair(positions: list[int], lines: list[str]) -> tuple[pa.Table, list[tuple[int, str, str]]]:
    """Rescue lines that strict JSON parsers refuse but that hold text: lone surrogates, raw control characters.

    Returns:
        Lines rewritten as valid JSON (lone surrogates become U+FFFD), and what could not be rescued with its reason.
    """
    good_positions, good, rejected = [], [], []
    for position, line in zip(positions, lines, strict=True):
        try:
            document = json.loads(line, strict=False, parse_constant=lambda _: None)
            text = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
            good.append(text.decode("utf-8", "replace") if b"\xed" in text else text.decode())
            good_positions.append(position)
        except (ValueError, RecursionError) as error:
            reason = f"not JSON ({error})" if isinstance(error, ValueError) else "not JSON (nested too deeply)"
            rejected.append((position, reason[:200], line[:200]))
    return _table(good_positions, good), rejected
