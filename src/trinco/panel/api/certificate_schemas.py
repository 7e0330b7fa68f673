"""What is told of certificates."""

from __future__ import annotations

from datetime import datetime

from ninja import Schema


class CertificateOut(Schema):
    """The certificate that a domain's policy host is served with; null where there is none. `own`: it was brought.
    `expected_at`: when the next one will be there; `problem`: why the last attempt failed."""

    domain: str
    host: str
    issuer: str | None
    not_before: datetime | None
    not_after: datetime | None
    issued_at: datetime | None
    renew_due_at: datetime | None
    sha256: str | None
    own: bool
    expected_at: datetime | None
    problem: str
    failures: int


class CertificatesOut(Schema):
    """By name. `next` is null on the last page."""

    rows: list[CertificateOut]
    next: str | None


class EventOut(Schema):
    """Something that happens. `domain`: whose it is; null: everybody's. `count`: attempts, or domains it is about."""

    kind: str
    domain: str | None
    authority: str
    began_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    count: int
    detail: str


class EventsOut(Schema):
    """The newest first."""

    lasting: list[EventOut]
    over: list[EventOut]
