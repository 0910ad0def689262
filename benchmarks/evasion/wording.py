"""Attacks on the wording: the same request in other words. Nothing lexical can be asked to find these."""

from __future__ import annotations

import re
from random import Random

from benchmarks.evasion.attack import Attack, Change, Filler

SYNONYMS = """
answer reply respond|ask request query|begin start commence|best finest greatest|big large huge|build create construct
change alter modify|choose pick select|code program|compare contrast|complete finish|correct right accurate|describe depict
detailed thorough|difference distinction|different distinct|difficult hard tough|easy simple|end finish|error mistake fault
example instance sample|explain clarify|fast quick rapid|find locate discover|following subsequent|function routine|get obtain
give provide supply|good great fine|happy glad|help assist aid|idea thought notion|important crucial vital|improve enhance
information details|item element|job task|keep retain|kind type sort|know understand|list enumerate|little small|long lengthy
look see|make create produce|mean signify|method approach way|need require|new novel|number count figure|old ancient
part portion piece|people persons individuals|person individual|place location|plan scheme|possible feasible|problem issue
purpose aim goal|put place|question query|reason cause|result outcome|rewrite rephrase|said stated|say state tell|sentence phrase
show display demonstrate|short brief concise|small little tiny|solve resolve|story tale narrative|summarize condense
text passage|think believe|topic subject theme|translate render|use utilize employ|want wish desire|work labor|write compose draft
word term|world globe|wrong incorrect|child kid|children kids|movie film|car automobile|buy purchase|money cash|teach instruct
student pupil|doctor physician|house home|country nation|city town|company firm|food meals|job occupation|road street
"""
TABLE = {
    word: [other for other in group.split() if other != word]
    for group in SYNONYMS.replace("\n", "|").split("|")
    for word in group.split()
}
WORD = re.compile(r"[A-Za-z]+")
REWRITES = (
    (r"^(please )?(can|could|would) you( please)?\b", ("I would like you to", "Your task is to", "Kindly")),
    (r"^(what is|what's|what are)\b", ("tell me about", "I want to know about", "describe")),
    (
        r"^how (do|can|would|should) (i|you|we)\b",
        ("what is the way to", "tell me the steps to", "I need to know how to"),
    ),
    (r"^(write|create|generate|make|compose)\b", ("I need you to produce", "your job is to come up with", "produce")),
    (r"^(explain|describe|define)\b", ("help me understand", "walk me through", "give me an account of")),
    (r"^(give|provide|list|tell) (me )?", ("I am looking for ", "what I need is ", "let me have ")),
    (r"^why\b", ("what is the reason that", "for what reason")),
    (r"^who\b", ("which person", "name the one who")),
    (r"\byou are an?\b", ("act as a", "imagine being a", "take the role of a")),
    (r"\bdon't\b", ("do not", "never")),
    (r"\bi'm\b", ("I am",)),
    (r"\bmust\b", ("have to", "are required to")),
    (r"\bshould\b", ("ought to", "are supposed to")),
    (r"\bfor example\b", ("for instance", "such as")),
    (r"\bthe following\b", ("what follows", "the given")),
    (r"\bin order to\b|\bso that\b", ("with the aim that", "to")),
    (r"\bbecause\b", ("since", "as")),
    (r"\bhowever\b|\bbut\b", ("yet", "still,")),
    (r"\bmany\b|\ba lot of\b", ("plenty of", "numerous")),
    (r"\bsome\b", ("a few", "several")),
)
COMPILED = tuple((re.compile(pattern, re.IGNORECASE), options) for pattern, options in REWRITES)
OPENINGS = ("Here is what I want: ", "My request: ", "I have a question. ", "Help me with this. ", "")
CLOSINGS = (" Thanks.", " That is all I need.", " Take your time.", "")
SENTENCE = re.compile(r"(?<=[.!?\n])\s+")


def synonyms(share: float) -> Change:
    """Replace a share of the words of the table by another of their group."""

    def made(text: str, rng: Random, _: Filler) -> str:
        return WORD.sub(lambda word: _other(word[0], rng) if rng.random() < share else word[0], text)

    return made


def _other(word: str, rng: Random) -> str:
    options = TABLE.get(word.lower())
    if options is None:
        return word
    chosen = rng.choice(options)
    return chosen.capitalize() if word[0].isupper() else chosen


def rewrite(text: str, rng: Random, _: Filler) -> str:
    """Turn the phrases of every sentence by a small grammar."""
    sentences = []
    for sentence in SENTENCE.split(text):
        turned = sentence
        for pattern, options in COMPILED:
            turned = pattern.sub(lambda _, options=options: rng.choice(options), turned)
        sentences.append(turned)
    return f"{rng.choice(OPENINGS)}{' '.join(sentences)}{rng.choice(CLOSINGS)}"


def rewrite_all(text: str, rng: Random, filler: Filler) -> str:
    """Turn phrases, then words, and the order of sentences."""
    sentences = SENTENCE.split(synonyms(1)(rewrite(text, rng, filler), rng, filler))
    rng.shuffle(sentences)
    return " ".join(sentences)


def wording_attacks() -> list[Attack]:
    """Return the attacks on the wording."""
    return [
        Attack("synonyms", {"50 %": synonyms(0.5), "100 %": synonyms(1)}, target=None),
        Attack("paraphrase", {"phrases": rewrite, "phrases, words, order": rewrite_all}, target=None),
    ]
