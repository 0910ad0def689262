"""What is known of families and accounts, by number: read once a build, read by every kind of evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.signals.sweeps import Fills
from promptscan.sql import arrow, script, statements

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Times = NDArray[np.datetime64]
Bool = NDArray[np.bool_]

LEAST = 4
"""Fewest accounts of a family that is looked at, and of a campaign: three may be friends."""

BIN = 600  # seconds within which prompts of two accounts are simultaneous
DAY = 86_400
TEN_MINUTES = f"epoch_us(ts) // {BIN * 1_000_000}"
"""SQL: the bin of a prompt; seconds as whole numbers would be rounded, and a day's last half second the next day's."""
SAMPLED = 8  # texts of an account whose languages are told
LANGUAGES = 2  # number of the rule by which they are told: another rule has another one
OBFUSCATED = 0.05  # share of a text's characters from which it is disguised on purpose
MODEL_DAYS = 2  # days after a release in which a move to it is a pivot
WORDED, REUSED = 16, 0.3  # words in common, and their share of a text, from which a wording is no accident
KNOWN = 0.5  # share of a family's texts that a benign bank knows, from which it is known
TRANSFERRED = 0.5  # of the transfer axis, from which it passes
SHARED = ("payment_id", "ip", "asn", "user_agent", "email_domain", "api_key_id")


@dataclass(frozen=True, slots=True)
class Sharing:
    """One kind of entity: account x value, by number.

    Attributes:
        account, value: int64 (q,).
        totals: accounts that have each value, int64 (v,).
        holders: accounts that have any.
        names: the values as they are written; of mail domains only.
    """

    account: Int64
    value: Int64
    totals: Int64
    holders: int
    names: list[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything by number; families f, accounts a, pairs p of them.

    Attributes:
        families: ids. n_accounts, n_prompts, effective, reuse, frame, benign_share: (f,).
        accounts: ids. total: their prompts, int64 (a,). first, created: datetime64[us] (a,), NaT where unknown.
        home: number of each account's home language (`sql/spoken_languages.sql`), 0 for English and where none is known, int64 (a,).
        place: number of its country and home language, int64 (a,).
        organisation: number of the declared organisation of each account, -1 for none, int64 (a,).
        family, account, prompts: int64 (p,), by family then account. pair_first, pair_last: datetime64[us] (p,).
        relatives: families that are one thing to a person, int64 (r, 2), both ways.
        events: family, account, ten-minute bin: distinct, int64 (e, 3).
        bin_totals: accounts of the whole store in each bin, int64 (b, 2): bin and count.
        hours: distinct hours of the day in which each account wrote, int64 (a,).
        languages: languages besides English of a few of each account's texts, 1 at least, NaN where they are too few, float64 (a,).
        inside: share of each account's prompts that are in eligible families, drawn to the store's by five prompts. float64 (a,).
        breadth: eligible families of each account, int64 (a,).
        obfuscated: pairs p with a disguised text, bool (p,); obfuscated_share: of all prompts.
        asks: family, account, release, moved: int64 (m, 4); usual: share of accounts that
            moved, float64 (r,).
        sharing: entities by kind.
        single: accounts that are no organisation, bool (a,); of facts by account all are.
        least: eligible families that an account is in at least: of facts about the cores of groups, 2.
        met: family and account of all pairs, int64 (p', 2), where those above are only of families that are asked about; what
            accounts share is counted over them.
        fills: slots of the families' templates.
    """

    families: list[str]
    n_accounts: Int64
    n_prompts: Int64
    effective: Float64
    reuse: Float64
    frame: Int64
    benign_share: Float64
    accounts: list[str]
    total: Int64
    first: Times
    created: Times
    home: Int64
    place: Int64
    organisation: Int64
    family: Int64
    account: Int64
    prompts: Int64
    pair_first: Times
    pair_last: Times
    relatives: Int64
    events: Int64
    bin_totals: Int64
    hours: Int64
    languages: Float64
    inside: Float64
    breadth: Int64
    obfuscated: Bool
    obfuscated_share: float
    asks: Int64
    usual: Float64
    sharing: dict[str, Sharing]
    fills: Fills
    single: Bool
    least: int = 1
    met: Int64 | None = None

    @property
    def n(self) -> int:
        """Number of families."""
        return len(self.families)

    @property
    def transfer(self) -> Float64:
        """How much each family is one wording that was handed on, 0..1: words in common, and their share of a text. float64 (f,).

        Nothing is handed on that a benign bank knows most of: everybody has it.
        """
        worded = np.minimum(1.0, self.frame / WORDED) * np.minimum(1.0, self.reuse / REUSED)
        return np.asarray(np.where(self.benign_share < KNOWN, worded, 0.0))

    @property
    def eligible(self) -> Bool:
        """Families that pass the transfer axis, bool (f,)."""
        return np.asarray(self.transfer >= TRANSFERRED)

    def age(self) -> Float64:
        """Days from each account's making to its first prompt; NaN where unknown or negative. float64 (a,)."""
        days = (self.first - self.created) / np.timedelta64(1, "D")
        return np.where(days >= 0, days, np.nan)


