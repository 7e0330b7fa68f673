"""The customers of the made-up internet: who they are, how their DNS stands and how their mail servers behave.

Each of them shows one state that the product knows. `cli.seed` adds them to the panel; the zones are made here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum

from trinco.core.names import Domain
from trinco.playground.world import Record, Zone

NAMESERVER = "ns1.dns.example"
RIVAL = "rival.example"
"""Where those point whose records belong to another provider."""


class Behaviour(Enum):
    """What a mail server does when asked for STARTTLS, and the loopback address at which it listens."""

    GOOD = "127.0.1.11"
    EXPIRED = "127.0.1.12"
    WRONG_NAME = "127.0.1.13"
    PLAIN = "127.0.1.14"
    """Offers no STARTTLS."""
    SILENT = "127.0.1.15"
    """Nobody listens there."""


class Dns(Enum):
    """How the three names of a customer stand."""

    FOUND = "the three CNAMEs point to Trinco"
    ELSEWHERE = "the names still point to another provider"
    MISSING = "nothing is published yet"
    TXT = "a TXT record of one's own is in the way"
    WILDCARD = "a wildcard answers for the names"
    PROXIED = "a proxy gives its own addresses in place of the CNAME"
    CAA = "CAA forbids the certificate"


class Story(StrEnum):
    """How far a customer has come with Trinco."""

    STRANGER = "stranger"
    """Not added: for the visitor to add."""
    WAITING = "waiting"
    NONE = "none"
    TESTING = "testing"
    ENFORCE = "enforce"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class MailServer:
    """One MX: its host name within the customer's zone."""

    label: str
    behaviour: Behaviour = Behaviour.GOOD
    preference: int = 10
    in_policy: bool = True
    """Whether the policy covers it: False for one that was put into DNS later."""


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer's domain. `name` is as people write it; `weeks` is how long ago the story began."""

    name: str
    story: Story
    dns: Dns = Dns.FOUND
    weeks: int = 0
    mail: tuple[MailServer, ...] = (MailServer("mx1"),)
    note: str = ""
    https: bool = False
    """Whether it wants reports by HTTPS as well, and counts them."""

    @property
    def domain(self) -> Domain:
        return Domain.parse(self.name)

    @property
    def mx(self) -> tuple[str, ...]:
        """The hosts that the policy names."""
        return tuple(f"{server.label}.{self.domain}" for server in self.mail if server.in_policy)

    @property
    def zone(self) -> Zone:
        return Zone(str(self.domain), self.note or self.dns.value)


_PAIR = (MailServer("mx1"), MailServer("mx2", preference=20))

CUSTOMERS: tuple[Customer, ...] = (
    Customer(
        "correio.example", Story.ENFORCE, weeks=9, mail=_PAIR, note="enforce for weeks: as it should be", https=True
    ),
    Customer("novo.example", Story.STRANGER, Dns.MISSING, mail=_PAIR, note="not added yet: add it, then publish here"),
    Customer("atlantico.example", Story.TESTING, weeks=3, mail=_PAIR, note="testing, ready for enforce"),
    Customer("câmara.example", Story.TESTING, weeks=2, note="a name with an accent, testing"),
    Customer("filial.grupo.example", Story.TESTING, weeks=1, note="a zone below another one"),
    Customer("parado.example", Story.NONE, weeks=5, mail=(), note="parked: takes no mail, mode none"),
    Customer("antigo.example", Story.LEAVING, weeks=12, note="leaving: mode none until the horizon"),
    Customer(
        "jornal.example",
        Story.ENFORCE,
        weeks=6,
        mail=(MailServer("mx1"), MailServer("mx9", preference=20, in_policy=False)),
        note="enforce, and a mail server that the policy does not cover",
    ),
    Customer(
        "escola.example",
        Story.TESTING,
        weeks=4,
        mail=(MailServer("mx1"), MailServer("mx2", Behaviour.EXPIRED, 20)),
        note="testing, and one mail server's certificate has expired",
    ),
    Customer(
        "hospital.example",
        Story.TESTING,
        weeks=4,
        mail=(MailServer("mx1"), MailServer("mx2", Behaviour.PLAIN, 20)),
        note="testing, and one mail server offers no STARTTLS",
    ),
    Customer(
        "biblioteca.example",
        Story.TESTING,
        weeks=2,
        mail=(MailServer("mx1", Behaviour.WRONG_NAME), MailServer("mx2", Behaviour.SILENT, 20)),
        note="testing, one certificate of another name and one server that is silent",
    ),
    Customer("fabrica.example", Story.WAITING, Dns.ELSEWHERE),
    Customer("porto.example", Story.WAITING, Dns.MISSING),
    Customer("museu.example", Story.WAITING, Dns.TXT),
    Customer("mercado.example", Story.WAITING, Dns.WILDCARD),
    Customer("nuvem.example", Story.WAITING, Dns.PROXIED),
    Customer("cofre.example", Story.WAITING, Dns.CAA),
)


