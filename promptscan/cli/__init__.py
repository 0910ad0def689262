"""The command line. `main` turns every expected error into one line and an exit code."""

from __future__ import annotations

import errno
import os
import sys

import click

from promptscan.cli.console import say
from promptscan.errors import PromptscanError

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Run promptscan and exit."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run promptscan.

    Args:
        arguments: words after the program's name; those of the process when None.

    Returns:
        The exit code: 0 ok, 1 failure, 2 usage, 3 store damaged or locked, 4 bad data, 10 findings, 130 interrupted.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before FAISS loads: its spinning threads slow a busy machine
    from promptscan.cli.root import root

    words = sys.argv[1:] if arguments is None else arguments
    try:
        code = root.main(args=arguments, prog_name="promptscan", standalone_mode=False)
    except click.exceptions.Abort:
        say("interrupted; the store is as it was before")
        return INTERRUPTED
    except KeyboardInterrupt:
        say("interrupted; the store is as it was before")
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except PromptscanError as error:
        return _fail(words, str(error), error.exit_code)
    except MemoryError:
        return _fail(words, "out of memory; close other programs, or lower `memory_limit` (promptscan config show)", 1)
    except OSError as error:
        return _fail(words, _of_system(error), 1)
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line, and --debug for the rest
        return _fail(words, _unexpected(error), 1)
    return code if isinstance(code, int) else 0


def _fail(words: list[str], message: str, code: int) -> int:
    """Say an error in one line; raise it again under --debug."""
    if "--debug" in words:
        raise  # noqa: PLE0704 - called from except blocks only
    say(f"Error: {' '.join(message.split())}")
    return code


def _of_system(error: OSError) -> str:
    short = error.errno is None and "requested and" in str(error)  # numpy's words for a write that was cut short
    if short or error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return (
            f"the disk is full ({error.filename or 'while writing'}); free some space and run again: nothing was lost"
        )
    return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"


def _unexpected(error: Exception) -> str:
    text = str(error)
    if "No space left on device" in text or "File too large" in text:
        return "the disk is full; free some space and run again: nothing was lost"
    first = text.strip().splitlines()[0] if text.strip() else ""
    return f"{type(error).__name__}: {first[:300]} (run again with --debug for the whole story)"
