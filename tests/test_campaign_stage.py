"""From a log to campaigns and alerts: the stage on simulated logs, on logs without what it likes best, and on bad ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from promptscan.api import Store, scan
from promptscan.config import Settings
from promptscan.simulate import CampaignConfig, SimulationConfig, simulate
from promptscan.store import open_writer
from promptscan.verdicts import Decision, give
from tests.logs import START, WORDS, write_jsonl

PLANTED = CampaignConfig("north-star", "software", accounts=24, share=0.09, templates=4, cover=0.1, shared=0.5)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watched")
    simulate(SimulationConfig(prompts=5_000, accounts=420, days=5, seed=3, campaigns=(PLANTED,)), folder)
    return folder


@pytest.fixture(scope="module")
def watched(log: Path) -> Path:
    scan(log / "prompts.parquet", accounts=log / "accounts.parquet", settings=Settings(store=log / "store"))
    return log / "store"


def rows(store: Path, query: str) -> list[dict[str, Any]]:
    with Store(store) as opened:
        found: list[dict[str, Any]] = opened.sql(query).to_pylist()
    return found


def true_accounts(log: Path) -> set[str]:
    told = pq.read_table(log / "truth.parquet").to_pylist()
    sent = {row["prompt_id"]: row["account_id"] for row in pq.read_table(log / "prompts.parquet").to_pylist()}
    return {sent[row["prompt_id"]] for row in told if row["campaign_id"]}


def test_a_planted_campaign_is_one_campaign_with_its_accounts_and_one_alert(log: Path, watched: Path) -> None:
    campaigns = rows(watched, "FROM campaigns")
    members = {row["account_id"] for row in rows(watched, "FROM campaign_accounts WHERE score >= 0.5")}
    planted = true_accounts(log)
    assert len(campaigns) == 1
    assert len(members & planted) >= 0.9 * len(planted)
    assert len(members - planted) <= 0.1 * len(members)
    alerts = rows(watched, "FROM alerts")
    assert [alert["campaign_id"] for alert in alerts] == [campaigns[0]["campaign_id"]]
    assert alerts[0]["fired_at"] == rows(watched, "SELECT max(ts) AS newest FROM prompts")[0]["newest"]


def test_evidence_has_a_number_chance_and_a_sentence_and_says_what_it_cannot_say(watched: Path) -> None:
    told = rows(watched, "FROM family_evidence WHERE sufficient AND NOT against")
    assert {"accounts", "evenness", "creation", "synchrony", "companions", "focus"} <= {row["kind"] for row in told}
    assert all(row["sentence"].endswith(".") and row["value"] is not None for row in told)
    untold = rows(watched, "FROM family_evidence WHERE NOT sufficient")
    assert untold
    assert {row["sentence"] for row in untold} == {"Insufficient data."}
    assert all(row["log10_e"] is None for row in untold)


def test_a_campaign_of_several_families_says_what_its_accounts_share_among_them(watched: Path) -> None:
    (campaign,) = rows(watched, "SELECT n_families, evidence FROM campaigns")
    families = rows(
        watched,
        "SELECT sum(value) AS value, sum(expected) AS expected FROM family_evidence JOIN campaign_families USING (family_id) "
        "WHERE kind = 'companions' AND sufficient",
    )[0]
    assert campaign["n_families"] > 1
    (told,) = [row for row in json.loads(campaign["evidence"]) if row["kind"] == "companions"]
    assert told["log10_e"] > 0.5
    assert told["value"] > told["expected"]
    assert told["value"] == pytest.approx(families["value"], rel=1e-4)
    assert told["expected"] == pytest.approx(families["expected"], rel=1e-4)


def test_both_axes_of_every_family_that_passed_passed(watched: Path) -> None:
    passed = rows(watched, "FROM family_axes WHERE passed")
    assert passed
    assert all(row["transfer"] >= 0.5 for row in passed)
    assert all(max(row["actors"], row["actors_together"], row["peak"]) >= 0.5 for row in passed)


def test_building_again_changes_nothing_and_fires_nothing(watched: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(watched, tmp_path / "store"))
    from promptscan.build import Run, build

    settings = Settings(store=store)
    with open_writer(store) as writer:
        build(writer, settings, Run.start("build"))  # the copy lies elsewhere: its catalogue is made anew
    alerts = rows(store, "FROM alerts")
    with open_writer(store) as writer:
        assert not build(writer, settings, Run.start("build")).changed
    assert rows(store, "FROM alerts") == alerts


def test_a_further_day_fires_nothing_again_and_keeps_the_names(watched: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(watched, tmp_path / "store"))
    before = rows(store, "SELECT alert_id, campaign_id, fired_at FROM alerts")
    last = rows(store, "SELECT max(ts) AS newest FROM prompts")[0]["newest"]
    sent = "SELECT text, account_id FROM prompts JOIN texts USING (text_id) ORDER BY hash(prompt_id) LIMIT 400"
    again = [
        {"text": row["text"], "account_id": row["account_id"], "ts": (last + timedelta(minutes=3 * number)).isoformat()}
        for number, row in enumerate(rows(store, sent))
    ]
    scan(write_jsonl(tmp_path / "day.jsonl", again), settings=Settings(store=store))
    assert rows(store, "SELECT alert_id, campaign_id, fired_at FROM alerts") == before
    assert rows(store, "SELECT campaign_id FROM campaigns") == [{"campaign_id": "C-1"}]


def languages(store: Path) -> list[tuple[Any, ...]]:
    with Store(store) as opened, opened.connect() as con:
        return con.execute("FROM base_spoken_languages ORDER BY ALL").fetchall()


def test_what_is_kept_of_accounts_that_sent_no_more_is_what_would_be_found_again(watched: Path, tmp_path: Path) -> None:
    from promptscan.build import Run, build

    store = Path(shutil.copytree(watched, tmp_path / "store"))
    before = languages(store)
    some = rows(store, "SELECT account_id, any_value(text) AS text FROM prompts JOIN texts USING (text_id) GROUP BY ALL ORDER BY 1")
    foreign = [
        {"account_id": row["account_id"], "text": "Что такое память и почему мы забываем важное? " + row["text"]}
        for row in some[::2]
    ]
    scan(write_jsonl(tmp_path / "day.jsonl", foreign), settings=Settings(store=store))
    kept = languages(store)
    assert set(kept) & set(before)
    assert set(kept) != set(before)
    with open_writer(store) as writer:
        writer.drop("evidence")
        build(writer, Settings(store=store), Run.start("build"))
    assert languages(store) == kept


@pytest.mark.parametrize("rules", ["the same", "others"])
def test_what_other_rules_found_is_looked_at_anew(
    watched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rules: str
) -> None:
    from promptscan.build import Run, build, weighing

    store = Path(shutil.copytree(watched, tmp_path / "store"))
    before = rows(store, "SELECT family_id, alpha, looks FROM family_axes ORDER BY ALL")
    with Store(store) as opened, opened.connect() as con:
        kinds = sorted({row[0] for row in con.execute("SELECT kind FROM family_evidence").fetchall()})
    if rules == "others":
        monkeypatch.setattr(weighing, "VERSION", "another")
    with open_writer(store) as writer:
        build(writer, Settings(store=store, evidence_without=",".join(kinds)), Run.start("build"))
    kept = rules == "the same"
    assert bool(rows(store, "FROM family_axes WHERE passed")) == kept
    assert bool(rows(store, "FROM campaigns")) == kept
    assert len(rows(store, "FROM alerts")) == 1
    after = rows(store, "SELECT family_id, alpha, looks FROM family_axes ORDER BY ALL")
    assert [(row["family_id"], row["alpha"]) for row in after] == [(row["family_id"], row["alpha"]) for row in before]
    looked = sum(row["looks"] for row in after) - sum(row["looks"] for row in before)
    assert looked == (0 if kept else sum(row["alpha"] > 0 for row in before))


def test_another_order_of_the_rows_gives_the_same_campaign(log: Path, watched: Path, tmp_path: Path) -> None:
    table = pq.read_table(log / "prompts.parquet")
    pq.write_table(table.take(list(range(len(table)))[::-1]), tmp_path / "reversed.parquet")
    scan(tmp_path / "reversed.parquet", accounts=log / "accounts.parquet", settings=Settings(store=tmp_path / "store"))
    query = "SELECT campaign_id, account_id, round(score, 6) AS score FROM campaign_accounts ORDER BY ALL"
    assert rows(tmp_path / "store", query) == rows(watched, query)


def test_a_campaign_that_is_called_benign_is_a_campaign_no_more(watched: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(watched, tmp_path / "store"))
    give(store, "C-1", Decision.BENIGN, "a class")
    for row in rows(store, "SELECT family_id FROM campaign_families"):
        give(store, row["family_id"], Decision.BENIGN)
    from promptscan.build import Run, build

    with open_writer(store) as writer:
        build(writer, Settings(store=store), Run.start("build"))
    assert rows(store, "FROM family_axes WHERE passed") == []
    assert rows(store, "FROM campaigns") == []
    assert len(rows(store, "FROM alerts")) == 1  # what was said stays on record


def test_a_kind_of_evidence_can_be_left_out(watched: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(watched, tmp_path / "store"))
    from promptscan.build import Run, build

    kinds = "creation,youth,shared_payment_id,shared_ip,shared_asn,shared_user_agent,shared_email_domain"
    with open_writer(store) as writer:
        build(writer, Settings(store=store, evidence_without=kinds), Run.start("build"))
    strongest = "SELECT max(actors) AS most FROM family_axes"
    assert rows(store, strongest)[0]["most"] < rows(watched, strongest)[0]["most"]


def template_rows(accounts: int = 12, each: int = 4, **changed: Any) -> list[dict[str, Any]]:
    """Return prompts of one template, and some that have nothing in common."""
    said = [
        {
            "account_id": f"a{number % accounts:03}",
            "ts": (START + timedelta(minutes=11 * number)).isoformat(),
            "text": f"Write a detailed migration plan for moving the {WORDS[number % len(WORDS)]} service to a new database "
            f"without downtime, with rollback steps, a test matrix and an owner for each of {number} stages.",
        }
        for number in range(accounts * each)
    ]
    said += [
        {"account_id": f"u{number % 20:03}", "ts": (START + timedelta(hours=number)).isoformat(), "text": " ".join(WORDS[number : number + 7])}
        for number in range(60)
    ]  # fmt: skip
    return [{**row, **changed} for row in said]


def built(tmp_path: Path, prompts: Iterable[Mapping[str, Any]], accounts: list[dict[str, Any]] | None = None) -> Path:
    known = None if accounts is None else write_jsonl(tmp_path / "accounts.jsonl", accounts)
    store = tmp_path / "store"
    scan(write_jsonl(tmp_path / "log.jsonl", prompts), accounts=known, settings=Settings(store=store))
    return store


def insufficient(store: Path) -> set[str]:
    return {row["kind"] for row in rows(store, "SELECT DISTINCT kind FROM family_evidence WHERE NOT sufficient")}


def test_without_an_accounts_file_what_needs_one_is_insufficient(tmp_path: Path) -> None:
    assert {"creation", "youth"} <= insufficient(built(tmp_path, template_rows()))


def test_without_times_evidence_of_time_is_insufficient(tmp_path: Path) -> None:
    store = built(tmp_path, template_rows(ts=None))
    assert {"synchrony", "replacement", "round_the_clock"} <= insufficient(store)
    assert rows(store, "FROM campaigns") == []


def test_one_account_is_no_family_of_several(tmp_path: Path) -> None:
    store = built(tmp_path, template_rows(account_id="only"))
    assert rows(store, "FROM family_axes") == []
    assert rows(store, "FROM alerts") == []


def test_every_prompt_from_another_account_is_weighed_like_any_other(tmp_path: Path) -> None:
    prompts = [{**row, "account_id": f"x{number}"} for number, row in enumerate(template_rows())]
    store = built(tmp_path, prompts)
    assert rows(store, "SELECT max(n_actors) AS most FROM family_axes")[0]["most"] > 20
    assert rows(store, "FROM alerts") == []  # nothing but a template: one axis


def test_clocks_that_jump_do_not_stop_a_build(tmp_path: Path) -> None:
    prompts = template_rows()
    for number, moment in ((0, "1970-01-01T00:00:00"), (5, "2093-05-01T00:00:00"), (9, "1999-12-31T23:59:59")):
        prompts[number]["ts"] = moment
    assert rows(built(tmp_path, prompts), "SELECT count(*) AS n FROM family_axes")[0]["n"] > 0


def test_accounts_made_after_their_prompts_have_no_age(tmp_path: Path) -> None:
    late = (START + timedelta(days=400)).isoformat()
    accounts = [{"account_id": f"a{number:03}", "created_at": late} for number in range(12)]
    store = built(tmp_path, template_rows(), accounts)
    largest = "SELECT family_id FROM families ORDER BY n_accounts DESC, family_id LIMIT 1"
    told = {row["kind"]: row["sufficient"] for row in rows(store, f"FROM family_evidence WHERE family_id = ({largest})")}
    assert not told["youth"]
    assert told["creation"]


@pytest.mark.parametrize("value", [None, "", "same"])
def test_entity_columns_without_information_say_nothing(tmp_path: Path, value: str | None) -> None:
    created = datetime(2025, 6, 1)  # noqa: DTZ001
    accounts = [
        {"account_id": name, "created_at": (created + timedelta(days=7 * number)).isoformat(), "payment_id": value, "asn": value}
        for number, name in enumerate([f"a{n:03}" for n in range(12)] + [f"u{n:03}" for n in range(20)])
    ]  # fmt: skip
    store = built(tmp_path, template_rows(), accounts)
    told = rows(store, "FROM family_evidence WHERE kind IN ('shared_payment_id', 'shared_asn') AND sufficient AND log10_e > 0")
    assert told == []
    assert rows(store, "FROM alerts") == []


def test_a_family_of_one_repeated_prompt_is_weighed(tmp_path: Path) -> None:
    text = "Explain in full detail how to design, index and query a time series database for sensor data, step by step."
    prompts = [{**row, "text": text} if row["account_id"].startswith("a") else row for row in template_rows()]
    store = built(tmp_path, prompts)
    assert rows(store, "SELECT max(n_accounts) AS most FROM families")[0]["most"] == 12
    assert rows(store, "FROM alerts") == []


def test_a_store_without_families_has_no_campaigns(tmp_path: Path) -> None:
    store = built(tmp_path, [{"account_id": "a", "ts": START.isoformat(), "text": "hello there"}])
    assert rows(store, "FROM campaigns") == []
    assert rows(store, "FROM family_evidence") == []


def test_models_are_read_from_a_file_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    from promptscan.errors import UsageError
    from promptscan.releases import read_releases

    good, bad, worse = (tmp_path / name for name in ("models.toml", "bad.toml", "worse.toml"))
    good.write_text('[models]\n"m-1" = 2026-01-05\n"m-2" = 2026-01-06T12:00:00+02:00\n')
    bad.write_text('[models]\n"m-1" = "soon"\n')
    worse.write_text("[models\n")
    assert [str(moment)[:16] for moment in read_releases(good).values()] == ["2026-01-05T00:00", "2026-01-06T10:00"]
    assert read_releases(None) == {}
    for path in (bad, worse, tmp_path / "none.toml"):
        with pytest.raises(UsageError):
            read_releases(path)


def test_a_prompt_that_goes_round_raises_no_alert_and_says_why(tmp_path: Path) -> None:
    said = "Act as a seasoned travel planner and build a detailed day by day itinerary for {}, with costs, food and transport for each day."
    prompts = [
        {"account_id": f"p{number:03}", "text": said.format(WORDS[number % 40]), "ts": (START + timedelta(minutes=3 * number)).isoformat()}
        for number in range(240)
    ]  # fmt: skip
    diverse = [
        {"account_id": f"p{number % 240:03}", "text": " ".join(WORDS[number % 60 : number % 60 + 9]) + f" {number}", "ts": (START + timedelta(minutes=7 * number)).isoformat()}
        for number in range(900)
    ]  # fmt: skip
    accounts = [
        {"account_id": f"p{number:03}", "created_at": (START - timedelta(days=1 + 3 * number, hours=number % 17)).isoformat()}
        for number in range(240)
    ]  # fmt: skip
    store = built(tmp_path, [*prompts, *diverse], accounts)
    assert rows(store, "FROM alerts") == []
    largest = "SELECT family_id FROM families ORDER BY n_accounts DESC, family_id LIMIT 1"
    against = {row["kind"] for row in rows(store, f"FROM family_evidence WHERE against AND family_id = ({largest})")}
    assert {"organic", "history"} <= against
