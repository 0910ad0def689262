"""Presets scale down to what is asked for and keep what makes them what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from commands import promptscan, refused
from simulating import run

from promptscan.errors import UsageError
from promptscan.simulate import (
    CampaignConfig,
    NegativeKind,
    SimulationConfig,
    load_preset,
    preset_names,
    requested,
    scaled,
    simulate,
)

EXCHANGES = {"report-150k": 150_000, "report-3.4m": 3_400_000, "report-13m": 13_000_000, "report-28.8m": 28_800_000}


def test_presets_are_named_after_their_reports():
    assert preset_names() == tuple(EXCHANGES)


@pytest.mark.parametrize("name", EXCHANGES)
def test_a_preset_has_the_exchanges_of_its_report(name: str):
    preset = load_preset(name)
    config = preset.config
    (campaign,) = config.all_campaigns()
    assert config.prompts * campaign.share / (1 - campaign.cover) == pytest.approx(EXCHANGES[name], rel=0.01)
    daily = EXCHANGES[name] / campaign.accounts / config.days
    assert daily < campaign.rate_cap
    assert {each.kind for each in config.all_negatives()} == {kind.value for kind in NegativeKind}
    assert (
        f"{campaign.accounts:,} accounts" in preset.description or f"{campaign.accounts} accounts" in preset.description
    )


def test_the_largest_is_as_reported():
    config = load_preset("report-28.8m").config
    (campaign,) = config.all_campaigns()
    assert (campaign.accounts, config.days) == (25_000, 45)
    assert campaign.capabilities == ("software", "agentic", "cybersecurity")


@pytest.mark.parametrize("name", EXCHANGES)
def test_every_preset_sends_its_share_under_its_cap(name: str, tmp_path: Path):
    config = requested(preset=name, prompts=20_000, share=0.05)
    log = run(config, tmp_path)
    assert log.prompts.num_rows == 20_000
    assert log.result.campaigns[name] == pytest.approx(1_000, abs=20)


@pytest.mark.parametrize("scale", [0.001, 0.0001, 0.000001])
def test_scale_multiplies_prompts_and_accounts_down_to_floors(scale: float):
    full = load_preset("report-28.8m").config
    small = scaled(full, scale=scale)
    assert small.prompts == max(1_000, round(288_000_000 * scale))
    (campaign,) = small.all_campaigns()
    assert campaign.accounts == max(5, round(25_000 * scale))
    assert small.accounts == max(100 + campaign.accounts, round(5_000_000 * scale))


@pytest.mark.parametrize("share", [0.5, 0.01, 0.001, 0.0001])
def test_share_overrides_and_accounts_follow(share: float):
    config = scaled(load_preset("report-28.8m").config, scale=0.01, share=share)
    (campaign,) = config.all_campaigns()
    assert campaign.share == pytest.approx(share)
    assert campaign.accounts == max(5, round(250 * share / 0.09))
    assert config.prompts == 2_880_000


def test_a_share_is_divided_as_before():
    config = scaled(SimulationConfig(), share=0.2)
    assert sum(each.share for each in config.all_campaigns()) == pytest.approx(0.2)
    first, second = config.all_campaigns()[:2]
    assert first.share / second.share == pytest.approx(30 / 22)


def test_a_share_that_leaves_a_campaign_too_little():
    with pytest.raises(
        UsageError, match=r"campaign 'north-star': share: got 3\.0\d*e-05, wanted a share of all prompts"
    ):
        scaled(SimulationConfig(), share=0.0001)


def test_days_are_the_first_of_the_preset():
    config = requested(preset="report-13m", scale=0.001, days=10)
    full = requested(preset="report-13m", scale=0.001)
    assert (config.days, config.prompts, config.accounts) == (10, full.prompts // 5, full.accounts)
    assert config.release_day is None
    assert config.all_campaigns()[0].accounts == full.all_campaigns()[0].accounts


def test_prompts_say_how_large_a_preset_is():
    config = requested(preset="report-3.4m", prompts=34_000)
    assert (config.prompts, config.accounts) == (34_000, 400)


def test_benign_only_keeps_the_negatives(tmp_path: Path):
    log = run(requested(preset="report-28.8m", scale=0.00003, benign_only=True), tmp_path)
    assert log.truth["campaign_id"].null_count == log.prompts.num_rows
    assert log.result.labels["viral_prompt"] > 0
    assert log.result.campaigns == {}


def test_options_without_a_preset_mean_what_they_meant():
    assert requested(prompts=500, accounts=60, days=9, seed=4) == SimulationConfig(500, 60, 9, 4)


def test_campaigns_and_negatives_of_a_file(tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text(
        '[[campaign]]\nname = "one"\ncapability = ["grading", "agentic"]\naccounts = 10\nlanguages = { es = 0.2 }\n'
        "shared = { payment = 0.9 }\n\n[[negative]]\nkind = 'homework'\naccounts = 40\nsize = 20\n",
        encoding="utf-8",
    )
    config = requested(campaigns=str(file))
    (campaign,), (negative,) = config.all_campaigns(), config.all_negatives()
    assert campaign.capabilities == ("grading", "agentic")
    assert (campaign.sharing.payment, campaign.sharing.ip) == (0.9, 0.3)
    assert (negative.kind, negative.accounts, negative.size) == ("homework", 40, 20)


def test_a_file_of_negatives_keeps_the_default_campaigns(tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text("[[negative]]\nkind = 'seo_farm'\n", encoding="utf-8")
    assert len(requested(campaigns=str(file)).all_campaigns()) == 6
    assert len(requested(campaigns=str(file), benign_only=True).all_campaigns()) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[negative]]\nshare = 0.1\n", r"negative 1: got no kind, wanted kind ="),
        ("[[negative]]\nkind = 'rumour'\n", r"kind: got 'rumour'"),
        ("[[negative]]\nkind = 'relay'\npeople = 3\n", r"negative 1: got key 'people', wanted one of kind, accounts"),
        ("negative = 3\n", r"negative: got 3, wanted at least one \[\[negative\]\] table"),
        ("[log]\nprompts = 3\n", r"got key 'log'"),
        ("[[campaign]]\nname = 'x'\nshared = { card = 0.2 }\n", r"shared: got key 'card', wanted one of payment, ip"),
        ("[[campaign]]\nname = 'x'\nshared = { ip = 2 }\n", r"shared: ip: got 2, wanted a probability"),
        ("[[campaign]]\nname = 'x'\nlanguages = ['es']\n", r"languages: got \['es'\], wanted a table"),
        ("[[campaign]]\nname = 'x'\nlanguages = { nl = 0.2 }\n", r"languages: got 'nl', wanted one of es, de"),
        ("[[campaign]]\nname = 'x'\nlanguages = { es = 0.7, de = 0.6 }\n", r"languages: shares sum to 1\.30"),
        ("[[campaign]]\nname = 'x'\ncapability = []\n", r"capability: got \(\), wanted a name or a list"),
        ("[[campaign]]\nname = 'x'\ncapability = ['grading', 'baking']\n", r"capability: got 'baking'"),
        (
            "[[campaign]]\nname = 'x'\nshare = 0.00001\n",
            r"share: got 1e-05, wanted a share of all prompts, from 0\.0001",
        ),
        ("[[campaign]]\nname = 'x'\nslot_entropy = 2\n", r"slot_entropy: got 2"),
        ("[[campaign]]\nname = 'x'\nparaphrase = -1\n", r"paraphrase: got -1"),
        ("[[campaign]]\nname = 'x'\nrelay = '3 %'\n", r"relay: got '3 %'"),
        ("[[campaign]]\nname = 'x'\naccount_age_days = -3\n", r"account_age_days: got -3, wanted a number of days"),
        ("[[campaign]]\nname = 'x'\nslow_start = 1.5\n", r"slow_start: got 1\.5"),
    ],
)
def test_bad_files(text: str, message: str, tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        requested(campaigns=str(file))
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"preset": "report-1b"}, r"preset: got 'report-1b', wanted one of report-150k, report-3\.4m"),
        ({"preset": "../capabilities"}, r"preset: got '\.\./capabilities'"),
        ({"preset": "report-13m", "scale": 0}, r"scale: got 0, wanted a factor, above 0 to 10"),
        ({"preset": "report-13m", "scale": float("nan")}, r"scale: got nan"),
        ({"preset": "report-13m", "share": 0.00001}, r"share: got 1e-05, wanted a share of all prompts, from 0\.0001"),
        ({"preset": "report-13m", "share": 0.6}, r"share: got 0\.6"),
        ({"preset": "report-13m", "accounts": 50}, r"--accounts: got 50 with --preset report-13m"),
        ({"preset": "report-13m", "campaigns": "x.toml"}, r"--campaigns: got x\.toml with --preset"),
        ({"preset": "report-13m", "prompts": 5_000, "scale": 0.1}, r"--prompts 5000 and --scale 0\.1 both"),
        ({"preset": "report-13m", "prompts": 0}, r"prompts: got 0, wanted an integer of at least 1"),
        ({"preset": "report-13m", "days": 0}, r"days: got 0"),
        ({"benign_only": True, "share": 0.1}, r"--share 0\.1 and --benign-only"),
        ({"campaigns": "missing.toml"}, r"missing\.toml: cannot be read"),
    ],
)
def test_options_that_make_no_log(asked: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=message):
        requested(**asked)


def test_the_command_names_its_presets():
    ran = promptscan("simulate", "--list-presets")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == list(EXCHANGES)


def test_the_command_writes_a_scaled_preset(tmp_path: Path):
    ran = promptscan("simulate", "--preset", "report-3.4m", "--scale", "0.00001", "--share", "0.1", "--out", tmp_path)
    assert ran.code == 0, ran.err
    truth = pq.read_table(tmp_path / "truth.parquet")
    assert truth.num_rows == 1_700
    assert truth["label"].to_pylist().count("campaign") == 170


def test_the_command_refuses_in_one_line(tmp_path: Path):
    assert "'nothing'" in refused(2, "simulate", "--preset", "nothing", "--out", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_campaign_between_others_is_numbered_beyond_a_byte(tmp_path: Path):
    many = tuple(CampaignConfig(f"c{number:03d}", accounts=1, share=0.002) for number in range(140))
    made = simulate(SimulationConfig(prompts=5_000, accounts=400, campaigns=many), tmp_path)
    assert sum(made.campaigns.values()) == 1_400
    assert set(pq.read_table(made.truth)["campaign_id"].drop_null().to_pylist()) == {each.name for each in many}
