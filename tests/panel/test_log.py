"""The log when it is long: whole names at once, parts of them stretch by stretch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests import support_web
from tests.support_api import Program, key_of

from trinco.panel.accounts import log
from trinco.panel.accounts.models import AuditEntry, Organisation, TokenScope

SUBJECTS = ("a.example", "b.example", "mail.a.example", "c.example", "b.example", "a.example", "d.example", "e.example")
"""The newest first."""
FIRST = 1_000_000
"""The key of a line in a long log."""
NONE = "None of these lines fits this filter."


@pytest.fixture(autouse=True)
def written(ours: Organisation) -> None:
    now = timezone.now()
    AuditEntry.objects.everywhere().bulk_create(
        AuditEntry(
            pk=FIRST - number,
            organisation=ours,
            at=now - timedelta(minutes=number // 2),  # two in each minute: the key decides between them
            actor="joana@example.com" if number % 2 else "ana@example.com",
            action="policy.undone" if number == 6 else "policy.published",
            subject=subject,
        )
        for number, subject in reversed(list(enumerate(SUBJECTS)))
    )


@pytest.fixture
def person(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


@pytest.fixture
def program(ours: Organisation) -> Program:
    return Program(key_of(support_web.owner_of(ours), TokenScope.ADMIN))


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "AT_MOST", 3)


def pages(person: Client, query: str) -> Iterator[list[str]]:
    """The subjects of each page, as far as its link to older lines leads."""
    seen = set()
    while query:
        assert query not in seen, "a page leads back to one of before"
        seen.add(query)
        answer = person.get(f"/activity/{query}")
        yield [row.entry.subject for row in answer.context["entries"]]
        older = re.search(r'rel="next" href="([^"]*)"', answer.content.decode())
        query = older[1].replace("&amp;", "&") if older else ""


def read(program: Program, query: str) -> Iterator[list[str]]:
    cursor = ""
    while cursor is not None:
        page = program.json(f"/activity?{query}{cursor and '&cursor='}{cursor}")
        yield [row["subject"] for row in page["rows"]]
        cursor = page["next"]


class TestNames:
    """A whole name is found by an index; a part of names is looked for where no name is just that, or on wish."""

    @pytest.mark.parametrize(
        ("query", "subjects"),
        [
            ("?domain=A.example", ["a.example", "a.example"]),
            ("?domain=a.example&names=part", ["a.example", "mail.a.example", "a.example"]),
            ("?domain=.a.", ["mail.a.example"]),
            ("?person=Ana@example.com&domain=b.example", ["b.example"]),
            ("?person=ana@example.com&domain=b.example&names=part", ["b.example", "b.example"]),
            ("?person=ana@example.com&action=policy.undone", ["d.example"]),
            ("?person=joana@example.com&action=policy.undone", []),
            ("?domain=a.example&action=policy.undone", []),
        ],
    )
    def test_which_lines(self, person: Client, query: str, subjects: list[str]) -> None:
        assert list(pages(person, query)) == [subjects]

    def test_the_page_says_that_it_has_whole_names_and_offers_the_rest(self, person: Client) -> None:
        text = person.get("/activity/?domain=a.example&older=0").content.decode()
        assert "Lines with just this name." in text
        assert 'href="?domain=a.example&amp;names=part"' in text
        assert "just this name" not in person.get("/activity/?domain=a.exam&action=policy.published").content.decode()

    def test_a_file_has_the_lines_of_the_page(self, person: Client) -> None:
        for query, count in (("domain=a.example", 2), ("domain=a.example&names=part", 3)):
            pieces = person.get(f"/activity/export.jsonl?{query}").streaming_content  # type: ignore[attr-defined]
            assert b"".join(pieces).count(b"\n") == count


@pytest.mark.usefixtures("narrow")
class TestStretches:
    """A page is found among so many lines, however long the log is, and says from where on it goes on."""

    def test_no_line_twice_and_none_left_out(self, person: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("trinco.panel.web.paging.SIZE", 2)
        assert [line for page in pages(person, "?") for line in page] == list(SUBJECTS)

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("?domain=a.ex&names=part", [["a.example", "mail.a.example"], ["a.example"], []]),
            ("?domain=zulu", [[], [], []]),
            ("?action=policy.undone&person=ana", [["d.example"]]),
            ("?action=policy.published&person=joana@example.com&domain=e.exa", [[], ["e.example"]]),
        ],
    )
    def test_parts_of_names(self, person: Client, query: str, found: list[list[str]]) -> None:
        assert list(pages(person, query)) == found

    def test_what_an_empty_page_says(self, person: Client) -> None:
        first = support_web.text_of(person.get("/activity/?domain=zulu"))
        assert NONE in first
        assert "What is older has not been looked at yet." in first
        (last,) = AuditEntry.objects.everywhere().order_by("at", "pk")[:1]
        end = support_web.text_of(person.get(f"/activity/?domain=zulu&older={last.pk}"))
        assert (NONE in end, "has not been looked at" in end, "Newest lines" in end) == (True, False, True)

    def test_an_index_for_each_column_leads_no_other(self, ours: Organisation) -> None:
        asked = log.Asked(action="policy.published", person="ana@example.com", domain="a.example")
        with CaptureQueriesContext(connection) as queries:
            assert [line.subject for line in log.stretch(ours, asked, 50).lines] == ["a.example"]
        sql = queries.captured_queries[-1]["sql"]
        assert sql.count(" LIKE ") + sql.count("UPPER") // 2 == 2
        assert len(queries) == 4

    def test_programs_go_on_behind_a_page_without_rows(self, program: Program) -> None:
        assert list(read(program, "domain=e.exa&person=joana")) == [[], [], ["e.example"]]

    def test_programs_ask_for_whole_names(self, program: Program) -> None:
        assert list(read(program, "domain=A.example&whole=true")) == [["a.example", "a.example"]]
        assert list(read(program, "domain=a.exa&whole=true")) == [[]]
        assert list(read(program, "domain=a.example")) == [["a.example"], ["mail.a.example"], ["a.example"]]


class TestMadeUp:
    """What nobody was given is no place in the log, and what was typed is no pattern."""

    def test_places(self, person: Client) -> None:
        for older in ("", "0", "-1", "x", "1" * 400, "9" * 18, "%D9%A1", "1%00", "1.5"):
            assert list(pages(person, f"?older={older}")) == [list(SUBJECTS)]

    def test_the_place_of_others(self, person: Client, theirs: Organisation) -> None:
        line = AuditEntry.objects.everywhere().create(
            organisation=theirs, actor="x", action="domain.added", subject="x.example"
        )
        assert list(pages(person, f"?older={line.pk}")) == [list(SUBJECTS)]

    @pytest.mark.parametrize("name", ["domain", "person", "action"])
    def test_texts(self, person: Client, program: Program, name: str) -> None:
        for text in ("%25", "_", "%5C", "%00%25%00", "%ED%A0%80", "%F0%9F%90%98" * 300, "a" * 5000):
            assert list(pages(person, f"?{name}={text}")) == [[]]
            assert list(read(program, f"{name}={text}")) == [[]]
