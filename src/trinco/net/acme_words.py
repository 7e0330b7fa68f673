"""What is said between us and a certificate authority, as values: RFC 8555, RFC 9773, and how an answer can fail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from trinco.core.errors import TrincoError


class AcmeFailure(TrincoError):
    """A certificate authority did not do what was asked of it."""


class CaUnavailable(AcmeFailure):
    """The authority did not answer, or not as RFC 8555 says. It says nothing about the name that was asked for.

    `retry_at`: when it wants to be asked again; None: it did not say.
    """

    def __init__(self, reason: str, retry_at: datetime | None = None) -> None:
        super().__init__(reason)
        self.retry_at = retry_at


class AccountRefused(CaUnavailable):
    """There is no account with the authority, and none is to be had until the operator changes something."""


class RateLimited(AcmeFailure):
    """More was asked than the authority gives (RFC 8555 section 6.6). `retry_at`: from when on; None: not said."""

    def __init__(self, reason: str, retry_at: datetime | None = None) -> None:
        super().__init__(reason)
        self.retry_at = retry_at


class CaRefused(AcmeFailure):
    """The authority said no. `kind` is the word of RFC 8555 section 6.7 behind the last colon of the problem's type."""

    def __init__(self, reason: str, kind: str = "") -> None:
        super().__init__(reason)
        self.kind = kind


class Status(StrEnum):
    """Of an order (RFC 8555 section 7.1.6)."""

    PENDING = "pending"
    READY = "ready"
    PROCESSING = "processing"
    VALID = "valid"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Binding:
    """An account that the operator has with the authority by other means (RFC 8555 section 7.3.4)."""

    kid: str
    key: str
    """The HMAC key in base 64 for URLs, as authorities hand it out."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What a new account says of itself (RFC 8555 section 7.3)."""

    contact: tuple[str, ...] = ()
    """URLs, `mailto:…` as a rule."""
    agreed: bool = False
    """The operator has agreed to the authority's terms of service."""
    binding: Binding | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an authority is, and what its address is trusted by."""

    directory: str
    trust: Path | None = None
    """PEM file of the root that its HTTPS certificate hangs on; None: the usual public ones."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a directory says (RFC 8555 section 7.1.1)."""

    profiles: frozenset[str] = frozenset()
    renewal_info: bool = False
    """Answers when a certificate is to be renewed (RFC 9773)."""
    terms: str = ""
    binding_required: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """An order, as the authority sees it."""

    url: str
    status: Status
    finalize: str
    authorizations: tuple[str, ...] = ()
    certificate: str = ""
    """URL of the certificate, once the order is valid."""
    problem: str = ""
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Challenge:
    """The HTTP-01 challenge of one name (RFC 8555 section 8.3). `waits`: we have not said yet that it is met."""

    host: str
    url: str
    waits: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """When a certificate is to be renewed (RFC 9773 section 4.2), and when that is to be asked again."""

    start: datetime
    end: datetime
    retry_at: datetime | None = None
    explanation: str = ""
    """URL of a page for people; "" as a rule."""
