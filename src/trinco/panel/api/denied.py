"""Why a deed is refused that is about people, certificates, reports, lists and webhooks, as a problem."""

from __future__ import annotations

from typing import Final

from trinco.core.errors import InputError, TrincoError
from trinco.panel.accounts import errors as accounts
from trinco.panel.accounts.errors import LogoFault
from trinco.panel.api import kinds
from trinco.panel.api.bodies import refused
from trinco.panel.api.kinds import Kind
from trinco.panel.api.problems import Problem
from trinco.panel.certificates.errors import CertificateRefused
from trinco.panel.policies import errors as policies
from trinco.panel.reports import errors as reports
from trinco.panel.webhooks import errors as webhooks

_PLAIN: dict[type[TrincoError], tuple[Kind, str]] = {
    accounts.NoSingleSignOn: (kinds.CONFLICT, "This installation has no provider for single sign-on."),
    accounts.OnlyProviders: (kinds.NOT_FOUND, "A client has its provider's label."),
    accounts.NoLabel: (kinds.NOT_FOUND, "There is no label yet: PUT its name and colour first."),
    accounts.OrganisationClosed: (kinds.NOT_FOUND, ""),
    accounts.AccountGone: (kinds.NOT_FOUND, "The account was deleted meanwhile."),
    accounts.LastOwner: (kinds.CONFLICT, "The organisation needs another owner first."),
    accounts.RankTooHigh: (kinds.FORBIDDEN, "That role is higher than yours."),
    accounts.ScopeTooWide: (kinds.FORBIDDEN, "The scope opens more than you may do."),
    accounts.AlreadyMember: (kinds.CONFLICT, "This address belongs to a member already."),
    accounts.TooManyInvitations: (kinds.CONFLICT, "Too many invitations are waiting. Take some back first."),
    accounts.AskedLately: (kinds.CONFLICT, "This address was asked a moment ago. Wait a minute, then go on."),
    accounts.InvitationNotSent: (
        kinds.CONFLICT,
        "The mail could not be sent. The invitation stands: send it again in a while.",
    ),
    accounts.TooManyTokens: (kinds.CONFLICT, "You have as many tokens as may be. Revoke one that you no longer need."),
    accounts.NoClients: (kinds.NOT_FOUND, "A client has no clients of its own."),
    policies.NothingToImport: (kinds.BAD_BODY, "There is no line that says anything."),
    policies.TooManyLines: (kinds.BAD_BODY, "A list has 10,000 lines at most. Give the rest when this one is done."),
    policies.ImportUnderWay: (kinds.CONFLICT, "Another import is running. Wait until it is done, or stop it."),
    policies.NoAccess: (
        kinds.CONFLICT,
        "No credentials of the DNS provider are kept. They are given on the domain's pages.",
    ),
    reports.NotParked: (kinds.CONFLICT, "It was read meanwhile, or waits to be read."),
    reports.AlreadyRecipient: (kinds.CONFLICT, "This address gets copies already."),
    reports.TooManyRecipients: (kinds.CONFLICT, "A domain has ten recipients of copies at most."),
    webhooks.TooManyWebhooks: (kinds.CONFLICT, "The organisation has as many webhooks as may be. Remove one first."),
    webhooks.WebhookOff: (kinds.CONFLICT, "It is switched off: nothing is sent to it."),
    webhooks.DeliveryWaits: (kinds.CONFLICT, "It waits for its next attempt already."),
}
_PLACES: dict[type[TrincoError], str] = {
    webhooks.UrlRefused: "/url",
    webhooks.KindUnknown: "/kinds",
    accounts.AccentSyntaxError: "/accent",
}
"""Where in a body it stands, for what stands in one place alone."""


LOGOS: Final = {
    LogoFault.TOO_LARGE: "The picture is larger than 512 KiB.",
    LogoFault.TOO_MANY_PIXELS: "The picture has more than 4,000,000 pixels.",
    LogoFault.MOVES: "The picture moves.",
    LogoFault.DRAWING: "SVG is not taken: a drawing may hold programs.",
    LogoFault.KIND: "The body is no picture in PNG, JPEG or WebP.",
    LogoFault.GARBAGE: "The picture cannot be read: it is cut off or damaged.",
}


def problem_of(error: TrincoError) -> Problem:
    """The problem that a refusal is."""
    if isinstance(error, accounts.LogoRefused):
        return Problem(kinds.BAD_BODY, LOGOS[error.fault])
    if isinstance(error, CertificateRefused):
        return Problem(kinds.BAD_BODY, f"{error.fault.value[0].upper()}{error.fault.value[1:]}.")
    if isinstance(error, policies.UnknownColumn):
        return Problem(kinds.BAD_BODY, f"The first line names a column “{error.name}”.")
    if isinstance(error, InputError):
        return refused(_PLACES.get(type(error), ""), error.reason)
    kind, sentence = _PLAIN.get(type(error), (kinds.CONFLICT, ""))
    return Problem(kind, sentence)
