"""build: everything that is missing, in the order of the data; and the commit that makes it one new generation."""

from __future__ import annotations

import json
import platform
import resource
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from promptscan.config import AUTO, DEFAULT_ENCODER, Settings
from promptscan.types import Progress, silent
from promptscan.version import __version__

if TYPE_CHECKING:
    from promptscan.seedbanks import SeedBank
    from promptscan.store import Writer

VERSIONED = ("duckdb", "faiss-cpu", "numpy", "pyarrow", "scipy", "sentence-transformers", "tokenizers")


@dataclass(slots=True)
class Run:
    """One command that may change a store: what it did and what it cost.

    Attributes:
        run_id: unique, sorts by time.
        command: what was asked for.
        started_at: UTC.
        stages: report of each stage that had something to do.
        seconds: wall time of each stage.
    """

    run_id: str
    command: str
    started_at: datetime
    stages: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def start(cls, command: str) -> Run:
        """Begin a run now."""
        now = datetime.now(UTC).replace(tzinfo=None)
        return cls(f"R-{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}", command, now)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 3)

    def note(self, name: str, report: object) -> None:
        """Keep a stage's report, a dataclass."""
        if is_dataclass(report) and not isinstance(report, type):
            self.stages[name] = asdict(report)

    def record(self, settings: Settings, n_prompts: int, measured: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row of the `runs` view."""
        return {
            "run_id": self.run_id,
            "started_at": self.started_at.isoformat(timespec="milliseconds"),
            "finished_at": datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds"),
            "command": self.command,
            "config": json.loads(json.dumps(asdict(settings), default=str)),
            "versions": versions(),
            "n_prompts": n_prompts,
            "measured": {
                **measured,
                "seconds": self.seconds,
                "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            },
        }


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did.

    Attributes:
        generation: the live generation afterwards.
        changed: whether that is a new one.
        stages: report of each stage that ran, by name.
        seconds: wall time of each stage.
    """

    generation: int
    changed: bool
    stages: Mapping[str, Any]
    seconds: Mapping[str, float]


def versions() -> dict[str, str]:
    """Return the versions of promptscan, Python and the libraries that results depend on."""
    return {
        "promptscan": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in VERSIONED},
    }


def build(
    writer: Writer, settings: Settings, run: Run, *, progress: Progress = silent, recluster: bool = False
) -> BuildReport:
    """Bring the draft up to date, stage by stage, and commit it if anything changed.

    With `recluster` all texts are clustered again, whatever families are known, and embedded again if the settings name
    another encoder than that of the store's vectors.

    Raises:
        StoreError: the store's vectors are of another encoder, and `recluster` was not asked for.
        UsageError: a seed bank of the user's can't be read.
        PromptscanError: the encoder can't be loaded.
    """
    from promptscan.normalise import normalise
    from promptscan.seedbanks import store_banks

    banks = store_banks(
        writer.root, settings.capability_seeds
    )  # first: a bad file is told before the work, not after it
    encoder = _encoder_name(writer, settings, change=recluster)
    if recluster and settings.encoder != AUTO:
        from promptscan.build.reembedding import change_encoder

        run.note("encoder", change_encoder(writer, encoder, settings.torch_device))
    with run.stage("normalise"):
        run.note("normalise", normalise(writer, progress=progress))
    if _rows(writer, "cleans", "n_cleans") > _rows(writer, "fingerprints", "n"):
        from promptscan.build.fingerprinting import fingerprint

        with run.stage("fingerprint"):
            run.note("fingerprint", fingerprint(writer, progress=progress))
    _banks(writer, run, progress)
    if _rows(writer, "cleans", "n_cleans") > _rows(writer, "vectors", "n"):
        from promptscan.build.embedding import embed

        with run.stage("embed"):
            run.note("embed", embed(writer, encoder, settings.torch_device, progress=progress))
    _index(writer, settings, run)
    if _rows(writer, "vectors", "n") > _rows(writer, "graph", "n"):
        from promptscan.build.graph import extend

        with run.stage("neighbours"):
            run.note("neighbours", extend(writer, progress=progress))
    _compare(writer, run, progress)
    _templates(writer, settings, run, progress)
    _probes(writer, settings, run)
    _families(writer, settings, run, recluster=recluster)
    _capabilities(writer, settings, run, banks)
    from promptscan.accounts import join_accounts

    with run.stage("accounts"):
        run.note("accounts", join_accounts(writer))
    _campaigns(writer, settings, run)
    return commit(writer, settings, run)


def commit(writer: Writer, settings: Settings, run: Run) -> BuildReport:
    """Make the draft the live generation, unless it is the same as the one before."""
    if not writer.changed:
        return BuildReport(writer.manifest.generation, False, run.stages, run.seconds)
    n_prompts = _rows(writer, "prompts", "n_prompts")
    if writer.manifest.encoder is not None:
        settings = replace(settings, encoder=writer.manifest.encoder.name)  # what `auto` came to
    record = run.record(settings, n_prompts, writer.manifest.measured)
    manifest = writer.commit(record, versions())
    for leftover in writer.work.iterdir():
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    return BuildReport(manifest.generation, True, run.stages, run.seconds)


