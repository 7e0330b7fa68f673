"""What a signature does not speak for: a mail within the mail, and a header field that it does not cover."""

from __future__ import annotations

import asyncio

import pytest
from django.utils import timezone
from tests.net.dkim_rig import REPORT, signed, verdict
from tests.support_reports import arrival, policy, report_json

from trinco.net.dkim import Verdict
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import services
from trinco.panel.reports.models import RawReport, Report, Trust

HEAD = REPORT[: REPORT.index(b"\r\n\r\n") + 4]
SENDER = "sender.example"


async def really(mail: bytes, _dns: object, now: float) -> Verdict:
    """The signature as it is, with the key of the rig."""
    return await asyncio.to_thread(verdict, mail, None, now)


def trusted() -> list[tuple[str, str]]:
    return [(report.domain.name, report.trust) for report in Report.objects.everywhere().select_related("domain")]


def digested(mail: bytes, domain: HostedDomain) -> list[tuple[str, str]]:
    services.take([arrival(mail, domain)])
    services.digest_due(timezone.now(), verify=really)
    return trusted()


def test_a_signed_report_is_vouched_for(domain: HostedDomain) -> None:
    assert digested(signed(HEAD + report_json(submitter=SENDER) + b"\r\n"), domain) == [(domain.name, Trust.DKIM)]


class TestEnclosed:
    """RFC 8460 section 3: the reporting domain signs. A bounce is signed by whoever bounces, whatever it returns."""

    def test_nobody_vouches_for_what_a_bounce_returns(self, domain: HostedDomain) -> None:
        inner = b"From: a@evil.example\r\nContent-Type: application/tlsrpt+json\r\n\r\n" + report_json(submitter=SENDER)
        bounce = (
            b"From: MAILER-DAEMON@sender.example\r\nTo: token@reports.example\r\nSubject: Undelivered\r\n"
            b"MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
            b"--b\r\nContent-Type: text/plain\r\n\r\nNo such user\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
            + inner
            + b"\r\n--b--\r\n"
        )
        mail = signed(bounce, include_headers=(b"from", b"to", b"subject", b"content-type"))
        assert digested(mail, domain) == [(domain.name, Trust.NONE)]
        assert RawReport.objects.everywhere().get().reason == "nobody vouches for it"


class TestDomainInTheHeader:
    """Where a report names no domain, the TLS-Report-Domain counts: it is believed as far as it was signed."""

    def mail(self, domain: str, *fields: bytes) -> bytes:
        head = HEAD.replace(b"TLS-Report-Domain: um.example", f"TLS-Report-Domain: {domain}".encode())
        whole = head + report_json(policy(None), submitter=SENDER) + b"\r\n"
        return signed(whole, include_headers=(b"from", b"tls-report-submitter", b"content-type", *fields))

    def test_signed(self, domain: HostedDomain) -> None:
        assert digested(self.mail(domain.name, b"tls-report-domain"), domain) == [(domain.name, Trust.DKIM)]

    @pytest.mark.parametrize("again", [False, True])
    def test_changed_afterwards(self, domain: HostedDomain, again: bool) -> None:
        mail = self.mail("attacker.example").replace(b"attacker.example", domain.name.encode())
        digested(mail, domain)
        if again:
            services.rebuild()
        assert trusted() == [(domain.name, Trust.NONE)]
