"""Does CAA let our certificate authority issue for a policy host (RFC 8659)?

The relevant record set is the first one found by climbing from `mta-sts.<domain>` towards the root, a CNAME followed at
each step (section 3). Behind the customer's CNAME stands our own target, and where the installation names its authority
there (`TRINCO_CAA`), that set ends the climb: what the customer's zone says higher up does not count, but its servers
must answer the question. Where it names none (the development CA), the customer's own records are what is left to obey,
and the authority goes by the name of our zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from trinco.config import Config
from trinco.core.errors import DnsFailure
from trinco.net.dns import Dns

_RECORD = re.compile(r'(?P<flags>[0-9]+) (?P<tag>[A-Za-z0-9]+) "(?P<value>.*)"', re.DOTALL)
_UNDERSTOOD = frozenset({"issue", "issuewild", "iodef", "issuemail", "contactemail", "contactphone"})
_CRITICAL = 128
_METHOD = "http-01"
_ACCOUNT = "accounturi"


@dataclass(frozen=True, slots=True)
class Issuers:
    """Who issues our certificates. `names`: issuer domain names; `ours_decides`: whether our target publishes CAA;
    `accounts`: URLs of our accounts there."""

    names: frozenset[str]
    ours_decides: bool
    accounts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Property:
    """One CAA record (RFC 8659 section 4.1). `issuer` and `parameters` are those of an issue value (section 4.2)."""

    critical: bool
    tag: str
    issuer: str
    parameters: dict[str, str]


def issuers(config: Config, accounts: Iterable[str] = ()) -> Issuers:
    """The issuers of an installation that has these accounts (URLs)."""
    names = frozenset(value.partition(";")[0].strip().lower() for value in config.caa)
    return Issuers(names or frozenset({str(config.base)}), bool(names), frozenset(accounts))


def parse(value: str) -> Property | None:
    """A CAA record in the form `0 issue "ca.example.net; key=value"`; None for what has no such form."""
    found = _RECORD.fullmatch(value)
    if found is None:
        return None
    issuer, *pairs = found["value"].split(";")
    parameters = _parameters(pairs)
    critical = bool(int(found["flags"]) & _CRITICAL)
    return Property(critical, found["tag"].lower(), issuer.strip().lower(), parameters)


def _parameters(pairs: Iterable[str]) -> dict[str, str]:
    """An account is a URL, of which case counts; one that is named twice is none (RFC 8657 section 3)."""
    found = dict[str, str]()
    for pair in filter(str.strip, pairs):
        name, _, value = (part.strip() for part in pair.partition("="))
        name = name.lower()
        value = value if name == _ACCOUNT else value.lower()
        found[name] = "" if name == _ACCOUNT and name in found else value
    return found


def permits(values: tuple[str, ...], issuers: Issuers) -> bool:
    """Whether this record set, which is not empty, lets one of the issuers issue (RFC 8659 section 4.2).

    No `issue` property among them: nothing is said. A critical property that nobody knows forbids (section 4.1).
    """
    properties = [parse(value) for value in values]
    if any(each is None or (each.critical and each.tag not in _UNDERSTOOD) for each in properties):
        return False
    issue = [each for each in properties if each and each.tag == "issue"]
    return not issue or any(names_us(each, issuers) for each in issue)


def names_us(issue: Property, issuers: Issuers) -> bool:
    """Whether an issue property lets one of the issuers issue to us, the way we prove a name."""
    ours = _ACCOUNT not in issue.parameters or issue.parameters[_ACCOUNT] in issuers.accounts  # RFC 8657 section 3
    return issue.issuer in issuers.names and ours and _by_our_method(issue)


def _by_our_method(issue: Property) -> bool:
    """RFC 8657 section 4: a list of validation methods must hold ours."""
    methods = issue.parameters.get("validationmethods")
    return methods is None or _METHOD in [method.strip() for method in methods.split(",")]


async def objection(dns: Dns, domain: str, issuers: Issuers) -> str:
    """The record that forbids our certificate for `mta-sts.<domain>`, with its owner's name; "" when none does.

    A server of the domain that does not answer the question forbids as well: an authority does not issue then (RFC 8659
    section 3). Above the domain silence is somebody else's, most likely our resolver's, and says nothing.
    """
    name = f"mta-sts.{domain}"
    while name:
        try:
            answer = await (dns.authoritative if _within(name, domain) else dns.resolve)(name, "CAA")
        except DnsFailure as error:
            return f"{name} CAA: {error}" if _within(name, domain) else ""
        if issuers.ours_decides:
            return ""
        if values := answer.values("CAA", name):
            return "" if permits(values, issuers) else f"{name} CAA {', '.join(values)}"
        name = name.partition(".")[2]
    return ""


def _within(name: str, domain: str) -> bool:
    return name == domain or name.endswith("." + domain)
