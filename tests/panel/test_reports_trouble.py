"""What the digest refuses for its period, and what it does while the database is in trouble."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone
from tests.support_reports import arrival, digested, report_json, signed_by

from trinco.core.tlsrpt.arrival import Channel
from trinco.panel.reports import digest, services
from trinco.panel.reports.models import RawReport, Report


def states():
    return list(RawReport.objects.everywhere().order_by("pk").values_list("state", flat=True))


def raw():
    return RawReport.objects.everywhere().order_by("pk").last()


def leased(now):
    """As the digest takes what is due."""
    RawReport.objects.everywhere().update(due_at=now + digest.LEASE, tries=1)
    return list(RawReport.objects.everywhere())


class TestPeriod:
    """RFC 8460 section 4.1: a report is about a day. Weeks are seen, and a century is no day."""

    @staticmethod
    def told(domain, start, end):
        period = {"date-range": {"start-datetime": start, "end-datetime": end}}
        digested(arrival(report_json(**period), domain, channel=Channel.HTTPS))
        return raw().state, raw().reason

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            ("2016-04-01T00:00:00Z", "2016-04-01T23:59:59Z"),
            ("2026-11-01T00:00:00Z", "2026-11-08T00:00:00Z"),
            ("2026-10-01T00:00:00Z", "2026-11-05T00:00:00Z"),
        ],
    )
    def test_a_day_a_week_a_month(self, domain, start, end):
        """The first is the standard's own example."""
        assert self.told(domain, start, end) == ("digested", "")

    @pytest.mark.parametrize(
        ("start", "end", "reason"),
        [
            ("2026-11-20T00:00:00Z", "9999-12-31T23:59:59Z", "it is about more than 35 days"),
            ("2026-10-01T00:00:00Z", "2026-11-05T00:00:01Z", "it is about more than 35 days"),
            ("2015-12-31T23:59:59Z", "2016-01-01T00:00:00Z", "it is about a day before TLS reports: 2015-12-31"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "it is about a day before TLS reports: 0001-01-01"),
        ],
    )
    def test_others_are_parked_with_the_reason(self, domain, start, end, reason):
        assert self.told(domain, start, end) == ("parked", reason)
        assert not Report.objects.everywhere().exists()


class TestTheDatabase:
    """An accepted report is never given up for what was not its fault."""

    def test_a_database_in_trouble_for_long_parks_nothing(self, domain, monkeypatch):
        """A full disk takes no row, deadlocks come again: neither was the reports' fault, and they are not tried for it."""

        def full(*_):
            raise OperationalError("database or disk is full")

        services.take([arrival(report_json(), domain) for _ in range(3)])
        now = timezone.now()
        with monkeypatch.context() as patch:
            patch.setattr(digest, "write", full)
            for turn in range(5):
                with pytest.raises(OperationalError):
                    services.digest_due(now + turn * digest.LEASE, verify=signed_by())
        assert list(RawReport.objects.everywhere().values_list("state", "tries")) == [("pending", 0)] * 3
        assert services.digest_due(now + 5 * digest.LEASE, verify=signed_by()) == 3
        assert states() == ["digested"] * 3

    def test_one_that_the_database_refuses_stops_no_other(self, domain, monkeypatch):
        """It alone is tried again, and parked after its tries; nothing of the others waits for it."""
        bad = arrival(report_json(), domain)
        write = digest.write

        def refused(arrived, now):
            if any(raw.arrival_id == bad.id for raw, *_ in arrived):
                raise OperationalError("too many SQL variables")
            return write(arrived, now)

        monkeypatch.setattr(digest, "write", refused)
        services.take([arrival(report_json(), domain), bad, *(arrival(report_json(), domain) for _ in range(4))])
        now = timezone.now()
        assert services.digest_due(now, verify=signed_by()) == 6
        assert states() == ["digested", "pending", *["digested"] * 4]
        for minutes in (1, 11):
            services.take([arrival(report_json(), domain)])
            while services.digest_due(now + timedelta(minutes=minutes), verify=signed_by()):
                pass
        assert states() == ["digested", "parked", *["digested"] * 6]
        parked = RawReport.objects.everywhere().get(arrival_id=bad.id)
        assert (parked.tries, parked.reason) == (3, "OperationalError: too many SQL variables")

    def test_a_database_that_goes_away_in_the_middle(self, domain, monkeypatch):
        """What passed has passed; the rest was not tried."""
        write, passed = digest.write, []

        def dying(arrived, now):
            if len(arrived) > 1 or len(passed) == 2:
                raise OperationalError("gone")
            passed.append(arrived)
            return write(arrived, now)

        services.take([arrival(report_json(), domain) for _ in range(6)])
        monkeypatch.setattr(digest, "write", dying)
        with pytest.raises(OperationalError):
            services.digest_due(timezone.now(), verify=signed_by())
        rows = RawReport.objects.everywhere().order_by("state").values_list("state", "tries")
        assert list(rows) == [("digested", 1)] * 2 + [("pending", 0)] * 4

    def test_a_try_that_cannot_be_given_back_at_once(self, domain, monkeypatch):
        """The database is away then, too: it is given back with the next taking, and once."""
        services.take([arrival(report_json(), domain)])
        now = timezone.now()

        def away(*_):
            raise OperationalError("gone")

        with monkeypatch.context() as patch:
            patch.setattr(digest, "write", away)
            patch.setattr(digest, "F", away)
            patch.setattr(digest, "_taken", leased)
            with pytest.raises(OperationalError):
                services.digest_due(now, verify=signed_by())
        assert raw().tries == 1
        assert services.digest_due(now, verify=signed_by()) == 0
        assert raw().tries == 0
        assert services.digest_due(now + digest.LEASE, verify=signed_by()) == 1
        assert (states(), raw().tries) == (["digested"], 1)
