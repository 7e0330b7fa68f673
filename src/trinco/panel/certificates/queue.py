"""Who gets a certificate next: as many new orders as the authority's limits allow, renewals before newcomers.

Authorities count new orders (Let's Encrypt: 300 in three hours of one account) and failures of a name (5 an hour). A
renewal that says what it replaces (RFC 9773) is not counted and passes by. What ends first is ordered first, and
newcomers in the order in which they were added.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from trinco.net.acme import certificate_id
from trinco.panel import keyring, wall
from trinco.panel.certificates import account as accounts
from trinco.panel.certificates import hosts, orders
from trinco.panel.certificates.due import orderable
from trinco.panel.certificates.models import Account, Advised, Attempt, Certificate, HostCertificate, Order, Stage
from trinco.panel.certificates.orders import Desk
from trinco.panel.certificates.terms import SLACK, Jitter, wanted_at
from trinco.panel.domains.models import HostedDomain

PENDING: Final = 200
"""Orders that are under way at a time."""
FAILURES: Final = 5
"""Of one name within an hour, after which it is left alone."""
TRIES: Final = 3
"""Failures of one name after which the staging environment is asked first, and the second authority in turn."""
AWAY: Final = timedelta(hours=1)
"""After which the second authority is asked in place of the first."""
HANDED_IN: Final = timedelta(hours=6)
"""How much longer an order is waited for that has been finalized."""


def work(now: datetime, jitter: Jitter = random.random) -> int:
    """One turn of a worker: new orders, then all that are due a step further. How many certificates were stored."""
    return turn(orders.desk(now, jitter))


def turn(desk: Desk) -> int:
    """As `work`, at this desk."""
    leave_those_away(desk)
    admit(desk)
    return orders.move_due(desk)


def leave_those_away(desk: Desk) -> None:
    """An order whose authority is away for long is given up where there is another; one in staging at once.

    One that has been handed in is waited for longer: its certificate may be there already.
    """
    staging = [site.place.directory for site in desk.sites if site.rehearsal]
    lost = Q(account__directory__in=staging, account__away_since__isnull=False)
    if len(desk.sites) - len(staging) > 1:
        lost |= ~Q(stage=Stage.FINALIZED) & Q(account__away_since__lte=desk.now - AWAY)
        lost |= Q(account__away_since__lte=desk.now - AWAY - HANDED_IN)
    orders = Order.objects.everywhere().filter(lost, ended_at__isnull=True, lease_until__isnull=True)
    orders.update(stage=Stage.FAILED, ended_at=desk.now, sealed_key=b"", csr=b"", fence=F("fence") + 1)


def admit(desk: Desk) -> int:
    """Make orders for what is due, as far as the limits go. How many."""
    gate = Gate.at(desk)
    if not gate.choose(0) and not gate.choose(TRIES):
        return 0
    made = sum(_admit_ours(gate))
    made += sum(_admit(domain, gate) for domain in advised(desk.now, gate.first)[: gate.room - made])
    free = min(max(gate.free.values(), default=0), gate.room - made)
    return made + sum(_admit(domain, gate) for domain in queued(desk.now)[: max(free, 0)])


@dataclass(frozen=True, slots=True)
class Gate:
    """What may still be ordered in this turn."""

    desk: Desk
    accounts: tuple[Account, ...]
    """Of the first authority, and of the second where there is one."""
    staging: Account | None
    free: dict[int, int]
    """By account: new orders that its limit leaves."""
    room: int

    @classmethod
    def at(cls, desk: Desk) -> Gate:
        rows = tuple(accounts.account_of(site) for site in desk.sites if not site.rehearsal)
        staging = next((accounts.account_of(site) for site in desk.sites if site.rehearsal), None)
        room = PENDING - Order.objects.everywhere().filter(ended_at__isnull=True).count()
        return cls(desk, rows, staging, {row.pk: orders.free(row, desk.now) for row in rows}, max(room, 0))

    @property
    def first(self) -> Account:
        return self.accounts[0]

    def choose(self, failures: int, *, rehearsed: bool = True) -> Account | None:
        """The authority to ask for a name that failed so often; None: none can be asked now.

        What keeps failing is tried in the staging environment first, unless that is away: its failures are free.
        `rehearsed`: it has been, or there is no time for it.
        """
        now = self.desk.now
        if failures >= TRIES and not rehearsed and self.staging and not accounts.paused(self.staging, now):
            return self.staging
        first, *others = self.accounts
        long_away = first.away_since is not None and first.away_since <= now - AWAY
        if others and (long_away or (failures >= TRIES and failures % 2)) and not accounts.paused(others[0], now):
            return others[0]
        return None if accounts.paused(first, now) else first

    def passes(self, account: Account, replaces: str) -> bool:
        """Whether one more order fits the limit; it is counted."""
        if replaces or account == self.staging:
            return True
        self.free[account.pk] -= 1
        return self.free[account.pk] >= 0


def queued(now: datetime) -> QuerySet[HostedDomain]:
    """All that wait for an order: what ends first comes first, newcomers last."""
    newest = Certificate.objects.everywhere().filter(domain=OuterRef("pk")).order_by("-not_after")
    rows = orderable(now).annotate(ends=Subquery(newest.values("not_after")[:1]))
    return rows.order_by(F("ends").asc(nulls_last=True), "pk")


def advised(now: datetime, account: Account) -> QuerySet[HostedDomain]:
    """Those of them whose renewal this authority does not count."""
    advised = Certificate.objects.everywhere().filter(directory=account.directory, ask_due_at__isnull=False)
    return queued(now).filter(pk__in=advised.filter(renew_due_at__lte=now).values("domain"))


def _admit(domain: HostedDomain, gate: Gate) -> bool:
    attempt = Attempt.objects.everywhere().filter(domain=domain).first()
    held = Certificate.objects.everywhere().filter(domain=domain).order_by("-not_after").first()
    account = (
        gate.choose(0) if attempt is None else gate.choose(attempt.failures, rehearsed=_settled(attempt, held, gate))
    )
    if account is None or _failed_too_often(domain.policy_host, gate.desk.now):
        return False
    replaces = _replaces(held, account)
    if not gate.passes(account, replaces):
        return False
    revision = 0 if held else domain.revision
    facts = {"domain": domain, "replaces": replaces, "revision": revision}
    return _make(account, (domain.policy_host,), gate.desk, facts)


def _admit_ours(gate: Gate) -> Iterator[bool]:
    """An order for our own hosts, before all others."""
    names = hosts.due(gate.desk.now)
    if not names or Order.objects.everywhere().filter(host=names[0], ended_at__isnull=True).exists():
        return
    held = HostCertificate.objects.filter(host=names[0]).first()
    account = gate.choose(0) if held is None else gate.choose(held.failures, rehearsed=_settled(held, held, gate))
    if account is not None and not _failed_too_often(names[0], gate.desk.now):
        replaces = _replaces(held, account) if held and held.names == list(names) else ""
        if gate.passes(account, replaces):
            yield _make(account, names, gate.desk, {"replaces": replaces})


def _settled(tried: Attempt | HostCertificate, held: Certificate | HostCertificate | None, gate: Gate) -> bool:
    """Whether staging is not asked: it has given one, or what is served ends too soon to wait for it."""
    if held is None or held.not_before is None or held.not_after is None:
        return tried.rehearsed
    return tried.rehearsed or wanted_at(held.not_before, held.not_after) < gate.desk.now


def _failed_too_often(host: str, now: datetime) -> bool:
    failed = Order.objects.everywhere().filter(host=host, stage=Stage.FAILED, asked_at__isnull=False)
    return failed.filter(ended_at__gt=now - timedelta(hours=1), ended_at__lte=now + SLACK).count() >= FAILURES


def _replaces(held: Advised | None, account: Account) -> str:
    """What the renewal of a certificate says that it replaces; "": the authority of the new one has no use for it."""
    if not isinstance(held, Certificate | HostCertificate) or held.leaf is None or held.ask_due_at is None:
        return ""
    try:
        return certificate_id(bytes(held.leaf)) if held.directory == account.directory else ""
    except ValueError:  # it does not say which key it was signed with
        return ""


def _make(account: Account, names: Sequence[str], desk: Desk, facts: dict[str, Any]) -> bool:
    """The row of an order, with the key and the request that it will be finalized with."""
    key = ec.generate_private_key(ec.SECP256R1())
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        with transaction.atomic():
            Order.objects.everywhere().create(
                account=account,
                host=names[0],
                names=list(names),
                sealed_key=keyring.current().seal(plain, names[0]),
                csr=_request(key, names),
                created_at=desk.now,
                stage_at=desk.now,
                step_at=desk.now,
                **facts,
            )
    except IntegrityError:  # another worker was faster
        return False
    desk.reached("wanted")
    return True


def _request(key: ec.EllipticCurvePrivateKey, names: Sequence[str]) -> bytes:
    """A CSR (DER) of these names alone: the subject is empty (RFC 8555 section 7.4 takes the names from the SAN)."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


