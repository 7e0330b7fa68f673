"""The trust anchors for servers of others."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings


def roots() -> Path | None:
    """None: the system's; in the playground those of its made-up authorities."""
    path: Path = settings.DATA / "roots.pem"
    return path if settings.CONFIG.playground and path.exists() else None
