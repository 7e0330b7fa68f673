"""A domain whose owner publishes texts instead of CNAMEs, in a made-up DNS."""

from __future__ import annotations

from typing import Any

from tests.support_panel import ANA, hosted, standing

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain, RecordSighting
from trinco.panel.domains.reporting import report_text
from trinco.panel.policies import services as policies
from trinco.panel.policies.ways import set_ways, text_of

NAME = "correio.example"
ALL: dict[str, Any] = {"host": "addresses", "sts": "txt", "tlsrpt": "txt"}


def by_hand(owner: Organisation, **ways: Any) -> HostedDomain:
    """A domain in SETUP with a first policy, published in these ways."""
    domain = hosted(owner, NAME)
    policies.start(domain=domain, mx=(f"mx1.{NAME}",), actor=ANA)
    set_ways(domain=domain, actor=ANA, **ways)
    return domain


def host(domain: HostedDomain) -> str:
    """The CNAME of the policy host, as a master file line."""
    return f"mta-sts CNAME {domain.label}.policy.trinco.example.\n"


def reports(domain: HostedDomain) -> str:
    """The text that asks for reports, as a master file line."""
    return f'_smtp._tls TXT "{report_text(domain)}"\n'


def txt(text: str) -> str:
    """The text at `_mta-sts`, as a master file line."""
    return f'_mta-sts 300 TXT "{text}"\n'


def wanted(domain: HostedDomain) -> str:
    """What is to stand at `_mta-sts` now; "" for nothing yet."""
    fresh = HostedDomain.objects.everywhere().get(pk=domain.pk)
    return text_of(fresh)


def found(domain: HostedDomain) -> dict[str, str]:
    """The finding of each record."""
    rows = RecordSighting.objects.everywhere().filter(domain=domain).order_by("pk")
    return dict(rows.values_list("record", "finding"))


def announced_at(domain: HostedDomain) -> Any:
    """Since when DNS says the id that it may say; None: not yet."""
    told = standing(domain).announced
    return told.announced_at if told else None
