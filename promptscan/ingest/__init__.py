"""From files to prompts: every row kept once, or quarantined with a reason."""

from promptscan.ingest.accounts import AccountsReport, ingest_accounts
from promptscan.ingest.load import IngestReport, SourceReport, ingest
from promptscan.ingest.plain import Texts, read_texts

__all__ = ["AccountsReport", "IngestReport", "SourceReport", "Texts", "ingest", "ingest_accounts", "read_texts"]
