"""The archive of a backup: a plain tar file, whose last member says what the others must be.

    database.sqlite3 or database.pgdump    the tables, as one moment saw them
    ca.pem                                 the root of the development CA, if there is one (a certificate, no key)
    manifest.json                          `Manifest`

No key is in it: those of certificates rest sealed in the tables, and the key to them is in the bundle (`keys`).
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Final, cast

import msgspec

from trinco.panel.backups.errors import ArchiveDamaged

FORMAT: Final = 1
"""Raised when an older Trinco could not read what is written now."""
MANIFEST: Final = "manifest.json"
ROOT: Final = "ca.pem"
_CHUNK: Final = 1 << 20
_LARGEST_SMALL: Final = 1 << 20

Progress = Callable[[int, int], None]
"""Called with how much is done, and of how much, in the same unit; 0: nobody knows of how much."""


class Member(msgspec.Struct, frozen=True):
    """A member of the archive, as it was written."""

    name: str
    octets: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What the archive is."""

    format: int
    trinco: str
    """The version that wrote it."""
    taken_at: datetime
    database: str
    """`sqlite` or `postgresql`."""
    migrations: tuple[str, ...]
    """All that the tables have been through, `app.name`."""
    seal: str
    """`keys.fingerprint` of the key that seals private keys in the tables."""
    members: tuple[Member, ...] = ()


class _Hashed:
    """A file that is being read, with the hash of what was read so far."""

    def __init__(self, file: IO[bytes], progress: Progress, total: int) -> None:
        self._file = file
        self._progress = progress
        self._total = total
        self._hash = hashlib.sha256()
        self.octets = 0

    def read(self, size: int = _CHUNK) -> bytes:
        chunk = self._file.read(size)
        self._hash.update(chunk)
        self.octets += len(chunk)
        self._progress(self.octets, self._total)
        return chunk

    def member(self, name: str) -> Member:
        return Member(name, self.octets, self._hash.hexdigest())


def write(target: Path, manifest: Manifest, files: Mapping[str, Path], progress: Progress) -> None:
    """Write the archive of these files, by their names in it, to a new file. Raises OSError."""
    with tarfile.open(target, "x:", format=tarfile.PAX_FORMAT) as tar:
        members = tuple(_add(tar, name, path, progress) for name, path in files.items())
        _add_manifest(tar, msgspec.structs.replace(manifest, members=members))


def _add(tar: tarfile.TarFile, name: str, path: Path, progress: Progress) -> Member:
    with path.open("rb") as file:
        info = _info(name, path.stat().st_size)
        hashed = _Hashed(file, progress, info.size)
        tar.addfile(info, cast(IO[bytes], hashed))  # it reads, and nothing else is asked of it
    return hashed.member(name)


def _add_manifest(tar: tarfile.TarFile, manifest: Manifest) -> None:
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    tar.addfile(_info(MANIFEST, len(content)), io.BytesIO(content))


def _info(name: str, octets: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = octets, 0o600
    return info


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that is open. Its members are believed when they are what the manifest says, and not before."""

    tar: tarfile.TarFile
    manifest: Manifest

    def has(self, name: str) -> bool:
        """Whether the manifest names this member."""
        return any(member.name == name for member in self.manifest.members)

    def extract(self, name: str, target: Path, progress: Progress) -> None:
        """Copy a member to a new file, and compare it. Raises ArchiveDamaged, OSError."""
        with target.open("xb") as file:
            for chunk in self._chunks(name, progress):
                file.write(chunk)

    def small(self, name: str) -> bytes:
        """A member that is small. Raises ArchiveDamaged."""
        return b"".join(self._chunks(name, lambda _done, _total: None))

    def _chunks(self, name: str, progress: Progress) -> Iterator[bytes]:
        known = next((member for member in self.manifest.members if member.name == name), None)
        if known is None:
            raise ArchiveDamaged(f"the archive has no {name}")
        hashed = _Hashed(_opened(self.tar, name), progress, known.octets)
        try:
            while chunk := hashed.read():
                if hashed.octets > known.octets:
                    raise ArchiveDamaged(f"{name} in the archive is not what was written: it is longer")
                yield chunk
        except (tarfile.TarError, EOFError) as error:
            raise ArchiveDamaged(f"{name} in the archive ends too soon") from error
        if hashed.member(name) != known:
            raise ArchiveDamaged(f"{name} in the archive is not what was written: its SHA-256 differs")


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The archive at `path`. Raises ArchiveDamaged, OSError."""
    try:
        with tarfile.open(path, "r:") as tar:
            yield Archive(tar, _manifest(tar))
    except tarfile.TarError as error:
        raise ArchiveDamaged(f"{path} is no archive of Trinco, or is cut short: {error}") from error


def _manifest(tar: tarfile.TarFile) -> Manifest:
    with _opened(tar, MANIFEST) as file:
        content = file.read(_LARGEST_SMALL)
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArchiveDamaged(f"the manifest of the archive cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise ArchiveDamaged(f"the archive is of format {manifest.format}, and this Trinco reads {FORMAT}")
    return manifest


def _opened(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    """A member, if it is a plain file. Raises ArchiveDamaged."""
    try:
        info = tar.getmember(name)
    except KeyError:
        raise ArchiveDamaged(f"the archive has no {name}: it is no archive of Trinco, or is cut short") from None
    file = tar.extractfile(info) if info.isreg() else None
    if file is None:
        raise ArchiveDamaged(f"{name} in the archive is no file")
    return file
