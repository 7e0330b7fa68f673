"""Who may do what on pages of ours, in detail. That none is forgotten is held by test_web_walk."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from tests import support_panel, support_reports, support_web

from trinco.core.mtasts.policy import Mode
from trinco.panel.accounts.models import AuditEntry, Organisation, Role
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import services
from trinco.panel.reports.models import RawReport, RawState, Recipient

SEE, CHANGE, POST = "see", "change", "post"
"""Who sees the domain may SEE; editors alone CHANGE (a page) and POST (a button)."""

OF_A_DOMAIN = {
    "domain": SEE,
    "domain_live": SEE,
    "history": SEE,
    "bundle": SEE,
    "setup": SEE,
    "setup_live": SEE,
    "setup_mx": CHANGE,
    "write_records": CHANGE,
    "policy": CHANGE,
    "mail_servers": CHANGE,
    "undo": CHANGE,
    "leave": CHANGE,
    "own_certificate": CHANGE,
    "own_certificate_remove": POST,
    "check": POST,
    "tlsrpt": POST,
    "recipient_add": POST,
}
OF_NONE = {
    "overview": SEE,
    "activity": SEE,
    "certificates": SEE,
    "edges": SEE,
    "tokens": SEE,
    "add": CHANGE,
    "bulk": POST,
    "imports": CHANGE,
    "reports": SEE,
    "sources": SEE,
    "received": SEE,
    "report_settings": CHANGE,
}
OF_A_REPORT = {"report": SEE, "report_raw": SEE}
OF_AN_ARRIVAL = {"report_retry": POST}
OF_A_RECIPIENT = {"recipient_remove": POST}


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    """Two versions, all announced: every page has something to show."""
    domain = support_web.ready(ours)
    services.publish(domain=domain, policy=services.proposed(domain, Mode.ENFORCE), actor=support_panel.ANA)
    return support_web.settled(domain)


def address(name: str, *args: str) -> str:
    return reverse(name, args=args) + ("?mode=testing" if name == "policy" else "")


def statuses(client: Client, pages: dict[str, str], *args: str) -> dict[str, int]:
    """What each page answers."""
    answers = {
        name: client.post(address(name, *args)) if kind == POST else client.get(address(name, *args))
        for name, kind in pages.items()
    }
    return {name: answer.status_code for name, answer in answers.items()}


class TestPagesOfADomain:
    """RELIABILITY 2, row 29: tenant in every query; each view has the owner's, the teammate's and the stranger's test."""

    def test_the_owner_may_everything(self, domain: HostedDomain) -> None:
        client = support_web.browser(support_web.owner_of(domain.organisation))
        expected = {name: 302 if kind == POST else 200 for name, kind in OF_A_DOMAIN.items()}
        assert statuses(client, OF_A_DOMAIN, domain.name) == {**expected, "setup_live": 286}

    def test_an_editor_may_everything(self, domain: HostedDomain) -> None:
        editor = support_web.person("edu@example.com", domain.organisation, Role.EDITOR)
        expected = {name: 302 if kind == POST else 200 for name, kind in OF_A_DOMAIN.items()}
        assert statuses(support_web.browser(editor), OF_A_DOMAIN, domain.name) == {**expected, "setup_live": 286}

    def test_a_viewer_sees_but_does_not_change(self, domain: HostedDomain) -> None:
        viewer = support_web.person("eva@example.com", domain.organisation, Role.VIEWER)
        expected = {name: 200 if kind == SEE else 403 for name, kind in OF_A_DOMAIN.items()}
        assert statuses(support_web.browser(viewer), OF_A_DOMAIN, domain.name) == {**expected, "setup_live": 286}

    def test_a_stranger_finds_nothing(self, domain: HostedDomain, theirs: Organisation) -> None:
        client = support_web.browser(support_web.owner_of(theirs))
        assert statuses(client, OF_A_DOMAIN, domain.name) == dict.fromkeys(OF_A_DOMAIN, 404)

    def test_nobody_is_sent_to_sign_in_and_back(self, domain: HostedDomain) -> None:
        for name, kind in OF_A_DOMAIN.items():
            path = reverse(name, args=[domain.name])
            answer = Client().post(path) if kind == POST else Client().get(path)
            assert (answer.status_code, answer["Location"]) == (302, f"/account/login/?next={path}")

    def test_what_is_no_name_is_no_page(self, domain: HostedDomain) -> None:
        client = support_web.browser(support_web.owner_of(domain.organisation))
        paths = [reverse(name, args=[domain.name]).replace(domain.name, "no_name") for name in OF_A_DOMAIN]
        assert {client.get(path).status_code for path in paths} == {404}

    def test_a_name_that_is_given_up_is_no_page(self, ours: Organisation) -> None:
        client, domain = support_web.browser(support_web.owner_of(ours)), support_panel.hosted(ours)
        support_panel.domains.remove_unverified(domain=domain, actor=support_panel.ANA)
        assert statuses(client, OF_A_DOMAIN, domain.name) == dict.fromkeys(OF_A_DOMAIN, 404)


