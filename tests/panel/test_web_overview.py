"""The overview: worst first, in words, bounded in its queries."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests import support_panel, support_web
from tests.support_checks_rows import reported

from trinco.core.mtasts.policy import Mode
from trinco.panel.accounts.models import Organisation
from trinco.panel.checks.status import refresh_by_key
from trinco.panel.domains.models import Finding, HostedDomain, Level, Starttls, State
from trinco.panel.policies import services
from trinco.panel.reports.charts import Day
from trinco.panel.reports.models import Trust
from trinco.panel.web.presenters.overview import drawn_days


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
        assert "mx9 is not in the policy Enforce 14,000 100.00 %" in support_web.text_of(person.get("/"))

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
        assert "Need attention 0 nothing is broken Ready to enforce 1 Enforce it… Policies served, by mode" in text
        assert "1 enforce 1 testing 0 none" in text

    def test_an_empty_organisation_learns_what_to_do(self, person: Client) -> None:
        text = support_web.text_of(person.get("/"))
        assert "No domain yet Add a mail domain, publish three CNAME records once" in text


class TestSessions:
    """UX, page 1: thirty days, sessions and success of each domain, as senders told."""

    def test_what_thirty_days_came_to(self, ours: Organisation, person: Client) -> None:
        domain = support_web.ready(ours, "charlie.example", reports=False)
        reported(domain, 60, 0, 0, 0, sessions=1000)
        reported(domain, 500, sessions=500, last=31)
        reported(domain, 999, sessions=999, trust=Trust.NONE)
        text = support_web.text_of(person.get("/"))
        assert "charlie.example In testing Testing 4,000 98.50 %" in text
        assert '<span class="bad">98.50 %</span>' in person.get("/").content.decode()

    def test_a_failure_in_a_million_is_never_a_hundred_percent(self, ours: Organisation, person: Client) -> None:
        domain = support_web.ready(ours, "charlie.example", reports=False)
        reported(domain, 1, sessions=1_000_000)
        page = person.get("/").content.decode()
        assert "1,000,000" in page
        assert "<span>99.99 %</span>" in page

    def test_until_when_there_are_reports(self, ours: Organisation, person: Client) -> None:
        domain = support_web.ready(ours, "charlie.example", reports=False)
        assert "reports up to" not in support_web.text_of(person.get("/"))
        reported(domain, 0, last=2)
        before = timezone.now().date() - timedelta(days=2)
        assert f"1 mail domain reports up to {before.day} {before:%B %Y}" in support_web.text_of(person.get("/"))

    def test_days_without_a_report_are_not_drawn_as_zero(self, ours: Organisation, person: Client) -> None:
        support_web.ready(ours, "charlie.example", reports=False)
        support_panel.hosted(ours, "bravo.example")
        page = person.get("/").content.decode()
        assert page.count('class="c-miss"') == 2
        assert 'class="c-ok"' not in page

    def test_the_last_day_drawn_is_yesterday_until_somebody_tells_of_today(self) -> None:
        today = date(2026, 11, 24)
        silent = [Day(today - timedelta(days=back)) for back in range(30, -1, -1)]
        told = [*silent[:-1], Day(today, 1, 0, 1)]
        assert [drawn_days(window, today)[-1].day.day for window in (silent, told, [])] == [23, 24, 23]
        assert {len(drawn_days(window, today)) for window in (silent, told, [])} == {30}


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
        person.get("/")  # notes that the session was seen, once a minute
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

    def test_what_is_searched_for_is_counted_and_paged_alike(self, ours: Organisation, person: Client) -> None:
        self.many(ours, 120)
        support_web.ready(ours, "d0999.example")
        last = person.get("/?q=d0&page=3")
        assert names(last.content.decode()) == [f"d{number:04}.example" for number in range(99, 120)]
        assert "All 121 Attention 0 Ready 1 Setup 120" in support_web.text_of(last)
        some = person.get("/?q=d00&show=setup&page=2")
        assert names(some.content.decode()) == [f"d{number:04}.example" for number in range(50, 100)]
        assert "51–100 of 100 Back" in support_web.text_of(some)
        assert self.queries(person, "/?q=d0") == self.queries(person, "/?q=d09")
