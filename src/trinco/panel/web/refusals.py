"""Why a deed is refused, in words."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.formats import localize
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from trinco.core.errors import InputError, TrincoError
from trinco.core.mailhosts import Width
from trinco.net.idtoken import TokenRefused, UnknownKey
from trinco.net.oidc import ProviderAway
from trinco.panel.accounts import errors as accounts
from trinco.panel.certificates.errors import CertificateRefused, Fault
from trinco.panel.domains import errors as domains
from trinco.panel.domains.models import State
from trinco.panel.policies import errors
from trinco.panel.reports import errors as reports
from trinco.panel.web.reasons import reason
from trinco.panel.webhooks import errors as webhooks


def refusal(error: TrincoError) -> str:
    """One sentence."""
    if isinstance(error, InputError):
        return reason(error)
    words = _WORDS.get(type(error))
    return words(error) if words else _("This is not possible now.")


def _certificate(error: CertificateRefused) -> str:
    return str(_FAULTS[error.fault])


def _uncovered(error: errors.UncoveredMx) -> str:
    hosts = ", ".join(error.hosts)
    text = ngettext(
        "%(hosts)s is in DNS, but not in the policy.", "%(hosts)s are in DNS, but not in the policy.", len(error.hosts)
    )
    return text % {"hosts": hosts}


def _too_wide(error: errors.WildcardTooWide) -> str:
    text = {
        Width.SUFFIX: _("%(pattern)s stands for names of many owners. Name the hosts of your MX records."),
        Width.PROVIDER: _(
            "%(pattern)s stands for the hosts of every customer of this provider. Name those of your MX records alone."
        ),
    }[error.width]
    return text % {"pattern": error.pattern}


def _not_hosted(error: errors.NotHosted) -> str:
    return {
        State.SETUP: _("The domain is not served yet: its three records come first."),
        State.LEAVING: _("The domain is leaving."),
    }.get(State(error.state), _("The domain is no longer served."))


_FAULTS: dict[Fault, Promise] = {
    Fault.TOO_LARGE: gettext_lazy("This is more than a certificate with its chain and its key."),
    Fault.ENCRYPTED: gettext_lazy("The key is encrypted. Take its passphrase off first."),
    Fault.NO_CERTIFICATE: gettext_lazy(
        "There is no certificate in PEM (-----BEGIN CERTIFICATE-----). DER and PKCS #12 are not read."
    ),
    Fault.NO_KEY: gettext_lazy("There is no private key in PEM (-----BEGIN PRIVATE KEY-----)."),
    Fault.SEVERAL_KEYS: gettext_lazy("There are several private keys. Give the one of this certificate alone."),
    Fault.GARBAGE: gettext_lazy("A part of it cannot be read. Was it cut while it was copied?"),
    Fault.KEY_KIND: gettext_lazy("The key is neither P-256 nor P-384 nor RSA with 2048 to 4096 bits."),
    Fault.KEY: gettext_lazy("The key belongs to another certificate."),
    Fault.ORDER: gettext_lazy(
        "The certificates are not in order: the host’s comes first, then each time the one that issued it."
    ),
    Fault.NAME: gettext_lazy("It is not for this host."),
    Fault.EXPIRED: gettext_lazy("It has expired."),
    Fault.NOT_YET: gettext_lazy("It is not valid yet."),
    Fault.ENDS_SOON: gettext_lazy("It ends too soon: another would be obtained in its place at once."),
    Fault.PURPOSE: gettext_lazy("It is not for servers."),
    Fault.SENDERS: gettext_lazy("Senders would refuse it: it, or who issued it, may not be used for this host."),
    Fault.CHAIN: gettext_lazy(
        "Its chain does not lead to an authority that is trusted here. Add the intermediate certificates."
    ),
}

_LOGOS: dict[accounts.LogoFault, Promise] = {
    accounts.LogoFault.TOO_LARGE: gettext_lazy("This is more than 512 KiB."),
    accounts.LogoFault.TOO_MANY_PIXELS: gettext_lazy("This has more than 4 million pixels."),
    accounts.LogoFault.MOVES: gettext_lazy("A logo does not move: give one picture alone."),
    accounts.LogoFault.DRAWING: gettext_lazy(
        "SVG is not taken, since it can carry programs. Give it as PNG with a transparent ground, 96 pixels high."
    ),
    accounts.LogoFault.KIND: gettext_lazy("This is no picture in PNG, JPEG or WebP."),
    accounts.LogoFault.GARBAGE: gettext_lazy("This picture cannot be read. Was it cut while it was copied?"),
}

_WORDS: dict[type[TrincoError], Callable[..., str]] = {
    accounts.NoSingleSignOn: lambda _error: _("This installation has no provider for single sign-on."),
    ProviderAway: lambda _error: _(
        "Your provider does not answer as it should. Try again in a while, or sign in here."
    ),
    TokenRefused: lambda _error: _("What your provider said could not be used. Begin again."),
    UnknownKey: lambda _error: _("What your provider said could not be used. Begin again."),
    accounts.NotAwaited: lambda _error: _(
        "There is no account for you here. Begin with the link of an invitation to the address that your provider has "
        "of you."
    ),
    accounts.BoundOtherwise: lambda _error: _(
        "This account is connected with somebody else at your provider, or you are with another account here."
    ),
    accounts.LastOwner: lambda _error: _("The organisation needs another owner first."),
    accounts.StillInUse: lambda _error: _(
        "An organisation is closed once it hosts no domain, has no clients and no import runs."
    ),
    accounts.RankTooHigh: lambda _error: _("That role is higher than yours."),
    accounts.AlreadyMember: lambda _error: _("This address belongs to a member already."),
    accounts.TooManyInvitations: lambda _error: _("Too many invitations are waiting. Take some back first."),
    accounts.AskedLately: lambda _error: _("This address was asked a moment ago. Wait a minute, then go on."),
    accounts.InvitationRefused: lambda _error: _(
        "This link is too old, was used or taken back, or was never right. Ask for another invitation."
    ),
    accounts.InvitationNotSent: lambda _error: _(
        "The mail could not be sent. The invitation stands: send it again in a while."
    ),
    webhooks.TooManyWebhooks: lambda error: (
        _("An organisation has %s webhooks at most. Remove one that you no longer need.") % error
    ),
    webhooks.WebhookOff: lambda _error: _("It is switched off: nothing is sent to it."),
    webhooks.DeliveryWaits: lambda _error: _("It waits for its next attempt already."),
    accounts.OnlyProviders: lambda _error: _("A client has the label of its provider."),
    accounts.AccentTooFaint: lambda error: (
        _(
            "Text in this colour, or on it, would have a contrast of %(contrast)s : 1, and 4.5 : 1 is needed for it. "
            "The nearest that can be read is %(nearest)s."
        )
        % {"contrast": localize(round(error.contrast, 1)), "nearest": error.nearest}
    ),
    accounts.LogoRefused: lambda error: str(_LOGOS[error.fault]),
    accounts.HostRefused: lambda _error: _("This name belongs to Trinco itself."),
    accounts.NoClients: lambda _error: _("A client has no clients of its own."),
    errors.UncoveredMx: _uncovered,
    errors.MxUnknown: lambda _error: _(
        "The MX records could not be read in the last hour: nobody knows what enforce would cut off."
    ),
    errors.WildcardTooWide: _too_wide,
    errors.NothingChanged: lambda _error: _("That is the policy already."),
    errors.NothingToUndo: lambda _error: _("There is nothing before this version."),
    errors.NoMxYet: lambda _error: _("This mode needs a list of mail servers, and the domain never had one."),
    errors.AlreadyStarted: lambda _error: _("The mail servers were confirmed already."),
    errors.NotStarted: lambda _error: _("The mail servers are not confirmed yet."),
    errors.NoSuchWay: lambda _error: _("This record cannot be published like that."),
    errors.NoAccess: lambda _error: _("Give access to your DNS provider first: no credentials are kept."),
    errors.NotHosted: _not_hosted,
    errors.Conflict: lambda _error: _(
        "Somebody changed the policy meanwhile. This is what it would become from there."
    ),
    errors.NothingToImport: lambda _error: _("Paste a list, or choose a file: there is no line that says anything."),
    errors.TooManyLines: lambda _error: _("A list has 10,000 lines at most. Give the rest when this one is done."),
    errors.UnknownColumn: lambda error: (
        _("The first line names a column “%(name)s”. Known are domain, organisation and mx.") % {"name": error.name}
    ),
    errors.ImportUnderWay: lambda _error: _("Another import is running. Wait until it is done, or stop it."),
    CertificateRefused: _certificate,
    domains.NotInSetup: lambda _error: _("The domain is served already."),
    domains.TooManyTags: lambda _error: _("There are 100 tags at most. Remove one that nobody needs first."),
    domains.NoSuchTag: lambda error: _("There is no tag %(name)s.") % {"name": error.name},
    domains.NameTaken: lambda error: _("There is one by the name of %(name)s already.") % {"name": error.name},
    domains.TooManyFilters: lambda _error: _("There are 30 saved filters at most. Remove one that nobody needs first."),
    reports.NotParked: lambda _error: _("It was read meanwhile, or waits to be read."),
    reports.AlreadyRecipient: lambda _error: _("This address gets copies already."),
    reports.TooManyRecipients: lambda _error: _("A domain has ten recipients of copies at most."),
    reports.ConfirmationRefused: lambda _error: _(
        "This link is too old, or was never right, or the address was removed."
    ),
}
