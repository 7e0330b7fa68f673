"""What goes wrong with a backup or a restore. Each text is one sentence for whoever typed the command."""

from __future__ import annotations

from trinco.core.errors import TrincoError


class BackupRefused(TrincoError):
    """A backup or a restore that does not begin: there is something in its way. Nothing was changed."""


class ArchiveDamaged(TrincoError):
    """An archive or a bundle of keys that is not what was written. Nothing was changed."""


class BackupFailed(TrincoError):
    """The database, or its program, did not do what was asked of it. Nothing was changed."""
