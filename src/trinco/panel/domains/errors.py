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
    """Not all three records were seen to be right, or none of them has the label of this domain."""


class TagRefused(TrincoError):
    """A deed on tags or saved filters is refused."""


class TooManyTags(TagRefused):
    """The organisation would have more tags than it may."""


class NoSuchTag(TagRefused):
    """The organisation has no tag of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class NameTaken(TagRefused):
    """Another tag, or another filter, has this name. `name` is how it was given."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class TooManyFilters(TagRefused):
    """The organisation has as many saved filters as it may."""
