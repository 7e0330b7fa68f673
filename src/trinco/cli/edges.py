"""`trinco edges list|waive|forget`: who serves, who is behind, and what to do about an edge that is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import typer

from trinco.cli import orm
from trinco.cli.domain_show import say
from trinco.panel import clock
from trinco.panel.policies import rotation
from trinco.panel.policies.models import EdgeNode

group = typer.Typer(no_args_is_help=True, help="List the edges; go on without one that lags.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The edge's TRINCO_EDGE_NAME.")]


def register(app: typer.Typer) -> None:
    """Add `edges` to the command line."""
    app.add_typer(group, name="edges")


@group.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False) -> None:
    """List the edges: state, revision, since when it is behind, its addresses, and since when they are out of DNS."""
    with orm.tables():
        now = clock.now()
        rows = [_listed(edge, now) for edge in EdgeNode.objects.order_by("name")]
    if rows or as_json:
        say(rows, as_json=as_json)
    else:
        typer.echo("No edge has registered yet.")


@group.command("waive")
def waive(name: Name) -> None:
    """Announce from now on without an edge that is there and lags, instead of waiting for it.

    It is awaited again once it has caught up.
    """
    with orm.tables(), _refused():
        rotation.waive(name=name, now=clock.now())
    typer.echo(f"{name} is not waited for until it has caught up.")


@group.command("forget")
def forget(name: Name) -> None:
    """Strike out an edge that is gone for good. Its addresses are in DNS again if TRINCO_POLICY_ADDRESSES has them."""
    with orm.tables(), _refused():
        rotation.forget(name=name, now=clock.now())
    typer.echo(f"{name} is forgotten.")


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except rotation.NotLagging as error:
        raise orm.ended(str(error), orm.EXIT_USAGE) from error


def _listed(edge: EdgeNode, now: datetime) -> dict[str, Any]:
    return {
        "edge": edge.name,
        "state": rotation.state(edge, now).value,
        "revision": edge.acknowledged,
        "lease_until": edge.lease_until,
        "behind_since": edge.awaited_since,
        "out_of_dns_since": edge.withdrawn_at,
        "addresses": " ".join(edge.addresses) or None,
    }
