"""Small files that must survive: written whole, durable before they are read, made once by however many processes."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

_PRIVATE = 0o600
_PUBLIC = 0o644


def write(path: Path, content: bytes, mode: int = _PRIVATE) -> None:
    """Replace the file as a whole: temporary file, fsync, rename, fsync of the directory. Raises OSError."""
    temporary = _temporary(path, content, mode)
    temporary.replace(path)
    _sync_directory(path.parent)


def publish(path: Path, content: bytes) -> None:
    """Like `write`, for what everybody may read."""
    write(path, content, _PUBLIC)


def settle(finished: Path, target: Path) -> None:
    """Put a finished file of the same file system into its place: durable first, then renamed. Raises OSError."""
    with finished.open("rb+") as file:
        os.fsync(file.fileno())
    finished.replace(target)
    _sync_directory(target.parent)


def made_once(path: Path, make: Callable[[], str]) -> str:
    """The text of a private file, made by `make` when there is none. Of several processes at once, one wins."""
    if not path.exists():
        _make(path, make().encode())
    return path.read_text(encoding="ascii").strip()


def private_directory(path: Path) -> Path:
    """The directory, made with access for its owner alone."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _make(path: Path, content: bytes) -> None:
    private_directory(path.parent)
    temporary = _temporary(path, content, _PRIVATE)
    try:
        os.link(temporary, path)  # unlike a rename, a link never replaces what another process has made meanwhile
    except FileExistsError:
        return
    finally:
        temporary.unlink()
    _sync_directory(path.parent)


def _temporary(path: Path, content: bytes, mode: int) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # whatever the umask says
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink()
        raise
    return temporary


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
