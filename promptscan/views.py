"""What an analyst wants to see about one prompt, text, template, family or account, gathered from the views."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from promptscan.diffs import differences
from promptscan.errors import UsageError
from promptscan.normalise import clean
from promptscan.outline import Cluster, Outline, outline
from promptscan.sql import arrow, first, script

if TYPE_CHECKING:
    import duckdb

SHOWN = 500  # characters of a difference that are handed on
MOST = 20  # differences of two texts that are handed on

LOOKUPS: dict[str, str] = {  # kind -> query that finds an id of that kind; in the order of trying
    "family": "SELECT family_id FROM families WHERE family_id = ?",
    "template": "SELECT template_id FROM templates WHERE template_id = ?",
    "prompt": "SELECT prompt_id FROM prompts WHERE prompt_id = ? LIMIT 1",
    "account": "SELECT account_id FROM prompts WHERE account_id = $1 UNION SELECT account_id FROM accounts WHERE account_id = $1 LIMIT 1",
    "text": "SELECT text_id FROM texts WHERE text_id = TRY_CAST(? AS BIGINT)",
    "duplicate": "SELECT duplicate_id FROM duplicates WHERE duplicate_id = TRY_CAST(? AS BIGINT)",
}

SECTIONS: dict[str, tuple[tuple[str, str, bool, str], ...]] = {  # kind -> (name, title, single row, query)
    "family": (
        (
            "family",
            "Family",
            True,
            "SELECT f.*, t.text AS exemplar FROM families f LEFT JOIN texts t ON t.text_id = f.exemplar_text_id WHERE f.family_id = $1",
        ),
        (
            "probes",
            "What it probes",
            False,
            (
                "SELECT capability, percentile, rank < (SELECT rank FROM capabilities WHERE family_id = $1 AND capability = 'other') "
                "AS convincing FROM capabilities WHERE family_id = $1 ORDER BY rank LIMIT 4"
            ),
        ),
        (
            "banks",
            "Known to banks",
            False,
            "SELECT bank, kind, n_known, share, best_score FROM family_banks WHERE family_id = $1 ORDER BY kind, n_known DESC, bank",
        ),
        ("events", "Lineage", False, script("family_lineage")),
        (
            "days",
            "Prompts per day",
            False,
            "SELECT day, n_prompts, n_accounts FROM family_days WHERE family_id = $1 ORDER BY day",
        ),
        ("templates", "Templates, with those they are cases of", False, script("family_templates")),
        (
            "texts",
            "Texts, most prompts first",
            False,
            "SELECT t.text_id, t.n_prompts, t.n_accounts, m.probability, t.text FROM family_members m JOIN texts t USING (text_id) WHERE m.family_id = $1 ORDER BY t.n_prompts DESC NULLS LAST, m.probability DESC, t.text_id LIMIT 15",
        ),
        (
            "accounts",
            "Accounts, most prompts first",
            False,
            "SELECT account_id, n_prompts, share, first_ts, last_ts FROM family_accounts WHERE family_id = $1 ORDER BY n_prompts DESC, account_id LIMIT 15",
        ),
        (
            "entities",
            "Shared by several accounts",
            False,
            "SELECT e.kind, e.value, count(DISTINCT e.account_id) AS n_accounts FROM entities e SEMI JOIN (FROM family_accounts WHERE family_id = $1) a USING (account_id) GROUP BY ALL HAVING n_accounts > 1 ORDER BY n_accounts DESC, e.kind, e.value LIMIT 15",
        ),
        ("related", "Related families", False, script("family_related")),
    ),
    "template": (
        ("template", "Template", True, "SELECT * FROM templates WHERE template_id = $1"),
        (
            "parent",
            "A case of",
            True,
            (
                "SELECT template_id, n_texts, n_prompts, n_accounts, template FROM templates "
                "WHERE template_id = (SELECT parent_id FROM base_template_parents WHERE template_id = $1)"
            ),
        ),
        (
            "children",
            "Its cases, most accounts first",
            False,
            (
                "SELECT template_id, n_texts, n_prompts, n_accounts, template FROM templates WHERE parent_id = $1 "
                "ORDER BY n_accounts DESC, template_id LIMIT 15"
            ),
        ),
        (
            "slots",
            "Slots, with their commonest values",
            False,
            (
                "SELECT s.slot, s.type, s.n_values, s.entropy, string_agg(v.value[1:60], ' | ' ORDER BY v.n DESC, v.value) AS text, "
                "coalesce(list({'value': v.value, 'n_texts': v.n} ORDER BY v.n DESC, v.value) FILTER (v.n IS NOT NULL), []) AS \"values\" "
                "FROM slots s LEFT JOIN (SELECT slot, value, count(*) AS n FROM slot_values WHERE template_id = $1 GROUP BY slot, value "
                "QUALIFY row_number() OVER (PARTITION BY slot ORDER BY n DESC, value) <= 5) v USING (slot) "
                "WHERE s.template_id = $1 GROUP BY s.slot, s.type, s.n_values, s.entropy ORDER BY s.slot"
            ),
        ),
        (
            "texts",
            "Texts, most prompts first",
            False,
            (
                'SELECT t.text_id, t.n_prompts, t.n_accounts, list(v.value ORDER BY v.slot) AS "values", t.text '
                "FROM (FROM texts WHERE template_id = $1 ORDER BY n_prompts DESC NULLS LAST, text_id LIMIT 10) t "
                "LEFT JOIN slot_values v ON v.text_id = t.text_id AND v.template_id = $1 "
                "GROUP BY t.text_id, t.n_prompts, t.n_accounts, t.text ORDER BY t.n_prompts DESC NULLS LAST, t.text_id"
            ),
        ),
        (
            "accounts",
            "Accounts, most prompts first",
            False,
            (
                "SELECT p.account_id, count(*) AS n_prompts, min(p.ts) AS first_ts, max(p.ts) AS last_ts FROM texts t "
                "JOIN prompts p USING (text_id) WHERE t.template_id = $1 GROUP BY p.account_id ORDER BY n_prompts DESC, p.account_id LIMIT 15"
            ),
        ),
        (
            "families",
            "Families its texts are in",
            False,
            (
                "SELECT family_id, count(*) AS n_texts FROM texts WHERE template_id = $1 AND family_id IS NOT NULL "
                "GROUP BY family_id ORDER BY n_texts DESC, family_id"
            ),
        ),
    ),
    "duplicate": (
        (
            "duplicate",
            "Duplicate group",
            True,
            (
                "SELECT d.*, t.text FROM duplicates d LEFT JOIN texts t ON t.text_id = d.medoid_text_id "
                "WHERE d.duplicate_id = CAST($1 AS BIGINT)"
            ),
        ),
        (
            "texts",
            "Texts, most prompts first, and where they differ from the medoid",
            False,
            (
                "SELECT t.text_id, t.n_prompts, t.n_accounts, m.score, t.text FROM texts t "
                "JOIN base_duplicate_members m USING (clean_id) WHERE t.duplicate_id = CAST($1 AS BIGINT) "
                "ORDER BY t.n_prompts DESC NULLS LAST, t.text_id LIMIT 15"
            ),
        ),
    ),
    "account": (
        ("account", "Account", True, "SELECT * FROM accounts WHERE account_id = $1"),
        ("entities", "Entities", False, "SELECT kind, value FROM entities WHERE account_id = $1 ORDER BY ALL"),
        (
            "families",
            "Families it takes part in",
            False,
            "SELECT a.family_id, a.n_prompts, a.share, f.n_accounts, f.label FROM family_accounts a JOIN families f USING (family_id) WHERE a.account_id = $1 ORDER BY a.n_prompts DESC, a.family_id LIMIT 15",
        ),
        (
            "prompts",
            "Latest prompts",
            False,
            "SELECT p.prompt_id, p.ts, t.family_id, t.text FROM prompts p JOIN texts t USING (text_id) WHERE p.account_id = $1 ORDER BY p.ts DESC NULLS LAST, p.prompt_id LIMIT 15",
        ),
    ),
    "prompt": (
        (
            "prompt",
            "Prompt",
            True,
            "SELECT p.*, t.family_id, t.n_prompts, t.n_accounts, t.text FROM prompts p JOIN texts t USING (text_id) WHERE p.prompt_id = $1 LIMIT 1",
        ),
        (
            "sent",
            "Also sent by",
            False,
            "SELECT q.account_id, q.ts, q.prompt_id FROM prompts p JOIN prompts q USING (text_id) WHERE p.prompt_id = $1 AND q.prompt_id <> $1 ORDER BY q.ts NULLS LAST, q.prompt_id LIMIT 15",
        ),
    ),
    "text": (
        ("text", "Text", True, "SELECT * FROM texts WHERE text_id = CAST($1 AS BIGINT)"),
        (
            "prompts",
            "Sent by",
            False,
            "SELECT account_id, ts, prompt_id FROM prompts WHERE text_id = CAST($1 AS BIGINT) ORDER BY ts NULLS LAST, prompt_id LIMIT 15",
        ),
    ),
}

OF_TEXT: tuple[tuple[str, str, bool, str], ...] = (  # likewise, by text id: what a text is part of
    (
        "template",
        "Its template",
        True,
        (
            "SELECT m.template_id, f.n_slots, n.parent_id, f.template FROM base_text_cleans c "
            "JOIN base_template_members m USING (clean_id) JOIN base_template_forms f USING (template_id) "
            "LEFT JOIN base_template_parents n USING (template_id) WHERE c.text_id = CAST($1 AS BIGINT)"
        ),
    ),
    (
        "slots",
        "What it has in the slots",
        False,
        (
            "SELECT v.slot, t.type, v.value FROM slot_values v JOIN base_slot_types t USING (template_id, slot) "
            "WHERE v.text_id = CAST($1 AS BIGINT) ORDER BY v.slot"
        ),
    ),
    (
        "duplicate",
        "Its duplicate group",
        True,
        (
            "SELECT d.duplicate_id, d.n_texts, d.n_prompts, d.n_accounts, d.medoid_text_id, m.score, k.text "
            "FROM base_text_cleans c JOIN base_duplicate_members m USING (clean_id) JOIN duplicates d USING (duplicate_id) "
            "LEFT JOIN base_texts k ON k.text_id = d.medoid_text_id WHERE c.text_id = CAST($1 AS BIGINT)"
        ),
    ),
    (
        "banks",
        "Known to banks",
        False,
        "SELECT bank, kind, score FROM bank_hits WHERE text_id = CAST($1 AS BIGINT) ORDER BY kind, score DESC, bank",
    ),
    ("related", "Texts related to it", False, script("related_texts")),
)


@dataclass(frozen=True, slots=True)
class Section:
    """Rows about one aspect of the thing with the id `key`; `single` ones have one row."""

    name: str
    title: str
    single: bool
    rows: pa.Table
    key: str


def find(con: duckdb.DuckDBPyConnection, identifier: str) -> tuple[str, str]:
    """Tell what an id is the id of.

    Args:
        con: a connection with the store's views.
        identifier: an id, or `kind:id`.

    Returns:
        Its kind (a key of `LOOKUPS`) and the id.

    Raises:
        UsageError: nothing has this id.
    """
    named = re.fullmatch(rf"({'|'.join(LOOKUPS)}):(.+)", identifier, re.DOTALL)
    kinds, key = ([named[1]], named[2]) if named else (list(LOOKUPS), identifier)
    for kind in kinds:
        row = first(con, LOOKUPS[kind], [key])
        if row is not None:
            return kind, str(row[0])
    raise UsageError(
        f"nothing in the store has the id {identifier!r}; `promptscan families` and `promptscan accounts` list ids"
    )


def sections(con: duckdb.DuckDBPyConnection, kind: str, key: str) -> list[Section]:
    """Gather everything about one thing."""
    found = _asked(con, SECTIONS[kind], key)
    if kind in {"text", "prompt"}:
        text_id = str(found[0].rows["text_id"][0].as_py())
        about = _asked(con, OF_TEXT, text_id)
        medoid = next(section for section in about if section.name == "duplicate")
        found[1:1] = [_compared(section, found[0].rows["text"]) if section is medoid else section for section in about]
    if kind == "duplicate" and len(found[0].rows):
        found[1] = _compared(found[1], found[0].rows["text"])
    return found


def explained(con: duckdb.DuckDBPyConnection, view: str, rows: pa.Table) -> pa.Table:
    """Add to listed rows what explains them.

    Templates get their `slots` with the commonest values; duplicate groups their medoid's `text`; families their commonest
    `template`, its `template_id`, prompts by `days`, the newest `event`, and the `banks` that know texts of them.
    """
    adding = {"templates": _with_slots, "duplicates": _with_medoids, "families": _with_facets}.get(view)
    return rows if adding is None else adding(con, rows)


def families_outline(con: duckdb.DuckDBPyConnection) -> Outline | None:
    """Arrange a store's families under the clusters that hold several of them; None when it keeps no tree."""
    rows = arrow(con, script("family_outline")).to_pylist()
    return outline(rows) if rows else None


