"""What the authority does, whoever the words come from."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2027, 1, 1, tzinfo=UTC)


@dataclass
class Clock:
    """What time it is for everybody in the test."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def go(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


class Problem(Exception):
    """A problem document (RFC 7807), and its status. `kind` "": no document at all."""

    def __init__(self, status: int, kind: str, detail: str = "", retry_after: timedelta | None = None) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.retry_after = status, kind, detail, retry_after


@dataclass(frozen=True)
class Habits:
    """How this authority behaves."""

    lives: dict[str, timedelta] = field(default_factory=lambda: {"": 45 * DAY})
    """How long a certificate lives, by profile; "": without one."""
    renewal_info: bool = True
    ask_again: timedelta = 6 * HOUR
    """What its renewal information says in Retry-After."""
    reuses: bool = True
    """An open order of the same names is given again (Let's Encrypt); without, there is a list of them (pebble)."""
    terms: str = "https://ca.example/terms"
    binding_required: bool = False
    new_orders: int = 300
    """In three hours, of one account; those that replace are not counted."""
    failures: int = 5
    """Of one name within an hour."""
    processing: timedelta = timedelta()
    """How long it takes to sign."""


@dataclass
class Order:
    """An order, and the one authorization for each name."""

    number: int
    account: str
    names: tuple[str, ...]
    profile: str
    replaces: str
    made_at: datetime
    status: str = "pending"
    told: set[str] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)
    certificate: int | None = None
    ready_at: datetime | None = None
    csrs: list[bytes] = field(default_factory=list)
    """Every request that was handed in and taken."""


