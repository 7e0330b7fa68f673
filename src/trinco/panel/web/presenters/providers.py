"""Whose MX hosts and whose name servers a domain has, and how that DNS provider wants the records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from trinco.core import dnshosts, mailhosts
from trinco.core.dnshosts import DnsHost
from trinco.core.mailhosts import Offer
from trinco.net.dnstexts import TTL as TEXT_TTL
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies.instructions import Instruction, instructions


@dataclass(frozen=True, slots=True)
class Typed:
    """One record as it is typed at the provider: the name relative to the zone, the value with or without a dot."""

    name: str
    value: str
    rdtype: str = "CNAME"


@dataclass(frozen=True, slots=True)
class Guide:
    """What to do at one DNS provider."""

    host: DnsHost
    zone: str
    records: tuple[Typed, ...]

    @property
    def menu(self) -> str:
        return " › ".join(self.host.menu)

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(record.rdtype for record in self.records))

    @property
    def steps(self) -> tuple[str, ...]:
        """Sentences in the reader's language around the words of the provider's own page."""
        return self._for_cnames() if set(self.types) <= {"CNAME"} else self._for_others()

    def _for_others(self) -> tuple[str, ...]:
        """The fields of other types have names of their own, and each provider's switches are for names alone."""
        return (
            _("Open %(zone)s there: %(menu)s. The type is %(type)s.")
            % {"zone": self.zone, "menu": self.menu, "type": ", ".join(self.types)},
            _("Into “%(field)s” goes the name without %(zone)s, which is added by itself.")
            % {"field": self.host.name_field, "zone": self.zone},
            _("The value is typed as it stands here. If there is a record of this type already, change that one."),
            _("Set “%(field)s” to “%(value)s”.") % {"field": self.host.ttl_field, "value": TEXT_TTL},
        )

    def _for_cnames(self) -> tuple[str, ...]:
        host = self.host
        ending = (
            _("Into “%(field)s” goes the value with the dot at its end: without it %(zone)s would be added.")
            if host.final_dot
            else _("Into “%(field)s” goes the value, without a dot at its end.")
        )
        return (
            _("Open %(zone)s there: %(menu)s. The type is CNAME.") % {"zone": self.zone, "menu": self.menu},
            _("Into “%(field)s” goes the name without %(zone)s, which is added by itself.")
            % {"field": host.name_field, "zone": self.zone},
            ending % {"field": host.value_field, "zone": self.zone},
            *(_("Set “%(field)s” to “%(value)s”.") % {"field": name, "value": value} for name, value in host.switches),
            _("“%(field)s” may stay as it is: the records never change.") % {"field": host.ttl_field},
        )


def guides(domain: HostedDomain) -> tuple[Guide, ...]:
    """One for each provider that serves the domain's zone; none while that is not known."""
    return tuple(_guide(host, domain) for host in dnshosts.hosts_of(domain.nameservers))


def _guide(host: DnsHost, domain: HostedDomain) -> Guide:
    zone = domain.zone or domain.name
    return Guide(host, zone, tuple(typed for each in instructions(domain) for typed in _typed(each, host, zone)))


def _typed(each: Instruction, host: DnsHost, zone: str) -> Iterator[Typed]:
    name = dnshosts.relative(each.owner, zone)
    if each.target:
        yield Typed(name, each.target + ("." if host.final_dot else ""))
    for rdtype, value in each.values:
        yield Typed(name, value, rdtype)


def known_offers(hosts: Iterable[str]) -> tuple[Offer, ...]:
    """Those of the offers that have a provider's name."""
    return tuple(offer for offer in mailhosts.offers(hosts) if offer.provider is not None)
