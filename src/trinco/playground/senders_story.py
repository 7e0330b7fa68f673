"""What each sender saw of each customer on each day: the sessions of a TLS report, made up and always the same.

Everything follows from the customer, the day and the sender, so that a report that is sent again is equal to the first.
Failures are those of the mail servers of `cast`, and the ones that are told here.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from trinco.core.tlsrpt.report import FailureDetail, PolicyResult, Report
from trinco.playground.cast import Behaviour, Customer, MailServer
from trinco.playground.senders import Manner, Sender
from trinco.playground.store import Held

SIZES = {
    "correio.example": 1.0,
    "jornal.example": 0.7,
    "hospital.example": 0.6,
    "escola.example": 0.5,
    "atlantico.example": 0.45,
    "antigo.example": 0.12,
    "biblioteca.example": 0.06,
    "filial.grupo.example": 0.05,
}
_USUAL_SIZE = 0.15
_WEEK = (1.0, 1.05, 1.0, 0.95, 0.85, 0.3, 0.22)
"""Monday to Sunday."""

INCIDENT = ("correio.example", "mx2", {7: 0.05, 6: 0.2, 5: 0.3})
"""This server's certificate had expired: the share of sessions that failed, by days before the playground began."""
EXPIRED_FOR = 3
"""Days before the playground began at which the certificate of `Behaviour.EXPIRED` ran out; it was not renewed."""
STUCK = ("cooperativa.example", "jornal.example")
"""This sender has held its first policy of this customer for weeks."""
_STUCK_DAYS = 28
WITH_DANE = ("correio.example", "jornal.example")
STEADY = ("atlantico.example", "correio.example")
"""Nothing goes wrong there by chance."""

_FAULTS = {
    Behaviour.WRONG_NAME: "certificate-host-mismatch",
    Behaviour.PLAIN: "starttls-not-supported",
    Behaviour.EXPIRED: "certificate-expired",
}
_WORDS = {
    Manner.MAIL_RU: {
        "certificate-expired": "x509: certificate has expired or is not yet valid",
        "certificate-host-mismatch": 'x509: certificate is valid for mail.somewhere-else.example, not "{mx}"',
        "starttls-not-supported": "smtp: server doesn't support STARTTLS",
    },
    Manner.POSTFIX: {
        "certificate-expired": "certificate has expired",
        "certificate-host-mismatch": "server certificate not matched",
        "starttls-not-supported": "TLS is required, but was not offered",
    },
    Manner.STALWART: {"certificate-expired": "Certificate Expired"},
}
"""The reason codes of those who give one."""


@dataclass(frozen=True, slots=True)
class View:
    """What a report is about. `occasion` tells several of one day apart; "" for the one that each day has."""

    sender: Sender
    customer: Customer
    held: Sequence[Held]
    day: date
    occasion: str = ""
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        seed = f"{self.sender.domain} {self.domain} {self.day} {self.occasion}".rstrip()
        object.__setattr__(self, "chance", random.Random(seed))  # noqa: S311 - the same every time is what is wanted

    @property
    def domain(self) -> str:
        return str(self.customer.domain)

    @property
    def age(self) -> int:
        """Days before the playground began; negative since."""
        if not self.held:
            return -1
        began = self.held[0].since + timedelta(weeks=self.customer.weeks)
        return (began.date() - self.day).days

    @property
    def policy(self) -> tuple[str, ...]:
        """The lines of the policy that the sender applied, fetched some days before; empty: it knows of none."""
        lag = _STUCK_DAYS if (self.sender.domain, self.domain) == STUCK else self.sender.lag
        until = midnight(self.day + timedelta(days=1 - lag))
        fetched = [each for each in self.held if each.since < until] or list(self.held[:1])
        return tuple(fetched[-1].body.splitlines()) if fetched else ()


def midnight(day: date) -> datetime:
    """The beginning of a UTC day."""
    return datetime.combine(day, time(), UTC)


def told(view: View) -> Report | None:
    """The report; None: the sender had nothing to tell, or its reporting did not run that day."""
    sessions = _sessions(view) if view.customer.mail else 0
    if not sessions or _silent(view):
        return None
    return Report(
        view.sender.organization_name,
        view.sender.address,
        _report_id(view),
        midnight(view.day),
        _end(view),
        tuple(_results(view, sessions)),
    )


def _silent(view: View) -> bool:
    """One day in three weeks a sender's reports do not come; those of the incident do, and what was asked for."""
    if view.occasion or view.age in INCIDENT[2]:
        return False
    digest = hashlib.sha256(f"{view.sender.domain} {view.day.toordinal()}".encode()).digest()
    return digest[0] % 21 == 0


def _sessions(view: View) -> int:
    size = SIZES.get(view.domain, _USUAL_SIZE)
    expected = view.sender.sessions * size * _WEEK[view.day.weekday()] * view.chance.uniform(0.85, 1.15)
    return max(int(expected + view.chance.random()), 1 if view.occasion else 0)


def _end(view: View) -> datetime:
    next_day = midnight(view.day + timedelta(days=1))
    whole = view.sender.manner in (Manner.MAIL_RU, Manner.STALWART)
    return next_day if whole else next_day - timedelta(seconds=1)


