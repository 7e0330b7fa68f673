"""`trinco backup`: the tables in one file, the keys in another.

Django is not imported: a backup needs the database, and nothing that this version thinks about its tables.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from trinco import __version__, config
from trinco.cli.backup_words import PASSPHRASE_HELP, deeds, passphrase, telling
from trinco.panel import files
from trinco.panel.backups import archive, keys
from trinco.panel.backups.errors import BackupRefused
from trinco.panel.backups.tables import Tables, tables


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backup")(backup)


def backup(
    file: Annotated[Path, typer.Argument(help="The archive to write; there must be no such file yet.")],
    keys_file: Annotated[
        Path | None, typer.Option("--keys", metavar="FILE", help="Write the keys too, encrypted, to this file.")
    ] = None,
    passphrase_file: Annotated[Path | None, typer.Option("--passphrase-file", help=PASSPHRASE_HELP)] = None,
) -> None:
    """Write all tables to one archive, while everything runs.

    Accounts, domains, policies, certificates and reports, as one moment saw them. Private keys rest sealed in it; the
    key that opens them is not in it. That one, and the development CA's, go into the bundle of `--keys`, encrypted
    under a passphrase: keep it elsewhere than the archives. It stays the same from one backup to the next. What
    settings say (TRINCO_...) is in neither. PostgreSQL wants pg_dump.
    """
    with deeds("backup"):
        settings = config.load(os.environ)
        held = _keys(settings)
        bundle = keys.sealed(held, passphrase(passphrase_file, twice=True)) if keys_file else b""
        for path in filter(None, (file, keys_file)):
            _require_new(path)
        said = _write(settings, held, file)
        if keys_file:
            files.write(keys_file.absolute(), bundle)
        typer.echo(
            f"{file}: {file.stat().st_size:,} octets, {said} migrations" + (f"; keys: {keys_file}" if keys_file else "")
        )


def _keys(settings: config.Config) -> keys.Keys:
    held = keys.here(settings)
    if keys.SEAL_KEY not in held:
        raise BackupRefused(f"there is no installation in {settings.data}: it has no seal key, nor is one set")
    return held


def _require_new(path: Path) -> None:
    """Raises BackupRefused: nothing is ever overwritten."""
    if path.exists():
        raise BackupRefused(f"{path} exists already")
    if not path.absolute().parent.is_dir():
        raise BackupRefused(f"there is no directory {path.absolute().parent}")


def _write(settings: config.Config, held: keys.Keys, file: Path) -> int:
    """Write the archive; how many migrations it has been through."""
    source: Tables = tables(settings.database)
    with _workshop(file) as folder:
        dump = folder / source.member
        with telling("Tables") as progress:
            migrations = source.dump(dump, progress)
        manifest = archive.Manifest(
            archive.FORMAT,
            __version__,
            datetime.now(UTC),
            source.kind,
            migrations,
            keys.fingerprint(held[keys.SEAL_KEY]),
        )
        root = settings.data / archive.ROOT
        members = {source.member: dump, **({archive.ROOT: root} if root.exists() else {})}
        with telling("Archive") as progress:
            archive.write(folder / "archive", manifest, members, progress)
        files.settle(folder / "archive", file.absolute())
    return len(migrations)


@contextmanager
def _workshop(file: Path) -> Iterator[Path]:
    """A directory beside the archive, for what is not finished. One that was left by a killed backup is cleared.

    Raises BackupRefused while another backup is in it.
    """
    folder = file.absolute().with_name(f".{file.name}.part")
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in folder.iterdir():
            left.unlink()
        yield folder
        shutil.rmtree(folder)
    except BlockingIOError:
        raise BackupRefused(f"another backup to {file} is under way") from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)
