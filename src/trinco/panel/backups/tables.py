"""The tables of an installation, as backup and restore see them: one file out, one file in."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from trinco.panel.backups.archive import Progress

Migrate = Callable[[str], None]
"""Bring the tables at a database URL up to date."""


class Tables(Protocol):
    """The tables at one database URL."""

    kind: str
    """As a manifest calls it."""
    member: str
    """The name of the dump in an archive."""

    def dump(self, target: Path, progress: Progress) -> tuple[str, ...]:
        """Write all tables, as one moment sees them, to a new file; the migrations of that moment.

        Raises BackupRefused, BackupFailed, OSError.
        """

    def empty(self) -> bool:
        """Whether nothing of Trinco is there. Raises BackupFailed."""

    def load(self, source: Path, migrate: Migrate, progress: Progress) -> None:
        """Put a dump in place of what is there, all or nothing, and bring it up to date. `source` is used up.

        Raises BackupRefused, BackupFailed, OSError.
        """


def tables(url: str) -> Tables:
    """The tables at this URL. The drivers are imported for the kind that is asked for."""
    kind = urlsplit(url).scheme
    made: Tables = importlib.import_module(f"trinco.panel.backups.{kind}").Tables(url)
    return made
