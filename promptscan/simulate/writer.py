"""The three tables, written in row groups so that memory holds one batch of texts at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.config import SimulationConfig
from promptscan.simulate.corpus import Corpus
from promptscan.simulate.created import created
from promptscan.simulate.draws import Keys, mix, pick, uniform
from promptscan.simulate.negative import NegativeKind
from promptscan.simulate.plan import DAY, Label, Plan
from promptscan.simulate.population import CAMPAIGN, COUNTRIES, NEGATIVE, Population
from promptscan.simulate.texts import Writers

BATCH = 1 << 16
"""Rows per row group, and the most texts held in memory."""

FILES = ("prompts.parquet", "accounts.parquet", "truth.parquet")
MODELS = ("aster-mini", "aster-2", "aster-3")
"""The last one is released inside the window."""

_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/142.0", "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_7) Safari/18.1",
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 15) Chrome/142.0 Mobile", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Edg/142.0",
)  # fmt: skip
_CLIENTS = ("python-requests/2.32", "aiohttp/3.11", "node-fetch/3.3", "okhttp/4.12", "curl/8.9")
# What operators build with; one each, for the accounts that share it. Few others use them.
_TOOLKITS = (
    "python-httpx/0.27.2", "got/14.4.5", "Go-http-client/2.0", "axios/1.7.9",
    "reqwest/0.12.9", "Java-http-client/21.0.5", "libcurl/8.11.0 r-curl/6.0.1", "undici/6.21.0",
)  # fmt: skip
_AGENTS = (*_BROWSERS, *_CLIENTS, *_TOOLKITS)
_TOOLKIT_ELSEWHERE = 0.004
_PROGRAMMED = {
    NegativeKind.VENDOR_APP: 1.0, NegativeKind.EVALUATION_COMPANY: 1.0, NegativeKind.SEO_FARM: 0.02, NegativeKind.HOMEWORK: 0.01,
}  # fmt: skip


@contextmanager
def replacing(out: Path) -> Iterator[dict[str, Path]]:
    """Give temporary paths for the tables; put all in place when the block ends well, none otherwise."""
    out.mkdir(parents=True, exist_ok=True)
    temporary = {name: out / f".{name}.{os.getpid()}.tmp" for name in FILES}
    try:
        yield temporary
        for name, path in temporary.items():
            path.replace(out / name)
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)


def write_tables(
    config: SimulationConfig,
    population: Population,
    plan: Plan,
    writers: Writers,
    corpus: Corpus,
    paths: dict[str, Path],
) -> None:
    """Write prompts and truth batch by batch, then the accounts.

    Args:
        config: complete.
        population: the accounts.
        plan: all prompts in time order.
        writers: the wordings.
        corpus: what `plan.real` numbers.
        paths: where, by file name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = _hex(mix(np.arange(plan.size, dtype=np.uint64), config.seed % (1 << 62) + 101))
    prompt_schema = pa.schema(
        [("prompt_id", pa.string()), ("ts", pa.timestamp("us"))]
        + [(name, pa.string()) for name in ("account_id", "text", "model", "session_id", "ip", "user_agent")]
    )
    truth_schema = pa.schema(
        [
            (name, pa.string())
            for name in ("prompt_id", "template_id", "family_id", "campaign_id", "label", "account_role")
        ]
    )
    with (
        pq.ParquetWriter(paths["prompts.parquet"], prompt_schema, compression="zstd") as prompts,
        pq.ParquetWriter(paths["truth.parquet"], truth_schema, compression="zstd") as truth,
    ):
        for begin in range(0, plan.size, BATCH):
            batch = plan.take(np.arange(begin, min(begin + BATCH, plan.size)))
            batch_ids = pa.array(ids[begin : begin + batch.size]).cast(pa.string())
            columns = [batch_ids, *_prompt_columns(config, population, batch, writers.write(batch, corpus.texts))]
            prompts.write_table(pa.table(columns, schema=prompt_schema))
            truth.write_table(
                pa.table([batch_ids, *_truth_columns(config, population, batch, writers)], schema=truth_schema)
            )
    _write_accounts(config, population, plan, paths["accounts.parquet"])


def _prompt_columns(config: SimulationConfig, population: Population, batch: Plan, texts: list[str]) -> list[Any]:
    import pyarrow as pa

    session_key = mix(batch.session.astype(np.uint64), config.seed % (1 << 62) + 202)
    place = pick(mix(session_key, 61), population.addresses.shape[1])
    network = np.unique(population.addresses[batch.account, place], return_inverse=True)
    return [
        pa.array(batch.ts + _micros(config.start), pa.timestamp("us")),
        _decoded(batch.account, population.ids),
        pa.array(texts, pa.string()),
        _decoded(_models(config, batch), MODELS),
        pa.array(_hex(session_key)).cast(pa.string()),
        _decoded(network[1], [_address(number) for number in network[0].tolist()]),
        _decoded(_agents(config, population, batch), _AGENTS),
    ]


