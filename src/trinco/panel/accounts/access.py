"""As what a person acts, and where: the organisations of their own, and the clients of those.

`scope` is the one answer to "which organisations may this person see"; `access_to` the one to "as what".
A provider's staff act in a client by their role at the provider, and the log says so. A client's people see that
client alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from django.db.models import Exists, OuterRef, Q, QuerySet

from trinco.panel.accounts import roles
from trinco.panel.accounts.errors import NoMembership
from trinco.panel.accounts.models import Membership, Organisation, User
from trinco.panel.accounts.roles import Deed, Role

_EVERY_DEED = frozenset(Deed)


@dataclass(frozen=True, slots=True)
class Access:
    """A person in an organisation. `provider`: at whose behest, where it is not by a membership of their own there."""

    user: User
    organisation: Organisation
    role: Role
    provider: Organisation | None = None
    allowed: frozenset[Deed] = field(default=_EVERY_DEED)
    """What a token's scope leaves of the role."""
    token: str = ""
    """The prefix of the token by which a program acts."""
    by_sso: bool = False
    """Whether the person came by single sign-on, or needs not to."""
    several: bool = False
    """Whether the person has other organisations to go to."""
    provides: bool = False
    """Whether the organisation has clients."""

    def may(self, deed: Deed) -> bool:
        return deed in self.allowed and roles.may(self.role, deed)

    @property
    def may_edit(self) -> bool:
        return self.may(Deed.DOMAINS_WRITE)

    @property
    def may_manage(self) -> bool:
        return self.may(Deed.PEOPLE_MANAGE)

    @property
    def may_have_webhooks(self) -> bool:
        return self.may(Deed.WEBHOOKS_MANAGE)

    @property
    def may_own(self) -> bool:
        return self.may(Deed.ORGANISATION_MANAGE)

    @property
    def may_have_clients(self) -> bool:
        """Whether the person makes clients here: a client has none."""
        return self.organisation.parent_id is None and self.may(Deed.CLIENTS_MANAGE)

    @property
    def may_label(self) -> bool:
        """Whether the person says how the pages look: a client has its provider's label."""
        return self.organisation.parent_id is None and self.may_own

    @property
    def user_id(self) -> int:
        return int(self.user.pk)

    def get_role_display(self) -> str:
        """The role in words."""
        return str(self.role.label)


def scope(user: User) -> frozenset[int]:
    """The keys of all organisations that the person may see: one query."""
    return frozenset(visible(user).values_list("pk", flat=True))


def visible(user: User) -> QuerySet[Organisation]:
    """The organisations of `scope`, as a question that can be narrowed further."""
    own = Membership.objects.filter(user=user).order_by().values("organisation")
    return Organisation.objects.filter(Q(pk__in=own) | Q(parent__in=own))


def access_to(user: User, organisation_id: int) -> Access | None:
    """As what the person acts there; None: not at all, or there is no such organisation. Two queries.

    Who is a member and of the provider's staff as well acts by the higher role.
    """
    elsewhere = Membership.objects.filter(user=user).exclude(organisation=OuterRef("pk"))
    rows = Organisation.objects.select_related("label", "parent__label").filter(pk=organisation_id)
    there = rows.annotate(provides=_clients("pk"), elsewhere=Exists(elsewhere)).first()
    if there is None:
        return None
    own = Membership.objects.filter(user=user, organisation__in=[there.pk, there.parent_id or there.pk])
    found = [_access(membership, user, there) for membership in own]
    highest = max(found, key=lambda each: (roles.rank(each.role), each.provider is None), default=None)
    return highest and replace(highest, several=there.elsewhere or there.provides, provides=there.provides)


def _access(membership: Membership, user: User, there: Organisation) -> Access:
    provider = there.parent if membership.organisation_id != there.pk else None
    return Access(user, there, Role(membership.role), provider)


def _clients(key: str) -> Exists:
    return Exists(Organisation.objects.filter(parent=OuterRef(key)))


def first_access(user: User, seen: QuerySet[Organisation] | None = None) -> Access:
    """Where a person works who has not said where: their oldest membership, of those seen here where not all are.

    Raises NoMembership. One query.
    """
    own = Membership.objects.select_related("organisation__label", "organisation__parent__label").filter(user=user)
    own = (own if seen is None else own.filter(organisation__in=seen.order_by().values("pk"))).order_by("pk")
    found = list(own.annotate(provides=_clients("organisation"))[:2])
    if not found:
        raise NoMembership(user.email)
    first = found[0]
    several = len(found) > 1 or first.provides
    return Access(user, first.organisation, Role(first.role), several=several, provides=first.provides)


def by_token(access: Access, prefix: str, allowed: frozenset[Deed]) -> Access:
    """The same person through a token that leaves these deeds."""
    return replace(access, token=prefix, allowed=allowed, by_sso=True)
