"""Who words a prompt: every writer is a compiled grammar, and texts are written a batch at a time."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptscan.errors import UsageError
from promptscan.simulate.config import CampaignConfig
from promptscan.simulate.draws import mix, pick, uniform
from promptscan.simulate.grammar import Node, Press, Rows, Strings, Texts
from promptscan.simulate.plan import Label, Plan
from promptscan.simulate.population import LANGUAGES
from promptscan.simulate.syntax import Grammar

_RULE_FILES = ("words.toml", "technical.toml", "english.toml", "pastes.toml", "languages.toml")
_PERSONAL = (Label.BACKGROUND, Label.RELAY, Label.RETRY, Label.CAMPAIGN_COVER)
_LOWER_CASE, _NO_STOP, _TYPO = 0.16, 0.25, 0.05
N_EDITS = 5
_TEXT_SALT = 7
_STOPS = ".?!\u3002\uff1f\uff01"  # the last three as Chinese and Japanese write them


@dataclass(frozen=True, slots=True)
class Writer:
    """One source of texts; template_id and family_id only for campaigns' templates."""

    name: str
    node: Node
    template_id: str | None = None
    family_id: str | None = None


class Writers:
    """All writers, numbered.

    Args:
        all: the writers.
        n_topics: number of topics.
        capabilities: numbers of the templates of each capability, in file order.
        popular: numbers of the popular public templates, the best known first.
        vendor: number of the vendor's app.
        grammar: the rules they share.
    """

    n_edits = N_EDITS

    def __init__(self) -> None:
        topics = _load("topics.toml")
        lists = sorted({name for topic in topics.values() for name in topic})
        rules = {name: _alternatives(value) for file in _RULE_FILES for name, value in _load(file).items()}
        public, capabilities = _load("public.toml"), _load("capabilities.toml")
        rules |= {name: _alternatives(value) for name, value in public.pop("slots").items()}
        rules |= {name: _alternatives(value) for name, value in capabilities.pop("slots").items()}
        self.n_topics = len(topics)
        self.grammar = Grammar(rules, {name: [_alternatives(each[name]) for each in topics.values()] for name in lists})
        self.all: list[Writer] = []
        for turn in ("prompt", "followup"):
            for language in LANGUAGES:
                rule = turn if language == "en" else f"{turn}_{language}"
                self.all.append(Writer(rule, self.grammar.rule(rule)))
        self.vendor = self._add(Writer("vendor", self.grammar.compile([public["vendor"]["text"]])))
        self.popular_writers = [
            self._add(Writer(f"popular/{name}", self.grammar.compile(_alternatives(texts))))
            for name, texts in public["popular"].items()
        ]
        self.capabilities = {name: self._templates(name, tasks) for name, tasks in capabilities.items()}
        self._press = Press([writer.node for writer in self.all])

    def first_turn(self, language: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the writers of opening prompts by language, int64 (n,)."""
        return language.copy()

    def follow_up(self, language: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the writers of follow-ups by language, int64 (n,)."""
        return language + len(LANGUAGES)

    def popular(self, rng: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Draw popular templates, the best known more often."""
        weight = 1.0 / np.arange(1, len(self.popular_writers) + 1) ** 0.8
        return rng.choice(np.array(self.popular_writers, dtype=np.int64), n, p=weight / weight.sum())

    def templates(self, campaign: CampaignConfig) -> list[int]:
        """Return the writers of a campaign: its capability's first templates.

        Raises:
            UsageError: the capability has fewer templates.
        """
        known = self.capabilities[campaign.capability]
        if campaign.templates > len(known):
            raise UsageError(
                f"campaign {campaign.name!r}: templates: got {campaign.templates}, "
                f"wanted at most the {len(known)} of {campaign.capability}"
            )
        return known[: campaign.templates]

    def write(self, batch: Plan) -> list[str]:
        """Word a batch: one text per row, a function of the row alone."""
        order = np.argsort(batch.writer.astype(np.uint16), kind="stable")
        found, begins = np.unique(batch.writer[order], return_index=True)
        groups = np.split(order, begins[1:])
        keys = mix(batch.key, _TEXT_SALT)
        requests = [(self.all[number].node, Rows(keys[rows], rows)) for number, rows in zip(found, groups, strict=True)]
        answers = self._press.expand(requests, Texts(batch.key, batch.topic.astype(np.int64), batch.sweep))
        texts = np.empty(batch.size, dtype=object)
        for rows, answer in zip(groups, answers, strict=True):
            texts[rows] = answer
        _personalise(texts, batch)
        _edit(texts, batch)
        return texts.tolist()

    def _add(self, writer: Writer) -> int:
        self.all.append(writer)
        return len(self.all) - 1

    def _templates(self, capability: str, tasks: dict[str, Any]) -> list[int]:
        """Compile a capability's templates, first one of each task, then the second ones."""
        made: list[tuple[int, int, Writer]] = []
        for place, (task, templates) in enumerate(tasks.items()):
            for turn, template in enumerate(templates):
                node = self.grammar.compile(template["variants"], template["sweep"])
                family = f"{capability}/{task}"
                made.append((turn, place, Writer(f"campaign/{family}", node, f"{family}/{turn + 1}", family)))
        return [self._add(writer) for _, _, writer in sorted(made, key=lambda each: each[:2])]


@cache
def writers() -> Writers:
    """Return the compiled writers; they do not depend on the configuration."""
    return Writers()


def _load(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("promptscan.simulate").joinpath(name).read_text(encoding="utf-8"))


def _alternatives(value: str | list[str]) -> list[str]:
    """Return a rule's alternatives: a list as it is, a string as words separated by semicolons."""
    return [word.strip() for word in value.split(";")] if isinstance(value, str) else value


def _personalise(texts: Strings, batch: Plan) -> None:
    """Give ordinary prompts the habits of their account: no capitals, no full stop, slips of the finger."""
    own = np.isin(batch.label, _PERSONAL) & (batch.writer < 2 * len(LANGUAGES))
    habit = uniform(mix(batch.account.astype(np.uint64), 51))
    luck = mix(batch.key, 52)
    lazy = own & (habit < _LOWER_CASE)
    for row in np.flatnonzero(lazy).tolist():
        if len(texts[row]) < 400:
            texts[row] = texts[row].lower()
    for row in np.flatnonzero(own & (uniform(mix(batch.account.astype(np.uint64), 53)) < _NO_STOP)).tolist():
        texts[row] = texts[row].rstrip(_STOPS)
    slips = np.flatnonzero(own & (uniform(luck) < _TYPO))
    _swap_letters(texts, slips, luck[slips])


def _swap_letters(texts: Strings, rows: NDArray[np.int64], luck: NDArray[np.uint64]) -> None:
    for row, key in zip(rows.tolist(), pick(mix(luck, 54), 1 << 30).tolist(), strict=True):
        text = texts[row]
        if len(text) > 3:
            at = 1 + key % (len(text) - 2)
            texts[row] = text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :]


def _edit(texts: Strings, batch: Plan) -> None:
    """Lightly edit the retries that carry an edit number."""
    rows = np.flatnonzero(batch.edit)
    for row, edit in zip(rows.tolist(), batch.edit[rows].tolist(), strict=True):
        text = texts[row]
        texts[row] = (text.lower(), text.rstrip(".?! "), f"please {text}", f"{text} thanks", f"{text}\n")[edit - 1]
    slips = rows[batch.edit[rows] == N_EDITS]
    _swap_letters(texts, slips, mix(batch.key[slips], 55) ^ batch.ts[slips].astype(np.uint64))
