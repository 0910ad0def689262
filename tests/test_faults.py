"""Faults: a full disk, a second writer, kill -9 at each step, damaged files. The store is the old or the new one, never between."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import promptscan, refused
from tests.logs import sample_rows, write_jsonl

# Kills the process at a named step of the write path, then runs the command line.
KILLED = """
import os, signal, sys
from pathlib import Path
import promptscan.ingest.load, promptscan.store.writer as writer
from promptscan.cli import run

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def after(function):
    def both(*args, **kwargs):
        function(*args, **kwargs)
        die()
    return both

point = sys.argv[1]
if point == "ingest":
    promptscan.ingest.load.copy_parquet = die
elif point == "segment":
    writer.publish_directory = die
elif point == "embedded":
    import promptscan.build.embedding
    promptscan.build.embedding.embed = after(promptscan.build.embedding.embed)
elif point == "commit":
    writer.Writer.commit = die
elif point == "rename":
    replace = Path.replace
    Path.replace = lambda self, target: die() if Path(target).name == "CURRENT" else replace(self, target)
elif point == "renamed":
    writer.write_atomic = after(writer.write_atomic)
elif point == "prune":
    writer.prune = die
else:
    raise SystemExit(f"no such point: {point}")
run(sys.argv[2:])
"""
FULL = """
import resource, signal, sys
from promptscan.cli import run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
raise SystemExit(run(sys.argv[2:]))
"""
HOLDING = """
import sys
from pathlib import Path
from promptscan.store import open_writer
with open_writer(Path(sys.argv[1])):
    print("holding", flush=True)
    sys.stdin.read()
