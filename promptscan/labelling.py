"""What families are called: their template's fixed text, the text that they are, or the words that set them apart."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from promptscan.labels import LENGTH, class_terms, template_label

MEMBERS = 6  # texts of a family that are read for its label
BACKGROUND = 2_048  # texts of no family that everyday words are known by
TEMPLATE_SHARE = 1 / 3  # of a family's texts that its template must have for the family to be called by it
RIVAL = 0.5  # of the commonest template's texts with which a former one still names the family


def label_families(
    con: duckdb.DuckDBPyConnection,
    labels: NDArray[np.int64],
    names: Sequence[str],
    exemplars: Sequence[str],
    samples: Sequence[Sequence[str]],
) -> list[str]:
    """Label families; one keeps its former label while that still says what its texts have in common.

    Args:
        con: a connection with the views of the draft, in which the families are still the former ones.
        labels: int64 (n,), family of each clean text by number, -1 for none.
        names: id of each family.
        exemplars: the text that stands for each.
        samples: texts of each, any number.
    """
    former = dict(con.execute("SELECT family_id, label FROM base_family_names").fetchall())
    templates = _template_labels(con, labels, len(names))
    background = _background(con, labels)
    groups = [background[start : start + MEMBERS] for start in range(0, len(background), MEMBERS)]
    terms = class_terms([*(list(texts)[:MEMBERS] for texts in samples), *groups])
    sizes = np.bincount(labels[labels >= 0], minlength=len(names))
    found = []
    for number, name in enumerate(names):
        before = former.get(name)
        if sizes[number] == 1:
            found.append(exemplars[number][:LENGTH])
        elif templates[number]:
            found.append(before if before in templates[number] else templates[number][0])
        elif before is not None and terms.still_holds(number, before):
            found.append(before)
        else:
            found.append(terms.label(number) or exemplars[number][:LENGTH])
    return found


def _template_labels(con: duckdb.DuckDBPyConnection, labels: NDArray[np.int64], count: int) -> list[list[str]]:
    """Return for each family the labels of its templates that may name it, best first."""
    members = np.flatnonzero(labels >= 0)
    con.register("labelled", pa.table({"clean_id": members, "family": labels[members]}))
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
    found: list[list[str]] = [[] for _ in range(count)]
    for family, written in rows:
        found[family].append(template_label(written))
    return found


def _background(con: duckdb.DuckDBPyConnection, labels: NDArray[np.int64]) -> list[str]:
    """Return a spread of the texts that are in no family."""
    noise = np.flatnonzero(labels < 0)
    if len(noise) > BACKGROUND:
        noise = noise[np.linspace(0, len(noise) - 1, BACKGROUND).astype(np.int64)]
    con.register("wanted", pa.table({"clean_id": noise}))
    rows = con.execute(
        "SELECT clean[1:4000] FROM base_cleans SEMI JOIN wanted USING (clean_id) ORDER BY clean_id"
    ).fetchall()
    con.unregister("wanted")
    return [row[0] for row in rows]
