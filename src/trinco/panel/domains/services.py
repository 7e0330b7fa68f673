"""Deeds on hosted domains. Each is one transaction and writes its audit line.

Locks are taken in one order, so that no two deeds wait for each other: domains by primary key, then the revision.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import TypedDict, Unpack

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from trinco.core.names import Domain
from trinco.panel import clock
from trinco.panel.accounts.actors import TRINCO, Actor
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.services import record
from trinco.panel.domains.errors import AlreadyAdded, NotInSetup, NotProven, OurOwnName
from trinco.panel.domains.models import (
    SEEN_CHARACTERS,
    Finding,
    HostedDomain,
    KeptAccess,
    RecordName,
    RecordSighting,
    Revision,
    State,
    Way,
)
from trinco.panel.domains.reporting import names_alone

SERVED = (State.LIVE, State.LEAVING)
"""The states in which the edges answer for a domain."""

_PROOF_AGE = timedelta(hours=1)
_RIGHT = (Finding.FOUND, Finding.LATER)
_ROW = 1


def next_revision() -> int:
    """The Publication's next revision. In a transaction: whoever comes next waits for its end, so that revisions become
    visible in their order."""
    return _forward(1)


def newest_revision() -> int:
    """The Publication's newest revision; 0 before the first."""
    return Revision.objects.filter(pk=_ROW).values_list("number", flat=True).first() or 0


def revision_above(number: int) -> int:
    """A revision above one that the world has seen, for the day after a restore: serial numbers only go forward."""
    return _forward(max(number - newest_revision(), 0) + 1)


def _forward(by: int) -> int:
    row = Revision.objects.filter(pk=_ROW)
    if not row.update(number=F("number") + by):
        Revision.objects.get_or_create(pk=_ROW)
        row.update(number=F("number") + by)
    return row.get().number


def touch(domain: HostedDomain) -> None:
    """Give the domain the next revision, so that every edge takes it anew. In a transaction."""
    domain.revision = next_revision()
    domain.save(update_fields=["revision"])


def locked(domain: HostedDomain) -> HostedDomain:
    """The row as it is now, nobody else's until the transaction ends."""
    return HostedDomain.objects.everywhere().select_for_update().get(pk=domain.pk)


def add(*, organisation: Organisation, name: Domain, actor: Actor) -> HostedDomain:
    """Host a name for an organisation, under a new label, waiting for its CNAMEs. Raises AlreadyAdded, OurOwnName.

    Several organisations may wait with the same name: the one to whose label the CNAMEs point will have it.
    """
    if is_ours(str(name)):
        raise OurOwnName(str(name))
    try:
        return _added(organisation, str(name), actor)
    except IntegrityError:
        raise AlreadyAdded(str(name)) from None


def is_ours(name: str) -> bool:
    """Whether the name lies in the zone of this installation itself."""
    base = str(settings.CONFIG.base)
    return name == base or name.endswith(f".{base}")


@transaction.atomic
def _added(organisation: Organisation, name: str, actor: Actor) -> HostedDomain:
    domain = HostedDomain.objects.everywhere().create(organisation=organisation, name=name, label=new_label())
    touch(domain)  # the names that the CNAMEs lead to exist before the owner points there
    record(organisation=organisation, actor=actor, action="domain.added", subject=name, after={"label": domain.label})
    return domain


def new_label() -> str:
    """A label that nobody has, nor can guess."""
    return base64.b32encode(secrets.token_bytes(16)).decode("ascii").rstrip("=").lower()


@transaction.atomic
def remove_unverified(*, domain: HostedDomain, actor: Actor) -> None:
    """Give up a domain that was never served. Its row stays, so that its label is never reissued. Raises NotInSetup."""
    row = locked(domain)
    if row.state != State.SETUP:
        raise NotInSetup(row.name)
    _close(row)
    touch(row)
    record(organisation=row.organisation, actor=actor, action="domain.removed", subject=row.name)
    domain.refresh_from_db()


def note_writing(
    *, domain: HostedDomain, actor: Actor, provider: str, right: Sequence[str] = (), failed: str = ""
) -> None:
    """Write down that somebody had the three records written, or tried to: where, and which names are right since."""
    facts = {"provider": provider, **({"failed": str(failed)} if failed else {"right": list(right)})}
    whose = domain.organisation
    record(organisation=whose, actor=actor, action="domain.records-written", subject=domain.name, after=facts)


class Reporting(TypedDict, total=False):
    """What may be set about a domain's reports: whether `_smtp._tls` answers, whether it names the HTTPS door as well,
    whether reports that came by HTTPS are counted. What is left out stays as it is."""

    on: bool
    https: bool
    trust_https: bool