def outlined(rows: pa.Table, arranged: Outline, depth: int) -> tuple[pa.Table, list[Cluster]]:
    """Add to listed families the `cluster` they are shown in and the chord at which they are `joined_at`.

    Args:
        rows: families.
        arranged: all families.
        depth: levels of clusters to show, from the top.

    Returns:
        The rows, and the clusters that they are in, those above before those below.
    """
    names = rows["family_id"].to_pylist()
    paths = [arranged.places.get(name, ())[:depth] for name in names]
    shown = {node for path in paths for node in path}
    clusters = pa.array([path[-1] if path else None for path in paths], pa.int64())
    joined = pa.array([arranged.joined.get(name) for name in names], pa.float64())
    placed = rows.append_column("cluster", clusters).append_column("joined_at", joined)
    return placed, [cluster for node, cluster in arranged.clusters.items() if node in shown]


def _with_facets(con: duckdb.DuckDBPyConnection, rows: pa.Table) -> pa.Table:
    with _wanted(con, rows.select(["family_id"])):
        facets = arrow(con, script("family_facets"))
    place = {name: number for number, name in enumerate(facets["family_id"].to_pylist())}
    ordered = facets.take(pa.array([place[name] for name in rows["family_id"].to_pylist()], pa.int64()))
    for name in facets.column_names[1:]:
        rows = rows.append_column(facets.schema.field(name), ordered[name])
    return rows


