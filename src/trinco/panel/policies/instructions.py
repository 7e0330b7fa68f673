"""The three records that a domain's owner publishes, in the forms in which DNS is edited: CNAMEs to us as a rule."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trinco.net.dnstexts import TTL as TEXT_TTL
from trinco.net.dnstexts import strings
from trinco.panel.domains.models import HostedDomain, RecordName, Way
from trinco.panel.domains.reporting import report_text
from trinco.panel.policies.ways import text_of, way_at

TTL = 3600
"""Seconds, in every form that has one: CNAMEs never change, so a longer one does no harm."""
_PARTS = {RecordName.MTA_STS: "policy", RecordName.STS_TXT: "mta-sts", RecordName.TLSRPT_TXT: "tlsrpt"}
"""The branch of our zone that each record points into (DESIGN section 4)."""

PURPOSES = {
    RecordName.MTA_STS: _("Serves the policy file over HTTPS; we obtain and renew the certificate."),
    RecordName.STS_TXT: _("Announces the policy and its current id, so that senders notice a change."),
    RecordName.TLSRPT_TXT: _("Tells senders where to deliver their daily TLS reports."),
}


@dataclass(frozen=True, slots=True)
class Instruction:
    """One name: `name` is relative to the domain. `target` of a CNAME, without the final dot; "" where there is none.
    `values`: what stands there instead, as (type, value); empty while nothing is to be published yet."""

    record: RecordName
    domain: str
    target: str
    purpose: Promise
    values: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        return str(self.record.value)

    @property
    def owner(self) -> str:
        """The whole name, without the final dot."""
        return f"{self.name}.{self.domain}"

    @property
    def rdtype(self) -> str:
        """The type, or the types, in words."""
        types = "A, AAAA" if self.record is RecordName.MTA_STS else "TXT"
        return "CNAME" if self.target else types

    @property
    def ttl(self) -> int:
        """Seconds."""
        return TTL if self.target else TEXT_TTL

    @property
    def data(self) -> tuple[tuple[str, str], ...]:
        """(type, value) as a master file has it."""
        if self.target:
            return (("CNAME", f"{self.target}."),)
        return tuple((rdtype, strings(value) if rdtype == "TXT" else value) for rdtype, value in self.values)


def instructions(domain: HostedDomain) -> tuple[Instruction, ...]:
    """The three, in the order in which they are shown."""
    return tuple(_instruction(domain, record) for record in RecordName)


def target_of(label: str, record: RecordName, base: object) -> str:
    """Where the CNAME of a record leads to in our zone `base`, without the final dot (DESIGN section 4)."""
    return f"{label}.{_PARTS[record]}.{base}"


def _instruction(domain: HostedDomain, record: RecordName) -> Instruction:
    if way_at(domain, record) == Way.CNAME:
        target = target_of(domain.label, record, settings.CONFIG.base)
        return Instruction(record, domain.name, target, PURPOSES[record])
    return Instruction(record, domain.name, "", PURPOSES[record], tuple(_values(domain, record)))


def _values(domain: HostedDomain, record: RecordName) -> Iterator[tuple[str, str]]:
    if record is RecordName.MTA_STS:
        for address in settings.CONFIG.policy_addresses:
            yield ("AAAA" if ":" in address else "A"), address
    elif text := text_of(domain) if record is RecordName.STS_TXT else report_text(domain):
        yield "TXT", text


def zone_file(domain: HostedDomain) -> str:
    """Lines for a master file (RFC 1035 section 5.1), absolute on both sides."""
    return "".join(
        f"{each.owner}. {each.ttl} IN {rdtype} {value}\n"
        for each in instructions(domain)
        for rdtype, value in each.data
    )


def terraform(domain: HostedDomain) -> str:
    """One block per record for the `dns` provider (RFC 2136 updates), easy to adapt to another provider."""
    return "\n".join(block for each in instructions(domain) for block in _blocks(each))


def octodns(domain: HostedDomain) -> str:
    """What is added to the domain's YAML file of octoDNS, whose keys stand in order."""
    return "".join(_entry(each) for each in sorted(instructions(domain), key=lambda each: each.name))


TEXTS: dict[str, Callable[[HostedDomain], str]] = {"zone": zone_file, "terraform": terraform, "octodns": octodns}
"""The forms that are one text."""


def _blocks(each: Instruction) -> Iterator[str]:
    identifier = re.sub(r"[^a-z0-9]+", "_", each.owner).strip("_")
    for rdtype in dict.fromkeys(rdtype for rdtype, _value in each.data):
        values = [value for kind, value in each.values if kind == rdtype]
        said = f'  cname = "{each.target}."' if each.target else f"  {_KEYS[rdtype]} = {json.dumps(values)}"
        yield (
            f'resource "dns_{_KINDS[rdtype]}" "{identifier}" {{\n'
            f'  zone  = "{each.domain}."\n'
            f'  name  = "{each.name}"\n'
            f"{said}\n"
            f"  ttl   = {each.ttl}\n"
            "}\n"
        )


_KINDS = {"CNAME": "cname_record", "TXT": "txt_record_set", "A": "a_record_set", "AAAA": "aaaa_record_set"}
_KEYS = {"TXT": "txt  ", "A": "addresses", "AAAA": "addresses"}


def _entry(each: Instruction) -> str:
    if each.target:
        return f"{each.name}:\n  ttl: {TTL}\n  type: CNAME\n  value: {each.target}.\n"
    sets = [_octodns_set(each, rdtype) for rdtype in dict.fromkeys(rdtype for rdtype, _value in each.values)]
    if len(sets) < 2:
        return "".join(f"{each.name}:\n  " + "\n  ".join(lines) + "\n" for lines in sets)
    return f"{each.name}:\n" + "".join("- " + "\n  ".join(lines) + "\n" for lines in sets)


def _octodns_set(each: Instruction, rdtype: str) -> list[str]:
    """TXT values have their semicolons escaped there."""
    values = [value.replace(";", "\\;") for kind, value in each.values if kind == rdtype]
    said = [f"value: {values[0]}"] if len(values) == 1 else ["values:", *(f"- {value}" for value in values)]
    return [f"ttl: {each.ttl}", f"type: {rdtype}", *said]
