"""Who words a prompt: every writer is a compiled grammar, and texts are written a batch at a time."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptscan.errors import UsageError
from promptscan.simulate.draws import mix
from promptscan.simulate.grammar import Node, Press, Rows, Strings, Texts
from promptscan.simulate.habits import N_EDITS, edit, personalise
from promptscan.simulate.knobs import CampaignConfig
from promptscan.simulate.negative import NegativeKind
from promptscan.simulate.paraphrase import reword
from promptscan.simulate.plan import Plan
from promptscan.simulate.population import LANGUAGES
from promptscan.simulate.syntax import Grammar

_RULE_FILES = ("words.toml", "technical.toml", "english.toml", "pastes.toml", "languages.toml")
# Free slots of campaigns, filled from a corpus; the others of their free slots, which everybody uses, become one of these.
_REAL_SLOTS = ("need", "context", "problem", "answer_a", "answer_b")
_REAL_INSTEAD = {"{q}": "{problem}", "{fact}": "{context}", "{task}": "{context}"}
_TEXT_SALT = 7


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
        fillers: real sentences for the free slots of campaigns; none = made-up ones.

    Attributes:
        all: the writers.
        n_topics: number of topics.
        capabilities: numbers of the templates of each capability, in file order.
        popular_writers: numbers of the popular public templates, the best known first.
        negatives: numbers of the writers of each hard negative.
        translated: int64 (writers, languages), see `_translated`; writers made later are no templates.
        grammar: the rules they share.
    """

    n_edits = N_EDITS

    def __init__(self, fillers: Sequence[str] = ()) -> None:
        topics = _load("topics.toml")
        lists = sorted({name for topic in topics.values() for name in topic})
        rules = {name: _alternatives(value) for file in _RULE_FILES for name, value in _load(file).items()}
        public, capabilities, negatives = _load("public.toml"), _load("capabilities.toml"), _load("negatives.toml")
        for file in (public, capabilities, negatives):
            rules |= {name: _alternatives(value) for name, value in file.pop("slots").items()}
        self._instead = _REAL_INSTEAD if fillers else {}
        if fillers:
            real = [_literal(filler) for filler in fillers]
            rules |= dict.fromkeys(_REAL_SLOTS, real)
        self.n_topics = len(topics)
        self.grammar = Grammar(rules, {name: [_alternatives(each[name]) for each in topics.values()] for name in lists})
        self.all: list[Writer] = []
        for turn in ("prompt", "followup"):
            for language in LANGUAGES:
                rule = turn if language == "en" else f"{turn}_{language}"
                self.all.append(Writer(rule, self.grammar.rule(rule)))
        self.popular_writers = [
            self._add(Writer(f"popular/{name}", self.grammar.compile(_alternatives(texts))))
            for name, texts in public["popular"].items()
        ]
        self.negatives = self._negatives(public["vendor"], negatives)
        self.capabilities = {name: self._templates(name, tasks) for name, tasks in capabilities.items()}
        self.translated = self._translated(capabilities, _load("foreign.toml"))
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
        """Return the writers of a campaign: its capabilities' first templates, in turns.

        Raises:
            UsageError: the capabilities have fewer templates.
        """
        lists = [self.capabilities[name] for name in campaign.capabilities]
        known = [number for turn in zip_longest(*lists) for number in turn if number is not None]
        if campaign.templates > len(known):
            raise UsageError(
                f"campaign {campaign.name!r}: templates: got {campaign.templates}, "
                f"wanted at most the {len(known)} of {', '.join(campaign.capabilities)}"
            )
        return known[: campaign.templates]

    def write(self, batch: Plan, real: Strings) -> list[str]:
        """Word a batch: one text per row, a function of the row alone.

        Args:
            batch: the rows.
            real: object, the texts of the corpus that `batch.real` numbers.
        """
        made = np.flatnonzero(batch.real < 0)
        order = made[np.argsort(batch.writer[made].astype(np.uint16), kind="stable")]
        found, begins = np.unique(batch.writer[order], return_index=True)
        groups = np.split(order, begins[1:])
        keys = mix(batch.key, _TEXT_SALT)
        requests = [
            (self.all[number].node, Rows(keys[rows], rows)) for number, rows in zip(found, groups, strict=False)
        ]
        answers = self._press.expand(requests, Texts(batch.key, batch.topic.astype(np.int64), batch.sweep))
        texts = np.empty(batch.size, dtype=object)
        for rows, answer in zip(groups, answers, strict=False):
            texts[rows] = answer
        drawn = np.flatnonzero(batch.real >= 0)
        texts[drawn] = real[batch.real[drawn]]
        personalise(texts, batch)
        reword(texts, batch)
        edit(texts, batch)
        return texts.tolist()

    def _add(self, writer: Writer) -> int:
        self.all.append(writer)
        return len(self.all) - 1

    def _templates(self, capability: str, tasks: dict[str, Any]) -> list[int]:
        """Compile a capability's templates, first one of each task, then the second ones."""
        made: list[tuple[int, int, Writer]] = []
        for place, (task, templates) in enumerate(tasks.items()):
            for turn, template in enumerate(templates):
                node = self.grammar.compile([self._real(text) for text in template["variants"]], template["sweep"])
                family = f"{capability}/{task}"
                made.append((turn, place, Writer(f"campaign/{family}", node, f"{family}/{turn + 1}", family)))
        return [self._add(writer) for _, _, writer in sorted(made, key=lambda each: each[:2])]

    def _real(self, text: str) -> str:
        for slot, other in self._instead.items():
            text = text.replace(slot, other)
        return text

    def _translated(self, capabilities: dict[str, Any], foreign: dict[str, Any]) -> NDArray[np.int64]:
        """Compile the templates in other languages.

        Returns:
            int64 (writers, languages): the writer that stands for a writer in a language; a template whose task has no
            translation is replaced by one of its capability, any other writer stands for itself.
        """
        known = np.tile(np.arange(len(self.all))[:, None], len(LANGUAGES))
        for capability, tasks in foreign.items():
            for task, texts in tasks.items():
                family, sweep = f"{capability}/{task}", capabilities[capability][task][0]["sweep"]
                for language, text in texts.items():
                    node = self.grammar.compile([self._real(text)], sweep)
                    number = self._add(Writer(f"campaign/{family}", node, f"{family}/{language}", family))
                    known[self.capabilities[capability], LANGUAGES.index(language)] = number
        return known

    def _negatives(self, vendor: dict[str, Any], texts: dict[str, Any]) -> dict[NegativeKind, list[int]]:
        """Compile what hard negatives send, several writers a kind; relays talk like everybody."""
        kinds = {
            NegativeKind.HOMEWORK: texts["homework"],
            NegativeKind.EVALUATION_COMPANY: texts["evaluation"],
            NegativeKind.TRANSLATION_AGENCY: texts["agency"],
            NegativeKind.SEO_FARM: texts["seo"],
            NegativeKind.VENDOR_APP: [{"variants": [vendor["text"]], "sweep": vendor["sweep"]}],
            NegativeKind.VIRAL_PROMPT: [{"variants": each, "sweep": []} for each in texts["viral"]["texts"]],
            NegativeKind.BENCHMARK_REPLAY: [{"variants": [each], "sweep": []} for each in texts["benchmark"]["frames"]],
        }
        return {
            kind: [
                self._add(Writer(kind.value, self.grammar.compile(each["variants"], each["sweep"])))
                for each in wordings
            ]
            for kind, wordings in kinds.items()
        }


@cache
def writers() -> Writers:
    """Return the compiled writers without a corpus; they do not depend on the configuration."""
    return Writers()


def _load(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("promptscan.simulate").joinpath(name).read_text(encoding="utf-8"))


def _literal(text: str) -> str:
    """Return the notation of a text that is nothing but itself."""
    return "^1 " + text.replace("{", "{{").replace("}", "}}")


def _alternatives(value: str | list[str]) -> list[str]:
    """Return a rule's alternatives: a list as it is, a string as words separated by semicolons."""
    return [word.strip() for word in value.split(";")] if isinstance(value, str) else value
