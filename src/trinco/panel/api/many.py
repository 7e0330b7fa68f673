"""`/domains:bulk` and `/policies:mode`: many domains in one request, each with its own result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router

from trinco.core import mailhosts
from trinco.core.errors import DomainSyntaxError, TrincoError
from trinco.core.mtasts.policy import Mode
from trinco.core.names import Domain
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import domain_schemas, kinds, policy_schemas, schemas
from trinco.panel.api.auth import caller, needs
from trinco.panel.api.domain_schemas import HostedLineIn, ManyIn
from trinco.panel.api.parameters import known
from trinco.panel.api.patterns import patterns
from trinco.panel.api.policy_schemas import ModeIn
from trinco.panel.api.problems import Problem
from trinco.panel.api.refusals import problem_of
from trinco.panel.api.rehearsing import NAME as DRY
from trinco.panel.api.rehearsing import DryParameters, dry, rehearsal
from trinco.panel.checks.status import refresh_by_key
from trinco.panel.domains.errors import OurOwnName
from trinco.panel.domains.many import add_many
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.domains.services import is_ours
from trinco.panel.policies import services
from trinco.panel.policies.errors import WildcardTooWide
from trinco.panel.policies.services import Consequence, Outcome

router = Router(by_alias=True)
_AT_ONCE = 500
"""Names in one query; and levels that are worked out before the answer."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the request, read: either a name with its mail servers, or the problem."""

    given: str
    name: str = ""
    mx: tuple[str, ...] = ()
    problem: Problem | None = None


@router.post(
    "/domains:bulk",
    auth=needs(Deed.DOMAINS_WRITE),
    response=schemas.changed(domain_schemas.ManyOut),
    tags=["domains"],
    summary="Host many domains",
)
def bulk(request: HttpRequest, wanted: ManyIn, asked: Query[DryParameters]) -> dict[str, Any]:  # noqa: ARG001
    """Add those that are not there, up to 1,000. Each line has its result; sent again it changes nothing."""
    known(request, (DRY,))
    access, only = caller(request), dry(request)
    if any(line.mx for line in wanted.domains) and not access.may(Deed.POLICY_WRITE):
        raise Problem(kinds.FORBIDDEN)
    lines = list(_read(wanted.domains))
    good = {line.name: line for line in lines if line.problem is None}
    actor = actors.of(request)
    with rehearsal(dry=only):
        added = {each.name: each for each in add_many(organisation=access.organisation, names=list(good), actor=actor)}
        pairs = [(domain, good[name].mx) for name, domain in added.items() if good[name].mx]
        services.start_many(pairs=pairs, actor=actor)
    return {"dry_run": only, "added": len(added), "rows": [_ended(line, added) for line in lines]}


def _read(sent: Sequence[HostedLineIn]) -> Iterator[Line]:
    seen: set[str] = set()
    for number, each in enumerate(sent):
        line = _line(each, number)
        if line.problem is None and line.name in seen:
            line = Line(each.name, line.name, problem=Problem(kinds.CONFLICT, "It is in this request twice."))
        seen.add(line.name)
        yield line


def _line(sent: HostedLineIn, number: int) -> Line:
    try:
        name = str(Domain.parse(sent.name))
        mx = patterns(sent.mx or (), f"/domains/{number}/mx")
        if is_ours(name):
            raise OurOwnName(name)
        _require_narrow(mx)
    except Problem as problem:
        return Line(sent.name, problem=problem)
    except DomainSyntaxError as error:
        return Line(sent.name, problem=Problem(kinds.BAD_BODY, f"The name {error.reason}."))
    except TrincoError as error:
        return Line(sent.name, problem=problem_of(error))
    return Line(sent.name, name, mx)


def _require_narrow(mx: Sequence[str]) -> None:
    for pattern in mx:
        if width := mailhosts.too_wide(pattern):
            raise WildcardTooWide(pattern, width)


def _ended(line: Line, added: dict[str, HostedDomain]) -> dict[str, Any]:
    if line.problem is not None:
        return {"given": line.given, "name": line.name or None, "outcome": "refused", "problem": line.problem.document}
    return {"given": line.given, "name": line.name, "outcome": "added" if line.name in added else "there"}


@router.post(
    "/policies:mode",
    auth=needs(Deed.POLICY_WRITE),
    response=schemas.changed(policy_schemas.ModesOut),
    tags=["policies"],
    summary="Change the mode of many",
)
def mode(request: HttpRequest, wanted: ModeIn, asked: Query[DryParameters]) -> dict[str, Any]:  # noqa: ARG001
    """One mode for up to 10,000 domains; with `dry_run`, what it would do to each. Nothing is overridden here."""
    known(request, (DRY,))
    only, mode = dry(request), Mode(wanted.mode)
    names = {text: _canonical(text) for text in wanted.domains}
    mine = _mine(request, {name for name in names.values() if name})
    done = {each.domain.name: each for each in (_preview if only else _publish)(request, list(mine.values()), mode)}
    rows = [_mode_line(text, name, mine, done.get(name or "")) for text, name in names.items()]
    return {"dry_run": only, "changed": sum(row["outcome"] == "changed" for row in rows), "rows": rows}


def _preview(_request: HttpRequest, domains: list[HostedDomain], mode: Mode) -> Sequence[Consequence | Outcome]:
    return services.preview_many(domains=domains, mode=mode)


def _publish(request: HttpRequest, domains: list[HostedDomain], mode: Mode) -> Sequence[Consequence | Outcome]:
    organisation, actor = caller(request).organisation, actors.of(request)
    done = services.publish_many(organisation=organisation, domains=domains, mode=mode, actor=actor)
    if len(domains) <= _AT_ONCE:  # of more, the worker works the levels out within seconds
        refresh_by_key([domain.pk for domain in domains], timezone.now())
    return done


def _canonical(text: str) -> str | None:
    try:
        return str(Domain.parse(text))
    except DomainSyntaxError:
        return None


def _mine(request: HttpRequest, names: set[str]) -> dict[str, HostedDomain]:
    rows = HostedDomain.objects.of(caller(request).organisation).exclude(state=State.GONE)
    rows, wanted = rows.select_related("organisation", "standing__current"), sorted(names)
    parts = [wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE)]
    return {row.name: row for part in parts for row in rows.filter(name__in=part)}


def _mode_line(
    text: str, name: str | None, mine: dict[str, HostedDomain], done: Consequence | Outcome | None
) -> dict[str, Any]:
    domain = mine.get(name or "")
    if domain is None or done is None:
        missing = Problem(kinds.NOT_FOUND, "Your organisation has no domain of this name.")
        return {**_EMPTY, "given": text, "name": name, "outcome": "refused", "problem": missing.document}
    standing = getattr(domain, "standing", None)
    told = {**_EMPTY, "given": text, "name": name, "before": standing.current.mode if standing else None}
    if done.problem is not None:
        return {**told, "outcome": "refused", "problem": problem_of(done.problem).document}
    policy = done.version if isinstance(done, Outcome) else done.policy
    facts = policy and {"mode": str(policy.mode), "mx": list(policy.mx), "max_age": policy.max_age}
    return {**told, "outcome": "changed", "policy": facts}


_EMPTY: dict[str, Any] = {"before": None, "policy": None, "problem": None}
