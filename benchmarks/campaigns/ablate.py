"""What each piece adds: campaigns found again from a finished store, with something left out.

Every variant looks once, at the end, with the budget of the whole log; so does `all`, which it is to be compared with.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.campaigns.measure import summary
from promptscan.accounts import join_accounts
from promptscan.alert_evaluation import judge_alerts, present_history
from promptscan.api import Store, writing
from promptscan.build import Run, commit
from promptscan.build.campaigning import find_all_campaigns
from promptscan.build.graph import load_graph
from promptscan.build.weighing import evidence_key, keep_evidence, weigh_evidence
from promptscan.config import Configured
from promptscan.families import find_families
from promptscan.graph import Graph
from promptscan.rows import text_vectors
from promptscan.rules import FamilyRules
from promptscan.truth import register_truth

LEXICAL = ("edges", "duplicates", "templates", "nesting", "probes")
JUDGED = ("evidence", "campaigns", "alerts")
FAMILIES: dict[str, tuple[bool, bool]] = {  # name -> (lexical view is kept, neighbours are kept)
    "lexical only": (True, False),
    "embeddings only": (False, True),
    "exact duplicates only": (False, False),
}


def ablate(store: Path, truth: Path, work: Path) -> dict[str, Any]:
    """Return the summary of every variant of a finished store."""
    with Store(store) as opened:
        rows = opened.sql("SELECT DISTINCT kind FROM family_evidence WHERE NOT against ORDER BY kind")
    found = {"all": variant(store, truth, work, "", None)}
    for kind in rows["kind"].to_pylist():
        found[f"without {kind}"] = variant(store, truth, work, kind, None)
    for name, views in FAMILIES.items():
        found[name] = variant(store, truth, work, "", views)
    return found


def variant(store: Path, truth: Path, work: Path, without: str, views: tuple[bool, bool] | None) -> dict[str, Any]:
    """Find campaigns again in a copy of a store.

    Args:
        store: the finished store.
        truth: the truth file.
        work: folder for the copy.
        without: kinds of evidence that are left out.
        views: whether families are found again with the lexical view, and with neighbours; None: they stay.
    """
    with copied(store, work / "variant") as copy:
        settings = Configured.load({"store": copy, "evidence_without": without}).settings
        run = Run.start("ablation")
        with writing(settings) as writer:
            state = {name: value for name, value in writer.manifest.state.items() if name != "alert_clock"}
            writer.manifest = replace(writer.manifest, state=state)
            for kind in JUDGED:
                writer.drop(kind)
            if views is not None:
                lexical, semantic = views
                graph, vectors = load_graph(writer), text_vectors(writer)
                if not lexical:
                    for kind in LEXICAL:
                        writer.drop(kind)
                if not semantic:
                    graph = Graph(np.full_like(graph.neighbours, -1), np.full_like(graph.distances, np.inf))
                writer.drop("families")
                rules = FamilyRules(settings.min_family_size, settings.min_samples, settings.min_copies)
                find_families(
                    writer, graph, vectors, rules, run_id=run.run_id, now=run.started_at.isoformat(), recluster=True
                )
                join_accounts(writer)
            none: frozenset[str] = frozenset()
            key = evidence_key(writer, settings, none)
            with writer.connect() as con:
                weighing = weigh_evidence(writer, con, settings, none, key)
                _, weighing = find_all_campaigns(writer, con, weighing, none, settings.left_out)
                keep_evidence(writer, con, weighing, key)
            commit(writer, settings, run)
        with Store(copy, settings) as opened, opened.connect() as con:
            register_truth(con, truth)
            return summary(judge_alerts(con, present_history(con)))


@contextmanager
def copied(store: Path, target: Path) -> Iterator[Path]:
    """Make a copy of a store out of hard links, for as long as the block lasts; what can be written to is copied."""

    def link(source: str, destination: str) -> str:
        place: Callable[[str, str], Any] = (
            os.link if "/segments/" in source or "/generations/" in source else shutil.copy2
        )
        place(source, destination)
        return destination

    shutil.rmtree(target, ignore_errors=True)
    try:
        yield Path(shutil.copytree(store, target, copy_function=link, ignore=shutil.ignore_patterns("replay")))
    finally:
        shutil.rmtree(target, ignore_errors=True)
