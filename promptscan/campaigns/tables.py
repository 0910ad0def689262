"""Campaigns as the Arrow tables of a segment of kind `campaigns`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from promptscan.campaigns.find import Campaigns
from promptscan.campaigns.traffic import Ints


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the alert stage adds to a campaign.

    Attributes:
        evidence, counter_evidence: JSON lists, strongest first.
        severity: low, medium, high or critical.
    """

    evidence: str = "[]"
    counter_evidence: str = "[]"
    severity: str | None = None


def campaign_tables(
    campaigns: Campaigns,
    ids: Sequence[str],
    labels: Mapping[str, str | None],
    capabilities: Mapping[str, str | None],
) -> dict[str, Any]:
    """Write campaigns as tables, by name of the table; rows by campaign, columns as in `store.tables`, without verdicts yet.

    Args:
        campaigns: what was found.
        ids: id of campaign 0, 1, ….
        labels: family id -> label; a campaign has that of its strongest family.
        capabilities: family id -> capability; a campaign has the one most of its families' prompts share, ties by name.
    """
    return {
        "campaigns": _campaigns(campaigns, ids, labels, capabilities),
        "campaign_accounts": _accounts(campaigns, ids),
        "campaign_families": _families(campaigns, ids),
        "campaign_entities": _entities(campaigns, ids),
    }


def with_verdicts(table: Any, verdicts: Sequence[Verdict]) -> Any:
    """Return the table `campaigns` with the verdict of each of its rows."""
    import pyarrow as pa

    for name in (field.name for field in fields(Verdict)):
        column = pa.array([getattr(one, name) for one in verdicts], pa.string())
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table


def strongest_families(campaigns: Campaigns) -> tuple[str, ...]:
    """Return the id of each campaign's strongest family."""
    first = np.searchsorted(campaigns.family_campaign, np.arange(len(campaigns)))
    return tuple(campaigns.family_ids[place] for place in first.tolist())


def campaign_capabilities(campaigns: Campaigns, capabilities: Mapping[str, str | None]) -> list[str | None]:
    """Return the capability that most prompts of each campaign's families have; None where no family has one."""
    prompts: list[dict[str, int]] = [{} for _ in range(len(campaigns))]
    rows = zip(campaigns.family_campaign.tolist(), campaigns.family_ids, campaigns.family_prompts.tolist(), strict=True)
    for campaign, family, count in rows:
        capability = capabilities.get(family)
        if capability:
            prompts[campaign][capability] = prompts[campaign].get(capability, 0) + count
    return [min(found, key=lambda name: (-found[name], name)) if found else None for found in prompts]


def _campaigns(
    campaigns: Campaigns,
    ids: Sequence[str],
    labels: Mapping[str, str | None],
    capabilities: Mapping[str, str | None],
) -> Any:
    import pyarrow as pa

    n = len(campaigns)
    untold = pa.nulls(n, pa.string())
    return pa.table(
        {
            "campaign_id": pa.array(ids, pa.string()),
            "score": pa.array(campaigns.score, pa.float64()),
            "n_accounts": np.bincount(campaigns.account_campaign, minlength=n),
            "n_families": np.bincount(campaigns.family_campaign, minlength=n),
            "n_prompts": campaigns.n_prompts,
            "first_ts": pa.array(campaigns.first_ts, pa.timestamp("us")),
            "last_ts": pa.array(campaigns.last_ts, pa.timestamp("us")),
            "evidence": untold,
            "counter_evidence": untold,
            "label": pa.array([labels.get(family) for family in strongest_families(campaigns)], pa.string()),
            "capability": pa.array(campaign_capabilities(campaigns, capabilities), pa.string()),
            "severity": untold,
        }
    )


def _accounts(campaigns: Campaigns, ids: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.table(
        {
            "campaign_id": _named(ids, campaigns.account_campaign),
            "account_id": pa.array(campaigns.account_ids, pa.string()),
            "score": campaigns.account_score,
            "reasons": pa.array(campaigns.account_reasons, pa.list_(pa.string())),
            "n_prompts": campaigns.account_prompts,
            "share": campaigns.account_share,
            "first_ts": pa.array(campaigns.account_first, pa.timestamp("us")),
            "last_ts": pa.array(campaigns.account_last, pa.timestamp("us")),
        }
    )


def _families(campaigns: Campaigns, ids: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.table(
        {
            "campaign_id": _named(ids, campaigns.family_campaign),
            "family_id": pa.array(campaigns.family_ids, pa.string()),
            "n_prompts": campaigns.family_prompts,
            "n_accounts": campaigns.family_accounts,
            "score": campaigns.family_strength,
            "reason": pa.array(campaigns.family_reasons, pa.string()),
        }
    )


def _entities(campaigns: Campaigns, ids: Sequence[str]) -> Any:
    import pyarrow as pa

    shared = campaigns.entities
    return pa.table(
        {
            "campaign_id": _named(ids, shared.campaign),
            "kind": pa.array(shared.kinds, pa.string()),
            "value": pa.array(shared.values, pa.string()),
            "n_accounts": shared.n_accounts,
            "n_others": shared.n_others,
            "weight": shared.weight,
        }
    )


def _named(ids: Sequence[str], campaign: Ints) -> Any:
    import pyarrow as pa

    return pa.array(ids, pa.string()).take(pa.array(campaign, pa.int64()))
