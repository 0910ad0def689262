"""Compare encoders, and the choices inside the static one, on labelled prompts.

    python benchmarks/encoders.py --data DIR --corpus 600 --tasks distill_pipelines,sts_semeval  # static and minilm
    python benchmarks/encoders.py --data DIR --encoders static --grid --out benchmarks/results/encoders-grid.json
    python benchmarks/encoders.py --data DIR --precision               # minilm in float32 and bfloat16

DIR holds Parquet files with the columns `text`, and `family` or `pair_id, side, score` (and `lang`). Measures:

* family precision@10: of the ten texts nearest to a text, the share that carries its label;
* paraphrase recall@10: how often a sentence's paraphrase (score of at least 4 of 5, not the same string) is among the ten
  nearest of all second sentences;
* texts embedded per second, the machine being otherwise idle or not: see the recorded load.

Prints a table and writes it with the facts of the machine to benchmarks/results/encoders.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tokenizers import Tokenizer

from promptscan.embed import Encoder, EncoderId, embed_texts, load_encoder
from promptscan.encoders import StaticEncoder, TransformerEncoder

RESULTS = Path(__file__).resolve().parent / "results"
FAMILY_SETS = ("distill_pipelines", "judge_prompts", "flan_cot")
LANGUAGES = ("en", "de", "zh", "ja")
NEAREST = 10
GRID_SIF = (None, 1e-3, 1e-4, 1e-5)
GRID_DIMS = (128, 256, 384)
GRID_BUCKETS = (0, 1024, 4096, 16384)


@dataclass(frozen=True)
class Task:
    """Queries and a corpus with labels; a query equal to a corpus row (same index) is not its own neighbour.

    Attributes:
        queries, corpus: texts.
        itself: the corpus row that is the query, -1 for none. int64 (q,).
        right: for a family task, labels of queries and corpus; for a paraphrase task, the wanted corpus row per query.
    """

    name: str
    queries: list[str]
    corpus: list[str]
    itself: NDArray[np.int64]
    query_labels: NDArray[np.int64]
    corpus_labels: NDArray[np.int64]


def family_task(data: Path, name: str, corpus: int, seed: int) -> Task:
    """Return a sample of a labelled set, one row per distinct text, families of more than ten."""
    table = pq.read_table(data / f"{name}.parquet", columns=["text", "family"]).to_pydict()
    rows = list({text: family for text, family in zip(table["text"], table["family"], strict=True) if family}.items())
    sample = np.random.default_rng(seed).permutation(len(rows))[:corpus].tolist()
    count = Counter(rows[i][1] for i in sample)
    rows = [rows[i] for i in sample if count[rows[i][1]] > NEAREST]
    labels = np.unique([family for _, family in rows], return_inverse=True)[1].astype(np.int64)
    texts = [text for text, _ in rows]
    return Task(f"{name} p@10", texts, texts, np.arange(len(texts)), labels, labels)


def paraphrase_task(data: Path, name: str, language: str) -> Task:
    """Return the close pairs of a set: first sentences as queries, all second sentences as corpus."""
    table = pq.read_table(data / f"{name}.parquet", columns=["text", "lang", "pair_id", "side", "score"])
    table = table.filter(pc.equal(table["lang"], language)).to_pydict()
    sides: dict[str, dict[str, tuple[str, float]]] = {"a": {}, "b": {}}
    columns = (table[key] for key in ("text", "pair_id", "side", "score"))
    for text, pair, side, score in zip(*columns, strict=True):
        sides[side][pair] = (text, float(score or 0))
    corpus = list(dict.fromkeys(text for text, _ in sides["b"].values()))
    row = {text: i for i, text in enumerate(corpus)}
    wanted = {
        text: row[sides["b"][pair][0]]
        for pair, (text, score) in sides["a"].items()
        if score >= 4 and pair in sides["b"] and sides["b"][pair][0] != text
    }
    queries = list(wanted)[:2000]
    return Task(
        f"{name} {language} r@10",
        queries,
        corpus,
        np.full(len(queries), -1),
        np.array([wanted[query] for query in queries]),
        np.arange(len(corpus)),
    )


def measure(encoder: Encoder, task: Task) -> float:
    """Return precision@10 of a family task, recall@10 of a paraphrase task."""
    corpus = embed_texts(encoder, task.corpus).vectors.astype(np.float32)
    queries = corpus if task.queries is task.corpus else embed_texts(encoder, task.queries).vectors.astype(np.float32)
    right = 0
    for start in range(0, len(queries), 1024):
        score = queries[start : start + 1024] @ corpus.T
        own = task.itself[start : start + 1024]
        score[np.flatnonzero(own >= 0), own[own >= 0]] = -2
        nearest = np.argpartition(-score, NEAREST, axis=1)[:, :NEAREST]
        right += int((task.corpus_labels[nearest] == task.query_labels[start : start + 1024, None]).sum())
    wanted_per_query = NEAREST if task.queries is task.corpus else 1
    return right / (len(queries) * wanted_per_query)


def speed(encoder: Encoder, texts: list[str]) -> float:
    """Return texts embedded per second, after a warm-up."""
    embed_texts(encoder, texts[:64])
    start = time.perf_counter()
    embed_texts(encoder, texts)
    return len(texts) / (time.perf_counter() - start)


def grid() -> Iterator[StaticEncoder]:
    """Yield static encoders with one choice changed at a time; the teacher runs once."""
    from model2vec.distill import distill
    from model2vec.distill.inference import apply_pca, compute_weights

    from scripts import distil_static as script

    raw = distill(str(script.source_folder()), device="cpu", pca_dims=None, sif_coefficient=None, quantize_to="float32")
    outputs = np.asarray(raw.embedding, np.float32)
    default = (script.SIF_COEFFICIENT, script.DIMENSIONS, script.BUCKETS)
    choices = [(sif, default[1], default[2]) for sif in GRID_SIF]
    choices += [(default[0], dims, default[2]) for dims in GRID_DIMS if dims != default[1]]
    choices += [(default[0], default[1], buckets) for buckets in GRID_BUCKETS if buckets != default[2]]
    for sif, dims, buckets in choices:
        weights = (apply_pca(outputs, dims) * compute_weights(len(outputs), sif)[:, None]).astype(np.float32)
        weights, document = script.finish(weights, raw.tokenizer, buckets)
        name = f"sif={sif} dims={dims} buckets={buckets}"
        yield StaticEncoder(EncoderId(name, "", dims), Tokenizer.from_buffer(document), weights)


def precision(texts: list[str]) -> None:
    """Print how fast MiniLM is in float32 and in bfloat16 on this CPU, and how far their vectors are apart."""
    encoder = load_encoder("minilm", device="cpu")
    if not isinstance(encoder, TransformerEncoder):
        raise TypeError(encoder)
    vectors = {}
    for dtype in ("float", "bfloat16"):
        getattr(encoder.model, dtype)()
        print(f"minilm {dtype}: {speed(encoder, texts):,.0f} texts/s")
        vectors[dtype] = encoder.encode(texts)
    cosine = (vectors["float"] * vectors["bfloat16"]).sum(axis=1)
    print(f"cosine error of bfloat16: mean {1 - cosine.mean():.2e}, worst {1 - cosine.min():.2e}, {len(texts)} texts")


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled Parquet files")
    parser.add_argument("--encoders", default="static,minilm", help="names for load_encoder, comma separated")
    parser.add_argument(
        "--grid", action="store_true", help="also other choices of the static encoder (needs model2vec)"
    )
    parser.add_argument("--precision", action="store_true", help="only compare float32 and bfloat16 of minilm")
    parser.add_argument("--tasks", default="", help="only these sets, comma separated (default: all)")
    parser.add_argument("--corpus", type=int, default=3000, help="texts per family task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "encoders.json")
    arguments = parser.parse_args()
    tasks = [family_task(arguments.data, name, arguments.corpus, arguments.seed) for name in FAMILY_SETS]
    tasks.append(paraphrase_task(arguments.data, "sts_semeval", "en"))
    tasks += [paraphrase_task(arguments.data, "stsb_multi", language) for language in LANGUAGES]
    texts = tasks[0].corpus
    tasks = [task for task in tasks if not arguments.tasks or task.name.split()[0] in arguments.tasks.split(",")]
    short = [text for text in texts if 300 <= len(text) < 600]
    if arguments.precision:
        precision(short[:300])
        return
    encoders: list[Encoder] = [load_encoder(name) for name in arguments.encoders.split(",") if name]
    if arguments.grid:
        encoders += list(grid())
    print(
        f"{'encoder':<36}" + "".join(f"{task.name.replace('_multi', '').replace('distill_', ''):>18}" for task in tasks)
    )
    rows = []
    for encoder in encoders:
        scores = {task.name: round(measure(encoder, task), 4) for task in tasks}
        rate = round(speed(encoder, short), 1)
        print(
            f"{encoder.identity.name:<36}"
            + "".join(f"{score:>18.4f}" for score in scores.values())
            + f"  {rate:,.0f}/s",
            flush=True,
        )
        rows.append(
            {"encoder": encoder.identity.name, "digest": encoder.identity.digest, **scores, "short_texts_per_s": rate}
        )
    facts = {
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    sizes = {task.name: {"queries": len(task.queries), "corpus": len(task.corpus)} for task in tasks}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"facts": facts, "tasks": sizes, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