@dataclass(frozen=True, slots=True)
class Delegation:
    """Trinco's own zone as its parent `example` knows it: the addresses of its one name server."""

    base: Domain
    nameserver: str
    addresses: tuple[str, ...]


def targets(base: Domain, label: str) -> dict[str, str]:
    """Where the three names of a customer point, by the name's own part (DESIGN section 4)."""
    return {
        "mta-sts": f"{label}.policy.{base}",
        "_mta-sts": f"{label}.mta-sts.{base}",
        "_smtp._tls": f"{label}.tlsrpt.{base}",
    }


def records(customer: Customer, base: Domain, label: str) -> tuple[Record, ...]:
    """The zone of a customer. `label` is the panel's for this domain; "" for a stranger."""
    origin = str(customer.domain)
    return (*_frame(origin), *_mail(customer, origin), *_hosting(customer.dns, origin, targets(base, label)))


def _frame(origin: str) -> Iterable[Record]:
    yield Record.parse(origin, "NS", f"{NAMESERVER}.")
    yield Record.parse(origin, "A", "127.0.1.10")


def _mail(customer: Customer, origin: str) -> Iterable[Record]:
    if not customer.mail:
        yield Record.parse(origin, "MX", "0 .")  # RFC 7505: takes no mail
    for server in customer.mail:
        host = f"{server.label}.{origin}"
        yield Record.parse(origin, "MX", f"{server.preference} {host}.")
        yield Record.parse(host, "A", server.behaviour.value)


def _hosting(state: Dns, origin: str, ours: dict[str, str]) -> Iterable[Record]:
    """What stands at the three names in each state."""
    if state in (Dns.MISSING, Dns.CAA, Dns.WILDCARD):
        return _instead(state, origin)
    if state is Dns.ELSEWHERE:
        return _aliases(origin, {name: f"{name}.{RIVAL}" for name in ours})
    left_out = {Dns.TXT: "_mta-sts", Dns.PROXIED: "mta-sts"}.get(state)
    aliases = {name: target for name, target in ours.items() if name != left_out}
    return (*_aliases(origin, aliases), *_instead(state, origin))


def _aliases(origin: str, pointing: dict[str, str]) -> Iterable[Record]:
    return [Record.parse(f"{name}.{origin}", "CNAME", f"{target}.") for name, target in pointing.items()]


def _instead(state: Dns, origin: str) -> Iterable[Record]:
    """The records that are there in place of a CNAME."""
    others = {
        Dns.TXT: (f"_mta-sts.{origin}", "TXT", "v=STSv1; id=20240229T101500"),
        Dns.WILDCARD: (f"*.{origin}", "A", "127.0.1.10"),
        Dns.PROXIED: (f"mta-sts.{origin}", "A", "127.0.1.10"),
        Dns.CAA: (origin, "CAA", '0 issue "another-ca.example"'),
    }
    return [Record.parse(*others[state])] if state in others else []


def surroundings(delegation: Delegation) -> tuple[tuple[Zone, tuple[Record, ...]], ...]:
    """The zones around the customers: the parent `example`, which delegates Trinco's zone, and the providers'."""
    parent = str(delegation.base).partition(".")[2]
    glue = [Record.parse(delegation.nameserver, _family(text), text) for text in delegation.addresses]
    ours = [Record.parse(str(delegation.base), "NS", f"{delegation.nameserver}."), *glue]
    parents = {"example": [Record.parse("example", "NS", f"{NAMESERVER}.")]}
    parents.setdefault(parent, [Record.parse(parent, "NS", f"{NAMESERVER}.")]).extend(ours)
    return (
        *((Zone(origin, "the zone above"), tuple(held)) for origin, held in parents.items()),
        (Zone("dns.example", "the customers' DNS provider"), _provider()),
        (Zone(RIVAL, "another provider of MTA-STS"), _rival()),
        (Zone("grupo.example", "the zone above filial.grupo.example"), tuple(_frame("grupo.example"))),
    )


def _family(address: str) -> str:
    return "AAAA" if ":" in address else "A"


def _provider() -> tuple[Record, ...]:
    return (Record.parse("dns.example", "NS", f"{NAMESERVER}."), Record.parse(NAMESERVER, "A", "127.0.0.1"))


def _rival() -> tuple[Record, ...]:
    return (*_frame(RIVAL), Record.parse(f"mta-sts.{RIVAL}", "A", "127.0.1.10"))
