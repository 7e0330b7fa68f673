"""Which reports are copied to recipients, and to whom no more."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone
from tests.support_panel import ANA
from tests.support_reports import arrival, digested, report_json, reported

from trinco.core.tlsrpt.arrival import Channel
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import copies, sending, services
from trinco.panel.reports.models import Copy, Recipient, Report, Trust


def confirmed(domain, address):
    return Recipient.objects.everywhere().create(domain=domain, address=address, confirmed_at=timezone.now())


def copied():
    return Copy.objects.everywhere().count()


@pytest.fixture
def row(domain):
    return confirmed(domain, "a@correio.example")


class TestVouched:
    """A report that nobody vouches for is anybody's words: it is mailed to nobody."""

    @pytest.mark.parametrize(("trust", "https", "copies"), [
        (Trust.DKIM, False, 1), (Trust.HTTPS, False, 0), (Trust.HTTPS, True, 1), (Trust.NONE, True, 0),
        (Trust.OPERATOR, True, 0),
    ])  # fmt: skip
    def test_what_counts_is_copied(self, domain, row, trust, https, copies):
        HostedDomain.objects.everywhere().update(trust_https=https)
        reported(domain, trust=trust)
        assert copied() == copies

    def test_once_somebody_vouches_for_it_it_is_copied_once(self, domain, row):
        body = report_json()
        digested(arrival(body, domain), signers=())
        digested(arrival(body, domain, channel=Channel.HTTPS))
        assert copied() == 0
        digested(arrival(body, domain))
        assert services.forward_due(timezone.now()) == 1
        digested(arrival(body, domain))
        assert (len(mail.outbox), copied()) == (1, 0)

    def test_what_was_copied_is_not_copied_for_a_better_claim(self, domain, row):
        HostedDomain.objects.everywhere().update(trust_https=True)
        body = report_json()
        digested(arrival(body, domain, channel=Channel.HTTPS))
        assert services.forward_due(timezone.now()) == 1
        digested(arrival(body, domain))
        assert Report.objects.everywhere().get().trust == Trust.DKIM
        assert copied() == 0


class TestRemoved:
    """A recipient that was removed gets nothing more, not even from the batch in hand."""

    def test_while_the_batch_is_sent(self, domain, row, monkeypatch):
        last = confirmed(domain, "z@correio.example")
        reported(domain)
        take = EmailBackend.send_messages

        def send(backend, messages):
            if Recipient.objects.everywhere().filter(pk=last.pk).exists():
                services.remove_recipient(recipient=last, actor=ANA)
            return take(backend, messages)

        monkeypatch.setattr(EmailBackend, "send_messages", send)
        assert services.forward_due(timezone.now()) == 1
        assert [message.to for message in mail.outbox] == [["a@correio.example"]]
        assert copied() == 0

    def test_a_lease_that_another_worker_has_taken_over(self, domain, row, monkeypatch):
        confirmed(domain, "z@correio.example")
        reported(domain)
        take = EmailBackend.send_messages

        def send(backend, messages):
            Copy.objects.everywhere().update(due_at=timezone.now())
            return take(backend, messages)

        monkeypatch.setattr(EmailBackend, "send_messages", send)
        assert services.forward_due(timezone.now()) == 1
        assert copied() == 1


class TestTrouble:
    """What cannot be made of one report stops no other's copy."""

    def test_a_mail_that_cannot_be_made(self, domain, row, monkeypatch):
        first, _ = reported(domain), reported(domain)
        made = copies.mail_of

        def mail_of(report, own, recipient):
            if report == first:
                raise ValueError("a header that cannot be written")
            return made(report, own, recipient)

        monkeypatch.setattr(copies, "mail_of", mail_of)
        for attempt in range(sending.MOST_TRIES):
            assert services.forward_due(timezone.now() + attempt * timedelta(hours=2)) == (0 if attempt else 1)
        assert len(mail.outbox) == 1
        assert copied() == 0
