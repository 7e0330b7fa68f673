"""What the addresses of policies take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Field, Schema

from trinco.core.mtasts.policy import MAX_AGE_LIMIT
from trinco.core.names import MAX_TYPED
from trinco.panel.api.bodies import Strict
from trinco.panel.api.domain_schemas import MANY_MX, GateOut, Pattern

MANY = 10_000
"""Domains in one change of the mode."""
DAY = 86_400

ModeWord = Literal["none", "testing", "enforce"]
MaxAge = Annotated[int, Field(ge=DAY, le=MAX_AGE_LIMIT)]
SomePatterns = Annotated[list[Pattern], Field(max_length=MANY_MX)]


class PolicyIn(Strict):
    """A whole policy. `mx` is empty for `none`; without `max_age` (seconds) it is the mode's own."""

    mode: ModeWord
    mx: SomePatterns = Field(default_factory=list)
    max_age: MaxAge | None = None
    override: bool = Field(False, description="Go on although mail servers in DNS are not covered, or not known.")


class PolicyPatch(Strict):
    """What changes. A change of the mode alone takes the last `mx` list of the domain, and the mode's own max_age."""

    mode: ModeWord | None = None
    mx: SomePatterns | None = None
    max_age: MaxAge | None = None
    override: bool = Field(False, description="Go on although mail servers in DNS are not covered, or not known.")


class UndoIn(Strict):
    """An undo."""

    override: bool = Field(False, description="Go on although mail servers in DNS are not covered, or not known.")


class PolicyStateOut(Schema):
    """The version that is current: every edge serves it, or is about to. `announced_id` is what DNS says of it now."""

    number: int
    id: str
    announced_id: str | None
    mode: str
    mx: list[str]
    max_age: int
    created_at: datetime
    created_by: str


class VersionOut(Schema):
    """One version that there was. `undoes` is the number of the one that it set aside."""

    number: int
    id: str
    mode: str
    mx: list[str]
    max_age: int
    created_at: datetime
    created_by: str
    override: bool
    announced_at: datetime | None
    served_from: datetime | None
    served_until: datetime | None
    undoes: int | None


class VersionsOut(Schema):
    """The newest first. `next` is null on the last page."""

    rows: list[VersionOut]
    next: str | None


class LineOfFileOut(Schema):
    """One line of the difference between two policy files: `same`, `del` or `add`."""

    kind: str
    text: str


class ChangeOut(Schema):
    """What a change does, or with `dry_run` would do.

    `objection` is the problem that refuses it, with `dry_run` alone. `enforced_until`: so long senders may go on
    enforcing what was served. `open_gates`: the conditions of enforce that are not met.
    """

    dry_run: bool
    changed: bool
    policy: PolicyStateOut | None
    diff: list[LineOfFileOut]
    enforced_until: datetime | None
    open_gates: list[GateOut]
    objection: dict[str, Any] | None


class ProposalOut(Schema):
    """What a change of the mode alone means. To accept it, PATCH the policy with this mode."""

    mode: str
    current: bool
    mx: list[str]
    max_age: int | None
    diff: list[LineOfFileOut]
    objection: dict[str, Any] | None


class ProposalsOut(Schema):
    """One for each mode, and the `mx` list that suits the mail servers in DNS."""

    rows: list[ProposalOut]
    suggested_mx: list[str]


class ModeIn(Strict):
    """One mode for many domains."""

    mode: ModeWord
    domains: Annotated[list[Annotated[str, Field(max_length=MAX_TYPED)]], Field(min_length=1, max_length=MANY)]


class ModeLineOut(Schema):
    """One domain: `changed`, or why it stays as it is (`problem`)."""

    given: str
    name: str | None
    outcome: str
    before: str | None
    policy: dict[str, Any] | None
    problem: dict[str, Any] | None


class ModesOut(Schema):
    """In the order of the request. Each domain is by itself: those to which something speaks against it stay."""

    dry_run: bool
    changed: int
    rows: list[ModeLineOut]
