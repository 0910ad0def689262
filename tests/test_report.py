"""The report: its numbers, its schema, and a page on which nothing from the data can act."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import duckdb
import jinja2
import pytest
from jsonschema import Draft202012Validator
from report_store import COUNTER_EVIDENCE, EVIDENCE, empty, filled

from promptscan.errors import StoreError, UsageError
from promptscan.report import ReportDocument, ReportFormat, collect, render_html, write_report
from promptscan.report.document import Day
from promptscan.report.html import _environment
from promptscan.report.sparkline import HEIGHT, MAX_DAYS, Axis, sparkline

NOW = datetime(2026, 1, 19, 6, 30, tzinfo=UTC)
SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "schemas" / "report.schema.json").read_text())
HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "</pre></style><script>alert(1)</script><a href='javascript:alert(1)' style='x'>",
    "{{7*7}}{% for x in y %}{{ self.__class__ }}",
    "\x1b[2J\x9b31m\x07",
    "user\u202egpj.exe\u2066\u200f",
    "NUL\x00 soft\u00adhyphen \U000e0068\U000e0069",
    '" onmouseover="alert(1)" x="',
    "=cmd|' /C calc'!A0",
    "é" + "\u0301" * 5_000,
    "x" * 100_000,
]


class Page(HTMLParser):
    """What a browser would make of the page, as far as the tests care."""

    VOID = frozenset({"meta", "link", "img", "br", "hr", "input", "path"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


@pytest.fixture(scope="module")
def document() -> ReportDocument:
    return collect(filled(), since=None, now=NOW)


@pytest.fixture(scope="module")
def hostile() -> ReportDocument:
    """Every string of every view is hostile, the names of things included."""
    con = filled()
    columns = con.execute(
        "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables USING (table_name) "
        "WHERE data_type = 'VARCHAR' AND table_type = 'BASE TABLE' AND column_name NOT LIKE '%\\_id' ESCAPE '\\'"
    ).fetchall()
    for number, (table, column) in enumerate(sorted(columns)):
        con.execute(f'UPDATE {table} SET "{column}" = $1', [HOSTILE[number % len(HOSTILE)]])
    con.execute("UPDATE texts SET text = $1[1 + text_id % 10]", [HOSTILE])
    con.execute("UPDATE families SET label = $1[1 + (exemplar_text_id + 3) % 10]", [HOSTILE])
    con.execute("UPDATE family_accounts SET account_id = account_id || $1", [HOSTILE[1]])
    con.execute("UPDATE campaign_accounts SET reasons = $1, account_id = $2", [HOSTILE, HOSTILE[6]])
    con.execute("UPDATE campaigns SET evidence = $1", [json.dumps(dict(zip(HOSTILE, HOSTILE, strict=True)))])
    told = [{"kind": one, "family_id": one, "value": 1, "sufficient": number % 2 == 0, "sentence": one} for number, one in enumerate(HOSTILE)]
    con.execute("UPDATE campaigns SET counter_evidence = $1", [json.dumps(told)])
    con.execute("UPDATE runs SET run_id = $1, versions = $2", [HOSTILE[0], json.dumps({"encoder": HOSTILE[4]})])
    return collect(con, since=None, now=NOW)


def test_the_counts_are_those_of_the_store(document: ReportDocument) -> None:
    con = filled()
    facts = document.facts
    assert facts.n_prompts == con.sql("SELECT count(*) FROM prompts").fetchall()[0][0]
    assert facts.n_prompts_since == facts.n_prompts
    assert facts.n_noise_prompts == 4000
    assert facts.noise_share == 4000 / facts.n_prompts
    assert (facts.n_families, facts.n_events, facts.n_quarantined, facts.n_quarantine_reasons) == (4, 4, 3, 2)
    assert facts.first_ts == datetime(2026, 1, 5, tzinfo=UTC)
    assert (document.build.run_id, document.build.encoder) == ("r2", "static-256")
    assert document.build.recall is not None
    assert document.build.recall.value == 0.981
    assert [measure.name for measure in document.build.measured] == ["neighbours.intersection", "recall_at_10"]


def test_families_are_ranked_and_carry_their_evidence(document: ReportDocument) -> None:
    assert [family.family_id for family in document.families] == ["F-0001", "F-0002", "F-0003", "F-0004"]
    assert [family.rank for family in document.families] == [1, 2, 3, 4]
    first, *_, last = document.families
    assert last.score is None
    assert first.events == ("born", "grown")
    assert first.template is not None
    assert "{slot_1:id}" in first.template
    assert [account.n_prompts for account in first.accounts] == sorted(
        (a.n_prompts for a in first.accounts), reverse=True
    )
    assert first.accounts[0].share_of_family == first.accounts[0].n_prompts / first.n_prompts
    sizes = filled().sql("SELECT n_prompts FROM family_accounts WHERE family_id = 'F-0001'").fetchall()
    assert first.effective_accounts == pytest.approx(1 / sum((size / first.n_prompts) ** 2 for (size,) in sizes))
    assert sum(day.n_prompts for day in first.days) == first.n_prompts


def test_share_of_account_counts_all_that_the_account_sent() -> None:
    con = filled()
    con.execute("UPDATE accounts SET n_prompts = n_prompts * 4 WHERE account_id LIKE 'acct\\_1%' ESCAPE '\\'")
    con.execute("DELETE FROM accounts WHERE account_id LIKE 'acct\\_2%' ESCAPE '\\'")
    first, second, *_ = collect(con, since=None, now=NOW).families
    assert {account.share_of_account for account in first.accounts} == {0.25}
    assert {account.share_of_account for account in second.accounts} == {None}


def test_since_limits_what_is_new_and_not_what_is_ranked(document: ReportDocument) -> None:
    since = datetime(2026, 1, 14, 5, 0, tzinfo=timezone(timedelta(hours=2)))  # 03:00 UTC, the very moment of the run
    late = collect(filled(), since=since, now=NOW)
    assert [(event.event, event.family_id) for event in late.events] == [
        ("grown", "F-0001"),
        ("born", "F-0003"),
        ("merged", "F-0009"),
    ]
    assert (late.facts.n_events, late.facts.n_alerts) == (3, 0)
    assert 0 < late.facts.n_prompts_since < late.facts.n_prompts == document.facts.n_prompts
    assert [family.family_id for family in late.families] == [family.family_id for family in document.families]


def test_the_last_build_limits_news_to_its_run_and_to_alerts_at_the_end_of_the_log(document: ReportDocument) -> None:
    con = filled()
    con.execute("INSERT INTO runs (run_id, finished_at, command) VALUES ('r3', '2026-02-01', 'ingest')")
    last = collect(con, since=None, last_build=True, now=NOW)
    assert {event.event for event in last.events} == {"born", "grown", "merged"}
    assert (last.facts.n_events, last.facts.n_alerts, last.alerts) == (3, 0, ())
    assert "No alert fired since the build before. Campaigns that are known are below." in render_html(last)
    assert last.campaigns == document.campaigns
    con.execute("UPDATE alerts SET fired_at = (SELECT max(ts) FROM prompts)")
    assert len(collect(con, since=None, last_build=True, now=NOW).alerts) == 1
    nothing = collect(empty(), since=None, last_build=True, now=NOW)
    assert (nothing.events, nothing.alerts) == ((), ())


def test_an_alert_says_what_who_since_when_why_and_why_not(document: ReportDocument) -> None:
    [alert] = document.alerts
    assert (alert.n_accounts, alert.n_accounts_now, alert.n_prompts, alert.n_prompts_now) == (12, 41, 80, 1200)
    assert alert.first_ts == datetime(2026, 1, 7, tzinfo=UTC)
    assert alert.why == tuple(one["sentence"] for one in EVIDENCE[:2])
    assert alert.against == (COUNTER_EVIDENCE[0]["sentence"],)
    con = filled()
    con.execute("DELETE FROM campaigns")
    [alone] = collect(con, since=None, now=NOW).alerts
    assert (alone.why, alone.against, alone.n_accounts_now) == ((), (), None)
    assert "A-1" in render_html(collect(con, since=None, now=NOW))


def test_a_campaign_holds_what_belongs_to_it_strongest_first(document: ReportDocument) -> None:
    [campaign] = document.campaigns
    assert [one.kind for one in campaign.evidence] == ["partition", "shared_asn", "language", "creation"]
    assert [account.score for account in campaign.accounts] == sorted((a.score or 0 for a in campaign.accounts), reverse=True)
    assert len(campaign.accounts) == 10 < campaign.n_accounts
    assert [entity.value for entity in campaign.entities] == ["AS64500", "pay_1"]
    assert "{slot_1:id}" in (campaign.families[0].template or "")
    assert sum(day.n_prompts for day in campaign.days) == document.families[0].n_prompts
    assert (campaign.alert_id, document.families[0].campaigns, document.families[1].campaigns) == ("A-1", ("C-1",), ())
    page = render_html(document)
    assert "Too little data to say: <bdi>creation (Only 2 of its accounts have a time of creation.)</bdi>" in page
    assert "1 more was looked at, and no more than chance gives" in page
    assert "accounts per day; most on" in page


def test_a_campaign_against_which_nothing_speaks_is_not_called_proven() -> None:
    con = filled()
    con.execute("UPDATE campaigns SET counter_evidence = '[]', evidence = NULL, severity = NULL, first_ts = NULL, last_ts = NULL")
    con.execute("DELETE FROM campaign_days")
    page = render_html(collect(con, since=None, now=NOW))
    assert "Nothing that was looked for speaks against it. That is not a finding that it is one." in page
    assert "None recorded." in page


def test_top_keeps_the_best_and_the_totals_say_so() -> None:
    cut = collect(filled(), since=None, now=NOW, top=2)
    assert [family.family_id for family in cut.families] == ["F-0001", "F-0002"]
    assert cut.facts.n_families == 4
    assert "The first 2 of 4 families" in render_html(cut)


def test_scores_that_are_no_number_rank_last_and_become_null() -> None:
    con = filled()
    con.execute("UPDATE families SET score = 'nan' WHERE family_id = 'F-0001'")
    con.execute("UPDATE families SET score = 'inf' WHERE family_id = 'F-0002'")
    document = collect(con, since=None, now=NOW)
    assert document.families[0].family_id == "F-0003"
    assert [family.score for family in document.families[1:]] == [None, None, None]
    json.dumps(document.to_dict(), allow_nan=False)


def test_equal_stores_in_another_order_give_the_same_bytes(document: ReportDocument) -> None:
    con = filled()
    for (table,) in con.sql("SELECT table_name FROM duckdb_tables()").fetchall():
        con.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {table} ORDER BY hash({table}::VARCHAR) DESC")
    again = collect(con, since=None, now=NOW)
    assert again.to_dict() == document.to_dict()
    assert render_html(again) == render_html(document)


def test_a_catalog_without_a_view_is_refused_with_what_to_do() -> None:
    con = empty()
    con.execute("DROP TABLE family_days")
    with pytest.raises(StoreError, match=r"report_family_days reads .*family_days.*promptscan build"):
        collect(con, since=None, now=NOW)


@pytest.mark.parametrize("case", ["document", "hostile", "nothing"])
def test_json_obeys_the_published_schema(case: str, request: pytest.FixtureRequest) -> None:
    report = collect(empty(), since=NOW, now=NOW) if case == "nothing" else request.getfixturevalue(case)
    Draft202012Validator.check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA)
    assert [error.message for error in validator.iter_errors(report.to_dict())] == []
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False)) == report.to_dict()


def test_an_empty_store_gets_a_page_that_helps() -> None:
    page = render_html(collect(empty(), since=None, now=NOW))
    assert "This store holds no prompts yet" in page
    assert "promptscan ingest" in page
    assert "not measured" in page
    Page(page)


def test_prompts_without_families_are_explained() -> None:
    con = empty()
    con.execute("INSERT INTO prompts VALUES ('p', 1, 'a', '2026-01-05', NULL, NULL, 's')")
    page = render_html(collect(con, since=None, now=NOW))
    assert "No family was found" in page
    assert "No row was set aside" in page


def test_the_page_says_what_an_analyst_needs(document: ReportDocument) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", render_html(document)))
    for wanted in (
        "41 accounts, 40 effective",
        "59.6%",
        "recall_at_10",
        "static-256",
        "The tool advises; a person decides.",
        "Разбери рассуждение по шагам и объясни каждый вывод",
        "created in the same hour",
        "Its 112 slot values are divided among the accounts.",
        "A tenth of what its accounts send is about other things.",
        "41 accounts share F-0001 evenly",
        "logs/a.jsonl:7",
    ):
        assert wanted in text


@pytest.mark.parametrize("case", ["document", "hostile"])
def test_the_page_is_inert_and_whole(case: str, request: pytest.FixtureRequest) -> None:
    page = Page(render_html(request.getfixturevalue(case)))
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "iframe", "object", "embed", "link", "form", "input", "base"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in {"style", "src", "srcset"}]
        assert tag != "a" or re.fullmatch(r"#[a-z]+(-\d+)?", attributes["href"] or "")
    ids = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    assert set(ids.values()) == {1}
    targets = {attributes["href"] for tag, attributes in page.tags if tag == "a"}
    assert targets <= {f"#{name}" for name in ids}
    assert {attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes} <= set(ids)


def test_the_policy_allows_only_the_page_s_own_style(document: ReportDocument) -> None:
    page = Page(render_html(document))
    [policy] = [a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a]
    digest = base64.b64encode(hashlib.sha256("".join(page.texts["style"]).encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in page.texts["style"][0]
    assert "@import" not in page.texts["style"][0]


def test_headings_and_tables_can_be_navigated(document: ReportDocument) -> None:
    page = Page(render_html(document))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(deeper <= level + 1 for level, deeper in pairwise(levels))
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    assert ("html", {"lang": "en"}) in page.tags


def test_hostile_text_is_shown_and_cannot_act(hostile: ReportDocument) -> None:
    html = render_html(hostile)
    unsafe = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not [one for one in html if one not in "\n\t" and unicodedata.category(one) in unsafe]
    shown = "".join(text for texts in Page(html).texts.values() for text in texts)
    for wanted in (
        "</script><img src=x onerror=alert(1)>",
        "{{7*7}}{% for x in y %}",
        "⟨U+001B⟩[2J⟨U+009B⟩31m⟨U+0007⟩",
        "user⟨U+202E⟩gpj.exe⟨U+2066⟩⟨U+200F⟩",
        "NUL⟨U+0000⟩ soft⟨U+00AD⟩hyphen ⟨U+E0068⟩⟨U+E0069⟩",
        '" onmouseover="alert(1)" x="',
    ):
        assert wanted in shown
    assert len(html) < 400_000


def test_a_field_without_any_filter_is_still_made_safe() -> None:
    template = _environment().from_string("{{ x }}|{{ x | join }}|{{ x ~ x }}|{{ y }}")
    assert template.render(x="<\x1b\u202e>", y=None) == "|".join(
        ["&lt;⟨U+001B⟩⟨U+202E⟩&gt;", "&lt;⟨U+001B⟩⟨U+202E⟩&gt;", "&lt;⟨U+001B⟩⟨U+202E⟩&gt;" * 2, "·"]
    )
    with pytest.raises(jinja2.UndefinedError):
        _environment().from_string("{{ missing }}").render()


def test_long_exemplars_are_cut_and_say_so() -> None:
    con = filled()
    con.execute("UPDATE texts SET text = repeat('long ', 20000) WHERE text_id = 1")
    report = collect(con, since=None, now=NOW)
    assert report.families[0].exemplar is not None
    assert len(report.families[0].exemplar) == 4000
    assert "first 4,000 of 100,000 characters" in render_html(report)


def test_a_sparkline_has_one_bar_a_day_on_the_shared_axis(document: ReportDocument) -> None:
    axis = Axis(date(2026, 1, 1), date(2026, 1, 10))
    days = [Day(date(2025, 12, 31), 99, 1), Day(date(2026, 1, 1), 10, 1), Day(date(2026, 1, 10), 5, 1)]
    spark = sparkline(days, axis)
    assert spark is not None
    assert f'd="M0 {HEIGHT}v-{HEIGHT}h4v{HEIGHT}z M45 {HEIGHT}v-{HEIGHT // 2}h4v{HEIGHT // 2}z"' in spark.svg
    assert spark.peak == days[1]
    assert sparkline(days[:1], axis) is None
    old = replace(document, facts=replace(document.facts, first_ts=datetime(2020, 1, 1, tzinfo=UTC)))
    shared = Axis.of(old)
    assert shared is not None
    assert shared.n_days == MAX_DAYS
    assert Axis.of(collect(empty(), since=None, now=NOW)) is None


def test_files_are_written_whole(document: ReportDocument, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    paths = write_report(document, out, [ReportFormat.JSON, "html", "json"])
    assert paths == [out / "report.json", out / "report.html"]
    assert sorted(out.iterdir()) == [out / "report.html", out / "report.json"]
    text = paths[0].read_text("ascii")
    assert json.loads(text) == document.to_dict()
    assert paths[1].read_text("utf-8") == render_html(document)


def test_an_unknown_format_is_refused_before_anything_is_written(document: ReportDocument, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="report format 'pdf': expected one of html, json"):
        write_report(document, tmp_path, ["html", "pdf"])
    assert list(tmp_path.iterdir()) == []


def test_a_report_can_be_read_from_a_read_only_catalog(tmp_path: Path, document: ReportDocument) -> None:
    con = filled()
    con.execute(f"ATTACH '{tmp_path / 'c.duckdb'}' AS copy")
    con.execute("DROP VIEW sent")
    con.execute("COPY FROM DATABASE memory TO copy")
    con.close()
    with duckdb.connect(str(tmp_path / "c.duckdb"), read_only=True) as reader:
        assert collect(reader, since=None, now=NOW).to_dict() == document.to_dict()
