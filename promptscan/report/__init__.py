"""The scheduled report: what is new, which families rank highest, who sent them, and what this cannot tell.

document = collect(con, since=yesterday)
write_report(document, Path("reports/today"), [ReportFormat.HTML, ReportFormat.JSON])
"""

from __future__ import annotations

from promptscan.report.collect import collect
from promptscan.report.document import ReportDocument
from promptscan.report.html import render_html
from promptscan.report.write import ReportFormat, write_report

__all__ = ["ReportDocument", "ReportFormat", "collect", "render_html", "write_report"]
