"""What allauth asks of the house: who may sign up, where a client is, how MFA secrets rest."""

from __future__ import annotations

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as current
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib.sites.shortcuts import get_current_site
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from trinco.panel import keyring, wall
from trinco.panel.accounts import devices
from trinco.panel.accounts.actors import client_address
from trinco.panel.accounts.models import User
from trinco.panel.accounts.services import give_organisation
from trinco.panel.afterwards import afterwards

MFA_NAME = "mfa-secret"
"""Under which they are sealed."""


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sign-up only where the configuration allows it; each new account gets an organisation of its own."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 - an interface of allauth
        return bool(settings.CONFIG.signup)

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def post_login(self, request: HttpRequest, user: User, **facts: Any) -> HttpResponse:
        """The browser is one that the person has used."""
        response: HttpResponse = super().post_login(request, user, **facts)
        devices.remember(request, response, user.email)
        return response

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """When the answer is given: who waits for it must not learn by the clock whether there was a mail to send."""
        request = current.request
        facts = {"request": request, "email": email, "current_site": get_current_site(request), **context}
        afterwards(request, self.render_mail(template_prefix, email, facts).send)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        key = str(super()._get_login_attempts_cache_key(request, **credentials))
        return key + devices.known(request, str(credentials.get("email", "")))

    @wall.lifted()
    @transaction.atomic
    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:  # noqa: FBT001, FBT002
        """Called by allauth, whose signature this is."""
        saved: User = super().save_user(request, user, form, commit=commit)
        if commit:
            give_organisation(user=saved, organisation=None)
        return saved


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """TOTP secrets and recovery seeds rest sealed, as private keys do."""

    def encrypt(self, text: str) -> str:
        return base64.b64encode(keyring.current().seal(text.encode(), MFA_NAME)).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        return keyring.current().open(base64.b64decode(encrypted_text), MFA_NAME).decode()
