"""`dry_run=true`: the deed is done, looked at, and taken back before anybody else has seen it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.http import HttpRequest
from ninja import Field, Schema

from trinco.panel.api.parameters import flag

NAME = "dry_run"


class DryParameters(Schema):
    """Whether it is done."""

    dry_run: str | None = Field(None, description="`true`: say what would come of it, and change nothing.")


def dry(request: HttpRequest) -> bool:
    """Whether nothing is to be changed. Raises Problem 400 for what is neither `true` nor `false`."""
    return flag(request, NAME)


@contextmanager
def rehearsal(*, dry: bool) -> Iterator[None]:
    """One transaction; with `dry` it is taken back, with its audit lines and everything that waits for its end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(dry)
