"""Each knob of a campaign does what it says."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from simulating import Log, run

from promptscan.errors import UsageError
from promptscan.simulate import CampaignConfig, NegativeConfig, Shared, SimulationConfig, simulate

DAYS = 12


def planted(out: Path, *, prompts: int = 4_000, seed: int = 3, **knobs: Any) -> Log:
    """Simulate one campaign of 60 accounts and 30 % of the traffic, without cover."""
    campaign = CampaignConfig(**{"name": "one", "accounts": 60, "share": 0.3, "cover": 0.0, "replaced": 0.0} | knobs)
    return run(SimulationConfig(prompts=prompts, accounts=400, days=DAYS, seed=seed, campaigns=(campaign,)), out)


def sent(log: Log) -> list[str]:
    return log.where("label", "campaign")["text"].to_pylist()


@pytest.mark.parametrize("share", [0.0001, 0.001, 0.01, 0.5])
def test_the_share_is_met_to_the_prompt(share: float, tmp_path: Path):
    log = planted(tmp_path, prompts=20_000, share=share, cover=0.05, accounts=150, rate_cap=29, relay=0.1)
    assert log.result.campaigns["one"] == pytest.approx(share * 20_000, abs=1)


def test_cover_is_a_share_of_the_accounts_own_traffic(tmp_path: Path):
    labels = planted(tmp_path, share=0.2, cover=0.5).result.labels
    assert labels["campaign_cover"] == pytest.approx(labels["campaign"], abs=2)


def test_slot_entropy_decides_how_often_fillings_repeat(tmp_path: Path):
    distinct = [
        len(set(sent(planted(tmp_path / str(entropy), templates=1, slot_entropy=entropy))))
        for entropy in (0.0, 0.5, 1.0)
    ]
    assert distinct[0] == 1
    assert 20 < distinct[1] <= round(1_200**0.5)
    assert distinct[2] > 1_100


def shared_words(texts: list[str]) -> float:
    """Return the mean share of words that a text's head has in common with that of the next."""
    heads = [set(text.split("\n")[0].lower().split()) for text in texts]
    return float(np.mean([len(a & b) / len(a | b) for a, b in pairwise(heads)]))


def test_paraphrase_takes_the_fixed_text_apart(tmp_path: Path):
    levels = {
        level: sent(planted(tmp_path / str(level), templates=1, capability="reasoning", paraphrase=level))
        for level in (0.0, 0.5, 1.0)
    }
    whole = [
        np.mean(["your complete internal reasoning" in text or "full internal reasoning" in text for text in texts])
        for texts in levels.values()
    ]
    assert whole[0] == 1.0
    assert whole[0] > whole[1] > whole[2]
    assert whole[2] < 0.4
    alike = [shared_words(texts) for texts in levels.values()]
    assert alike[0] > alike[1] > alike[2]


def test_paraphrase_leaves_cover_alone(tmp_path: Path):
    plain, reworded = (
        planted(tmp_path / str(level), paraphrase=level, cover=0.4).where("label", "campaign_cover")
        for level in (0.0, 1.0)
    )
    assert plain["text"].to_pylist() == reworded["text"].to_pylist()


def test_languages_get_their_shares_and_keep_the_family(tmp_path: Path):
    log = planted(tmp_path, capability="agentic", templates=1, languages={"zh": 0.3, "de": 0.2})
    templates = Counter(log.truth["template_id"].drop_null().to_pylist())
    total = sum(templates.values())
    assert templates["agentic/plan/zh"] / total == pytest.approx(0.3, abs=0.05)
    assert templates["agentic/plan/de"] / total == pytest.approx(0.2, abs=0.05)
    assert set(log.truth["family_id"].drop_null().to_pylist()) == {"agentic/plan"}
    assert np.mean(["你" in text for text in sent(log)]) == pytest.approx(0.3, abs=0.05)


def test_all_prompts_can_be_in_other_languages(tmp_path: Path):
    log = planted(tmp_path, languages={"es": 0.5, "ja": 0.5})
    assert {each[-2:] for each in log.truth["template_id"].drop_null().to_pylist()} == {"es", "ja"}


def test_several_capabilities_take_turns(tmp_path: Path):
    log = planted(tmp_path, capability=("grading", "agentic"), templates=4)
    families = set(log.truth["family_id"].drop_null().to_pylist())
    assert families == {"grading/score", "agentic/plan", "grading/prefer", "agentic/recover"}


def test_relays_carry_their_part_beside_other_customers(tmp_path: Path):
    log = planted(tmp_path, relay=0.25, cover=0.1)
    roles = Counter(log.truth["account_role"].filter(pc.equal(log.truth["label"], "campaign")).to_pylist())
    assert roles["relay"] / roles.total() == pytest.approx(0.25, abs=0.01)
    carriers = pc.unique(
        log.where("label", "campaign").filter(
            log.truth["account_role"].filter(pc.equal(log.truth["label"], "campaign")).to_numpy() == "relay"
        )["account_id"]
    )
    labels = Counter(log.truth["label"].filter(pc.is_in(log.prompts["account_id"], carriers)).to_pylist())
    assert labels["relay"] > 50
    assert set(labels) == {"campaign", "relay"}


