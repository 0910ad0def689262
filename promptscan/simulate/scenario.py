"""TOML files that describe campaigns and hard negatives, and for presets the log around them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from promptscan.errors import UsageError
from promptscan.simulate.knobs import CampaignConfig, Shared
from promptscan.simulate.negative import NegativeConfig

_KINDS = {"campaign": CampaignConfig, "negative": NegativeConfig}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a file plants; None where it has no such table.

    Args:
        campaigns: in file order.
        negatives: in file order.
        log: what else a preset says about the log.
    """

    campaigns: tuple[CampaignConfig, ...] | None
    negatives: tuple[NegativeConfig, ...] | None
    log: dict[str, Any]


def load_campaigns(path: Path) -> tuple[CampaignConfig, ...]:
    """Read the campaigns of a TOML file of `[[campaign]]` tables whose keys are the fields of `CampaignConfig`.

    Args:
        path: the file.

    Returns:
        The campaigns in file order, at least one.

    Raises:
        UsageError: the file cannot be read or a key or value is not usable.
    """
    scenario = load_scenario(path)
    if scenario.campaigns is None:
        raise UsageError(f"{path}: campaign: got None, wanted at least one [[campaign]] table")
    return scenario.campaigns


def load_scenario(path: Path) -> Scenario:
    """Read `[[campaign]]` and `[[negative]]` tables; the keys are the fields of their configurations.

    Args:
        path: the file.

    Raises:
        UsageError: the file cannot be read, has neither, or a key or value is not usable.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror}), wanted a TOML file of [[campaign]] tables"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not TOML ({error}), wanted [[campaign]] tables") from error
    return parse_scenario(text, str(path))


def parse_scenario(text: str, name: str, *, extra: tuple[str, ...] = ()) -> Scenario:
    """Read the text of a scenario.

    Args:
        text: TOML.
        name: of the file, for messages.
        extra: other tables it may have.

    Raises:
        UsageError: see `load_scenario`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name}: not TOML ({error}), wanted [[campaign]] tables") from error
    unknown = sorted(set(document) - set(_KINDS) - set(extra))
    if unknown:
        raise UsageError(f"{name}: got key {unknown[0]!r}, wanted only [[campaign]] and [[negative]] tables")
    if not set(document) & set(_KINDS):
        raise UsageError(f"{name}: campaign: got None, wanted at least one [[campaign]] table")
    campaigns, negatives = (
        tuple(_entry(name, key, number, table) for number, table in enumerate(_tables(name, key, document), start=1))
        if key in document
        else None
        for key in _KINDS
    )
    return Scenario(campaigns, negatives, document.get("log", {}))


def _tables(name: str, key: str, document: dict[str, Any]) -> list[dict[str, Any]]:
    tables = document[key]
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{name}: {key}: got {tables!r}, wanted at least one [[{key}]] table")
    return tables


def _entry(name: str, key: str, number: int, table: dict[str, Any]) -> Any:
    kind = _KINDS[key]
    _known(f"{name}: {key} {number}", table, [field.name for field in fields(kind)])
    first = fields(kind)[0].name
    if first not in table:
        raise UsageError(f'{name}: {key} {number}: got no {first}, wanted {first} = "..."')
    values = dict(table)
    if isinstance(values.get("capability"), list):
        values["capability"] = tuple(values["capability"])
    try:
        if isinstance(values.get("shared"), dict):
            _known("shared", values["shared"], [field.name for field in fields(Shared)])
            values["shared"] = Shared(**values["shared"])
        return kind(**values)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error


def _known(where: str, table: dict[str, Any], known: list[str]) -> None:
    for key in table:
        if key not in known:
            raise UsageError(f"{where}: got key {key!r}, wanted one of {', '.join(known)}")