def read_facts(con: duckdb.DuckDBPyConnection, releases: dict[str, np.datetime64]) -> Facts:
    """Read the facts of a draft.

    Args:
        con: a connection with the store's base views; gets temporary tables.
        releases: when models were released that the store's prompts may name.
    """
    con.execute(f"SET VARIABLE least = {LEAST}")
    for statement in statements(script("evidence")):
        con.execute(statement)
    families = _columns(con, "FROM candidates ORDER BY family")
    people = _columns(con, "FROM people ORDER BY account")
    pairs = _columns(con, "FROM pairs ORDER BY family, account")
    events = f"SELECT DISTINCT family, account, {TEN_MINUTES} AS bin FROM sent WHERE ts IS NOT NULL ORDER BY ALL"
    bins = (
        f"SELECT {TEN_MINUTES} AS bin, count(DISTINCT account_id) AS n FROM base_prompts WHERE ts IS NOT NULL "
        "GROUP BY bin ORDER BY bin"
    )
    hours = (
        "SELECT account, count(DISTINCT hour(ts)) AS n FROM base_prompts JOIN people USING (account_id) "
        "WHERE ts IS NOT NULL GROUP BY account"
    )
    spread = _columns(con, hours)
    by_account = np.zeros(len(people["account"]), dtype=np.int64)
    by_account[spread["account"]] = spread["n"]
    asks, usual = _asks(con, releases)
    obfuscated, share = _obfuscated(con, pairs)
    languages, home, place = _languages(con, len(people["account"]))
    facts = Facts(
        families=[str(name) for name in families["family_id"]],
        n_accounts=_int(families["n_accounts"]),
        n_prompts=_int(families["n_prompts"]),
        effective=_float(families["effective_accounts"]),
        reuse=_float(families["reuse"]),
        frame=_int(families["frame"]),
        benign_share=_float(families["benign_share"]),
        accounts=[str(name) for name in people["account_id"]],
        total=_int(people["n_prompts"]),
        first=_times(people["first_ts"]),
        created=_times(people["created_at"]),
        home=home,
        place=place,
        organisation=_one_of(con, "org_id", len(people["account"])),
        family=_int(pairs["family"]),
        account=_int(pairs["account"]),
        prompts=_int(pairs["n_prompts"]),
        pair_first=_times(pairs["first_ts"]),
        pair_last=_times(pairs["last_ts"]),
        relatives=_rows(con, "FROM relatives ORDER BY ALL"),
        events=_rows(con, events),
        bin_totals=_rows(con, bins),
        hours=by_account,
        languages=languages,
        inside=np.zeros(0),
        breadth=np.zeros(0, dtype=np.int64),
        obfuscated=obfuscated,
        obfuscated_share=share,
        asks=asks,
        usual=usual,
        sharing={kind: _sharing(con, kind) for kind in SHARED},
        fills=_fills(con, len(families["family"])),
        single=np.ones(len(people["account"]), dtype=bool),
    )
    return replace(facts, **habits(facts))


