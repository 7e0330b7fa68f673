"""What every page shows beside its own: theme, organisation, count of domains, and whether somebody serves them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

import trinco
from trinco.panel import mounts
from trinco.panel.accounts.access import Access, access_to, first_access
from trinco.panel.accounts.errors import NoMembership
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies.models import EdgeNode

THEMES = ("light", "dark", "auto")
THEME_COOKIE = "theme"


def page(request: HttpRequest) -> dict[str, Any]:
    """A context processor. Nothing is asked of the database unless the template shows it."""
    theme = request.COOKIES.get(THEME_COOKIE, "auto")
    context = {
        "theme": theme if theme in THEMES else "auto",
        "version": trinco.__version__,
        "playground": settings.CONFIG.playground,
        "signup_open": settings.CONFIG.signup,
    }
    user = getattr(request, "user", None)
    return {**context, **_member(request)} if user is not None and user.is_authenticated else context


def _member(request: HttpRequest) -> dict[str, Any]:
    membership = SimpleLazyObject(lambda: getattr(request, "membership", None) or _membership(request))
    return {
        "membership": membership,
        "organisation": SimpleLazyObject(lambda: getattr(membership, "organisation", None)),
        "domain_count": SimpleLazyObject(lambda: _domain_count(getattr(membership, "organisation", None))),
        "edges": SimpleLazyObject(_edges),
    }


def _membership(request: HttpRequest) -> Access | None:
    """As what the person acts, on a page that asked nobody: those of the account."""
    user: Any = request.user
    named = mounts.named(request)
    if named is not None:
        return access_to(user, named)
    try:
        return first_access(user)
    except NoMembership:
        return None


def _domain_count(organisation: Any) -> int:
    return HostedDomain.objects.of(organisation).exclude(state=State.GONE).count() if organisation else 0


def _edges() -> int:
    return EdgeNode.objects.filter(lease_until__gt=timezone.now()).count()
