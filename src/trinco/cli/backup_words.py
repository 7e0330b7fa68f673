"""What `trinco backup` and `trinco restore` share: the passphrase, how far it is, and how they end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import typer

from trinco.config import ConfigError
from trinco.core.errors import TrincoError
from trinco.panel.backups.archive import Progress
from trinco.panel.backups.errors import BackupRefused

EXIT_REFUSED, EXIT_FAILED = 2, 3
PASSPHRASE_HELP = "Read the passphrase of the keys from the first line of this file, in place of asking for it."  # noqa: S105 - a help text


@contextmanager
def deeds(name: str) -> Iterator[None]:
    """What a command does: one line and an exit code for each way in which it can end. SIGTERM is as Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    os.umask(0o077)  # what is written here is for its owner alone
    try:
        yield
    except (BackupRefused, ConfigError) as error:
        raise _ended(f"{name}: {error}", EXIT_REFUSED) from error
    except (TrincoError, OSError) as error:
        raise _ended(f"{name}: {error}", EXIT_FAILED) from error
    except KeyboardInterrupt:
        raise _ended(f"{name}: stopped", EXIT_FAILED) from None


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _ended(message: str, code: int) -> typer.Exit:
    typer.echo(f"trinco {message}", err=True)
    return typer.Exit(code)


def passphrase(file: Path | None, *, twice: bool) -> str:
    """The passphrase, from a file or a person. Raises BackupRefused when there is neither, OSError."""
    if file is not None:
        try:
            return (file.read_text(encoding="utf-8").splitlines() or [""])[0]
        except UnicodeDecodeError:
            raise BackupRefused(f"{file} holds no text that could be a passphrase") from None
    if not sys.stdin.isatty():
        raise BackupRefused("the keys want a passphrase: nobody is here to ask, so give --passphrase-file")
    said: str = typer.prompt("Passphrase of the keys", hide_input=True, confirmation_prompt=twice, err=True)
    return said


@contextmanager
def telling(label: str) -> Iterator[Progress]:
    """Says on a terminal how far something is; anywhere else nothing."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    try:
        yield lambda done, total: _tell(label, f"{done / total:4.0%}" if total else f"{done:,}")
    finally:
        sys.stderr.write("\n")


def _tell(label: str, how_far: str) -> None:
    sys.stderr.write(f"\r{label:<10} {how_far}")
    sys.stderr.flush()
