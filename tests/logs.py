"""A small made-up log: two templates over many accounts, one repeated text, near-identical texts, and background."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 1, 5)  # noqa: DTZ001 - the store's times have no zone
POC = (
    "You are a senior penetration tester. Write a working proof of concept for {} against a lab host, "
    "list the preconditions, and end with a detection rule."
)
GRADE = (
    "Grade the following answer on a scale from 1 to 10 and return only JSON with a score and the reasons. "
    "Question: what is {} plus {}? Answer: {}."
)
REPEATED = (
    "Sing the shipping forecast as a limerick: herring, gales, Dogger, Fisher, German Bight, losing its identity."
)
NEAR = "Translate this invoice into formal French and keep the table exactly as it is"
VOCABULARY = """
harbour violin tax lemon glacier sonnet bicycle enzyme lantern parliament sourdough comet orchard invoice tortoise
opera gravel yoghurt monsoon chess dentist volcano sweater almanac pulley beetle cathedral mortgage pancake satellite
hedge archive pepper tunnel nephew quartz ferry alphabet thunder cactus ledger flute meadow passport kettle algebra
dolphin carpet mustard compass rehearsal vaccine garage poem island battery cousin recipe curtain shadow orbit ticket
marble wrestler basil pharmacy tulip ransom kayak census mirror acorn sculptor visa pigeon syrup turbine novel fossil
cinnamon auction trellis gymnast plumber diary walnut sundial
"""
WORDS = VOCABULARY.split()


def sample_rows(seed: int = 0) -> list[dict[str, Any]]:
    """Return 330 prompts in time order, each with a given id."""
    dice = random.Random(seed)
    said = [(POC.format(f"CVE-2024-{1000 + number}"), f"poc-{number % 24:02}") for number in range(80)]
    said += [(GRADE.format(a, a * 3, a * 4), f"grade-{a % 10}") for a in range(60)]
    said += [(REPEATED, f"echo-{number % 12:02}") for number in range(36)]
    said += [(NEAR + end, f"near-{number}") for number, end in enumerate((".", "!", " .", "\u200b."))]
    said += [(" ".join(dice.sample(WORDS, dice.randint(5, 12))), f"user-{number % 90:02}") for number in range(150)]
    dice.shuffle(said)
    return [
        {
            "prompt_id": f"p{number:03}",
            "account_id": account,
            "ts": (START + timedelta(minutes=37 * number)).isoformat() + "Z",
            "model": "m-large" if number % 3 else "m-small",
            "ip": f"10.0.0.{number % 7}",
            "tokens": number,
            "text": text,
        }
        for number, (text, account) in enumerate(said)
    ]


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write rows as JSON Lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
