"""`/domains/{name}/policy`: read, changed, undone, and what it was before."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from ninja import Body, Query, Router

from trinco.core.errors import TrincoError
from trinco.core.mtasts.policy import DEFAULT_MAX_AGE, Mode, Policy
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import conditions, kinds, policy_schemas, policy_views, schemas
from trinco.panel.api.auth import needs
from trinco.panel.api.lookups import again, domain_of, held
from trinco.panel.api.pages import Order, page_of
from trinco.panel.api.parameters import PageParameters, known
from trinco.panel.api.patterns import patterns
from trinco.panel.api.policy_schemas import PolicyIn, PolicyPatch, UndoIn
from trinco.panel.api.problems import Problem
from trinco.panel.api.refusals import problem_of
from trinco.panel.api.rehearsing import NAME as DRY
from trinco.panel.api.rehearsing import DryParameters, dry, rehearsal
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import services
from trinco.panel.policies.errors import NothingChanged, NothingToUndo, NotStarted
from trinco.panel.policies.models import PolicyVersion
from trinco.panel.policies.proposals import filled, last_mx
from trinco.panel.policies.versions import policy_of

router = Router(tags=["policies"], by_alias=True)
BY_NUMBER = Order((("number", int),), down=True)
UNDO = UndoIn.model_validate({})
"""The body of an undo that has none."""

CHANGE: dict[str, Any] = {
    "auth": needs(Deed.POLICY_WRITE),
    "response": schemas.changed(policy_schemas.ChangeOut),
    "openapi_extra": conditions.PARAMETERS,
}
"""What holds for every operation that changes a policy."""

Answer = dict[str, Any]


@router.get(
    "/{name}/policy",
    auth=needs(Deed.READ),
    response=schemas.told(policy_schemas.PolicyStateOut),
    summary="The policy of a domain",
)
def policy(request: HttpRequest, name: str, response: HttpResponse) -> Answer:
    """The version that is current. Its number is the `ETag`, which a change sends back as `If-Match`."""
    known(request, ())
    state = policy_views.state(domain_of(request, name))
    if state is None:
        raise Problem(kinds.NOT_FOUND, kinds.NOT_STARTED.says)
    response.headers["ETag"] = conditions.etag_of(state["number"])
    return state


@router.put("/{name}/policy", **CHANGE, summary="Publish a policy")
def put(
    request: HttpRequest,
    name: str,
    response: HttpResponse,
    wanted: PolicyIn,
    asked: Query[DryParameters],  # noqa: ARG001
) -> Answer:
    """Make it the current one: `If-Match` names the version that you have read, `If-None-Match: *` is for the first."""
    return _published(request, response, name, wanted)


@router.patch("/{name}/policy", **CHANGE, summary="Change a policy")
def patch(
    request: HttpRequest,
    name: str,
    response: HttpResponse,
    wanted: PolicyPatch,
    asked: Query[DryParameters],  # noqa: ARG001
) -> Answer:
    """Change what is sent. The mode alone means the last `mx` list that the domain had, and the mode's own max_age."""
    return _published(request, response, name, wanted)


@router.post("/{name}/policy/undo", **CHANGE, summary="Undo the last change")
def undo(
    request: HttpRequest,
    name: str,
    response: HttpResponse,
    asked: Query[DryParameters],  # noqa: ARG001
    wanted: Body[UndoIn] = UNDO,
) -> Answer:
    """Publish what the version before the current one said, under a new id. A leaving domain becomes live again."""
    known(request, (DRY,))
    row = domain_of(request, name)
    expected = _expected(request, row)
    version = policy_views.current(row)
    before = row.versions.filter(number=version.number - 1).first() if version else None
    if before is None:
        raise NothingToUndo
    deed = partial(services.undo, domain=row, override=wanted.override, expected_number=expected)
    return _changed(request, response, row, policy_of(before), partial(deed, actor=actors.of(request)))


