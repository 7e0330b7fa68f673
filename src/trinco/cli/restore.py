"""`trinco restore`: a backup in place of what is there, whole or not at all.

Django is imported late, to bring the tables up to date: importing it makes the keys that an installation lacks, and by
then they must be those of the backup.
"""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from trinco import config
from trinco.cli.backup_words import PASSPHRASE_HELP, deeds, passphrase, telling
from trinco.cli.serve import AlreadyServing, alone
from trinco.panel import files
from trinco.panel.backups import archive, keys
from trinco.panel.backups.archive import Archive
from trinco.panel.backups.errors import BackupRefused
from trinco.panel.backups.tables import Tables, tables

REPLACE_HELP = "Put it in place of what is here, which is then gone."


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("restore")(restore)


def restore(
    file: Annotated[Path, typer.Argument(help="An archive that `trinco backup` wrote.")],
    keys_file: Annotated[
        Path | None, typer.Option("--keys", metavar="FILE", help="The bundle of keys that belongs to it.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help=REPLACE_HELP)] = False,
    passphrase_file: Annotated[Path | None, typer.Option("--passphrase-file", help=PASSPHRASE_HELP)] = None,
) -> None:
    """Put a backup in place, and bring its tables up to date. End the panel and the workers first.

    Every part is compared with what was written, before anything is changed. `--keys` is needed where the key that
    seals private keys is not here. Edges go on serving what they hold; they tell the database what the world has seen
    when they find it again, and ids and serials go on above that. PostgreSQL wants pg_restore and psql.
    """
    with deeds("restore"):
        settings = config.load(os.environ)
        with _alone(settings.data), archive.opened(file) as source:
            target = tables(settings.database)
            _require_room(target, source, replace)
            bundle = keys.opened(keys_file.read_bytes(), passphrase(passphrase_file, twice=False)) if keys_file else {}
            _require_keys(settings, source, bundle)
            _put(settings, target, source, bundle)
        typer.echo(f"Restored what was taken at {source.manifest.taken_at:%Y-%m-%d %H:%M} UTC.")


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """No `trinco serve` may run meanwhile. Raises BackupRefused."""
    try:
        with alone(data):
            yield
    except AlreadyServing as error:
        raise BackupRefused(str(error)) from error


def _require_room(target: Tables, source: Archive, replace: bool) -> None:
    """Raises BackupRefused for an archive of the other database, and for tables that are in use."""
    if source.manifest.database != target.kind:
        kinds = f"the archive is of {source.manifest.database}, and TRINCO_DATABASE says {target.kind}"
        raise BackupRefused(f"{kinds}: a backup goes back to the database that it came from")
    if not replace and not target.empty():
        raise BackupRefused("there are tables here already: --replace puts the backup in their place")


def _require_keys(settings: config.Config, source: Archive, bundle: keys.Keys) -> None:
    """Raises BackupRefused when the private keys in the archive could not be opened afterwards."""
    keys.refuse_settings(settings, bundle)
    held = bundle or keys.here(settings)
    if keys.SEAL_KEY not in held or source.manifest.seal not in keys.fingerprints(held[keys.SEAL_KEY]):
        whose = "in the bundle" if bundle else "here"
        raise BackupRefused(f"the key that seals the private keys of this archive is not {whose}: see --keys")


def _put(settings: config.Config, target: Tables, source: Archive, bundle: keys.Keys) -> None:
    with _scratch(settings.data) as folder:
        with telling("Archive") as progress:
            source.extract(target.member, folder / target.member, progress)
        root = source.small(archive.ROOT) if source.has(archive.ROOT) else b""
        migrating = _migrating(bundle)
        _require_known(migrating.known(), source)
        with telling("Tables") as progress:
            target.load(folder / target.member, migrating.bring_up, progress)
        keys.place(settings.data, bundle)
        if root and bundle:
            files.publish(settings.data / archive.ROOT, root)


def _migrating(bundle: keys.Keys) -> ModuleType:
    """`trinco.cli.migrate`, with Django set up for the keys that will be here."""
    for name in (keys.SECRET_KEY, keys.SEAL_KEY):
        if name in bundle:
            os.environ[f"TRINCO_{Path(name).name.upper()}"] = bundle[name].decode("ascii").strip()
    return importlib.import_module("trinco.cli.migrate")


def _require_known(known: Collection[str], source: Archive) -> None:
    """Raises BackupRefused for tables that only a later Trinco understands."""
    later = [name for name in source.manifest.migrations if name not in known]
    if later:
        made = f"Trinco {source.manifest.trinco} wrote it, and this one does not know {later[0]}"
        raise BackupRefused(f"the archive is of a later Trinco: {made}")


@contextmanager
def _scratch(data: Path) -> Iterator[Path]:
    """A directory for what is not finished; one that a killed restore left is cleared."""
    folder = data / "restoring"
    shutil.rmtree(folder, ignore_errors=True)
    files.private_directory(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
