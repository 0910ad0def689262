"""The contestants: each takes texts and says which belong together, with its library's own defaults.

This module is imported in the peers' environment too, which has no promptscan: libraries are imported where they are used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
MODEL = Path(__file__).resolve().parents[2] / "promptscan" / "models" / "static"

BUCKET = 4  # promptscan.candidates.BUCKET
DUPLICATE, FRAME = 0.8, 0.5  # as promptscan.build.templating has them


@dataclass(slots=True)
class Answer:
    """What a contestant found and what it took.

    Attributes:
        duplicates, templates: group of each text, texts alone in groups of one; None if it does not look for those. int64 (n,).
        seconds: wall time of each step.
        counts: what the steps made, such as pairs.
    """

    duplicates: Int64 | None = None
    templates: Int64 | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 3)


def promptscan(texts: Sequence[str]) -> Answer:
    """Clean texts, fingerprints of match keys, candidate pairs, verified edges, groups; then groups of one frame."""
    import pyarrow as pa

    from promptscan.fingerprint import fingerprints
    from promptscan.groups import duplicate_groups
    from promptscan.matchkey import match_keys
    from promptscan.normalise import clean
    from promptscan.postings import candidate_pairs
    from promptscan.verify import Comparison, Relation

    answer = Answer()
    with answer.step("clean"):
        cleaned = clean(pa.array(texts, pa.large_string()))[0].dictionary_encode()
        row = cleaned.indices.to_numpy().astype(np.int64)
        distinct = cleaned.dictionary
    with answer.step("fingerprint"):
        found = fingerprints(match_keys(distinct))
    with answer.step("candidates"):
        pairs = candidate_pairs(found, max_bucket=BUCKET)
        del found
    with answer.step("verify"):
        comparison = Comparison(distinct.to_pylist())
        edges = comparison.verify(pairs.a, pairs.b)
    with answer.step("groups"):
        same = edges.at_least({Relation.COPY: 1.0, Relation.EDIT: DUPLICATE})
        groups = duplicate_groups(len(distinct), same, comparison.similarity, min_score=DUPLICATE)
        answer.duplicates = alone_apart(groups.labels)[row]
    with answer.step("templates"):
        kinds = {Relation.COPY: 1.0, Relation.EDIT: FRAME, Relation.CONTAIN: FRAME, Relation.TEMPLATE: FRAME}
        frames = duplicate_groups(len(distinct), edges.at_least(kinds), comparison.shared_wording, min_score=FRAME)
        answer.templates = alone_apart(frames.labels)[row]
    answer.counts = {"distinct": len(distinct), "pairs": len(pairs.a)}
    return answer


def semhash(texts: Sequence[str]) -> Answer:
    """Static vectors (promptscan's, as a model2vec model: there is no model hub here), usearch, cosine 0.9."""
    from model2vec import StaticModel
    from safetensors.numpy import load_file
    from semhash import SemHash
    from tokenizers import Tokenizer

    answer = Answer()
    weights = load_file(MODEL / "model.safetensors")["embedding.weight"].astype(np.float32)
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    # several tokens share a vector, which model2vec takes only from a model that says so
    model = StaticModel(weights, tokenizer, normalize=True, token_mapping=np.arange(len(weights)))
    with answer.step("index"):
        index = SemHash.from_records(texts, model=model)
    with answer.step("deduplicate"):
        result = index.self_deduplicate()
    with answer.step("groups"):
        kept = {one.record: one.duplicate_of for one in result.filtered}
        answer.duplicates = numbered([kept.get(text, text) for text in texts])
    return answer


def rensa(texts: Sequence[str]) -> Answer:
    """MinHash of 128 permutations over white-space words, LSH, Jaccard 0.8; the deduplicator of its guide."""
    from rensa import RMinHash, RMinHashDeduplicator

    answer = Answer()
    with answer.step("sketch"):
        sketches = RMinHash.from_token_sets((text.split() for text in texts), 128, 42)
    with answer.step("deduplicate"):
        index = RMinHashDeduplicator(threshold=0.8, num_perm=128, use_lsh=True)
        kept = np.array(index.add_pairs(zip(map(str, range(len(texts))), sketches, strict=True)), bool)
    with answer.step("groups"):
        labels = np.arange(len(texts))
        dropped = np.flatnonzero(~kept)
        like = index.get_duplicate_sets([sketches[i] for i in dropped.tolist()])
        for i, keys in zip(dropped.tolist(), like, strict=True):
            labels[i] = min(map(int, keys), default=i)
        answer.duplicates = labels
    return answer


def datasketch(texts: Sequence[str]) -> Answer:
    """MinHash of 128 permutations over white-space words, LSH at Jaccard 0.8; each text joins the first it meets."""
    from datasketch import MinHash, MinHashLSH

    answer = Answer()
    with answer.step("deduplicate"):
        index = MinHashLSH(threshold=0.8, num_perm=128)
        labels = np.arange(len(texts))
        words = ([word.encode("utf-8", "surrogatepass") for word in text.split()] for text in texts)
        for i, sketch in enumerate(MinHash.generator(words, num_perm=128, seed=42)):
            met = index.query(sketch)
            if met:
                labels[i] = min(met)
            else:
                index.insert(i, sketch)
        answer.duplicates = labels
    return answer


def drain3(texts: Sequence[str]) -> Answer:
    """The log template miner, a text a line, with its defaults."""
    from drain3 import TemplateMiner
    from drain3.template_miner_config import TemplateMinerConfig

    answer = Answer()
    miner = TemplateMiner(config=TemplateMinerConfig())
    with answer.step("mine"):
        labels = [miner.add_log_message(" ".join(text.split()))["cluster_id"] for text in texts]
    answer.templates = np.array(labels, np.int64)
    return answer


CONTESTANTS: dict[str, Callable[[Sequence[str]], Answer]] = {
    "promptscan": promptscan,
    "semhash": semhash,
    "rensa": rensa,
    "datasketch": datasketch,
    "drain3": drain3,
}

KINDS = {
    "promptscan": ("duplicates", "templates"),
    "semhash": ("duplicates",),
    "rensa": ("duplicates",),
    "datasketch": ("duplicates",),
    "drain3": ("templates",),
}
"""What each looks for."""


def alone_apart(labels: Int64) -> Int64:
    """Return labels in which each text without a group (-1) has one of its own."""
    return np.where(labels < 0, labels.max(initial=-1) + 1 + np.arange(len(labels)), labels)


def numbered(names: Sequence[str]) -> Int64:
    """Return a number for each name, equal for equal names."""
    number: dict[str, int] = {}
    return np.array([number.setdefault(name, len(number)) for name in names], np.int64)