@router.get(
    "/{name}/policy/versions",
    auth=needs(Deed.READ),
    response=schemas.told(policy_schemas.VersionsOut),
    summary="Versions",
)
def versions(request: HttpRequest, name: str, asked: Query[PageParameters]) -> Answer:  # noqa: ARG001
    """Every policy that the domain ever had, the newest first, in pages."""
    known(request, PageParameters.model_fields)
    page = page_of(request, domain_of(request, name).versions.select_related("undoes"), BY_NUMBER)
    return {"rows": list(map(policy_views.version_row, page.rows)), "next": page.next}


@router.get(
    "/{name}/policy/proposals",
    auth=needs(Deed.READ),
    response=schemas.told(policy_schemas.ProposalsOut),
    summary="Proposals",
)
def proposals(request: HttpRequest, name: str) -> Answer:
    """What each mode would mean: the policy, the difference, and what speaks against it. Accept one by PATCH."""
    known(request, ())
    return policy_views.proposals(domain_of(request, name))


def _expected(request: HttpRequest, row: HostedDomain) -> int | None:
    """The version that the request is about; None: whatever is current, or the first. Raises Problem 412, 428."""
    version = policy_views.current(row)
    named = conditions.require_match(request, conditions.etag_of(version.number) if version else None)
    return version.number if version and named else None


def _published(request: HttpRequest, response: HttpResponse, name: str, wanted: PolicyIn | PolicyPatch) -> Answer:
    """Nobody changes the policy between what a part is put into and what is published, whatever `If-Match` names."""
    known(request, (DRY,))
    with transaction.atomic():
        row = held(request, name)
        policy = _patched(row, wanted) if isinstance(wanted, PolicyPatch) else _whole(wanted)
        return _changed(request, response, row, policy, _publishing(request, row, policy, override=wanted.override))


def _publishing(
    request: HttpRequest, row: HostedDomain, policy: Policy, *, override: bool
) -> Callable[[], PolicyVersion]:
    """The deed: of a first policy, or of the version that the request names."""
    expected = _expected(request, row)
    facts = {"domain": row, "policy": policy, "actor": actors.of(request), "override": override}
    if policy_views.current(row) is None:
        return partial(services.first, **facts)  # type: ignore[arg-type]
    return partial(services.publish, **facts, expected_number=expected)  # type: ignore[arg-type]


def _whole(wanted: PolicyIn) -> Policy:
    """Raises PolicySyntaxError."""
    mode = Mode(wanted.mode)
    mx = () if mode is Mode.NONE else patterns(wanted.mx)
    return Policy(mode, mx, wanted.max_age or DEFAULT_MAX_AGE[mode])


def _patched(row: HostedDomain, wanted: PolicyPatch) -> Policy:
    """Raises NotStarted, NoMxYet, PolicySyntaxError."""
    version = policy_views.current(row)
    if version is None:
        raise NotStarted
    mode = Mode(wanted.mode or version.mode)
    mx = None if wanted.mx is None or mode is Mode.NONE else patterns(wanted.mx)
    last = last_mx([row.standing]).get(row.pk, ())
    return filled(policy_of(version), last, mode=mode, mx=mx, max_age=wanted.max_age)


def _changed(
    request: HttpRequest, response: HttpResponse, row: HostedDomain, policy: Policy, deed: Callable[[], PolicyVersion]
) -> Answer:
    """Do it, and say what it did. What is as it should be is no error: sent again, it changes nothing."""
    only = dry(request)
    told, objection, changed = policy_views.consequences(row, policy), None, True
    try:
        with rehearsal(dry=only):
            deed()
            row = again(row)
    except NothingChanged:
        changed = False
    except TrincoError as error:
        if not only:
            raise
        objection = problem_of(error).document
        changed = False
    state = policy_views.state(row)
    if state is not None and not only:
        response.headers["ETag"] = conditions.etag_of(state["number"])
    return {"dry_run": only, "changed": changed, "policy": state, **told, "objection": objection}
