"""Where texts of a group of near-duplicates differ from its medoid."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from promptscan.diffs import differences
from promptscan.normalise import clean
from promptscan.views.section import Section

SHOWN = 500  # characters of a difference that are handed on
MOST = 20  # differences of two texts that are handed on


def compared(section: Section, other: pa.ChunkedArray) -> Section:
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