# --- what people are told ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expected:
    """When a certificate that is wanted will be there. `ordered`: it is being obtained; `before`: how many others are
    ordered first; `at`: when its own order can be made."""

    ordered: bool
    before: int
    at: datetime


@wall.lifted()
def estimates(keys: Collection[int], now: datetime) -> dict[int, Expected]:
    """Of those that want a certificate and can have one ordered: a handful of queries however many they are. Nothing
    without an authority."""
    if not keys or not settings.CONFIG.acme_directory:
        return {}
    under_way = Order.objects.everywhere().filter(domain__in=keys, ended_at__isnull=True)
    found = {key: Expected(True, 0, now) for key in under_way.values_list("domain", flat=True) if key is not None}
    waiting = list(queued(now).values_list("pk", flat=True)) if len(found) < len(keys) else []
    places = _places(now) if waiting else []
    wanted = set(keys) - found.keys()
    for before, key in enumerate(waiting):
        if key in wanted:
            at = places[before % len(places)] + orders.WINDOW * (before // len(places))
            found[key] = Expected(False, before, max(now, at))
    return found


def _places(now: datetime) -> list[datetime]:
    """When each place within the limit comes free, in order: a window after it was taken."""
    limit = int(settings.CONFIG.acme_orders)
    account = Account.objects.filter(directory=settings.CONFIG.acme_directory).first()
    taken = () if account is None else orders.counted(account, now).values_list("asked_at", flat=True)
    places = sorted((asked or now) + orders.WINDOW for asked in taken)[-limit:]
    return [now] * (limit - len(places)) + places
