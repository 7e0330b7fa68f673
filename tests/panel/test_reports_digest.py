"""From an arrival to rows and totals. Runs on SQLite here and on PostgreSQL by test_postgresql_reports.py."""

from __future__ import annotations

import gzip
import threading
import zlib
from datetime import timedelta
from typing import ClassVar

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from structlog.testing import capture_logs
from tests.support_panel import ANA, announced, organisation
from tests.support_reports import STS, arrival, detail, digested, mail, policy, report_json, reported, signed_by

from trinco.core.errors import DnsFailure
from trinco.core.tlsrpt.arrival import Channel
from trinco.core.tlsrpt.report import MAX_COUNT
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import digest, services
from trinco.panel.reports.errors import NotParked
from trinco.panel.reports.models import DailyTotal, FailureRow, PolicyRow, RawReport, RawState, Report, Trust

MINUTE = timedelta(minutes=1)


def states():
    return list(RawReport.objects.everywhere().order_by("pk").values_list("state", flat=True))


def raw():
    return RawReport.objects.everywhere().order_by("pk").last()


class TestOneReport:
    """A report is filed under its policy domain and counted on the UTC day that it begins on."""

    def test_its_rows(self, domain):
        told = policy(
            strings=STS,
            details=[
                detail(
                    failed=2,
                    sending_mta_ip="192.0.2.1",
                    receiving_mx_hostname="MX1.correio.example.",
                    receiving_mx_helo="mx",
                    receiving_ip="198.51.100.2",
                    additional_information="https://example.net/x",
                    failure_reason_code="X509",
                )
            ],
        )
        report = reported(domain, told, report_id="7", day=timezone.now().date())
        facts = (report.organization_name, report.contact_info, report.report_id, report.submitter, report.signer)
        assert facts == ("Google Inc.", "smtp-tls-reporting@google.com", "7", "google.com", "google.com")
        assert (report.successful_session_count, report.failed_session_count, report.trust) == (10, 2, Trust.DKIM)
        (failure,) = FailureRow.objects.everywhere().values()
        assert {name: failure[name] for name in failure if name not in ("id", "report_id", "policy_id")} == {
            "domain_id": domain.pk,
            "day": report.day,
            "submitter": "google.com",
            "policy_type": "sts",
            "result_type": "certificate-expired",
            "sending_mta_ip": "192.0.2.1",
            "receiving_mx_hostname": "mx1.correio.example",
            "receiving_mx_helo": "mx",
            "receiving_ip": "198.51.100.2",
            "failed_session_count": 2,
            "additional_information": "https://example.net/x",
            "failure_reason_code": "X509",
        }
        (row,) = PolicyRow.objects.everywhere()
        assert (row.policy_string, row.mx_host, row.detailed_session_count) == (list(STS), [], 2)
        totals = DailyTotal.objects.everywhere().values_list("policy_type", "result_type", "mx", "failed_session_count")
        assert sorted(totals) == [
            ("", "", "", 2),
            ("sts", "", "", 2),
            ("sts", "certificate-expired", "mx1.correio.example", 2),
        ]
        assert (raw().state, raw().trust, raw().signer, raw().due_at) == ("digested", "dkim", "google.com", None)

    def test_sts_and_tlsa_are_the_same_sessions(self, domain):
        told = [policy(policy_type="sts", successful=5, failed=2), policy(policy_type="tlsa", successful=7, failed=0)]
        report = reported(domain, *told, policy(policy_type="no-policy-found", successful=1, failed=1))
        assert (report.successful_session_count, report.failed_session_count) == (6, 3)

    def test_the_overview_follows(self, domain):
        HostedDomain.objects.everywhere().filter(pk=domain.pk).update(level_revision=5)
        reported(domain)
        assert HostedDomain.objects.everywhere().get(pk=domain.pk).level_revision == 0

    def test_again_by_mail_and_by_https_it_is_one_report(self, domain):
        body = report_json()
        digested(arrival(body, domain, channel=Channel.HTTPS))
        (before,) = DailyTotal.objects.everywhere().filter(policy_type="")
        (report,) = digested(arrival(body, domain), arrival(gzip.compress(body), domain, channel=Channel.HTTPS))
        (after,) = DailyTotal.objects.everywhere().filter(policy_type="")
        assert (before.trust, after.trust, after.reports) == (Trust.HTTPS, Trust.DKIM, 1)
        assert (report.copies, report.trust, report.channel) == (3, Trust.DKIM, "mail")
        assert states() == ["digested", "repeated", "repeated"]

    def test_an_arrival_that_is_taken_twice_is_there_once(self, domain):
        one = arrival(report_json(), domain)
        digested(one)
        (report,) = digested(one)
        assert (report.copies, len(states())) == (1, 1)


