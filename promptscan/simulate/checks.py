"""Values of a configuration, refused with the key, the value received and what was wanted."""

from __future__ import annotations

from promptscan.errors import UsageError


def integer(where: str, key: str, value: object, low: int, high: int | None) -> None:
    """Refuse what is no integer in low..high; no high = no upper bound."""
    wanted = f"an integer of at least {low}" if high is None else f"an integer in {low}..{high}"
    if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
        raise UsageError(f"{where}: {key}: got {value!r}, wanted {wanted}")


def number(
    where: str, key: str, value: object, what: str, *, low: float = 0.0, high: float, above: bool = False
) -> None:
    """Refuse what is no number in [low, high], or in (low, high] with `above`."""
    bounds = f"{'above' if above else 'from'} {low:g} to {high:g}"
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not usable or not (low <= float(value) <= high) or (above and value == low):  # type: ignore[arg-type]
        raise UsageError(f"{where}: {key}: got {value!r}, wanted {what}, {bounds}")


def boolean(where: str, key: str, value: object) -> None:
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool):
        raise UsageError(f"{where}: {key}: got {value!r}, wanted true or false")


def count_or_share(where: str, key: str, value: object) -> None:
    """Refuse what is neither a count of accounts (integer) nor a share of all accounts (fraction)."""
    if isinstance(value, float):
        number(where, key, value, "a count (integer) or a share of all accounts", high=0.9, above=True)
    else:
        integer(where, key, value, 1, None)
