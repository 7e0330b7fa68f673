"""`trinco domain list|add|show|mode|way|remove`: hosted domains from the command line, by the rules of the pages."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from trinco.cli import orm
from trinco.cli.domain_show import described, listed, say, telling
from trinco.cli.refusals import refused
from trinco.core.errors import DnsFailure
from trinco.core.mtasts.policy import Mode, Policy
from trinco.core.names import Domain
from trinco.panel.accounts.actors import CLI
from trinco.panel.accounts.errors import NoMembership
from trinco.panel.accounts.models import Organisation, User
from trinco.panel.accounts.services import membership_of
from trinco.panel.checks.services import read_mx
from trinco.panel.domains import services as domains
from trinco.panel.domains.errors import AlreadyAdded
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies import services as policies
from trinco.panel.policies.errors import NothingChanged
from trinco.panel.policies.ways import Ways, set_ways

group = typer.Typer(no_args_is_help=True, help="List, add, show, change and remove domains.")

Name = Annotated[str, typer.Argument(metavar="DOMAIN", help="The mail domain, e.g. example.com.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Owner = Annotated[str, typer.Option("--owner", metavar="EMAIL", help="Whose: needed where several organisations are.")]


def register(app: typer.Typer) -> None:
    """Add `domain` to the command line."""
    app.add_typer(group, name="domain")


@group.command("list")
def list_(as_json: Json = False, owner: Owner = "") -> None:
    """List the domains: name, state, mode, announced id."""
    with orm.tables():
        rows = HostedDomain.objects.of(organisation_of(owner)) if owner else HostedDomain.objects.everywhere()
        say([listed(row) for row in rows.exclude(state=State.GONE)], as_json=as_json)


@group.command("add")
def add(
    name: Name,
    mx: Annotated[list[str] | None, typer.Option("--mx", help="An MX pattern of the policy; may be repeated.")] = None,
    accept_mx: Annotated[bool, typer.Option("--accept-mx", help="Take the MX that DNS shows now.")] = False,
    as_json: Json = False,
    owner: Owner = "",
) -> None:
    """Add a domain; tell the three records to publish and the MX that DNS shows.

    With --mx or --accept-mx the first policy is made: testing, for a day. Without, it waits until the command is
    repeated with one of them.
    """
    with orm.tables(), refused():
        domain = _added(Domain.parse(name), organisation_of(owner))
        seen = _seen(domain, needed=accept_mx and not mx)
        patterns = tuple(mx or (seen if accept_mx else ()))
        if patterns:
            policies.start(domain=domain, mx=patterns, actor=CLI)
        say(telling(domain, seen, confirmed=bool(patterns)), as_json=as_json)


@group.command("show")
def show(name: Name, as_json: Json = False, owner: Owner = "") -> None:
    """Show a domain: state, records, policy, certificate, mail servers."""
    with orm.tables():
        say(described(named(name, owner)), as_json=as_json)


@group.command("mode")
def mode(
    name: Name,
    wanted: Annotated[Mode, typer.Argument(metavar="MODE", help="none, testing or enforce.")],
    max_age: Annotated[int, typer.Option("--max-age", help="Seconds; 0: the mode's usual value.", min=0)] = 0,
    override: Annotated[bool, typer.Option("--override", help="Enforce although an MX is not covered.")] = False,
    as_json: Json = False,
    owner: Owner = "",
) -> None:
    """Change the mode. `enforce` is refused while an MX that DNS shows is not covered, or while that is not known."""
    with orm.tables(), refused():
        domain = named(name, owner)
        policy = policies.proposed(domain, wanted)
        policy = Policy(policy.mode, policy.mx, max_age or policy.max_age)
        try:
            policies.publish(domain=domain, policy=policy, actor=CLI, override=override)
        except NothingChanged:
            typer.echo("Nothing to do: the policy is this one already.", err=True)
        say(described(domain), as_json=as_json)


HostWay = Annotated[str, typer.Option("--host", metavar="WAY", help="mta-sts: cname or addresses.")]
StsWay = Annotated[
    str, typer.Option("--sts", metavar="WAY", help="_mta-sts: cname, txt (the owner changes it) or provider (we do).")
]
TlsrptWay = Annotated[str, typer.Option("--tlsrpt", metavar="WAY", help="_smtp._tls: cname, txt or provider.")]


@group.command("way")
def way(
    name: Name, host: HostWay = "", sts: StsWay = "", tlsrpt: TlsrptWay = "", as_json: Json = False, owner: Owner = ""
) -> None:
    """Choose how the records are published: by CNAMEs, or where none can be by records of the owner's own.

    What is left out stays as it is. Choose here first, then change the record: both are right meanwhile. The way
    `provider` needs credentials that are kept: they are given on the domain's page.
    """
    given = {"host": host, "sts": sts, "tlsrpt": tlsrpt}
    with orm.tables(), refused():
        domain = named(name, owner)
        set_ways(domain=domain, actor=CLI, **cast("Ways", {record: each for record, each in given.items() if each}))
        say(described(domain), as_json=as_json)


@group.command("remove")
def remove(name: Name, as_json: Json = False, owner: Owner = "") -> None:
    """Remove a domain. One that is served begins to leave: `mode: none` until no sender holds an older policy."""
    with orm.tables(), refused():
        domain = named(name, owner)
        if domain.state == State.SETUP:
            domains.remove_unverified(domain=domain, actor=CLI)
        elif domain.state == State.LIVE:
            policies.leave(domain=domain, actor=CLI)
        say(described(domain), as_json=as_json)


def _added(name: Domain, organisation: Organisation) -> HostedDomain:
    """A new domain, or the one that waits for its first policy since an earlier `add`."""
    try:
        return domains.add(organisation=organisation, name=name, actor=CLI)
    except AlreadyAdded:
        row = HostedDomain.objects.of(organisation).exclude(state=State.GONE).get(name=str(name))
        if row.state != State.SETUP or hasattr(row, "standing"):
            raise
        return row


def _seen(domain: HostedDomain, *, needed: bool) -> tuple[str, ...]:
    """The MX that DNS shows. Where they are not needed, a silent DNS is a remark."""
    try:
        seen = read_mx(domain)
    except DnsFailure as error:
        if needed:
            raise
        typer.echo(f"trinco: {error}", err=True)
        return ()
    if needed and not seen:
        raise orm.ended(f"DNS shows no MX for {domain.name}; name them with --mx", orm.EXIT_FINDING)
    return seen


def named(name: str, owner: str) -> HostedDomain:
    """The domain of that name that is meant; Exit 2 when it is none of ours or not clear whose."""
    wanted = Domain.parse(name)
    rows = HostedDomain.objects.of(organisation_of(owner)) if owner else HostedDomain.objects.everywhere()
    found = list(rows.filter(name=str(wanted)).exclude(state=State.GONE))
    found = [row for row in found if row.state != State.SETUP] or found
    if not found:
        raise orm.ended(f"there is no domain {wanted} here; `trinco domain list` lists them", orm.EXIT_USAGE)
    if len(found) > 1:
        raise orm.ended(f"several organisations wait with {wanted}; say which with --owner", orm.EXIT_USAGE)
    return found[0]


def organisation_of(owner: str) -> Organisation:
    """The organisation of that account, or the only one there is; Exit 2 when it is not clear which."""
    if owner:
        user = User.objects.filter(email__iexact=owner.strip()).first()
        if user is None:
            raise orm.ended(f"there is no account {owner!a}", orm.EXIT_USAGE)
        try:
            return membership_of(user).organisation
        except NoMembership as error:
            raise orm.ended(f"{user.email} belongs to no organisation", orm.EXIT_USAGE) from error
    organisations = list(Organisation.objects.filter(closed_at=None)[:2])
    if len(organisations) != 1:
        told = "say whose with --owner" if organisations else "make an account first: trinco user add EMAIL"
        raise orm.ended(f"{(len(organisations) and 'several') or 'no'} organisations; {told}", orm.EXIT_USAGE)
    return organisations[0]
