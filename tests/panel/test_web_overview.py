"""The overview: worst first, in words, bounded in its queries."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests import support_panel, support_web

from trinco.core.mtasts.policy import Mode
from trinco.panel.accounts.models import Organisation
from trinco.panel.checks.status import refresh_by_key
from trinco.panel.domains.models import Finding, HostedDomain, Level, Starttls, State
from trinco.panel.policies import services


@pytest.fixture
def person(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


def names(page: str) -> list[str]:
    """The domains of the table, in their order."""
    return re.findall(r'<th scope="row"><a href="/domains/[^"]+/">([^<]+)</a>', page)


def enforcing(owner: Organisation, name: str) -> HostedDomain:
    domain = support_web.ready(owner, name)
    services.publish(domain=domain, policy=services.proposed(domain, Mode.ENFORCE), actor=support_panel.ANA)
    return support_web.settled(domain)


class TestOrder:
    """UX, page 1: one dense table, worst first, the problem in words."""

    def test_critical_attention_ready_setup_healthy(self, ours: Organisation, person: Client) -> None:
        enforcing(ours, "alpha.example")
        support_panel.hosted(ours, "bravo.example")
        support_web.ready(ours, "charlie.example")
        troubled = support_web.ready(ours, "delta.example")
        support_web.probed(troubled, "mx1.delta.example", Starttls.NOT_OFFERED)
        broken = enforcing(ours, "echo.example")
        support_panel.sight_mx(broken, "mx1.echo.example", "mx9.echo.example")
        refresh_by_key([troubled.pk, broken.pk], timezone.now())
        page = person.get("/").content.decode()
        assert names(page) == ["echo.example", "delta.example", "charlie.example", "bravo.example", "alpha.example"]

    def test_the_problem_is_said_in_words(self, ours: Organisation, person: Client) -> None:
        broken = enforcing(ours, "echo.example")
        support_panel.sight_mx(broken, "mx1.echo.example", "mx9.echo.example")
        assert "mx9 is not in the policy Enforce 1 of 2" in support_web.text_of(person.get("/"))

    def test_a_lost_record_is_named(self, ours: Organisation, person: Client) -> None:
        support_panel.sight(enforcing(ours, "echo.example"), Finding.MISSING)
        assert "DNS record mta-sts: gone" in support_web.text_of(person.get("/"))


class TestFilter:
    """The filter stands in the address, and a page of it is a page of the server."""

    def test_each_chip_has_its_count_and_shows_its_domains(self, ours: Organisation, person: Client) -> None:
        enforcing(ours, "alpha.example")
        support_panel.hosted(ours, "bravo.example")
        support_web.ready(ours, "charlie.example")
        assert "All 3 Attention 0 Ready 1 Setup 1" in support_web.text_of(person.get("/"))
        shown = {show: names(person.get(f"/?show={show}").content.decode()) for show in ("ready", "setup", "attention")}
        assert shown == {"ready": ["charlie.example"], "setup": ["bravo.example"], "attention": []}

    def test_the_search_finds_names_and_mail_servers(self, ours: Organisation, person: Client) -> None:
        support_panel.hosted(ours, "bravo.example")
        domain = support_panel.hosted(ours, "charlie.example")
        support_panel.sight_mx(domain, "mx.hoster.example")
        found = {text: names(person.get("/", {"q": text}).content.decode()) for text in ("BRAV", "hoster", "zulu")}
        assert found == {"BRAV": ["bravo.example"], "hoster": ["charlie.example"], "zulu": []}

    def test_a_name_with_accents_is_found_as_people_write_it(self, ours: Organisation, person: Client) -> None:
        support_panel.hosted(ours, "câmara.example")
        assert names(person.get("/", {"q": "câmara.example"}).content.decode()) == ["câmara.example"]

    def test_a_filter_that_does_not_exist_shows_all(self, ours: Organisation, person: Client) -> None:
        support_panel.hosted(ours, "bravo.example")
        assert names(person.get("/?show=nonsense&page=99").content.decode()) == ["bravo.example"]

    @pytest.mark.parametrize("address", ["/?q=%00bravo", "/activity/?domain=%00bravo", "/activity/?action=%00"])
    def test_a_nul_never_reaches_the_database(self, ours: Organisation, person: Client, address: str) -> None:
        """PostgreSQL refuses it in text; SQLite does not mind, so the question itself is looked at."""
        support_panel.hosted(ours, "bravo.example")
        with CaptureQueriesContext(connection) as asked:
            assert person.get(address).status_code == 200
        assert not [query for query in asked if "\0" in query["sql"]]

    def test_what_is_given_up_is_not_shown(self, ours: Organisation, person: Client) -> None:
        domain = support_panel.hosted(ours, "bravo.example")
        HostedDomain.objects.of(ours).filter(pk=domain.pk).update(state=State.GONE)
        assert "No domain yet" in support_web.text_of(person.get("/"))

    def test_a_search_is_shown_and_not_obeyed(self, ours: Organisation, person: Client) -> None:
        support_panel.hosted(ours, "bravo.example")
        page = person.get("/", {"q": "<script>alert(1)</script>"}).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


class TestFigures:
    def test_the_strip_counts_what_there_is(self, ours: Organisation, person: Client) -> None:
        enforcing(ours, "alpha.example")
        support_web.ready(ours, "charlie.example")
        text = support_web.text_of(person.get("/"))
        assert "Need attention 0 nothing is broken Ready to enforce 1 Enforce it… Policy modes" in text
        assert "1 enforce 1 testing 0 none" in text

    def test_an_empty_organisation_learns_what_to_do(self, person: Client) -> None:
        text = support_web.text_of(person.get("/"))
        assert "No domain yet Add a mail domain, publish three CNAME records once" in text


class TestBounds:
    """PERFORMANCE: the overview asks a bounded number of questions, however many domains there are."""

    def queries(self, person: Client, address: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert person.get(address).status_code == 200
        return len(asked)

    def many(self, owner: Organisation, count: int) -> None:
        now = timezone.now()
        rows = [
            HostedDomain(
                organisation=owner,
                name=f"d{number:04}.example",
                label=f"label{number}",
                level=Level.SETUP,
                check_due_at=now + timedelta(days=1),
            )
            for number in range(count)
        ]
        HostedDomain.objects.everywhere().bulk_create(rows)

    def test_three_hundred_cost_as_much_as_three(self, ours: Organisation, person: Client) -> None:
        support_web.ready(ours, "charlie.example")
        few = self.queries(person, "/")
        self.many(ours, 300)
        assert self.queries(person, "/") == few
        assert few <= 20

    def test_the_list_is_paged_by_the_server(self, ours: Organisation, person: Client) -> None:
        self.many(ours, 120)
        first, last = person.get("/?show=setup"), person.get("/?show=setup&page=3")
        assert names(first.content.decode()) == [f"d{number:04}.example" for number in range(50)]
        assert names(last.content.decode()) == [f"d{number:04}.example" for number in range(100, 120)]
        assert "101–120 of 120 Back" in support_web.text_of(last)
        assert 'href="?show=setup&amp;page=2"' in first.content.decode()
