"""sharing: the templates of campaigns and families as indicators that may leave the house."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptscan import state
from promptscan.atomic import replacing
from promptscan.banks import frequent_fingerprints
from promptscan.errors import UsageError
from promptscan.indicators import LEAST, Chooser, Indicator, coarse, fixed_hash, shape, written
from promptscan.sql import first, script
from promptscan.store import Generation
from promptscan.templates import read_template
from promptscan.verdicts import Decision, current_verdicts

ACCOUNTS = 2  # accounts that have to have sent a template: what one account wrote is its own


@dataclass(frozen=True, slots=True)
class Shared:
    """What is shared of some families.

    Attributes:
        indicators: by hash.
        short: templates left out because their fixed text is too short to be told by a few fingerprints.
    """

    indicators: tuple[Indicator, ...]
    short: int


def share(root: Path, path: Path, *, campaign: str | None = None, family: str | None = None) -> Shared:
    """Write the indicators of a campaign, a family, or all campaigns that were not judged benign; the audit log says so.

    Raises:
        UsageError: there is no such thing, or nothing of it can be shared; nothing is written.
        StoreError: the store is damaged or not there, or its state can't be changed.
    """
    if campaign is not None and family is not None:
        raise UsageError("--campaign and --family were given together; choose one")
    with Generation.current(root.absolute()) as generation:
        with generation.connect() as con:
            families = _families(con, root, campaign, family)
            rows = _templates(con, families)
        shared = _indicators(rows, Chooser(frequent_fingerprints(generation)))
    about = campaign or family or "all campaigns"
    if not shared.indicators:
        raise UsageError(
            f"nothing of {about} can be shared: {shared.short:,} templates have too little fixed text "
            f"(wanted {LEAST} fingerprints apart from each other), the others fewer than {ACCOUNTS} accounts"
        )
    with replacing(path) as file:
        file.write(written(shared.indicators))
    with state.changing(root) as changes:
        state.record(changes, "indicators export", about, len(shared.indicators), {"file": path.name})
    return shared


def _families(con: Any, root: Path, campaign: str | None, family: str | None) -> list[str]:
    """Return the families to share."""
    if family is not None:
        if first(con, "SELECT 1 FROM base_family_names WHERE family_id = ?", [family]) is None:
            raise UsageError(f"there is no family {family!r}; `promptscan families` shows them")
        return [family]
    rows = con.execute("SELECT campaign_id, family_id FROM campaign_families ORDER BY ALL").fetchall()
    if campaign is None:
        judged = current_verdicts(root)
        benign = {subject for subject, one in judged.items() if one.verdict is Decision.BENIGN}
        rows = [row for row in rows if not benign & set(row)]
        if not rows:
            raise UsageError("the store has no campaigns to share; name a family (--family F-…)")
    elif campaign not in {row[0] for row in rows}:
        raise UsageError(f"there is no campaign {campaign!r}; `promptscan sql 'from campaigns'` shows them")
    return sorted({row[1] for row in rows if campaign in {None, row[0]}})


def _templates(con: Any, families: Sequence[str]) -> list[dict[str, Any]]:
    """Return what is known of the templates of some families, most prompts first."""
    bound = {"families": list(families), "least": ACCOUNTS}
    rows: list[dict[str, Any]] = con.sql(script("indicator_templates"), params=bound).to_arrow_table().to_pylist()
    return rows


def _indicators(rows: list[dict[str, Any]], chooser: Chooser) -> Shared:
    """Make indicators of templates; of those with one fixed text the one with most prompts."""
    found: dict[str, Indicator] = {}
    short = 0
    for row in rows:
        fixed = read_template(row["template"])[0] if row["copy"] is None else (row["copy"],)
        name, chosen = fixed_hash(fixed), chooser.choose(fixed)
        if len(chosen) < LEAST:
            short += 1
            continue
        found.setdefault(
            name,
            Indicator(
                name,
                chosen,
                tuple(shape(slot["type"], slot["least"], slot["most"]) for slot in row["slots"]),
                row["capability"],
                row["first_day"],
                row["last_day"],
                coarse(row["n_prompts"]),
                coarse(row["n_accounts"]),
            ),
        )
    return Shared(tuple(found[name] for name in sorted(found)), short)
