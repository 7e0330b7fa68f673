"""`trinco report rebuild` and `trinco report prune`."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from tests import support_panel
from tests.support_reports import detail, policy, reported
from typer.testing import CliRunner

from trinco.cli import report_storing
from trinco.cli.main import app
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.models import DailyTotal, RawReport, Report

pytestmark = pytest.mark.django_db


@pytest.fixture
def domain() -> HostedDomain:
    return support_panel.live(support_panel.organisation())


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["report", *arguments])


class TestRebuild:
    """The same totals from the raw reports, also for one domain."""

    @pytest.mark.parametrize("name", [(), ("CORREIO.example",)])
    def test_totals_are_worked_out_anew(self, domain: HostedDomain, name: tuple[str, ...]) -> None:
        reported(domain, policy(details=[detail(failed=4)]))
        before = list(DailyTotal.objects.everywhere().values_list("policy_type", "failed_session_count").order_by("pk"))
        DailyTotal.objects.everywhere().update(failed_session_count=9)
        done = run("rebuild", "--json", *name)
        assert (done.exit_code, json.loads(done.stdout)) == (
            0,
            {"raw_reports": 1, "unreadable": 0, "reports_added": 0, "reports_removed": 0, "days": 1},
        )
        after = DailyTotal.objects.everywhere().values_list("policy_type", "failed_session_count").order_by("pk")
        assert list(after) == before

    def test_what_can_no_longer_be_read_is_told(self, domain: HostedDomain) -> None:
        reported(domain)
        RawReport.objects.everywhere().update(body=b"x")
        done = run("rebuild")
        assert done.exit_code == 1
        assert "unreadable: 1" in done.stdout
        assert Report.objects.everywhere().count() == 1

    def test_how_far_it_is_goes_to_a_terminal_alone(self, capsys: pytest.CaptureFixture[str]) -> None:
        with report_storing._bar() as progress:
            progress(1, 2)
        assert capsys.readouterr() == ("", "")

    def test_a_name_that_was_never_hosted(self, domain: HostedDomain) -> None:
        done = run("rebuild", "outro.example")
        assert (done.exit_code, done.stderr.startswith("trinco: outro.example is not hosted here")) == (2, True)


class TestPrune:
    """A dry run removes nothing and tells what would go."""

    def test_both(self, domain: HostedDomain) -> None:
        reported(domain, policy(details=[detail()]), day=(timezone.now() - timedelta(days=900)).date())
        size = RawReport.objects.everywhere().get().size
        for model, days in ((RawReport, 500), (Report, 900)):
            model.objects.everywhere().update(received_at=timezone.now() - timedelta(days=days))
        told = {"raw_reports": 1, "octets": size, "reports": 1, "failure_rows": 1}
        assert json.loads(run("prune", "--dry-run", "--json").stdout) == {"removed": False, **told}
        assert Report.objects.everywhere().count() == 1
        assert json.loads(run("prune", "--json").stdout) == {"removed": True, **told}
        counts = [model.objects.everywhere().count() for model in (RawReport, Report, DailyTotal)]
        assert counts == [0, 0, 3]
        assert "removed: yes" in run("prune").stdout