class TestTrust:
    """RFC 8460 section 3: a report by mail MUST be signed by the reporting domain, or it is not believed."""

    @pytest.mark.parametrize(
        ("signers", "trust", "reason"),
        [
            (("google.com",), Trust.DKIM, ""),
            ((), Trust.NONE, "the mail is not signed"),
            (("evil.example",), Trust.NONE, "signed by evil.example, not by the domain of its contact (google.com)"),
        ],
    )
    def test_by_mail(self, domain, signers, trust, reason):
        (report,) = digested(arrival(report_json(), domain), signers=signers)
        assert (report.trust, raw().trust, raw().reason) == (trust, trust, reason)

    def test_each_report_in_a_mail_is_its_own_submitters(self, domain):
        both = mail(report_json())
        boundary = both.split(b'boundary="')[1].split(b'"')[0]
        second = b"\r\n--" + boundary + b"\r\nContent-Type: application/tlsrpt+json\r\n\r\n"
        second += report_json(submitter="outlook.example") + b"\r\n--" + boundary + b"--\r\n"
        both = both.replace(b"\r\n--" + boundary + b"--\r\n", second)
        reports = digested(arrival(both, domain))
        assert [(one.submitter, one.trust) for one in reports] == [
            ("google.com", Trust.DKIM),
            ("outlook.example", Trust.NONE),
        ]

    @pytest.mark.parametrize(
        ("body", "media_type", "trust"),
        [
            (mail(report_json()), "", Trust.DKIM),
            (mail(report_json(submitter="outlook.example")), "", Trust.NONE),
            (mail(report_json(submitter="outlook.example")), "x-trinco/vouched", Trust.OPERATOR),
            (report_json(), "x-trinco/vouched", Trust.OPERATOR),
            (report_json(), "", Trust.NONE),
        ],
    )
    def test_imported(self, domain, ours, body, media_type, trust):
        one = arrival(body, channel=Channel.IMPORT, media_type=media_type)
        (report,) = digested(one, organisation=ours)
        assert report.trust == trust

    def test_the_media_type_of_a_stranger_vouches_for_nothing(self, domain):
        (report,) = digested(arrival(report_json(), domain, channel=Channel.HTTPS, media_type="x-trinco/vouched"))
        assert report.trust == Trust.HTTPS


class TestDnsIsSilent:
    """While the key of a signature cannot be asked for, the report waits: a day at most."""

    def test_it_waits_and_is_kept(self, domain):
        async def silent(*_):
            raise DnsFailure("no answer")

        services.take([arrival(report_json(), domain)])
        now = began = timezone.now()
        pauses = []
        while raw().state == RawState.PENDING:
            services.digest_due(now, verify=silent)
            if raw().due_at:
                pauses.append(raw().due_at - now)
                now = raw().due_at
        assert pauses[:4] == [MINUTE, MINUTE, 2 * MINUTE, 4 * MINUTE]
        assert max(pauses) == timedelta(hours=4)
        assert timedelta(hours=24) <= now - began < timedelta(hours=28)
        (report,) = Report.objects.everywhere()
        assert (report.trust, raw().reason) == (Trust.NONE, "DNS gave no answer for the key of its signature for a day")

    def test_others_do_not_wait_for_it(self, domain):
        async def one_is_silent(octets, *_):
            if b"outlook.example" in octets:
                raise DnsFailure("no answer")
            return await signed_by("google.com")(octets, *_)

        services.take([arrival(report_json(submitter=who), domain) for who in ("outlook.example", "google.com")])
        later = arrival(mail(report_json(submitter="outlook.example"), submitter="outlook.example"), domain)
        services.take([later])
        services.digest_due(timezone.now(), verify=one_is_silent)
        assert states() == ["digested", "digested", "pending"]