def habits(facts: Facts) -> dict[str, Any]:
    """Return how much of their traffic accounts send in eligible families, and in how many."""
    eligible = facts.eligible[facts.family]
    inside = np.bincount(facts.account, facts.prompts * eligible, len(facts.accounts))
    usual = inside.sum() / max(facts.total.sum(), 1)
    breadth = np.bincount(facts.account, eligible, len(facts.accounts)).astype(np.int64)
    return {"inside": (inside + 5 * usual) / (facts.total + 5), "breadth": breadth}


def _sharing(con: duckdb.DuckDBPyConnection, kind: str) -> Sharing:
    rows = _columns(con, f"SELECT account, value FROM belongings WHERE kind = '{kind}' ORDER BY ALL")
    account, value = _int(rows["account"]), _int(rows["value"])
    names: list[str] = []
    if kind == "email_domain":
        query = "SELECT DISTINCT value, written FROM belongings WHERE kind = $1 ORDER BY value"
        names = [str(written) for _, written in con.execute(query, [kind]).fetchall()]
    return Sharing(account, value, np.bincount(value).astype(np.int64), len(np.unique(account)), names)


def _languages(con: duckdb.DuckDBPyConnection, n: int) -> tuple[Float64, Int64, Int64]:
    """Return in how many languages each account writes, NaN where that is not known, and the numbers of its home and place."""
    con.execute(f"SET VARIABLE sampled = {SAMPLED}")
    con.execute(f"SET VARIABLE rule = {LANGUAGES}")
    con.execute(script("spoken_languages"))
    rows = _columns(
        con,
        "SELECT account, n_languages, n_texts, "
        "CASE WHEN home IS NULL THEN 0 ELSE dense_rank() OVER (ORDER BY home NULLS FIRST) END AS home FROM spoken_languages",
    )
    languages, home = np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    account, enough = _int(rows["account"]), _int(rows["n_texts"]) >= SAMPLED // 2
    languages[account[enough]] = _int(rows["n_languages"])[enough]
    home[account] = _int(rows["home"])
    country = _one_of(con, "country", n) + 1
    _, place = np.unique(country * (int(home.max(initial=0)) + 1) + home, return_inverse=True)
    return languages, home, place.astype(np.int64)


