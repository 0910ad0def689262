"""Seed banks: what a capability is asked like, as TOML files; promptscan's own and those a user drops beside them.

A user's files lie in STORE/seeds, for one store, or in the folder of the setting `capability_seeds` (`--seeds`), for several.

capability = "cybersecurity"        # a user's file with the name of a known one replaces it
about = "attack and defence of computers"                       # optional
cues = ["which vulnerability"]      # optional: phrases that speak for the capability wherever they stand
[seeds]                             # example prompts by language
en = ["Explain how a buffer overflow happens.", ...]
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from promptscan.errors import UsageError

FOLDER = "seeds"
"""Folder of a store whose `*.toml` files belong to every build of it."""

OTHER = "other"
"""The bank of everyday prompts that probe nothing: part of the background, and the name of no capability."""

MIN_SEEDS = 5
"""Fewest seeds of a bank: a capability's score is a mean over the nearest ones."""

MAX_SEEDS = 10_000
_KEYS = ("capability", "about", "cues", "seeds")
_SHIPPED = Path(__file__).with_name("seeds")


@dataclass(frozen=True, slots=True)
class SeedBank:
    """A capability by example.

    Attributes:
        capability: its name.
        about: what it is, in a line.
        cues: phrases; a text that has one of them, in whatever case, is likelier of the capability.
        seeds: (language, prompt), in file order.
    """

    capability: str
    about: str
    cues: tuple[str, ...]
    seeds: tuple[tuple[str, str], ...]

    @property
    def texts(self) -> list[str]:
        """The seed prompts."""
        return [text for _, text in self.seeds]


def load_banks(*places: Path | None) -> tuple[SeedBank, ...]:
    """Read promptscan's banks and the user's, which add capabilities or replace those of the same name.

    Args:
        places: TOML files, or folders whose `*.toml` files are read; a later place replaces what an earlier one says.

    Returns:
        The banks sorted by capability; `other` is one of them.

    Raises:
        UsageError: a place or a file can't be read, or a file is no seed bank.
    """
    banks = {bank.capability: bank for bank in map(read_bank, sorted(_SHIPPED.glob("*.toml")))}
    for place in places:
        own: dict[str, Path] = {}
        for path in _files(place):
            bank = read_bank(path)
            if bank.capability in own:
                raise UsageError(
                    f"{path}: {own[bank.capability]} has capability {bank.capability!r} too; keep one of them"
                )
            own[bank.capability] = path
            banks[bank.capability] = bank
    return tuple(banks[name] for name in sorted(banks))


def store_banks(root: Path, extra: Path | None) -> tuple[SeedBank, ...]:
    """Read the banks that hold for a store: promptscan's, those dropped into its folder `seeds`, and those of the setting.

    Raises:
        UsageError: see `load_banks`.
    """
    dropped = root / FOLDER
    return load_banks(dropped if dropped.is_dir() else None, extra)


def banks_digest(banks: Sequence[SeedBank]) -> str:
    """Return the hex SHA-256 of everything the banks say."""
    return hashlib.sha256(json.dumps([astuple(bank) for bank in banks]).encode()).hexdigest()


def read_bank(path: Path) -> SeedBank:
    """Read one file.

    Raises:
        UsageError: it can't be read, or is no seed bank.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"seed bank {path} can't be read: {_line(error)}; wanted a TOML file") from None
    unknown = [key for key in document if key not in _KEYS]
    if unknown:
        raise UsageError(f"seed bank {path}: unknown key {unknown[0]!r}; wanted {', '.join(_KEYS)}")
    name, about = (
        _string(path, key, document.get(key, default)) for key, default in (("capability", None), ("about", ""))
    )
    if not name.strip():
        raise UsageError(f"seed bank {path}: capability is empty; wanted its name")
    cues = _strings(path, "cues", document.get("cues", []))
    by_language = document.get("seeds")
    if not isinstance(by_language, dict) or not by_language:
        raise UsageError(
            f"seed bank {path}: wanted a table [seeds] of lists of prompts by language, such as en = [...]"
        )
    seeds = [
        (language, text)
        for language in by_language
        for text in _strings(path, f"seeds.{language}", by_language[language])
    ]
    if not MIN_SEEDS <= len(seeds) <= MAX_SEEDS:
        raise UsageError(f"seed bank {path}: {len(seeds)} seeds; wanted {MIN_SEEDS} to {MAX_SEEDS}")
    return SeedBank(name.strip(), about, tuple(cues), tuple(seeds))


def _files(extra: Path | None) -> list[Path]:
    """Return the user's files."""
    if extra is None:
        return []
    if extra.is_dir():
        return sorted(extra.glob("*.toml"))
    if extra.is_file():
        return [extra]
    raise UsageError(f"capability_seeds = {extra}: there is no such file or folder; wanted TOML seed banks")


def _string(path: Path, key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError(f"seed bank {path}: {key} is {_line(value)}; wanted a string")
    return value


def _strings(path: Path, key: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise UsageError(f"seed bank {path}: {key} is {_line(value)}; wanted a list of strings that are not empty")
    return value


def _line(value: object) -> str:
    """Return a value as a short single line."""
    shown = "missing" if value is None else str(value) if isinstance(value, Exception) else repr(value)
    return " ".join(shown.split())[:120]
