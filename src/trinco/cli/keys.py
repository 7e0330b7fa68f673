"""`trinco keys`: the keys that seal private keys, and changing them while everything runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from django.conf import settings
from django.utils import timezone

from trinco.cli import orm
from trinco.panel import keyring, resealing
from trinco.panel.resealing import KeysRefused
from trinco.panel.seal import SealError, written

keys = typer.Typer(no_args_is_help=True, help="Change the key that seals private keys.")


def register(app: typer.Typer) -> None:
    """Add `keys` to the command line."""
    app.add_typer(keys, name="keys")


@keys.command("new")
def new() -> None:
    """Write a new key into the key file. It opens what is sealed with it, and seals nothing yet.

    The first of three steps. Copy the file to every other machine, each edge's and worker's; they notice by
    themselves. Then `trinco keys rotate`.
    """
    with _telling():
        path = _file()
        digits = resealing.add(path)
    typer.echo(f"{path}: the key {digits}… waits. Copy the file to every machine, then: trinco keys rotate")


@keys.command("rotate")
def rotate() -> None:
    """Seal with the new key from now on, and all that rests sealed anew. It may be stopped and run again at any moment.

    The second step. Copy the file to every other machine afterwards. Edges, and their snapshots, go on working with
    both keys. Then `trinco keys retire`.
    """
    with orm.tables(), _telling():
        turned = settings.SEAL_KEY_FILE is not None and resealing.turn(_file())
        count = resealing.reseal(keyring.current(), settings.DATA)
        count += resealing.reseal(keyring.current(), settings.DATA)  # what was sealed while the file was turned
    typer.echo(f"{'The new key seals now. ' if turned else ''}{count} values were sealed anew.")


@keys.command("retire")
def retire() -> None:
    """Take the old keys out of the key file, if nothing rests under them any more, on no edge either.

    The last step. Copy the file to every other machine. Archives of before open with the keys of their time alone: keep
    the bundle that belongs to them.
    """
    with orm.tables(), _telling():
        count = resealing.retire(_file(), settings.DATA, timezone.now())
    typer.echo(f"{count} old keys are gone." if count else "There is no old key.")


@keys.command("show")
def show() -> None:
    """How many values rest under which key, by the key's first digits."""
    with orm.tables(), _telling():
        texts = written(
            Path(settings.SEAL_KEY_FILE).read_text("ascii") if settings.SEAL_KEY_FILE else settings.SEAL_KEY
        )
        for place, (text, count) in enumerate(resealing.counted(texts, settings.DATA).items()):
            typer.echo(f"{text[:8]}…  {count:>7} values{'  seals' if place == 0 else ''}")


def _file() -> Path:
    if settings.SEAL_KEY_FILE is None:
        raise KeysRefused("TRINCO_SEAL_KEY says the key: put it into a file, and name that in TRINCO_SEAL_KEY_FILE")
    return Path(settings.SEAL_KEY_FILE)


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except KeysRefused as error:
        raise orm.ended(str(error), orm.EXIT_FINDING) from error
    except (SealError, OSError) as error:
        raise orm.ended(str(error), orm.EXIT_UNTESTED) from error
