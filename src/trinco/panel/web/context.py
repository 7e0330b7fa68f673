"""What every page shows beside its own: theme, organisation, count of domains, and whether somebody serves them."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

import trinco
from trinco.panel import doors, mounts
from trinco.panel.accounts import labels, provider, sso
from trinco.panel.accounts.access import Access, access_to, first_access
from trinco.panel.accounts.errors import NoMembership
from trinco.panel.accounts.models import Label, Organisation
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies.models import EdgeNode
from trinco.panel.web.presenters.brand import brand_of

THEMES = ("light", "dark", "auto")
THEME_COOKIE = "theme"
_SHOWN: Final = "label_shown_of"


def page(request: HttpRequest) -> dict[str, Any]:
    """A context processor. Nothing is asked of the database unless the template shows it."""
    theme = request.COOKIES.get(THEME_COOKIE, "auto")
    context = {
        "theme": theme if theme in THEMES else "auto",
        "version": trinco.__version__,
        "playground": settings.CONFIG.playground,
        "signup_open": settings.CONFIG.signup and doors.label_here(request) is None,
        "brand": SimpleLazyObject(lambda: brand_of(_label(request))),
        "sso_words": provider.words() if doors.label_here(request) is None else "",
    }
    user = getattr(request, "user", None)
    return {**context, **_member(request)} if user is not None and user.is_authenticated else context


def show_label_of(request: HttpRequest, organisation: Organisation) -> None:
    """The page is about this organisation, whoever looks at it: a link in a mail led there."""
    setattr(request, _SHOWN, organisation)


def _label(request: HttpRequest) -> Label | None:
    """That of the host; elsewhere that of the organisation which the page is about."""
    here = doors.label_here(request)
    if here is not None:
        return here
    about: Organisation | None = getattr(request, _SHOWN, None) or getattr(_acting(request), "organisation", None)
    return labels.of(about) if about else None


def _acting(request: HttpRequest) -> Access | None:
    found: Access | None = getattr(request, "membership", None)
    user = getattr(request, "user", None)
    if found is None and user is not None and user.is_authenticated:
        found = _membership(request)
    return found


def _member(request: HttpRequest) -> dict[str, Any]:
    user: Any = request.user
    membership = SimpleLazyObject(lambda: _acting(request))
    return {
        "membership": membership,
        "organisation": SimpleLazyObject(lambda: getattr(membership, "organisation", None)),
        "domain_count": SimpleLazyObject(lambda: _domain_count(getattr(membership, "organisation", None))),
        "edges": SimpleLazyObject(_edges),
        "sso_bound": lambda: sso.is_bound(user, provider.issuer()),
    }


def _membership(request: HttpRequest) -> Access | None:
    """As what the person acts, on a page that asked nobody: those of the account."""
    user: Any = request.user
    named = mounts.named(request)
    if named is not None:
        access = access_to(user, named)
        return access if access is not None and doors.opens(request, access.organisation) else None
    try:
        return first_access(user, doors.here(request))
    except NoMembership:
        return None


def _domain_count(organisation: Any) -> int:
    return HostedDomain.objects.of(organisation).exclude(state=State.GONE).count() if organisation else 0


def _edges() -> int:
    return EdgeNode.objects.filter(lease_until__gt=timezone.now()).count()