_REPORTING = {"on": "tlsrpt", "https": "tlsrpt_https", "trust_https": "trust_https"}
_RECORD = {"tlsrpt", "tlsrpt_https"}
"""The fields that change what DNS says."""


def reporting_of(domain: HostedDomain) -> dict[str, bool]:
    """All that `Reporting` says of a domain, as it is."""
    return {name: getattr(domain, column) for name, column in _REPORTING.items()}


@transaction.atomic
def set_tlsrpt(*, domain: HostedDomain, actor: Actor, **wanted: Unpack[Reporting]) -> None:
    """Change what is asked of senders about this domain, and which of their reports are counted."""
    row = locked(domain)
    named = {_REPORTING[name]: bool(value) for name, value in wanted.items()}
    after = {field: value for field, value in named.items() if getattr(row, field) != value}
    if after:
        before = {field: not value for field, value in after.items()}
        for field, value in after.items():
            setattr(row, field, value)
        row.save(update_fields=list(after))
        _follow(row, set(after))
        whose = row.organisation
        record(organisation=whose, actor=actor, action="domain.tlsrpt", subject=row.name, before=before, after=after)
    domain.refresh_from_db()


def _follow(row: HostedDomain, changed: set[str]) -> None:
    """The edges follow what DNS says; the level is worked out anew where other reports are counted."""
    if changed & _RECORD:
        touch(row)
        _look_again(row)
    else:
        row.level_revision = 0
        row.save(update_fields=["level_revision"])


def _look_again(row: HostedDomain) -> None:
    """Another text is wanted where it is no CNAME: DNS is looked at at once, and whoever writes it is told."""
    if row.tlsrpt_way != Way.CNAME:
        row.check_due_at = clock.now()
        row.save(update_fields=["check_due_at"])
        KeptAccess.objects.everywhere().filter(domain=row).update(due_at=row.check_due_at)


@transaction.atomic
def mark_live(domain: HostedDomain) -> bool:
    """Serve a domain whose three records were seen to be as they should. False: it was live already.

    A record with its label is the proof of who has the name: an owner to whom they no longer point loses it here, and
    only here. To be one of several who are sent the reports is none while the name is served. Raises NotInSetup,
    NotProven.
    """
    same_name = _locked_by_name(domain.name)
    row = next(row for row in same_name if row.pk == domain.pk)
    if row.state == State.LIVE:
        return False
    if row.state != State.SETUP:
        raise NotInSetup(row.name)
    owners = [each for each in same_name if each.state in SERVED]
    _require_proof(row, alone=bool(owners))
    _displace(owners)
    row.state, row.verified_at = State.LIVE, timezone.now()
    row.save(update_fields=["state", "verified_at"])
    touch(row)
    record(organisation=row.organisation, actor=TRINCO, action="domain.verified", subject=row.name)
    domain.refresh_from_db()
    return True


def served_elsewhere(domain: HostedDomain) -> bool:
    """Whether a name that waits for its records is served for somebody else."""
    if domain.state != State.SETUP:
        return False
    return HostedDomain.objects.everywhere().filter(name=domain.name, state__in=SERVED).exists()


def _require_proof(row: HostedDomain, *, alone: bool) -> None:
    """All three are right, and one at least has the label in it: a CNAME, or the text that asks for reports. Addresses
    and an id are everybody's."""
    since = timezone.now() - _PROOF_AGE
    right = RecordSighting.objects.everywhere().filter(domain=row, finding__in=_RIGHT, seen_at__gt=since)
    sightings = list(right)
    labelled = any(_labelled(each, row.label, alone=alone) for each in sightings)
    if {each.record for each in sightings} != set(RecordName.values) or not labelled:
        raise NotProven(row.name)


def _labelled(sighting: RecordSighting, label: str, *, alone: bool) -> bool:
    """`alone`: a text counts only with no other label of this installation in it, and seen to its end."""
    if sighting.finding != Finding.FOUND or not sighting.seen:
        return sighting.finding == Finding.FOUND
    if sighting.record != RecordName.TLSRPT_TXT:
        return False
    return not alone or (len(sighting.seen) < SEEN_CHARACTERS and names_alone(sighting.seen, label))


def _locked_by_name(name: str) -> list[HostedDomain]:
    """Everybody's rows of a name, by key: two who prove it at once come one after the other."""
    return list(HostedDomain.objects.everywhere().select_for_update().filter(name=name).order_by("pk"))


def _displace(owners: Sequence[HostedDomain]) -> None:
    for owner in owners:
        _close(owner)
        touch(owner)
        record(organisation=owner.organisation, actor=TRINCO, action="domain.taken-over", subject=owner.name)


def _close(row: HostedDomain) -> None:
    row.state, row.gone_at = State.GONE, timezone.now()
    row.save(update_fields=["state", "gone_at"])
