"""Settings: built-in default < configuration file < environment < command line; each remembers where it came from."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from promptscan.errors import UsageError

PREFIX = "PROMPTSCAN_"
AUTO = "auto"
DEFAULT_ENCODER = "static"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set.

    Attributes:
        store: folder of the store.
        encoder: `static`, `minilm`, a sentence-transformers name or folder, or `auto`: the store's own, static in a new one.
        device: `cpu`, `cuda`, or `auto`.
        max_chars: longer texts are quarantined.
        max_bad_rows: share (0..1) of bad rows in a source beyond which a command exits with 4.
        min_family_size: distinct clean texts that make a density cluster a family.
        min_samples: neighbours that make a text dense (HDBSCAN's min_samples), at most 16.
        min_copies: prompts, and a quarter as many accounts, that make one repeated text a family by itself.
        capability_seeds: folder of seed banks (or one file) that add capabilities or replace promptscan's; none by default.
        recall_target: recall@10 against exact search to which the index is tuned.
        false_positive_rate: share of unrelated pairs of texts that may pass for related; duplicates and templates are held to it.
        alert_budget: false alerts a day that are accepted, of the log's days.
        evidence_without: kinds of evidence that are left out of the actors axis, comma-separated; for ablations.
        models: TOML file of models and when they were released; none by default.
        memory_limit: DuckDB's, with unit.
        threads: DuckDB's; 0 for all cores.
        keep_generations: older ones are pruned after a commit.
    """

    store: Path = Path("indexes/default")
    encoder: str = AUTO
    device: str = AUTO
    max_chars: int = 1_000_000
    max_bad_rows: float = 0.01
    min_family_size: int = 5
    min_samples: int = 5
    min_copies: int = 20
    capability_seeds: Path | None = None
    recall_target: float = 0.97
    false_positive_rate: float = 1e-4
    alert_budget: float = 1.0
    evidence_without: str = ""
    models: Path | None = None
    memory_limit: str = "4GB"
    threads: int = 0
    keep_generations: int = 3

    @property
    def torch_device(self) -> str | None:
        """The device to load an encoder on; None leaves the choice to it."""
        return None if self.device == AUTO else self.device

    @property
    def left_out(self) -> tuple[str, ...]:
        """Kinds of evidence that are left out, in order."""
        return tuple(sorted({part.strip() for part in self.evidence_without.split(",") if part.strip()}))


@dataclass(frozen=True, slots=True)
class Configured:
    """Settings and the origin of each (`default`, a file, an environment variable, a flag)."""

    settings: Settings
    origins: Mapping[str, str]

    @classmethod
    def load(cls, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Self:
        """Merge all origins.

        Args:
            flags: setting -> value from the command line; None values are unset.
            environ: the environment; `os.environ` when None.

        Raises:
            UsageError: an unknown setting, or a value of the wrong type, with its origin.
        """
        environ = os.environ if environ is None else environ
        settings, origins = Settings(), {item.name: "default" for item in fields(Settings)}
        for path in config_files(environ):
            for name, value in _read_toml(path).items():
                settings = _with(settings, name, value, str(path))
                origins[name] = str(path)
        for item in fields(Settings):
            variable = PREFIX + item.name.upper()
            if environ.get(variable):
                settings = _with(settings, item.name, environ[variable], variable)
                origins[item.name] = variable
        for name, value in (flags or {}).items():
            if value is not None:
                settings = _with(settings, name, value, f"--{name.replace('_', '-')}")
                origins[name] = f"--{name.replace('_', '-')}"
        return cls(_checked(settings, origins), origins)


def config_files(environ: Mapping[str, str]) -> list[Path]:
    """Return the configuration files that exist, weakest first: the user's, then the working directory's."""
    home = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".config")
    return [path for path in (home / "promptscan" / "config.toml", Path("promptscan.toml")) if path.is_file()]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"configuration file {path} can't be read: {error}") from None


def _with(settings: Settings, name: str, value: Any, origin: str) -> Settings:
    """Set one value, converted to the setting's type."""
    known = {item.name: type(getattr(settings, item.name)) for item in fields(Settings)}
    known["capability_seeds"] = known["models"] = Path  # None until set
    if name not in known:
        raise UsageError(f"{origin}: there is no setting {name!r}; settings are {', '.join(known)}")
    wanted = Path if issubclass(known[name], Path) else known[name]
    try:
        converted = wanted(value)
    except (TypeError, ValueError):
        raise UsageError(f"{origin}: {name} = {value!r} is not usable; wanted {wanted.__name__}") from None
    changed: dict[str, Any] = {name: converted}
    return replace(settings, **changed)


def _checked(settings: Settings, origins: Mapping[str, str]) -> Settings:
    """Refuse values outside their range."""
    ranges: dict[str, tuple[float, float]] = {
        "max_chars": (1, 1e9),
        "max_bad_rows": (0, 1),
        "min_family_size": (2, 1e9),
        "min_samples": (1, 16),
        "min_copies": (2, 1e12),
        "recall_target": (0.5, 1),
        "false_positive_rate": (1e-6, 0.1),
        "alert_budget": (1e-6, 1e6),
        "threads": (0, 4096),
        "keep_generations": (1, 1e6),
    }
    for name, (low, high) in ranges.items():
        value = getattr(settings, name)
        if not low <= value <= high:
            raise UsageError(f"{origins[name]}: {name} = {value} is out of range; wanted {low:g} to {high:g}")
    return settings
