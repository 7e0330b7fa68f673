"""Which of an organisation's domains are asked for: by urgency, state, mode, tag, and a part of a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from trinco.core import tags
from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.panel.domains.models import HostedDomain, MxSighting
from trinco.panel.domains.tag_models import Tagging


@dataclass(frozen=True, slots=True)
class Wanted:
    """What all have to fit. Empty: no matter."""

    levels: Sequence[int] = ()
    state: str = ""
    mode: str = ""
    """Of the policy that is served or about to be."""
    tag: str = ""
    """In any case of its letters; one that nobody has fits no domain."""
    search: str = ""
    """A part of the name, or of a mail server's."""


def fitting(rows: QuerySet[HostedDomain], wanted: Wanted) -> QuerySet[HostedDomain]:
    """Those of them that fit."""
    if wanted.levels:
        rows = rows.filter(level__in=wanted.levels)
    if wanted.state:
        rows = rows.filter(state=wanted.state)
    if wanted.mode:
        rows = rows.filter(standing__current__mode=wanted.mode)
    if wanted.tag:
        rows = rows.filter(Exists(_tagged(wanted.tag)))
    return rows.filter(_named(wanted.search)) if wanted.search else rows


def _tagged(tag: str) -> QuerySet[Tagging]:
    """With a tag of this name: a domain has those of its organisation alone."""
    return Tagging.objects.everywhere().filter(domain=OuterRef("pk"), tag__key=tags.key(tag))


def _named(search: str) -> Q:
    """A part of the name or of a mail server's name; also as people write it, with accents."""
    texts = {search.lower(), _ascii(search)}
    return Q(*(_contains(text) for text in texts), _connector=Q.OR)


def _contains(text: str) -> Q:
    servers = MxSighting.objects.everywhere().filter(domain=OuterRef("pk"), host__contains=text)
    return Q(Q(name__contains=text), Exists(servers), _connector=Q.OR)


def _ascii(search: str) -> str:
    try:
        return str(Domain.parse(search))
    except DomainSyntaxError:
        return search.lower()
