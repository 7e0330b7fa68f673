"""What is told of organisations and their people."""

from __future__ import annotations

from datetime import datetime

from ninja import Schema


class ClientOut(Schema):
    """An organisation. `root`: the addresses of the API that are about it begin so."""

    id: int
    name: str
    mfa_required: bool
    sso_required: bool
    root: str


class LevelCounts(Schema):
    """How many domains are of each level."""

    critical: int
    attention: int
    ready: int
    setup: int
    ok: int
    leaving: int


class ModeCounts(Schema):
    """How many policies of each mode are served."""

    enforce: int
    testing: int
    none: int


class DomainCounts(Schema):
    """How the domains of an organisation stand. `domains`: how many there are in all."""

    domains: int
    levels: LevelCounts
    modes: ModeCounts


class ListedClientOut(ClientOut):
    """A client in the list. `counts` is null where it first wants a second factor or single sign-on of the caller."""

    counts: DomainCounts | None


class ClientsOut(Schema):
    """`next` is null on the last page."""

    rows: list[ListedClientOut]
    next: str | None


class OrganisationOut(ClientOut):
    """Where the caller acts. `role`: as what; `provider`: as whose staff, null for a member."""

    role: str
    provider: str | None


class ClosedOut(Schema):
    """What has ended: how many people, invitations, tokens and webhooks."""

    people: int
    invitations: int
    tokens: int
    webhooks: int


class ClosedClientOut(Schema):
    """A client that was closed."""

    id: int
    name: str
    closed_at: datetime


class ClosedClientsOut(Schema):
    """`next` is null on the last page."""

    rows: list[ClosedClientOut]
    next: str | None


class PersonOut(Schema):
    """A member. `second_factor`: whether the person has set one up."""

    id: int
    email: str
    role: str
    second_factor: bool


class PeopleOut(Schema):
    """`next` is null on the last page."""

    rows: list[PersonOut]
    next: str | None


class InvitationOut(Schema):
    """An address that was asked and has not answered."""

    id: int
    email: str
    role: str
    invited_by: str
    sent_at: datetime
    expires_at: datetime


class InvitationsOut(Schema):
    """`next` is null on the last page."""

    rows: list[InvitationOut]
    next: str | None


class TokenOut(Schema):
    """A token, known by the beginning of its key. `last_used_at`: to the minute; null: never."""

    id: int
    name: str
    prefix: str
    scope: str
    person: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class TokensOut(Schema):
    """`next` is null on the last page."""

    rows: list[TokenOut]
    next: str | None


class NewTokenOut(TokenOut):
    """`key` is told here and nowhere else."""

    key: str
