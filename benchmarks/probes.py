"""Probes: what each kind of evidence adds to families, on simulated campaigns and on real texts with planted ones.

    python -m benchmarks.probes --data DIR [--work DIR] [--seeds 3]

DIR holds sim/log.parquet, sim/accounts.parquet, sim/truth.parquet, and the published sets of `PUBLISHED`; the simulated logs are
those of `promptscan demo`. Every log is scanned once; then its families are found again from the stored graph, templates and skeletons with some of them left out.
Clean texts are counted once, whatever the number of prompts that say them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.labelled import HUMAN
from promptscan.api import scan
from promptscan.assign import followed
from promptscan.build.graph import load_graph
from promptscan.build.joining import Evidence, read_evidence
from promptscan.clustering import cluster_graph
from promptscan.probes import join_templates
from promptscan.simulate import SimulationConfig, simulate
from promptscan.store import Generation
from promptscan.store.files import FileRef
from promptscan.union import unite
from promptscan.vectors import Vectors

PUBLISHED = {"t0_templates": "task", "flan_cot": "task", "distill_pipelines": '"group"', "purplellama_cyber": "part"}
"""Sets of published templates, and the column of what they are templates for."""

EACH, SINGLES = 40, 4_000  # texts of a published template; texts of humans among them
SMALLEST = 5  # texts of a family, as in the settings

Int64 = NDArray[np.int64]
Text = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Scanned:
    """A scanned log and its truth.

    Attributes:
        clusters: density cluster of each clean text, -1 for none. int64 (n,).
        templates: template of each, as an index into the evidence's names, -1 for none. int64 (n,).
        duplicates: duplicate group of each, -1 for none. int64 (n,).
        evidence, skeletons, reference: what joins templates.
        campaign, family: of each clean text, empty for benign ones.
    """

    clusters: Int64
    templates: Int64
    duplicates: Int64
    evidence: Evidence
    skeletons: NDArray[np.float32]
    reference: NDArray[np.float32]
    campaign: Text
    family: Text


@dataclass(frozen=True, slots=True)
class Score:
    """Families against truth, over clean texts.

    Attributes:
        families: how many there are; `largest`: texts of the largest.
        per_campaign: mean number of families that a campaign has most texts of.
        recall: share of campaigns' texts that are in such families; precision: share of these families' texts that are.
        benign_in: share of benign texts in a campaign's family; benign_clustered: in any.
        ari: adjusted Rand index over the texts of campaigns, those in no family each alone.
        seconds: to join the templates.
    """

    families: int
    largest: int
    per_campaign: float
    precision: float
    recall: float
    benign_in: float
    benign_clustered: float
    ari: float
    seconds: float


def main() -> None:
    """Scan, leave out, judge, store, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("benchmarks/work"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": machine.facts(), "logs": {}}
    for seed in range(options.seeds):
        log = simulate(SimulationConfig(seed=seed), options.work / f"probes-log-{seed}")
        scan(log.prompts, store=options.work / f"probes-{seed}", accounts=log.accounts)
        result["logs"][f"demo, seed {seed}"] = compare(options.work / f"probes-{seed}", log.truth)
    real = options.data / "sim"
    scan(real / "log.parquet", store=options.work / "probes-real", accounts=real / "accounts.parquet")
    result["logs"]["real texts"] = compare(options.work / "probes-real", real / "truth.parquet")
    for column in ("template", "task"):
        log, truth = publish(options.data, options.work, column)
        scan(log, store=options.work / "probes-published")
        result["logs"][f"published, by {column}"] = compare(options.work / "probes-published", truth)
    machine.store("probes", result)
    print(table(result))


def publish(data: Path, work: Path, column: str) -> tuple[Path, Path]:
    """Write a log of published templates among texts of humans, and its truth by template or task."""
    parts = [
        f"SELECT id, text, '{name}' AS campaign_id, family AS template, {task} AS task FROM '{data}/{name}.parquet' "
        f"QUALIFY row_number() OVER (PARTITION BY family ORDER BY hash(id)) <= {EACH}"
        for name, task in PUBLISHED.items()
    ]
    parts += [f"SELECT id, text, NULL, NULL, NULL FROM '{data}/{name}.parquet'" for name in HUMAN]
    log, truth = work / "probes-published-log.parquet", work / f"probes-published-{column}.parquet"
    with duckdb.connect() as con:
        con.execute(
            f"CREATE TABLE rows AS FROM ({' UNION ALL BY NAME '.join(parts[: len(PUBLISHED)])}) UNION ALL "
            f"FROM ({' UNION ALL '.join(parts[len(PUBLISHED) :])} ORDER BY hash(id) LIMIT {SINGLES})"
        )
        con.execute(f"COPY (SELECT id AS prompt_id, text, 'a' AS account_id FROM rows ORDER BY hash(id)) TO '{log}'")
        own = f"campaign_id, campaign_id || ':' || {column} AS family_id"
        con.execute(
            f"COPY (SELECT id AS prompt_id, {own}, CASE WHEN campaign_id IS NULL THEN 'background' ELSE 'campaign' END AS label "
            f"FROM rows ORDER BY id) TO '{truth}'"
        )
    return log, truth


def compare(store: Path, truth: Path) -> dict[str, Any]:
    """Judge the families of a store with parts of the evidence left out."""
    scanned = read(store, truth)
    return {name: asdict(judge(scanned, labels, seconds)) for name, labels, seconds in variants(scanned)}


def read(store: Path, truth: Path) -> Scanned:
    """Read what families are made of."""
    generation = Generation.current(store)
    with generation.connect() as con:
        graph, evidence = load_graph(generation), read_evidence(con)
        (segment,) = generation.manifest.of_kind("probes")
        skeletons, reference = (_rows(generation, segment.file(f"{name}.npy")) for name in ("skeletons", "reference"))
        place = {name: index for index, name in enumerate(evidence.names)}
        templates, duplicates = np.full(graph.n, -1, np.int64), np.full(graph.n, -1, np.int64)
        for clean_id, name in con.execute("SELECT clean_id, template_id FROM base_template_members").fetchall():
            templates[clean_id] = place[name]
        for clean_id, group in con.execute("SELECT clean_id, duplicate_id FROM base_duplicate_members").fetchall():
            duplicates[clean_id] = group
        con.register("truth", pq.read_table(truth))
        rows = con.execute(
            "SELECT clean_id, any_value(campaign_id) FILTER (label <> 'campaign_cover'), "
            "any_value(family_id) FILTER (label <> 'campaign_cover' AND campaign_id IS NOT NULL) "
            "FROM truth JOIN prompts USING (prompt_id) JOIN base_text_cleans USING (text_id) "
            "GROUP BY clean_id"
        ).fetchall()
    campaign, family = np.full(graph.n, "", object), np.full(graph.n, "", object)
    for clean_id, own_campaign, own_family in rows:
        campaign[clean_id], family[clean_id] = own_campaign or "", own_family or ""
    clusters = cluster_graph(graph, min_cluster_size=SMALLEST).labels.astype(np.int64)
    return Scanned(
        clusters, templates, duplicates, evidence, skeletons, reference, campaign.astype(str), family.astype(str)
    )


def _rows(generation: Generation, ref: FileRef) -> NDArray[np.float32]:
    vectors = Vectors([np.load(generation.verified(ref), allow_pickle=False)])
    return vectors.range(0, vectors.n)


def variants(scanned: Scanned) -> Iterator[tuple[str, Int64, float]]:
    """Yield names, family labels and the seconds it took to join templates."""
    evidence = scanned.evidence
    none, alone = np.full(len(scanned.clusters), -1, np.int64), np.full_like(evidence.parents, -1)
    own, unsaid = np.arange(len(evidence.names)), np.zeros_like(scanned.skeletons)
    yield "vectors only", unite(scanned.clusters, none, SMALLEST)[0], 0.0
    yield "templates only", unite(none, units(scanned, own), SMALLEST)[0], 0.0
    yield "templates, vectors", unite(scanned.clusters, units(scanned, own), SMALLEST)[0], 0.0
    for name, pieces in {
        "templates, vectors, frames": (evidence.parents, unsaid),
        "templates, vectors, wordings": (alone, scanned.skeletons),
        "all": (evidence.parents, scanned.skeletons),
    }.items():
        begin = time.perf_counter()
        probes = join_templates(evidence.fixed, *pieces, scanned.reference)
        seconds = time.perf_counter() - begin
        yield name, unite(scanned.clusters, units(scanned, probes), SMALLEST)[0], seconds
    yield "all but vectors", unite(none, units(scanned, probes), SMALLEST)[0], seconds


def units(scanned: Scanned, probes: Int64) -> Int64:
    """Number what holds texts together: probes of their templates, else duplicate groups."""
    numbers = np.where(scanned.templates >= 0, probes[scanned.templates], -1)
    numbers = np.where(numbers >= 0, numbers, followed(scanned.duplicates, numbers))
    alone = (numbers < 0) & (scanned.duplicates >= 0)
    numbers[alone] = len(probes) + scanned.duplicates[alone]
    known = np.unique(numbers[numbers >= 0])
    return np.where(numbers >= 0, np.searchsorted(known, numbers), -1)


def judge(scanned: Scanned, labels: Int64, seconds: float) -> Score:
    """Compare families with the truth."""
    planted = scanned.campaign != ""
    names, campaign = np.unique(scanned.campaign[planted], return_inverse=True)
    count = int(labels.max(initial=-1)) + 1
    owned = np.zeros((count + 1, len(names)), np.int64)
    np.add.at(owned, (labels[planted], campaign), 1)
    sizes = np.bincount(labels[labels >= 0], minlength=count)
    held = owned[:count].max(axis=1) * 2 >= np.maximum(sizes, 1)
    right = owned[:count][held].max(axis=1).sum()
    inside = np.append(held, False)[labels]
    return Score(
        count,
        int(sizes.max(initial=0)),
        float(held.sum() / len(names)),
        float(right / max(1, sizes[held].sum())),
        float(right / planted.sum()),
        float(inside[~planted].mean()),
        float((labels[~planted] >= 0).mean()),
        rand_index(scanned.family[planted], labels[planted]),
        seconds,
    )


def rand_index(true: Text, found: Int64) -> float:
    """Return the adjusted Rand index (Hubert and Arabie 1985); what is in no family is alone."""
    numbers = np.unique(true, return_inverse=True)[1]
    found = np.where(found >= 0, found, found.max(initial=0) + 1 + np.arange(len(found)))
    both = pairs(np.unique(np.stack([numbers, found]), axis=1, return_counts=True)[1])
    one, other = pairs(np.bincount(numbers)), pairs(np.unique(found, return_counts=True)[1])
    expected = one * other / pairs(np.array([len(true)]))
    return float((both - expected) / ((one + other) / 2 - expected))


def pairs(sizes: Int64) -> float:
    """Count the pairs within groups of these sizes."""
    return float((sizes * (sizes - 1) / 2).sum())


def table(result: dict[str, Any]) -> str:
    """Draw the comparison as Markdown."""
    lines = [
        "| log | families from | families | largest | per campaign | precision | recall | benign in them | benign in any | ARI | seconds |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {log} | {name} | {s['families']:,} | {s['largest']:,} | {s['per_campaign']:.1f} | {s['precision']:.3f} | {s['recall']:.3f} "
        f"| {s['benign_in']:.2%} | {s['benign_clustered']:.1%} | {s['ari']:.3f} | {s['seconds']:.2f} |"
        for log, variants in result["logs"].items()
        for name, s in variants.items()
    ]
    lines += ["", "Shares are of clean texts, each counted once. Seconds are those that joining the templates took."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
