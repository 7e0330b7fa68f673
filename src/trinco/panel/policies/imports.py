"""Imports of many domains: given at once, worked off in portions, each of which is one transaction.

The domains of a portion, their audit lines and how their lines ended are committed together, and whoever works on an
import holds its row: a kill at any moment doubles nothing and loses nothing, and several workers share the imports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from trinco.core import tags as rules
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.services import record
from trinco.panel.asking import Question
from trinco.panel.domains import tags
from trinco.panel.domains.many import add_many
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.domains.services import SERVED
from trinco.panel.domains.tag_models import Tag
from trinco.panel.policies.errors import ImportUnderWay
from trinco.panel.policies.import_lines import leave_room, read
from trinco.panel.policies.import_models import DomainImport, Ending, ImportLine, ImportState
from trinco.panel.policies.import_places import Places
from trinco.panel.policies.many import start_many

KEPT = 20
"""Imports of an organisation that can be looked at; older ones go, and their domains stay."""
_AT_ONCE = 250
PATIENCE = timedelta(minutes=2)
"""An import that runs has its turn within seconds."""


def start(*, organisation: Organisation, text: str, actor: Actor, places: Places | None = None) -> DomainImport:
    """Take a list in. `places`: whose the domains may be, where the list says it; without them, this organisation's.

    Raises NothingToImport, TooManyLines, UnknownColumn, and ImportUnderWay while another one runs.
    """
    lines = read(text, places or Places([organisation]))
    if any(line.tags for line in lines):
        known = _tags_of({line.client_id or organisation.pk for line in lines})
        leave_room(lines, known, organisation.pk, tags.MOST)
    try:
        return _stored(organisation, lines, actor)
    except IntegrityError:
        raise ImportUnderWay from None


def _tags_of(organisations: Iterable[int]) -> dict[int, set[str]]:
    """The keys of the tags that each organisation has. One query."""
    found: dict[int, set[str]] = {}
    for whose, key in (
        Tag.objects.everywhere().filter(organisation__in=organisations).values_list("organisation", "key")
    ):
        found.setdefault(whose, set()).add(key)
    return found


@transaction.atomic
def _stored(organisation: Organisation, lines: Sequence[ImportLine], actor: Actor) -> DomainImport:
    who = {"actor": actor.name, "source": actor.source, "provider": actor.provider, "token": actor.token}
    job = DomainImport.objects.everywhere().create(organisation=organisation, **who)
    for line in lines:
        line.job = job
    ImportLine.objects.everywhere().bulk_create(lines)
    _note(job, actor, "import.started", {"lines": len(lines)})
    older = DomainImport.objects.of(organisation).exclude(state=ImportState.RUNNING).order_by("-pk")
    DomainImport.objects.of(organisation).filter(pk__in=list(older.values_list("pk", flat=True)[KEPT:])).delete()
    return job


def stop(*, job: DomainImport, actor: Actor) -> None:
    """Go no further: what was added stays, the rest waits. One that does not run stays as it is."""
    _turn(job, actor, (ImportState.RUNNING, ImportState.STOPPED))


def go_on(*, job: DomainImport, actor: Actor) -> None:
    """Go on with one that was stopped. Raises ImportUnderWay while another one runs."""
    try:
        _turn(job, actor, (ImportState.STOPPED, ImportState.RUNNING))
    except IntegrityError:
        raise ImportUnderWay from None


@transaction.atomic
def _turn(job: DomainImport, actor: Actor, change: tuple[ImportState, ImportState]) -> None:
    before, after = change
    row = DomainImport.objects.of(job.organisation).select_for_update().get(pk=job.pk)
    if row.state == before:
        row.state = after
        row.turn_at = timezone.now() if after == ImportState.RUNNING else row.turn_at
        row.save(update_fields=["state", "turn_at"])
        _note(row, actor, "import.stopped" if after == ImportState.STOPPED else "import.resumed", {})
    job.refresh_from_db()


def _note(job: DomainImport, actor: Actor, action: str, after: dict[str, int]) -> None:
    record(organisation=job.organisation, actor=actor, action=action, subject=f"#{job.pk}", after=after)


def _running(_now: datetime) -> QuerySet[DomainImport]:
    return DomainImport.objects.everywhere().filter(state=ImportState.RUNNING)


_SOME = Question(_running)


def unheeded(now: datetime) -> QuerySet[DomainImport]:
    """Those that run and have had no turn for so long that no worker seems to run."""
    return _running(now).filter(turn_at__lt=now - PATIENCE)


def is_unheeded(job: DomainImport, now: datetime) -> bool:
    """`unheeded` of one that is at hand."""
    return job.state == ImportState.RUNNING and job.turn_at < now - PATIENCE


def imports_due(now: datetime) -> int:
    """Work off one portion of the import whose turn is longest ago. How many lines that were."""
    if not _SOME.holds(now):
        return 0
    running = _running(now)
    key = running.order_by("turn_at").values_list("pk", flat=True).first()
    if key is None:
        return 0
    running.filter(pk=key).update(turn_at=now)  # by itself: one that fails stands in nobody's way
    return _portion(key)


@transaction.atomic
def _portion(key: int) -> int:
    free = DomainImport.objects.everywhere().select_for_update(of=("self",), skip_locked=True)
    job = free.select_related("organisation").filter(pk=key, state=ImportState.RUNNING).first()
    if job is None:
        return 0
    waiting = ImportLine.objects.everywhere().filter(job=job, ending=Ending.WAITING)
    # By client, so that a portion is a few organisations' and not everybody's.
    lines = list(waiting.select_related("client").order_by("client", "number")[:_AT_ONCE])
    for _client, some in groupby(lines, lambda line: line.client_id):
        for ending, keys in _worked(job, list(some)).items():
            waiting.filter(pk__in=keys).update(ending=ending)
    if len(lines) < _AT_ONCE:
        job.state, job.ended_at = ImportState.DONE, timezone.now()
        job.save(update_fields=["state", "ended_at"])
    return len(lines)


def _worked(job: DomainImport, lines: Sequence[ImportLine]) -> dict[Ending, list[int]]:
    """Add what is new of one organisation's lines, and say how each line ended; of those for whose tags there is no
    room any more, that is written down already."""
    organisation, actor = lines[0].client or job.organisation, _actor(job, lines[0])
    if organisation.closed_at is not None:
        return _closed(organisation, lines)
    lines = _with_room(organisation, lines)
    taken = _served_elsewhere(organisation, [line.name for line in lines])
    names = [line.name for line in lines if line.name not in taken]
    tagged = _tagged(organisation, [line for line in lines if line.name not in taken and line.tags])
    new = add_many(organisation=organisation, names=names, actor=actor, tags=tagged)
    added = {each.name: each for each in new}
    if pairs := [(added[line.name], line.mx) for line in lines if line.name in added and line.mx]:
        start_many(pairs=pairs, actor=actor)
    _tag(organisation, tagged, actor, new)
    ended: dict[Ending, list[int]] = {}
    for line in lines:
        other = Ending.TAKEN if line.name in taken else Ending.THERE
        ended.setdefault(Ending.ADDED if line.name in added else other, []).append(line.pk)
    return ended


def _closed(organisation: Organisation, lines: Sequence[ImportLine]) -> dict[Ending, list[int]]:
    """It was closed since the list was given: nobody finds it by its name any more."""
    keys = [line.pk for line in lines]
    ImportLine.objects.everywhere().filter(pk__in=keys).update(detail=organisation.name)
    return {Ending.CLIENT: keys}


def _with_room(organisation: Organisation, lines: Sequence[ImportLine]) -> list[ImportLine]:
    """Tags may have come meanwhile: the list may have waited for hours."""
    if any(line.tags for line in lines):
        leave_room(lines, _tags_of([organisation.pk]), organisation.pk, tags.MOST)
        full = [line for line in lines if line.ending == Ending.TAGS]
        ImportLine.objects.everywhere().bulk_update(full, ["ending", "detail"])
    return [line for line in lines if line.ending == Ending.WAITING]


def _tagged(organisation: Organisation, lines: Sequence[ImportLine]) -> dict[str, list[str]]:
    """The tags that the list names, as they are called here, by domain."""
    names = tags.called(organisation, [name for line in lines for name in line.tags]) if lines else {}
    return {line.name: [names[rules.key(name)] for name in line.tags] for line in lines}


def _tag(
    organisation: Organisation, wanted: Mapping[str, Sequence[str]], actor: Actor, new: Sequence[HostedDomain]
) -> None:
    """Put them on, also on what was there already; of what is new the line of that says it."""
    rows = HostedDomain.objects.of(organisation).exclude(state=State.GONE).filter(name__in=wanted) if wanted else ()
    if rows:
        told, each = {row.pk for row in new}, {row.pk: wanted[row.name] for row in rows}
        tags.put_each(organisation=organisation, wanted=each, actor=actor, told=told)


def _actor(job: DomainImport, line: ImportLine) -> Actor:
    """As the log of the organisation has it: whoever gives a provider's list acts in its clients as its staff."""
    actor = Actor(job.actor, job.source, job.provider, job.token)
    elsewhere = line.client_id not in (None, job.organisation_id)
    return replace(actor, provider=job.organisation.name) if elsewhere else actor


def _served_elsewhere(organisation: Organisation, names: Sequence[str]) -> set[str]:
    served = HostedDomain.objects.everywhere().filter(name__in=names, state__in=SERVED)
    return set(served.exclude(organisation=organisation).values_list("name", flat=True))


def tally(job: DomainImport) -> Counter[str]:
    """How many lines ended how."""
    rows = ImportLine.objects.of(job.organisation).filter(job=job).order_by().values_list("ending")
    return Counter(dict(rows.annotate(n=Count("pk"))))


def tally_by_client(job: DomainImport) -> dict[int, Counter[str]]:
    """The same for each organisation that the list names, by its key."""
    found: dict[int, Counter[str]] = {}
    named = ImportLine.objects.of(job.organisation).filter(job=job, client__isnull=False).order_by()
    for client, ending, many in named.values_list("client", "ending").annotate(n=Count("pk")):
        found.setdefault(client, Counter())[ending] = many
    return found
