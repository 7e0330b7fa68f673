"""Domains as the API tells of them: rows of the tables, made ready."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from trinco.core.mtasts.policy import Mode
from trinco.panel.api import kinds
from trinco.panel.api.auth import caller
from trinco.panel.api.problems import Problem
from trinco.panel.checks.readiness import Gate, readiness
from trinco.panel.domains.finding import Wanted, fitting
from trinco.panel.domains.models import HostedDomain, Level, State, Way
from trinco.panel.domains.services import reporting_of
from trinco.panel.policies.instructions import instructions
from trinco.panel.policies.ledger import horizon_of
from trinco.panel.policies.proposals import mx_hosts
from trinco.panel.policies.ways import announced_version, waits_for_owner, ways_of

_STATES = [state.value for state in State if state != State.GONE]
_LEVELS = {level.name.lower(): level for level in Level}


def filtered(request: HttpRequest) -> QuerySet[HostedDomain]:
    """The domains that the address asks for. Raises Problem 400."""
    rows = HostedDomain.objects.of(caller(request).organisation).exclude(state=State.GONE)
    level = _one_of(request, "level", list(_LEVELS))
    wanted = Wanted(
        levels=[_LEVELS[level]] if level else (),
        state=_one_of(request, "state", _STATES),
        mode=_one_of(request, "mode", [mode.value for mode in Mode]),
        tag=_typed(request, "tag"),
        search=_typed(request, "q"),
    )
    return fitting(rows.select_related("standing__current").prefetch_related("tags"), wanted)


def _typed(request: HttpRequest, name: str) -> str:
    """As a database can be asked for it: PostgreSQL refuses NUL."""
    return request.GET.get(name, "").replace("\0", "").strip()[:253]


def _one_of(request: HttpRequest, name: str, words: list[str]) -> str:
    """One of these words; "": not asked for."""
    found = request.GET.get(name, "")
    if name in request.GET and found not in words:
        raise Problem(kinds.BAD_PARAMETER, f"`{name}` is none of {', '.join(words)}.", name)
    return found


def row(domain: HostedDomain) -> dict[str, Any]:
    """In a list."""
    standing = getattr(domain, "standing", None)
    return {
        "name": domain.name,
        "unicode": domain.unicode,
        "state": domain.state,
        "mode": standing.current.mode if standing else None,
        "level": Level(domain.level).name.lower(),
        "tags": [tag.name for tag in domain.tags.all()],
    }


def whole(domain: HostedDomain) -> dict[str, Any]:
    """By itself."""
    standing, announced = getattr(domain, "standing", None), announced_version(domain)
    return {
        **row(domain),
        "label": domain.label,
        "tls_reporting": reporting_of(domain),
        "ways": ways_of(domain),
        "policy_number": standing.current.number if standing else None,
        "policy_id": standing.current.policy_id if standing else None,
        "announced_id": announced.policy_id if announced else None,
        **{name: getattr(domain, name) for name in ("created_at", "verified_at", "leaving_at", "checked_at")},
    }


def records(domain: HostedDomain) -> list[dict[str, Any]]:
    """What is to stand at the three names, and what was seen there. One query."""
    seen = {sighting.record: sighting for sighting in domain.records.all()}
    return [
        {
            "owner": each.owner,
            "target": each.target or None,
            "values": [{"type": rdtype, "value": value} for rdtype, value in each.values],
            "finding": seen[each.record].finding if each.record in seen else "unseen",
            "seen": seen[each.record].seen if each.record in seen else "",
            "seen_at": seen[each.record].seen_at if each.record in seen else None,
        }
        for each in instructions(domain)
    ]


def left(domain: HostedDomain) -> dict[str, Any]:
    """What leaving has come to, and what is left to do."""
    leaving = domain.state == State.LEAVING
    until = horizon_of(domain, timezone.now()) if leaving else None
    wait = "Leave the three records as they are until then: senders find a policy of mode none, and let go of the old."
    done = "Remove the three records." if not leaving else "Then remove the three records."
    told = [wait, done] if leaving else [done]
    if leaving and domain.sts_way == Way.TXT and waits_for_owner(domain):
        told.insert(0, "Publish the text of _mta-sts that stands here: senders learn of mode none by its id.")
    facts = {"until": until, "left_to_do": told, "records": records(domain)}
    return {"name": domain.name, "state": domain.state, **facts}


def setup(domain: HostedDomain) -> dict[str, Any]:
    """How far the setting up has come. Four queries."""
    standing, found = getattr(domain, "standing", None), records(domain)
    steps = {
        "added": True,
        "mail-servers-confirmed": standing is not None,
        "records-found": all(each["finding"] in ("found", "later") for each in found),
        "certificate": domain.certificates.exists(),
        "announced": announced_version(domain) is not None,
    }
    return {
        "name": domain.name,
        "state": domain.state,
        "steps": [{"step": step, "done": done} for step, done in steps.items()],
        "records": found,
        "suggested_mx": domain.mx_suggested,
        "mx_hosts": mx_hosts(domain),
        "checked_at": domain.checked_at,
    }


def checks(domain: HostedDomain) -> dict[str, Any]:
    """The latest look."""
    names = ("host", "preference", "starttls", "tls_version", "problem", "not_after", "probed_at")
    return {
        "name": domain.name,
        "checked_at": domain.checked_at,
        "mx_checked_at": domain.mx_checked_at,
        "records": records(domain),
        "servers": [{name: getattr(server, name) for name in names} for server in domain.mx_hosts.all()],
        "readiness": [gate(each) for each in readiness(domain, timezone.now())],
    }


def gate(each: Gate) -> dict[str, Any]:
    """One condition of enforce."""
    facts = {"count": each.count, "hosts": each.hosts, "reason": each.reason}
    return {"gate": each.key, "passed": each.passed, **facts}
