"""One contestant in a process of its own, so that its memory is its own.

python -m benchmarks.peers.alone NAME TEXTS OUT

TEXTS holds texts in UTF-8 with a NUL between them; OUT becomes a folder with duplicates.npy and templates.npy, where the
contestant has those, and result.json: seconds of each step, and the process's peak memory with and without its input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.contest import peak_bytes, read_texts
from benchmarks.peers.contestants import CONTESTANTS


def main(name: str, source: Path, out: Path) -> None:
    """Run, and write what was found."""
    texts = read_texts(source)
    before = peak_bytes()
    answer = CONTESTANTS[name](texts)
    out.mkdir(parents=True, exist_ok=True)
    for kind in ("duplicates", "templates"):
        labels = getattr(answer, kind)
        if labels is not None:
            np.save(out / f"{kind}.npy", labels, allow_pickle=False)
    result = {
        "texts": len(texts),
        "seconds": answer.seconds,
        "counts": answer.counts,
        "peak_rss_bytes": peak_bytes(),
        "input_rss_bytes": before,
    }
    (out / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
