"""Tables for a terminal: what each kind of column looks like, and how a table is made to fit.

Every cell passes `vis` and reaches rich as `Text`, never as markup. When columns do not fit, texts give way first, then
labels, then ids; a table that still does not fit is printed as one block per row. Below a row may stand notes: lines as
wide as the table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from promptscan.cli.formats import jsonable, rows
from promptscan.vis import vis

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console, RenderableType
    from rich.text import Text

    Notes = Callable[[Mapping[str, object], Console], Sequence[Text]]

NULL = "·"
GAP = 2
"""Blank columns of the terminal between two columns of the table."""

INDENT = 2
"""Blank columns of the terminal before a note."""

_TEXT_NAMES = frozenset({"text", "exemplar", "template", "message", "sample", "evidence", "counter_evidence", "config"})


class Role(StrEnum):
    """What a column holds, and so how it is written, aligned and shortened."""

    ID = "id"
    NUMBER = "number"
    SCORE = "score"
    SHARE = "share"
    TIME = "time"
    LABEL = "label"
    TEXT = "text"


_RIGHT = frozenset({Role.NUMBER, Role.SCORE, Role.SHARE})
# Who gives way, in this order, and the width it keeps.
_CONCESSIONS = ((Role.TEXT, 30), (Role.LABEL, 16), (Role.TEXT, 12), (Role.LABEL, 8), (Role.ID, 12))


@dataclass(frozen=True, slots=True)
class Column:
    """One column to show.

    Attributes:
        name: Its name in the table.
        header: What stands above it; by default the name in words.
        role: By default found from the name and the type.
        paint: Draws a value that is not None, given whether there is colour; by default it is written by its role.
    """

    name: str
    header: str | None = None
    role: Role | None = None
    paint: Callable[[Any, bool], Text] | None = None

    def title(self) -> str:
        """Return the header, safe to show."""
        words = self.name.removeprefix("n_").replace("_", " ") if self.header is None else self.header
        return vis(words, 40)


def role_of(name: str, kind: pa.DataType) -> Role:
    """Guess what a column holds from its name and Arrow type."""
    import pyarrow as pa

    if name.endswith("_id"):
        return Role.ID
    if name in {"share", "noise_share", "probability"}:
        return Role.SHARE
    if pa.types.is_integer(kind):
        return Role.NUMBER
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Role.SCORE
    if pa.types.is_temporal(kind):
        return Role.TIME
    return Role.TEXT if name in _TEXT_NAMES else Role.LABEL


def cell(value: object, role: Role) -> str:  # noqa: C901 - one return for each kind of value
    """Write one value for a terminal, safe to show, on one line."""
    match value:
        case None:
            return NULL
        case bool():
            return "yes" if value else "no"
        case int() if role is not Role.ID:
            return f"{value:,}"
        case float() if not math.isfinite(value):
            return NULL if math.isnan(value) else str(value)
        case float() if role is Role.SHARE:
            return f"{value:.1%}"
        case float():
            return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"
        case datetime():
            moment = value if value.tzinfo is None else value.astimezone(UTC)
            return moment.strftime("%Y-%m-%d %H:%M")
        case date():
            return value.isoformat()
        case list() if all(isinstance(one, str) for one in value):
            return vis(", ".join(value), 400)
        case list() | dict():
            return vis(json.dumps(jsonable(value), ensure_ascii=False), 400)
        case _:
            return vis(value, 400)


def draw(
    reader: pa.RecordBatchReader,
    columns: Sequence[Column] | None,
    title: str | None,
    console: Console,
    notes: Notes | None = None,
    headings: Notes | None = None,
) -> None:
    """Print a whole table on `console`, as wide as the console is.

    `notes` draws the lines below a row; `headings` those above it, which start at the table's left edge.
    """
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    schema = reader.schema
    chosen = [Column(name) for name in schema.names] if columns is None else columns
    roles = [column.role or role_of(column.name, schema.field(column.name).type) for column in chosen]
    heads = [column.title() for column in chosen]
    body: list[list[Text]] = []
    below: list[RenderableType] = []
    above: list[RenderableType] = []
    for row in rows(reader):
        body.append(_line(row, chosen, roles, colour=has_colour(console)))
        drawn = notes(row, console) if notes is not None else ()
        below.append(Group(*(Padding(one, (0, 0, 0, INDENT)) for one in drawn)))
        above.append(Group(*(headings(row, console) if headings is not None else ())))
    if title is not None:
        console.print(Text(vis(title), style="bold"))
    if not body:
        console.print(Text("nothing found", style="dim"))
        return
    widths = fit([_natural(index, heads, body) for index in range(len(chosen))], roles, console.width)
    if widths is None:
        for number, (head, line, note) in enumerate(zip(above, body, below, strict=True), 1):
            console.print(head, _block(number, heads, line), note)
    elif notes is None and headings is None:
        console.print(_grid(heads, body, roles, widths))
    else:
        for number, (head, line, note) in enumerate(zip(above, body, below, strict=True)):
            if not number:
                console.print(_grid(heads, [], roles, widths))
            console.print(head, _grid(None, [line], roles, widths), note)


def has_colour(console: Console) -> bool:
    """Say whether what is drawn on a console will be coloured."""
    return console.color_system is not None and not console.no_color


def _line(row: Mapping[str, object], columns: Sequence[Column], roles: Sequence[Role], *, colour: bool) -> list[Text]:
    from rich.text import Text

    cells = []
    for column, role in zip(columns, roles, strict=True):
        value = row[column.name]
        if column.paint is not None and value is not None:
            cells.append(column.paint(value, colour))
        else:
            shown = cell(value, role)
            cells.append(Text(shown, style="dim" if shown == NULL else ""))
    return cells


def _natural(index: int, heads: Sequence[str], body: Sequence[Sequence[Text]]) -> int:
    from rich.cells import cell_len

    return max(cell_len(heads[index]), *(line[index].cell_len for line in body))


def fit(natural: Sequence[int], roles: Sequence[Role], width: int) -> list[int] | None:
    """Return the width of each column, or None when the table cannot be made to fit into `width`."""
    widths = list(natural)
    excess = sum(widths) + GAP * (len(widths) - 1) - width
    for role, floor in _CONCESSIONS:
        members = [index for index, one in enumerate(roles) if one is role]
        while excess > 0:
            widest = max(members, key=lambda index: widths[index], default=None)
            if widest is None or widths[widest] <= floor:
                break
            widths[widest] -= 1
            excess -= 1
    return None if excess > 0 else widths


def _grid(
    heads: Sequence[str] | None, body: Sequence[Sequence[Text]], roles: Sequence[Role], widths: Sequence[int]
) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold", show_header=heads is not None)
    for head, role, width in zip(heads or [""] * len(roles), roles, widths, strict=True):
        side: Literal["left", "right"] = "right" if role in _RIGHT else "left"
        table.add_column(Text(head), width=width, no_wrap=True, overflow="ellipsis", justify=side)
    for line in body:
        table.add_row(*line)
    return table


def _block(number: int, heads: Sequence[str], line: Sequence[Text]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for head, one in zip(heads, line, strict=True):
        table.add_row(Text(head), one)
    return Group(Text(f"— {number:,}", style="bold"), table)
