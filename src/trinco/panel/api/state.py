"""`/state`: what the organisation hosts as one file (docs/declarative.md), and bringing it in line with one."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import kinds, schemas
from trinco.panel.api.auth import caller, needs
from trinco.panel.api.bodies import Strict, refused
from trinco.panel.api.parameters import known
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

    file: str = Field(description="YAML, as in docs/declarative.md. It names the token's organisation, and no other.")
    keep: list[str] | None = Field(
        None, description="Domains that neither the file nor this list names leave. Without it none does."
    )


class StateOut(Schema):
    """`organisation` is what the file calls it."""

    organisation: str
    file: str


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
def state(request: HttpRequest) -> dict[str, Any]:
    """Your organisation and its domains, as `trinco apply` takes them."""
    known(request, ())
    organisation = caller(request).organisation
    return {"organisation": organisation.name, "file": written(present.alone(organisation)).decode()}


@router.post("", auth=needs(Deed.POLICY_WRITE), response=schemas.told(AppliedOut), summary="Apply a file")
def apply(request: HttpRequest, wanted: StateIn, asked: Query[DryParameters]) -> dict[str, Any]:  # noqa: ARG001
    """Bring domains and policies in line with a file, each domain by itself: one that is refused stops no other. Sent
    again it changes nothing. 500 domains at most: send a longer file in parts, and `keep` with the last one."""
    known(request, (DRY,))
    rehearsed = dry(request)
    access, keep = caller(request), wanted.keep
    declared = _declared(wanted.file, access.organisation.name)
    terms = Terms(actors.of(request), prune=keep is not None, dry=rehearsed, keep=frozenset(keep or ()))
    owns = access.may(Deed.ORGANISATION_MANAGE)
    taken = list(steps_of(declared, access.organisation, terms, owns=owns))
    steps = [telling.facts(step) for step in taken if telling.matters(step)]
    return {"steps": steps, "same": len(taken) - len(steps)}


def _declared(text: str, name: str) -> DeclaredOrganisation:
    """What the file says of this organisation. Raises Problem 422."""
    try:
        declaration = read(text.encode())
    except DeclarationSyntaxError as error:
        told = [{"pointer": "/file", "detail": f"{each}."} for each in error.problems]
        raise Problem(kinds.BAD_BODY, "The file has faults: nothing was done.", errors=told) from None
    names = [each.name for each in declaration.organisations]
    if names != [name] or declaration.organisations[0].clients:
        raise refused("/file", "It names your token's organisation alone, and no client.")
    (declared,) = declaration.organisations
    if len(declared.domains or ()) > MOST:
        raise refused("/file", f"It has more than {MOST} domains: send it in parts.")
    return declared
