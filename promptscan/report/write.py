"""Reports as files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from promptscan.atomic import replacing
from promptscan.errors import UsageError
from promptscan.report.document import ReportDocument
from promptscan.report.html import render_html


class ReportFormat(StrEnum):
    """A form a report can take; the file is `report.<format>`."""

    HTML = "html"
    JSON = "json"


def write_report(document: ReportDocument, out: Path, formats: Iterable[str]) -> list[Path]:
    """Write the report into the folder `out`, one file per format, each whole or not at all.

    Returns:
        The files, in the order of `formats`.

    Raises:
        UsageError: A format that this version cannot write.
    """
    wanted = [_format(name) for name in dict.fromkeys(formats)]
    paths = []
    for form in wanted:
        path = out / f"report.{form}"
        with replacing(path) as file:
            file.write(_render(document, form))
        paths.append(path)
    return paths


def _format(name: str) -> ReportFormat:
    try:
        return ReportFormat(name)
    except ValueError:
        raise UsageError(f"report format {name!r}: expected one of {', '.join(ReportFormat)}") from None


def _render(document: ReportDocument, form: ReportFormat) -> bytes:
    if form is ReportFormat.JSON:
        text = json.dumps(document.to_dict(), ensure_ascii=True, allow_nan=False, indent=2)
        return text.encode("ascii") + b"\n"
    return render_html(document).encode("utf-8")
