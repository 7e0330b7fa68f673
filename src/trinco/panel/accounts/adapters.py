"""What allauth asks of the house: who may sign up, where a client is, how MFA secrets rest."""

from __future__ import annotations

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.core import context as current
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib.sites.shortcuts import get_current_site
from django.core.mail import EmailMessage
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from trinco.panel import doors, keyring, wall
from trinco.panel.accounts import came, devices, labels, provider, sso
from trinco.panel.accounts.actors import client_address
from trinco.panel.accounts.models import Label, User
from trinco.panel.accounts.services import give_organisation
from trinco.panel.afterwards import afterwards

_MOST_AGENT = 200
"""Characters of what a browser says of itself, in a mail."""
MFA_NAME = "mfa-secret"
"""Under which they are sealed."""


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sign-up only where the configuration allows it; each new account gets an organisation of its own."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.CONFIG.signup) and doors.label_here(request) is None

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def post_login(self, request: HttpRequest, user: User, **facts: Any) -> HttpResponse:
        """The browser is one that the person has used."""
        response: HttpResponse = super().post_login(request, user, **facts)
        devices.remember(request, response, user.email)
        return response

    def is_reauthentication_required(self, *, app: str, **facts: Any) -> bool:
        """Raises ReauthenticationRequired: who has neither password nor factor would be asked for nothing at all."""
        request = current.request
        if request.user.is_authenticated and not get_reauthentication_flows(request.user) and not came.lately(request):
            raise ReauthenticationRequired
        return bool(super().is_reauthentication_required(app=app, **facts))

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """By the provider as well; whoever has no way at all gets a password by mail first."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        at_home = doors.label_here(current.request) is None
        if at_home and isinstance(user, User) and sso.is_bound(user, provider.issuer()):
            methods.append({"id": "sso", "description": provider.words(), "url": reverse("sso_again")})
        if isinstance(user, User) and not methods:
            methods.append({"id": "mail", "description": _("Set a password"), "url": reverse("account_reset_password")})
        return methods

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """When the answer is given: who waits for it must not learn by the clock whether there was a mail to send."""
        request = current.request
        facts = {"request": request, "email": email, "current_site": get_current_site(request), **context}
        afterwards(request, self.render_mail(template_prefix, email, facts).send)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """The account's, by whatever host: each port in a Host header would be a counter of its own."""
        email = str(credentials.get("email", ""))
        return f"{email.lower()}:{devices.known(request, email)}"

    def render_mail(
        self, template_prefix: str, email: Any, context: dict[str, Any], headers: dict[str, str] | None = None
    ) -> EmailMessage:
        """Under the label of whoever it goes to: its name, and in links its host, where that may open the account."""
        person, label = _label_of(context.get("user"), email)
        root = labels.root_of(person, label) if person else labels.root(label)
        facts = {**_at_home(context, root), "current_site": _Site(labels.product(label), root)}
        mail: EmailMessage = super().render_mail(template_prefix, email, facts, headers=headers)
        mail.subject = f"[{labels.product(label)}] {mail.subject}"
        mail.from_email = labels.sender(label)
        return mail

    @wall.lifted()
    @transaction.atomic
    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:  # noqa: FBT001, FBT002
        """Called by allauth, whose signature this is."""
        saved: User = super().save_user(request, user, form, commit=commit)
        if commit:
            give_organisation(user=saved, organisation=None)
        return saved


def farewell(request: HttpRequest, user: User) -> EmailMessage:
    """The mail which says that the account is deleted: made while it is there, for its label, and sent afterwards."""
    adapter = get_adapter(request)
    facts = {
        "request": request,
        "user": user,
        "current_site": None,
        "timestamp": timezone.now(),
        "ip": adapter.get_client_ip(request),
        "user_agent": adapter.get_http_user_agent(request)[:_MOST_AGENT],
    }
    mail: EmailMessage = adapter.render_mail("account/email/account_deleted", user.email, facts)
    return mail


class _Site:
    """As allauth's mails name us."""

    def __init__(self, name: str, root: str) -> None:
        self.name = name
        self.domain = root


def _label_of(user: object, email: Any) -> tuple[User | None, Label | None]:
    """The person, and their label; somebody without an account is written to under that of the host they came by."""
    here = doors.label_here(current.request) if current.request else None
    person = user if isinstance(user, User) else User.objects.filter(email__iexact=str(email)).first()
    return (person, labels.of_person(person, here)) if person else (None, here)


def _at_home(context: dict[str, Any], root: str) -> dict[str, Any]:
    """The links that allauth made lead to the host that the request came to: have them lead to this one."""
    request = current.request
    came = request.build_absolute_uri("/") if request else None
    moved = {
        key: f"{root}/{value.removeprefix(came)}"
        for key, value in context.items()
        if came and isinstance(value, str) and value.startswith(came)
    }
    return {**context, **moved}


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """TOTP secrets and recovery seeds rest sealed, as private keys do."""

    def get_totp_issuer(self) -> str:
        request = current.request
        user = getattr(request, "user", None)
        label = labels.of_person(user, doors.label_here(request)) if isinstance(user, User) else None
        return labels.product(label)

    def encrypt(self, text: str) -> str:
        return base64.b64encode(keyring.current().seal(text.encode(), MFA_NAME)).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        return keyring.current().open(base64.b64decode(encrypted_text), MFA_NAME).decode()