"""


def python(code: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, from the repository's root."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parent.parent,
    )


def count(store: Path) -> int:
    ran = promptscan("--store", store, "sql", "SELECT count(*) AS n FROM prompts", "--json")
    assert ran.code == 0, ran.err
    return int(json.loads(ran.out)["rows"][0]["n"])


def generation(store: Path) -> int:
    return int(json.loads((store / "CURRENT").read_bytes())["generation"])


def flip(path: Path, place: float = 0.5) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 0x10
    path.write_bytes(data)


@pytest.fixture
def more(tmp_path: Path) -> Path:
    """Forty prompts that the built store does not have."""
    return write_jsonl(
        tmp_path / "more.jsonl", [row | {"prompt_id": f"q{row['prompt_id']}"} for row in sample_rows(1)[:40]]
    )


@pytest.mark.parametrize("point", ["ingest", "segment", "embedded", "commit", "rename", "renamed", "prune"])
def test_killed_at_any_step_the_store_is_the_old_or_the_new_one(store: Path, more: Path, point: str):
    killed = python(KILLED, point, "--store", store, "scan", more)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = point in {"renamed", "prune"}
    assert (generation(store), count(store)) == ((2, 370) if done else (1, 330))
    checked = promptscan("--store", store, "fsck", "--deep")
    assert checked.code == 0, checked.out
    again = promptscan("--store", store, "scan", more)
    assert again.code == 0, again.err
    assert (generation(store), count(store)) == (2, 370) if done else count(store) == 370
    assert promptscan("--store", store, "fsck", "--deep").code == 0


def test_what_was_embedded_before_a_kill_is_not_embedded_again(
    store: Path, more: Path, monkeypatch: pytest.MonkeyPatch
):
    python(KILLED, "commit", "--store", store, "scan", more)
    before = {path.name for path in (store / "segments").iterdir()}
    monkeypatch.setattr("promptscan.build.embedding.embed_texts", lambda *_, **__: pytest.fail("embedded again"))
    assert promptscan("--store", store, "scan", more).code == 0
    after = {path.name for path in (store / "segments").iterdir()}
    named_by_the_past = ("families", "stats", "evidence", "campaigns", "alerts")  # and so by what came before the kill
    assert {name for name in after - before if not name.startswith(named_by_the_past)} == set()


@pytest.mark.parametrize("room", [20_000, 200_000])
def test_a_full_disk_keeps_the_old_generation(store: Path, more: Path, room: int):
    ran = python(FULL, str(room), "--store", store, "scan", more)
    assert ran.returncode == 1, ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("Error: the disk is full"), ran.stderr
    assert "Traceback" not in ran.stderr
    assert (generation(store), count(store)) == (1, 330)
    assert promptscan("--store", store, "fsck", "--deep").code == 0
    assert promptscan("--store", store, "scan", more).code == 0
    assert count(store) == 370


def test_a_second_writer_is_refused_and_told_who_writes(store: Path, more: Path):
    command = [sys.executable, "-c", HOLDING, str(store)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holding\n"
        line = refused(3, "--store", store, "scan", more)
        assert f"written by process {holder.pid}" in line
        assert count(store) == 330, "readers need no lock"
        holder.communicate("")
    assert promptscan("--store", store, "ingest", more).code == 0


def test_a_lock_whose_holder_died_is_free(store: Path, more: Path):
    (store / "writer.lock").write_text("999999")
    assert promptscan("--store", store, "ingest", more).code == 0


def test_a_store_of_a_newer_version_is_refused(store: Path, more: Path):
    path = store / "generations" / "1" / "manifest.json"
    document = json.loads(path.read_bytes())
    data = json.dumps(document | {"format": document["format"] + 1}).encode()
    path.write_bytes(data)
    (store / "CURRENT").write_text(json.dumps({"generation": 1, "manifest_sha256": hashlib.sha256(data).hexdigest()}))
    for words in (("families",), ("scan", more), ("search", "hi")):
        assert "upgrade promptscan" in refused(3, "--store", store, *words)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"generation": "x"}', b"\xff\xfe", b'{"generation": 7, "manifest_sha256": "0"}']
)
def test_a_damaged_current_is_refused(store: Path, more: Path, content: bytes):
    (store / "CURRENT").write_bytes(content)
    for words in (("families",), ("scan", more)):
        assert "fsck" in refused(3, "--store", store, *words)
    assert promptscan("--store", store, "fsck").code == 3


def test_a_damaged_manifest_is_refused(store: Path):
    flip(store / "generations" / "1" / "manifest.json")
    assert "does not match the digest in CURRENT" in refused(3, "--store", store, "families")
    assert promptscan("--store", store, "fsck").code == 3


@pytest.mark.parametrize("name", ["vectors-*/vectors.npy", "graph-*/indices.npy"])
def test_damaged_arrays_are_refused_and_named_by_a_deep_check(store: Path, more: Path, name: str):
    path = next((store / "segments").glob(name))
    flip(path)
    assert promptscan("--store", store, "fsck").code == 0, "the size is right"
    checked = promptscan("--store", store, "fsck", "--deep", "--json")
    assert checked.code == 3
    assert [problem["path"] for problem in json.loads(checked.out)["problems"]] == [path.relative_to(store).as_posix()]
    words = ("search", "hi there") if "vectors" in name else ("scan", more)
    assert "does not match its digest" in refused(3, "--store", store, *words)


def test_a_missing_segment_file_is_refused_and_named(store: Path):
    path = next((store / "segments").glob("vectors-*/vectors.npy"))
    path.unlink()
    assert promptscan("--store", store, "fsck").code == 3
    assert "is missing from the store" in refused(3, "--store", store, "search", "hi there")


@pytest.mark.parametrize("place", [0.001, 0.5, 0.999])
def test_a_damaged_index_is_not_used_and_the_next_build_makes_it_anew(store: Path, place: float):
    words = ("--store", store, "search", "proof of concept against a lab host", "--json")
    sound = json.loads(promptscan(*words).out)
    flip(store / "generations" / "1" / "index.faiss", place)
    assert json.loads(promptscan(*words).out) == sound | {"recall": 1.0}
    checked = promptscan("--store", store, "fsck", "--deep", "--json")
    assert checked.code == 0
    assert [(problem["severity"], problem["path"]) for problem in json.loads(checked.out)["problems"]] == [
        ("rebuildable", "generations/1/index.faiss")
    ]
    assert promptscan("--store", store, "build").code == 0
    assert promptscan("--store", store, "fsck", "--deep", "--json").code == 0
    assert generation(store) == 2
    assert json.loads(promptscan(*words).out)["hits"] == sound["hits"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("prompts-*/texts.parquet", ("search", "hi there")),
        ("families-*/numbers.npy", ("search", "hi there")),
        ("stats-*/text_accounts.npy", ("search", "hi there")),
        ("prompts-*/texts.parquet", ("families",)),
        ("families-*/members.parquet", ("families",)),
    ],
)
def test_a_damaged_table_is_an_error_of_the_store_not_a_crash(store: Path, name: str, words: tuple[str, ...]):
    path = next((store / "segments").glob(name))
    path.write_bytes(b"PAR1" + os.urandom(path.stat().st_size - 4))
    assert "fsck" in refused(3, "--store", store, *words)
    assert promptscan("--store", store, "fsck", "--deep").code == 3


def test_an_unwritable_place_for_a_store_is_named(tmp_path: Path, more: Path):
    (tmp_path / "file").touch()
    assert "choose another --store" in refused(3, "--store", tmp_path / "file" / "s", "ingest", more)
