"""One way to output a result, the same for every command.

    @click.command()
    @output_options
    def families(output: OutputOptions) -> None:
        emit(table, output, title="Families", columns=(Column("family_id"), Column("label"), Column("n_accounts")))

Data goes to stdout or to `-o FILE`, talk to stderr. A reader that stops early (`| head`) ends the output quietly.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ParamSpec, TypeVar

import click

from promptscan.atomic import replacing
from promptscan.cli.console import progress, say, stderr_console
from promptscan.cli.formats import Format, write, write_document
from promptscan.cli.table import Column, Role, draw
from promptscan.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from promptscan.cli.table import Notes

__all__ = [
    "Column",
    "Format",
    "OutputOptions",
    "Role",
    "emit",
    "output_options",
    "present",
    "progress",
    "say",
    "stderr_console",
]

P = ParamSpec("P")
R = TypeVar("R")

_SUFFIXES = {f".{form}": form for form in Format if form is not Format.TABLE}
_FLAGS = {
    Format.JSON: "one JSON document",
    Format.JSONL: "JSON Lines, one row a line",
    Format.CSV: "CSV, safe to open in a spreadsheet",
    Format.ARROW: "Arrow IPC stream",
}


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Where a result goes and how it is written; `path` None is stdout."""

    form: Format = Format.TABLE
    path: Path | None = None

    @property
    def is_table(self) -> bool:
        """Say whether a person will read it."""
        return self.form is Format.TABLE

    @classmethod
    def of(cls, flags: Sequence[Format], file: str | None) -> OutputOptions:
        """Make options from the flags that were given and the name after `-o` (None or `-`: stdout).

        Raises:
            UsageError: Two formats at once, a file name whose suffix names none, or the name of a folder.
        """
        if len(flags) > 1:
            given = " and ".join(f"--{form}" for form in flags)
            raise UsageError(f"{given} were given together; choose one")
        if file in (None, "-"):
            return cls(flags[0] if flags else Format.TABLE)
        path = Path(str(file))
        form = flags[0] if flags else _SUFFIXES.get(path.suffix.lower())
        if form is None:
            raise UsageError(f"-o {path}: expected a name that ends in {', '.join(_SUFFIXES)}, or a format flag")
        if path.is_dir():
            raise UsageError(f"-o {path}: is a folder; expected the name of a file")
        return cls(form, path)


def output_options(command: Callable[P, R]) -> Callable[..., R]:
    """Add `--json --jsonl --csv --arrow -o FILE` to a click command, which gets `output: OutputOptions`."""

    @wraps(command)
    def with_output(*args: Any, **kwargs: Any) -> R:
        flags = [form for form in _FLAGS if kwargs.pop(f"as_{form}")]
        kwargs["output"] = OutputOptions.of(flags, kwargs.pop("output_file"))
        return command(*args, **kwargs)

    decorated: Callable[..., R] = with_output
    suffixes = " ".join(_SUFFIXES)
    file_help = f"Write to FILE; its suffix names the format ({suffixes})."
    decorated = click.option("-o", "--output", "output_file", metavar="FILE", help=file_help)(decorated)
    for form, text in reversed(_FLAGS.items()):
        decorated = click.option(f"--{form}", f"as_{form}", is_flag=True, help=f"Write {text}.")(decorated)
    return decorated


def emit(
    table: pa.Table | pa.RecordBatchReader,
    options: OutputOptions,
    *,
    title: str | None = None,
    columns: Sequence[Column] | Callable[[Console], Sequence[Column]] | None = None,
    document: object = None,
    notes: Notes | None = None,
    headings: Notes | None = None,
) -> None:
    """Output a result.

    Args:
        table: The rows; a reader is streamed.
        options: From `output_options`.
        title: Line above a terminal table.
        columns: What a terminal table shows, in this order, or what chooses it for a console; all columns by default. Other
            formats always hold all.
        document: What `--json` writes instead of `{"rows": [...]}`: anything made of mappings, sequences and values.
        notes: Draws the lines below a row of a terminal table.
        headings: Draws the lines above it.

    Raises:
        UsageError: Binary output to a terminal.
    """
    import pyarrow as pa

    reader = table.to_reader(max_chunksize=8192) if isinstance(table, pa.Table) else table
    if options.path is not None:
        with replacing(options.path) as file:
            _write(reader, file, options.form, document)
        say(f"wrote {options.path}")
        return
    stdout = sys.stdout.buffer
    if options.form is Format.ARROW and sys.stdout.isatty():
        raise UsageError("--arrow writes binary data; send it to a file (-o FILE.arrow) or a pipe, not to a terminal")
    with _until_closed(stdout):
        if options.form is Format.TABLE:

            def paint(console: Console) -> None:
                draw(reader, columns(console) if callable(columns) else columns, title, console, notes, headings)

            stdout.write(_drawn(paint))
        else:
            _write(reader, stdout, options.form, document)


def _write(reader: pa.RecordBatchReader, stream: BinaryIO, form: Format, document: object) -> None:
    if form is Format.JSON and document is not None:
        write_document(document, stream)
    else:
        write(reader, stream, form)


def present(paint: Callable[[Console], None]) -> None:
    """Output what a function draws on a console of the present stdout, for a person to read."""
    with _until_closed(sys.stdout.buffer):
        sys.stdout.buffer.write(_drawn(paint))


def _drawn(paint: Callable[[Console], None]) -> bytes:
    """Draw for the present stdout: its width, its colours, its encoding."""
    from rich.console import Console

    stdout = sys.stdout
    console = Console(file=stdout, markup=False, highlight=False, emoji=False)
    with console.capture() as capture:
        paint(console)
    text = capture.get()
    if not console.is_terminal:  # rich fills every line with blanks
        text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    return text.encode(stdout.encoding or "utf-8", errors="backslashreplace")


@contextmanager
def _until_closed(stdout: BinaryIO) -> Iterator[None]:
    """Let a closed pipe end the output quietly; what the command does afterwards still runs."""
    try:
        yield
        stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # so that the interpreter's last flush does not fail either
        os.close(nowhere)
