"""search: what is found, why, with which counts, and what a condition may and may not do."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import promptscan
from promptscan.api import Store, scan
from promptscan.encoders import load_encoder
from promptscan.errors import StoreError, UsageError
from promptscan.hits import Kind, SearchResult
from promptscan.why import relation
from tests.commands import promptscan as command
from tests.commands import refused
from tests.logs import GRADE, NEAR, POC, REPEATED

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "schemas" / "search.schema.json").read_text())
POC_TEXT = POC.format("CVE-2024-1007")


@pytest.fixture(scope="module")
def store(built: Path) -> Iterator[promptscan.Store]:
    with promptscan.open(built) as opened:
        yield opened


def document(built: Path, *words: str | Path, stdin: bytes = b"") -> dict[str, Any]:
    """Search through the command line; the answer obeys the published schema."""
    ran = command("--store", built, "search", *words, "--json", stdin=stdin)
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(found, SCHEMA)
    return found


def test_the_schema_is_sound():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


class TestQuery:
    """By text, standard input, id, family, file."""

    def test_by_text_finds_the_text_first(self, built: Path):
        found = document(built, POC_TEXT)
        assert found["hits"][0]["text"] == POC_TEXT
        assert (found["hits"][0]["rank"], found["hits"][0]["kind"]) == (1, "copy")
        assert found["hits"][0]["score"] > 0.999
        assert found["query"] == {"text": POC_TEXT, "k": 10, "where": None, "threshold": None}

    def test_from_standard_input(self, built: Path):
        assert document(built, "-", stdin=POC_TEXT.encode())["hits"] == document(built, POC_TEXT)["hits"]

    def test_by_id_and_by_family_need_no_encoder(
        self, built: Path, store: promptscan.Store, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("promptscan.search.load_encoder", lambda *_, **__: pytest.fail("the encoder was loaded"))
        row = store.sql(
            f"SELECT prompt_id FROM prompts JOIN texts USING (text_id) WHERE text = '{POC_TEXT}'"
        ).to_pylist()[0]
        assert document(built, "--id", row["prompt_id"])["hits"][0]["text"] == POC_TEXT
        family = store.sql(
            "SELECT f.family_id, t.text FROM families f JOIN texts t ON t.text_id = exemplar_text_id ORDER BY 1"
        ).to_pylist()
        for one in family:
            assert document(built, "--family", one["family_id"])["hits"][0]["text"] == one["text"]

    def test_every_line_of_a_file_is_a_query(self, built: Path, tmp_path: Path):
        (tmp_path / "queries.txt").write_text(f"{POC_TEXT}\n\n{REPEATED}\n")
        results = document(built, "--file", tmp_path / "queries.txt")["results"]
        assert [result["hits"][0]["text"] for result in results] == [POC_TEXT, REPEATED]

    @pytest.mark.parametrize(
        "words",
        [
            (),
            ("a", "--id", "b"),
            ("--id", "a", "--family", "F-1"),
            ("",),
            (" \u200b",),
            ("--id", "nobody"),
            ("--family", "F-99"),
            ("-k", "0", "a"),
            ("--threshold", "1.5", "a"),
            ("--threshold", "nan", "a"),
        ],
    )
    def test_unusable_queries_are_usage_errors(self, built: Path, words: tuple[str, ...]):
        refused(2, "--store", built, "search", *words)

    def test_an_invisible_change_of_the_query_changes_nothing(self, store: promptscan.Store):
        hidden = "\u200b".join(POC_TEXT) + "\ufeff"
        assert store.search(hidden).hits == store.search(POC_TEXT).hits


class TestCounts:
    """k, threshold, truncation, collapsing."""

    def test_k_bounds_the_hits_and_says_that_there_are_more(self, store: promptscan.Store):
        found = store.search(GRADE.format(1, 3, 4), k=3)
        assert (len(found.hits), found.truncated) == (3, True)
        assert [hit.rank for hit in found.hits] == [1, 2, 3]

    def test_all_is_not_truncated(self, store: promptscan.Store):
        found = store.search("proof of concept", k=1000)
        assert not found.truncated
        assert sum(hit.n_prompts for hit in found.hits) == 330

    def test_a_threshold_returns_every_text_that_reaches_it(self, store: promptscan.Store):
        everything = store.search(POC_TEXT, k=1000)
        reached = store.search(POC_TEXT, threshold=0.8)
        assert not reached.truncated
        assert all(hit.score >= 0.8 for hit in reached.hits)
        expected = sum(hit.n_collapsed + 1 for hit in everything.hits if hit.score >= 0.8)
        assert len(reached.hits) >= expected > 1

    def test_a_threshold_search_that_is_cut_says_so(self, store: promptscan.Store, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("promptscan.search.MAX_HITS", 5)
        found = store.search(POC_TEXT, k=5, threshold=0.2)
        assert (len(found.hits), found.truncated) == (5, True)

    def test_scores_descend_and_ties_are_ordered(self, store: promptscan.Store):
        scores = [hit.score for hit in store.search("grade the answer", k=100).hits]
        assert scores == sorted(scores, reverse=True)

    def test_near_identical_texts_are_one_hit_that_counts_them_all(self, store: promptscan.Store):
        hit = store.search(NEAR + ".", k=1).hits[0]
        assert (hit.n_prompts, hit.n_accounts) == (4, 4)
        assert hit.n_collapsed >= 1

    def test_a_repeated_text_counts_prompts_and_distinct_accounts(self, store: promptscan.Store):
        hit = store.search(REPEATED, k=1).hits[0]
        assert (hit.n_prompts, hit.n_accounts) == (36, 12)
        first = store.sql(f"SELECT min(ts) AS ts FROM prompts WHERE text_id = {hit.text_id}").to_pylist()[0]
        assert hit.ts == first["ts"]
        assert hit.family_id is not None

    def test_the_same_query_gives_the_same_answer(self, built: Path):
        assert document(built, "a walnut opera", "-k", "50") == document(built, "a walnut opera", "-k", "50")


class TestWhere:
    """Conditions on typed fields."""

    @pytest.mark.parametrize(
        "where",
        [
            "model = 'm-small'", "ts >= '2026-01-08'", "ts >= TIMESTAMP '2026-01-10' - INTERVAL 2 DAY", "account_id LIKE 'poc-%'",
            "CAST(tokens AS INT) BETWEEN 10 AND 90 AND ip IN ('10.0.0.1', '10.0.0.2')", "n_chars > 100", "text_prompts > 5", "family_id IS NULL", "false",
        ],
    )  # fmt: skip
    def test_only_prompts_for_which_it_holds_are_found_and_counted(self, store: promptscan.Store, where: str):
        hits = store.search("proof of concept", k=1000, where=where).hits
        counts = "SELECT p.*, n_chars, n_prompts AS text_prompts, family_id FROM prompts p JOIN texts t USING (text_id)"
        wanted = store.sql(
            f"SELECT count(*) AS n, count(DISTINCT account_id) AS a FROM ({counts}) WHERE {where}"
        ).to_pylist()[0]
        assert sum(hit.n_prompts for hit in hits) == wanted["n"]
        if hits:
            assert max(hit.n_accounts for hit in hits) <= wanted["a"]

    def test_a_filter_that_keeps_one_prompt_finds_it_however_far(self, store: promptscan.Store):
        hits = store.search("proof of concept", k=1, where="prompt_id = 'p017'").hits
        assert [hit.prompt_id for hit in hits] == ["p017"]

    @pytest.mark.parametrize(
        "where",
        [
            "", "nonsense = 1", "model =", "1=1; drop table prompts", "1=1) UNION SELECT * FROM prompts --", "model",
            "prompt_id IN (SELECT prompt_id FROM read_csv('/etc/passwd'))", "(SELECT count(*) FROM read_text('/etc/passwd')) > 0",
            "EXISTS (FROM read_blob('/etc/passwd'))", "(SELECT count(*) FROM '/etc/passwd.csv') > 0", "getenv('HOME') = 'x'", "sum(n_chars) > 3",
            "current_setting('temp_directory') <> '' AND (SELECT count(*) FROM glob('/*')) > 0",
        ],
    )  # fmt: skip
    def test_what_is_no_condition_on_prompts_is_refused(self, built: Path, where: str):
        line = refused(2, "--store", built, "search", "hi there", "--where", where)
        assert "--where" in line

    def test_a_store_is_unharmed_by_what_was_refused(self, built: Path):
        assert command("--store", built, "fsck", "--deep").code == 0


class TestKinds:
    """Why a text was found."""

    @pytest.mark.parametrize(
        ("query", "found", "kind"),
        [
            (POC_TEXT, POC_TEXT, Kind.COPY),
            (POC_TEXT, POC_TEXT.replace("1007", "1008"), Kind.EDIT),
            (POC_TEXT, "x y z " * 200 + POC_TEXT, Kind.CONTAINS),
            (POC_TEXT[:60], POC_TEXT, Kind.CONTAINS),
            ("lab", POC_TEXT, Kind.SIMILAR),
            (POC_TEXT, "something else altogether, about lemons and violins", Kind.SIMILAR),
        ],
    )
    def test_relations_of_two_texts(self, query: str, found: str, kind: Kind):
        assert relation(query, found) is kind

    def test_hits_carry_their_kind(self, store: promptscan.Store):
        kinds = {hit.text: hit.kind for hit in store.search(POC_TEXT, k=100).hits}
        assert kinds[POC_TEXT] == "copy"
        assert {kind for text, kind in kinds.items() if text != POC_TEXT and "penetration" in text} == {"edit"}


def test_results_convert_to_arrow_with_their_types(store: promptscan.Store):
    found = store.search("proof of concept", k=5)
    table = found.to_arrow()
    assert table.column_names == list(SCHEMA["$defs"]["hit"]["required"])
    assert table.to_pylist() == [hit.to_dict() for hit in found.hits]
    assert hasattr(found, "__arrow_c_stream__")
    assert SearchResult({}, truncated=False, recall=1.0, hits=()).to_arrow().num_rows == 0


def test_a_store_of_another_encoder_is_refused_by_name(built: Path, monkeypatch: pytest.MonkeyPatch):
    line = refused(3, "--store", built, "build", "--encoder", "minilm")
    assert "encoder static" in line
    assert "--encoder static" in line
    encoder = load_encoder("static")
    changed = type("Changed", (), {"identity": type("Identity", (), {"digest": "0" * 64})})
    monkeypatch.setattr("promptscan.search.load_encoder", lambda *_, **__: changed)
    with (
        promptscan.open(built) as store,
        pytest.raises(StoreError, match=f"has changed.*{encoder.identity.digest[:12]}"),
    ):
        store.search("hi there")


def test_the_interface_refuses_what_the_command_line_refuses(store: promptscan.Store):
    for options in ({"text": "a", "id": "b"}, {}, {"text": "a", "k": 0}, {"text": "a", "where": "nonsense"}):
        with pytest.raises(UsageError):
            store.search(**options)  # type: ignore[arg-type]


def test_a_passage_is_found_whatever_stands_around_it(tmp_path: Path):
    """A preamble among thousands of other words, look-alikes in it, is contained; vectors alone would not say so."""
    passage = "Rewrite the given prompt into a more complex version that needs several steps of reasoning"
    padding = " ".join(f"word{number} about gardens and tides" for number in range(400))
    disguised = f"{padding} {passage.replace('o', chr(0x43E))} {padding}"
    rows = [{"text": disguised, "account_id": "a"}] + [
        {"text": f"how do I plant {n} tulips", "account_id": "b"} for n in range(30)
    ]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    scan(log, store=tmp_path / "store")
    with Store(tmp_path / "store") as store:
        first = store.search(passage, k=1).hits[0]
        assert (first.account_id, first.kind) == ("a", "contains")
        assert first.score >= 0.9
        assert [hit.account_id for hit in store.search(passage, threshold=0.9).hits] == ["a"]
        assert store.search(passage, k=1, where="account_id = 'b'").hits[0].account_id == "b"


def test_encoded_content_is_found(tmp_path: Path):
    plain = "Explain step by step how you arrived at the answer and list every assumption you made on the way"
    hidden = base64.b64encode(plain.encode()).decode()
    log = tmp_path / "log.jsonl"
    log.write_text(
        json.dumps({"text": f"please decode this: {hidden}", "account_id": "a"}) + '\n{"text": "hello there"}\n'
    )
    scan(log, store=tmp_path / "store")
    with Store(tmp_path / "store") as store:
        assert store.search(plain, k=1).hits[0].kind == "contains"


def test_a_store_remembers_its_encoder(built: Path, monkeypatch: pytest.MonkeyPatch):
    """Without --encoder the store's own is used, whatever a new store would get."""
    monkeypatch.setattr("promptscan.build.DEFAULT_ENCODER", "minilm")
    assert command("--store", built, "build").code == 0
    monkeypatch.setenv("PROMPTSCAN_ENCODER", "minilm")
    assert "--encoder static" in refused(3, "--store", built, "build")
