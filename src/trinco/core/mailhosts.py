"""Mail providers, known by the names of their MX hosts: which `mx` patterns suit them (RFC 8461 sections 3.2 and 4.1).

An MX record may be forged where DNS is, so what is made of one here is an offer to a person and never a policy. The
offer is the hosts themselves wherever they last; a wildcard is offered only where the provider's own document names one
since its hosts come and go. Hosts, and who names them, are from the document that each entry has as its `source`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from trinco.core.mtasts import mx
from trinco.core.names import is_public_suffix


@dataclass(frozen=True, slots=True)
class MailProvider:
    """Whoever runs MX hosts for many customers."""

    name: str
    zones: tuple[str, ...]
    """Every host below one of these is theirs."""
    source: str
    """The document that says which hosts there are."""
    sets: tuple[tuple[str, ...], ...] = ()
    """Hosts that a customer is told to have together."""
    wildcards: tuple[str, ...] = ()
    """Patterns that cover the provider's MX hosts and nothing else; the first one is offered where `moving`."""
    moving: bool = False
    """The hosts come and go, and the provider tells its customers to name the wildcard."""
    own_zones: bool = False
    """Each customer has a zone of their own below the provider's: a wildcard in it is the customer's."""

    def runs(self, host: str) -> bool:
        """Whether the MX host is theirs."""
        return any(host.endswith(f".{zone}") for zone in self.zones)

    def too_wide(self, pattern: str) -> bool:
        """Whether the wildcard stands for hosts of other customers, or for what is no MX host at all."""
        if pattern in self.wildcards:
            return False
        base = pattern.removeprefix("*.")
        inside = any(base.endswith(f".{zone}") for zone in self.zones)
        around = any(zone == base or zone.endswith(f".{base}") for zone in self.zones)
        return around or (inside and not self.own_zones)


@dataclass(frozen=True, slots=True)
class Offer:
    """What to write for some of a domain's MX hosts. `provider` is None for hosts that nobody here knows."""

    provider: MailProvider | None
    hosts: tuple[str, ...]
    patterns: tuple[str, ...]
    absent: tuple[str, ...] = ()
    """Hosts that the provider names beside these, and that DNS does not show."""


class Width(enum.StrEnum):
    """Why a wildcard is wider than needed."""

    SUFFIX = "suffix"
    """It stands for names of many owners, such as `*.com`."""
    PROVIDER = "provider"
    """It stands for hosts of all customers of a provider, who has a host name for each."""


def _numbered(form: str, *numbers: int) -> tuple[str, ...]:
    return tuple(form.format(number) for number in numbers)


_ZOHO = ("zoho.com", "zoho.eu", "zoho.in", "zoho.com.au", "zoho.jp", "zohocloud.ca")
_IONOS = ("com", "de", "es", "fr", "it", "co.uk", "mx", "ca")

