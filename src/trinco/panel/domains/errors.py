"""What can go wrong with hosted domains. Each carries what a page needs to say it in the reader's language."""

from __future__ import annotations

from trinco.core.errors import TrincoError


class DomainError(TrincoError):
    """A deed on a domain is refused. `name` is its A-label form."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class AlreadyAdded(DomainError):
    """The organisation has this domain already."""


class OurOwnName(DomainError):
    """The name lies in the zone that Trinco itself is authoritative for."""


class NotInSetup(DomainError):
    """The deed is for domains that wait for DNS alone; this one is served, or has been."""


class NotProven(DomainError):
    """Not all three CNAMEs were seen to point to this domain's label."""
