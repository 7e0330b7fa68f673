"""The three CNAMEs that a domain's owner publishes, in the forms in which DNS is edited."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trinco.panel.domains.models import HostedDomain, RecordName

TTL = 3600
"""Seconds, in every form that has one: the records never change, so a longer one does no harm."""

PARTS = {RecordName.MTA_STS: "policy", RecordName.STS_TXT: "mta-sts", RecordName.TLSRPT_TXT: "tlsrpt"}
"""The branch of our zone that each record points into (DESIGN section 4)."""

PURPOSES = {
    RecordName.MTA_STS: _("Serves the policy file over HTTPS; we obtain and renew the certificate."),
    RecordName.STS_TXT: _("Announces the policy and its current id, so that senders notice a change."),
    RecordName.TLSRPT_TXT: _("Tells senders where to deliver their daily TLS reports."),
}


@dataclass(frozen=True, slots=True)
class Instruction:
    """One CNAME: `name` relative to the domain, `target` without the final dot."""

    record: RecordName
    domain: str
    target: str
    purpose: Promise

    @property
    def name(self) -> str:
        return str(self.record.value)

    @property
    def owner(self) -> str:
        """The whole name, without the final dot."""
        return f"{self.name}.{self.domain}"


def instructions(domain: HostedDomain) -> tuple[Instruction, ...]:
    """The three, in the order in which they are shown."""
    base = settings.CONFIG.base
    return tuple(
        Instruction(record, domain.name, f"{domain.label}.{part}.{base}", PURPOSES[record])
        for record, part in PARTS.items()
    )


def zone_file(domain: HostedDomain) -> str:
    """Lines for a master file (RFC 1035 section 5.1), absolute on both sides."""
    return "".join(f"{each.owner}. {TTL} IN CNAME {each.target}.\n" for each in instructions(domain))


def terraform(domain: HostedDomain) -> str:
    """One block per record for the `dns` provider (RFC 2136 updates), easy to adapt to another provider."""
    return "\n".join(_block(each) for each in instructions(domain))


def octodns(domain: HostedDomain) -> str:
    """What is added to the domain's YAML file of octoDNS, whose keys stand in order."""
    entries = sorted((each.name, each.target) for each in instructions(domain))
    return "".join(f"{name}:\n  ttl: {TTL}\n  type: CNAME\n  value: {target}.\n" for name, target in entries)


TEXTS: dict[str, Callable[[HostedDomain], str]] = {"zone": zone_file, "terraform": terraform, "octodns": octodns}
"""The forms that are one text."""


def _block(each: Instruction) -> str:
    identifier = re.sub(r"[^a-z0-9]+", "_", each.owner).strip("_")
    return (
        f'resource "dns_cname_record" "{identifier}" {{\n'
        f'  zone  = "{each.domain}."\n'
        f'  name  = "{each.name}"\n'
        f'  cname = "{each.target}."\n'
        f"  ttl   = {TTL}\n"
        "}\n"
    )
