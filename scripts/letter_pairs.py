"""Count how common pairs of letters are in English texts, for the table ENGLISH of promptscan/decode.py.

    python scripts/letter_pairs.py FILE.parquet ...      # files with a column `text`; rows of another `lang` are left out

Prints 27 rows of 27 digits: row and column are `a` to `z` and "anything else", the digit is how many bits a pair is likelier
than one in 4,096, from 0 to 9, after adding one to each count.
"""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

OTHER = 26


def main() -> None:
    """Print the table."""
    tables = [pq.read_table(path, columns=["text", "lang"]) for path in sys.argv[1:]]
    table = pa.concat_tables(tables)
    table = table.filter(pc.equal(table["lang"], "en"))
    text = "\n".join(table["text"].to_pylist()).lower().encode()
    symbols = np.full(256, OTHER)
    symbols[np.frombuffer(b"abcdefghijklmnopqrstuvwxyz", np.uint8)] = np.arange(26)
    letters = symbols[np.frombuffer(text, np.uint8)]
    pairs = letters[:-1] * 27 + letters[1:]
    counts = np.bincount(pairs, minlength=729) + 1.0
    counts[OTHER * 27 + OTHER] = counts.sum() / 4096  # runs of spaces and signs say nothing
    bits = np.clip(np.round(np.log2(counts / counts.sum()) + 12), 0, 9).astype(int).reshape(27, 27)
    print("\n".join("".join(map(str, row)) for row in bits.tolist()))


if __name__ == "__main__":
    main()
