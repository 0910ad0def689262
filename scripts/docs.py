"""Generate what must not drift from the code: docs/commands.md from --help, benchmarks/RESULTS.md from stored results.

    python scripts/docs.py [--check]

--check writes nothing and exits with 1 when a generated file is out of date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from promptscan.cli.root import root  # noqa: E402 - after the path is set


def commands() -> str:
    """Write the reference of all commands from their own help."""
    parts = ["# Commands", "", "Generated from `--help` by `make docs`; do not edit.", ""]
    context = click.Context(root, info_name="promptscan", max_content_width=100, terminal_width=100)
    parts += ["## promptscan", "", "```text", root.get_help(context), "```", ""]
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        if command is None:
            continue
        own = click.Context(command, info_name=name, parent=context, max_content_width=100, terminal_width=100)
        parts += [f"## {name}", "", "```text", command.get_help(own), "```", ""]
        if isinstance(command, click.Group):
            for sub in command.list_commands(own):
                child = command.get_command(own, sub)
                if child is not None:
                    inner = click.Context(child, info_name=sub, parent=own, max_content_width=100, terminal_width=100)
                    parts += [f"### {name} {sub}", "", "```text", child.get_help(inner), "```", ""]
    return "\n".join(parts)


def results() -> str:
    """Write the tables of all stored benchmark results."""
    from benchmarks.tables import document

    folder = ROOT / "benchmarks" / "results"
    return document({path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))})


def main() -> int:
    """Write the files, or say which are out of date."""
    stale = 0
    for path, text in ((ROOT / "docs" / "commands.md", commands()), (ROOT / "benchmarks" / "RESULTS.md", results())):
        if path.exists() and path.read_text() == text:
            continue
        stale += 1
        if "--check" in sys.argv:
            print(f"{path.relative_to(ROOT)} is out of date; run `make docs`")
        else:
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
