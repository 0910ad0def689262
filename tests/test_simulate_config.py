"""Configurations are refused with the key, the value received and what was wanted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from promptscan.errors import UsageError
from promptscan.simulate import CampaignConfig, Capability, SimulationConfig, default_campaigns, load_campaigns


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompts": 0}, r"prompts: got 0, wanted an integer of at least 1"),
        ({"prompts": 10.5}, r"prompts: got 10\.5"),
        ({"accounts": True}, r"accounts: got True"),
        ({"days": 0}, r"days: got 0"),
        ({"seed": -1}, r"seed: got -1"),
        ({"release_day": -2}, r"release_day: got -2"),
        ({"start": datetime(2026, 1, 5)}, r"start: got 2026-01-05T00:00:00, wanted midnight UTC"),  # noqa: DTZ001
        ({"start": datetime(2026, 1, 5, 3, tzinfo=UTC)}, r"wanted midnight UTC"),
        ({"campaigns": (CampaignConfig("a"), CampaignConfig("a"))}, r"got 'a' twice"),
        ({"campaigns": (CampaignConfig("a", start_day=14),)}, r"start_day: got 14, wanted less than the 14 days"),
        ({"campaigns": (CampaignConfig("a", accounts=1_500),)}, r"want 1500 accounts of 1500"),
        ({"campaigns": (CampaignConfig("a", share=0.5), CampaignConfig("b", share=0.4))}, r"sum to 1\.00"),
    ],
)
def test_bad_simulations(values: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=message):
        SimulationConfig(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": " "}, r"name: got ' '"),
        ({"name": 3}, r"name: got 3"),
        ({"capability": "cooking"}, r"capability: got 'cooking', wanted one of software, agentic"),
        ({"accounts": 0}, r"accounts: got 0"),
        ({"accounts": 1.0}, r"accounts: got 1\.0, wanted a count \(integer\) or a share"),
        ({"share": 0.0}, r"share: got 0\.0"),
        ({"share": float("nan")}, r"share: got nan"),
        ({"share": "much"}, r"share: got 'much'"),
        ({"templates": 0}, r"templates: got 0"),
        ({"start_day": 4, "stop_day": 4}, r"stop_day: got 4, wanted an integer of at least 5"),
        ({"cover": 0.95}, r"cover: got 0\.95"),
        ({"rate_cap": 30}, r"rate_cap: got 30, wanted an integer in 1\.\.29"),
        ({"pivot": "yes"}, r"pivot: got 'yes', wanted true or false"),
        ({"shared": 1.5}, r"shared: got 1\.5"),
        ({"replaced": -0.1}, r"replaced: got -0\.1"),
    ],
)
def test_bad_campaigns(values: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=message):
        CampaignConfig(**{"name": "x"} | values)


@pytest.mark.parametrize("days", [1, 2, 5, 14, 45])
def test_the_default_mix_fits_any_window(days: int):
    campaigns = default_campaigns(days)
    assert {campaign.capability for campaign in campaigns} == {each.value for each in Capability}
    assert 0.08 <= sum(campaign.share for campaign in campaigns) <= 0.12
    assert all(0.004 <= campaign.share <= 0.04 for campaign in campaigns)
    SimulationConfig(days=days, campaigns=campaigns)


def test_campaigns_from_toml(tmp_path: Path):
    file = tmp_path / "campaigns.toml"
    file.write_text(
        '[[campaign]]\nname = "one"\ncapability = "grading"\naccounts = 25\nshare = 0.04\ntemplates = 2\n'
        "start_day = 1\nstop_day = 5\ncover = 0.2\nrate_cap = 12\npivot = true\n\n"
        '[[campaign]]\nname = "two"\naccounts = 0.1\n',
        encoding="utf-8",
    )
    one, two = load_campaigns(file)
    assert one == CampaignConfig("one", "grading", 25, 0.04, 2, 1, 5, 0.2, 12, pivot=True)
    assert two == CampaignConfig("two", accounts=0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[campaign]\n", r"not TOML"),
        ("", r"campaign: got None, wanted at least one \[\[campaign\]\] table"),
        ("campaign = 3\n", r"campaign: got 3"),
        ("[campaign]\nname = 'x'\n", r"wanted at least one \[\[campaign\]\] table"),
        ("[[campain]]\nname = 'x'\n", r"got key 'campain'"),
        ("[[campaign]]\nshare = 0.1\n", r"campaign 1: got no name"),
        (
            "[[campaign]]\nname = 'x'\n[[campaign]]\nname = 'y'\nspeed = 3\n",
            r"campaign 2: got key 'speed', wanted one of name, capability",
        ),
        ("[[campaign]]\nname = 'x'\nrate_cap = 40\n", r"campaign 'x': rate_cap: got 40"),
        ("[[campaign]]\nname = 'x'\nshare = '1 %'\n", r"campaign 'x': share: got '1 %'"),
    ],
)
def test_bad_toml(text: str, message: str, tmp_path: Path):
    file = tmp_path / "campaigns.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        load_campaigns(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text(tmp_path: Path):
    file = tmp_path / "campaigns.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not TOML"):
        load_campaigns(file)


def test_no_file(tmp_path: Path):
    with pytest.raises(UsageError, match="cannot be read"):
        load_campaigns(tmp_path / "missing.toml")
