"""`trinco records`: the three CNAMEs of a domain's owner, in the forms in which DNS is edited."""

from __future__ import annotations

import enum
import json
from typing import Annotated

import typer

from trinco.cli import orm
from trinco.cli.domain import Json, Name, Owner, named
from trinco.panel.domains.models import HostedDomain
from trinco.panel.web.instructions import TEXTS, TTL, instructions


class Form(enum.StrEnum):
    """How the records are written."""

    ZONE = "zone"
    TERRAFORM = "terraform"
    OCTODNS = "octodns"


def register(app: typer.Typer) -> None:
    """Add `records` to the command line."""
    app.command("records")(records)


def records(
    name: Name,
    form: Annotated[Form, typer.Option("--format", help="For which tool they are written.")] = Form.ZONE,
    as_json: Json = False,
    owner: Owner = "",
) -> None:
    """Print the three CNAMEs that the domain's owner publishes, ready for a zone file, Terraform or octoDNS."""
    with orm.tables():
        domain = named(name, owner)
        typer.echo(_json(domain) if as_json else TEXTS[form.value](domain).removesuffix("\n"))


def _json(domain: HostedDomain) -> str:
    """Absolute names without the final dot, as DNS look-ups show them elsewhere in Trinco."""
    rows = [
        {"name": each.owner, "type": "CNAME", "ttl": TTL, "value": each.target, "purpose": str(each.purpose)}
        for each in instructions(domain)
    ]
    return json.dumps({"domain": domain.name, "records": rows}, indent=2)
