"""The organisations of the made-up internet that send TLS reports: who they are, how they write, and their zones.

Each writes in the manner of a real sender, oddities included; `senders_mail` knows the manners.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from trinco.playground.cast import NAMESERVER
from trinco.playground.world import Record, Zone


class Manner(Enum):
    """Whose reports these are like."""

    GOOGLE = auto()
    MICROSOFT = auto()
    """No mx-host, details without addresses and names, `tlsa` beside `sts`, the text as HTML."""
    MAIL_RU = auto()
    """The subject folded at each word, an empty part at the end, the day ends with the next midnight."""
    POSTFIX = auto()
    """Postfix with tlsrpt-reporter: `TLS-Required: No`, a report-id made of day and domain."""
    STALWART = auto()
    """By HTTPS where the record names a door, `failure-details` also where there are none."""
    SMALL = auto()
    """A home-made program that knows no MTA-STS and signs nothing."""


@dataclass(frozen=True, slots=True)
class Sender:
    """One organisation. `contact` is the local part of its address, `selector` of its key ("": it does not sign)."""

    domain: str
    organization_name: str
    contact: str
    manner: Manner
    sessions: int
    """To a customer of the largest size, on a working day."""
    addresses: tuple[str, ...]
    selector: str = ""
    lag: int = 0
    """Days that it goes on with a policy that it holds."""

    @property
    def address(self) -> str:
        return f"{self.contact}@{self.domain}"

    @property
    def note(self) -> str:
        """What its zone is there to show."""
        if not self.selector:
            return "sends TLS reports that nobody has signed"
        posts = self.manner is Manner.STALWART
        return "sends TLS reports, by HTTPS where it may" if posts else "sends signed TLS reports"


SENDERS: tuple[Sender, ...] = (
    Sender(
        "gigante-mail.example",
        "Gigante Mail",
        "smtp-tls-reporting",
        Manner.GOOGLE,
        420,
        ("192.0.2.41", "192.0.2.47", "192.0.2.52", "2001:db8:41::1a"),
        selector="g2026",
    ),
    Sender(
        "office-cloud.example",
        "Office Cloud Corporation",
        "tlsrpt-noreply",
        Manner.MICROSOFT,
        240,
        ("198.51.100.20",),
        selector="selector2",
    ),
    Sender(
        "posta-norte.example",
        "Posta Norte",
        "tls_support",
        Manner.MAIL_RU,
        26,
        ("203.0.113.14", "203.0.113.15"),
        selector="mail",
        lag=6,
    ),
    Sender(
        "cooperativa.example",
        "Cooperativa de Correio",
        "postmaster",
        Manner.POSTFIX,
        34,
        ("203.0.113.80",),
        selector="tlsrpt",
    ),
    Sender(
        "estalagem.example",
        "estalagem.example",
        "tlsrpt",
        Manner.STALWART,
        16,
        ("203.0.113.120", "2001:db8:120::25"),
        selector="202601r",
    ),
    Sender("quiosque.example", "Quiosque", "correio", Manner.SMALL, 6, ("203.0.113.200",)),
)
"""The first one is asked for a report by the playground's page."""


def zone(sender: Sender, key: str) -> tuple[Zone, tuple[Record, ...]]:
    """The zone of a sender. `key` is the TXT of its DKIM key ("": it has none)."""
    networks = " ".join(f"ip{6 if ':' in address else 4}:{address}" for address in sender.addresses)
    records = [
        Record.parse(sender.domain, "NS", f"{NAMESERVER}."),
        Record.parse(sender.domain, "A", "127.0.1.10"),
        Record.parse(sender.domain, "TXT", f"v=spf1 {networks} -all"),
    ]
    if key:
        records.append(Record.parse(f"{sender.selector}._domainkey.{sender.domain}", "TXT", key))
    return Zone(sender.domain, sender.note), tuple(records)
