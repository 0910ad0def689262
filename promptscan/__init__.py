"""promptscan: prompts like this, and who sent them.

import promptscan
store = promptscan.open("indexes/default")
hits = store.search("Write a proof-of-concept for ...", k=20, where="ts >= now() - interval 7 day")
"""

from promptscan.api import ScanReport, Store, scan
from promptscan.api import open_store as open  # noqa: A004 - the contract's name: promptscan.open(path)
from promptscan.errors import BadDataError, PromptscanError, StoreError, StoreLockedError, UsageError
from promptscan.replay import ReplayReport, replay
from promptscan.version import __version__

__all__ = [
    "BadDataError",
    "PromptscanError",
    "ReplayReport",
    "ScanReport",
    "Store",
    "StoreError",
    "StoreLockedError",
    "UsageError",
    "__version__",
    "open",
    "replay",
    "scan",
]
