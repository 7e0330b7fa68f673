"""Who may do what: the one table of roles and deeds. What is not in it is refused.

Pages name their deed with `web.access.may`, operations of the API with `api.auth.needs`. A token's scope only takes
away from what its person's role allows.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """A person's place in an organisation, the highest first."""

    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    EDITOR = "editor", _("Editor")
    VIEWER = "viewer", _("Viewer")


class Deed(StrEnum):
    """What a page or an operation does."""

    READ = "read"
    """See domains, reports, the log."""
    TOKENS = "tokens:own"
    """Make and revoke keys of one's own, which open no more than one's role does."""
    LEAVE = "membership:own"
    """Belong to the organisation no longer."""
    POLICY_WRITE = "policy:write"
    """Publish, undo, leave."""
    DOMAINS_WRITE = "domains:write"
    """Add and set up domains, have them looked at, say who gets copies of reports."""
    REPORTS_WRITE = "reports:write"
    """Have a report read again, say how long reports are kept."""
    PEOPLE_MANAGE = "people:manage"
    """Invite, change roles, remove; everybody's tokens."""
    WEBHOOKS_MANAGE = "webhooks:manage"
    """Have programs of one's own told of what happens."""
    CLIENTS_MANAGE = "clients:manage"
    """Make client organisations."""
    ORGANISATION_MANAGE = "organisation:manage"
    """Rename the organisation, demand second factors, close it."""


_SEES: Final = frozenset({Deed.READ, Deed.TOKENS, Deed.LEAVE})
_CHANGES: Final = _SEES | {Deed.POLICY_WRITE, Deed.DOMAINS_WRITE, Deed.REPORTS_WRITE}
_MANAGES: Final = _CHANGES | {Deed.PEOPLE_MANAGE, Deed.WEBHOOKS_MANAGE, Deed.CLIENTS_MANAGE}

MATRIX: Final = MappingProxyType(
    {
        Role.VIEWER: _SEES,
        Role.EDITOR: _CHANGES,
        Role.ADMIN: _MANAGES,
        Role.OWNER: _MANAGES | {Deed.ORGANISATION_MANAGE},
    }
)
"""Which deeds each role may do."""

RANKS: Final = MappingProxyType({Role.VIEWER: 0, Role.EDITOR: 1, Role.ADMIN: 2, Role.OWNER: 3})


def may(role: str, deed: Deed) -> bool:
    """Whether the role allows the deed; an unknown role allows nothing."""
    return deed in deeds_of(role)


def deeds_of(role: str) -> frozenset[Deed]:
    """All that the role allows."""
    return MATRIX[Role(role)] if role in Role.values else frozenset()


def rank(role: str) -> int:
    """How high a role stands: nobody gives, changes or takes away one that is higher than their own."""
    return RANKS[Role(role)] if role in Role.values else -1
