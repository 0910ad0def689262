"""Habits of the hand: what people do to a wording as they type it, and to a text they send again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from promptscan.simulate.draws import mix, pick, uniform
from promptscan.simulate.grammar import Strings
from promptscan.simulate.plan import Label, Plan
from promptscan.simulate.population import LANGUAGES

N_EDITS = 5
_PERSONAL = (Label.BACKGROUND, Label.RELAY, Label.RETRY, Label.CAMPAIGN_COVER)
_LOWER_CASE, _NO_STOP, _TYPO = 0.16, 0.25, 0.05
_STOPS = ".?!\u3002\uff1f\uff01"  # the last three as Chinese and Japanese write them


def personalise(texts: Strings, batch: Plan) -> None:
    """Give ordinary prompts the habits of their account: no capitals, no full stop, slips of the finger."""
    own = np.isin(batch.label, _PERSONAL) & everyday(batch) & (batch.real < 0)
    habit = uniform(mix(batch.account.astype(np.uint64), 51))
    luck = mix(batch.key, 52)
    lazy = own & (habit < _LOWER_CASE)
    for row in np.flatnonzero(lazy).tolist():
        if len(texts[row]) < 400:
            texts[row] = texts[row].lower()
    for row in np.flatnonzero(own & (uniform(mix(batch.account.astype(np.uint64), 53)) < _NO_STOP)).tolist():
        texts[row] = texts[row].rstrip(_STOPS)
    slips = np.flatnonzero(own & (uniform(luck) < _TYPO))
    swap_letters(texts, slips, luck[slips])


def swap_letters(texts: Strings, rows: NDArray[np.int64], luck: NDArray[np.uint64]) -> None:
    """Swap two letters of each of these texts, in place; luck uint64 (rows,)."""
    for row, key in zip(rows.tolist(), pick(mix(luck, 54), 1 << 30).tolist(), strict=True):
        text = texts[row]
        if len(text) > 3:
            at = 1 + key % (len(text) - 2)
            texts[row] = text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :]


def edit(texts: Strings, batch: Plan) -> None:
    """Lightly edit the retries that carry an edit number."""
    rows = np.flatnonzero(batch.edit)
    for row, number in zip(rows.tolist(), batch.edit[rows].tolist(), strict=True):
        text = texts[row]
        texts[row] = (text.lower(), text.rstrip(".?! "), f"please {text}", f"{text} thanks", f"{text}\n")[number - 1]
    slips = rows[batch.edit[rows] == N_EDITS]
    swap_letters(texts, slips, mix(batch.key[slips], 55) ^ batch.ts[slips].astype(np.uint64))


def everyday(batch: Plan) -> NDArray[np.bool_]:
    """Say which prompts have an everyday wording, not a template, bool (n,)."""
    return batch.writer < 2 * len(LANGUAGES)
