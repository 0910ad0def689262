"""Small worlds of accounts and families, written prompt by prompt, for campaigns to be found in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from promptscan.campaigns import Campaigns, Traffic, find_campaigns

DAY_ZERO = np.datetime64("2026-01-01", "us")
HOUR = np.timedelta64(1, "h")


@dataclass
class World:
    """Who sends what, by name; `traffic` turns it into numbers."""

    sent: Counter[tuple[str, str]] = field(default_factory=Counter)  # (family, account) -> prompts
    other: Counter[str] = field(default_factory=Counter)  # account -> prompts outside of all families
    has: set[tuple[str, str, str]] = field(default_factory=set)  # (account, kind, value)
    created: dict[str, np.datetime64] = field(default_factory=dict)
    passed: dict[str, float] = field(default_factory=dict)  # family -> strength
    silent: bool = False  # no times in the log

    def operation(
        self,
        name: str,
        *,
        accounts: int,
        templates: int,
        prompts: int,
        cover: float = 0.2,
        seed: int = 0,
        first: int = 0,
    ) -> list[str]:
        """Let accounts share templates at random; return them."""
        rng = np.random.default_rng(seed)
        names = [f"{name}-{number:05}" for number in range(first, first + accounts)]
        for account in names:
            for template in rng.integers(0, templates, prompts).tolist():
                self.sent[f"{name}/{template}", account] += 1
            self.other[account] += int(rng.binomial(prompts, cover))
        self.passed.update({f"{name}/{template}": 20.0 - template for template in range(templates)})
        return names

    def crowd(self, accounts: int, *, popular: int = 5, seed: int = 0) -> list[str]:
        """Let unrelated people send diverse traffic, and popular templates now and then."""
        rng = np.random.default_rng(seed)
        names = [f"person-{number:05}" for number in range(accounts)]
        for account, n, pastes in zip(
            names, rng.geometric(0.1, accounts).tolist(), rng.random(accounts).tolist(), strict=True
        ):
            self.other[account] += n
            if pastes < 0.3 and popular:
                self.sent[f"popular/{rng.integers(popular)}", account] += 1
        return names

    def own(self, accounts: Iterable[str], kind: str, values: Sequence[str]) -> None:
        """Deal values of a kind out to accounts, one each."""
        self.has |= {(account, kind, values[place % len(values)]) for place, account in enumerate(accounts)}

    def accounts(self) -> list[str]:
        return sorted({account for _, account in self.sent} | set(self.other))

    def traffic(self) -> Traffic:
        """The world by number; accounts without a prompt in any family count in the store only."""
        families = sorted({family for family, _ in self.sent})
        accounts = sorted({account for _, account in self.sent})
        number = {name: place for place, name in enumerate(accounts)}
        place = {name: at for at, name in enumerate(families)}
        pairs = sorted(self.sent)
        total: Counter[str] = Counter(self.other)
        for (_, account), count in self.sent.items():
            total[account] += count
        holders = Counter((kind, value) for _, kind, value in self.has)
        entities = sorted(holders)
        entity = {named: at for at, named in enumerate(entities)}
        held = sorted((entity[kind, value], number[account]) for account, kind, value in self.has if account in number)
        nat = np.datetime64("NaT", "us")
        first = np.array([nat if self.silent else DAY_ZERO + at * HOUR for at in range(len(pairs))], dtype="M8[us]")
        return Traffic(
            families,
            accounts,
            numbers(place[family] for family, _ in pairs),
            numbers(number[account] for _, account in pairs),
            numbers(self.sent[pair] for pair in pairs),
            numbers(total[account] for account in accounts),
            first,
            first + HOUR,
            times(self.created.get(account, nat) for account in accounts),
            entities,
            numbers(at for at, _ in held),
            numbers(account for _, account in held),
            numbers(holders[named] for named in entities),
            len(self.accounts()),
            times(self.created.values()),
        )

    def find(self, together: dict[str, int] | None = None) -> Campaigns:
        return find(self.traffic(), self.passed, together)


def find(traffic: Traffic, passed: dict[str, float], together: dict[str, int] | None = None) -> Campaigns:
    """Find campaigns, where families with a strength passed, some in groups, and popular ones are known to be benign."""
    strength = np.array([passed.get(name, 0.0) for name in traffic.families], dtype=np.float64)
    founding = np.array([name in passed for name in traffic.families], dtype=bool)
    eligible = np.array([not name.startswith("popular") for name in traffic.families], dtype=bool)
    group = numbers((together or {}).get(name, -1) for name in traffic.families)
    return find_campaigns(traffic, founding, strength, eligible, group)


def members(campaigns: Campaigns, campaign: int = 0) -> set[str]:
    """Accounts of a campaign."""
    pairs = zip(campaigns.account_campaign.tolist(), campaigns.account_ids, strict=True)
    return {account for number, account in pairs if number == campaign}


def score_of(campaigns: Campaigns, account: str) -> float:
    """Score of a member, 0 for others."""
    return dict(zip(campaigns.account_ids, campaigns.account_score.tolist(), strict=True)).get(account, 0.0)


def reasons_of(campaigns: Campaigns, account: str) -> tuple[str, ...]:
    return campaigns.account_reasons[campaigns.account_ids.index(account)]


def shuffled(traffic: Traffic, seed: int) -> Traffic:
    """The same world with all names and pairs in another order."""
    rng = np.random.default_rng(seed)
    families, accounts, entities = (
        rng.permutation(len(names)) for names in (traffic.families, traffic.accounts, traffic.entities)
    )
    pairs, held = rng.permutation(len(traffic.family)), rng.permutation(len(traffic.entity))
    return replace(
        traffic,
        families=[traffic.families[at] for at in families],
        accounts=[traffic.accounts[at] for at in accounts],
        entities=[traffic.entities[at] for at in entities],
        family=np.argsort(families)[traffic.family[pairs]],
        account=np.argsort(accounts)[traffic.account[pairs]],
        prompts=traffic.prompts[pairs],
        first_ts=traffic.first_ts[pairs],
        last_ts=traffic.last_ts[pairs],
        account_total=traffic.account_total[accounts],
        created=traffic.created[accounts],
        entity=np.argsort(entities)[traffic.entity[held]],
        entity_account=np.argsort(accounts)[traffic.entity_account[held]],
        entity_total=traffic.entity_total[entities],
        store_created=rng.permutation(traffic.store_created),
    )


def numbers(values: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(values, dtype=np.int64)


def times(values: Iterable[np.datetime64]) -> NDArray[np.datetime64]:
    return np.array(list(values), dtype="M8[us]")
