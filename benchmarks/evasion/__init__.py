"""Seventeen ways of hiding a prompt, and what each view of promptscan still finds of it."""

from benchmarks.evasion.attack import Attack
from benchmarks.evasion.characters import character_attacks
from benchmarks.evasion.surroundings import surrounding_attacks
from benchmarks.evasion.wording import wording_attacks


def attacks() -> list[Attack]:
    """Return all attacks, in the order of the report."""
    return [*character_attacks(), *wording_attacks(), *surrounding_attacks()]
