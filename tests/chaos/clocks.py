"""Clocks that can be moved: CLOCK_REALTIME of one process, while it runs. What `clock.c` does needs a compiler."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import needs

SOURCE = Path(__file__).with_name("clock.c")


@dataclass(frozen=True, slots=True)
class Clocks:
    """One for each name, in a file that its process maps."""

    folder: Path
    library: Path

    def environment(self, name: str) -> dict[str, str]:
        """What a process wants in its environment whose clock has this name."""
        self.move(name, 0)
        return {"LD_PRELOAD": str(self.library), "CLOCK_MOVED_BY": str(self._file(name))}

    def move(self, name: str, seconds: int) -> None:
        """It goes that much ahead from now on; written in place, since it is mapped."""
        file = self._file(name)
        with file.open("r+b" if file.exists() else "wb") as place:
            place.write(struct.pack("=q", seconds))
        file.chmod(0o644)

    def _file(self, name: str) -> Path:
        return self.folder / f"clock-{name}"


@contextmanager
def made() -> Iterator[Clocks]:
    """Clocks whose files everybody may read, the database's user as well."""
    with tempfile.TemporaryDirectory(prefix="trinco-clocks-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        library = folder / "clock.so"
        options = ("-O2", "-shared", "-fPIC", "-nostdlib", "-fno-builtin")
        subprocess.run([needs("gcc"), *options, "-o", str(library), str(SOURCE)], check=True, timeout=60)
        library.chmod(0o755)
        yield Clocks(folder, library)
