"""What webhooks hear of problems: each beginning and each end once."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from tests import support_panel, support_web
from tests.support_webhooks import hook

from trinco.panel.accounts.models import Organisation
from trinco.panel.certificates import events, keeping
from trinco.panel.checks import status
from trinco.panel.checks.status import refresh_by_key
from trinco.panel.domains.models import Finding, HostedDomain, Starttls
from trinco.panel.webhooks import outbox, troubles
from trinco.panel.webhooks.models import Delivery, Kind, Occurrence, Trouble

pytestmark = pytest.mark.django_db


def looked(domain: HostedDomain) -> None:
    refresh_by_key([domain.pk], timezone.now())
    outbox.spread_due(timezone.now())


def told() -> list[tuple[str, str]]:
    """Kind and problem of each, the first one first."""
    rows = Delivery.objects.everywhere().order_by("pk")
    return [(row.kind, json.loads(row.body)["data"]["problem"]) for row in rows]


@pytest.fixture
def ready(ours: Organisation) -> HostedDomain:
    """A domain in testing that could go to enforce; what was there before is told to nobody."""
    made = support_web.ready(ours)
    hook(ours, 443, *[kind for kind in Kind.values if kind.partition(".")[2] in ("problem", "solved", "proposed")])
    return made


class TestBeginAndEnd:
    def test_of_a_mail_servers_starttls(self, ready: HostedDomain) -> None:
        host = f"mx1.{ready.name}"
        for result in (Starttls.NOT_OFFERED, Starttls.NOT_OFFERED, Starttls.OK):
            support_web.probed(ready, host, result)
            looked(ready)
            looked(ready)
        assert told() == [("mail.problem", "mx-tls"), ("mail.solved", "mx-tls"), ("policy.proposed", "ready")]
        first = json.loads(Delivery.objects.everywhere().earliest("pk").body)["data"]
        assert first == {"domain": ready.name, "problem": "mx-tls", "critical": False, "hosts": [host]}

    def test_of_a_record(self, ready: HostedDomain) -> None:
        for finding in (Finding.MISSING, Finding.FOUND):
            support_panel.sight(ready, finding)
            looked(ready)
        assert told()[:2] == [("records.problem", "record-lost"), ("records.solved", "record-lost")]

    def test_of_a_certificate_that_cannot_be_had(self, ready: HostedDomain) -> None:
        now = timezone.now()
        for _ in range(2):
            keeping.postpone(ready, "192.0.2.1: no answer at port 80", now)
        events.observe(now, ())
        events.observe(now, ())
        keeping.Attempt.objects.everywhere().all().delete()
        events.observe(now + timedelta(minutes=1), ())
        outbox.spread_due(now)
        assert told() == [
            ("certificate.problem", "certificate-failing"),
            ("certificate.solved", "certificate-failing"),
        ]

    def test_where_nobody_listens_nothing_waits(self, theirs: Organisation) -> None:
        domain = support_web.ready(theirs, "outro.example")
        support_panel.sight(domain, Finding.MISSING)
        looked(domain)
        assert Trouble.objects.everywhere().filter(domain=domain, problem="record-lost").exists()
        assert not Occurrence.objects.everywhere().exists()


class TestKinds:
    """docs/webhooks.md: programs are told of each problem that raises a domain in the overview."""

    def test_every_problem_of_a_domain_has_one(self) -> None:
        source = Path(status.__file__).read_text(encoding="utf-8")
        said = re.findall(r'(?:Status|_record)\(([^",]*?), "([a-z-]+)"', source)
        words = {word for level, word in said if level != "Level.SETUP"}
        assert len(words) > 10
        assert words - troubles.KINDS.keys() == set()
