"""What can go wrong with certificates."""

from __future__ import annotations

from trinco.core.errors import TrincoError


class IssuanceFailed(TrincoError):
    """No certificate could be had. The text says why, to the domain's owner."""


class AuthorityUnusable(IssuanceFailed):
    """The development CA's files are there but cannot be used: torn, or sealed under another key."""
