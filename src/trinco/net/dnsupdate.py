"""Dynamic updates with TSIG (RFC 2136, RFC 8945), for zones on a server of one's own: Knot, BIND, PowerDNS.

What a record may replace is told to the server as a prerequisite (RFC 2136 section 2.4), so that nothing is overwritten
that came in between.
"""

from __future__ import annotations

import binascii
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update

from trinco import parsing
from trinco.core.errors import Refused
from trinco.net.dnstexts import TTL as TEXT_TTL
from trinco.net.dnstexts import TextPlace, strings
from trinco.net.dnswriting import TTL, Found, Trouble, Wanted, WritingFailed
from trinco.net.guard import Guard

NAME = "rfc2136"
FIELDS = ("server", "key_name", "key_algorithm", "key_secret")
"""What the owner of the zone gives. `server` is an address, with `:port` or `#port` where it is not 53."""
SECONDS = 10.0
_CONVERSATION = 60.0
"""Seconds for all its messages together."""
_PORT, _FREE_PORTS, _LAST_PORT = 53, 1024, 65535
"""Where name servers listen: nobody talks through us to the well-known ports of others."""
_KINDS = (
    *("CNAME", "TXT", "A", "AAAA", "MX", "NS", "CAA", "SRV", "HTTPS", "SVCB"),
    *("SSHFP", "TLSA", "LOC", "PTR", "NAPTR", "DNAME", "DS", "URI"),
)
_RARE = ("AFSDB", "APL", "CERT", "HINFO", "KX", "OPENPGPKEY", "RP", "SMIMEA", "SPF")
"""Never asked for; what is replaced has none of them, or nothing is changed."""
_DENIED = (dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.BADSIG, dns.rcode.BADKEY, dns.rcode.BADTIME)


@dataclass(frozen=True, slots=True)
class UpdateBook:
    """A zone at one server."""

    address: str
    port: int
    zone: str
    key: dns.tsig.Key
    ends: float
    """By the clock that nobody sets; after that, nothing more is sent."""

    def at(self, name: str) -> tuple[Found, ...]:
        """All records at exactly this name, of the kinds that could be in the way. A wildcard's are at no name."""
        found: dict[Found, None] = {}
        for kind in () if self._is_free(name) else _KINDS:
            if any(each.rdtype == "CNAME" for each in found):
                break  # it stands alone (RFC 1034 section 3.6.2)
            query = dns.message.make_query(name, kind)
            query.use_tsig(self.key)
            for rrset in self._asked(query).answer:
                if rrset.name == dns.name.from_text(name):
                    found.update((Found(dns.rdatatype.to_text(rrset.rdtype), each.to_text()), None) for each in rrset)
        return tuple(found)

    def put(self, wanted: Wanted, instead_of: Sequence[Found]) -> None:
        """In one message: nothing has changed at the name since it was looked at, and then the CNAME alone is there.

        Only what was shown is deleted. With another record at the name, nothing is.
        """
        name = dns.name.from_text(wanted.name)
        update = dns.update.UpdateMessage(self.zone, keyring=self.key)
        shown = sorted({each.rdtype for each in instead_of})
        for kind in shown:
            update.present(name, kind, *(each.content for each in instead_of if each.rdtype == kind))
            update.delete(name, kind)
        if not shown:
            update.absent(name)
        for kind in {*_KINDS, *_RARE}.difference(shown) if shown else ():
            update.absent(name, kind)
        update.add(name, TTL, "CNAME", f"{wanted.target}.")
        self._asked(update)

    def say(self, place: TextPlace) -> None:
        """In one message: the name's texts are those that were seen, and no CNAME is there; then the old ones of this
        kind are gone, and the new one is there, if there is one."""
        name = dns.name.from_text(place.wanted.name)
        update = dns.update.UpdateMessage(self.zone, keyring=self.key)
        update.absent(name, "CNAME")
        if place.texts:
            update.present(name, "TXT", *(each.content for each in place.texts))
        else:
            update.absent(name, "TXT")
        for each in place.old:
            update.delete(name, "TXT", each.content)
        if place.wanted.text:
            update.add(name, TEXT_TTL, "TXT", strings(place.wanted.text))
        self._asked(update)

    def _is_free(self, name: str) -> bool:
        """Whether the zone has no record at this name, by a prerequisite alone (RFC 2136 section 2.4.5)."""
        question = dns.update.UpdateMessage(self.zone, keyring=self.key)
        question.absent(dns.name.from_text(name))
        return self._answered(question, dns.rcode.YXDOMAIN).rcode() != dns.rcode.YXDOMAIN

    def _asked(self, message: dns.message.Message) -> dns.message.Message:
        return self._answered(message, dns.rcode.NXDOMAIN)

    def _answered(self, message: dns.message.Message, other: dns.rcode.Rcode) -> dns.message.Message:
        """The answer, which says NOERROR or this other thing. Raises WritingFailed."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise WritingFailed(Trouble.SILENCE, "it took too long in all")
        try:
            reply = dns.query.tcp(message, self.address, min(SECONDS, left), self.port)
        except dns.exception.FormError as error:  # as it comes from one that has no such zone, or no such key
            raise WritingFailed(Trouble.CREDENTIALS, "no signed answer") from error
        except dns.tsig.PeerError as error:
            raise WritingFailed(Trouble.CREDENTIALS, str(error)) from error
        except dns.exception.DNSException as error:
            raise WritingFailed(Trouble.SILENCE, type(error).__name__) from error
        except (OSError, EOFError) as error:
            raise WritingFailed(Trouble.SILENCE, type(error).__name__) from error
        if reply.rcode() in (dns.rcode.NOERROR, other):
            return reply
        denied = reply.rcode() in _DENIED
        raise WritingFailed(Trouble.CREDENTIALS if denied else Trouble.ANSWER, dns.rcode.to_text(reply.rcode()))


@contextmanager
def book(zone: str, credentials: Mapping[str, str], guard: Guard) -> Iterator[UpdateBook]:
    """A conversation with the owner's server. Raises WritingFailed."""
    address, port = _endpoint(credentials.get("server", ""))
    try:
        guard.check(address)
    except Refused as error:
        raise WritingFailed(Trouble.ADDRESS, str(error)) from error
    yield UpdateBook(address, port, zone, _key(credentials), time.monotonic() + _CONVERSATION)


def _endpoint(text: str) -> tuple[str, int]:
    bare, _, port = text.strip().partition("#")
    try:
        [(address, number)] = [parsing.endpoint(f"[{bare}]:{port}")] if port else parsing.resolvers(bare)
    except ValueError:
        raise WritingFailed(Trouble.ADDRESS, f"{text!a} is no address") from None
    if number != _PORT and not _FREE_PORTS <= number <= _LAST_PORT:
        raise WritingFailed(Trouble.ADDRESS, f"port {number} is no name server's")
    return address, number


def _key(credentials: Mapping[str, str]) -> dns.tsig.Key:
    algorithm = credentials.get("key_algorithm") or "hmac-sha256"
    try:
        key = dns.tsig.Key(credentials["key_name"], credentials["key_secret"], algorithm)
    except (dns.exception.DNSException, binascii.Error, ValueError, KeyError):
        raise WritingFailed(Trouble.CREDENTIALS) from None
    if key.algorithm not in dns.tsig.mac_sizes:
        raise WritingFailed(Trouble.CREDENTIALS, f"{algorithm!a} is no algorithm of TSIG")
    return key
