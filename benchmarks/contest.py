"""Contestants in processes of their own: how texts get there, and what running one took.

Imports nothing but the standard library, so that it runs in the peers' environments too.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def write_texts(path: Path, texts: Sequence[str]) -> None:
    """Write texts in UTF-8 with a NUL between them; a NUL inside one becomes a space."""
    path.write_bytes("\0".join(text.replace("\0", " ") for text in texts).encode("utf-8", "surrogatepass"))


def read_texts(path: Path) -> list[str]:
    """Read what `write_texts` wrote."""
    return path.read_bytes().decode("utf-8", "surrogatepass").split("\0")


def peak_bytes() -> int:
    """Return this process's peak resident memory; what getrusage says is at least its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def run_alone(
    module: str, name: str, source: Path, out: Path, *, python: Path, limit: float, n: int
) -> dict[str, Any] | None:
    """Run `python -m MODULE NAME SOURCE OUT`.

    Args:
        module: runs one contestant and writes its result to OUT.
        name: the contestant; promptscan runs in this Python.
        source: what it reads.
        out: what it writes.
        python: Python of the peers.
        limit: seconds after which it is stopped.
        n: texts, to be told.

    Returns:
        None when it succeeded, else `failed` with the reason, and `stopped` with the limit where that was it.
    """
    interpreter = sys.executable if name == "promptscan" else str(python.absolute())
    command = [interpreter, "-m", module, name, str(source.absolute()), str(out.absolute())]
    print(f"{name}: {n:,} texts", file=sys.stderr)
    try:
        done = subprocess.run(command, check=False, timeout=limit, cwd=ROOT, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        return {"failed": f"stopped after {limit:,.0f} s", "stopped": limit}
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return {"failed": f"ended with {done.returncode}"}
    return None
