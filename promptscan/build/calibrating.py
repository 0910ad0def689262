"""Which thresholds are in force: read off the store's background, again when it has doubled or the rate has changed."""

from __future__ import annotations

import numpy as np

from promptscan.build.comparing import stored_edges
from promptscan.calibrate import BUILT_IN, Thresholds, background_pairs, calibrate, components
from promptscan.cleans import CleanTexts
from promptscan.rows import text_vectors
from promptscan.store import Files, Writer

DOUBLED = 2  # times the texts that the thresholds were read off


def thresholds(files: Files) -> Thresholds:
    """Return the thresholds in force; the built-in ones in a store that has none yet."""
    state = files.manifest.state.get("thresholds")
    return Thresholds.from_dict(state["values"]) if state else BUILT_IN


def keep_calibrated(writer: Writer, rate: float) -> Thresholds:
    """Calibrate the draft's thresholds if they are due.

    Old groups and templates keep the thresholds they were made with; new texts meet those in force. Only another rate is a
    reason to make all of them again, see `promptscan.build.templating`.

    Args:
        writer: the draft, with its edges.
        rate: false-positive rate, the setting.
    """
    n = sum(int(segment.meta["n"]) for segment in writer.manifest.of_kind("edges"))
    state = writer.manifest.state.get("thresholds")
    if state and state["values"]["false_positive_rate"] == rate and n < DOUBLED * state["n"]:
        return Thresholds.from_dict(state["values"])
    vectors = text_vectors(writer)
    with writer.connect() as con:
        pairs = background_pairs(components(n, stored_edges(con)))
        cleans, numbers = np.unique(pairs, return_inverse=True)
        found = calibrate(
            CleanTexts(writer).take(cleans),
            lambda x, y: vectors.cosines(cleans[x], cleans[y]),
            numbers.reshape(pairs.shape).astype(np.int64),
            false_positive_rate=rate,
        )
    writer.remember(thresholds={"n": n, "values": found.to_dict()})
    writer.measure(thresholds=found.to_dict())
    return found
