"""The schedule: one entry per prompt, without its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

DAY = 86_400_000_000
"""Microseconds."""


class Label(IntEnum):
    """What a prompt truly is; the truth table holds the lower-case names."""

    BACKGROUND = 0
    POPULAR_TEMPLATE = 1
    VENDOR_APP = 2
    RELAY = 3
    RETRY = 4
    CAMPAIGN = 5
    CAMPAIGN_COVER = 6
    VIRAL_PROMPT = 7
    HOMEWORK = 8
    BENCHMARK_REPLAY = 9
    EVALUATION_COMPANY = 10
    TRANSLATION_AGENCY = 11
    SEO_FARM = 12


@dataclass(frozen=True, slots=True)
class Plan:
    """Columns of the schedule, all (n,).

    Args:
        account: int32, row of the population.
        ts: int64, microseconds since the start of the window.
        label: int8, `Label`.
        writer: int16, who words the text, a number of `texts.Writers`.
        key: uint64, the randomness of the text; equal for a prompt and its retries.
        topic: int16, row of `topics.toml`.
        session: int64, unique within one part of the plan, made global by `join`.
        sweep: int64, position in the sweep of a campaign's template; what fixes the wording of a negative's group.
        edit: int8, 0 = as worded, 1.. = a light edit (`texts.edited`).
        campaign: int16, number of the campaign, -1 for none.
        reworded: bool, its fixed text is paraphrased.
        real: int32, row of the corpus that stands in its place, -1 for none.
    """

    account: NDArray[np.int32]
    ts: NDArray[np.int64]
    label: NDArray[np.int8]
    writer: NDArray[np.int16]
    key: NDArray[np.uint64]
    topic: NDArray[np.int16]
    session: NDArray[np.int64]
    sweep: NDArray[np.int64]
    edit: NDArray[np.int8]
    campaign: NDArray[np.int16]
    reworded: NDArray[np.bool_]
    real: NDArray[np.int32]

    @property
    def size(self) -> int:
        """Number of prompts."""
        return int(self.ts.size)

    def take(self, rows: NDArray[np.int64]) -> Plan:
        """Return some of the rows."""
        return Plan(*(getattr(self, column.name)[rows] for column in fields(self)))


def plan(
    account: NDArray[np.int32],
    ts: NDArray[np.int64],
    label: Label,
    *,
    writer: NDArray[np.int64] | int,
    key: NDArray[np.uint64],
    topic: NDArray[np.int64],
    session: NDArray[np.int64],
    sweep: NDArray[np.int64] | int = 0,
) -> Plan:
    """Return a plan of ordinary prompts: one label, no edit, no campaign."""
    n = ts.size
    return Plan(
        account.astype(np.int32),
        ts,
        np.full(n, label, dtype=np.int8),
        np.broadcast_to(np.asarray(writer, dtype=np.int16), n).copy(),
        key,
        topic.astype(np.int16),
        session,
        np.broadcast_to(np.asarray(sweep, dtype=np.int64), n).copy(),
        np.zeros(n, dtype=np.int8),
        np.full(n, -1, dtype=np.int16),
        np.zeros(n, dtype=np.bool_),
        np.full(n, -1, dtype=np.int32),
    )


def join(parts: Sequence[Plan]) -> Plan:
    """Put parts together in time order; ties keep the order of the parts, sessions stay apart."""
    offset = 0
    sessions = []
    for part in parts:
        sessions.append(part.session + offset)
        offset += int(part.session.max()) + 1 if part.size else 0
    columns = {column.name: np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Plan)}
    columns["session"] = np.concatenate(sessions)
    return Plan(**columns).take(np.argsort(columns["ts"], kind="stable"))