def _with_slots(con: duckdb.DuckDBPyConnection, rows: pa.Table, most: int = 5) -> pa.Table:
    with _wanted(con, rows.select(["template_id"])):
        slots = arrow(con, script("slot_summary"), [most])
    found: dict[str, list[Any]] = {name: [] for name in rows["template_id"].to_pylist()}
    for row in slots.to_pylist():
        found[row.pop("template_id")].append(row)
    kind = pa.list_(pa.struct(list(slots.schema)[1:]))
    return rows.append_column("slots", pa.array(list(found.values()), kind))


def _with_medoids(con: duckdb.DuckDBPyConnection, rows: pa.Table) -> pa.Table:
    with _wanted(con, rows.select(["medoid_text_id"])):
        texts = con.execute(
            "SELECT text_id, text FROM base_texts SEMI JOIN wanted ON text_id = medoid_text_id"
        ).fetchall()
    known = dict(texts)
    return rows.append_column(
        "text", pa.array([known.get(one) for one in rows["medoid_text_id"].to_pylist()], pa.string())
    )


@contextmanager
def _wanted(con: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[None]:
    """Lend a connection the table `wanted`."""
    con.register("wanted", rows)
    try:
        yield
    finally:
        con.unregister("wanted")


def _asked(con: duckdb.DuckDBPyConnection, queries: Sequence[tuple[str, str, bool, str]], key: str) -> list[Section]:
    return [Section(name, title, single, arrow(con, query, [key]), key) for name, title, single, query in queries]


def _compared(section: Section, other: pa.ChunkedArray) -> Section:
    """Add what each text has where another text has something else, as the column `differences`.

    Args:
        section: rows with a column `text`.
        other: one text: the medoid of the group that the rows are of; or of one row that is a medoid, the member.
    """
    if not len(section.rows):
        return section
    own = section.rows["text"].cast(pa.large_string()).combine_chunks()
    forms = clean(pa.concat_arrays([own, other.cast(pa.large_string()).combine_chunks()]))[0].to_pylist()
    *texts, asked = forms
    pairs = [(asked, text) if not section.single else (text, asked) for text in texts]
    found = [
        [{"medoid": one.before[:SHOWN], "text": one.after[:SHOWN]} for one in differences(medoid, text)[:MOST]]
        for medoid, text in pairs
    ]
    column = pa.array(found, pa.list_(pa.struct([("medoid", pa.string()), ("text", pa.string())])))
    return replace(section, rows=section.rows.append_column("differences", column))
