"""How `trinco domain` shows a domain: as JSON for programs, as lines for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import typer
from django.utils import timezone

from trinco.panel.certificates.services import current
from trinco.panel.domains.models import HostedDomain, KeptAccess, MxSighting, RecordSighting
from trinco.panel.policies.instructions import Instruction, instructions
from trinco.panel.policies.models import PolicyVersion
from trinco.panel.policies.services import horizon_of
from trinco.panel.policies.versions import standing_of
from trinco.panel.policies.ways import announced_version, text_of, waits_for_owner, ways_of

_WIDEST = 40
"""Characters that a column is padded to, at most."""


def say(what: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print the facts to standard output."""
    if as_json:
        typer.echo(json.dumps(what, indent=2, default=_text))
    elif isinstance(what, Mapping):
        typer.echo("\n".join(_lines(what)))
    else:
        typer.echo("\n".join(_table(what) or ["No domains yet: trinco domain add DOMAIN"]))


def listed(domain: HostedDomain) -> dict[str, Any]:
    """One line of the list."""
    standing = standing_of(domain)
    announced = announced_version(domain)
    return {
        "domain": domain.name,
        "state": domain.state,
        "mode": standing.current.mode if standing else None,
        "announced": announced.policy_id if announced else None,
    }


def telling(domain: HostedDomain, seen: Sequence[str], *, confirmed: bool) -> dict[str, Any]:
    """What the owner does next."""
    if confirmed:
        todo = "publish the three records; the domain goes live by itself once they are seen"
    else:
        todo = "confirm the mail servers: repeat with --accept-mx, or with --mx for each"
    records = {each.owner: ", ".join(" ".join(pair) for pair in each.data) for each in instructions(domain)}
    return {"domain": domain.name, "state": domain.state, "records": records, "mx_seen": list(seen), "next": todo}


def described(domain: HostedDomain) -> dict[str, Any]:
    """All that is known of a domain."""
    standing = standing_of(domain)
    certificate = current(domain)
    return {
        "domain": domain.name,
        "unicode": domain.unicode,
        "state": domain.state,
        "records": _records(domain),
        "ways": ways_of(domain),
        "to_publish": text_of(domain) if waits_for_owner(domain) else None,
        "kept_access": _kept(domain),
        "served": _version(standing.current if standing else None),
        "announced": _version(announced_version(domain)),
        "horizon": horizon_of(domain, timezone.now()),
        "certificate": {"issuer": certificate.issuer, "until": certificate.not_after} if certificate else None,
        "mx": {sighting.host: sighting.starttls for sighting in MxSighting.objects.everywhere().filter(domain=domain)},
    }


def _records(domain: HostedDomain) -> dict[str, Any]:
    found = RecordSighting.objects.everywhere().filter(domain=domain).values_list("record", "finding", "seen")
    sightings = {record: " ".join(filter(None, (finding, seen))) for record, finding, seen in found}
    return {
        each.owner: {**_wanted(each), "finding": sightings.get(each.record, "not looked yet")}
        for each in instructions(domain)
    }


def _kept(domain: HostedDomain) -> dict[str, Any] | None:
    """Where the texts are written, since when that went well, and what is wrong; no credentials."""
    columns = ("provider", "kept_at", "kept_by", "written_at", "trouble", "said")
    found: dict[str, Any] | None = KeptAccess.objects.everywhere().filter(domain=domain).values(*columns).first()
    return found


def _wanted(each: Instruction) -> dict[str, Any]:
    """By type; a TXT is empty while nothing is to be published yet."""
    if each.target:
        return {"cname": f"{each.target}."}
    return {"txt" if "TXT" in each.rdtype else "addresses": " ".join(value for _rdtype, value in each.values)}


def _version(version: PolicyVersion | None) -> dict[str, Any] | None:
    if version is None:
        return None
    facts = {"id": version.policy_id, "mode": version.mode, "mx": version.mx, "max_age": version.max_age}
    return {**facts, "number": version.number, "published": version.created_at, "by": version.created_by}


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _lines(what: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for key, value in what.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}:"
            yield from _lines(value, indent + "  ")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else _text(value)
            yield f"{indent}{key}: {'-' if value in (None, [], '') else shown}"


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One long name does not push the columns of all others away: it sticks out of its own."""
    cells = [[_text(value) if value is not None else "-" for value in row.values()] for row in rows]
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
