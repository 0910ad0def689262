"""normalise: texts to clean texts. What looks the same to a reader becomes the same string, and shares a vector.

Clean text is Unicode NFKC as it is shown, without invisible characters and with white space squeezed. It is what is embedded; texts are
shown as they were sent. (The aggressive match key of the lexical view belongs here too, beside `clean`.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from promptscan.cleans import FILE, save_clean_texts
from promptscan.shown import SUSPECT, as_shown
from promptscan.sql import LOOKUP_GROUP, arrow, copy_parquet, literal, one, script, statements
from promptscan.store import Writer
from promptscan.types import Progress, silent

# Default_Ignorable_Code_Point of the Unicode Character Database, as an RE2 character class body.
INVISIBLE = (
    r"\x{AD}\x{34F}\x{61C}\x{115F}\x{1160}\x{17B4}\x{17B5}\x{180B}-\x{180F}\x{200B}-\x{200F}\x{202A}-\x{202E}"
    r"\x{2060}-\x{206F}\x{3164}\x{FE00}-\x{FE0F}\x{FEFF}\x{FFA0}\x{FFF0}-\x{FFF8}\x{1BCA0}-\x{1BCA3}"
    r"\x{1D173}-\x{1D17A}\x{E0000}-\x{E0FFF}"
)
# Letters in circles, brackets and squares, and mathematical ones: what NFKC makes plain letters of. Not the full-width forms,
# which Chinese and Japanese texts have for good reasons.
DECORATIVE = r"\x{249C}-\x{24E9}\x{1D400}-\x{1D7CB}\x{1F110}-\x{1F12E}\x{1F130}-\x{1F149}"
# White_Space and the control characters, without the plain space. Naming only what changes makes the regex 6 times as fast.
SPACES = r"\x00-\x1F\x7F-\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}"
UNTIDY = f"[{SPACES}][ {SPACES}]*| [ {SPACES}]+"
Result = TypeVar("Result")

BATCH = 32_768  # texts a step; its memory is a few times their size


@dataclass(frozen=True, slots=True)
class NormaliseReport:
    """How many texts were cleaned, and how many clean forms were new."""

    texts: int = 0
    new_cleans: int = 0


def clean(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Clean an Arrow array of strings.

    Args:
        texts: large_string (n,), no nulls.

    Returns:
        Clean texts, large_string (n,); and the share of each text's characters that cleaning undisguised, which are invisible
        ones and letters in decorative shapes, float64 in 0..1.
        Total, idempotent, and at most 18 times as long (the longest NFKC expansion).

    Source: Unicode Standard Annex 15 (NFKC), UCD DerivedCoreProperties (Default_Ignorable_Code_Point).
    """
    texts = texts.cast(pa.large_string())
    hidden = pc.match_substring_regex(texts, f"[{INVISIBLE}]")
    visible = _where(hidden, texts, lambda some: pc.replace_substring_regex(some, f"[{INVISIBLE}]+", ""))
    before, after = pc.utf8_length(texts), pc.utf8_length(visible)
    unread = pc.match_substring_regex(texts, SUSPECT)
    if pc.any(unread).as_py():
        shown = pc.replace_substring_regex(as_shown(texts.filter(unread)), f"[{INVISIBLE}]+", "")
        visible = pc.replace_with_mask(visible, unread, shown)
    special = pc.invert(pc.string_is_ascii(visible))
    disguised = pc.add(pc.subtract(before, after), _count(special, visible, f"[{DECORATIVE}]"))
    obfuscation = pc.divide(disguised.cast(pa.float64()), pc.max_element_wise(before, 1).cast(pa.float64()))
    folded = _where(special, visible, lambda some: pc.utf8_normalize(some, "NFKC"))
    untidy = pc.match_substring_regex(folded, f"[{SPACES}]|  ")
    squeezed = _where(untidy, folded, lambda some: pc.replace_substring_regex(some, UNTIDY, " "))
    return pc.ascii_trim(squeezed, " "), obfuscation


def clean_one(text: str) -> str:
    """Clean one string the way `clean` does."""
    return str(clean(pa.array([text], pa.large_string()))[0][0].as_py())


