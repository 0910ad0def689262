"""What members of a campaign share that hardly anybody else has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptscan.campaigns.membership import Scores, holdings, shared_weight
from promptscan.campaigns.parties import Parties
from promptscan.campaigns.traffic import Floats, Ints, Traffic

SHOWN = 200  # entities of a campaign that are kept: the most telling
WORTH = 0.5  # nats of weight for membership: below, sharing it is chance


@dataclass(frozen=True, slots=True)
class SharedEntities:
    """Entities of campaigns, by campaign, most telling first.

    Attributes:
        campaign: int64 (s,).
        kinds, values: of each entity, as they came.
        n_accounts, n_others: int64 (s,), members that have it, and accounts outside that have it too.
        weight: float64 (s,), log10 of all accounts over those that have it.
    """

    campaign: Ints
    kinds: tuple[str, ...]
    values: tuple[str, ...]
    n_accounts: Ints
    n_others: Ints
    weight: Floats


def shared_entities(traffic: Traffic, parties: Parties, scores: Scores) -> SharedEntities:
    """Find entities that at least two members of a campaign have, and that are commoner among them than outside.

    Args:
        traffic: in order.
        parties: who takes part in which campaign.
        scores: of these pairs.
    """
    member = scores.member.astype(np.float64)
    held = (parties.matrix(member, len(traffic.accounts)) @ holdings(traffic)).tocoo()
    campaign, entity, have = held.row.astype(np.int64), held.col.astype(np.int64), held.data
    others = np.maximum(traffic.entity_total[entity] - have, 0)
    size = np.bincount(parties.group, weights=member, minlength=parties.n_groups)[campaign]
    telling = shared_weight(have - 1, others, size - 1, np.maximum(traffic.n_accounts - size, 0))
    keep = np.flatnonzero((have >= 2) & (telling >= WORTH))
    keep = keep[np.lexsort((entity[keep], -have[keep], -telling[keep], campaign[keep]))]
    starts = np.searchsorted(campaign[keep], campaign[keep])
    keep = keep[np.arange(len(keep)) - starts < SHOWN]
    rarity = np.log10(max(traffic.n_accounts, 1) / np.maximum(traffic.entity_total[entity[keep]], 1))
    named = [traffic.entities[number] for number in entity[keep].tolist()]
    return SharedEntities(
        campaign[keep],
        tuple(kind for kind, _ in named),
        tuple(value for _, value in named),
        have[keep].astype(np.int64),
        others[keep].astype(np.int64),
        np.maximum(rarity, 0),
    )
