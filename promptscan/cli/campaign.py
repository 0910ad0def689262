"""Pages of a campaign and of an alert: what, who, since when, why, and why it may be wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from promptscan.cli import painting
from promptscan.cli.accounts import SHARED
from promptscan.cli.campaigns import PROBES, day, severity
from promptscan.cli.evidence import draw_counter_evidence, draw_evidence, reasons, strength
from promptscan.cli.table import INDENT, Column, Role, cell, draw, has_colour
from promptscan.cli.trends import Axis, bars_of, levels, trend
from promptscan.recorded import parts_of
from promptscan.vis import vis

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console
    from rich.text import Text

    from promptscan.views import Section

EXEMPLAR = 600
"""Characters of an exemplar prompt; `show` of its number has all of it."""
EXEMPLAR_LINES = 4
ACCOUNTS = 15
"""Accounts that a page has at most (`sql/show/campaign_accounts.sql`)."""
MESSAGE_LINES = 8


def _campaign(section: Section, console: Console) -> None:
    """Draw the head of a campaign's page."""
    [row] = section.rows.to_pylist()
    _head(console, "Campaign", row["campaign_id"], row["severity"], row["score"])
    sizes = f"{_count(row['n_accounts'], 'account')} sent {_count(row['n_prompts'], 'prompt')} of {_count(row['n_families'], 'family')}"
    _say(console, sizes + _period(row["first_ts"], row["last_ts"]))
    _asks(console, row)


def _alert(section: Section, console: Console) -> None:
    """Draw the head of an alert's page."""
    [row] = section.rows.to_pylist()
    _head(console, "Alert", row["alert_id"], row["severity"], row["score"])
    _say(console, _fired(row))
    if row["n_accounts_now"] is not None:
        was = f" (was {row['campaign_id']})" if row["campaign_now"] != row["campaign_id"] else ""
        now = f"campaign {row['campaign_now']}{was} now: {_count(row['n_accounts_now'], 'account')}, {_count(row['n_prompts_now'], 'prompt')}"
        _say(console, f"{now}, {_count(row['n_families_now'], 'family')}{_period(row['first_ts'], row['last_ts'])}")
    elif row["campaign_id"] is not None:
        _say(console, f"campaign {row['campaign_id']} is no campaign any more")
    if row["message"]:
        _message(console, row["message"])
    else:
        _asks(console, row)


def _alerts(section: Section, console: Console) -> None:
    """Draw the alert of a campaign: when it fired; what it said of the campaign stands on this page, as it is now."""
    console.print(painting.plain(section.title, "bold"))
    for row in section.rows.to_pylist():
        _say(console, f"{row['alert_id']} {_fired(row)}")


def _growth(section: Section, console: Console) -> None:
    """Draw how many accounts a campaign had after each build since its alert."""
    rows = section.rows.to_pylist()
    first, last = rows[0], rows[-1]
    console.print(painting.plain(section.title, "bold"))
    if len(rows) > 1:
        bars = levels([row["n_accounts"] or 0 for row in rows], min(console.width - INDENT, 92), bars=bars_of(console))
        _say(console, bars, "cyan" if has_colour(console) else "")
        _say(console, f"from {_size(first)} to {_size(last)}", "dim")
    else:
        _say(console, _size(first), "dim")


def _days(section: Section, console: Console) -> None:
    """Draw accounts and prompts per day over the whole time of the campaign."""
    days = [row for row in section.rows.to_pylist() if row["day"] is not None]
    axis = Axis.of(days, most=1_000_000)
    if axis is None:
        return
    most = max(days, key=lambda row: (row["n_accounts"] or 0, row["day"]))
    console.print(painting.plain(f"{section.title}, {axis}", "bold"))
    for name, column in (("accounts  ", "n_accounts"), ("prompts   ", "n_prompts")):
        counted = [{"day": row["day"], "n_prompts": row[column] or 0} for row in days]
        bars = trend(counted, axis, min(console.width - INDENT - len(name), 92), bars=bars_of(console))
        console.print(
            painting.plain(" " * INDENT + name, "dim") + painting.plain(bars, "cyan" if has_colour(console) else "")
        )
    _say(
        console,
        f"most on {most['day']}: {_count(most['n_accounts'], 'account')}, {_count(most['n_prompts'], 'prompt')}",
        "dim",
    )


def _families(section: Section, console: Console) -> None:
    """Draw the families of a campaign, the template of each below it."""
    columns = [
        Column("family_id", "family"),
        Column("n_prompts", "prompts"),
        Column("n_accounts", "accounts"),
        Column("n_accounts_in_all", "of"),
        *PROBES,
        _renamed(strength(console), "score"),
    ]
    draw(section.rows.to_reader(), columns, section.title, console, _family)


