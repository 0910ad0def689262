"""What makes a family, and the digest that says whether families are still what these rules give."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from promptscan.banks import bank_digest
from promptscan.seedbanks import SeedBank, banks_digest
from promptscan.store import Manifest, Segment

INPUTS = ("graph", "prompts", "cleans", "templates", "probes")
PROBE_INPUTS = ("templates", "nesting")
EDGE_INPUTS = ("cleans", "fingerprints", "graph")
BACKGROUND_GROWN = 1.25
CAPABILITY_INPUTS = ("cleans", "vectors", "templates")


@dataclass(frozen=True, slots=True)
class FamilyRules:
    """The settings of the same names; see `promptscan.config.Settings`."""

    min_family_size: int
    min_samples: int
    min_copies: int


def family_key(manifest: Manifest, rules: FamilyRules) -> str:
    """Digest what families are made from: equal keys, equal families."""
    names = [segment.name for segment in manifest.segments if segment.kind in INPUTS]
    return hashlib.sha256(json.dumps(["families", names, astuple(rules)]).encode()).hexdigest()


def edge_key(manifest: Manifest) -> str:
    """Digest what edges are made from."""
    names = [segment.name for segment in manifest.segments if segment.kind in EDGE_INPUTS]
    return hashlib.sha256(json.dumps(["edges", names, bank_digest(manifest)]).encode()).hexdigest()


def template_key(manifest: Manifest, rate: float) -> str:
    """Digest what duplicates and templates are made from; `rate` is the false-positive rate of their thresholds."""
    names = [segment.name for segment in manifest.of_kind("edges")]
    return hashlib.sha256(json.dumps(["templates", names, rate]).encode()).hexdigest()


def probe_key(manifest: Manifest) -> str:
    """Digest what probes are made from."""
    names = [segment.name for segment in manifest.segments if segment.kind in PROBE_INPUTS]
    encoder = manifest.encoder.digest if manifest.encoder else ""
    return hashlib.sha256(json.dumps(["probes 2", names, encoder]).encode()).hexdigest()


def capability_key(manifest: Manifest, banks: Sequence[SeedBank]) -> str:
    """Digest what capabilities are made from: equal keys, equal capabilities. Who found the families and when is not part of it."""
    names = [segment.name for segment in manifest.segments if segment.kind in CAPABILITY_INPUTS]
    families = [
        segment.file(name).sha256
        for segment in manifest.of_kind("families")
        for name in ("members.parquet", "family_names.parquet")
    ]
    drawn = background_n(manifest.of_kind("capabilities"), manifest)
    document = ["capabilities 3", names, families, banks_digest(banks), drawn]
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()


def background_n(before: Sequence[Segment], manifest: Manifest) -> int:
    """Return the number of clean texts that the background of capabilities is drawn from.

    Those of the last draw, until the store has grown by `BACKGROUND_GROWN`: so families keep what they were judged as.

    Args:
        before: the capabilities there are.
        manifest: the draft.
    """
    n = sum(int(segment.meta["n_cleans"]) for segment in manifest.of_kind("cleans"))
    drawn = [int(segment.meta.get("background_n", 0)) for segment in before]
    return drawn[0] if drawn and drawn[0] <= n < BACKGROUND_GROWN * drawn[0] else n
