"""The report as one HTML page: no script, nothing from outside, opens offline and prints.

Every expression of the template passes `vis` (in the environment's `finalize`) and is then escaped, so a new field cannot
be forgotten; the page's policy forbids everything but its own style sheet, known by its digest.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from math import isfinite

import jinja2
from markupsafe import Markup

from promptscan.recorded import parts_of, weak
from promptscan.registry import event_words
from promptscan.report.document import Change, Event, Family, ReportDocument
from promptscan.report.sparkline import Axis, accounts, sparkline
from promptscan.vis import vis

NULL = "·"
MAX_BLOCK = 4_000
"""Characters shown of an exemplar, a template or a sample."""


class Shown(str):
    """Text that `vis` has already made safe; it is still escaped."""

    __slots__ = ()


def render_html(document: ReportDocument) -> str:
    """Return the page of a report."""
    axis = Axis.of(document)
    style = files("promptscan.report").joinpath("report.css").read_text(encoding="utf-8")
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            document=document,
            facts=document.facts,
            build=document.build,
            style=Markup(style),  # noqa: S704 - our own file
            policy=_policy(style),
            axis=axis,
            sparks={family.family_id: sparkline(family.days, axis) for family in document.families if axis is not None},
            crowds={
                campaign.campaign_id: sparkline(campaign.days, axis, accounts)
                for campaign in document.campaigns
                if axis is not None
            },
            places={campaign.campaign_id: place for place, campaign in enumerate(document.campaigns, 1)},
            event_counts=_event_counts(document.events),
            anchor=_anchor,
        )
    )


def _policy(style: str) -> str:
    """Return the Content-Security-Policy: nothing loads, nothing runs, one known style sheet."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.PackageLoader("promptscan.report", "."),
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["weak"] = weak
    environment.filters.update(
        block=lambda text: Shown(vis(text, MAX_BLOCK, multiline=True)),
        brief=lambda text: Shown(vis(text, 160)),
        sentence=lambda text: Shown(vis(text, 300)),
        message=lambda text: Shown(vis(text, 1_000)),
        count=_count,
        day=lambda moment: NULL if moment is None else f"{moment:%Y-%m-%d}",
        decimal=_decimal,
        parts=parts_of,
        percent=_percent,
        percentile=_percentile,
        plural=_plural,
        measure=_measure,
        said=_said,
        strength=_strength,
        words=lambda kind: NULL if kind is None else str(kind).replace("_", " "),
        when=lambda moment: NULL if moment is None else f"{moment:%Y-%m-%d %H:%M}",
    )
    return environment


def _finalize(value: object) -> object:
    """Make what any expression of the template shows safe; text that is ready passes."""
    if isinstance(value, Markup | Shown | jinja2.Undefined):
        return value
    return NULL if value is None else vis(value)


def _count(value: int | None) -> str:
    return NULL if value is None else f"{value:,}"


def _plural(word: str, count: int) -> str:
    if count == 1:
        return word
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


def _decimal(value: float | None) -> str:
    if value is None or not isfinite(value):
        return NULL
    return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"


def _percent(value: float | None) -> str:
    if value is None:
        return NULL
    if 0 < value < 0.001:
        return "<0.1%"
    return f"{value:.1%}" if value < 0.9995 or value >= 1 else "99.9%"


def _percentile(value: float | None) -> str:
    """Write a percentile in whole percents, of which none is 100; nothing for none."""
    return "" if value is None or not isfinite(value) else f"{min(int(100 * value), 99)} %"


def _said(event: Event | Change) -> str:
    """Say an event with its sizes."""
    return event_words(event.event, event.other_family_id, event.n_before, event.n_texts, event.n_shared)


def _measure(value: float | None) -> str:
    """Write what was found, or what chance would give, as short as a person needs it."""
    if value is None:
        return NULL
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.3g}"


def _strength(power: float | None) -> str:
    """Draw the strength of evidence: a mark for each power of ten of the odds, five at most, and the power."""
    return NULL if power is None else f"{'■' * min(5, max(0, int(power)))} {power:,.1f}".strip()


def _event_counts(events: tuple[Event, ...]) -> list[tuple[str, int]]:
    """Count the events of each kind, commonest first."""
    counts: dict[str, int] = {}
    for event in events:
        counts[event.event] = counts.get(event.event, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _anchor(family: Family) -> str:
    """Return the page's own name for a family, which is never made of data."""
    return f"family-{family.rank}"
