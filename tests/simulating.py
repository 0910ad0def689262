"""Simulated logs as tables."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from promptscan.simulate import Simulation, SimulationConfig, simulate


@dataclass(frozen=True)
class Log:
    result: Simulation
    prompts: pa.Table
    accounts: pa.Table
    truth: pa.Table

    def where(self, column: str, value: str) -> pa.Table:
        """Return the prompts whose truth has a value."""
        return self.prompts.filter(pc.fill_null(pc.equal(self.truth[column], value), fill_value=False))

    def owners(self, prompts: pa.Table) -> pa.Table:
        """Return the rows of the accounts that sent some prompts."""
        return self.accounts.filter(pc.is_in(self.accounts["account_id"], pc.unique(prompts["account_id"])))

    def with_role(self, role: str) -> pa.Table:
        """Return the rows of the accounts of a role that sent anything."""
        return self.owners(self.where("account_role", role))


def run(config: SimulationConfig, out: Path) -> Log:
    """Simulate and read."""
    result = simulate(config, out)
    return Log(result, *(pq.read_table(path) for path in (result.prompts, result.accounts, result.truth)))


def digests(result: Simulation) -> list[str]:
    """Return the hash of each table's file."""
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in (result.prompts, result.accounts, result.truth)]


def per_account_day(prompts: pa.Table) -> dict[tuple[str, int], int]:
    """Return how many prompts each account sent on each day."""
    days = pc.divide(prompts["ts"].cast(pa.int64()), 86_400_000_000)
    counted = (
        pa.table({"account": prompts["account_id"], "day": days})
        .group_by(["account", "day"])
        .aggregate([([], "count_all")])
    )
    rows = counted.to_pydict()
    return dict(zip(zip(rows["account"], rows["day"], strict=True), rows["count_all"], strict=True))