def _encoder_name(writer: Writer, settings: Settings, *, change: bool) -> str:
    """Choose the encoder: the store's own unless another is asked for, which a store with vectors refuses by name.

    The digest is compared when the encoder is loaded. With `change` it refuses nothing.
    """
    from promptscan.errors import StoreError

    known = writer.manifest.encoder
    if settings.encoder == AUTO:
        return known.name if known else DEFAULT_ENCODER
    if known is not None and known.name != settings.encoder and not change:
        raise StoreError(
            f"store {writer.root} holds vectors of encoder {known.name}, not of {settings.encoder}; "
            f"use `--encoder {known.name}`, another --store for {settings.encoder}, or embed all texts anew with "
            f"`promptscan build --encoder {settings.encoder} --recluster`"
        )
    return settings.encoder


def _rows(writer: Writer, kind: str, count: str) -> int:
    return sum(int(segment.meta[count]) for segment in writer.manifest.of_kind(kind))


def _index(writer: Writer, settings: Settings, run: Run) -> None:
    covered = [segment.name for segment in writer.manifest.of_kind("vectors")]
    before = writer.parent.derived("index.faiss") if writer.parent and covered else None
    if before is not None and writer.manifest.state.get("index", {}).get("segments") == covered:
        writer.derive("index.faiss", before)
    elif covered:
        from promptscan.build.indexing import index

        with run.stage("index"):
            run.note("index", index(writer, settings.recall_target))


def _banks(writer: Writer, run: Run, progress: Progress) -> None:
    from promptscan.state import FILE

    if not (writer.root / FILE).exists() and not writer.manifest.of_kind("banks"):
        return
    from promptscan.build.banking import keep_banks

    with run.stage("banks"):
        run.note("banks", keep_banks(writer, progress=progress))


def _compare(writer: Writer, run: Run, progress: Progress) -> None:
    if _rows(writer, "cleans", "n_cleans") == _rows(writer, "edges", "n"):
        return
    from promptscan.build.comparing import compare

    with run.stage("compare"):
        run.note("compare", compare(writer, progress=progress))


def _templates(writer: Writer, settings: Settings, run: Run, progress: Progress) -> None:
    from promptscan.rules import template_key

    current, rate = writer.manifest.of_kind("templates"), settings.false_positive_rate
    if not writer.manifest.of_kind("edges") or (
        current and current[-1].meta["key"] == template_key(writer.manifest, rate)
    ):
        return
    from promptscan.build.calibrating import keep_calibrated
    from promptscan.build.nesting import nest_templates
    from promptscan.build.templating import find_templates

    with run.stage("calibrate"):
        thresholds = keep_calibrated(writer, rate)
        run.note("calibrate", thresholds)
    with run.stage("templates"):
        run.note("templates", find_templates(writer, thresholds, progress=progress))
        nest_templates(writer)


def _probes(writer: Writer, settings: Settings, run: Run) -> None:
    from promptscan.rules import probe_key

    current = writer.manifest.of_kind("probes")
    if not writer.manifest.of_kind("nesting") or (current and current[0].meta["key"] == probe_key(writer.manifest)):
        return
    from promptscan.build.joining import join_probes

    with run.stage("probes"):
        run.note("probes", join_probes(writer, settings.torch_device))


def _families(writer: Writer, settings: Settings, run: Run, *, recluster: bool) -> None:
    from promptscan.rules import FamilyRules, family_key

    rules = FamilyRules(settings.min_family_size, settings.min_samples, settings.min_copies)
    current = writer.manifest.of_kind("families")
    same = bool(current) and current[0].meta["key"] == family_key(writer.manifest, rules)
    if not writer.manifest.of_kind("graph") or (same and not recluster):
        return
    from promptscan.build.graph import load_graph
    from promptscan.families import find_families
    from promptscan.rows import text_vectors

    with run.stage("families"):
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
        graph, vectors = load_graph(writer), text_vectors(writer)
        report = find_families(writer, graph, vectors, rules, run_id=run.run_id, now=now, recluster=recluster)
        run.note("families", report)


def _capabilities(writer: Writer, settings: Settings, run: Run, banks: Sequence[SeedBank]) -> None:
    from promptscan.rules import capability_key

    if not writer.manifest.of_kind("families"):
        return
    current = writer.manifest.of_kind("capabilities")
    if current and current[0].name.endswith(capability_key(writer.manifest, banks)[:24]):
        return
    from promptscan.build.probing import find_capabilities

    with run.stage("capabilities"):
        run.note("capabilities", find_capabilities(writer, banks, settings.torch_device))


def _campaigns(writer: Writer, settings: Settings, run: Run) -> None:
    from promptscan.build.weighing import evidence_key, keep_evidence, weigh_evidence
    from promptscan.verdicts import Decision, current_verdicts

    decided = current_verdicts(writer.root).items()
    barred = frozenset(subject for subject, one in decided if one.verdict is Decision.BENIGN)
    key = evidence_key(writer, settings, barred)
    current = writer.manifest.of_kind("evidence")
    if not writer.manifest.of_kind("stats") or (current and current[0].meta.get("key") == key):
        return
    from promptscan.build.campaigning import find_all_campaigns

    with writer.connect() as con:
        with run.stage("evidence"):
            weighing = weigh_evidence(writer, con, settings, barred, key)
        with run.stage("campaigns"):
            report, weighing = find_all_campaigns(writer, con, weighing, barred, settings.left_out)
            run.note("evidence", keep_evidence(writer, con, weighing, key))
            run.note("campaigns", report)
