"""Texts that a stranger wrote, as they may stand on a page. Templates escape them; this is about what is not markup."""

from __future__ import annotations

from urllib.parse import urlsplit

MOST = 500
"""Characters of one text: the raw report has the rest."""


def plain(text: str, most: int = MOST) -> str:
    """Without control, direction and broken characters, each of which becomes a question mark; cut where it is long."""
    shown = "".join(character if character.isprintable() else "?" for character in text[:most])
    return shown + ("…" if len(text) > most else "")


def is_link(text: str) -> bool:
    """Whether it may be followed: https with a host, and nothing in it that is not printable ASCII."""
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > MOST:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
