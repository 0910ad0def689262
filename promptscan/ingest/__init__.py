"""From files to prompts: every row kept once, or quarantined with a reason."""

from promptscan.ingest.accounts import AccountsReport, ingest_accounts
from promptscan.ingest.batch import Batch, Part, SourceReport
from promptscan.ingest.load import IngestReport, ingest, load_staged, stage_files
from promptscan.ingest.plain import Texts, read_texts

__all__ = [
    "AccountsReport",
    "Batch",
    "IngestReport",
    "Part",
    "SourceReport",
    "Texts",
    "ingest",
    "ingest_accounts",
    "load_staged",
    "read_texts",
    "stage_files",
]
