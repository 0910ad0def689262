"""Every error promptscan raises on purpose, with the exit code the command line gives it.

    PromptscanError            1  failure
    ├── UsageError             2  a wrong argument, option, setting or expression
    ├── StoreError             3  the store is damaged, too new, or not there
    │   └── StoreLockedError   3  another writer holds the store (says who)
    └── BadDataError           4  too much of a source was bad, or a document is none

A message is one line: what was wrong, what was wanted, what to do.
"""

from __future__ import annotations

from typing import ClassVar


class PromptscanError(Exception):
    """Base of all expected errors; its text is one line meant for a person."""

    exit_code: ClassVar[int] = 1


class UsageError(PromptscanError):
    """An argument, a setting or an expression is not usable."""

    exit_code = 2


class StoreError(PromptscanError):
    """The store is damaged, missing, or written by a newer version."""

    exit_code = 3


class StoreLockedError(StoreError):
    """Another process is writing to the store."""


class BadDataError(PromptscanError):
    """More rows of a source were bad than `--max-bad-rows` allows, or a document is not what it should be."""

    exit_code = 4
