"""`/state`: what the organisation hosts as one file (docs/declarative.md), and bringing it in line with one."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from trinco.panel.accounts import actors
from trinco.panel.accounts.access import visible
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import kinds, schemas
from trinco.panel.api.auth import caller, clients_of, needs
from trinco.panel.api.bodies import Strict, refused
from trinco.panel.api.parameters import flag, known
from trinco.panel.api.problems import Problem
from trinco.panel.api.rehearsing import NAME as DRY
from trinco.panel.api.rehearsing import DryParameters, dry
from trinco.panel.declared import present, telling
from trinco.panel.declared.errors import DeclarationSyntaxError
from trinco.panel.declared.reading import read
from trinco.panel.declared.services import steps_of
from trinco.panel.declared.steps import Terms
from trinco.panel.declared.values import DeclaredOrganisation
from trinco.panel.declared.writing import written

MOST = 500
"""Domains of one request: more take longer than a connection lasts."""
router = Router(tags=["state"], by_alias=True)


class StateIn(Strict):
    """A file, or a part of one."""

    file: str = Field(
        description="YAML, as in docs/declarative.md. It names the token's organisation, and clients that are to be "
        "made: by name, with `second_factor` where it is said; with `dry_run` all that they are to have."
    )
    keep: list[str] | None = Field(
        None, description="Domains that neither the file nor this list names leave. Without it none does."
    )


class StateOut(Schema):
    """`organisation` is what the file calls it. `left_out`: clients whose names do not say which one is meant, or that
    want a second factor or a single sign-on that is not there."""

    organisation: str
    file: str
    left_out: list[str]


class StateParameters(Schema):
    """How much."""

    clients: str | None = Field(None, description="`true`: the clients as well.")


class DifferenceOut(Schema):
    """One value; `before` is null where there was none."""

    before: str | None
    after: str


class AppliedStepOut(Schema):
    """`domain` is null for the organisation itself. `step`: `add`, `change`, `leave`, `give up`, `none`. `refused`: why
    nothing of it is done. `unjudged`: a look at DNS decides whether it may enforce, which a dry run does not take."""

    organisation: list[str]
    domain: str | None
    step: str
    differences: dict[str, DifferenceOut]
    refused: str | None
    unjudged: bool = False


class AppliedOut(Schema):
    """What was done, or would be. `same`: how many are as declared already."""

    steps: list[AppliedStepOut]
    same: int


@router.get("", auth=needs(Deed.READ), response=schemas.told(StateOut), summary="What is hosted, as a file")
def state(request: HttpRequest, asked: Query[StateParameters]) -> dict[str, Any]:  # noqa: ARG001
    """Your organisation and its domains, as `trinco apply` takes them."""
    known(request, StateParameters.model_fields)
    access, more = caller(request), flag(request, "clients")
    entered = clients_of(access) if more else []
    declared, unclear = present.own(access.organisation, entered)
    below = visible(access.user).filter(parent=access.organisation, closed_at=None) if more else ()
    barred = [each.name for each in below if each not in entered]
    told = {"organisation": access.organisation.name, "file": written(declared).decode()}
    return {**told, "left_out": sorted({*unclear, *barred})}


@router.post("", auth=needs(Deed.POLICY_WRITE), response=schemas.told(AppliedOut), summary="Apply a file")
def apply(request: HttpRequest, wanted: StateIn, asked: Query[DryParameters]) -> dict[str, Any]:  # noqa: ARG001
    """Bring domains and policies in line with a file, each domain by itself: one that is refused stops no other.
    Clients that it names and that are not there are made; their domains go to the client's own `root`. Sent again it
    changes nothing. 500 domains and clients at most: send a longer file in parts, and `keep` with the last one."""
    known(request, (DRY,))
    rehearsed = dry(request)
    access, keep = caller(request), wanted.keep
    declared = _declared(wanted.file, access.organisation.name, dry=rehearsed)
    terms = Terms(actors.of(request), prune=keep is not None, dry=rehearsed, keep=frozenset(keep or ()))
    taken = list(steps_of(declared, access.organisation, terms, may=access.may))
    steps = [telling.facts(step) for step in taken if telling.matters(step)]
    return {"steps": steps, "same": len(taken) - len(steps)}


def _declared(text: str, name: str, *, dry: bool) -> DeclaredOrganisation:
    """What the file says of this organisation. Raises Problem 422."""
    try:
        declaration = read(text.encode())
    except DeclarationSyntaxError as error:
        told = [{"pointer": "/file", "detail": f"{each}."} for each in error.problems]
        raise Problem(kinds.BAD_BODY, "The file has faults: nothing was done.", errors=told) from None
    names = [each.name for each in declaration.organisations]
    if names != [name]:
        raise refused("/file", "It names your token's organisation, and none beside it.")
    (declared,) = declaration.organisations
    if not dry and any(each != _to_make(each) for each in declared.clients):
        raise refused("/file", "Of clients it has names, and `second_factor`: send the rest to each one's `root`.")
    if sum(1 + len(each.domains or ()) for each in (declared, *declared.clients)) > MOST + 1:
        raise refused("/file", f"It has more than {MOST} domains and clients: send it in parts.")
    return declared


def _to_make(client: DeclaredOrganisation) -> DeclaredOrganisation:
    return DeclaredOrganisation(client.name, client.second_factor)
