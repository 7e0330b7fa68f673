"""Static files: collected, hashed and compressed into the data directory before the panel serves them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from whitenoise.storage import CompressedManifestStaticFilesStorage

import trinco
from trinco.panel import files

_STAMP = "collected.stamp"
_UNUSED = ["redoc.*"]
"""A second viewer of the API's description, half of all octets, that no page of ours asks for."""


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Names with a hash in them once collected; the plain names before that (tests, a shell)."""

    def stored_name(self, name: str) -> str:
        return super().stored_name(name) if self.hashed_files else name


def collect() -> bool:
    """Collect the static files unless those collected are still the same. True: they were written. Raises OSError."""
    stamp, wanted = Path(settings.STATIC_ROOT) / _STAMP, _fingerprint()
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return False
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=_UNUSED)
    files.write(stamp, wanted.encode())
    return True


def _fingerprint() -> str:
    digest = hashlib.sha256(trinco.__version__.encode())
    for line in sorted(_sources()):
        digest.update(line.encode())
    return digest.hexdigest()


def _sources() -> Iterator[str]:
    """Name, size and time of each source file: also a change without a new version is seen."""
    for finder in get_finders():
        for name, storage in finder.list([]):
            stat = Path(storage.path(name)).stat()
            yield f"{name} {stat.st_size} {stat.st_mtime_ns}"
