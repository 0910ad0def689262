"""The simulator's three tables keep what the configuration promises."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from simulating import Log, digests, per_account_day, run

from promptscan.errors import UsageError
from promptscan.simulate import CampaignConfig, NegativeKind, SimulationConfig, default_campaigns, simulate

START = datetime(2026, 1, 5, tzinfo=UTC)
LABELS = {"background", "popular_template", "retry", "campaign", "campaign_cover"} | {
    each.value for each in NegativeKind
}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    yield run(SimulationConfig(seed=7), tmp_path_factory.mktemp("log"))  # noqa: PT022


def test_columns_and_types(log: Log):
    strings = ["account_id", "text", "model", "session_id", "ip", "user_agent"]
    assert log.prompts.schema.names == ["prompt_id", "ts", *strings]
    assert log.prompts.schema.field("ts").type == pa.timestamp("us")
    assert all(log.prompts.schema.field(name).type == pa.string() for name in ["prompt_id", *strings])
    assert log.accounts.schema.names == [
        "account_id", "created_at", "org_id", "payment_id", "ip", "asn", "country", "email_domain", "plan",
    ]  # fmt: skip
    assert log.truth.schema.names == [
        "prompt_id", "template_id", "family_id", "campaign_id", "label", "account_role",
    ]  # fmt: skip
    assert log.prompts["text"].null_count == 0


def test_counts_are_exact_and_reported(log: Log):
    assert log.prompts.num_rows == log.truth.num_rows == log.result.n_prompts == 20_000
    assert log.accounts.num_rows == log.result.n_accounts == 1_500
    labels = {row["values"]: row["counts"] for row in log.truth["label"].value_counts().to_pylist()}
    assert labels == log.result.labels
    assert set(labels) == LABELS


def test_ids_are_unique_and_join_one_to_one(log: Log):
    assert log.prompts["prompt_id"] == log.truth["prompt_id"]
    assert pc.count_distinct(log.prompts["prompt_id"]).as_py() == 20_000
    assert pc.count_distinct(log.accounts["account_id"]).as_py() == 1_500
    assert pc.all(pc.is_in(log.prompts["account_id"], log.accounts["account_id"])).as_py()


def test_ids_do_not_tell_the_label(log: Log):
    ranks = np.argsort(np.argsort(log.prompts["prompt_id"].to_numpy())) / 20_000
    planted = log.truth["label"].to_numpy() == "campaign"
    assert abs(ranks[planted].mean() - 0.5) < 0.03


def test_rows_are_in_time_order_and_inside_the_window(log: Log):
    ts = log.prompts["ts"].to_numpy()
    assert (np.diff(ts) >= np.timedelta64(0)).all()
    assert ts[0] >= np.datetime64("2026-01-05")
    assert ts[-1] < np.datetime64("2026-01-19")


def test_accounts_exist_before_they_write(log: Log):
    first = log.prompts.group_by("account_id").aggregate([("ts", "min")])
    joined = first.join(log.accounts, "account_id")
    assert pc.all(pc.less(joined["created_at"], joined["ts_min"])).as_py()


def test_null_truth_means_benign(log: Log):
    label = log.truth["label"]
    planted = pc.equal(label, "campaign")
    assert pc.is_valid(log.truth["template_id"]) == planted
    assert pc.is_valid(log.truth["family_id"]) == planted
    assert pc.is_valid(log.truth["campaign_id"]) == pc.or_(planted, pc.equal(label, "campaign_cover"))


def test_an_account_has_one_role(log: Log):
    roles = pa.table({"account": log.prompts["account_id"], "role": log.truth["account_role"]}).group_by("account")
    assert pc.max(roles.aggregate([("role", "count_distinct")])["role_count_distinct"]).as_py() == 1
    assert pc.equal(log.truth["account_role"], "campaign") == pc.is_valid(log.truth["campaign_id"])


def test_templates_belong_to_one_family_and_families_have_several(log: Log):
    pairs = log.truth.group_by(["template_id", "family_id"]).aggregate([])
    templates = [each for each in pairs["template_id"].to_pylist() if each]
    families = [each for each in pairs["family_id"].to_pylist() if each]
    assert len(templates) == len(set(templates)) == sum(each.templates for each in default_campaigns(14))
    assert len(set(families)) < len(families)


def test_campaign_accounts_send_nothing_but_campaign_and_cover(log: Log):
    for campaign in default_campaigns(14):
        members = pc.unique(log.where("campaign_id", campaign.name)["account_id"])
        labels = pc.unique(log.truth["label"].filter(pc.is_in(log.prompts["account_id"], members)))
        assert set(labels.to_pylist()) == {"campaign", "campaign_cover"}
        assert len(members) <= round(campaign.accounts * 1_500)


def test_shares_are_near_the_configuration(log: Log):
    for campaign in default_campaigns(14):
        assert log.result.campaigns[campaign.name] / 20_000 == pytest.approx(campaign.share, rel=0.2)
    labels = log.result.labels
    assert 0.08 < labels["campaign"] / 20_000 < 0.12
    cover = labels["campaign_cover"] / (labels["campaign"] + labels["campaign_cover"])
    assert 0.08 < cover < 0.18


def test_hard_negatives_are_there(log: Log):
    labels = log.result.labels
    assert 0.03 < labels["popular_template"] / 20_000 < 0.07
    assert 0.04 < labels["vendor_app"] / 20_000 < 0.08
    assert 0.02 < labels["relay"] / 20_000 < 0.05
    assert 0.01 < labels["retry"] / 20_000 < 0.05
    vendor = log.where("label", "vendor_app")
    members = log.accounts.filter(pc.is_in(log.accounts["account_id"], pc.unique(vendor["account_id"])))
    assert pc.count_distinct(members["org_id"]).as_py() == 1
    assert pc.count_distinct(log.where("label", "popular_template")["account_id"]).as_py() > 200
    assert pc.count_distinct(log.where("label", "relay")["account_id"]).as_py() < 10


def test_people_share_addresses_and_payments_for_ordinary_reasons(log: Log):
    people = log.with_role("person")
    private = people.filter(pc.is_null(people["org_id"]))
    addresses = Counter(private["ip"].to_pylist())
    assert 0.02 < sum(n for n in addresses.values() if n > 1) / private.num_rows < 0.2
    cards = Counter(each for each in private["payment_id"].to_pylist() if each)
    assert 5 < sum(n == 2 for n in cards.values()) < 30
    assert max(cards.values()) == 2
    offices = Counter(
        pair for pair in zip(people["org_id"].to_pylist(), people["ip"].to_pylist(), strict=True) if pair[0]
    )
    assert sum(n > 1 for n in offices.values()) > 10


def test_retries_repeat_a_text_of_the_same_account(log: Log):
    sent = Counter(zip(log.prompts["account_id"].to_pylist(), log.prompts["text"].to_pylist(), strict=True))
    retries = log.where("label", "retry")
    pairs = zip(retries["account_id"].to_pylist(), retries["text"].to_pylist(), strict=True)
    repeated = np.mean([sent[pair] > 1 for pair in pairs])
    assert 0.4 < repeated < 0.9  # the others are light edits


def test_retries_come_within_minutes(log: Log):
    rows = log.prompts.append_column("retry", pc.equal(log.truth["label"], "retry"))
    rows = rows.sort_by([("session_id", "ascending"), ("ts", "ascending")])
    pause = np.diff(rows["ts"].to_numpy()).astype("timedelta64[s]").astype(int)
    session = rows["session_id"].to_numpy()
    again = rows["retry"].to_numpy()[1:] & (session[1:] == session[:-1])
    assert np.mean(pause[again] <= 180) > 0.99


def test_a_session_belongs_to_one_account(log: Log):
    sessions = log.prompts.group_by("session_id").aggregate([("account_id", "count_distinct"), ([], "count_all")])
    assert pc.max(sessions["account_id_count_distinct"]).as_py() == 1
    assert pc.max(sessions["count_all"]).as_py() > 8


def test_volume_of_people_is_heavy_tailed(log: Log):
    counts = np.sort(
        log.where("label", "background").group_by("account_id").aggregate([([], "count_all")])["count_all"].to_numpy()
    )
    assert counts[-1] > 8 * np.median(counts)


def test_people_keep_hours(log: Log):
    american = log.accounts.filter(pc.equal(log.accounts["country"], "US"))["account_id"]
    rows = log.where("label", "background")
    hours = pc.hour(rows.filter(pc.is_in(rows["account_id"], american))["ts"]).to_numpy()
    night, day = np.isin(hours, [8, 9, 10]).sum(), np.isin(hours, [16, 17, 18]).sum()  # 2-4 and 10-12 local
    assert day > 5 * night


def test_pivots_move_half_of_the_traffic_in_a_day(log: Log):
    release = np.datetime64("2026-01-12T12:00")
    for campaign, low, high in (("north-star", 0.38, 0.62), ("glass-harbour", 0.0, 0.3)):
        rows = log.where("campaign_id", campaign)
        ts = rows["ts"].to_numpy()
        new = rows["model"].to_numpy() == "aster-3"
        assert not new[ts < release].any()
        assert low < new[ts >= release + np.timedelta64(1, "D")].mean() < high


def test_dates_and_cap_of_a_campaign_hold(tmp_path: Path):
    busy = CampaignConfig("busy", "agentic", accounts=20, share=0.4, start_day=3, stop_day=6, rate_cap=17, cover=0.3)
    log = run(SimulationConfig(prompts=6_000, accounts=300, days=9, seed=1, campaigns=(busy,)), tmp_path)
    rows = log.where("campaign_id", "busy")
    load = per_account_day(rows)
    assert max(load.values()) == 17
    assert rows["ts"][0].as_py() >= datetime(2026, 1, 8)  # noqa: DTZ001
    assert rows["ts"][-1].as_py() < datetime(2026, 1, 11)  # noqa: DTZ001
    assert log.prompts.num_rows == 6_000  # what the campaign cannot carry, people send


def test_the_default_mix_stays_under_its_caps(tmp_path: Path):
    log = run(SimulationConfig(prompts=60_000, accounts=400, seed=2), tmp_path)
    for campaign in default_campaigns(14):
        assert max(per_account_day(log.where("campaign_id", campaign.name)).values(), default=0) <= campaign.rate_cap


def test_replacements_begin_when_others_stop(tmp_path: Path):
    campaign = CampaignConfig("swap", accounts=40, share=0.4, replaced=0.5, cover=0.0)
    log = run(SimulationConfig(prompts=8_000, accounts=200, days=10, seed=5, campaigns=(campaign,)), tmp_path)
    spans = log.where("campaign_id", "swap").group_by("account_id").aggregate([("ts", "min"), ("ts", "max")])
    late = pc.sum(pc.greater(spans["ts_min"], pa.scalar(START.replace(tzinfo=None) + timedelta(days=1)))).as_py()
    gone = pc.sum(pc.less(spans["ts_max"], pa.scalar(START.replace(tzinfo=None) + timedelta(days=9)))).as_py()
    assert late >= 15
    assert gone >= 15


def test_shared_payments_follow_the_probability(tmp_path: Path):
    def largest_group(shared: float) -> int:
        campaign = CampaignConfig("pool", accounts=60, share=0.3, shared=shared)
        log = run(SimulationConfig(prompts=3_000, accounts=300, seed=4, campaigns=(campaign,)), tmp_path / str(shared))
        members = pc.unique(log.where("campaign_id", "pool")["account_id"])
        payments = log.accounts.filter(pc.is_in(log.accounts["account_id"], members))["payment_id"].drop_null()
        return max(row["counts"] for row in payments.value_counts().to_pylist())

    assert largest_group(0.0) <= 2
    assert largest_group(0.9) >= 5


def test_same_seed_same_bytes(tmp_path: Path):
    config = SimulationConfig(prompts=3_000, accounts=200, seed=11)
    assert digests(simulate(config, tmp_path / "a")) == digests(simulate(config, tmp_path / "b"))


def test_other_seed_other_texts(tmp_path: Path):
    first, second = (
        set(
            run(SimulationConfig(prompts=1_000, accounts=100, seed=seed), tmp_path / str(seed))
            .prompts["text"]
            .to_pylist()
        )
        for seed in (1, 2)
    )
    assert len(first & second) < 0.1 * len(first)


@pytest.mark.parametrize(
    ("prompts", "accounts", "days"), [(1, 1, 1), (1, 50, 3), (10, 2, 1), (100, 3, 14), (150, 30, 1)]
)
def test_small_logs(prompts: int, accounts: int, days: int, tmp_path: Path):
    log = run(SimulationConfig(prompts=prompts, accounts=accounts, days=days), tmp_path)
    assert (log.prompts.num_rows, log.accounts.num_rows, log.truth.num_rows) == (prompts, accounts, prompts)


def test_a_failure_leaves_the_old_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = digests(simulate(SimulationConfig(prompts=50, accounts=5), tmp_path))
    names = {path.name for path in tmp_path.iterdir()}

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("promptscan.simulate.writer._write_accounts", fail)
    with pytest.raises(OSError, match="disk full"):
        simulate(SimulationConfig(prompts=60, accounts=5), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == names
    assert [
        hashlib.sha256((tmp_path / f"{name}.parquet").read_bytes()).hexdigest()
        for name in ("prompts", "accounts", "truth")
    ] == before


def test_more_templates_than_there_are(tmp_path: Path):
    campaign = CampaignConfig("greedy", "grading", accounts=5, templates=40)
    with pytest.raises(UsageError, match=r"'greedy': templates: got 40, wanted at most the \d+ of grading"):
        simulate(SimulationConfig(prompts=100, accounts=50, campaigns=(campaign,)), tmp_path)
    assert not list(tmp_path.iterdir())
