"""What the tables hold now, in bulk: the organisations by their names, and the domains of one with their policies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from trinco.panel.accounts.models import Organisation
from trinco.panel.declared.errors import AmbiguousOrganisation
from trinco.panel.declared.scalars import nameable
from trinco.panel.declared.values import Declaration, DeclaredDomain, DeclaredOrganisation, DeclaredPolicy
from trinco.panel.domains.models import HostedDomain, State, Way
from trinco.panel.domains.services import reporting_of
from trinco.panel.policies.models import Standing
from trinco.panel.policies.versions import policy_of
from trinco.panel.policies.ways import ways_of


@dataclass(frozen=True, slots=True)
class Held:
    """A domain as it is. `standing`: with its current version, None before the first policy; `tags` by name."""

    domain: HostedDomain
    standing: Standing | None
    tags: tuple[str, ...] = ()


def found(name: str, provider: Organisation | None) -> Organisation | None:
    """The organisation of that name: a client of that provider, or one that is nobody's client. None: there is none.

    Raises AmbiguousOrganisation.
    """
    rows = list(Organisation.objects.filter(name=name, parent=provider, closed_at=None).order_by("pk")[:2])
    if len(rows) > 1:
        raise AmbiguousOrganisation(name)
    return rows[0] if rows else None


def held(organisation: Organisation, names: Collection[str] | None = None) -> dict[str, Held]:
    """Its domains by name, but for those that are gone; `names`: of these alone. Three queries."""
    standings = Standing.objects.of(organisation).exclude(domain__state=State.GONE).select_related("current")
    rows = HostedDomain.objects.of(organisation).exclude(state=State.GONE).select_related("organisation")
    if names is not None:
        standings, rows = standings.filter(domain__name__in=names), rows.filter(name__in=names)
    by_domain = {standing.domain_id: standing for standing in standings}
    found = rows.prefetch_related("tags").order_by("pk")
    return {row.name: Held(row, by_domain.get(row.pk), tuple(tag.name for tag in row.tags.all())) for row in found}


def declaration(wanted: Iterable[Organisation]) -> tuple[Declaration, list[Organisation]]:
    """What a file says of these organisations; and those that it cannot name, since others share the name or it has
    signs that no page lets through. A client stands below its provider, of whom nothing else is said unless it is
    wanted as well."""
    keys = {row.pk for row in wanted}
    rows = sorted(
        Organisation.objects.filter(closed_at=None), key=_by_name
    )  # here, since each database sorts in its own way
    twice = Counter((row.parent_id, row.name) for row in rows)
    unclear = {row.pk for row in rows if twice[row.parent_id, row.name] > 1 or not nameable(row.name)}
    left_out = [row for row in rows if row.pk in keys and (row.pk in unclear or row.parent_id in unclear)]
    clear = [row for row in rows if row.pk not in unclear]
    return Declaration(tuple(_organisations(clear, keys))), left_out


def alone(organisation: Organisation) -> Declaration:
    """What a file says of one organisation, and of nobody else."""
    return Declaration((_organisation(organisation),))


def own(organisation: Organisation, clients: Iterable[Organisation]) -> tuple[Declaration, list[str]]:
    """What a file says of one organisation and these clients of it, for its own people: of a client's provider it says
    nothing. And the names of those that it leaves out, as in `declaration`."""
    rows = sorted(clients, key=_by_name)
    twice = Counter(row.name for row in rows)
    left_out = [name for name, count in twice.items() if count > 1 or not nameable(name)]
    below = [_organisation(row) for row in rows if row.name not in left_out]
    return Declaration((_organisation(organisation, tuple(below)),)), left_out


def _by_name(row: Organisation) -> tuple[str, int]:
    return row.name, row.pk


def _organisations(rows: list[Organisation], keys: set[int]) -> Iterator[DeclaredOrganisation]:
    clients: dict[int, list[Organisation]] = {}
    for row in rows:
        if row.parent_id is not None and row.pk in keys:
            clients.setdefault(row.parent_id, []).append(row)
    for row in rows:
        below = tuple(_organisation(each) for each in clients.get(row.pk, ()))
        if row.parent_id is None and row.pk in keys:
            yield _organisation(row, below)
        elif below:
            yield DeclaredOrganisation(row.name, clients=below)


def _organisation(row: Organisation, clients: tuple[DeclaredOrganisation, ...] = ()) -> DeclaredOrganisation:
    staying = [each for _, each in sorted(held(row).items()) if each.domain.state != State.LEAVING]
    came = row.sso_required or None
    return DeclaredOrganisation(row.name, row.mfa_required, tuple(map(_domain, staying)), clients, came)


def _domain(each: Held) -> DeclaredDomain:
    ways = {name: seen_way(way) for name, way in ways_of(each.domain).items()}
    ways = ways if set(ways.values()) != {"cname"} else {}
    return DeclaredDomain(each.domain.name, _policy(each.standing), reporting_of(each.domain), each.tags or None, ways)


def seen_way(way: str) -> str:
    """As a file says it: a text that we write is the owner's text, and the access that is kept is not in the file."""
    return str(Way.TXT if way == Way.PROVIDER else way)


def _policy(standing: Standing | None) -> DeclaredPolicy | None:
    if standing is None:
        return None
    policy = policy_of(standing.current)
    return DeclaredPolicy(policy.mode, policy.mx, policy.max_age, force=standing.current.override)
