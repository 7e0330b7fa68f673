"""A domain in an address: `/domains/<domain:name>/`."""

from __future__ import annotations

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain


class DomainConverter:
    """A-labels or U-labels in, A-labels out. What names no domain is no page."""

    regex = "[^/]+"

    def to_python(self, value: str) -> Domain:
        try:
            return Domain.parse(value)
        except DomainSyntaxError as error:
            raise ValueError(str(error)) from error

    def to_url(self, value: Domain | str) -> str:
        return str(value)
