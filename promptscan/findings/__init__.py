"""findings: the kinds of evidence, each a function from what is known of families and accounts to a `Finding`."""

from __future__ import annotations

from collections.abc import Sequence

from promptscan.evidence import Finding
from promptscan.findings.against import bank, diverse, history, organic, organisation, relay, short
from promptscan.findings.facts import Facts
from promptscan.findings.made import creation, shared, youth
from promptscan.findings.sent import accounts, companions, evenness, focus, language, obfuscation, partitioned, swept
from promptscan.findings.when import moved, replaced, round_the_clock, synchrony

__all__ = ["Facts", "find"]


def find(facts: Facts) -> list[Finding]:
    """Return all kinds of evidence about the families of the facts."""
    kinds: Sequence[Finding] = [
        accounts(facts), evenness(facts),
        partitioned(facts), swept(facts), companions(facts), focus(facts), language(facts), obfuscation(facts),
        synchrony(facts), round_the_clock(facts), moved(facts), replaced(facts),
        creation(facts), youth(facts), *shared(facts),
        bank(facts), organisation(facts), history(facts), diverse(facts), organic(facts), relay(facts), short(facts),
    ]  # fmt: skip
    return list(kinds)
