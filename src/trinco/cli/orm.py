"""Importing this module sets Django up, which must come before any import of a model.

Commands that work on tables import it first, and put their work inside `tables()`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import django
import typer
from django.db import DatabaseError

from trinco.core.errors import InputError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trinco.panel.settings")
django.setup()

EXIT_FINDING, EXIT_USAGE, EXIT_UNTESTED = 1, 2, 3


@contextmanager
def tables() -> Iterator[None]:
    """Turn what goes wrong into one line and an exit code: 2 for what was typed, 3 for a database that is not there."""
    try:
        yield
    except InputError as error:
        raise ended(f"{error.source!a}: {error.reason}" if error.source else error.reason, EXIT_USAGE) from error
    except DatabaseError as error:
        told = "no answer from the database, or its tables are behind (`trinco migrate` brings them up to date)"
        raise ended(f"{told}: {error}", EXIT_UNTESTED) from error


def ended(message: str, code: int) -> typer.Exit:
    """Say one line to standard error; the exit to raise."""
    typer.echo(f"trinco: {message}", err=True)
    return typer.Exit(code)