def _where(mask: pa.Array, texts: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Apply an expensive change to the texts of a mask only."""
    if not pc.any(mask).as_py():
        return texts
    changed = change(texts.filter(mask))
    return pc.replace_with_mask(texts, mask, changed)


def _count(mask: pa.Array, texts: pa.Array, pattern: str) -> pa.Array:
    """Count the matches of a pattern in the texts of a mask, int32 (n,); 0 elsewhere."""
    counts = np.zeros(len(texts), np.int32)
    counts[mask.to_numpy(zero_copy_only=False)] = pc.count_substring_regex(texts.filter(mask), pattern).to_numpy()
    return pa.array(counts)


def normalise(writer: Writer, *, progress: Progress = silent) -> NormaliseReport:
    """Clean every text of the draft that has not been cleaned yet, and number the new clean forms.

    Clean ids count up from 0 over all segments; vectors and the graph are row-aligned with them.
    """
    done = sum(int(segment.meta["n_texts"]) for segment in writer.manifest.of_kind("cleans"))
    texts = sum(int(segment.meta["n_texts"]) for segment in writer.manifest.of_kind("prompts"))
    if done == texts:
        return NormaliseReport()
    first_clean = sum(int(segment.meta["n_cleans"]) for segment in writer.manifest.of_kind("cleans"))
    meta = {"n_texts": texts - done, "first_text": done, "first_clean": first_clean}
    parents = "|".join(segment.name for segment in writer.manifest.of_kind("prompts"))
    key = hashlib.sha256(f"cleans|{done}|{texts}|{first_clean}|{parents}".encode()).hexdigest()
    known = writer.find("cleans", key)
    if known:
        writer.adopt(known)
        return NormaliseReport(texts - done, int(known.meta["n_cleans"]))
    cleaned = writer.work / "cleaned.parquet"
    try:
        _write_cleaned(writer, done, texts, cleaned, progress)
        with writer.segment("cleans", key=key, meta=meta) as directory, writer.connect() as con:
            con.execute(f"CREATE TEMP VIEW cleaned AS FROM read_parquet({literal(str(cleaned))})")
            con.execute("SET VARIABLE first_clean = ?", [first_clean])
            for statement in statements(script("normalise")):
                con.execute(statement)
            for table, order in (("cleans", "clean_id"), ("text_cleans", "text_id")):
                path = directory / f"{table}.parquet"
                copy_parquet(con, f"FROM new_{table} ORDER BY {order}", path, group=LOOKUP_GROUP)
            save_clean_texts(directory / "cleans.parquet", directory / FILE)
            _save_ways_back(con, directory)
            meta["n_cleans"] = one(con, "SELECT count(*) FROM new_cleans")[0]
    finally:
        cleaned.unlink(missing_ok=True)
    return NormaliseReport(texts - done, int(meta["n_cleans"]))


def _save_ways_back(con: duckdb.DuckDBPyConnection, directory: Path) -> None:
    """Save the way from clean texts to texts: each one's first text, and (clean id, text id) of all further ones."""
    first = con.execute("SELECT text_id FROM new_cleans ORDER BY clean_id").fetchnumpy()
    np.save(directory / "first_texts.npy", np.asarray(first["text_id"], dtype=np.int64), allow_pickle=False)
    other = con.execute("SELECT clean_id, text_id FROM new_text_variants ORDER BY ALL").fetchnumpy()
    pairs = np.stack([np.asarray(other[name], dtype=np.int64) for name in ("clean_id", "text_id")], axis=1)
    np.save(directory / "variants.npy", pairs, allow_pickle=False)


def _write_cleaned(writer: Writer, first: int, end: int, path: Path, progress: Progress) -> None:
    """Clean texts `first`..`end` in batches, two at a time, into a Parquet file in the order of their ids."""
    schema = pa.schema([("text_id", pa.int64()), ("clean", pa.large_string()), ("obfuscation", pa.float64())])
    done = 0
    with pq.ParquetWriter(path, schema, compression="lz4") as out, ThreadPoolExecutor(2) as pool:
        for table in pool_map(pool, _clean_batch, _batches(writer, first, end)):
            out.write_table(table.cast(schema))
            done += len(table)
            progress("normalise", done, end - first)


def pool_map(
    pool: ThreadPoolExecutor, work: Callable[[pa.Table], Result], items: Iterator[pa.Table]
) -> Iterator[Result]:
    """Map in order with at most three items in flight, so that memory does not follow the number of items."""
    waiting: list[Future[Result]] = []
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) == 3:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _batches(writer: Writer, first: int, end: int) -> Iterator[pa.Table]:
    with writer.connect() as con:
        for start in range(first, end, BATCH):
            stop = min(start + BATCH, end)
            query = "SELECT text_id, text FROM base_texts WHERE text_id >= $1 AND text_id < $2 ORDER BY text_id"
            yield arrow(con, query, [start, stop])


def _clean_batch(table: pa.Table) -> pa.Table:
    cleaned, obfuscation = clean(table["text"].combine_chunks())
    return pa.table({"text_id": table["text_id"], "clean": cleaned, "obfuscation": obfuscation})
