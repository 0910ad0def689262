"""Many templates: is the one of a text found among thousands, and are frames found that only their cases show?

    python -m benchmarks.template_index [--texts N] [--templates N]

Words are drawn from 50,000 by Zipf's law. A frame has 20 to 60 of them in three fixed parts; a template is a frame and one of
ten tasks of 8 to 15 words. Half of the texts fill a template, with one fixed word in ten texts changed; the others are words. Seconds are
of the processor, not of the clock: one process, one thread but where pairs of templates are compared.
"""

from __future__ import annotations

import argparse
import random
import time
from itertools import accumulate

from benchmarks import machine
from benchmarks.tables import rows
from promptscan.anchors import TemplateIndex, count_words
from promptscan.nesting import build_hierarchy
from promptscan.slots import Slot, SlotType
from promptscan.templates import Template

WORDS = 50_000
TASKS = 10
FREE = Slot(SlotType.FREE_TEXT, 0, 0.0)


class Zipf:
    """Text of words whose frequency is that of their rank."""

    def __init__(self, seed: int) -> None:
        """Draw with a seed."""
        self.chosen = random.Random(seed)
        self.words = ["".join(self.chosen.choices("aeioubcdfghklmnprst", k=2 + n % 7)) + str(n) for n in range(WORDS)]
        self.weights = list(accumulate(1 / (rank + 3) for rank in range(WORDS)))

    def text(self, fewest: int, most: int) -> str:
        """Draw a text of so many words."""
        n = self.chosen.randint(fewest, most)
        return " ".join(self.chosen.choices(self.words, cum_weights=self.weights, k=n))


def main() -> None:
    """Measure, store, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--templates", type=int, default=10_000)
    options = parser.parse_args()
    draw = Zipf(0)
    templates = cases(draw, options.templates)
    result = {"facts": machine.facts(), "rows": [measure(draw, templates, options.texts)]}
    machine.store("template_index", result)
    print(rows(result))


def cases(draw: Zipf, n: int) -> list[Template]:
    """Return templates, ten of each frame side by side."""
    found = []
    for _ in range(n // TASKS):
        first, middle, last = draw.text(10, 30), draw.text(5, 15), draw.text(5, 15)
        found += [
            Template((f"{first} {draw.text(8, 15)} ", f" {middle} ", f" {last}"), (FREE, FREE)) for _ in range(TASKS)
        ]
    return found


def measure(draw: Zipf, templates: list[Template], n: int) -> dict[str, float]:
    """Fill, match and nest."""
    texts = []
    for number in range(n // 2):
        words = templates[number % len(templates)].fill([draw.text(1, 12), draw.text(1, 30)]).split(" ")
        if number % 10 == 0:
            words[draw.chosen.randrange(9)] = "changed"
        texts += [" ".join(words), draw.text(5, 90)]
    began = time.process_time()
    index = TemplateIndex.build(templates, count_words(texts[:10_000]))
    built = time.process_time()
    pairs, _ = index.candidates(texts)
    proposed = time.process_time()
    assigned = index.assign(texts)
    matched = time.process_time()
    hierarchy = build_hierarchy(templates)
    nested = time.process_time()
    parents = hierarchy.parents[: len(templates)].reshape(-1, TASKS)
    right = sum(one is not None and one[0] == n % len(templates) for n, one in enumerate(assigned[::2]))
    return {
        "templates": len(templates),
        "texts": len(texts),
        "build, CPU s": built - began,
        "candidates, CPU s": proposed - built,
        "candidates per text": len(pairs) / len(texts),
        "candidates and match, CPU s": matched - proposed,
        "fills given to their template": right / (n // 2),
        "other texts given to one": sum(one is not None for one in assigned[1::2]) / (n // 2),
        "hierarchy, CPU s": nested - matched,
        "frames": len(hierarchy.templates) - len(templates),
        "frames whose cases share a parent": float(((parents == parents[:, :1]) & (parents >= 0)).all(1).mean()),
    }


if __name__ == "__main__":
    main()
