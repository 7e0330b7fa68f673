"""What senders are asked for, which of their reports count, and who gets copies: a domain's card."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.test import Client
from django.urls import resolve
from django.utils import timezone
from tests import support_web
from tests.support_checks import configure
from tests.support_checks_rows import reported

from trinco.core.tlsrpt import record
from trinco.panel import rendering
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.reporting import tlsrpt_record
from trinco.panel.domains.services import newest_revision
from trinco.panel.reports import recipients
from trinco.panel.reports.models import DailyTotal, Recipient, Trust

PAGE = "/domains/correio.example/"
SAVE = f"{PAGE}tls-reporting/"
ADD = f"{PAGE}recipients/"
ADDRESS = "ops@example.org"


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    return support_web.ready(ours)


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


def fresh(domain: HostedDomain) -> HostedDomain:
    return HostedDomain.objects.everywhere().get(pk=domain.pk)


def text(person: Client) -> str:
    return support_web.text_of(person.get(PAGE))


def published(domain: HostedDomain, settings: Any) -> str | None:
    """What the edges say."""
    hosted = rendering.whole(settings.CONFIG.zone).changed
    return next(each.tlsrpt for each in hosted if each.label == domain.label)


class TestRecord:
    """RFC 8460 section 3: `v=TLSRPTv1; rua=` with URIs. Some senders use the first alone: our mailbox comes first."""

    def test_our_mailbox_alone(self, domain: HostedDomain, settings: Any) -> None:
        said = published(domain, settings)
        assert said is not None
        assert record.parse(said) == record.Record((f"mailto:{domain.label}@reports.trinco.example",))
        assert record.lint([said]) == ()

    def test_the_https_door_behind_it(self, domain: HostedDomain, person: Client, settings: Any) -> None:
        person.post(SAVE, {"on": "1", "https": "1"})
        said = published(domain, settings)
        assert said is not None
        rua = (
            f"mailto:{domain.label}@reports.trinco.example",
            f"https://reports.trinco.example/v1/tlsrpt/{domain.label}",
        )
        assert record.parse(said) == record.Record(rua)
        assert record.lint([said]) == ()
        assert said in text(person)

    def test_off(self, domain: HostedDomain, person: Client, settings: Any) -> None:
        person.post(SAVE, {"https": "1"})
        assert published(domain, settings) is None
        assert "The name answers with no record: senders send no reports." in text(person)

    def test_without_a_reports_host_there_is_none(self, domain: HostedDomain, settings: Any) -> None:
        configure(settings, reports_host="")
        assert published(domain, settings) is None
        assert tlsrpt_record(settings.CONFIG.zone, domain.label, https=True) is None

    def test_the_edges_follow(self, domain: HostedDomain, person: Client, settings: Any) -> None:
        before = newest_revision()
        person.post(SAVE, {"on": "1", "https": "1"})
        [changed] = rendering.since(settings.CONFIG.zone, before).changed
        assert (changed.label, changed.tlsrpt) == (domain.label, published(domain, settings))
        assert changed.revision > before

    def test_who_is_counted_is_nothing_that_dns_says(self, domain: HostedDomain, person: Client) -> None:
        before = newest_revision()
        person.post(SAVE, {"on": "1", "trust_https": "1"})
        assert (newest_revision(), fresh(domain).trust_https) == (before, True)

    def test_each_change_is_one_line_of_the_log(self, domain: HostedDomain, person: Client) -> None:
        person.post(SAVE, {"on": "1", "https": "1", "trust_https": "1"})
        person.post(SAVE, {"on": "1", "https": "1", "trust_https": "1"})
        person.post(SAVE, {})
        lines = AuditEntry.objects.of(domain.organisation).filter(action="domain.tlsrpt").order_by("pk")
        assert [(line.before, line.after) for line in lines] == [
            ({"tlsrpt_https": False, "trust_https": False}, {"tlsrpt_https": True, "trust_https": True}),
            (
                {"tlsrpt": True, "tlsrpt_https": True, "trust_https": True},
                {"tlsrpt": False, "tlsrpt_https": False, "trust_https": False},
            ),
        ]
        said = support_web.text_of(person.get("/activity/"))
        assert "TLS reporting reports by HTTPS too · reports by HTTPS counted" in said
        assert "switched off · reports by mail alone · reports by HTTPS not counted" in said

    def test_what_is_counted_moves_the_level_at_once(self, domain: HostedDomain, person: Client) -> None:
        DailyTotal.objects.everywhere().all().delete()
        reported(domain, 50, trust=Trust.HTTPS)
        person.post(SAVE, {"on": "1", "trust_https": "1"})
        assert "Senders report failures" in support_web.text_of(person.get("/?show=attention"))

    def test_the_card_says_what_happens_to_them(self, person: Client) -> None:
        said = text(person)
        assert "Reports that come there are collected and explained here, within seconds." in said
        assert "Nobody signs them: whoever reads the record in DNS can send one." in said
        assert "later version" not in said


class TestRecipients:
    """Issue 3: further recipients get copies that we forward, once they have confirmed."""

    def test_asked_and_not_yet_confirmed(self, domain: HostedDomain, person: Client) -> None:
        answer = person.post(ADD, {"address": " OPS@example.org "}, follow=True)
        said = support_web.text_of(answer)
        assert "We ask ops@example.org by mail." in said
        assert "ops@example.org about to be asked: nothing goes there yet Remove" in said
        recipients.ask_due(timezone.now())
        assert [message.to for message in mail.outbox] == [[ADDRESS]]
        assert "not confirmed yet: nothing goes there" in text(person)

    def test_not_reached(self, domain: HostedDomain, person: Client) -> None:
        asked = timezone.now() - timedelta(hours=1)
        row = {"address": ADDRESS, "created_by": "ana", "asked_at": asked, "unreachable": True}
        Recipient.objects.everywhere().create(domain=domain, **row)
        said = text(person)
        assert "ops@example.org could not be reached on" in said
        assert "not confirmed yet" not in said

    def test_the_mail_names_the_address_of_the_page(self, domain: HostedDomain, person: Client) -> None:
        person.post(ADD, {"address": ADDRESS})
        recipients.ask_due(timezone.now())
        link = next(word for word in mail.outbox[0].body.split() if "/recipients/" in word)
        found = resolve(urlsplit(link).path)
        token = recipients.token_of(Recipient.objects.everywhere().get())
        assert found.view_name == "recipient_confirm"
        assert recipients.recipient_of(token=found.kwargs["token"]) == recipients.recipient_of(token=token)

    def test_the_link_alone_confirms_nothing(self, domain: HostedDomain, person: Client) -> None:
        """Mail scanners follow links."""
        person.post(ADD, {"address": ADDRESS})
        recipients.ask_due(timezone.now())
        path = next(word for word in mail.outbox[0].body.split() if "/recipients/confirm/" in word).split(
            "trinco.example"
        )[-1]
        path = path[path.index("/recipients/") :]
        nobody = Client(enforce_csrf_checks=True)
        page = nobody.get(path)
        assert "ana@example.com wants ops@example.org to get a copy of each TLS report" in support_web.text_of(page)
        assert Recipient.objects.everywhere().get().confirmed_at is None
        assert nobody.post(path).status_code == 403
        token = nobody.cookies["trinco_csrf"].value
        answer = nobody.post(path, {"csrfmiddlewaretoken": token})
        assert "ops@example.org gets a copy of each TLS report about correio.example" in support_web.text_of(answer)
        assert Recipient.objects.everywhere().get().confirmed_at is not None
        assert "confirmed on" in text(person)
        actions = AuditEntry.objects.of(domain.organisation).filter(action__startswith="domain.recipient")
        assert set(actions.values_list("action", "actor")) == {
            ("domain.recipient-added", "ana@example.com"),
            ("domain.recipient-confirmed", ADDRESS),
        }
        assert "Recipient of report copies confirmed ops@example.org" in support_web.text_of(person.get("/activity/"))

    @pytest.mark.parametrize("token", ["nonsense", "WzEsIm9wc0BleGFtcGxlLm9yZyJd:1abc:xyz"])
    def test_a_link_that_is_not_ours(self, db: None, token: str) -> None:
        answer = Client().get(f"/recipients/confirm/{token}/")
        assert answer.status_code == 404
        assert "This link is too old, or was never right" in support_web.text_of(answer)
        assert Client().post(f"/recipients/confirm/{token}/").status_code == 404

    def test_removed(self, domain: HostedDomain, person: Client) -> None:
        person.post(ADD, {"address": ADDRESS})
        row = Recipient.objects.everywhere().get()
        answer = person.post(f"{ADD}{row.pk}/remove/", follow=True)
        assert "ops@example.org gets no more copies." in support_web.text_of(answer)
        assert Recipient.objects.everywhere().count() == 0
        assert Client().get(f"/recipients/confirm/{recipients.token_of(row)}/").status_code == 404

    @pytest.mark.parametrize(
        ("address", "reason"),
        [
            ("nonsense", "not an e-mail address"),
            ("", "not an e-mail address"),
            ("a@b.example\r\nBcc: x@y.example", "not an e-mail address"),
            ("x@reports.trinco.example", "that is the mailbox for reports itself"),
        ],
    )
    def test_refused_in_words(self, domain: HostedDomain, person: Client, address: str, reason: str) -> None:
        assert reason in support_web.text_of(person.post(ADD, {"address": address}, follow=True))
        assert Recipient.objects.everywhere().count() == 0

    def test_twice_and_too_many(self, domain: HostedDomain, person: Client) -> None:
        now = timezone.now()
        rows = [
            Recipient(domain=domain, address=f"a{n}@example.org", created_by="ana", confirmed_at=now) for n in range(10)
        ]
        Recipient.objects.everywhere().bulk_create(rows)
        said = support_web.text_of(person.post(ADD, {"address": "a1@example.org"}, follow=True))
        assert "This address gets copies already." in said
        said = support_web.text_of(person.post(ADD, {"address": ADDRESS}, follow=True))
        assert "A domain has ten recipients of copies at most." in said

    def test_nobody_makes_us_mail_the_world(self, domain: HostedDomain, person: Client) -> None:
        for number in range(11):
            answer = person.post(ADD, {"address": f"a{number}@example.org"}, follow=True)
        assert "That was a lot at once." in support_web.text_of(answer)

    def test_a_viewer_sees_them_and_changes_nothing(self, domain: HostedDomain) -> None:
        asked = timezone.now() - timedelta(hours=1)
        Recipient.objects.everywhere().create(domain=domain, address=ADDRESS, created_by="ana", asked_at=asked)
        viewer = support_web.browser(support_web.person("eva@example.com", domain.organisation, "viewer"))  # type: ignore[arg-type]
        said = text(viewer)
        assert ADDRESS in said
        words = ["Remove", "Ask this address", "Change what senders are asked for"]
        assert [word for word in words if word in said] == []
