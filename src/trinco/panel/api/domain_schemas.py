"""What the addresses of domains take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from ninja import Field, Schema

from trinco.core.names import MAX_TYPED
from trinco.core.tags import MOST_CHARACTERS
from trinco.panel.api.bodies import Strict
from trinco.panel.api.parameters import PageParameters
from trinco.panel.api.schemas import DomainOut
from trinco.panel.domains.tags import MOST

MANY = 1000
"""Domains of one request."""
MANY_MX = 100
"""More patterns than any policy needs."""

Pattern = Annotated[str, Field(min_length=1, max_length=MAX_TYPED)]
Tags = Annotated[list[Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]], Field(max_length=MOST)]
Patterns = Annotated[list[Pattern], Field(min_length=1, max_length=MANY_MX)]


class DomainParameters(PageParameters):
    """Which domains."""

    q: str | None = Field(None, description="A part of the name, or of a mail server's.")
    state: str | None = Field(None, description="`setup`, `live` or `leaving`.")
    mode: str | None = Field(None, description="Of the policy: `none`, `testing` or `enforce`.")
    tag: str | None = Field(None, description="With this tag of your organisation, in any case of its letters.")
    level: str | None = Field(
        None, description="How urgently it wants you: `critical`, `attention`, `ready`, `setup`, `ok`, `leaving`."
    )


class Reporting(Strict):
    """TLS reporting. What is left out stays as it is."""

    on: bool | None = Field(None, description="Whether `_smtp._tls` answers.")
    https: bool | None = Field(None, description="Whether its record names the HTTPS door beside the mailbox.")
    trust_https: bool | None = Field(None, description="Whether reports that came by HTTPS are counted.")


class Ways(Strict):
    """How the three records are published. What is left out stays as it is."""

    host: Literal["cname", "addresses"] | None = Field(None, description="`mta-sts`.")
    sts: Literal["cname", "txt", "provider"] | None = Field(
        None, description="`_mta-sts`. `provider`: with access to the DNS provider that was given on the pages."
    )
    tlsrpt: Literal["cname", "txt", "provider"] | None = Field(None, description="`_smtp._tls`.")


class DomainIn(Strict):
    """What can be set up. What is left out stays as it is."""

    tags: Tags | None = Field(None, description="All that it is to have.", examples=[["North"]])
    tls_reporting: Reporting | None = None
    ways: Ways | None = None
    mx: Patterns | None = Field(
        None,
        description="Confirms the mail servers of a domain without a policy: its first one is `testing`, for a day.",
        examples=[["mx1.example.com", "*.mail.example.net"]],
    )


class ReportingOut(Schema):
    """TLS reporting as it is."""

    on: bool
    https: bool
    trust_https: bool


class WaysOut(Schema):
    """How the three records are published."""

    host: str
    sts: str
    tlsrpt: str


class WholeDomainOut(DomainOut):
    """All of one domain. `policy_number` is the version that is current: the ETag of its policy."""

    label: str
    tls_reporting: ReportingOut
    ways: WaysOut
    policy_number: int | None
    policy_id: str | None
    announced_id: str | None
    created_at: datetime
    verified_at: datetime | None
    leaving_at: datetime | None
    checked_at: datetime | None


class ValueOut(Schema):
    """A record of the owner's own."""

    type: str
    value: str


class SeenRecordOut(Schema):
    """What is to stand at one of the three names, and what was seen there: a CNAME to `target`, or `values` where the
    owner publishes records of their own. `finding` is `unseen` before the first look."""

    owner: str
    target: str | None
    values: list[ValueOut]
    finding: str
    seen: str
    seen_at: datetime | None


class LeftOut(Schema):
    """What leaving has come to. `until`: so long senders may hold the policy; the records stay that long."""

    name: str
    state: str
    until: datetime | None
    left_to_do: list[str]
    records: list[SeenRecordOut]


class StepOut(Schema):
    """One step of the setting up."""

    step: str
    done: bool


class SetupOut(Schema):
    """How far it has come: the records, and what was read of its mail servers. `suggested_mx` is for you to confirm."""

    name: str
    state: str
    steps: list[StepOut]
    records: list[SeenRecordOut]
    suggested_mx: list[str]
    mx_hosts: list[str]
    checked_at: datetime | None


class ServerOut(Schema):
    """One mail server as last seen."""

    host: str
    preference: int
    starttls: str
    tls_version: str
    problem: str
    not_after: datetime | None
    probed_at: datetime | None


class GateOut(Schema):
    """One condition of enforce. `hosts` stand in the way; `count`: how many there are of what it counts; `reason`: a
    word, where neither says it."""

    gate: str
    passed: bool
    count: int
    hosts: list[str]
    reason: str


class ChecksOut(Schema):
    """The latest look, and whether the domain may go to enforce."""

    name: str
    checked_at: datetime | None
    mx_checked_at: datetime | None
    records: list[SeenRecordOut]
    servers: list[ServerOut]
    readiness: list[GateOut]


class AskedOut(Schema):
    """Whether a look was asked for; false: there was one a moment ago."""

    asked: bool


class HostedLineIn(Strict):
    """One domain of many."""

    name: Annotated[str, Field(max_length=MAX_TYPED)] = Field(examples=["example.com"])
    mx: Patterns | None = None


class ManyIn(Strict):
    """Domains to be hosted: each that is there already stays as it is."""

    domains: Annotated[list[HostedLineIn], Field(min_length=1, max_length=MANY)]


class HostedLineOut(Schema):
    """How one line ended: `added`, `there` or `refused`, with the problem. `given` is as it was sent."""

    given: str
    name: str | None
    outcome: str
    problem: dict[str, object] | None = None


class ManyOut(Schema):
    """In the order of the request."""

    dry_run: bool
    added: int
    rows: list[HostedLineOut]
