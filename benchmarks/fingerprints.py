"""Choose the n-gram and the window of the fingerprints: what edited and embedded texts are found, and at what price.

    python -m benchmarks.fingerprints --data DIR [--speed-only]

DIR holds Parquet files with a column `text`. Originals are human prompts of two sets, background those of five others. Each
original is attacked (typos in a share of its characters, a passage of it pasted into a background text, fullwidth, Cyrillic
look-alikes, leet); a pair of original and attacked text is found when its score, the share of the smaller text's
fingerprints that both have, exceeds every score but a share `fpr` of the scores between originals and background.

Prints, for each (n, w): fingerprints per 100 characters of key, the share of originals that have a fingerprint in common with
any background text (what costs candidates), and recall. Stores the same with the facts of the machine.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import machine
from promptscan.decode import decoded
from promptscan.fingerprint import Fingerprints, fingerprints
from promptscan.matchkey import match_keys, obfuscation
from promptscan.postings import build_postings, candidate_pairs, containment
from promptscan.sketch import BITS, sketches

ORIGINALS = ("hh_rlhf_harmless_test", "oasst1_en_val")
BACKGROUND = ("sharegpt_sample1k", "arena_hard", "autoj_queries", "instructionwild_users", "nq_open")
SHAPES = ((6, 1), (8, 8), (12, 12), (16, 8), (16, 16), (20, 16), (24, 16), (24, 20), (24, 24), (32, 16))
RATES = (1e-2, 1e-3, 1e-4)
LOOK_ALIKES = str.maketrans("aceopxyi", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456")
LEET = str.maketrans("aeiost", "431057")
FULLWIDTH = {code: code + 0xFEE0 for code in range(33, 127)}
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Attack:
    """Attacked copies of some originals.

    Attributes:
        rows: which original each text comes from. int64 (m,).
    """

    name: str
    rows: NDArray[np.int64]
    texts: pa.Array


def load(data: Path, names: tuple[str, ...]) -> list[str]:
    """Return the distinct texts of sets whose keys have at least 24 characters, in order."""
    texts = pa.chunked_array(
        [pq.read_table(data / f"{name}.parquet", columns=["text"])["text"].combine_chunks() for name in names]
    )
    texts = texts.cast(pa.large_string()).combine_chunks().unique()
    keys = match_keys(texts)
    distinct = np.unique(keys.to_numpy(zero_copy_only=False).astype(str), return_index=True)[1]
    long = np.flatnonzero(pc.utf8_length(keys).to_numpy() >= 24)
    return list(texts.take(pa.array(np.intersect1d(distinct, long))).to_pylist())


def typos(text: str, share: float, rng: np.random.Generator) -> str:
    """Return a text in which a share of the characters was replaced, dropped, doubled or swapped with the next."""
    characters = list(text)
    for place in np.flatnonzero(rng.random(len(characters)) < share).tolist():
        kind = rng.integers(4)
        letter = LETTERS[rng.integers(26)]
        if kind == 3 and place + 1 < len(characters):
            characters[place : place + 2] = characters[place + 1], characters[place]
        else:
            characters[place] = (letter, "", characters[place] + letter, letter)[kind]
    return "".join(characters)


def attacks(originals: list[str], background: list[str], rng: np.random.Generator) -> list[Attack]:
    """Return every attack on every original that is long enough for it."""
    everyone = np.arange(len(originals))
    made = [
        Attack(name, everyone, pa.array([text.translate(table) for text in originals], pa.large_string()))
        for name, table in (("look-alikes", LOOK_ALIKES), ("leet", LEET), ("fullwidth", FULLWIDTH))
    ]
    for share in (0.02, 0.05, 0.1, 0.2):
        texts = [typos(text, share, rng) for text in originals]
        made.append(Attack(f"typos {share:.0%}", everyone, pa.array(texts, pa.large_string())))
    for length in (40, 60, 80, 120):
        rows = [row for row, text in enumerate(originals) if len(text) >= length]
        texts = []
        for row in rows:
            start = int(rng.integers(len(originals[row]) - length + 1))
            host = background[int(rng.integers(len(background)))]
            texts.append(f"{host} {originals[row][start : start + length]} {host[::-1]}")
        made.append(Attack(f"passage {length}", np.array(rows), pa.array(texts, pa.large_string())))
    return made


def scores(
    originals: Fingerprints, attacked: Fingerprints, rows: NDArray[np.int64], n_originals: int
) -> NDArray[np.float64]:
    """Return the share of the smaller text's fingerprints that original and attacked text have in common, float64 (m,)."""
    owners = rows[attacked.texts]
    in_original = set(zip(originals.texts.tolist(), originals.hashes.tolist(), strict=True))
    common = [pair in in_original for pair in zip(owners.tolist(), attacked.hashes.tolist(), strict=True)]
    shared = np.bincount(attacked.texts, common, minlength=len(rows))
    size = np.bincount(originals.texts, minlength=n_originals)[rows]
    return shared / np.maximum(np.minimum(size, np.bincount(attacked.texts, minlength=len(rows))), 1)


