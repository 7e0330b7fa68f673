"""What can go wrong with accounts."""

from __future__ import annotations

from enum import StrEnum

from django.http import Http404

from trinco.core.errors import InputError, TrincoError


class AccountExists(TrincoError):
    """There is an account with this e-mail address."""

    def __init__(self, email: str) -> None:
        super().__init__(email)
        self.email = email


class AccountGone(TrincoError, Http404):
    """The account was deleted while a deed of its person was under way."""


class EmailSyntaxError(InputError):
    """Not an e-mail address."""


class NoMembership(TrincoError):
    """The person belongs to no organisation."""


class TooManyTokens(TrincoError):
    """The person has as many usable tokens as one may have."""


class OrganisationClosed(TrincoError, Http404):
    """The organisation was closed while the deed was under way: it does not exist any more for whoever asks."""


class StillInUse(TrincoError):
    """An organisation that is to be closed hosts `domains` (names), has `clients`, or an import is `importing`."""

    def __init__(self, domains: tuple[str, ...], clients: int, *, importing: bool) -> None:
        super().__init__(f"{len(domains)} domains, {clients} clients")
        self.domains, self.clients, self.importing = domains, clients, importing


class LastOwner(TrincoError):
    """An organisation keeps one owner at least."""


class RankTooHigh(TrincoError):
    """Nobody gives, changes or takes away a role that is higher than their own."""


class AlreadyMember(TrincoError):
    """The address belongs to a member already."""


class TooManyInvitations(TrincoError):
    """As many addresses wait for an answer as may."""


class AskedLately(TrincoError):
    """The address was asked a moment ago."""


class InvitationRefused(TrincoError):
    """The link is not ours, was used or taken back, is too old, or is meant for another address."""


class InvitationNotSent(TrincoError):
    """The mail server did not take the mail; the invitation stands, and may be sent again."""


class NoClients(TrincoError):
    """A client has no clients of its own."""


class NoSingleSignOn(TrincoError):
    """The installation has no OpenID provider."""


class NotAwaited(TrincoError):
    """Nobody here waits for the person whom the OpenID provider sends. The text says why, for the log."""


class BoundOtherwise(TrincoError):
    """The account is bound to somebody else at the OpenID provider, or they to another account."""


class ScopeTooWide(TrincoError):
    """The scope of a token opens more than who makes it may do."""


class OnlyProviders(TrincoError):
    """A client has its provider's label and no other."""


class NoLabel(TrincoError):
    """The provider has no label as yet: a logo or a host has nowhere to stand."""


class AccentSyntaxError(InputError):
    """Not a colour."""


class AccentTooFaint(TrincoError):
    """Text in this colour, or on it, could not be read. `contrast`: its faintest; `nearest`: one that can be read."""

    def __init__(self, accent: str, contrast: float, nearest: str) -> None:
        super().__init__(f"{accent}: contrast {contrast:.1f}, nearest {nearest}")
        self.accent, self.contrast, self.nearest = accent, contrast, nearest


class LogoFault(StrEnum):
    """What is wrong with a logo."""

    TOO_LARGE = "too large"
    TOO_MANY_PIXELS = "too many pixels"
    MOVES = "moves"
    DRAWING = "drawing"
    KIND = "kind"
    GARBAGE = "garbage"


class LogoRefused(TrincoError):
    """The file is no logo that may be shown."""

    def __init__(self, fault: LogoFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class HostRefused(TrincoError):
    """The name is one of Trinco's own, or of its zone."""
