"""The audit log: lines are chained per organisation as they are written, and the chain is checked.

Whoever appends holds the organisation's `AuditHead` until the deed is committed, so that two at once come one after the
other. Lines that the version of before wrote while both ran are taken in by whoever writes next, or by `take_in`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import groupby

from django.db import models, transaction

from trinco.panel.accounts import chain
from trinco.panel.accounts.errors import OrganisationClosed
from trinco.panel.accounts.models import AuditEntry, AuditHead, Organisation

_AT_ONCE = 500
_LATER: ContextVar[bool] = ContextVar("written_loose", default=False)


@dataclass(frozen=True, slots=True)
class Break:
    """The first line of an organisation's chain that is not as it was written."""

    organisation: Organisation
    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lines` hold together, the last of which has `digest`; `loose` ones wait to be taken in.

    The chain has no key: whoever can write all of the table can make another that holds together. Whoever has kept an
    earlier end, or a file of the log, elsewhere sees that too.
    """

    organisation: Organisation
    lines: int
    loose: int
    broken: Break | None
    digest: str = chain.FIRST


@transaction.atomic
def append(lines: Sequence[AuditEntry]) -> list[AuditEntry]:
    """Write lines at the end of their organisations' chains, in the transaction of the deeds that they tell of.

    Raises OrganisationClosed: no deed is done there any more.
    """
    for line in lines:
        line.before, line.after = chain.plain(line.before), chain.plain(line.after)
    for organisation_id, own in groupby(sorted(lines, key=_whose), _whose):
        if _LATER.get():
            AuditEntry.objects.everywhere().bulk_create(own)
            continue
        head = _head(organisation_id)
        if head.ended:
            raise OrganisationClosed(str(organisation_id))
        _take_in(head)
        AuditEntry.objects.everywhere().bulk_create(list(_chained(head, own)))
        head.save(update_fields=["number", "digest"])
    return list(lines)


def hold(organisations: Iterable[int]) -> None:
    """No deed is committed there until this transaction ends: each writes its line, and waits for its chain's end."""
    for key in sorted(organisations):
        _head(key)


def end(organisation_id: int) -> None:
    """Nothing comes after the last line. For whoever holds the chain's end."""
    AuditHead.objects.filter(organisation=organisation_id).update(ended=True)


@contextmanager
def loosely() -> Iterator[None]:
    """Lines written meanwhile stay out of the chain until `take_in`: for a past that is made up (the playground)."""
    token = _LATER.set(True)
    try:
        yield
    finally:
        _LATER.reset(token)


def take_in(organisation_id: int) -> int:
    """Take the lines that no chain has into it, oldest first, some at a time: a kill loses nothing. How many."""
    taken = 0
    while some := _take_some(organisation_id):
        taken += some
    return taken


@transaction.atomic
def _take_some(organisation_id: int) -> int:
    head = _head(organisation_id)
    return _take_in(head, _AT_ONCE)


def _take_in(head: AuditHead, most: int | None = None) -> int:
    loose = AuditEntry.objects.loose().filter(organisation=head.organisation_id).order_by("pk")
    lines = list(_chained(head, loose[:most]))
    for line in lines:
        models.QuerySet(AuditEntry).filter(pk=line.pk, number=None).update(
            number=line.number, previous=line.previous, digest=line.digest
        )
    if lines:
        head.save(update_fields=["number", "digest"])
    return len(lines)


def _head(organisation_id: int) -> AuditHead:
    AuditHead.objects.bulk_create([AuditHead(organisation_id=organisation_id)], ignore_conflicts=True)
    return AuditHead.objects.select_for_update().get(organisation=organisation_id)


def _chained(head: AuditHead, lines: Iterable[AuditEntry]) -> Iterator[AuditEntry]:
    for line in lines:
        line.number, line.previous = head.number + 1, head.digest
        line.digest = chain.digest(line)
        head.number, head.digest = line.number, line.digest
        yield line


def _whose(line: AuditEntry) -> int:
    return line.organisation_id


def verify(organisation: Organisation) -> Verdict:
    """Follow a chain from its first line to its end, and name the first break."""
    head = AuditHead.objects.filter(organisation=organisation).first() or AuditHead(organisation=organisation)
    number, digest, broken = 0, chain.FIRST, None
    chained = AuditEntry.objects.of(organisation).filter(number__gt=0, number__lte=head.number).order_by("number")
    for line in chained.iterator(_AT_ONCE):
        why = _wrong(line, number + 1, digest)
        if why:
            broken = Break(organisation, number + 1, why)
            break
        number, digest = number + 1, line.digest
    broken = broken or _wrong_end(organisation, head, number, digest)
    loose = AuditEntry.objects.loose().filter(organisation=organisation).count()
    return Verdict(organisation, number, loose, broken, digest)


def _wrong(line: AuditEntry, number: int, before: str) -> str:
    if line.number != number:
        return "the line is missing"
    if line.previous != before:
        return "it does not follow the line before"
    return "" if chain.digest(line) == line.digest else "what it says was changed"


def _wrong_end(organisation: Organisation, head: AuditHead, number: int, digest: str) -> Break | None:
    if number < head.number:
        return Break(organisation, number + 1, "the line is missing")
    if digest != head.digest:
        return Break(organisation, number, "it is not the line that was written last")
    latest = AuditEntry.objects.of(organisation).filter(number__gt=head.number).order_by("-number").first()
    # The line first, the end after it: whoever wrote the line meanwhile has moved the end too.
    behind = latest is not None and (latest.number or 0) > _head_of(organisation)
    return Break(organisation, latest.number or 0, "it was put behind the end") if latest and behind else None


def _head_of(organisation: Organisation) -> int:
    """The end as it is now: lines may have been written while the chain was followed."""
    return AuditHead.objects.filter(organisation=organisation).values_list("number", flat=True).first() or 0
