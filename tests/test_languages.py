"""The languages that accounts write, and the places they are compared in."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from promptscan.findings.facts import LANGUAGES, SAMPLED, _languages

HINDI = "मुझे इंटरव्यू के बारे में बताओ {}"
JAPANESE = "面接についておしえてください {}"
ENGLISH = "what is the best way to prepare for the interview number {}"
SPANISH = "cómo es la entrevista para los nuevos y qué preguntas son {}"
GERMAN = "wie ist das für die und der nicht mit {}"
WRITTEN = {
    "hindi": [HINDI] * 6,
    "both": [HINDI] * 4 + [ENGLISH] * 3,
    "english": [ENGLISH] * 6,
    "half": [HINDI] * 3 + [JAPANESE] * 3,
    "many": [SPANISH] * 2 + [GERMAN] * 2 + [ENGLISH] * 2,
    "few": [HINDI] * 2,
    "silent": [],
}


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    """A connection with what the evidence's SQL reads, of accounts in one country, and `english` also in another."""
    made = duckdb.connect()
    texts = [
        (account, pattern.format(number))
        for account, patterns in enumerate(WRITTEN.values())
        for number, pattern in enumerate(patterns)
    ]
    names = list(WRITTEN)
    made.register("written", pa.table({"account": [a for a, _ in texts], "clean": [f"{text} {a}" for a, text in texts]}))
    made.register("named", pa.table({"account": range(len(names)), "account_id": names}))
    made.execute("CREATE TABLE base_cleans AS SELECT row_number() OVER () AS clean_id, clean, account FROM written")
    made.execute("CREATE TABLE base_text_cleans AS SELECT clean_id AS text_id, clean_id FROM base_cleans")
    made.execute("CREATE TABLE base_prompts AS SELECT clean_id AS text_id, account_id FROM base_cleans JOIN named USING (account)")
    made.execute("CREATE TABLE people AS SELECT account, account_id, 1 AS n_prompts FROM named")
    made.execute("CREATE TABLE pairs AS SELECT account FROM named")
    made.execute(
        "CREATE TABLE base_spoken_languages "
        "(account_id VARCHAR, n_prompts BIGINT, n_languages BIGINT, home VARCHAR, n_texts BIGINT, rule BIGINT)"
    )
    made.execute("CREATE TABLE belongings AS SELECT account, 'country' AS kind, 7 AS value FROM named")
    made.execute("UPDATE belongings SET value = 8 WHERE account = 2")
    return made


def test_english_is_everybodys_second_language(con: duckdb.DuckDBPyConnection) -> None:
    count, _, _ = _languages(con, len(WRITTEN))
    told = dict(zip(WRITTEN, count.tolist(), strict=True))
    assert [told[name] for name in ("hindi", "both", "english", "half", "many")] == [1, 1, 1, 2, 2]
    assert np.isnan([told["few"], told["silent"]]).all()


def test_a_home_language_is_one_that_most_texts_are_in(con: duckdb.DuckDBPyConnection) -> None:
    _languages(con, len(WRITTEN))
    rows = con.execute("SELECT account_id, home FROM spoken_languages JOIN people USING (account)").fetchall()
    assert dict(rows) == {"hindi": "hi", "both": "hi", "few": "hi", "english": None, "half": None, "many": None}


def test_a_place_is_a_country_and_a_home_language(con: duckdb.DuckDBPyConnection) -> None:
    _, _, place = _languages(con, len(WRITTEN))
    of = dict(zip(WRITTEN, place.tolist(), strict=True))
    assert of["hindi"] == of["both"] == of["few"]
    assert of["half"] == of["many"] == of["silent"]
    assert len({of["hindi"], of["half"], of["english"]}) == 3


def test_what_is_kept_of_an_account_is_not_told_again(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("INSERT INTO base_spoken_languages VALUES ('hindi', 1, 3, 'fr', ?, ?)", [SAMPLED, LANGUAGES])
    con.execute("INSERT INTO base_spoken_languages VALUES ('english', 9, 3, 'fr', ?, ?)", [SAMPLED, LANGUAGES])  # sent more
    con.execute("INSERT INTO base_spoken_languages VALUES ('half', 1, 3, 'fr', ?, ?)", [SAMPLED, LANGUAGES - 1])  # another rule
    count, _, _ = _languages(con, len(WRITTEN))
    assert count[[0, 2, 3]].tolist() == [3, 1, 2]
