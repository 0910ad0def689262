"""Each hard negative has what makes it look like a campaign, and what shows that it is none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulating import Log, run

from promptscan.errors import UsageError
from promptscan.simulate import CampaignConfig, NegativeConfig, NegativeKind, SimulationConfig, default_negatives

DAYS = 14
START = np.datetime64("2026-01-05")
DEDICATED = sorted(set(NegativeKind) - {NegativeKind.VIRAL_PROMPT, NegativeKind.BENCHMARK_REPLAY})
FRAMES = re.compile(
    r"^Question: |\nAnswer:$|^Answer the following .*\n|^You are taking .*\n|^### Instruction:\n|\n\n### Response:$"
)

Alone = Callable[..., Log]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Alone:
    """Return a simulator of logs whose only hard negative is one, 20 % of the traffic; equal questions share a log."""
    known: dict[str, Log] = {}

    def simulate(kind: str, **knobs: Any) -> Log:
        name = f"{kind} {knobs}"
        if name not in known:
            negative = NegativeConfig(kind, **{"share": 0.2} | knobs)
            config = SimulationConfig(
                prompts=5_000, accounts=400, days=DAYS, seed=2, campaigns=(), negatives=(negative,)
            )
            known[name] = run(config, tmp_path_factory.mktemp("alone"))
        return known[name]

    return simulate


def days_of(prompts: pa.Table) -> np.ndarray:
    return (prompts["ts"].to_numpy() - START) // np.timedelta64(1, "D")


def sizes(prompts: pa.Table) -> np.ndarray:
    """Return prompts per account, ascending."""
    return np.sort(prompts.group_by("account_id").aggregate([([], "count_all")])["count_all"].to_numpy())


def distinct(table: pa.Table, column: str) -> int:
    return pc.count_distinct(table[column]).as_py()


@pytest.mark.parametrize("kind", list(NegativeKind))
def test_the_share_of_the_ordinary_traffic_is_met(kind: str, alone: Alone):
    log = alone(kind)
    assert log.result.labels[kind] == 1_000
    assert log.result.n_prompts == 5_000
    assert log.result.labels["campaign"] == 0
    assert log.truth["family_id"].null_count == log.truth["campaign_id"].null_count == 5_000


@pytest.mark.parametrize("kind", DEDICATED)
def test_accounts_have_the_role_of_their_negative(kind: str, alone: Alone):
    log = alone(kind, accounts=40)
    assert set(log.truth["account_role"].filter(pc.equal(log.truth["label"], kind)).to_pylist()) == {kind}
    assert log.with_role(kind).num_rows <= 40


def test_a_viral_prompt_is_pasted_by_unrelated_people(alone: Alone):
    log = alone("viral_prompt", accounts=200)
    rows = log.where("label", "viral_prompt")
    owners = log.owners(rows)
    assert distinct(rows, "account_id") == 200
    assert distinct(owners, "asn") > 30
    assert max(Counter(each for each in owners["payment_id"].to_pylist() if each).values()) <= 3
    assert Counter(rows["text"].to_pylist()).most_common(1)[0][1] > 200
    assert set(log.truth["account_role"].to_pylist()) == {"person"}


def test_a_viral_prompt_grows_and_has_a_heavy_tail(alone: Alone):
    rows = alone("viral_prompt", accounts=200, start_day=3).where("label", "viral_prompt")
    first = days_of(rows.group_by("account_id").aggregate([("ts", "min")]).rename_columns(["account_id", "ts"]))
    assert first.min() >= 3
    assert (first < 7).mean() > 0.6
    assert (first > 7).sum() > 5
    counts = sizes(rows)
    assert np.median(counts) <= 4
    assert counts[-1] > 8 * np.median(counts)


def test_a_vendor_is_one_organisation_with_one_frame(alone: Alone):
    log = alone("vendor_app", accounts=6)
    owners = log.with_role("vendor_app")
    assert distinct(owners, "org_id") == distinct(owners, "payment_id") == distinct(owners, "asn") == 1
    heads = {text.split("\n")[0] for text in log.where("label", "vendor_app")["text"].to_pylist()}
    assert len(heads) == 1


def test_two_vendors_are_two_organisations_with_two_shops(alone: Alone):
    log = alone("vendor_app", accounts=12, size=6)
    assert distinct(log.with_role("vendor_app"), "org_id") == 2
    assert len({text.split(".")[0] for text in log.where("label", "vendor_app")["text"].to_pylist()}) == 2


def test_a_class_shares_its_institution_and_nothing_else(alone: Alone):
    log = alone("homework", accounts=60)
    students = log.with_role("homework")
    assert students.num_rows == 60
    assert distinct(students, "asn") == distinct(students, "email_domain") == distinct(students, "country") == 1
    assert students["org_id"].null_count == 60
    payments = [each for each in students["payment_id"].to_pylist() if each]
    assert len(payments) == len(set(payments))
    assert distinct(students, "ip") < 10


def test_homework_peaks_before_its_deadline(alone: Alone):
    log = alone("homework", accounts=60, repertoire=1, start_day=8)
    days = np.bincount(days_of(log.where("label", "homework")), minlength=DAYS)
    assert days[7:10].sum() > 0.8 * days.sum()  # the deadline is at midnight, local time
    assert days.argmax() in (8, 9)


def test_students_have_older_accounts_and_other_questions(alone: Alone):
    log = alone("homework", accounts=60)
    labels = Counter(log.truth["label"].filter(pc.equal(log.truth["account_role"], "homework")).to_pylist())
    assert labels["background"] > 200
    first = log.where("account_role", "homework").group_by("account_id").aggregate([("ts", "min")])
    joined = first.join(log.accounts, "account_id")
    age = (joined["ts_min"].to_numpy() - joined["created_at"].to_numpy()) / np.timedelta64(1, "D")
    assert age.min() > 19
    assert np.median(age) > 60


def test_classes_have_their_own_institutions_and_assignments(alone: Alone):
    log = alone("homework", accounts=100, size=50, repertoire=1)
    students = log.with_role("homework")
    assert distinct(students, "asn") == 2
    by_class = {row["email_domain"]: set() for row in students.to_pylist()}
    domain = dict(zip(students["account_id"].to_pylist(), students["email_domain"].to_pylist(), strict=True))
    for row in log.where("label", "homework").to_pylist():
        by_class[domain[row["account_id"]]].add(row["text"])
    first, second = by_class.values()
    assert not first & second


def test_benchmark_items_are_the_same_and_in_the_same_order(alone: Alone):
    log = alone("benchmark_replay", accounts=25, repertoire=60)
    rows = log.where("label", "benchmark_replay").sort_by("ts").to_pylist()
    runs: dict[str, list[str]] = {}
    for row in rows:
        runs.setdefault(row["session_id"], []).append(row["text"])
    longest = sorted(runs.values(), key=len, reverse=True)[:8]
    assert len(longest[7]) >= 20
    items = [[FRAMES.sub("", text).strip() for text in run] for run in longest]
    agree = np.mean([a == b for a, b in zip(items[0], items[1], strict=False)])
    assert agree > 0.95
    assert distinct(log.owners(log.where("label", "benchmark_replay")), "asn") > 12
    assert len(set(longest[0])) == len(longest[0])


@pytest.mark.parametrize("kind", ["evaluation_company", "translation_agency"])
def test_firms_share_organisation_payment_and_mail(kind: str, alone: Alone):
    log = alone(kind, accounts=14)
    owners = log.with_role(kind)
    assert owners.num_rows >= 12
    assert owners["org_id"].null_count == 0
    assert distinct(owners, "org_id") == distinct(owners, "payment_id") == distinct(owners, "email_domain") == 1


def test_an_evaluation_company_sends_runs_of_one_rubric(alone: Alone):
    log = alone("evaluation_company", accounts=14, repertoire=2)
    rows = log.where("label", "evaluation_company")
    assert np.median(np.unique(rows["session_id"].to_numpy(), return_counts=True)[1]) == 40
    starts = Counter(text[:25] for text in rows["text"].to_pylist())
    assert len(starts) <= 12
    assert all("Mozilla" not in each for each in pc.unique(rows["user_agent"]).to_pylist())


def test_an_evaluation_company_made_its_keys_at_once(alone: Alone):
    created = alone("evaluation_company", accounts=14).with_role("evaluation_company")["created_at"].to_numpy()
    assert created.max() - created.min() < np.timedelta64(1, "h")


def test_a_translation_agency_works_in_many_languages(alone: Alone):
    log = alone("translation_agency", accounts=14)
    texts = log.where("label", "translation_agency")["text"].to_pylist()
    for letters in ("áéíóñ¿", "äöüß", "的是我", "のをが", "हक"):
        assert sum(any(letter in text for letter in letters) for text in texts) > 10
    assert distinct(log.with_role("translation_agency"), "country") > 3


def test_shops_use_one_tool_and_share_no_owner(alone: Alone):
    log = alone("seo_farm", accounts=80)
    owners = log.with_role("seo_farm")
    assert owners.num_rows > 60
    assert owners["org_id"].null_count == owners.num_rows
    assert distinct(owners, "payment_id") == owners.num_rows
    assert distinct(owners, "asn") > 25
    heads = Counter(text.split("\n")[0] for text in log.where("label", "seo_farm")["text"].to_pylist())
    assert len(heads) == 2
    assert distinct(log.where("label", "seo_farm"), "text") > 950
    created = np.sort(owners["created_at"].to_numpy())
    assert (created[-1] - created[0]) / np.timedelta64(1, "D") > 365


def test_a_relay_pools_many_people_behind_one_account(alone: Alone):
    log = alone("relay", accounts=2, size=80)
    rows = log.where("label", "relay")
    assert distinct(rows, "account_id") == 2
    assert sizes(rows)[0] > 200
    assert distinct(rows, "text") > 850


def test_few_accounts_go_to_the_kinds_that_need_few(tmp_path: Path):
    labels = run(SimulationConfig(prompts=1_000, accounts=30, campaigns=()), tmp_path).result.labels
    assert labels["vendor_app"] > 0
    assert labels["homework"] == 0


def test_no_negatives_leave_people_alone(tmp_path: Path):
    log = run(SimulationConfig(prompts=1_000, accounts=100, campaigns=(), negatives=()), tmp_path)
    assert {label for label, n in log.result.labels.items() if n} == {"background", "popular_template", "retry"}


def test_negatives_of_one_kind_are_apart(tmp_path: Path):
    twice = (
        NegativeConfig("evaluation_company", accounts=5, share=0.1),
        NegativeConfig("evaluation_company", accounts=5, share=0.1),
    )
    log = run(SimulationConfig(prompts=2_000, accounts=100, campaigns=(), negatives=twice), tmp_path)
    assert distinct(log.owners(log.where("label", "evaluation_company")), "org_id") == 2
    assert log.result.labels["evaluation_company"] == 400


def test_every_kind_is_on_by_default():
    assert {each.kind for each in default_negatives()} == {kind.value for kind in NegativeKind}
    assert sum(each.habit.share for each in default_negatives()) == pytest.approx(0.155)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "gossip"}, r"negative: kind: got 'gossip', wanted one of viral_prompt, vendor_app, homework"),
        ({"accounts": 0}, r"negative 'homework': accounts: got 0"),
        ({"accounts": 1.5}, r"accounts: got 1\.5, wanted a count"),
        ({"share": 0.0}, r"share: got 0\.0, wanted a share of the ordinary traffic, above 0 to 0\.5"),
        ({"size": 0}, r"size: got 0, wanted an integer in 1\.\.100000"),
        ({"repertoire": True}, r"repertoire: got True"),
        ({"start_day": -1}, r"start_day: got -1"),
    ],
)
def test_bad_negatives(values: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=message):
        NegativeConfig(**{"kind": "homework"} | values)


@pytest.mark.parametrize(
    ("negatives", "message"),
    [
        ((NegativeConfig("homework", start_day=14),), r"'homework': start_day: got 14, wanted less than the 14 days"),
        ((NegativeConfig("homework", share=0.5),) * 2, r"negatives: shares sum to 1\.00, wanted at most 0\.9"),
        ((NegativeConfig("homework", accounts=90),), r"negatives: want 90 accounts of the 90 that are no campaign's"),
        ((NegativeConfig("homework", accounts=1, share=0.0001),) * 1_001, r"got 1001, wanted at most 1000"),
    ],
)
def test_negatives_that_do_not_fit_the_log(negatives: tuple[NegativeConfig, ...], message: str):
    with pytest.raises(UsageError, match=message):
        SimulationConfig(accounts=100, negatives=negatives, campaigns=(CampaignConfig("one", accounts=10),))


@st.composite
def configurations(draw: st.DrawFn) -> SimulationConfig:
    """Draw logs of odd sizes with odd negatives and perhaps a campaign."""
    days = draw(st.integers(1, 20))
    negatives = draw(
        st.lists(
            st.builds(
                NegativeConfig,
                kind=st.sampled_from(list(NegativeKind)).map(str),
                accounts=st.none() | st.integers(1, 4) | st.sampled_from([0.05, 0.5]),
                share=st.sampled_from([0.01, 0.2]),
                size=st.none() | st.integers(1, 3),
                repertoire=st.none() | st.integers(1, 3),
                start_day=st.none() | st.integers(0, days - 1),
            ),
            max_size=4,
        )
    )
    relayed = any(each.kind == NegativeKind.RELAY for each in negatives)
    campaign = st.builds(
        CampaignConfig,
        name=st.just("one"), accounts=st.integers(1, 5), share=st.sampled_from([0.0001, 0.1, 0.4]), cover=st.sampled_from([0.0, 0.5]),
        relay=st.sampled_from([0.0, 1.0]) if relayed else st.just(0.0), start_day=st.integers(0, days - 1),
        slow_start=st.integers(0, 30), slot_entropy=st.sampled_from([0.0, 1.0]), replaced=st.sampled_from([0.0, 0.9]),
    )  # fmt: skip
    return SimulationConfig(
        prompts=draw(st.integers(1, 300)), accounts=draw(st.integers(25, 80)), days=days, seed=draw(st.integers(0, 2**70)),
        negatives=tuple(negatives), campaigns=tuple(draw(st.lists(campaign, max_size=1))),
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(config=configurations())
def test_any_log_is_whole(config: SimulationConfig, tmp_path_factory: pytest.TempPathFactory):
    log = run(config, tmp_path_factory.mktemp("any"))
    assert log.prompts.num_rows == log.truth.num_rows == config.prompts
    assert log.accounts.num_rows == distinct(log.accounts, "account_id") == config.accounts
    assert distinct(log.prompts, "prompt_id") == config.prompts
    assert pc.all(pc.is_in(log.prompts["account_id"], log.accounts["account_id"])).as_py()
    ts = log.prompts["ts"].to_numpy()
    assert (np.diff(ts) >= np.timedelta64(0)).all()
    assert START <= ts[0] <= ts[-1] < START + np.timedelta64(config.days, "D")
    assert all(text.strip() for text in log.prompts["text"].to_pylist())
    first = log.prompts.group_by("account_id").aggregate([("ts", "min")]).join(log.accounts, "account_id")
    assert pc.all(pc.less(first["created_at"], first["ts_min"])).as_py()
