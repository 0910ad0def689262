"""The way from texts to verified edges and duplicate groups without a store, with the functions that a store is built with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from promptscan.candidates import NEAR, propose
from promptscan.cells import update_cells
from promptscan.embed import Encoder, embed_texts
from promptscan.fingerprint import fingerprints
from promptscan.graph import Graph
from promptscan.groups import Groups, duplicate_groups
from promptscan.matchkey import match_keys
from promptscan.neighbours import K, extend_graph
from promptscan.postings import build_postings
from promptscan.rewords import Cosine, type_rewords
from promptscan.vectors import Vectors
from promptscan.verify import Edges, Relation, similarity, verify_pairs


@dataclass(frozen=True)
class Compared:
    """Texts whose candidate pairs were verified.

    Attributes:
        texts: distinct clean texts.
        cosine: of pairs of them.
        edges: all candidates of both views, typed.
    """

    texts: list[str]
    cosine: Cosine
    edges: Edges


def cosine_of(encoder: Encoder, texts: list[str]) -> Cosine:
    """Embed texts and return the cosine of their pairs."""
    return Vectors([embed_texts(encoder, texts).vectors]).cosines


def compare(encoder: Encoder, texts: list[str], *, near: float = NEAR) -> Compared:
    """Propose pairs from fingerprints and from the neighbour graph up to a distance, verify them on text, and type them."""
    vectors = Vectors([embed_texts(encoder, texts).vectors])
    prints = fingerprints(match_keys(pa.array(texts, pa.large_string())))
    graph = Graph.of([extend_graph(vectors, None, cells=update_cells(vectors))], k=K)
    pairs = propose([build_postings(prints.hashes, prints.texts)], graph, 0, near=near)
    edges = verify_pairs(texts, np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1]))
    return Compared(texts, vectors.cosines, type_rewords(edges, texts, vectors.cosines))


def grouped(compared: Compared, threshold: float) -> Groups:
    """Group copies and edits from a similarity on; one below .8 regroups what verification calls something else."""
    texts, edges = compared.texts, compared.edges
    score = similarity(texts, edges.a, edges.b)
    kind = np.where(edges.kind == Relation.COPY, Relation.COPY, Relation.EDIT).astype(np.uint8)
    kept = Edges(edges.a, edges.b, kind, score)
    return duplicate_groups(len(texts), kept, lambda a, b: similarity(texts, a, b), min_score=threshold)