class TestPoison:
    """A report that cannot be read is parked with the reason, never dropped, and stops no other."""

    BAD: ClassVar = {
        "not a report": b"hello",
        "not JSON": b'{"organization-name": ',
        "a NUL": report_json(organization_name="a\0b"),
        "half a character": report_json(organization_name="a\ud800b"),
        "a count above all": report_json(policy(successful=2**63)),
        "packed twice": gzip.compress(gzip.compress(report_json())),
        "a bomb": gzip.compress(b" " * (30 * 1024 * 1024)),
        "members without end": gzip.compress(b"") * 10_000,
        "in a year to come": report_json(**{"date-range": {"start-datetime": "9999-01-01T00:00:00Z", "end-datetime": "9999-01-01T23:00:00Z"}}),
        "too many policies": report_json(*[policy()] * 5_001),
        "too many details": report_json(policy(failed=0, details=[detail()] * 50_001)),
    }  # fmt: skip

    def test_each_between_good_ones(self, domain):
        arrivals = []
        for body in self.BAD.values():
            arrivals += [arrival(report_json(), domain), arrival(body, domain, channel=Channel.HTTPS)]
        began = timezone.now()
        services.take([*arrivals, arrival(report_json(), domain)])
        while services.digest_due(timezone.now(), verify=signed_by("google.com")):
            pass
        assert timezone.now() - began < timedelta(seconds=20)
        assert states() == ["digested", "parked"] * len(self.BAD) + ["digested"]
        parked = RawReport.objects.everywhere().filter(state=RawState.PARKED)
        assert all(parked.values_list("reason", flat=True))
        assert set(parked.values_list("due_at", flat=True)) == {None}

    def test_one_that_only_the_database_refuses(self, domain, monkeypatch):
        """Its batch is written one by one; it is tried three times, and then parked."""
        real = digest.write

        def write(arrived, now):
            if any(reports[0].report_id == "poison" for _, reports, _ in arrived):
                raise ValueError("the database takes no such thing")
            return real(arrived, now)

        monkeypatch.setattr(digest, "write", write)
        services.take([arrival(report_json(report_id=one), domain) for one in ("a", "poison", "b")])
        now = timezone.now()
        with capture_logs() as lines:
            services.digest_due(now, verify=signed_by())
            assert states() == ["digested", "pending", "digested"]
            again = [RawReport.objects.everywhere().get(state="pending").due_at - now]
            services.digest_due(now + MINUTE, verify=signed_by())
            again.append(RawReport.objects.everywhere().get(state="pending").due_at - now)
            services.digest_due(now + 11 * MINUTE, verify=signed_by())
        assert again == [MINUTE, 11 * MINUTE]
        assert states() == ["digested", "parked", "digested"]
        parked = RawReport.objects.everywhere().get(state="parked")
        assert (parked.tries, parked.reason) == (3, "ValueError: the database takes no such thing")
        assert [line["event"] for line in lines].count("digest failed") == 3

    def test_one_that_kills_the_worker_takes_no_other_along(self, domain):
        """A process that dies leaves the lease: the rows are due when it ends, and then one by one."""
        services.take([arrival(report_json(), domain) for _ in range(3)])
        now = timezone.now()
        for turn in range(3):
            RawReport.objects.everywhere().filter(tries=turn).update(tries=turn + 1, due_at=now)
        assert services.digest_due(now, verify=signed_by()) == 1
        assert states().count("parked") == 1
        RawReport.objects.everywhere().filter(state="pending").update(tries=1)
        assert [services.digest_due(now, verify=signed_by()) for _ in range(3)] == [1, 1, 0]
        assert states().count("digested") == 2

    def test_a_database_that_is_away_parks_nothing(self, domain, monkeypatch):
        def away(*_):
            raise OperationalError("gone")

        services.take([arrival(report_json(), domain)])
        with monkeypatch.context() as patch:
            patch.setattr(digest, "write", away)
            with pytest.raises(OperationalError):
                services.digest_due(timezone.now(), verify=signed_by())
        assert services.digest_due(timezone.now() + digest.LEASE, verify=signed_by()) == 1
        assert states() == ["digested"]

    def test_another_try_on_demand(self, domain):
        services.take([arrival(b"hello", domain, channel=Channel.HTTPS)])
        services.digest_due(timezone.now())
        RawReport.objects.everywhere().update(body=zlib.compress(report_json()))
        services.retry(raw=raw(), actor=ANA)
        services.digest_due(timezone.now())
        assert states() == ["digested"]
        assert AuditEntry.objects.everywhere().filter(action="report.retried").count() == 1
        with pytest.raises(NotParked):
            services.retry(raw=raw(), actor=ANA)


