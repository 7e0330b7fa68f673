"""From what a door got to a row, before anybody has read it: once for each arrival, however often it is taken."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import structlog
from django.db import transaction

from trinco.core.tlsrpt.arrival import Arrival
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.models import TEXT_LENGTH, WORD_LENGTH, RawReport

log = structlog.get_logger("trinco.panel")

_COLUMNS = ("label", "pk", "organisation_id")
_LEVEL = 6
Owner = tuple[int | None, int]
"""Keys of the domain (None: no token) and of the organisation."""


def take(arrivals: Sequence[Arrival], *, organisation: Organisation | None = None) -> int:
    """Keep these, all or none, each for the owner of its token; one that is there already stays as it is.

    Gives how many have no owner, and so were not kept.

    A domain that has gone still gets what was accepted for it. `organisation`: whose those without a token are, as
    imports are. Raises DatabaseError.
    """
    rows = {arrival.id: arrival for arrival in arrivals}.values()
    owners = _owners(rows) | ({"": (None, organisation.pk)} if organisation else {})
    with transaction.atomic():
        RawReport.objects.everywhere().bulk_create(_rows(rows, owners), ignore_conflicts=True, batch_size=500)
    return sum(arrival.token not in owners for arrival in rows)


def _owners(arrivals: Iterable[Arrival]) -> dict[str, Owner]:
    tokens = {arrival.token for arrival in arrivals}
    found = HostedDomain.objects.everywhere().filter(label__in=tokens).values_list(*_COLUMNS)
    return {label: (domain, organisation) for label, domain, organisation in found}


def _rows(arrivals: Iterable[Arrival], owners: Mapping[str, Owner]) -> Iterator[RawReport]:
    for arrival in arrivals:
        owner = owners.get(arrival.token)
        if owner is None:
            log.warning("report_without_owner", arrival=arrival.id)
            continue
        yield _row(arrival, owner)


def _row(arrival: Arrival, owner: Owner) -> RawReport:
    domain, organisation = owner
    return RawReport(
        organisation_id=organisation,
        domain_id=domain,
        arrival_id=arrival.id,
        channel=arrival.channel.value,
        received_at=datetime.fromtimestamp(arrival.received_at, UTC),
        peer=_text(arrival.peer, WORD_LENGTH),
        sender=_text(arrival.sender, TEXT_LENGTH),
        media_type=_text(arrival.media_type, WORD_LENGTH),
        body=zlib.compress(arrival.body, _LEVEL),
        size=len(arrival.body),
    )


def _text(text: str, length: int) -> str:
    """What a stranger said, as every database takes it: no NUL, no half of a surrogate pair, not too long."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")[:length]
