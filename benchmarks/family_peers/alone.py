"""One contestant in a process of its own, so that its memory is its own.

python -m benchmarks.family_peers.alone NAME TASK OUT

TASK is a folder with texts (UTF-8, a NUL between them), vectors.npy and log-*.parquet; OUT becomes one with labels.npy and
result.json: seconds, and the process's peak memory with and without its input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.contest import peak_bytes, read_texts
from benchmarks.family_peers.contestants import CONTESTANTS, Task, labelled


def main(name: str, source: Path, out: Path) -> None:
    """Run, and write what was found."""
    texts = read_texts(source / "texts")
    vectors = np.load(source / "vectors.npy", allow_pickle=False)
    out.mkdir(parents=True)
    before = peak_bytes()
    answer = CONTESTANTS[name](Task(sorted(source.glob("log-*.parquet")), texts, vectors, out))
    if not labelled(texts, answer.labels):
        sys.exit(f"{name} labels {answer.labels.shape} for {len(texts)} texts")
    np.save(out / "labels.npy", answer.labels, allow_pickle=False)
    result = {"seconds": answer.seconds, "peak_rss_bytes": peak_bytes(), "input_rss_bytes": before}
    (out / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
