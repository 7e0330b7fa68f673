"""`trinco export`: what Trinco holds, as files: for going on without it, or for `trinco apply`."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from django.conf import settings
from django.db.models import Q

from trinco.cli import apply_there, orm, remote
from trinco.cli.domain import Owner, named, organisation_of
from trinco.core.tables import printable
from trinco.panel.accounts.models import Organisation
from trinco.panel.declared import present
from trinco.panel.declared.writing import written
from trinco.panel.policies import bundles

group = typer.Typer(no_args_is_help=True, help="Write what is served, or declared, as files.")


def register(app: typer.Typer) -> None:
    """Add `export` to the command line."""
    app.add_typer(group, name="export")


@group.command("state")
def state(
    owner: Owner = "",
    server: Annotated[str, typer.Option("--server", metavar="URL", help="Another installation, by its API.")] = "",
) -> None:
    """Write organisations, domains, policies and TLS reporting as YAML to standard output, as `trinco apply` takes it.

    With --owner of this person's organisation and its clients alone; with --server of the organisation of the token in
    TRINCO_TOKEN, or in the file that TRINCO_TOKEN_FILE names, and its clients. Exit 1: an organisation is left out,
    since its name does not say which one is meant.
    """
    if server:
        content, names = _there(server)
        _write_out(content, names, "others are called so, it cannot be written, or the token is not let in there")
        return
    with orm.tables():
        declaration, left_out = present.declaration(_organisations(owner))
    _write_out(written(declaration), [each.name for each in left_out], "others are called so, or it cannot be written")


def _write_out(content: str | bytes, left_out: list[str], why: str) -> None:
    typer.echo(content, nl=False)
    for name in left_out:
        typer.echo(f"trinco: left out: {printable(name)}: {why}", err=True)
    if left_out:
        raise typer.Exit(orm.EXIT_FINDING)


def _there(url: str) -> tuple[str, list[str]]:
    try:
        return apply_there.held(remote.server(url, settings.CONFIG.token))
    except remote.ServerError as error:
        raise orm.ended(str(error), orm.EXIT_USAGE if error.usage else orm.EXIT_UNTESTED) from error


def _organisations(owner: str) -> Iterable[Organisation]:
    if not owner:
        return Organisation.objects.filter(closed_at=None)
    own = organisation_of(owner)
    return Organisation.objects.filter(Q(pk=own.pk) | Q(parent=own))


@group.command("bundle")
def bundle(
    out: Annotated[Path, typer.Option("--out", metavar="DIR|FILE.zip", help="A folder, or a ZIP file, to write.")],
    name: Annotated[str, typer.Argument(metavar="DOMAIN", help="The mail domain, e.g. example.com.")] = "",
    organisation: Annotated[bool, typer.Option("--organisation", help="Every domain of the organisation.")] = False,
    owner: Owner = "",
) -> None:
    """Write the policy file, the DNS records and the web server's configuration of a domain, or of all.

    Any web server and any DNS zone serve a domain from them. Exit 2: a file is there already; nothing is written over.
    """
    with orm.tables():
        some = _entries(name, owner, organisation=organisation)
        count = _zipped(out, some) if out.suffix == ".zip" else _written(out, some)
    if not count:
        raise orm.ended("nothing to write: no policy is served", orm.EXIT_FINDING)
    typer.echo(f"{count} files in {out}")


Entries = Iterable[tuple[str, bytes]]
"""(path, content)."""


def _entries(name: str, owner: str, *, organisation: bool) -> Entries:
    if bool(name) == organisation:
        raise orm.ended("name a domain, or say --organisation", orm.EXIT_USAGE)
    if name:
        return bundles.entries([named(name, owner)])
    domains = bundles.taken_along([organisation_of(owner)])
    return bundles.entries_of_many(domains) if domains.exists() else ()


def _zipped(out: Path, some: Entries) -> int:
    try:
        with out.open("xb") as file:
            count = bundles.write_zip(file, some)
    except FileExistsError:
        raise orm.ended(f"{out} is there already", orm.EXIT_USAGE) from None
    except OSError as error:
        with suppress(OSError):  # it may never have been there
            out.unlink()
        raise orm.ended(f"{out} cannot be written: {error.strerror}", orm.EXIT_UNTESTED) from error
    if not count:
        out.unlink()
    return count


def _written(out: Path, some: Entries) -> int:
    count = 0
    for path, content in some:
        _write(out / path, content)
        count += 1
    return count


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise orm.ended(f"{path} is there already", orm.EXIT_USAGE) from None
    except OSError as error:
        raise orm.ended(f"{path} cannot be written: {error.strerror}", orm.EXIT_UNTESTED) from error
