"""What campaigns are found in: who sent how much to which family, and what accounts have in common, by number."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Times = NDArray[np.datetime64]
SIGN_UP_HOUR = "sign_up_hour"  # kind of an entity: the hour in which accounts were created


def no_times() -> Times:
    """Return no time at all."""
    return np.empty(0, dtype="datetime64[us]")


@dataclass(frozen=True, slots=True, repr=False)  # millions of rows, of strings from outside
class Traffic:
    """Family × account pairs and account × entity pairs of a store.

    Attributes:
        families: ids of the families of interest (those with a template that was handed on, or that passed).
        accounts: ids of the accounts that take part in any of them.
        family, account: int64 (p,), numbers of a pair's family and account; each pair once, in any order.
        prompts: int64 (p,), prompts of the account in the family.
        account_total: int64 (accounts,), all prompts of each account.
        first_ts, last_ts: datetime64[us] (p,), UTC; NaT where the log has no time.
        created: datetime64[us] (accounts,), NaT where unknown.
        entities: kind and value of what accounts have in common (payment id, address, …).
        entity, entity_account: int64 (q,), numbers of an entity and an account that has it; each pair once.
        entity_total: int64 (entities,), accounts of the whole store that have it.
        n_accounts: accounts of the whole store.
        store_created: datetime64[us], creation times of all accounts of the store; empty: those of `created`.
    """

    families: Sequence[str]
    accounts: Sequence[str]
    family: Ints
    account: Ints
    prompts: Ints
    account_total: Ints
    first_ts: Times
    last_ts: Times
    created: Times
    entities: Sequence[tuple[str, str]]
    entity: Ints
    entity_account: Ints
    entity_total: Ints
    n_accounts: int
    store_created: Times = field(default_factory=no_times)

    def ordered(self) -> tuple[Traffic, Ints]:
        """Return the same traffic with all names and pairs in order, so that input order cannot matter.

        Returns:
            The traffic, and int64 (families,): the former number of each family.
        """
        families, family_rank = _order(self.families)
        accounts, account_rank = _order(self.accounts)
        entities, entity_rank = _order(self.entities)
        family, account = family_rank[self.family], account_rank[self.account]
        pairs = np.lexsort((account, family))
        entity, holder = entity_rank[self.entity], account_rank[self.entity_account]
        holdings = np.lexsort((holder, entity))
        known = self.store_created if len(self.store_created) else self.created
        return replace(
            self,
            families=[self.families[number] for number in families.tolist()],
            accounts=[self.accounts[number] for number in accounts.tolist()],
            family=family[pairs],
            account=account[pairs],
            prompts=self.prompts[pairs],
            account_total=self.account_total[accounts],
            first_ts=self.first_ts[pairs],
            last_ts=self.last_ts[pairs],
            created=self.created[accounts],
            entities=[self.entities[number] for number in entities.tolist()],
            entity=entity[holdings],
            entity_account=holder[holdings],
            entity_total=self.entity_total[entities],
            store_created=np.sort(known[~np.isnat(known)]),
        ), families

    def with_sign_up_hours(self) -> Traffic:
        """Return the same traffic with the hour of each account's creation as one more thing accounts have in common.

        Traffic must be in order; a burst that midnight of an hour cuts in two is still two bursts that tie.
        """
        known = np.flatnonzero(~np.isnat(self.created))
        hours, place = np.unique(self.created[known].astype("datetime64[h]"), return_inverse=True)
        total = np.diff(np.searchsorted(self.store_created, [hours, hours + np.timedelta64(1, "h")]), axis=0)[0]
        return replace(
            self,
            entities=[*self.entities, *((SIGN_UP_HOUR, hour) for hour in hours.astype(str).tolist())],
            entity=np.concatenate([self.entity, len(self.entities) + place]),
            entity_account=np.concatenate([self.entity_account, known]),
            entity_total=np.concatenate([self.entity_total, np.maximum(total, np.bincount(place))]).astype(np.int64),
        )


def _order(names: Sequence[Any]) -> tuple[Ints, Ints]:
    """Return the numbers of names in their order, and the place of each number in it."""
    order = np.arange(len(names), dtype=np.int64)
    if any(left > right for left, right in itertools.pairwise(names)):
        order = np.asarray(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order), dtype=np.int64)
    return order, rank
