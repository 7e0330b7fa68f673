"""What can go wrong with accounts."""

from __future__ import annotations

from trinco.core.errors import InputError, TrincoError


class AccountExists(TrincoError):
    """There is an account with this e-mail address."""

    def __init__(self, email: str) -> None:
        super().__init__(email)
        self.email = email


class EmailSyntaxError(InputError):
    """Not an e-mail address."""


class NoMembership(TrincoError):
    """The person belongs to no organisation."""


class TooManyTokens(TrincoError):
    """The person has as many usable tokens as one may have."""
