"""Files for what reads certificates and keys from files alone, as Python's `ssl` does."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_OPEN_FILES = "/proc/self/fd"


@contextmanager
def file_of(data: bytes) -> Iterator[str]:
    """The path of a file with this content that nobody else can read. Raises OSError.

    It is in memory where the system has such files, and gone at the end of the block.
    """
    if hasattr(os, "memfd_create") and os.access(_OPEN_FILES, os.X_OK):
        descriptor = os.memfd_create("trinco")
        try:
            os.write(descriptor, data)
            yield f"{_OPEN_FILES}/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            yield file.name
