"""Copies of reports: who is asked, who gets them, and what they look like."""

from __future__ import annotations

import gzip
import re
from datetime import timedelta
from email import message_from_bytes
from smtplib import SMTPAuthenticationError, SMTPDataError, SMTPRecipientsRefused, SMTPServerDisconnected

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone, translation
from structlog.testing import capture_logs
from tests.support_panel import ANA, announced
from tests.support_reports import arrival, detail, digested, policy, report_json, reported

from trinco.core.tlsrpt import parse
from trinco.core.tlsrpt.arrival import Channel
from trinco.core.tlsrpt.message import read
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import recipients, sending, services
from trinco.panel.reports.errors import AddressRefused, AlreadyRecipient, ConfirmationRefused, TooManyRecipients
from trinco.panel.reports.models import Copy, Recipient, Report

WHO = "postmaster@correio.example"
HOUR = timedelta(hours=1)


def confirmed(domain, address=WHO):
    row = services.add_recipient(domain=domain, address=address, actor=ANA)
    return services.confirm_recipient(token=recipients.token_of(row))


def sent():
    return message_from_bytes(mail.outbox[-1].message().as_bytes())


def unfolded(text):
    return " ".join(text.split())


class TestAsking:
    """An address gets copies once it has said that it wants them, and is asked at most once an hour."""

    def test_the_question(self, domain):
        services.add_recipient(domain=domain, address=f" {WHO.upper()} ", actor=ANA)
        assert services.forward_due(timezone.now()) == 1
        (question,) = mail.outbox
        assert (question.to, question.subject) == ([WHO], "Copies of the TLS reports about correio.example")
        token = re.search(r"/recipients/confirm/([^/]+)/", question.body)[1]
        assert "ana@example.com" in question.body
        assert question.message()["Auto-Submitted"] == "auto-generated"
        assert services.confirm_recipient(token=token).confirmed_at is not None
        assert [line.action for line in AuditEntry.objects.everywhere().order_by("pk")][-2:] == [
            "domain.recipient-added",
            "domain.recipient-confirmed",
        ]

    def test_in_the_language_of_who_adds_it(self, domain):
        with translation.override("pt-pt"):
            row = services.add_recipient(domain=domain, address=WHO, actor=ANA)
        assert row.language == "pt-pt"

    def test_once_an_hour_whatever_is_added(self, domain, theirs):
        now = timezone.now()
        other = announced(theirs, "outro.example")
        services.add_recipient(domain=domain, address=WHO, actor=ANA)
        services.add_recipient(domain=other, address=WHO, actor=ANA)
        assert [services.forward_due(now + HOUR * share) for share in (0, 0.5, 0.99, 1)] == [1, 0, 0, 1]

    def test_once_an_hour_whoever_is_removed_in_between(self, domain, theirs):
        now, other = timezone.now(), announced(theirs, "outro.example")
        row = services.add_recipient(domain=domain, address=WHO, actor=ANA)
        services.forward_due(now)
        services.add_recipient(domain=other, address=WHO, actor=ANA)
        services.remove_recipient(recipient=row, actor=ANA)
        services.add_recipient(domain=domain, address=WHO, actor=ANA)
        assert [services.forward_due(now + HOUR * share) for share in (0, 0.5, 0.99, 1, 2)] == [0, 0, 0, 1, 1]

    def test_asked_again_on_demand_after_an_hour(self, domain):
        services.add_recipient(domain=domain, address=WHO, actor=ANA)
        services.forward_due(timezone.now())
        services.add_recipient(domain=domain, address=WHO, actor=ANA)
        assert services.forward_due(timezone.now()) == 0
        Recipient.objects.everywhere().update(asked_at=timezone.now() - HOUR)
        services.add_recipient(domain=domain, address=WHO, actor=ANA)
        assert services.forward_due(timezone.now()) == 1

    def test_a_mail_server_that_is_away_loses_no_question(self, domain, monkeypatch):
        now = timezone.now()
        services.add_recipient(domain=domain, address=WHO, actor=ANA)
        with monkeypatch.context() as patch:
            patch.setattr(EmailBackend, "send_messages", away)
            assert services.forward_due(now) == 0
        minute = timedelta(minutes=1)
        assert [services.forward_due(now + minute * share) for share in (0.9, 1)] == [0, 1]

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "nobody",
            "a@b",
            "a@b.example\nBcc: c@d.example",
            "a b@c.example",
            "é@c.example",
            "x@reports.trinco.example",
        ],
    )
    def test_what_is_no_address_for_copies(self, domain, address):
        with pytest.raises(AddressRefused):
            services.add_recipient(domain=domain, address=address, actor=ANA)

    def test_not_twice_and_not_too_many(self, domain):
        confirmed(domain)
        with pytest.raises(AlreadyRecipient):
            services.add_recipient(domain=domain, address=WHO, actor=ANA)
        for number in range(recipients.MOST - 1):
            services.add_recipient(domain=domain, address=f"a{number}@correio.example", actor=ANA)
        with pytest.raises(TooManyRecipients):
            services.add_recipient(domain=domain, address="last@correio.example", actor=ANA)

    def test_a_link_that_is_not_ours_or_about_nobody(self, domain, monkeypatch):
        row = confirmed(domain)
        token = recipients.token_of(row)
        assert services.confirm_recipient(token=token) == row  # twice is once
        for bad in ("", "x", token + "x", token[:-1]):
            with pytest.raises(ConfirmationRefused):
                services.recipient_of(token=bad)
        monkeypatch.setattr(recipients, "LINK_LIVES", timedelta(seconds=-1))
        with pytest.raises(ConfirmationRefused):
            services.confirm_recipient(token=token)
        monkeypatch.undo()
        services.remove_recipient(recipient=row, actor=ANA)
        with pytest.raises(ConfirmationRefused):
            services.confirm_recipient(token=token)