@dataclass
class Authority:
    """One certificate authority. `prove(host, token, thumbprint)` gives what is wrong with a name, "" for nothing."""

    clock: Clock
    title: str = "Fake CA"
    habits: Habits = field(default_factory=Habits)
    prove: Callable[[str, str, str], str] = lambda _host, _token, _thumbprint: ""
    life_of: Callable[[Order], timedelta | None] = lambda _order: None
    """Where it decides by something else than the profile."""
    away: bool = False
    accounts: dict[str, str] = field(default_factory=dict)
    """By thumbprint of the key: the name of the account."""
    orders: list[Order] = field(default_factory=list)
    issued: list[tuple[bytes, Order]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    """How often it said no, by kind."""
    requests: int = 0
    revoked: dict[str, datetime] = field(default_factory=dict)
    """By certificate id."""
    replaced: set[str] = field(default_factory=set)
    windows: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    latest: dict[str, datetime] = field(default_factory=dict)
    """By host: the end of the certificate that was issued last."""

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.root = self._self_signed()
        self._counted: dict[str, deque[datetime]] = defaultdict(deque)
        self._failed: dict[tuple[str, str], deque[datetime]] = defaultdict(deque)
        self._open: dict[tuple[str, tuple[str, ...]], Order] = {}

    # What may be asked.

    def heard(self) -> None:
        """A request came in."""
        self.requests += 1
        if self.away:
            raise self._no(503, "serverInternal", "The service is down for maintenance")

    def register(self, thumbprint: str, *, agreed: bool, bound: bool) -> tuple[str, bool]:
        """The account of a key, and whether it is new."""
        if thumbprint in self.accounts:
            return self.accounts[thumbprint], False
        if self.habits.terms and not agreed:
            raise self._no(403, "userActionRequired", "must agree to terms of service")
        if self.habits.binding_required and not bound:
            raise self._no(403, "externalAccountRequired", "no binding")
        self.accounts[thumbprint] = f"account-{len(self.accounts) + 1}"
        return self.accounts[thumbprint], True

    def order(self, account: str, names: Sequence[str], replaces: str, profile: str) -> Order:
        now = self.clock()
        if profile and profile not in self.habits.lives:
            raise self._no(400, "invalidProfile", f"profile {profile!r} is not offered")
        if replaces and replaces in self.replaced:
            raise self._no(409, "alreadyReplaced", "it was replaced")
        held = self._open.get((account, tuple(sorted(names))))
        if self.habits.reuses and held is not None and held.status in ("pending", "ready"):
            return held
        self._limit_orders(account, replaces, now)
        for name in names:
            self._limit_failures(account, name, now)
        order = Order(len(self.orders), account, tuple(names), profile, replaces, now)
        self.orders.append(order)
        self._open[account, tuple(sorted(names))] = order
        return order

    def look(self, order: Order) -> Order:
        if order.status == "processing" and order.ready_at is not None and order.ready_at <= self.clock():
            self._issue(order)
        return order

    def tell(self, order: Order, host: str, token: str, thumbprint: str) -> None:
        """The challenge of a name is said to be met: the authority looks at once."""
        if order.status != "pending" or host in order.told:
            return
        order.told.add(host)
        problem = self.prove(host, token, thumbprint)
        if problem:
            order.status, order.problems[host] = "invalid", problem
            self._failed[order.account, host].append(self.clock())
        elif order.told == set(order.names):
            order.status = "ready"

    def finalize(self, order: Order, csr: bytes) -> Order:
        if order.status != "ready":
            raise self._no(403, "orderNotReady", f"the order is {order.status}")
        request = x509.load_der_x509_csr(csr)
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if set(names.get_values_for_type(x509.DNSName)) != set(order.names) or not request.is_signature_valid:
            raise self._no(400, "badCSR", "names or signature")
        order.csrs.append(csr)
        order.status = "processing"
        order.ready_at = self.clock() + self.habits.processing
        return self.look(order)

    def chain(self, number: int) -> tuple[bytes, ...]:
        return self.issued[number][0], self.root.public_bytes(serialization.Encoding.DER)

    def window(self, name: str) -> tuple[datetime, datetime]:
        """When the certificate of this id is to be renewed (RFC 9773)."""
        if name in self.revoked:
            return self.revoked[name] - 2 * DAY, self.revoked[name] - DAY
        if name not in self.windows:
            raise self._no(404, "malformed", "no such certificate")
        return self.windows[name]

    # What the test does.

    def revoke_all(self) -> int:
        """Every certificate that still lives and was not replaced is to be renewed at once."""
        now = self.clock()
        living = [name for name, window in self.windows.items() if name not in self.replaced and window[1] > now]
        self.revoked |= dict.fromkeys(living, now)
        return len(living)

    # What is below.

    def _no(self, status: int, kind: str, detail: str, retry_after: timedelta | None = None) -> Problem:
        self.refused[kind] += 1
        return Problem(status, kind, detail, retry_after)

    def _limit_orders(self, account: str, replaces: str, now: datetime) -> None:
        if replaces:
            return
        counted = self._counted[account]
        while counted and counted[0] <= now - 3 * HOUR:
            counted.popleft()
        if len(counted) >= self.habits.new_orders:
            raise self._no(429, "rateLimited", "too many new orders", counted[0] + 3 * HOUR - now)
        counted.append(now)

    def _limit_failures(self, account: str, name: str, now: datetime) -> None:
        failed = self._failed[account, name]
        while failed and failed[0] <= now - HOUR:
            failed.popleft()
        if len(failed) >= self.habits.failures:
            raise self._no(429, "rateLimited", "too many failed authorizations", failed[0] + HOUR - now)

    def _issue(self, order: Order) -> None:
        now = self.clock()
        life = self.life_of(order) or self.habits.lives[order.profile]
        request = x509.load_der_x509_csr(order.csrs[-1])
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in order.names])
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = self._builder(x509.Name([]), now - timedelta(seconds=3), now + life)
        builder = builder.public_key(request.public_key()).add_extension(names, critical=True)
        leaf = builder.add_extension(above, critical=False).sign(self.key, hashes.SHA256())
        name = _id(leaf)
        self.windows[name] = (now + life * 0.65, now + life * 0.7)
        if order.replaces:
            self.replaced.add(order.replaces)
        order.status, order.certificate = "valid", len(self.issued)
        self.latest[order.names[0]] = now + life
        self.issued.append((leaf.public_bytes(serialization.Encoding.DER), order))

    def _self_signed(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.title)])
        builder = self._builder(name, START - DAY, START + 3650 * DAY).public_key(self.key.public_key())
        return builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
            self.key, hashes.SHA256()
        )

    def _builder(self, subject: x509.Name, begin: datetime, end: datetime) -> x509.CertificateBuilder:
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.title)])
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(begin).not_valid_after(end)


def _id(leaf: x509.Certificate) -> str:
    """RFC 9773 section 4.1, written once more, so that a mistake in ours is found."""
    above = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    serial = leaf.serial_number
    octets = serial.to_bytes((serial.bit_length() + 8) // 8, "big")
    parts = (base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (above or b"", octets))
    return ".".join(parts)
