"""Bodies that are no JSON: taken up to a size, and given as files."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest

from trinco.panel.api import kinds
from trinco.panel.api.problems import PRIVATE, Problem


def octets(request: HttpRequest, most: int) -> bytes:
    """The body. Raises Problem 413 for what is larger, before it is read where its length is told."""
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    known = int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else 0
    data = b"" if known > most else request.read(most + 1)
    if known > most or len(data) > most:
        raise Problem(kinds.TOO_LARGE, f"A body has {most} octets at most here.")
    return bytes(data)


def require_type(request: HttpRequest, wanted: Iterable[str]) -> None:
    """Raises Problem 415 where the body says to be something else."""
    names = tuple(wanted)
    if request.content_type not in names:
        raise Problem(kinds.WRONG_TYPE, f"Send the body as {' or '.join(f'`{name}`' for name in names)}.")


def described(media_types: Iterable[str], text: str) -> dict[str, object]:
    """Such a body in the OpenAPI document."""
    schema = {"type": "string", "format": "binary", "description": text}
    return {"required": True, "content": {name: {"schema": schema} for name in media_types}}


def attached(name: str) -> dict[str, str]:
    """The headers of a file of this name, for its caller alone, and never taken for a page."""
    disposition = f'attachment; filename="{name}"'
    return {**PRIVATE, "Content-Disposition": disposition, "X-Content-Type-Options": "nosniff"}
