"""Where an organisation wants its people to come by single sign-on, and whom that keeps out.

Its owners are excepted, so that somebody comes in when the provider is away. A program comes with its token.
"""

from __future__ import annotations

from django.db.models import QuerySet

from trinco.panel.accounts.access import Access
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.roles import Role


def missing(access: Access) -> bool:
    """Whether the person has to come by the provider before they see anything here.

    A provider of services' demand holds for its staff in its clients too.
    """
    demanded = access.organisation.sso_required or bool(access.provider and access.provider.sso_required)
    return demanded and not _excepted(access)


def open_to(access: Access, clients: QuerySet[Organisation]) -> QuerySet[Organisation]:
    """Those of these clients that the person may enter now."""
    return clients if _excepted(access) else clients.filter(sso_required=False)


def locked_clients(access: Access) -> int:
    """How many clients of the organisation want single sign-on first."""
    if _excepted(access):
        return 0
    return Organisation.objects.filter(parent=access.organisation, sso_required=True).count()


def _excepted(access: Access) -> bool:
    return access.by_sso or access.role == Role.OWNER
