"""A change of encoder: what was made from the vectors is made anew in the next generation; families find their names again.

The live generation keeps its vectors and its encoder until the new one is committed, and vectors that a killed run
finished are taken over by the next one that asks for the same encoder.
"""

from __future__ import annotations

from dataclasses import dataclass

from promptscan.encoders import load_encoder
from promptscan.store import EncoderRef, Writer

OF_VECTORS = ("vectors", "graph", "cells", "edges", "duplicates", "templates", "nesting", "probes")
"""Kinds of segments that hold vectors, or something that was found by them. Families stay, to be matched with the new ones."""

NOTES = {"state": ("index", "thresholds"), "measured": ("index", "neighbours", "thresholds")}
"""What is remembered and measured of them."""


@dataclass(frozen=True, slots=True)
class EncoderReport:
    """A change of encoder: names before and after, and the clean texts that are embedded again."""

    before: str
    after: str
    texts: int


def change_encoder(writer: Writer, name: str, device: str | None) -> EncoderReport | None:
    """Leave everything that comes from the vectors out of the draft if these are not of the encoder that `name` is now.

    Returns:
        What changes; None when the vectors are of this encoder, or there are none.

    Raises:
        UsageError: there is no such encoder.
        PromptscanError: it can't be loaded.
    """
    before = writer.manifest.encoder
    if before is None:
        return None
    identity = load_encoder(name, device=device).identity
    after = EncoderRef(identity.name, identity.digest, identity.dim)
    if after == before:
        return None
    texts = sum(int(segment.meta["n"]) for segment in writer.manifest.of_kind("vectors"))
    writer.discard(OF_VECTORS, **NOTES)
    writer.change_encoder(after)
    return EncoderReport(before.name, after.name, texts)
