"""Who acts: an account for itself, or for its organisation, whose members share payments, networks and prompts as a matter of course."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from promptscan.findings.facts import Facts, Sharing, habits
from promptscan.findings.merge import distinct, extreme, extreme_at, some_fills

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

SETTLED = 30.0  # days from which an account is no throw-away
EVERYBODY = 0.25  # share of all accounts from which a mail domain is a provider's and no organisation's
PROVIDERS = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "msn.com",
        "yahoo.com",
        "ymail.com",
        "aol.com",
        "icloud.com",
        "me.com",
        "mac.com",
        "proton.me",
        "protonmail.com",
        "pm.me",
        "gmx.net",
        "gmx.de",
        "gmx.com",
        "web.de",
        "t-online.de",
        "freenet.de",
        "mail.com",
        "mail.ru",
        "bk.ru",
        "list.ru",
        "inbox.ru",
        "yandex.ru",
        "yandex.com",
        "qq.com",
        "foxmail.com",
        "163.com",
        "126.com",
        "sina.com",
        "sina.cn",
        "sohu.com",
        "aliyun.com",
        "naver.com",
        "daum.net",
        "hanmail.net",
        "kakao.com",
        "yahoo.co.jp",
        "docomo.ne.jp",
        "ezweb.ne.jp",
        "softbank.ne.jp",
        "rediffmail.com",
        "zoho.com",
        "fastmail.com",
        "tutanota.com",
        "tuta.com",
        "hey.com",
        "duck.com",
        "orange.fr",
        "wanadoo.fr",
        "free.fr",
        "laposte.net",
        "sfr.fr",
        "libero.it",
        "virgilio.it",
        "tiscali.it",
        "uol.com.br",
        "bol.com.br",
        "terra.com.br",
        "hotmail.co.uk",
        "hotmail.fr",
        "yahoo.co.uk",
        "yahoo.fr",
        "yahoo.de",
        "yahoo.co.in",
        "yahoo.com.br",
        "btinternet.com",
        "sky.com",
        "comcast.net",
        "verizon.net",
        "att.net",
        "sbcglobal.net",
        "cox.net",
        "bigpond.com",
        "seznam.cz",
        "wp.pl",
        "o2.pl",
        "interia.pl",
        "abv.bg",
    ]
)
"""Mail domains that anybody can have."""


def actors(facts: Facts) -> Int64:
    """Return who each account acts for, numbered from 0 in the order of their first accounts, int64 (a,).

    An organisation is declared (`org_id`), or a mail domain that is no provider's and whose accounts are mostly settled: a
    domain of throw-away accounts explains nothing.
    """
    who = np.arange(len(facts.accounts))
    declared = facts.organisation >= 0
    who[declared] = len(who) + facts.organisation[declared]
    domains = facts.sharing["email_domain"]
    if domains.holders:
        age = np.nan_to_num(facts.age(), nan=0.0)
        old = np.bincount(domains.value, age[domains.account] >= SETTLED, len(domains.totals))
        public = np.array([name.strip().lower() in PROVIDERS for name in domains.names], dtype=bool)
        private = ~public & (domains.totals <= max(EVERYBODY * domains.holders, 5))
        settled = private & (domains.totals > 1) & (old >= 0.5 * domains.totals)
        rows = settled[domains.value] & ~declared[domains.account]
        first = len(who) + int(facts.organisation.max(initial=-1)) + 1
        who[domains.account[rows]] = first + domains.value[rows]
    _, first_seen, place = np.unique(who, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first_seen))[place.ravel()], dtype=np.int64)


def by_actor(facts: Facts) -> Facts:
    """Return the facts with the accounts of an organisation as one; families keep their number of accounts.

    An organisation is one of a family's users and nothing more: what its accounts have, send and do together is
    its own affair, and the union of it has something in common with everybody.
    """
    who = actors(facts)
    n = int(who.max(initial=-1)) + 1
    if n == len(who):
        return facts
    total = np.bincount(who, facts.total, n).astype(np.int64)
    single = np.bincount(who, minlength=n) == 1
    pairs, place = distinct(facts.family, who[facts.account])
    own = single[pairs[:, 1]]
    asked, present = single[who[facts.asks[:, 1]]], single[who[facts.events[:, 1]]]
    prompts = np.bincount(place, facts.prompts, len(pairs)).astype(np.int64)
    asks, where = distinct(facts.asks[asked, 0], who[facts.asks[asked, 1]], facts.asks[asked, 2])
    moved = np.zeros(len(asks), dtype=np.int64)
    np.maximum.at(moved, where, facts.asks[asked, 3])
    events, _ = distinct(facts.events[present, 0], who[facts.events[present, 1]], facts.events[present, 2])
    none = np.datetime64("NaT")
    hours = np.zeros(n, dtype=np.int64)
    np.maximum.at(hours, who, facts.hours)
    squares = np.bincount(pairs[:, 0], prompts.astype(np.float64) ** 2, facts.n)
    together = replace(
        facts,
        effective=np.bincount(pairs[:, 0], prompts, facts.n) ** 2 / np.maximum(squares, 1),
        accounts=[str(number) for number in range(n)],
        total=total,
        first=extreme(facts.first, who, n, np.minimum),
        created=np.where(single, extreme_at(facts.first, facts.created, who, n), none),
        home=_of_first(facts.home, who, n),
        place=_of_first(facts.place, who, n),
        organisation=np.full(n, -1, dtype=np.int64),
        family=pairs[:, 0],
        account=pairs[:, 1],
        prompts=prompts,
        pair_first=np.where(own, extreme(facts.pair_first, place, len(pairs), np.minimum), none),
        pair_last=np.where(own, extreme(facts.pair_last, place, len(pairs), np.maximum), none),
        events=events,
        hours=np.where(single, hours, 0),
        languages=np.where(single, _largest(facts.languages, who, n), np.nan),
        single=single,
        obfuscated=np.bincount(place, facts.obfuscated, len(pairs)) > 0,
        asks=np.column_stack([asks, moved]) if len(asks) else np.zeros((0, 4), dtype=np.int64),
        sharing={kind: _sharing(one, who, single) for kind, one in facts.sharing.items()},
        fills=some_fills(replace(facts.fills, account=who[facts.fills.account]), single[who[facts.fills.account]]),
    )
    known = habits(together)
    return replace(
        together, inside=np.where(single, known["inside"], np.nan), breadth=np.where(single, known["breadth"], 0)
    )


def _largest(values: Float64, who: Int64, n: int) -> Float64:
    """Return the largest value of each actor, NaN where none is known."""
    out = np.full(n, -np.inf)
    np.maximum.at(out, who, np.nan_to_num(values, nan=-np.inf))
    return np.where(np.isinf(out), np.nan, out)


def _of_first(values: Int64, who: Int64, n: int) -> Int64:
    """Return what each actor's first account has."""
    out = np.zeros(n, dtype=np.int64)
    out[who[::-1]] = values[::-1]
    return out


def _sharing(sharing: Sharing, who: Int64, single: NDArray[np.bool_]) -> Sharing:
    kept = single[who[sharing.account]]
    rows, _ = distinct(who[sharing.account[kept]], sharing.value[kept])
    totals = np.bincount(rows[:, 1], minlength=len(sharing.totals)).astype(np.int64)
    return Sharing(rows[:, 0], rows[:, 1], totals, len(np.unique(rows[:, 0])), sharing.names)
