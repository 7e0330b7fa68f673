"""`trinco records`: the records of a domain's owner, in the forms in which DNS is edited, or written for them.

Credentials come from a file, from standard input or from a prompt, never from the command line, where other users of
the machine would read them. They are used for this one conversation.
"""

from __future__ import annotations

import enum
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from trinco.cli import orm
from trinco.cli.domain import Json, Name, Owner, named
from trinco.net.dnswriting import Place, State, Trouble, WritingFailed, mark
from trinco.panel.accounts.actors import CLI
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies.instructions import TEXTS, instructions
from trinco.panel.web.writing import Access, fields, write_records

MAX_CHARACTERS = 65_536
"""Of credentials."""
WORDS = {State.RIGHT: "in place", State.FREE: "not written", State.TAKEN: "something else is there"}
TROUBLES = {
    Trouble.CREDENTIALS: "the provider does not accept these credentials for this zone",
    Trouble.ANSWER: "the provider refused, or said something that is not understood",
    Trouble.SILENCE: "the provider did not answer in time; some records may have been written",
    Trouble.ADDRESS: "this address is not dialled",
    Trouble.TOGETHER: "the provider keeps all records of this name together, and others stand there as well",
}


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
    write: Annotated[bool, typer.Option("--write", help="Write them at the DNS provider, once.")] = False,
    provider: Annotated[str, typer.Option("--provider", help="By dns-lexicon's name, or rfc2136.")] = "",
    credentials: Annotated[
        str, typer.Option("--credentials", metavar="FILE|-", help="Lines of name=value; without it they are asked for.")
    ] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Replace what stands at the three names.")] = False,
) -> None:
    """Print what the domain's owner publishes, for a zone file, Terraform or octoDNS; or write the CNAMEs among it.

    With --write, at these three names alone, with credentials that are kept nowhere. What stands there already is shown
    and left alone, unless --replace. Exit 1: not all three are in place.
    """
    with orm.tables():
        domain = named(name, owner)
        if not write:
            typer.echo(_json(domain) if as_json else TEXTS[form.value](domain).removesuffix("\n"))
            return
        places = _written(domain, _access(provider, credentials), replace=replace)
    for place in places:
        typer.echo(f"{place.wanted.name}: {WORDS[place.state]}")
    if any(place.state is not State.RIGHT for place in places):
        raise typer.Exit(orm.EXIT_FINDING)


def _json(domain: HostedDomain) -> str:
    """Absolute names without the final dot, as DNS look-ups show them elsewhere in Trinco."""
    rows = [
        {"name": each.owner, "type": rdtype, "ttl": each.ttl, "value": value, "purpose": str(each.purpose)}
        for each in instructions(domain)
        for rdtype, value in ([("CNAME", each.target)] if each.target else each.values)
    ]
    return json.dumps({"domain": domain.name, "records": rows}, indent=2)


def _written(domain: HostedDomain, access: Access, *, replace: bool) -> tuple[Place, ...]:
    """What is in the way is shown before it is replaced."""
    try:
        places = write_records(domain=domain, actor=CLI, access=access)
        seen = mark(places)
        for place in places if seen else ():
            for found in place.found if place.state is State.TAKEN else ():
                typer.echo(f"In the way: {place.wanted.name} {found.rdtype} {found.content}", err=True)
        if seen and replace:
            return write_records(domain=domain, actor=CLI, access=access, confirmed=seen)
    except WritingFailed as error:
        said = f": {error.said}" if error.said else ""
        raise orm.ended(TROUBLES[error.trouble] + said, orm.EXIT_UNTESTED) from error
    return places


def _access(provider: str, credentials: str) -> Access:
    known = fields()
    if provider not in known:
        raise orm.ended(f"--provider is one of {', '.join(sorted(known))}", orm.EXIT_USAGE)
    wanted = known[provider]
    return Access(provider, _read(credentials, wanted) if credentials else _asked(wanted))


def _asked(wanted: tuple[str, ...]) -> dict[str, str]:
    """Typed without being shown; an empty answer leaves a field out."""
    return {name: str(typer.prompt(name, default="", hide_input=True, show_default=False, err=True)) for name in wanted}


def _read(path: str, wanted: tuple[str, ...]) -> dict[str, str]:
    try:
        text = sys.stdin.read(MAX_CHARACTERS) if path == "-" else Path(path).read_text("utf-8")[:MAX_CHARACTERS]
    except (OSError, ValueError) as error:
        raise orm.ended(f"the credentials cannot be read: {type(error).__name__}", orm.EXIT_UNTESTED) from error
    pairs = [line.partition("=") for line in text.splitlines() if line.strip()]
    given = {name.strip(): value.strip() for name, _, value in pairs}
    if set(given) - set(wanted):
        raise orm.ended(f"the credentials of this provider are {', '.join(wanted)}", orm.EXIT_USAGE)
    return given