class TestClocks:
    """RELIABILITY 3: "Clock skew +-2 days". An edge whose clock is ahead hands over what is due in two days."""

    def test_what_is_due_in_days_is_due_now(self, domain):
        services.take([arrival(report_json(), domain)])
        RawReport.objects.everywhere().update(due_at=timezone.now() + timedelta(days=2))
        assert services.digest_due(timezone.now(), verify=signed_by()) == 1
        assert states() == ["digested"]


class TestExtremes:
    """What a stranger writes is cut to the columns, and sums stop at the largest count."""

    def test_the_largest_counts_and_the_longest_texts(self, domain):
        long = "".join(chr(0x10000 + number * 7919 % 0xF000) for number in range(16_000))  # four octets each
        words = dict.fromkeys(("sending_mta_ip", "receiving_mx_hostname", "receiving_mx_helo", "receiving_ip"), long)
        words |= {"additional_information": long, "failure_reason_code": long}
        big = detail(long, MAX_COUNT, **words)
        told = [policy(policy_type=kind, successful=MAX_COUNT, failed=MAX_COUNT, details=[big, big], strings=[long] * 3) for kind in ("sts", "tlsa", long)]  # fmt: skip
        for number in (1, 2):
            reported(domain, *told, organization_name=long, report_id=f"{long[:9000]}{number}", trust=Trust.HTTPS)
        counts = ("successful_session_count", "failed_session_count")
        assert set(Report.objects.everywhere().values_list(*counts)) == {(MAX_COUNT, MAX_COUNT)}
        assert {max(pair) for pair in DailyTotal.objects.everywhere().values_list(*counts)} == {MAX_COUNT}
        assert {len(row.failure_reason_code) for row in FailureRow.objects.everywhere()} == {500}

    def test_a_thousand_policies(self, domain):
        told = [policy(policy_type=f"type-{number}", successful=number) for number in range(1_000)]
        report = reported(domain, *told)
        assert (report.policies.count(), report.successful_session_count) == (1_000, sum(range(1_000)))
        totals = DailyTotal.objects.everywhere()
        assert totals.count() == 18
        assert totals.get(policy_type="-").successful_session_count == sum(range(984))
        assert totals.get(policy_type="").successful_session_count == sum(range(1_000))

    def test_words_without_end_make_no_totals_without_end(self, domain):
        told = [
            detail(f"result-{number}", number + 1, receiving_mx_hostname=f"mx{number}.example")
            for number in range(5_000)
        ]
        report = reported(domain, policy(details=told))
        assert report.failures.count() == 5_000
        totals = DailyTotal.objects.everywhere().exclude(result_type="")
        assert totals.count() == 201
        assert sum(totals.values_list("failed_session_count", flat=True)) == sum(range(1, 5_001))

    def test_no_policies_at_all(self, domain):
        digested(arrival(report_json(policies=[]), domain))
        assert (raw().state, raw().reason) == ("foreign", "about no policy at all")

    def test_a_day_of_long_ago(self, domain):
        long_ago = {"start-datetime": "2016-01-01T00:00:00Z", "end-datetime": "2016-01-01T23:59:59Z"}
        (report,) = digested(arrival(report_json(**{"date-range": long_ago}), domain))
        assert report.day.isoformat() == "2016-01-01"
        assert services.rebuild().days == 1


@pytest.mark.django_db(transaction=True)
class TestSeveralWorkers:
    """Workers share the arrivals; whoever they are, each is counted once."""

    def test_each_arrival_is_counted_once(self):
        domain = announced(organisation())
        services.take([arrival(report_json(report_id=str(number % 30)), domain) for number in range(240)])
        now = timezone.now()
        failures = []

        def work():
            try:
                while services.digest_due(now, verify=signed_by("google.com")):
                    pass
            except Exception as error:  # noqa: BLE001 - the outermost loop of a thread
                failures.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert failures == []
        assert set(states()) == {"digested", "repeated"}
        assert sum(Report.objects.everywhere().values_list("copies", flat=True)) == 240
        assert DailyTotal.objects.everywhere().get(policy_type="").reports == 30
