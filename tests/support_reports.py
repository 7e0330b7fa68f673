"""TLS reports as senders write them, and as they lie in the tables once they were taken and digested.

`reported(domain, ...)` is the short way: one report about one domain, with the trust wanted, digested. Its parts are here
as well: `policy` and `detail` (parts of the JSON), `report_json` (octets), `mail` (octets of the mail around it), `arrival`
(what a door hands over) and `digested` (take and digest these arrivals).
"""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from typing import Any

from django.utils import timezone

from trinco.core.tlsrpt.arrival import Arrival, Channel
from trinco.net.dkim import Verdict
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import services
from trinco.panel.reports.models import Report, Trust

_numbers = itertools.count(1)

STS = ("version: STSv1", "mode: testing", "mx: mx1.correio.example", "max_age: 86400")


def yesterday() -> date:
    """The UTC day that most senders report about today."""
    return timezone.now().date() - timedelta(days=1)


def detail(result_type: str = "certificate-expired", failed: int = 1, **more: Any) -> dict[str, Any]:
    """One entry of failure-details; `more` by the standard's names with underscores, e.g. `receiving_mx_hostname=…`."""
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return {"result-type": result_type, "failed-session-count": failed, **named}


def policy(
    domain: str | None = "correio.example",
    policy_type: str = "sts",
    *,
    successful: int = 10,
    failed: int | None = None,
    details: Sequence[dict[str, Any]] = (),
    strings: Sequence[str] = (),
) -> dict[str, Any]:
    """One entry of policies. `failed` None: as many as the details say; `domain` None: it does not say its domain."""
    about: dict[str, Any] = {"policy-type": policy_type}
    if domain is not None:
        about["policy-domain"] = domain
    if strings:
        about["policy-string"] = list(strings)
    told = sum(each["failed-session-count"] for each in details) if failed is None else failed
    summary = {"total-successful-session-count": successful, "total-failure-session-count": told}
    whole: dict[str, Any] = {"policy": about, "summary": summary}
    return {**whole, "failure-details": list(details)} if details else whole


def report_json(
    *policies: dict[str, Any],
    submitter: str = "google.com",
    day: date | None = None,
    report_id: str = "",
    organization_name: str = "Google Inc.",
    **more: Any,
) -> bytes:
    """A report as JSON. `submitter` "": it has no contact; `more`: further members of the document, as they are."""
    about = day or yesterday()
    document: dict[str, Any] = {
        "organization-name": organization_name,
        "date-range": {"start-datetime": f"{about}T00:00:00Z", "end-datetime": f"{about}T23:59:59Z"},
        "report-id": report_id or f"{about}_{next(_numbers)}",
        "policies": list(policies or (policy(),)),
    }
    if submitter:
        document["contact-info"] = f"smtp-tls-reporting@{submitter}"
    return json.dumps({**document, **more}).encode()


def mail(body: bytes, *, domain: str = "correio.example", submitter: str = "google.com") -> bytes:
    """The mail that carries a report (RFC 8460 section 5.3), unsigned."""
    message = EmailMessage()
    message["From"] = f"noreply@{submitter or 'nobody.example'}"
    message["To"] = "token@reports.trinco.example"
    message["Subject"] = f"Report Domain: {domain} Submitter: {submitter} Report-ID: <1@{submitter}>"
    message["TLS-Report-Domain"] = domain
    if submitter:
        message["TLS-Report-Submitter"] = submitter
    message.set_content("A TLS report.\n")
    name = f"{submitter}!{domain}!1!2.json.gz"
    message.add_attachment(gzip.compress(body, mtime=0), maintype="application", subtype="tlsrpt+gzip", filename=name)
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def arrival(
    body: bytes | None = None,
    domain: HostedDomain | None = None,
    *,
    channel: Channel = Channel.MAIL,
    arrival_id: str = "",
    received_at: datetime | None = None,
    media_type: str = "",
) -> Arrival:
    """What a door hands over: JSON in `body` is put into a mail for MAIL. `domain`: whose token; None: none."""
    content = report_json() if body is None else body
    if channel is Channel.MAIL and content[:1] == b"{":
        content = mail(content, domain=domain.name if domain else "correio.example")
    return Arrival(
        id=arrival_id or f"arrival-{next(_numbers)}",
        token=domain.label if domain else "",
        channel=channel,
        received_at=(received_at or timezone.now()).timestamp(),
        body=content,
        peer="192.0.2.25",
        sender="noreply@google.com" if channel is Channel.MAIL else "",
        media_type=media_type or ("application/tlsrpt+gzip" if channel is Channel.HTTPS else ""),
    )


def signed_by(*signers: str) -> Any:
    """A stand-in for `net.dkim.verify`: every mail is signed by these domains; by none: no signature holds."""

    async def verify(_mail: bytes, _dns: object, _now: float) -> Verdict:
        return Verdict(tuple(signers), "" if signers else "the mail is not signed")

    return verify


def digested(
    *arrivals: Arrival,
    signers: Sequence[str] = ("google.com",),
    now: datetime | None = None,
    organisation: Organisation | None = None,
) -> list[Report]:
    """Take these and digest them as if each mail were signed by `signers`. All reports there are, oldest row first.

    `organisation`: whose imports, which come without a domain's token, are.
    """
    services.take(arrivals, organisation=organisation)
    services.digest_due(now or timezone.now(), verify=signed_by(*signers))
    return list(Report.objects.everywhere().order_by("pk"))


_WAYS = {
    Trust.DKIM: (Channel.MAIL, ""),
    Trust.OPERATOR: (Channel.IMPORT, "x-trinco/vouched"),
    Trust.HTTPS: (Channel.HTTPS, "application/tlsrpt+json"),
    Trust.NONE: (Channel.MAIL, ""),
}


def reported(
    domain: HostedDomain,
    *policies: dict[str, Any],
    trust: Trust = Trust.DKIM,
    day: date | None = None,
    submitter: str = "google.com",
    **more: Any,
) -> Report:
    """The row of a report about `domain`, taken and digested with this trust. `policies`: default one `sts`, 10 good
    sessions; `more`: as `report_json` takes it."""
    told = policies or (policy(domain.name),)
    channel, media_type = _WAYS[trust]
    body = report_json(*told, submitter=submitter, day=day, **more)
    imported = trust is Trust.OPERATOR
    one = arrival(body, None if imported else domain, channel=channel, media_type=media_type)
    digested(one, signers=(submitter,) if trust is Trust.DKIM else (), organisation=domain.organisation)
    return Report.objects.everywhere().get(raw__arrival_id=one.id, domain=domain)


def day_of(text: str) -> datetime:
    """`2026-11-03` as the moment at which that UTC day begins."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