def _truth_columns(config: SimulationConfig, population: Population, batch: Plan, writers: Writers) -> list[Any]:
    roles = ["person", *(negative.kind for negative in config.all_negatives()), "campaign"]
    templates, families = ([getattr(each, name) for each in writers.all] for name in ("template_id", "family_id"))
    return [
        _decoded(batch.writer, templates),
        _decoded(batch.writer, families),
        _decoded(batch.campaign, [*(campaign.name for campaign in config.all_campaigns()), None]),
        _decoded(batch.label, [label.name.lower() for label in Label]),
        _decoded(np.minimum(population.role[batch.account], len(roles) - 1), roles),
    ]


def _models(config: SimulationConfig, batch: Plan) -> NDArray[np.int64]:
    """Say which model each prompt asks.

    People move to a new model over weeks; a campaign that pivots moves half of its traffic within a day.
    """
    release = config.days // 2 if config.release_day is None else config.release_day
    age = (batch.ts - release * DAY - DAY // 2) / DAY
    pivots = np.array([*(campaign.pivot for campaign in config.all_campaigns()), False])[batch.campaign]
    moved = np.where(pivots, 0.5 * np.clip(4.0 * age, 0.0, 1.0), 0.3 * (1.0 - np.exp(-np.maximum(age, 0.0) / 9.0)))
    luck = uniform(mix(batch.key, 62) ^ batch.ts.astype(np.uint64))
    habit = uniform(mix(batch.account.astype(np.uint64), 63)) < 0.35
    return np.where((age >= 0) & (luck < moved), 2, np.where(habit, 0, 1)).astype(np.int64)


def _agents(config: SimulationConfig, population: Population, batch: Plan) -> NDArray[np.int64]:
    """Give each account two clients; programs are common in firms and campaigns, and not rare elsewhere."""
    programmed = np.full(CAMPAIGN + len(config.all_campaigns()), 0.08)
    toolkit = np.full(programmed.size, _TOOLKIT_ELSEWHERE)
    for number, negative in enumerate(config.all_negatives()):
        programmed[NEGATIVE + number] = _PROGRAMMED.get(NegativeKind(negative.kind), 0.08)
    for number, campaign in enumerate(config.all_campaigns()):
        programmed[CAMPAIGN + number], toolkit[CAMPAIGN + number] = 0.35, campaign.sharing.user_agent
    role = population.role[batch.account]
    account = batch.account.astype(np.uint64)
    browser = pick(
        mix(account, 64) ^ pick(mix(batch.session.astype(np.uint64), 65), 2).astype(np.uint64), len(_BROWSERS)
    )
    client = len(_BROWSERS) + pick(mix(account, 66), len(_CLIENTS))
    own = np.where(
        role < CAMPAIGN, pick(mix(account, 69), len(_TOOLKITS)), (role + config.seed % len(_TOOLKITS)) % len(_TOOLKITS)
    )
    usual = np.where(uniform(mix(account, 67)) < programmed[role], client, browser)
    return np.where(uniform(mix(account, 68)) < toolkit[role], len(_BROWSERS) + len(_CLIENTS) + own, usual)


def _write_accounts(config: SimulationConfig, population: Population, plan: Plan, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    order = np.array(sorted(range(config.accounts), key=population.ids.__getitem__), dtype=np.int64)
    made = created(config, population, plan)
    table = pa.table(
        {
            "account_id": [population.ids[row] for row in order.tolist()],
            "created_at": pa.array(made[order] + _micros(config.start), pa.timestamp("us")),
            "org_id": _named("org", population.org[order]),
            "payment_id": _named("pay", population.payment[order]),
            "ip": [_address(number) for number in population.addresses[order, 0].tolist()],
            "asn": [f"AS{number}" for number in population.asn[order].tolist()],
            "country": _decoded(population.country[order], [each[0] for each in COUNTRIES]),
            "email_domain": pa.array(population.mail[order].tolist(), pa.string()),
            "plan": pa.array(population.plan[order].tolist(), pa.string()),
        }
    )
    pq.write_table(table, path, compression="zstd")


def _hex(keys: Keys) -> NDArray[np.bytes_]:
    """Print 64-bit keys as 16 hexadecimal digits, bytes (n,)."""
    return np.frombuffer(keys.astype(">u8").tobytes().hex().encode(), dtype="S16")


def _decoded(codes: NDArray[Any], values: Sequence[str | None]) -> Any:
    """Return values by code as an Arrow string array; a negative code counts from the end."""
    import pyarrow as pa

    indices = np.where(codes < 0, len(values) + codes.astype(np.int64), codes).astype(np.int32)
    return pa.array(values, pa.string()).take(pa.array(indices))


def _named(prefix: str, keys: Keys) -> Any:
    import pyarrow as pa

    return pa.array([f"{prefix}_{key:016x}" if key else None for key in keys.tolist()], pa.string())


def _address(number: int) -> str:
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def _micros(moment: datetime) -> int:
    return round(moment.timestamp()) * 1_000_000