def _family(row: Mapping[str, Any], console: Console) -> list[Text]:
    width = console.width - INDENT
    colour = has_colour(console)
    if row["template"] is not None:
        said = painting.template(row["template"], colour=colour, limit=400)
    else:
        said = painting.plain(vis(row["label"] or "is no family any more", 400))
    lines = painting.wrapped(said, width, 2, console)
    facts = [painting.plain(vis(row["reason"], 200), "dim")] if row["reason"] else []
    if row["benign_share"]:
        known = cell(row["benign_share"], Role.SHARE)
        facts.append(painting.plain(f"{known} in benign banks", "green" if colour else ""))
    return lines + ([painting.line(painting.joined(facts), width)] if facts else [])


def _texts(section: Section, console: Console) -> None:
    """Draw exemplar prompts, cut."""
    console.print(painting.plain(section.title, "bold"))
    for row in section.rows.to_pylist():
        sent = f"sent {row['n_prompts'] or 0:,}× by {_count(row['n_accounts'] or 0, 'account')}"
        _say(console, f"{row['family_id']} · text {row['text_id']} · {sent}", "dim")
        lines = painting.wrapped(
            painting.plain(vis(row["text"], EXEMPLAR)), console.width - 2 * INDENT, EXEMPLAR_LINES, console
        )
        for line in lines:
            console.print(painting.plain(" " * 2 * INDENT) + line)


def _entities(section: Section, console: Console) -> None:
    """Draw what accounts of a campaign have in common, and how many others have it too."""
    draw(section.rows.to_reader(), SHARED, section.title, console)


def _accounts(section: Section, console: Console) -> None:
    """Draw the accounts of a campaign, and why each is in it."""
    columns = [
        Column("account_id", "account"),
        Column("score", None, Role.SCORE, lambda score, _: painting.plain(f"{score:.2f}")),
        Column("n_prompts", "prompts"),
        Column("share"),
        Column("first_ts", "first", Role.TIME, day),
        Column("last_ts", "last", Role.TIME, day),
    ]
    draw(section.rows.to_reader(), columns, section.title, console, _reasons)
    if len(section.rows) == ACCOUNTS:
        _say(console, f"more: promptscan accounts --where \"campaign_id = '{section.key}'\"", "dim")


def _reasons(row: Mapping[str, Any], console: Console) -> list[Text]:
    return reasons(row["reasons"], console)


def _head(console: Console, what: str, name: str, how: str | None, score: float | None) -> None:
    facts = [painting.plain(f"{what} {vis(name, 40)}", "bold")]
    if how:
        facts.append(severity(how, has_colour(console)))
    if score is not None:
        facts.append(painting.plain(f"score {score:,.1f}"))
    console.print(painting.joined(facts))


def _asks(console: Console, row: Mapping[str, Any]) -> None:
    if row["label"]:
        probes = f"{row['capability']}: " if row["capability"] else ""
        _say(console, f"{probes}{row['label']}", lines=3)


def _say(console: Console, said: str, style: str = "", *, lines: int = 3) -> None:
    for line in painting.wrapped(painting.plain(vis(said, 2_000), style), console.width - INDENT, lines, console):
        console.print(painting.plain(" " * INDENT) + line)


def _message(console: Console, message: str) -> None:
    """Draw what an alert says: what, then why, then why it may be wrong."""
    what, why, wrong = parts_of(message)
    for lead, said in (("", what), ("why: ", why), ("why it may be wrong: ", wrong)):
        if said:
            _say(console, f"{lead}{said}", lines=MESSAGE_LINES)


def _fired(row: Mapping[str, Any]) -> str:
    when = "" if row["fired_at"] is None else f" {row['fired_at']:%Y-%m-%d %H:%M}"
    return f"fired{when} with {_count(row['n_accounts'], 'account')} and {_count(row['n_prompts'], 'prompt')}"


def _period(first: datetime | None, last: datetime | None) -> str:
    return "" if first is None or last is None else f", {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"


def _size(row: Mapping[str, Any]) -> str:
    when = "" if row["ts"] is None else f"{row['ts']:%Y-%m-%d %H:%M}: "
    return f"{when}{_count(row['n_accounts'], 'account')}, {_count(row['n_prompts'], 'prompt')}"


def _count(n: int | None, noun: str) -> str:
    if n is None:
        return f"an unknown number of {_plural(noun)}"
    return f"{n:,} {noun if n == 1 else _plural(noun)}"


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def _renamed(column: Column, name: str) -> Column:
    return Column(name, column.header, column.role, column.paint)


_SECTIONS: dict[str, Callable[[Section, Console], None]] = {
    "growth": _growth,
    "evidence": draw_evidence,
    "counter_evidence": draw_counter_evidence,
    "days": _days,
    "families": _families,
    "texts": _texts,
    "entities": _entities,
    "accounts": _accounts,
}
DRAWN: dict[str, dict[str, Callable[[Section, Console], None]]] = {
    "campaign": {"campaign": _campaign, "alerts": _alerts, **_SECTIONS},
    "alert": {"alert": _alert, **_SECTIONS},
}
"""Kind -> section -> what draws it."""
ALWAYS: Sequence[str] = ("counter_evidence",)
"""Sections that are drawn without rows too."""