def known_languages(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the rows of the base table `spoken_languages`, once facts were read over the connection."""
    return arrow(
        con,
        "SELECT account_id, n_prompts, n_languages::BIGINT AS n_languages, home, n_texts::BIGINT AS n_texts, "
        f"{LANGUAGES}::BIGINT AS rule FROM spoken_languages JOIN people USING (account) ORDER BY account",
    )


def _one_of(con: duckdb.DuckDBPyConnection, kind: str, n: int) -> Int64:
    """Return the number of each account's entity of a kind, of several the first by name; -1 for none."""
    rows = _columns(con, f"SELECT account, min(value) AS value FROM belongings WHERE kind = '{kind}' GROUP BY account")
    out = np.full(n, -1, dtype=np.int64)
    out[_int(rows["account"])] = rows["value"]
    return out


def _obfuscated(con: duckdb.DuckDBPyConnection, pairs: dict[str, Any]) -> tuple[Bool, float]:
    rows = _columns(
        con,
        "SELECT DISTINCT family, account FROM sent JOIN base_text_disguises d USING (text_id) "
        f"WHERE d.obfuscation >= {OBFUSCATED} ORDER BY ALL",
    )
    known = _int(pairs["family"]) << 32 | _int(pairs["account"])
    found = np.isin(known, _int(rows["family"]) << 32 | _int(rows["account"]))
    row = con.execute(
        f"SELECT coalesce(avg((d.obfuscation >= {OBFUSCATED})::INTEGER), 0) FROM base_prompts JOIN base_text_disguises d USING (text_id)"
    ).fetchone()
    return found, float(row[0]) if row else 0.0


def _asks(con: duckdb.DuckDBPyConnection, releases: dict[str, np.datetime64]) -> tuple[Int64, Float64]:
    """Return who asked what in the days after each release that the log covers."""
    names = sorted(releases, key=lambda name: (releases[name], name))
    parts: list[Int64] = []
    usual: list[float] = []
    for name in names:
        since, until = releases[name], releases[name] + np.timedelta64(MODEL_DAYS, "D")
        values = [name, str(since), str(until)]
        row = con.execute(
            "SELECT avg(moved::INTEGER) FROM (SELECT bool_or(model = $1) AS moved FROM base_prompts "
            "WHERE ts >= $2::TIMESTAMP AND ts < $3::TIMESTAMP GROUP BY account_id) HAVING bool_or(moved)", values
        ).fetchone()  # fmt: skip
        if row is None:
            continue
        found = con.execute(
            "SELECT family, account, bool_or(model = $1)::BIGINT AS moved FROM sent "
            "WHERE ts >= $2::TIMESTAMP AND ts < $3::TIMESTAMP GROUP BY family, account ORDER BY ALL", values
        ).fetchnumpy()  # fmt: skip
        parts.append(
            np.stack(
                [
                    _int(found["family"]),
                    _int(found["account"]),
                    np.full(len(found["family"]), len(usual)),
                    _int(found["moved"]),
                ],
                1,
            )
        )
        usual.append(float(row[0]))
    asks = np.concatenate(parts).astype(np.int64) if parts else np.zeros((0, 4), dtype=np.int64)
    return asks, np.asarray(usual, dtype=np.float64)


def _fills(con: duckdb.DuckDBPyConnection, n_families: int) -> Fills:
    con.execute(
        "CREATE TEMP TABLE filled AS SELECT *, row_number() OVER (ORDER BY account, ts, clean_id, template) - 1 AS row FROM ("
        "SELECT s.family, s.account, s.clean_id, m.template_id, m.template_id[3:]::BIGINT AS template, "
        "coalesce(min(s.ts), TIMESTAMP 'epoch') AS ts "
        "FROM sent s JOIN base_template_members m USING (clean_id) GROUP BY ALL)"
    )
    rows = _columns(con, "SELECT family, account, template FROM filled ORDER BY row")
    slots = _columns(
        con,
        "SELECT f.row, v.slot, hash(v.value)::UBIGINT AS value FROM filled f "
        "JOIN base_slot_fills v ON v.clean_id = f.clean_id AND v.template_id = f.template_id WHERE v.value <> ''",
    )
    names, template = np.unique(_int(rows["template"]), return_inverse=True)
    row, number = _int(slots["row"]), _int(slots["slot"])
    most = int(number.max(initial=0)) + 1
    return Fills(
        _int(rows["family"]), template.astype(np.int64), _int(rows["account"]), row, template[row] * most + number,
        np.asarray(slots["value"], dtype=np.uint64).view(np.int64), np.repeat(np.arange(len(names)), most), n_families, len(names),
    )  # fmt: skip


def _columns(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any]:
    return con.execute(query).fetchnumpy()


def _rows(con: duckdb.DuckDBPyConnection, query: str) -> Int64:
    found = con.execute(query).fetchnumpy()
    return np.stack([_int(column) for column in found.values()], axis=1)


def _int(column: Any) -> Int64:
    return np.asarray(np.ma.filled(column, 0), dtype=np.int64)


def _float(column: Any) -> Float64:
    return np.asarray(np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan), dtype=np.float64)


def _times(column: Any) -> Times:
    return np.asarray(np.ma.filled(np.ma.asarray(column), np.datetime64("NaT")), dtype="datetime64[us]")