PROVIDERS: tuple[MailProvider, ...] = (
    MailProvider(
        "Google Workspace",
        ("google.com", "googlemail.com"),
        "Google Workspace Admin Help, Set up MX records for Google Workspace",
        sets=(
            ("smtp.google.com",),
            ("aspmx.l.google.com", *_numbered("alt{}.aspmx.l.google.com", 1, 2, 3, 4)),
        ),
        wildcards=("*.aspmx.l.google.com",),
    ),
    MailProvider(
        "Microsoft 365",
        ("mail.protection.outlook.com", "mx.microsoft"),
        "Microsoft Learn, Enhancing mail flow with MTA-STS and How SMTP DANE with DNSSEC works",
    ),
    MailProvider(
        "Proton Mail",
        ("protonmail.ch",),
        "Proton Support, How to use a custom domain with Proton Mail",
        sets=(("mail.protonmail.ch", "mailsec.protonmail.ch"),),
    ),
    MailProvider(
        "Zoho Mail",
        _ZOHO,
        "Zoho Mail Admin Help, Configure MX records",
        sets=tuple((f"mx.{zone}", f"mx2.{zone}", f"mx3.{zone}") for zone in _ZOHO),
    ),
    MailProvider(
        "Fastmail",
        ("messagingengine.com",),
        "Fastmail Help, Manual DNS configuration",
        sets=(_numbered("in{}-smtp.messagingengine.com", 1, 2),),
    ),
    MailProvider(
        "Cloudflare Email Routing",
        ("mx.cloudflare.net",),
        "Cloudflare Docs, Email Routing, Configure MTA-STS",
        wildcards=("*.mx.cloudflare.net",),
        moving=True,
    ),
    MailProvider(
        "Mimecast",
        ("mimecast.com", "mimecast.co.za", "mimecast-offshore.com"),
        "Mimecast, Connect Process: updating your MX records",
    ),
    MailProvider("Proofpoint", ("pphosted.com",), "Proofpoint Email Protection documentation, MX records"),
    MailProvider("Proofpoint Essentials", ("ppe-hosted.com",), "Proofpoint Essentials, Changing your MX records"),
    MailProvider(
        "Barracuda",
        ("ess.barracudanetworks.com",),
        "Barracuda Campus, Email Gateway Defense, Configure your domains: MX records",
    ),
    MailProvider(
        "Cisco Secure Email",
        ("iphmx.com",),
        "Cisco Secure Email Cloud Gateway documentation, MX records",
        own_zones=True,
    ),
    MailProvider(
        "iCloud Mail",
        ("mail.icloud.com",),
        "Apple Support, Set up a custom email domain with iCloud Mail",
        sets=(_numbered("mx{:02}.mail.icloud.com", 1, 2),),
    ),
    MailProvider("Yandex 360", ("yandex.net", "yandex.ru"), "Yandex 360 Help, MX record", sets=(("mx.yandex.net",),)),
    MailProvider("Migadu", ("migadu.com",), "Migadu, DNS configuration", sets=(_numbered("aspmx{}.migadu.com", 1, 2),)),
    MailProvider(
        "mailbox.org",
        ("mailbox.org",),
        "mailbox.org Knowledge Base, Using e-mail addresses of your own domain",
        sets=(_numbered("mxext{}.mailbox.org", 1, 2, 3),),
    ),
    MailProvider(
        "Infomaniak",
        ("infomaniak.ch",),
        "Infomaniak Knowledge Base, MX record of a Mail Service",
        sets=(("mta-gw.infomaniak.ch",),),
    ),
    MailProvider(
        "Gandi",
        ("mail.gandi.net",),
        "Gandi Docs, Gandi Mail: DNS records",
        sets=(("spool.mail.gandi.net", "fb.mail.gandi.net"),),
    ),
    MailProvider("OVHcloud", ("mail.ovh.net", "mail.ovh.ca"), "OVHcloud Docs, Configuring the MX zone"),
    MailProvider(
        "IONOS",
        tuple(f"ionos.{end}" for end in _IONOS),
        "IONOS Help, MX records for IONOS mail",
        sets=tuple((f"mx00.ionos.{end}", f"mx01.ionos.{end}") for end in _IONOS),
    ),
    MailProvider("Hetzner", ("your-server.de",), "Hetzner Docs, konsoleH, Mail: MX record"),
    MailProvider(
        "Namecheap Private Email",
        ("privateemail.com",),
        "Namecheap Knowledgebase, Private Email: MX records",
        sets=(_numbered("mx{}.privateemail.com", 1, 2),),
    ),
    MailProvider("Tuta", ("tutanota.de",), "Tuta Support, Custom domains", sets=(("mail.tutanota.de",),)),
)


def provider_of(host: str) -> MailProvider | None:
    """Who runs the MX host; None: not known here."""
    name = host.lower().removesuffix(".")
    return next((provider for provider in PROVIDERS if provider.runs(name)), None)


def offers(hosts: Iterable[str]) -> tuple[Offer, ...]:
    """What to offer for a domain's MX hosts, one for each provider, in the order of the hosts. What is no host name as
    a policy has it is left out."""
    named = [host.lower().removesuffix(".") for host in hosts]
    groups: dict[MailProvider | None, dict[str, None]] = {}
    for host in (host for host in named if mx.fault(host) is None and not host.startswith("*")):
        groups.setdefault(provider_of(host), {})[host] = None
    return tuple(_offer(provider, tuple(found)) for provider, found in groups.items())


def patterns(hosts: Iterable[str]) -> tuple[str, ...]:
    """The patterns of all offers together: they match every host that was given."""
    return tuple(pattern for offer in offers(hosts) for pattern in offer.patterns)


def too_wide(pattern: str) -> Width | None:
    """Why a pattern is refused, whoever typed it; None: it stands for hosts of one owner as far as is known here."""
    if not pattern.startswith("*."):
        return None
    if is_public_suffix(pattern.removeprefix("*.")):
        return Width.SUFFIX
    return Width.PROVIDER if any(provider.too_wide(pattern) for provider in PROVIDERS) else None


def _offer(provider: MailProvider | None, hosts: tuple[str, ...]) -> Offer:
    if provider is None:
        return Offer(None, hosts, hosts)
    together = [host for group in provider.sets if set(group) & set(hosts) for host in group]
    absent = tuple(host for host in together if host not in hosts)
    return Offer(provider, hosts, provider.wildcards[:1] if provider.moving else hosts, absent)