class TestUnreachable:
    """One address that cannot be reached, or that twenty domains ask, keeps nobody else from being asked."""

    def test_a_refused_one_is_given_up_and_the_next_is_asked(self, domain, theirs, monkeypatch):
        monkeypatch.setattr(EmailBackend, "send_messages", refusing(550, EmailBackend.send_messages))
        services.add_recipient(domain=domain, address=WHO, actor=ANA)
        services.add_recipient(domain=announced(theirs, "outro.example"), address="good@outro.example", actor=ANA)
        now = timezone.now()
        assert [services.forward_due(now + HOUR * hours) for hours in range(4)] == [1, 0, 0, 0]
        rows = Recipient.objects.everywhere().order_by("pk").values_list("address", "unreachable", "tries")
        assert list(rows) == [(WHO, True, 1), ("good@outro.example", False, 0)]

    def test_for_the_time_being_is_tried_for_a_day(self, domain, theirs, monkeypatch):
        monkeypatch.setattr(EmailBackend, "send_messages", refusing(450, EmailBackend.send_messages))
        services.add_recipient(domain=domain, address=WHO, actor=ANA)
        now = began = timezone.now()
        while not (row := Recipient.objects.everywhere().get()).unreachable:
            now = row.due_at or now
            assert services.forward_due(now) == 0
        assert row.tries == 17
        assert timedelta(hours=22) < now - began < timedelta(hours=24)

    def test_added_again_it_is_asked_again_after_an_hour(self, domain, monkeypatch):
        services.add_recipient(domain=domain, address=WHO, actor=ANA)
        with monkeypatch.context() as patch:
            patch.setattr(EmailBackend, "send_messages", refusing(550, EmailBackend.send_messages))
            services.forward_due(timezone.now())
        assert services.add_recipient(domain=domain, address=WHO, actor=ANA).unreachable
        Recipient.objects.everywhere().update(asked_at=timezone.now() - HOUR)
        assert not services.add_recipient(domain=domain, address=WHO, actor=ANA).unreachable
        assert services.forward_due(timezone.now()) == 1

    def test_a_wrong_password_of_ours_is_nobodys_refusal(self):
        assert not sending.final(SMTPAuthenticationError(535, b"no"))
        assert sending.final(SMTPDataError(554, b"no"))
        assert not sending.final(SMTPDataError(451, b"later"))

    def test_one_that_many_domains_ask_keeps_no_other_waiting(self, domain, theirs):
        for number in range(recipients._AT_ONCE + 1):
            many = announced(domain.organisation, f"many{number}.example")
            services.add_recipient(domain=many, address=WHO, actor=ANA)
        services.add_recipient(domain=announced(theirs, "outro.example"), address="good@outro.example", actor=ANA)
        assert services.forward_due(timezone.now()) == 2
        assert [message.to for message in mail.outbox] == [[WHO], ["good@outro.example"]]


def away(*_):
    raise SMTPServerDisconnected("gone")


def refusing(code, take):
    """A mail server that refuses WHO with this code."""

    def send(backend, messages):
        if messages[0].to == [WHO]:
            raise SMTPRecipientsRefused({WHO: (code, b"no such user")})
        return take(backend, messages)

    return send


