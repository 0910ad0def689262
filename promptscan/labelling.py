"""What families are called: their template's fixed text, the text that they are, or the words that set them apart."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.cleans import CleanTexts
from promptscan.labels import class_terms, shortened, template_label
from promptscan.portraits import LENGTH as CHARACTERS
from promptscan.portraits import Portrait
from promptscan.store import Writer

Int64 = NDArray[np.int64]
MEMBERS = 6  # texts of a family that are read for its label
BACKGROUND = 2_048  # texts of no family that everyday words are known by
TEMPLATE_SHARE = 1 / 3  # of a family's texts that its template must have for the family to be called by it
RIVAL = 0.5  # of the commonest template's texts with which a former one still names the family


def label_families(
    writer: Writer,
    con: duckdb.DuckDBPyConnection,
    numbers: Int64,
    changed: Int64,
    portraits: Mapping[int, Portrait],
) -> dict[int, str]:
    """Label families; one keeps its former label while that still says what its texts have in common.

    Args:
        writer: the draft.
        con: a connection with its views, in which the families are still the former ones.
        numbers: int64 (n,), number of each clean text's family, -1 for none.
        changed: int64 (f,), numbers of the families to label, ascending.
        portraits: of those of them whose sample has changed; the others have a label already.

    Returns:
        Labels by number; without those whose template does not name them and whose sample is as it was.
    """
    former = dict(con.execute("SELECT family_id[3:]::BIGINT, label FROM base_family_names").fetchall())
    templates = _template_labels(con, numbers, changed)
    sizes = np.bincount(numbers[numbers >= 0], minlength=int(changed.max(initial=-1)) + 1)
    found, asking = dict[int, str](), list[int]()
    for number in changed.tolist():
        if number in portraits and sizes[number] == 1:
            found[number] = shortened(portraits[number].text)
        elif known := templates.get(number):
            found[number] = former[number] if former.get(number) in known else known[0]
        elif number in portraits:
            asking.append(number)
    if not asking:
        return found
    background = _background(writer, numbers)
    groups = [background[start : start + MEMBERS] for start in range(0, len(background), MEMBERS)]
    others = [list(portrait.others[:MEMBERS]) for number, portrait in portraits.items() if number not in set(asking)]
    terms = class_terms([*(portraits[number].others[:MEMBERS] for number in asking), *others, *groups])
    for place, number in enumerate(asking):
        before = former.get(number)
        if before is not None and terms.still_holds(place, before):
            found[number] = before
        else:
            found[number] = terms.label(place) or shortened(portraits[number].text)
    return found


def _template_labels(con: duckdb.DuckDBPyConnection, numbers: Int64, changed: Int64) -> dict[int, list[str]]:
    """Return for some families the labels of their templates that may name them, best first."""
    members = np.flatnonzero(np.isin(numbers, changed))
    con.register("labelled", pa.table({"clean_id": members, "family": numbers[members]}))
    rows = con.execute(
        "WITH sized AS (SELECT family, count(*) AS n_texts FROM labelled GROUP BY family), "
        "counted AS (SELECT l.family, t.template_id, count(*) AS n FROM labelled l JOIN base_template_members t USING (clean_id) "
        "GROUP BY ALL) "
        "SELECT c.family, f.template FROM counted c JOIN sized USING (family) JOIN base_template_forms f USING (template_id) "
        "WHERE c.n >= $1 * n_texts "
        "QUALIFY c.n >= $2 * max(c.n) OVER (PARTITION BY c.family) ORDER BY c.family, c.n DESC, f.template",
        [TEMPLATE_SHARE, RIVAL],
    ).fetchall()
    con.unregister("labelled")
    found: dict[int, list[str]] = {}
    for family, written in rows:
        found.setdefault(family, []).append(template_label(written))
    return found


def _background(writer: Writer, numbers: Int64) -> list[str]:
    """Return a spread of the texts that are in no family."""
    noise = np.flatnonzero(numbers < 0)
    if len(noise) > BACKGROUND:
        noise = noise[np.linspace(0, len(noise) - 1, BACKGROUND).astype(np.int64)]
    return [text[:CHARACTERS] for text in CleanTexts(writer).take(noise)]