def false_scores(originals: Fingerprints, background: Fingerprints) -> tuple[NDArray[np.float64], int]:
    """Return all scores above 0 between originals and background, descending; and how many originals have one."""
    found = containment(originals, build_postings(background.hashes, background.texts))
    sizes = [np.bincount(prints.texts) for prints in (originals, background)]
    score = found.shared / np.minimum(sizes[0][found.queries], sizes[1][found.texts])
    return np.sort(score)[::-1], len(np.unique(found.queries))


def row(shape: tuple[int, int], originals: pa.Array, background: pa.Array, attacked: list[Attack]) -> dict[str, float]:
    """Measure one choice of n and w."""
    n, w = shape
    prints, others = fingerprints(originals, n=n, w=w), fingerprints(background, n=n, w=w)
    false, touched = false_scores(prints, others)
    characters = pc.sum(pc.utf8_length(background)).as_py()
    measured = {
        "n": n,
        "w": w,
        "per_100_characters": 100 * len(others.hashes) / characters,
        "touched": touched / len(originals),
    }
    for rate in RATES:
        allowed = int(rate * len(originals) * len(background))
        threshold = false[allowed] if allowed < len(false) else 0.0
        for attack in attacked:
            found = scores(prints, fingerprints(attack.texts, n=n, w=w), attack.rows, len(originals))
            measured[f"{attack.name} at {rate:g}"] = float((found > threshold).mean())
    return measured


def speeds(texts: pa.Array) -> dict[str, float]:
    """Return megabytes of text per second over all cores, what a fingerprint takes, and the cost of 100,000 copies."""
    keys = match_keys(texts)
    prints = fingerprints(keys)
    index = build_postings(prints.hashes, prints.texts)
    stored = index.hashes.nbytes + index.indptr.nbytes + index.texts.nbytes
    taken = {
        **_speeds("match_keys", match_keys, texts),
        **_speeds("fingerprints", fingerprints, keys),
        **_speeds("sketches", sketches, keys),
        **_speeds("decoded", decoded, texts),
        "bytes_per_fingerprint": round(stored / len(prints.hashes), 2),
        "fingerprints_per_100_characters": round(100 * len(prints.hashes) / pc.sum(pc.utf8_length(texts)).as_py(), 2),
        "sketch_bytes_per_text": BITS // 8,
    }
    copies = pa.array([keys[0].as_py()]).cast(pa.large_string()).take(pa.array(np.zeros(100_000, np.int64)))
    prints = fingerprints(copies)
    start = time.perf_counter()
    pairs = len(candidate_pairs(prints).a)
    return {**taken, "pairs_of_100k_copies": pairs, "seconds_for_them": round(time.perf_counter() - start, 2)}


def _speeds(name: str, work: Callable[[pa.Array], object], texts: pa.Array) -> dict[str, float]:
    """Return megabytes a second with the texts dealt out to all cores, best of three, and megabytes a core-second times cores.

    The second figure is the first one's on a machine with nothing else to do.
    """
    cores = os.cpu_count() or 1
    shares = [texts.take(pa.array(np.arange(core, len(texts), cores))) for core in range(cores)]
    size, wall, spent = texts.nbytes / 1e6, [], []
    with ThreadPoolExecutor(cores) as pool:
        for _ in range(3):
            start, busy = time.perf_counter(), time.process_time()
            list(pool.map(work, shares))
            wall.append(time.perf_counter() - start)
            spent.append(time.process_time() - busy)
    return {
        f"{name}_mb_per_s": round(size / min(wall), 1),
        f"{name}_mb_per_s_idle": round(cores * size / min(spent), 1),
    }


