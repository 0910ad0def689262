"""What a result was measured on, and where results go."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from promptscan.build import versions

RESULTS = Path(__file__).resolve().parent / "results"


def facts() -> dict[str, Any]:
    """Return processor, memory, load, versions and time; the load says how busy the machine was when measuring began."""
    model = "unknown"
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        model = next((value.strip() for name, _, value in lines if name.strip() == "model name"), model)
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), 1),
        "load_1_minute": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
    }


def code() -> str:
    """Return a digest of promptscan's own code and data: equal digests, equal behaviour."""
    folder = Path(__file__).resolve().parents[1] / "promptscan"
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".py", ".sql", ".toml"}:
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def load(name: str) -> dict[str, Any]:
    """Read stored results; empty when there are none."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def store(name: str, results: dict[str, Any]) -> Path:
    """Write results as JSON, replacing the file in one step."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    draft.replace(path)
    return path
