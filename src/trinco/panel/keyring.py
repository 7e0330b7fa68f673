"""The seal of this installation as it is now: a key file that was changed is read again, so that keys can be changed
while panel, workers and edges go on. No tables here: an edge opens what the panel sealed without a database."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from django.conf import settings

from trinco.panel.seal import Seal, SealError

_log = structlog.get_logger("trinco.keys")


@dataclass(slots=True)
class Ring:
    """The keys of a file, or of a text where there is no file."""

    path: Path | None
    text: str
    _seen: tuple[int, int, int] | None = None
    _seal: Seal | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def current(self) -> Seal:
        """The seal. A file that is away, or that is torn, changes nothing. Raises SealError: there never was one."""
        with self._lock:
            seen = self._look()
            if self._seal is None or seen != self._seen:
                self._seal, self._seen = self._read(), seen
            return self._seal

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = None if self.path is None else self.path.stat()
        except OSError:
            return self._seen
        return None if found is None else (found.st_ctime_ns, found.st_ino, found.st_size)

    def _read(self) -> Seal:
        try:
            return Seal.of(self.text if self.path is None else self.path.read_text(encoding="ascii"))
        except (OSError, ValueError, SealError) as error:
            _log.error("key file unusable", error=str(error))
            return Seal.of(self.text) if self._seal is None else self._seal


_rings: dict[tuple[str | None, str], Ring] = {}


def current() -> Seal:
    """The seal of this installation."""
    name = (settings.SEAL_KEY_FILE, settings.SEAL_KEY)
    ring = _rings.get(name)
    if ring is None:
        ring = _rings.setdefault(name, Ring(Path(name[0]) if name[0] else None, name[1]))
    return ring.current()


def unseal(sealed: bytes, server_name: str) -> bytes:
    """An `edge.ports.Unsealer`. Raises SealError."""
    return current().open(sealed, server_name)
