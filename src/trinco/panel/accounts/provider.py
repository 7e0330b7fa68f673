"""The OpenID provider of this installation, as its settings name it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _

from trinco.net import dns as look_ups
from trinco.net import https
from trinco.net.asking import Asker
from trinco.net.oidc import Client, Provider
from trinco.net.reaching import Patience
from trinco.panel.roots import roots

CALLBACK: Final = "/account/sso/callback/"
"""Where the provider sends people back to: registered there below the panel's address."""
_PATIENCE: Final = Patience(connect=4.0, total=8.0)


def configured() -> bool:
    """Whether there is one."""
    return bool(settings.CONFIG.oidc_issuer)


def issuer() -> str:
    """What it calls itself; "": there is none."""
    return str(settings.CONFIG.oidc_issuer)


def provider() -> Provider:
    """The one provider. What it said of itself is remembered for a while, in each process."""
    config = settings.CONFIG
    callback = f"{config.panel_url.rstrip('/')}{CALLBACK}"
    return _known(Client(config.oidc_issuer, config.oidc_client_id, config.oidc_secret, callback))


def words() -> str:
    """What the button says; "": there is none."""
    if not configured():
        return ""
    name = settings.CONFIG.oidc_name
    return _("Sign in with %(provider)s") % {"provider": name} if name else _("Sign in with single sign-on")


def asker() -> Asker:
    """What asks, inside one event loop."""
    return Asker(look_ups.configured(settings.CONFIG), https.context(roots()), _PATIENCE)


@lru_cache(maxsize=4)
def _known(client: Client) -> Provider:
    return Provider(client, lambda: asker())  # noqa: PLW0108 - looked up late: tests put another in its place
