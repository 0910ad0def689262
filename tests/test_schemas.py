"""Every `--json` document has a published schema, and is held to it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import promptscan
from tests.commands import promptscan as command

SCHEMAS = Path(__file__).resolve().parent.parent / "docs" / "schemas"


def held(schema: str, *words: str | Path) -> dict:
    """Run a command with --json, hold its document to the schema, return it."""
    ran = command(*words, "--json")
    assert ran.code in {0, 1, 3}, ran.err
    document = json.loads(ran.out)
    jsonschema.validate(document, json.loads((SCHEMAS / f"{schema}.schema.json").read_text()))
    return document


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_a_schema_is_one(path: Path):
    schema = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:promptscan:schema:{path.name.split('.')[0]}:1"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("families", ("families",)),
        ("families", ("families", "--new", "-n", "1")),
        ("templates", ("templates",)),
        ("duplicates", ("duplicates",)),
        ("accounts", ("accounts", "-n", "3")),
        ("banks", ("bank", "list")),
        ("rows", ("sql", "select * from texts limit 3")),
        ("rows", ("export", "family_days")),
        ("rows", ("export", "enforcement")),
        ("verdicts", ("verdict", "list")),
        ("indicator-sets", ("indicators", "list")),
        ("rows", ("doctor",)),
        ("config", ("config", "show", "--origin")),
        ("config", ("config", "show")),
        ("fsck", ("fsck", "--deep")),
        ("search", ("search", "translate this invoice", "-k", "3")),
    ],
)
def test_documents_follow_their_schema(built: Path, schema: str, words: tuple[str, ...]):
    assert held(schema, "--store", built, *words)


def test_what_show_prints_follows_its_schema_for_every_kind(built: Path):
    with promptscan.open(built) as store:
        family, prompt, account = (
            store.sql(
                "select family_id, prompt_id, account_id from prompts join texts using (text_id) where family_id is not null limit 1"
            )
            .to_pylist()[0]
            .values()
        )
        template = store.list_rows("templates")["template_id"][0].as_py()
        duplicate = str(store.list_rows("duplicates")["duplicate_id"][0].as_py())
    for kind, key in (
        ("template", template),
        ("duplicate", duplicate),
        ("family", family),
        ("prompt", prompt),
        ("account", account),
        ("text", "0"),
    ):
        document = held("show", "--store", built, "show", f"{kind}:{key}")
        assert (document["kind"], document["id"]) == (kind, key)


def test_banks_follow_their_schema(tmp_path: Path):
    added = command("--store", tmp_path, "bank", "add", "library", "-", "--note", "public", stdin=b'{"text": "Hello"}')
    assert added.code == 0
    assert held("banks", "--store", tmp_path, "bank", "list")["banks"][0]["bank"] == "library"


def test_a_damaged_store_still_makes_a_document(store: Path):
    next((store / "segments").glob("vectors-*/vectors.npy")).unlink()
    assert held("fsck", "--store", store, "fsck")["damaged"] == 1


def test_an_evaluation_follows_its_schema(built: Path, tmp_path: Path):
    with promptscan.open(built) as store:
        ids = store.sql("select prompt_id from prompts order by prompt_id limit 40")["prompt_id"].to_pylist()
    truth = pa.table({"prompt_id": ids, "campaign_id": ["c"] * 20 + [None] * 20, "family_id": ["f"] * 20 + [None] * 20})
    pq.write_table(truth, tmp_path / "truth.parquet")
    assert held("eval", "--store", built, "eval", "--truth", tmp_path / "truth.parquet")["prompts"] == 40