class TestReports:
    """RELIABILITY 2: a report, an arrival and a recipient belong to one organisation, and do not exist for others."""

    def answers(self, domain: HostedDomain, client: Client) -> dict[str, int]:
        """What each page of a report, an arrival and a recipient of the domain answers."""
        report = support_reports.reported(domain)
        raw = RawReport.objects.everywhere().get(pk=report.raw_id)
        RawReport.objects.everywhere().filter(pk=raw.pk).update(state=RawState.PARKED)
        recipient = Recipient.objects.everywhere().create(domain=domain, address="eva@example.net", created_by="ana")
        return {
            **statuses(client, OF_A_REPORT, str(report.pk)),
            **statuses(client, OF_AN_ARRIVAL, str(raw.pk)),
            **statuses(client, OF_A_RECIPIENT, domain.name, str(recipient.pk)),
        }

    def test_the_owner_may_everything(self, domain: HostedDomain) -> None:
        client = support_web.browser(support_web.owner_of(domain.organisation))
        expected = {"report": 200, "report_raw": 200, "report_retry": 302, "recipient_remove": 302}
        assert self.answers(domain, client) == expected

    def test_a_viewer_sees_but_does_not_change(self, domain: HostedDomain) -> None:
        viewer = support_web.person("eva@example.com", domain.organisation, Role.VIEWER)
        expected = {"report": 200, "report_raw": 200, "report_retry": 403, "recipient_remove": 403}
        assert self.answers(domain, support_web.browser(viewer)) == expected

    def test_a_stranger_finds_nothing(self, domain: HostedDomain, theirs: Organisation) -> None:
        client = support_web.browser(support_web.owner_of(theirs))
        assert set(self.answers(domain, client).values()) == {404}
        assert Recipient.objects.everywhere().count() == 1
        assert RawReport.objects.everywhere().get().state == RawState.PARKED

    def test_nobody_is_sent_to_sign_in(self, domain: HostedDomain) -> None:
        assert set(self.answers(domain, Client()).values()) == {302}
        assert Recipient.objects.everywhere().count() == 1

    def test_a_recipient_of_another_domain_of_ours_is_none_of_this_one(self, domain: HostedDomain) -> None:
        other = support_panel.hosted(domain.organisation, "outro.example")
        row = Recipient.objects.everywhere().create(domain=other, address="eva@example.net", created_by="ana")
        client = support_web.browser(support_web.owner_of(domain.organisation))
        assert client.post(reverse("recipient_remove", args=[domain.name, row.pk])).status_code == 404


class TestOtherPages:
    def test_a_viewer_sees_but_does_not_change(self, domain: HostedDomain) -> None:
        viewer = support_web.person("eva@example.com", domain.organisation, Role.VIEWER)
        expected = {name: 200 if kind == SEE else 403 for name, kind in OF_NONE.items()}
        assert statuses(support_web.browser(viewer), OF_NONE) == expected

    def test_a_viewer_is_offered_no_change(self, domain: HostedDomain) -> None:
        viewer = support_web.browser(support_web.person("eva@example.com", domain.organisation, Role.VIEWER))
        pages = [viewer.get("/"), viewer.get(reverse("domain", args=[domain.name]))]
        text = " ".join(support_web.text_of(page) for page in pages)
        words = ["Add domain", "Check now", "Undo", "Leave…", "Change the list", "Switch off", "Set the mode"]
        assert [word for word in words if word in text] == []

    def test_a_stranger_sees_nothing_of_ours(self, domain: HostedDomain, theirs: Organisation) -> None:
        client = support_web.browser(support_web.owner_of(theirs))
        pages = [client.get(reverse(name)).content.decode() for name in ("overview", "activity", "certificates")]
        assert [domain.name in page for page in pages] == [False, False, False]

    def test_nobody_is_sent_to_sign_in(self, db: None) -> None:
        assert statuses(Client(), OF_NONE) == dict.fromkeys(OF_NONE, 302)

    def test_a_person_without_an_organisation_gets_403(self, db: None) -> None:
        user = support_web.person("sem@example.com")
        user.memberships.all().delete()
        assert support_web.browser(user).get("/").status_code == 403


class TestChangesByAStranger:
    """Nothing that a stranger posts reaches a domain of ours, whatever it names."""

    def test_a_bulk_change_ignores_foreign_names(self, domain: HostedDomain, theirs: Organisation) -> None:
        before = AuditEntry.objects.of(domain.organisation).count()
        client = support_web.browser(support_web.owner_of(theirs))
        client.post(reverse("bulk"), {"mode": "none", "domain": [domain.name], "confirm": "1"})
        client.post(reverse("bulk"), {"mode": "none", "names": domain.name, "confirm": "1"})
        client.post(reverse("bulk"), {"mode": "none", "scope": "all", "confirm": "1"})
        assert AuditEntry.objects.of(domain.organisation).count() == before


class TestPartsOfAPage:
    """A part that is asked for after the session has ended takes the whole page to the sign-in."""

    def test_htmx_is_told_where_to_go(self, domain: HostedDomain) -> None:
        answer = Client().get(reverse("domain_live", args=[domain.name]), headers={"HX-Request": "true"})
        assert (answer.status_code, answer["HX-Redirect"]) == (204, "/account/login/")