def _report_id(view: View) -> str:
    domain, sender, day = view.domain, view.sender.domain, view.day.isoformat()
    number = view.chance.getrandbits(59)
    at = f"-{view.occasion}" if view.occasion else ""
    return {
        Manner.GOOGLE: f"{day}T00:00:00Z_{domain}{at}",
        Manner.MICROSOFT: f"{number:018}+{domain}",
        Manner.MAIL_RU: f"{uuid.UUID(int=number << 68 | number)}@{sender}",
        Manner.POSTFIX: f"{day}T00:00:00Z_idx1_{domain}",
        Manner.STALWART: f"{int(midnight(view.day).timestamp())}_{number}",
        Manner.SMALL: f"{day}.{domain}@{sender}",
    }[view.sender.manner]


def _results(view: View, sessions: int) -> Iterator[PolicyResult]:
    if view.sender.manner is Manner.SMALL or not view.policy:
        yield PolicyResult("no-policy-found", policy_domain=view.domain, successful_session_count=sessions)
        return
    details = [detail for failed in _failures(view, sessions) for detail in _details(view, *failed)]
    failed = min(sum(detail.failed_session_count for detail in details), sessions)
    yield PolicyResult("sts", view.policy, view.domain, _mx(view.policy), sessions - failed, failed, tuple(details))
    if view.sender.manner is Manner.MICROSOFT and view.domain in WITH_DANE:
        yield _tlsa(view, sessions)
    if view.sender.manner is Manner.MAIL_RU and view.domain not in STEADY and view.chance.random() < 1 / 12:
        yield _not_fetched(view)


def _mx(policy: Iterable[str]) -> tuple[str, ...]:
    return tuple(line.removeprefix("mx: ") for line in policy if line.startswith("mx: "))


Failed = tuple[str, MailServer | None, int]
"""A result type, the server (None: the sender does not say) and how many sessions."""


def _failures(view: View, sessions: int) -> Iterator[Failed]:
    for server, share in _shares(view.customer.mail):
        count = round(sessions * share * view.chance.uniform(0.8, 1.2)) if share < 1 else sessions
        fault = _FAULTS.get(server.behaviour)
        begun = server.behaviour is not Behaviour.EXPIRED or view.age <= EXPIRED_FOR
        if fault and begun and count:
            yield fault, server, count
        if not server.in_policy and view.sender.manner is Manner.MICROSOFT and count:
            yield "validation-failure", None, count
    yield from _incident(view, sessions)


def _shares(mail: Sequence[MailServer]) -> Iterator[tuple[MailServer, float]]:
    """How much of the mail goes to each server: nearly all to the first; those that are silent get none."""
    speaking = sorted((one for one in mail if one.behaviour is not Behaviour.SILENT), key=lambda one: one.preference)
    for place, server in enumerate(speaking):
        rest = 0.08 if len(speaking) > 1 else 0.0
        yield server, rest / (len(speaking) - 1) if place else 1 - rest


def _incident(view: View, sessions: int) -> Iterator[Failed]:
    domain, label, shares = INCIDENT
    count = round(sessions * shares.get(view.age, 0.0) * view.chance.uniform(0.9, 1.1))
    if view.domain == domain and count:
        yield "certificate-expired", next(one for one in view.customer.mail if one.label == label), count


def _details(view: View, result_type: str, server: MailServer | None, count: int) -> Iterator[FailureDetail]:
    manner = view.sender.manner
    if manner is Manner.MICROSOFT or server is None:
        words = "MX_HOSTS_MISMATCH" if server is None else ""
        yield FailureDetail(result_type=result_type, failed_session_count=count, failure_reason_code=words)
        return
    mx = f"{server.label}.{view.domain}"
    words = _WORDS.get(manner, {}).get(result_type, "").format(mx=mx)
    for address, part in _spread(view, count):
        detail = FailureDetail(
            result_type=result_type, receiving_mx_hostname=mx, failed_session_count=part, failure_reason_code=words
        )
        if manner is not Manner.MAIL_RU:
            detail = msgspec.structs.replace(detail, sending_mta_ip=address, receiving_ip=server.behaviour.value)
        yield detail


def _spread(view: View, count: int) -> Iterator[tuple[str, int]]:
    """The sessions over some of the sender's machines."""
    machines = view.chance.sample(view.sender.addresses, min(count, len(view.sender.addresses), 2))
    for place, address in enumerate(machines):
        yield address, count // len(machines) + (place < count % len(machines))


def _tlsa(view: View, sessions: int) -> PolicyResult:
    """Under the customer's name, not its MX's, and the same sessions once more."""
    keys = (hashlib.sha256(f"{server.label}.{view.domain}".encode()).hexdigest() for server in view.customer.mail)
    failed = 0 if view.domain in STEADY or view.chance.random() > 1 / 8 else min(sessions, view.chance.randint(1, 3))
    details = (FailureDetail(result_type="tlsa-invalid", failed_session_count=failed),) if failed else ()
    lines = tuple(f"3 1 1 {key.upper()}" for key in keys)
    return PolicyResult("tlsa", lines, view.domain, (), sessions - failed, failed, details)


def _not_fetched(view: View) -> PolicyResult:
    count = view.chance.randint(1, 2)
    reason = f'Get "https://mta-sts.{view.domain}/.well-known/mta-sts.txt": context deadline exceeded'
    detail = FailureDetail(result_type="sts-policy-fetch-error", failed_session_count=count, failure_reason_code=reason)
    return PolicyResult("sts", (), view.domain, (), 0, count, (detail,))
