"""What the edges must know of the customers, as immutable values.

The panel renders a `Publication` (all of it) and `Change`s (what became different since a revision); the edges hold one
Publication in memory and on disk and answer from nothing else. Names on the wire (DESIGN section 4), for a hosted
domain D with the unguessable label L and our zone B:

    mta-sts.D     CNAME  L.policy.B    A and AAAA of the policy edges, CAA
    _mta-sts.D    CNAME  L.mta-sts.B   TXT of RFC 8461 section 3.1
    _smtp._tls.D  CNAME  L.tlsrpt.B    TXT of RFC 8460 section 3

The customer's name is never part of ours: `_smtp._tls.` in front of a name of 242 octets fills the 253 that DNS allows.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from trinco.core.names import Domain


class Certificate(msgspec.Struct, frozen=True, gc=False):
    """A certificate of a host name, at rest: the key stays sealed until a TLS context is built from it."""

    leaf: bytes
    """DER of the end-entity certificate."""
    chain: str
    """Key into `Publication.chains`."""
    sealed_key: bytes
    """PKCS #8 DER, sealed with the installation's seal key and bound to the host name (associated data)."""
    not_after: int
    """End of validity, Unix seconds."""


class HostedDomain(msgspec.Struct, frozen=True, gc=False):
    """One customer's domain, as the edges serve it."""

    domain: Domain
    label: str
    revision: int
    """The Publication's revision that last changed this value."""
    policy: bytes | None = None
    """Body of the policy file, CRLF line ends; None: not served (the domain has not proved its CNAMEs yet)."""
    policy_id: str | None = None
    """The id that TXT announces; None: no TXT record yet. May be behind `policy`, never ahead (RFC 8461 8.1)."""
    tlsrpt: str | None = None
    """The whole TXT of `_smtp._tls`; None: no record."""
    certificate: Certificate | None = None

    @property
    def policy_host(self) -> str:
        """`mta-sts.<domain>`, the one name at which the policy is served (RFC 8461 section 3.3)."""
        return f"mta-sts.{self.domain}"


class NameServer(msgspec.Struct, frozen=True):
    """A name server of our zone. `addresses` are IPv4 and IPv6 texts; empty when `host` lies outside the zone."""

    host: str
    addresses: tuple[str, ...] = ()


class Zone(msgspec.Struct, frozen=True):
    """Our own zone: what in it is not a customer's. Host names are A-labels without the final dot; TTLs are seconds."""

    base: Domain
    nameservers: tuple[NameServer, ...]
    policy_addresses: tuple[str, ...]
    """IPv4 and IPv6 of the policy edges: the A and AAAA of every `<label>.policy.<base>`."""
    panel_addresses: tuple[str, ...] = ()
    """IPv4 and IPv6 of `<base>` itself (empty: no address there)."""
    reports_host: str = ""
    """Host of the report mailbox and the HTTPS report door; "": none. Inside the zone it gets its addresses and MX."""
    reports_addresses: tuple[str, ...] = ()
    reports_mx: tuple[tuple[int, str], ...] = ()
    """(preference, host) of `reports_host`."""
    reports_certificate: Certificate | None = None
    """Of `reports_host`, to which the key is bound, and of its mail hosts in the zone. Its issuers are in `chains`."""
    thumbprint: str = ""
    """Of the key of our accounts with certificate authorities: what challenges over HTTP are answered with (RFC 8555
    section 8.3). One for all authorities, so that an answer needs neither the token nor who asks; "": none yet."""
    caa: tuple[str, ...] = ()
    """CAA values at every policy target, e.g. `letsencrypt.org; validationmethods=http-01`. Empty: nobody may issue."""
    hostmaster: str = ""
    """The SOA's RNAME as a host name, e.g. `hostmaster.<base>`; "" : `hostmaster.<base>`."""
    ttl: int = 300
    refresh: int = 3600
    retry: int = 600
    expire: int = 1209600
    """At least 14 days, so that secondaries outlive a dead primary."""
    negative_ttl: int = 300

    @property
    def own_hosts(self) -> tuple[str, ...]:
        """The reports host, then those of its mail hosts that lie in the zone: they have one certificate together."""
        if not self.reports_host:
            return ()
        base = str(self.base)
        mail = sorted({host for _, host in self.reports_mx if host == base or host.endswith(f".{base}")})
        return tuple(dict.fromkeys((self.reports_host, *mail)))


class Change(msgspec.Struct, frozen=True):
    """What became different between the revision an edge holds and `revision`. `whole`: forget all that was held."""

    revision: int
    zone: Zone
    changed: tuple[HostedDomain, ...] = ()
    removed: tuple[str, ...] = ()
    """Labels that are no longer served."""
    chains: Mapping[str, tuple[bytes, ...]] = {}
    """Issuer certificates (DER, nearest first) that `changed` and the zone need."""
    whole: bool = False


class Publication(msgspec.Struct, frozen=True):
    """All that an edge serves at one revision, which is the zone's SOA serial as well: a counter, only forward."""

    revision: int
    zone: Zone
    domains: Mapping[str, HostedDomain] = {}
    """By label."""
    chains: Mapping[str, tuple[bytes, ...]] = {}

    def apply(self, change: Change) -> Publication:
        """The Publication after `change`; this one stays as it was."""
        domains = {} if change.whole else dict(self.domains)
        for label in change.removed:
            domains.pop(label, None)
        domains.update((domain.label, domain) for domain in change.changed)
        chains = {**({} if change.whole else self.chains), **change.chains}
        return Publication(change.revision, change.zone, domains, chains)


NOT_IN_DNS = frozenset({"reports_certificate", "thumbprint"})
"""What a Zone holds beside its records."""


def same_records(one: Zone, other: Zone) -> bool:
    """Whether the two have the same records, but for the serial."""
    fields = [name for name in one.__struct_fields__ if name not in NOT_IN_DNS]
    return all(getattr(one, name) == getattr(other, name) for name in fields)


def empty(zone: Zone) -> Publication:
    """A Publication of the zone alone, before any customer."""
    return Publication(0, zone)
