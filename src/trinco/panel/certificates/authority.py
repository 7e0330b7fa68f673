"""What a certificate is when it is fresh, whoever it is from, and the form of an authority that answers at once: the
development CA. ACME takes several turns (`orders`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

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

    @classmethod
    def of(cls, chain: Sequence[x509.Certificate], key: bytes, directory: str) -> Issued:
        """The certificate and its issuers, with its key in PKCS #8 DER."""
        leaf, *issuers = chain
        return cls(
            leaf=leaf.public_bytes(Encoding.DER),
            chain=tuple(each.public_bytes(Encoding.DER) for each in issuers),
            key=key,
            issuer=_known_as(leaf.issuer),
            not_before=leaf.not_valid_before_utc,
            not_after=leaf.not_valid_after_utc,
            directory=directory,
        )


def _known_as(name: x509.Name) -> str:
    """Organisation and common name, as people know an authority."""
    oids = (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
    return " ".join(str(each.value) for oid in oids for each in name.get_attributes_for_oid(oid))[:120]


class Authority(Protocol):
    """Issues certificates for policy hosts, and for our own."""

    def issue(self, host: str, now: datetime, *, also: Sequence[str] = ()) -> Issued:
        """A certificate of exactly this name and these others, with a new key. Raises IssuanceFailed."""