def test_a_relay_needs_relays():
    with pytest.raises(UsageError, match=r"'one': relay: got 0\.2, but the log has no negative of kind 'relay'"):
        SimulationConfig(campaigns=(CampaignConfig("one", relay=0.2),), negatives=(NegativeConfig("vendor_app"),))


def ages(log: Log) -> np.ndarray:
    """Return the days between creation and first prompt of the campaign's accounts."""
    first = log.where("label", "campaign").group_by("account_id").aggregate([("ts", "min")])
    joined = first.join(log.accounts, "account_id")
    return (joined["ts_min"].to_numpy() - joined["created_at"].to_numpy()) / np.timedelta64(1, "D")


def test_accounts_lie_idle_before_use(tmp_path: Path):
    assert ages(planted(tmp_path / "new")).max() < 6
    aged = ages(planted(tmp_path / "old", account_age_days=90))
    assert 90 < aged.min() < aged.max() < 96


def test_a_slow_start_grows_day_by_day(tmp_path: Path):
    def by_day(slow: int) -> np.ndarray:
        rows = planted(tmp_path / str(slow), slow_start=slow, start_day=1, rate_cap=29).where("campaign_id", "one")
        return np.bincount(
            (rows["ts"].to_numpy() - np.datetime64("2026-01-05")) // np.timedelta64(1, "D"), minlength=DAYS
        )

    slow, steady = by_day(6), by_day(0)
    assert slow[0] == steady[0] == 0
    assert slow[1] < 0.3 * slow[8]
    assert slow[1:3].sum() < slow[3:5].sum() < slow[5:7].sum() < slow[8:10].sum()
    assert steady[1] > 0.8 * steady[8]


def largest(values: list[Any]) -> float:
    """Return the share of the commonest value."""
    return Counter(values).most_common(1)[0][1] / len(values)


@pytest.mark.parametrize("entity", ["payment", "ip", "asn", "email_domain", "user_agent"])
def test_each_shared_entity_has_its_own_probability(entity: str, tmp_path: Path):
    nothing = dict.fromkeys(["payment", "ip", "asn", "email_domain", "user_agent"], 0.0)

    def concentration(probability: float) -> float:
        log = planted(tmp_path / str(probability), shared=Shared(**nothing | {entity: probability}))
        if entity == "user_agent":
            rows = log.where("campaign_id", "one").group_by(["account_id", "user_agent"]).aggregate([])
            kits = [each for each in rows["user_agent"].to_pylist() if "/" in each and "Mozilla" not in each]
            return Counter(kits).most_common(1)[0][1] / 60
        members = log.with_role("campaign")
        if entity == "email_domain":
            return np.mean([each.endswith(".example") for each in members["email_domain"].to_pylist()])
        column = members["payment_id" if entity == "payment" else entity].to_pylist()
        if entity == "asn":
            return np.mean([60_000 <= int(each[2:]) < 64_000 for each in column])
        counts = Counter(each for each in column if each)
        return sum(n for n in counts.values() if n > 1) / 60

    assert concentration(0.0) < 0.2
    assert concentration(0.9) > 0.55


def test_one_number_stands_for_all_shared_entities():
    assert CampaignConfig("one", shared=0.4).sharing == Shared(0.4, 0.4, 0.4, 0.4, 0.4)


def test_campaigns_have_no_organisation(tmp_path: Path):
    log = planted(tmp_path)
    assert log.with_role("campaign")["org_id"].null_count == 60


def test_replaced_accounts_follow_each_other(tmp_path: Path):
    rows = planted(tmp_path, replaced=0.5).where("campaign_id", "one").group_by("account_id").aggregate([("ts", "min")])
    late = pc.sum(pc.greater(rows["ts_min"], datetime(2026, 1, 5) + timedelta(days=2))).as_py()  # noqa: DTZ001
    assert late >= 15


def test_knobs_do_not_disturb_the_background_of_others(tmp_path: Path):
    plain, aged = planted(tmp_path / "a"), planted(tmp_path / "b", account_age_days=50, paraphrase=1.0)
    rows = [log.where("label", "background") for log in (plain, aged)]
    assert rows[0]["text"].to_pylist() == rows[1]["text"].to_pylist()
    assert rows[0]["ts"].to_pylist() == rows[1]["ts"].to_pylist()


def test_all_knobs_together_are_reproducible(tmp_path: Path):
    knobs: dict[str, Any] = {
        "paraphrase": 0.5, "languages": {"zh": 0.1}, "relay": 0.1, "slot_entropy": 0.8, "slow_start": 3, "cover": 0.2,
        "account_age_days": 5.5, "pivot": True, "capability": ("software", "grading"),
    }  # fmt: skip
    campaign = CampaignConfig("one", accounts=30, share=0.2, **knobs)
    config = SimulationConfig(prompts=1_500, accounts=200, days=DAYS, seed=9, campaigns=(campaign,))
    first, second = (simulate(config, tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in (first.prompts, first.accounts, first.truth)] == [
        path.read_bytes() for path in (second.prompts, second.accounts, second.truth)
    ]