class TestCopies:
    """RFC 8460 section 5.3: multipart/report with the report in its second part, subject and file name as told there."""

    def test_a_copy(self, domain):
        confirmed(domain)
        report = reported(domain, policy(details=[detail(failed=3)]), report_id="17")
        assert services.forward_due(timezone.now()) == 1
        message = sent()
        assert message.get_content_type() == "multipart/report"
        assert message.get_param("report-type") == "tlsrpt"
        subject = "Report Domain: correio.example Submitter: google.com Report-ID: <17@google.com>"
        assert unfolded(message["Subject"]) == subject
        text, attached = message.get_payload()
        assert (text.get_content_type(), attached.get_content_type()) == ("text/plain", "application/tlsrpt+gzip")
        start = int(report.start.timestamp())
        assert attached.get_filename() == f"google.com!correio.example!{start}!{start + 86_399}.json.gz"
        assert "Verified by DKIM" in text.get_payload()
        facts = {"Auto-Submitted": "auto-generated", "TLS-Required": "No", "To": WHO}
        facts |= {"TLS-Report-Domain": "correio.example", "TLS-Report-Submitter": "google.com"}
        assert {name: message[name] for name in facts} == facts
        (copied,) = parse.reports(gzip.decompress(attached.get_payload(decode=True)))
        assert copied.policies[0].failure_details[0].failed_session_count == 3
        assert parse.in_mail(read(message.as_bytes())) == [copied]
        assert not Copy.objects.everywhere().exists()

    def test_a_domains_own_part_and_nothing_else(self, domain, theirs):
        other = announced(theirs, "outro.example")
        confirmed(other)
        digested(arrival(report_json(policy("correio.example"), policy("outro.example", successful=7)), domain))
        assert services.forward_due(timezone.now()) == 1
        (copied,) = parse.in_mail(read(sent().as_bytes()))
        assert [(one.policy_domain, one.successful_session_count) for one in copied.policies] == [("outro.example", 7)]
        assert "correio.example" not in mail.outbox[-1].body.replace(WHO, "")

    def test_one_for_each_report_and_confirmed_recipient(self, domain):
        confirmed(domain)
        confirmed(domain, "second@correio.example")
        services.add_recipient(domain=domain, address="silent@correio.example", actor=ANA)
        body = report_json()
        digested(arrival(body, domain), arrival(body, domain))
        digested(arrival(body, domain))
        assert sorted(Copy.objects.everywhere().values_list("recipient__address", flat=True)) == [
            WHO,
            "second@correio.example",
        ]

    def test_a_stranger_chooses_no_header(self, domain):
        confirmed(domain)
        wild = "x\r\nBcc: victim@example.org\r\n\r\n<b>"
        body = report_json(report_id=wild, organization_name=wild, **{"contact-info": wild + "@a\r\nb.example"})
        HostedDomain.objects.everywhere().update(trust_https=True)
        digested(arrival(body, domain, channel=Channel.HTTPS))
        services.forward_due(timezone.now())
        message = sent()
        assert message["Bcc"] is None
        told = "Report Domain: correio.example Submitter: trinco.example Report-ID: <x.Bcc.victim.example.org.b@trinco.example>"
        assert unfolded(message["Subject"]) == told
        assert message["TLS-Report-Submitter"] == "trinco.example"
        assert "By HTTPS, not signed" in mail.outbox[-1].body

    @pytest.mark.parametrize(
        ("report_id", "told"),
        [
            ("ж", "unknown"),
            ("<>@", "unknown"),
            ("@", "unknown"),
            ("@google.com", "unknown"),
            ("ж" * 64 + "a", "a"),
            ("x" * 63 + "..y@google.com", "x" * 63),
            ("x" * 5_000, "x" * 64),
        ],
    )
    def test_any_id_can_be_sent_on(self, domain, report_id, told):
        confirmed(domain)
        digested(arrival(report_json(report_id=report_id), domain))
        assert services.forward_due(timezone.now()) == 1
        assert unfolded(sent()["Subject"]).endswith(f"Report-ID: <{told}@google.com>")

    def test_a_submitter_is_told_as_dns_has_it(self, domain):
        confirmed(domain)
        body = report_json(**{"contact-info": "tls@bücher.example"})
        HostedDomain.objects.everywhere().update(trust_https=True)
        digested(arrival(body, domain, channel=Channel.HTTPS))
        assert services.forward_due(timezone.now()) == 1
        assert sent()["TLS-Report-Submitter"] == "xn--bcher-kva.example"

    def test_an_import_is_not_mailed_to_anybody(self, domain, ours):
        confirmed(domain)
        digested(arrival(report_json(), channel=Channel.IMPORT), organisation=ours)
        assert not Copy.objects.everywhere().exists()

    def test_sent_again_it_has_the_same_message_id(self, domain):
        confirmed(domain)
        report = reported(domain)
        copy = Copy.objects.everywhere().get()
        services.forward_due(timezone.now())
        Copy.objects.everywhere().create(recipient=copy.recipient, report=report)
        services.forward_due(timezone.now())
        assert len(mail.outbox) == 2
        assert len({each.message()["Message-ID"] for each in mail.outbox}) == 1

    def test_it_waits_for_the_mail_server_for_a_day(self, domain, monkeypatch):
        confirmed(domain)
        reported(domain)
        monkeypatch.setattr(EmailBackend, "send_messages", away)
        now = timezone.now() + timedelta(seconds=1)
        waits = []
        with capture_logs() as lines:
            while copy := Copy.objects.everywhere().first():
                waits.append(round((copy.due_at - now).total_seconds() / 60))
                now = max(now, copy.due_at)
                assert services.forward_due(now) == 0
        assert waits[:5] == [0, 1, 10, 100, 100]
        assert 22 * 60 < sum(waits) < 24 * 60
        assert lines[-1]["event"] == "copy given up"

    def test_it_is_not_sent_once_its_report_or_its_recipient_has_gone(self, domain):
        row = confirmed(domain)
        reported(domain)
        Report.objects.everywhere().update(raw=None)
        assert services.forward_due(timezone.now()) == 0
        reported(domain)
        services.remove_recipient(recipient=row, actor=ANA)
        assert services.forward_due(timezone.now()) == 0
        assert (mail.outbox, Copy.objects.everywhere().count()) == ([], 0)
