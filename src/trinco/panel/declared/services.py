"""Bringing the tables in line with a file, step by step: each organisation, and each domain, is one transaction.

What is done is found by comparing, so that a run that ended halfway is gone on with by running it again, and a second
run finds nothing to do. A step that is refused is told with its reason, and the others go on. Policies are published
as everywhere (`policies.services`): the bodies now, their ids once every edge serves them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import cast

from django.db import transaction

from trinco.panel import wall
from trinco.panel.accounts import people
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.errors import NoClients, NoSingleSignOn
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.roles import Deed
from trinco.panel.declared import present
from trinco.panel.declared.comparing import Difference
from trinco.panel.declared.errors import AmbiguousOrganisation, NotAllowed
from trinco.panel.declared.settling import Place, settled
from trinco.panel.declared.steps import Kind, Step, Terms
from trinco.panel.declared.values import Declaration, DeclaredOrganisation
from trinco.panel.domains.models import Revision


def steps(declaration: Declaration, terms: Terms) -> Iterator[Step]:
    """Take each step, and tell of it when it is done."""
    for each in declaration.organisations:
        yield from _organisation(each, Place((each.name,), terms), None)


def steps_of(
    declared: DeclaredOrganisation, row: Organisation, terms: Terms, *, may: Callable[[Deed], bool]
) -> Iterator[Step]:
    """The steps of one organisation that is there, and the making of those clients of it that are not: what else they
    are to have is looked at in a dry run alone. `may`: what whoever asks may do in it."""
    here, owns = Place((row.name,), terms, organisation=row), may(Deed.ORGANISATION_MANAGE)
    for step in _demands(declared, here if owns else replace(here, terms=replace(terms, dry=True))):
        yield step if owns else replace(step, problem=NotAllowed("an owner's with the scope `admin`"))
    if declared.domains is not None:
        yield from settled(here, declared.domains)
    for client in declared.clients:
        yield from _client(client, row, terms, makes=may(Deed.CLIENTS_MANAGE))


@wall.lifted()  # nobody may see yet what is made here, nor whether another one is called so
def _client(declared: DeclaredOrganisation, provider: Organisation, terms: Terms, *, makes: bool) -> list[Step]:
    """The steps of making it; none where it is there."""
    place = Place((provider.name, declared.name), terms, inherited=provider.mfa_required)
    if provider.parent_id is not None:
        return [replace(place.step("", Kind.ADD), problem=NoClients(provider.name))]
    with suppress(AmbiguousOrganisation):
        if present.found(declared.name, provider) is not None:
            return []
        if not makes:
            needed = NotAllowed("an owner's or an admin's with the scope `admin`")
            return [replace(place.step("", Kind.ADD), problem=needed)]
    return list(_organisation(declared if terms.dry else replace(declared, domains=None), place, provider))


def _organisation(declared: DeclaredOrganisation, place: Place, provider: Organisation | None) -> Iterator[Step]:
    """It, its domains and its clients. Where it cannot be told which one is meant, nothing of it is touched."""
    try:
        row = _found(place, provider)
    except AmbiguousOrganisation as problem:
        yield replace(place.step("", Kind.NONE), problem=problem)
        return
    if row is None:
        yield place.step("", Kind.ADD)
        row = None if place.terms.dry else _added(place, provider)
    here = replace(place, organisation=row)
    yield from _demands(declared, here)
    if declared.domains is not None:
        yield from settled(here, declared.domains)
    demanded = _demanded(here) if declared.second_factor is None else declared.second_factor
    for client in declared.clients:
        below = Place((*place.path, client.name), place.terms, inherited=demanded)
        yield from _organisation(client, below, row)


def _found(place: Place, provider: Organisation | None) -> Organisation | None:
    below_new = len(place.path) > 1 and provider is None
    return None if below_new else present.found(place.path[-1], provider)


@transaction.atomic
def _added(place: Place, provider: Organisation | None) -> Organisation:
    """Whoever adds one holds its provider, or a row that there is once: two files that are applied at once make it
    once."""
    if provider is None:
        Revision.objects.get_or_create(pk=1)
        Revision.objects.select_for_update().get(pk=1)
    else:
        Organisation.objects.select_for_update(no_key=True).get(pk=provider.pk)
    row, name, actor = _found(place, provider), place.path[-1], place.terms.actor
    return row or _made(name, provider, actor)


def _made(name: str, provider: Organisation | None, actor: Actor) -> Organisation:
    if provider is None:
        return people.add_organisation(name=name, actor=actor)
    return people.add_client(provider=provider, name=name, actor=actor)


def _demands(declared: DeclaredOrganisation, place: Place) -> Iterator[Step]:
    """What it demands of its people."""
    yield from _demand(place, "second_factor", "mfa_required", (_demanded(place), declared.second_factor))
    came = place.organisation.sso_required if place.organisation else False
    yield from _demand(place, "single_sign_on", "sso_required", (came, declared.single_sign_on))


def _demand(place: Place, word: str, term: str, values: tuple[bool, bool | None]) -> Iterator[Step]:
    """The step from the value of now to the one that is wanted; None: nothing is said about it."""
    now, wanted = values
    if wanted is None or wanted == now:
        return
    difference = Difference(word, str(now).lower(), str(wanted).lower())
    step = replace(place.step("", Kind.CHANGE), differences=(difference,))
    try:
        if place.organisation and not place.terms.dry:
            terms = cast(people.Terms, {term: wanted})
            people.set_organisation(organisation=place.organisation, actor=place.terms.actor, **terms)
    except NoSingleSignOn as problem:
        step = replace(step, problem=problem)
    yield step


def _demanded(place: Place) -> bool:
    return place.organisation.mfa_required if place.organisation else place.inherited
