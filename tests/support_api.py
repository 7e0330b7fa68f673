"""What the tests of the API stand on: a program with a token, and a report that is counted."""

from __future__ import annotations

import json
import zlib
from datetime import date, timedelta
from typing import Any

from django.test import Client
from django.utils import timezone
from tests import support_panel

from trinco.panel.accounts import tokens
from trinco.panel.accounts.models import Membership, User
from trinco.panel.api.kinds import KINDS
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.models import DailyTotal, FailureRow, PolicyRow, RawReport, Report, Trust

DAY = date(2026, 11, 20)
RANGE = "?from=2026-11-19&to=2026-11-20"
MAIL = b"From: noreply@google.com\r\n\r\n<script>\xff"


def report(domain: HostedDomain, number: int = 1, **told: Any) -> Report:
    """A report of google.com that is counted, with one policy and one failure detail, and the arrival that brought it."""
    midnight = timezone.now().replace(2026, 11, 20, 0, 0, 0, 0)
    arrival = RawReport.objects.everywhere().create(
        organisation=domain.organisation,
        domain=domain,
        arrival_id=f"{domain.pk}-{number}",
        channel="mail",
        received_at=midnight,
        body=zlib.compress(MAIL),
        size=len(MAIL),
    )
    facts = {
        "organisation": domain.organisation,
        "raw": arrival,
        "received_at": midnight,
        "channel": "mail",
        "trust": Trust.DKIM,
        "signer": "google.com",
        "organization_name": "Google <b>",
        "report_id": str(number),
        "submitter": "google.com",
        "start": midnight,
        "end": midnight + timedelta(days=1),
        "day": DAY,
        "content": f"{number:064}",
        "identity": f"{number:064}",
        "successful_session_count": 7,
        "failed_session_count": 1,
    }
    made = Report.objects.everywhere().create(domain=domain, **{**facts, **told})
    version = domain.standing.current if hasattr(domain, "standing") else None
    policy = PolicyRow.objects.everywhere().create(
        report=made,
        position=0,
        policy_type="sts",
        policy_domain=domain.name,
        policy_string=["version: STSv1"],
        mx_host=["mx1.correio.example"],
        successful_session_count=7,
        failed_session_count=1,
        detailed_session_count=1,
        applied="current",
        version=version,
    )
    FailureRow.objects.everywhere().create(
        report=made,
        policy=policy,
        domain=domain,
        day=DAY,
        submitter="google.com",
        policy_type="sts",
        result_type="certificate-expired",
        receiving_mx_hostname="mx1.correio.example",
        failed_session_count=1,
    )
    return made


def counted(domain: HostedDomain) -> Report:
    """The report, with its totals."""
    row = {
        "organisation": domain.organisation,
        "domain": domain,
        "day": DAY,
        "trust": "dkim",
        "submitter": "google.com",
    }
    failed = {"failed_session_count": 1, "reports": 1}
    DailyTotal.objects.everywhere().create(**row, **failed, successful_session_count=7)
    DailyTotal.objects.everywhere().create(**row, **failed, successful_session_count=7, policy_type="sts")
    where = {"result_type": "certificate-expired", "mx": "mx1.correio.example"}
    DailyTotal.objects.everywhere().create(**row, **failed, **where, policy_type="sts")
    return report(domain)


def key_of(user: User, scope: str = "read") -> str:
    membership = Membership.objects.get(user=user)
    return tokens.create_token(membership=membership, name="x", days=30, actor=support_panel.ANA, scope=scope)[1]


class Program:
    """A program with a token."""

    def __init__(self, key: str) -> None:
        self.headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str, **headers: str) -> Any:
        return self.send("GET", path, **headers)

    def send(self, verb: str, path: str, body: Any = None, **headers: str) -> Any:
        """`body`: octets as they are, anything else as JSON; `headers`: `If_Match='"1"'`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        told = {"Content-Type": "application/json", **self.headers, **given}
        octets = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        kind = told.pop("Content-Type")
        return Client().generic(verb, f"/api/v1{path}", octets, content_type=kind, headers=told)

    def json(self, path: str) -> Any:
        answer = self.get(path)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json; charset=utf-8"), answer.content
        return answer.json()

    def problem(self, path: str) -> tuple[int, str, str | None]:
        return problem(self.get(path))


def problem(answer: Any) -> tuple[int, str, str | None]:
    """Status, title and parameter of a problem document."""
    assert answer["Content-Type"] == "application/problem+json"
    told = json.loads(answer.content)
    kind = {each.uri: each for each in KINDS}[told["type"]]
    assert (kind.status, kind.title, told["status"]) == (answer.status_code, told["title"], answer.status_code)
    return answer.status_code, told["title"], told.get("parameter")
