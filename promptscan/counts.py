"""How often, and by how many accounts, texts were sent: arrays that answer by text id without reading anything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from promptscan.store import Files

Int64 = NDArray[np.int64]
ARRAYS = ("text_prompts", "text_accounts_indptr", "text_accounts")


@dataclass(frozen=True, slots=True)
class Counts:
    """Prompts and accounts of texts.

    Attributes:
        text_ids: int64 (t,), sorted: the texts that are counted; None when these are 0..t-1.
        prompts: int64 (t,), prompts of each.
        indptr: int64 (t + 1,); the accounts of text i are at indptr[i]..indptr[i + 1] - 1.
        accounts: int64, account numbers from 0 in the order of their ids, ascending, each once a text.
    """

    text_ids: Int64 | None
    prompts: Int64
    indptr: Int64
    accounts: Int64

    @classmethod
    def of_store(cls, files: Files) -> Counts:
        """Map the counts of a whole store."""
        segments = files.manifest.of_kind("stats")
        if not segments:
            nothing = np.zeros(0, dtype=np.int64)
            return cls(None, nothing, np.zeros(1, dtype=np.int64), nothing)
        paths = [files.verified(segments[0].file(f"{name}.npy")) for name in ARRAYS]
        return cls(None, *(np.load(path, mmap_mode="r", allow_pickle=False) for path in paths))

    @classmethod
    def of_prompts(cls, con: duckdb.DuckDBPyConnection, prompts: str, *, n_texts: int | None = None) -> Counts:
        """Count the prompts of a relation with `text_id` and `account_id`.

        Args:
            con: the connection the relation is in.
            prompts: its name, one of ours.
            n_texts: count texts 0..n_texts-1, those without prompts too; None: only texts with prompts.
        """
        rows = con.execute(
            f"SELECT text_id, count(*) AS n FROM {prompts} GROUP BY text_id ORDER BY text_id"
        ).fetchnumpy()
        pairs = con.execute(
            f"SELECT text_id, dense_rank() OVER (ORDER BY account_id) - 1 AS account "
            f"FROM (SELECT DISTINCT text_id, account_id FROM {prompts}) ORDER BY text_id, account"
        ).fetchnumpy()
        ids, counted = (np.asarray(rows[name], dtype=np.int64) for name in ("text_id", "n"))
        owners, accounts = (np.asarray(pairs[name], dtype=np.int64) for name in ("text_id", "account"))
        if n_texts is None:
            return cls(ids, counted, np.append(np.searchsorted(owners, ids), len(owners)), accounts)
        dense = np.zeros(n_texts, dtype=np.int64)
        dense[ids] = counted
        return cls(None, dense, np.searchsorted(owners, np.arange(n_texts + 1)), accounts)

    def extended(self, renumbered: Int64, texts: Int64, accounts: Int64, *, n_texts: int) -> Counts:
        """Add prompts to a dense count.

        Args:
            renumbered: int64 (a,), the number that each account has from now on; their order is the same.
            texts: int64 (p,), text of each further prompt.
            accounts: int64 (p,), account of each, by its new number; below 2^31.
            n_texts: texts from now on.
        """
        prompts = np.bincount(texts, minlength=n_texts).astype(np.int64)
        prompts[: len(self.prompts)] += self.prompts
        owners = np.repeat(np.arange(len(self.prompts)), np.diff(self.indptr))
        pairs = np.concatenate([owners << 32 | renumbered[self.accounts], np.sort(texts << 32 | accounts)])
        pairs.sort(kind="stable")  # two sorted runs: merging them is all there is to do
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        return Counts(None, prompts, np.searchsorted(pairs, np.arange(n_texts + 1) << 32), pairs & 0xFFFFFFFF)

    def save(self, directory: Path) -> None:
        """Write the arrays of a dense count."""
        for name, array in zip(ARRAYS, (self.prompts, self.indptr, self.accounts), strict=True):
            np.save(directory / f"{name}.npy", array.astype(np.int64), allow_pickle=False)

    def total(self, texts: Sequence[int]) -> tuple[int, int]:
        """Return (prompts, distinct accounts) of some texts together."""
        rows = self._rows(texts)
        if not len(rows):
            return 0, 0
        senders = [self.accounts[self.indptr[row] : self.indptr[row + 1]] for row in rows]
        return int(self.prompts[rows].sum()), len(np.unique(np.concatenate(senders)))

    def first_sent(self, texts: Sequence[int]) -> int | None:
        """Return the first of some texts that was sent at all."""
        return next((text for text in texts if self.total([text])[0]), None)

    def _rows(self, texts: Sequence[int]) -> Int64:
        wanted = np.asarray(texts, dtype=np.int64)
        if self.text_ids is None:
            return wanted[wanted < len(self.prompts)]
        if not len(self.text_ids):
            return wanted[:0]
        rows = np.minimum(np.searchsorted(self.text_ids, wanted), len(self.text_ids) - 1)
        found: Int64 = rows[self.text_ids[rows] == wanted]
        return found
