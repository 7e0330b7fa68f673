"""The TLSRPT record of a domain (RFC 8460 section 3): said by our zone, or published by its owner."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from django.conf import settings

from trinco.core.errors import RecordSyntaxError
from trinco.core.hosting import Zone
from trinco.core.tlsrpt import record as tlsrpt
from trinco.panel.domains.models import HostedDomain, State, Way

REPORT_PATH: Final = "/v1/tlsrpt/"
"""Where the reports host takes reports by HTTPS: the label stands behind it (`edge.report_host`)."""


def tlsrpt_record(zone: Zone, label: str, *, https: bool) -> str | None:
    """The TLSRPT record of a label (RFC 8460 section 3); None where there is no reports host.

    The mailbox comes first, since some senders use the first address alone. The HTTPS address has no port: it is what
    DNS says in production, and senders of the playground know their own way.
    """
    if not zone.reports_host:
        return None
    door = f"https://{zone.reports_host}{REPORT_PATH}{label}"
    return tlsrpt.render(tlsrpt.Record((f"mailto:{label}@{zone.reports_host}", *([door] if https else []))))


def report_text(domain: HostedDomain) -> str:
    """What `_smtp._tls` is to say where it is no CNAME; "" for nothing: reports are off, or there is no reports host.

    Where no other record has the label in it, the text is what shows whose the name is, and is wanted until it has.
    """
    alone = domain.state == State.SETUP and Way.CNAME not in (domain.host_way, domain.sts_way)
    if not domain.tlsrpt and not alone:
        return ""
    return tlsrpt_record(settings.CONFIG.zone, domain.label, https=domain.tlsrpt_https) or ""


def names_alone(text: str, label: str) -> bool:
    """Whether a text has reports sent here under this label, and under no other of this installation."""
    try:
        record = tlsrpt.parse(text)
    except RecordSyntaxError:
        return False
    host = settings.CONFIG.zone.reports_host
    if record is None or not host:
        return False
    here = [address for address in (unquote(each).lower() for each in record.rua) if str(host) in address]
    return bool(here) and all(label in address for address in here)
