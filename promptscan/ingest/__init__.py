"""From files to prompts: every row kept once, or quarantined with a reason."""

from promptscan.ingest.accounts import AccountsReport, ingest_accounts
from promptscan.ingest.load import IngestReport, SourceReport, ingest

__all__ = ["AccountsReport", "IngestReport", "SourceReport", "ingest", "ingest_accounts"]
