"""Single sign-on in the browser, for its tests: what is said, and who came in."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone
from tests import support_web

from trinco.panel.accounts.models import AuditEntry, Invitation, Organisation, Role, User

LOGIN, PAGE = "/account/login/", "/account/sso/"
ODD = "What your provider said could not be used."
AWAY = "Your provider does not answer as it should."
ELSEWHERE = "This sign-in was begun elsewhere"
NOBODY = "There is no account for you here."
OTHERWISE = "This account is connected with somebody else"


def inside(client: Client) -> str:
    """Who is signed in there."""
    key = client.session.get("_auth_user_id")
    return User.objects.get(pk=key).email if key else ""


def said(client: Client, answer: Any) -> str:
    """What stands on the page to which the answer leads."""
    return support_web.text_of(client.get(answer["Location"], follow=True))


def lines(organisation: Organisation) -> list[tuple[str, str]]:
    found = AuditEntry.objects.of(organisation).order_by("pk")
    return [(each.action, each.subject) for each in found if each.action.startswith("member.")]


def invited(organisation: Organisation, **more: Any) -> str:
    """The page of an invitation to Ana, from Eva."""
    token = secrets.token_urlsafe(32)
    facts = {"email": "ana@example.com", "role": Role.VIEWER, "invited_by": "eva@example.com"}
    facts |= {"digest": hashlib.sha256(token.encode()).hexdigest(), "expires_at": timezone.now() + timedelta(days=1)}
    Invitation.objects.of(organisation).create(organisation=organisation, **{**facts, **more})
    return f"/invitations/{token}/"
