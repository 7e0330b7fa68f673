"""From an arrival to rows and totals."""

from __future__ import annotations

from tests.support_reports import detail, policy, reported

from trinco.panel.reports.models import DailyTotal, RawReport, Trust


class TestOneReport:
    """A report is filed under its policy domain and counted on the UTC day that it begins on."""

    def test_its_rows(self, domain):
        report = reported(domain, policy(details=[detail(failed=2, receiving_mx_hostname="MX1.correio.example.")]))
        assert (report.successful_session_count, report.failed_session_count, report.trust) == (10, 2, Trust.DKIM)
        assert [row.receiving_mx_hostname for row in report.failures.all()] == ["mx1.correio.example"]
        totals = DailyTotal.objects.everywhere().values_list("policy_type", "result_type", "mx", "failed_session_count")
        assert sorted(totals) == [
            ("", "", "", 2),
            ("sts", "", "", 2),
            ("sts", "certificate-expired", "mx1.correio.example", 2),
        ]
        assert RawReport.objects.everywhere().get().state == "digested"
