"""From what an address names to the organisation's own row: a name of somebody else's does not exist here."""

from __future__ import annotations

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import MAX_TYPED, Domain
from trinco.panel.accounts.models import Organisation
from trinco.panel.api import kinds
from trinco.panel.api.auth import caller
from trinco.panel.api.problems import Problem
from trinco.panel.checks.status import refresh_by_key
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.domains.services import locked


def provider_of(request: HttpRequest) -> Organisation:
    """The organisation that is asked about. Raises Problem 404 for a client: it has nothing that is a provider's."""
    organisation = caller(request).organisation
    if organisation.parent_id is not None:
        raise Problem(kinds.NOT_FOUND)
    return organisation


def name_of(text: str) -> Domain:
    """The domain name in an address. Raises Problem 400 for what could never be hosted."""
    try:
        return Domain.parse(text[: MAX_TYPED + 1])
    except DomainSyntaxError as error:
        raise Problem(kinds.BAD_PARAMETER, f"The name {error.reason}.", "name") from None


def hosted(request: HttpRequest, name: Domain) -> HostedDomain | None:
    """The organisation's domain of this name, with its policy."""
    mine = HostedDomain.objects.of(caller(request).organisation).exclude(state=State.GONE)
    rows = mine.select_related("organisation", "standing__current", "standing__announced")
    return rows.filter(name=str(name)).first()


def domain_of(request: HttpRequest, text: str) -> HostedDomain:
    """As `hosted`. Raises Http404."""
    mine = HostedDomain.objects.of(caller(request).organisation).exclude(state=State.GONE)
    rows = mine.select_related("organisation", "standing__current", "standing__announced")
    try:
        name = str(Domain.parse(text[: MAX_TYPED + 1]))
    except DomainSyntaxError:
        raise Problem(kinds.NOT_FOUND) from None
    return get_object_or_404(rows, name=name)


def held(request: HttpRequest, text: str) -> HostedDomain:
    """As `domain_of`, and nobody else changes it until the transaction ends. Raises Http404."""
    locked(domain_of(request, text))
    return domain_of(request, text)


def again(domain: HostedDomain) -> HostedDomain:
    """The row after a deed, with its level worked out anew and its policy as it is now."""
    refresh_by_key([domain.pk], timezone.now())
    rows = HostedDomain.objects.of(domain.organisation)
    return rows.select_related("organisation", "standing__current", "standing__announced").get(pk=domain.pk)
