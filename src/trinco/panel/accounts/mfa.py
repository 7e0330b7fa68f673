"""Second factors: who has one, and where one is demanded."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.db.models import QuerySet

from trinco.panel.accounts import sso_terms
from trinco.panel.accounts.access import Access
from trinco.panel.accounts.models import Organisation, User

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
"""What counts: recovery codes alone are none."""


def missing(user: User, access: Access) -> bool:
    """Whether the person has to set up a second factor before they see anything here. A query where one is demanded.

    A provider's demand holds for its staff in its clients too.
    """
    demanded = access.organisation.mfa_required or bool(access.provider and access.provider.mfa_required)
    return demanded and not having([user.pk])


def open_clients(access: Access) -> QuerySet[Organisation]:
    """The clients of the organisation that the person may enter now. Nothing of the others is in lists and files that
    are made of several."""
    return open_to(access, Organisation.objects.filter(parent=access.organisation))


def open_to(access: Access, clients: QuerySet[Organisation]) -> QuerySet[Organisation]:
    """Those of these clients, or former clients, that want nothing of the person that they lack."""
    found = sso_terms.open_to(access, clients)
    lacking = found.filter(mfa_required=True).exists() and not having([access.user_id])
    return found.filter(mfa_required=False) if lacking else found


def locked_clients(access: Access) -> int:
    """How many demand a second factor first, which the person lacks."""
    demanding = Organisation.objects.filter(parent=access.organisation, mfa_required=True).count()
    return 0 if not demanding or having([access.user_id]) else demanding


def having(users: list[int]) -> set[int]:
    """Those of these people (by key) who have a second factor."""
    found = Authenticator.objects.filter(user__in=users, type__in=FACTORS)
    return set(found.values_list("user", flat=True))
