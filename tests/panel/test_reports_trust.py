"""What a signature does not speak for: a mail within the mail, and a header field that it does not cover."""

from __future__ import annotations

import asyncio

import pytest
from django.utils import timezone
from tests.net.dkim_rig import REPORT, signed, verdict
from tests.support_panel import live, organisation
from tests.support_reports import arrival, policy, report_json, reported

from trinco.net.dkim import Verdict
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import services
from trinco.panel.reports.models import DailyTotal, RawReport, Report, Trust
from trinco.panel.reports.scope import counted_reports, is_counted, vouched

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


class TestCounted:
    """Whether a report is counted is said in one place: of one report, in a query, and of the sums."""

    @pytest.mark.django_db
    @pytest.mark.parametrize("by_https", [False, True])
    def test_all_of_them_say_the_same(self, by_https: bool) -> None:
        domain = live(organisation(), "correio.example", ("mx.correio.example",))
        HostedDomain.objects.everywhere().update(trust_https=by_https)
        rows = [reported(domain, trust=trust, submitter=f"{trust}.example") for trust in Trust]
        Report.objects.everywhere().filter(pk=rows[0].pk).update(counted=False)
        believed = {Trust.DKIM, Trust.OPERATOR} | ({Trust.HTTPS} if by_https else set())
        fresh = list(Report.objects.everywhere().select_related("domain"))
        listed = set(Report.objects.everywhere().filter(counted_reports()))
        assert {row for row in fresh if is_counted(row)} == listed
        assert {row.trust for row in listed} == believed - {Trust(rows[0].trust)}
        sums = DailyTotal.objects.everywhere().filter(vouched([fresh[0].domain]))
        assert set(sums.values_list("trust", flat=True)) == believed
