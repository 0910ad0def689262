"""The command line inside the test process: words in; exit code, stdout and stderr out."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from promptscan.cli import run


@dataclass(frozen=True)
class Ran:
    """What a command left behind; `lines` are those of stderr."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


def promptscan(*words: str | Path, stdin: bytes = b"") -> Ran:
    """Run one command."""
    with _streams(stdin) as (out, err):
        code = run([str(word) for word in words])
    return Ran(code, out.getvalue().decode("utf-8"), err.getvalue().decode("utf-8"))


def refused(code: int, *words: str | Path, stdin: bytes = b"") -> str:
    """Run a command that must fail with this exit code and one line on stderr; return the line."""
    ran = promptscan(*words, stdin=stdin)
    assert ran.code == code, ran
    assert len(ran.lines) == 1, ran.err
    assert ran.lines[0].startswith("Error: ")
    assert "Traceback" not in ran.err
    return ran.lines[0]


@contextmanager
def _streams(stdin: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    before = sys.stdin, sys.stdout, sys.stderr
    out, err = io.BytesIO(), io.BytesIO()
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(err, encoding="utf-8", write_through=True)
    try:
        yield out, err
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.detach()
        sys.stdin, sys.stdout, sys.stderr = before