def table(result: dict[str, Any]) -> str:
    """Draw the figures beside their targets, then every choice of n and w."""
    speed = result["speed"]
    figures = (
        ("match keys, MB of text/s over all cores as busy as they were", "≥ 20", "match_keys_mb_per_s"),
        ("match keys, MB of text/core-s times cores", "≥ 20", "match_keys_mb_per_s_idle"),
        ("fingerprints, MB of keys/core-s times cores", "", "fingerprints_mb_per_s_idle"),
        ("sketches, MB of keys/core-s times cores", "", "sketches_mb_per_s_idle"),
        ("decoding, MB of text/core-s times cores", "", "decoded_mb_per_s_idle"),
        ("bytes per fingerprint, stored", "≤ 16", "bytes_per_fingerprint"),
        ("fingerprints per 100 characters", "≤ 12", "fingerprints_per_100_characters"),
        ("bytes per sketch", "", "sketch_bytes_per_text"),
        ("seconds to pair 100,000 copies", "", "seconds_for_them"),
    )
    lines = ["| measure | target | measured |", "|---|---|---:|"]
    lines += [f"| {name} | {target} | {speed[key]:,} |" for name, target, key in figures if key in speed]
    shapes = result["rows"]
    grid = [[name, *(f"{shape[name]:.3f}".rstrip("0").rstrip(".") for shape in shapes)] for name in shapes[0]]
    lines += ["", "| " + " | ".join(grid[0]) + " |", "|---" * len(grid[0]) + "|"]
    lines += ["| " + " | ".join(cells) + " |" for cells in grid[1:]]
    facts = result.get("machine") or result["facts"]
    load = facts.get("load_1_minute", facts.get("load", 0.0))
    return "\n".join([*lines, "", f"Machine: {facts.get('processor', facts.get('machine'))}, load {load:.1f}."])


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet files")
    parser.add_argument("--originals", type=int, default=1500)
    parser.add_argument("--background", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed-only", action="store_true", help="measure speed and size again, keep the stored rows")
    arguments = parser.parse_args()
    facts = machine.facts()
    rng = np.random.default_rng(arguments.seed)
    originals, background = load(arguments.data, ORIGINALS), load(arguments.data, BACKGROUND)
    originals = [originals[i] for i in rng.permutation(len(originals))[: arguments.originals]]
    background = [background[i] for i in rng.permutation(len(background))[: arguments.background]]
    plain = pa.array(background, pa.large_string())
    attacked = attacks(originals, background, rng)
    if arguments.speed_only:
        kept = {name: value for name, value in machine.load("fingerprints").items() if name != "facts"}
        machine.store("fingerprints", {**kept, "machine": facts, "speed": speeds(plain)})
        return
    original_keys, background_keys = match_keys(pa.array(originals, pa.large_string())), match_keys(plain)
    attacked = [Attack(attack.name, attack.rows, match_keys(attack.texts)) for attack in attacked]
    print(
        " n   w  /100  touched" + "".join(f"{attack.name:>13}" for attack in attacked) + f"   (recall at {RATES[-1]:g})"
    )
    rows = []
    for shape in SHAPES:
        rows.append(
            {name: round(value, 4) for name, value in row(shape, original_keys, background_keys, attacked).items()}
        )
        head = f"{shape[0]:2} {shape[1]:3} {rows[-1]['per_100_characters']:5.1f} {rows[-1]['touched']:8.3f}"
        print(head + "".join(f"{rows[-1][f'{attack.name} at {RATES[-1]:g}']:13.3f}" for attack in attacked), flush=True)
    hidden = decoded(plain)
    benign = {
        "decoded_share": round(len(np.unique(hidden.text_index)) / len(background), 5),
        "obfuscation_above_2_percent": round(float((obfuscation(plain) > 0.02).mean()), 5),
    }
    sizes = {"originals": len(originals), "background": len(background)}
    result = {"machine": facts, "sizes": sizes, "background": benign, "speed": speeds(plain), "rows": rows}
    machine.store("fingerprints", result)
    print(table(result))


if __name__ == "__main__":
    main()
