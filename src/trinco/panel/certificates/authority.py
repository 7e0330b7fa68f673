"""Where certificates come from. One answer to each request, so that ACME can stand beside the development CA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

OWN: Final = "own"
"""In place of a directory: the domain's owner has brought it."""
RETIRED: Final = "own-retired"
"""The owner wants it served no longer than until the next one is there."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key, fresh from an authority."""

    leaf: bytes
    """DER."""
    chain: tuple[bytes, ...]
    """DER, nearest issuer first, the root left out."""
    key: bytes
    """PKCS #8 DER, in the clear: to be sealed at once."""
    issuer: str
    not_before: datetime
    not_after: datetime
    directory: str = ""
    """URL of the authority's directory; "": the development CA; or OWN."""


class Authority(Protocol):
    """Issues certificates for policy hosts, and for our own."""

    def issue(self, host: str, now: datetime, *, also: Sequence[str] = ()) -> Issued:
        """A certificate of exactly this name and these others, with a new key. Raises IssuanceFailed."""
