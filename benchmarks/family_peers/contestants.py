"""The contestants: each takes texts and their vectors and says which belong together, with its library's own defaults.

This module is imported in the peers' environment too, which has no promptscan: libraries are imported where they are used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]
SMALLEST = 5  # texts, of promptscan's families and of the peers that have no default of their own for prompts


@dataclass(frozen=True, slots=True)
class Task:
    """What a contestant gets.

    Attributes:
        logs: Parquet files of prompts, to be scanned one after the other; only promptscan reads them.
        texts: of all logs, in their order.
        vectors: of the texts, by promptscan's default encoder, unit norm. float32 (n, d).
        work: an empty folder.
    """

    logs: list[Path]
    texts: list[str]
    vectors: Float32
    work: Path


@dataclass(frozen=True, slots=True)
class Answer:
    """What a contestant found: family of each text, -1 for none, int64 (n,); and the seconds that took."""

    labels: Int64
    seconds: float


def promptscan(task: Task) -> Answer:
    """Scan the logs into a store, everything from reading and embedding to accounts, and read the families."""
    from promptscan.api import Store, scan

    begin = time.perf_counter()
    for log in task.logs:
        scan(log, store=task.work / "store")
    seconds = time.perf_counter() - begin
    with Store(task.work / "store") as store:
        rows = store.sql(
            "SELECT family_id[3:]::BIGINT AS family FROM prompts JOIN texts USING (text_id) ORDER BY prompt_id"
        )
    return Answer(rows["family"].fill_null(-1).to_numpy().astype(np.int64), seconds)


def bertopic(task: Task) -> Answer:
    """BERTopic: UMAP to 5 dimensions, HDBSCAN of at least 10, words of each topic."""
    from bertopic import BERTopic

    warm(_reduced, task.vectors)
    begin = time.perf_counter()
    topics, _ = BERTopic().fit_transform(task.texts, embeddings=task.vectors)
    return Answer(np.asarray(topics, np.int64), time.perf_counter() - begin)


def evoc(task: Task) -> Answer:
    """EVoC: the layer that it holds for the most persistent."""
    from evoc import EVoC

    warm(lambda vectors: EVoC().fit_predict(vectors), task.vectors)
    begin = time.perf_counter()
    return Answer(np.asarray(EVoC().fit_predict(task.vectors), np.int64), time.perf_counter() - begin)


def hdbscan_umap(task: Task) -> Answer:
    """HDBSCAN after UMAP with BERTopic's settings, but of at least as few texts as promptscan's families."""
    warm(_reduced, task.vectors)
    begin = time.perf_counter()
    return Answer(_clustered(_reduced(task.vectors)), time.perf_counter() - begin)


def hdbscan(task: Task) -> Answer:
    """HDBSCAN on the vectors themselves."""
    begin = time.perf_counter()
    return Answer(_clustered(task.vectors), time.perf_counter() - begin)


CONTESTANTS: dict[str, Callable[[Task], Answer]] = {
    "promptscan": promptscan,
    "BERTopic": bertopic,
    "EVoC": evoc,
    "UMAP + HDBSCAN": hdbscan_umap,
    "HDBSCAN": hdbscan,
}


def warm(function: Callable[[Float32], object], vectors: Float32) -> None:
    """Call a function with a little noise, so that what Numba compiles at the first call is not in anybody's time."""
    noise = np.random.default_rng(0).standard_normal((500, vectors.shape[1])).astype(np.float32)
    function(noise / np.linalg.norm(noise, axis=1, keepdims=True))


def labelled(texts: Sequence[str], labels: Int64) -> bool:
    """Tell whether there is a label for each text."""
    return labels.shape == (len(texts),)


def _reduced(vectors: Float32) -> Float32:
    from umap import UMAP

    return np.asarray(UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine").fit_transform(vectors))


def _clustered(vectors: Float32) -> Int64:
    from hdbscan import HDBSCAN

    return np.asarray(HDBSCAN(min_cluster_size=SMALLEST).fit_predict(vectors.astype(np.float64)), np.int64)
